/**
 * Ids made by the services: 26 characters, lower case, safe in a URL and in a file name. The first ten are the time in
 * milliseconds, the rest are 80 random bits; within a millisecond the next id is the last one plus 1, so ids sort by age.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.js';

/** Crockford's base 32: no letter that a reader takes for a digit. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

interface Made {
  readonly atMs: number;
  readonly random: bigint;
}

const lastMade = new WeakMap<Clock, Made>();

/** A new id, like `01jz4q0v7m9k3c5x8w2n6t1r0a`, greater than all that this clock was used for before. */
export function newId(clock: Clock): string {
  const last = lastMade.get(clock);
  const now = clock.now();
  const made =
    last !== undefined && last.atMs >= now
      ? { atMs: last.atMs, random: last.random + 1n }
      : { atMs: now, random: BigInt(`0x${randomBytes(10).toString('hex')}`) };
  lastMade.set(clock, made);
  return base32(BigInt(made.atMs), 10) + base32(made.random, 16);
}

/** Whether a text looks like one of `newId`; no other can be the id of anything. */
export function isId(text: string): boolean {
  return /^[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}

function base32(value: bigint, digits: number): string {
  let text = '';
  for (let shift = (digits - 1) * 5; shift >= 0; shift -= 5) text += alphabet[Number((value >> BigInt(shift)) & 31n)];
  return text;
}
