/** Inputs for the fuzzer: a seed, damaged a few times. */
import type { Random } from '../support/random.js';

/** Longer ones are cut: many short runs find more. */
const MAX_LENGTH = 64 * 1024;

/** One of the seeds with one to six changes; now and then it is left as it is. */
export function mutate(seeds: readonly (string | Buffer)[], random: Random, dictionary: readonly string[]): Buffer {
  let input: Buffer = Buffer.from(random.pick(seeds) as Buffer);
  for (let change = random.below(7); change > 0; change--) {
    input = changes[random.below(changes.length)]!(input, { random, dictionary, seeds });
  }
  return input.subarray(0, MAX_LENGTH);
}

interface Tools {
  readonly random: Random;
  readonly dictionary: readonly string[];
  readonly seeds: readonly (string | Buffer)[];
}

type Change = (input: Buffer, tools: Tools) => Buffer;

const changes: readonly Change[] = [
  // A bit, a byte.
  (input, { random }) => {
    const copy = Buffer.from(input);
    if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
    return copy;
  },
  (input, { random }) => {
    const copy = Buffer.from(input);
    if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
    return copy;
  },
  // A word of the language.
  (input, { random, dictionary }) => insert(input, random, Buffer.from(random.pick(dictionary))),
  (input, { random, dictionary }) => insert(input, random, Buffer.from(random.pick(dictionary))),
  // A piece gone, doubled, repeated, or from another seed.
  (input, { random }) => {
    const [from, to] = piece(input, random);
    return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  },
  (input, { random }) => insert(input, random, input.subarray(...piece(input, random))),
  (input, { random }) => {
    const [from, to] = piece(input, random, 8);
    const many = Array.from({ length: random.below(300) }, () => input.subarray(from, to));
    return insert(input, random, Buffer.concat(many));
  },
  (input, { random, seeds }) => {
    const other = Buffer.from(random.pick(seeds) as Buffer);
    return insert(input, random, other.subarray(...piece(other, random)));
  },
  // Cut off.
  (input, { random }) => input.subarray(0, random.below(input.length + 1)),
];

function insert(input: Buffer, random: Random, bytes: Buffer): Buffer {
  const at = random.below(input.length + 1);
  return Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]);
}

function piece(input: Buffer, random: Random, max = 200): [from: number, to: number] {
  const from = random.below(input.length + 1);
  return [from, Math.min(input.length, from + random.below(max))];
}
