/** Connections that have been open for long give way to new ones, which another process or machine may take. */
import type { Socket } from 'node:net';
import { MAX_TIMER_MS } from '../options/index.js';
import type { ListenerOptions } from './options.js';

/** By how much of its age a connection may live longer or shorter: those that came together do not come back together. */
const JITTER = 0.1;

/** How a connection gives way. */
export interface Aging {
  /** It takes no more requests than those that its client has sent. */
  retire(): void;
  /** What is still under way is broken off. */
  cut(): void;
}

/** Lets a connection age, if there is a limit, until its socket closes. */
export function limitAge(
  socket: Socket,
  { maxConnectionAgeMs, maxConnectionAgeGraceMs }: ListenerOptions,
  aging: Aging,
): void {
  if (maxConnectionAgeMs === undefined) return;
  const retire = (): void => {
    aging.retire();
    if (maxConnectionAgeGraceMs !== undefined) timer = setTimeout(() => aging.cut(), maxConnectionAgeGraceMs);
  };
  const ageMs = Math.min(MAX_TIMER_MS, maxConnectionAgeMs * (1 - JITTER + 2 * JITTER * Math.random()));
  let timer = setTimeout(retire, ageMs);
  socket.once('close', () => clearTimeout(timer));
}
