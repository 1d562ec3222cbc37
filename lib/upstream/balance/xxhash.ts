/**
 * XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), by which Envoy places servers and keys on its ring: a key then goes to the same server
 * before and after a move from there.
 */

const MASK = (1n << 64n) - 1n;
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;

const STRIPE_BYTES = 32;

/** The hash of a text in UTF-8, with the seed 0. */
export function xxHash64(text: string): bigint {
  const bytes = Buffer.from(text, 'utf8');
  let at = 0;
  let hash = PRIME_5;
  if (bytes.length >= STRIPE_BYTES) {
    const lanes = [(PRIME_1 + PRIME_2) & MASK, PRIME_2, 0n, -PRIME_1 & MASK];
    for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) {
      for (const [index, lane] of lanes.entries()) lanes[index] = round(lane, bytes.readBigUInt64LE(at + index * 8));
    }
    const turns = [1, 7, 12, 18];
    hash = lanes.reduce((sum, lane, index) => (sum + rotate(lane, turns[index] ?? 0)) & MASK, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * PRIME_1 + PRIME_4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27) * PRIME_1 + PRIME_4) & MASK;
  }
  for (; at + 4 <= bytes.length; at += 4) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * PRIME_1) & MASK), 23) * PRIME_2 + PRIME_3) & MASK;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt8(at)) * PRIME_5) & MASK), 11) * PRIME_1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * PRIME_2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * PRIME_3) & MASK;
  return hash ^ (hash >> 32n);
}

function round(lane: bigint, input: bigint): bigint {
  return (rotate((lane + ((input * PRIME_2) & MASK)) & MASK, 31) * PRIME_1) & MASK;
}

function rotate(value: bigint, bits: number): bigint {
  const turned = BigInt(bits);
  return ((value << turned) | (value >> (64n - turned))) & MASK;
}
