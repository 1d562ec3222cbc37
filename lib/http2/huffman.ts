/**
 * Huffman code of HPACK (RFC 7541, section 5.2 and appendix B), decoding alone: what we send is mostly indexed, and plain
 * octets cost less time. The code is canonical, so the lengths of the codes are the code.
 */
import { ConnectionError, ErrorCode } from './error.js';

/** Bits of the code of each octet, and of the end of string (256). */
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;
const SHORTEST_CODE_BITS = 5;

/**
 * The code as a machine that takes four bits at a time: entry `state * 16 + bits` holds the next state, and above it
 * `symbol + 1`, or 0 where the bits complete none (the shortest code has five bits, so they never complete two).
 * -1: the end of string, which may not occur.
 */
interface Machine {
  readonly steps: Int32Array;
  /** States in which a string may end: at most seven bits of padding, all of them 1. */
  readonly mayEnd: Uint8Array;
}

const STATE_BITS = 9;
const STATE_MASK = (1 << STATE_BITS) - 1;

let built: Machine | undefined;

function machine(): Machine {
  return (built ??= buildMachine());
}

/** Children of the inner nodes of the code tree: another node (0 or more), or `-1 - symbol`. */
function buildTree(): (readonly [number, number])[] {
  const tree: [number | undefined, number | undefined][] = [[undefined, undefined]];
  const symbols = codeLengths.map((length, symbol) => ({ length, symbol }));
  symbols.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let bits = 0;
  for (const { length, symbol } of symbols) {
    code *= 2 ** (length - bits);
    bits = length;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const side = (Math.floor(code / 2 ** bit) % 2) as 0 | 1;
      const next = tree[node]![side] ?? tree.push([undefined, undefined]) - 1;
      tree[node]![side] = next;
      node = next;
    }
    tree[node]![(code % 2) as 0 | 1] = -1 - symbol;
    code++;
  }
  return tree as [number, number][];
}

function buildMachine(): Machine {
  const tree = buildTree();
  const steps = new Int32Array(tree.length * 16);
  for (let state = 0; state < tree.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) steps[state * 16 + nibble] = stepOf(tree, state, nibble);
  }
  const mayEnd = new Uint8Array(tree.length);
  for (let node = 0, depth = 0; depth < 8; depth++) {
    mayEnd[node] = 1;
    node = tree[node]![1];
  }
  return { steps, mayEnd };
}

function stepOf(tree: readonly (readonly [number, number])[], state: number, nibble: number): number {
  let node = state;
  let symbol = -1;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node]![((nibble >> bit) & 1) as 0 | 1];
    if (next >= 0) node = next;
    else {
      symbol = -1 - next;
      if (symbol === END_OF_STRING) return -1;
      node = 0;
    }
  }
  return ((symbol + 1) << STATE_BITS) | node;
}

/** Most strings are short, and decoded one after the other. */
const scratch = Buffer.alloc(256);

/**
 * Decodes `buffer[start..end)`, octets as characters up to U+00FF.
 * @throws ConnectionError COMPRESSION_ERROR
 */
export function decodeHuffman(buffer: Buffer, start: number, end: number): string {
  const { steps, mayEnd } = machine();
  const most = Math.ceil(((end - start) * 8) / SHORTEST_CODE_BITS);
  const out = most <= scratch.length ? scratch : Buffer.allocUnsafe(most);
  let length = 0;
  let state = 0;
  for (let pos = start; pos < end; pos++) {
    const byte = buffer[pos]!;
    const high = steps[(state << 4) | (byte >> 4)]!;
    const low = high < 0 ? -1 : steps[((high & STATE_MASK) << 4) | (byte & 15)]!;
    if (low < 0) throw new ConnectionError(ErrorCode.COMPRESSION_ERROR, 'sent a header with an end of string in it');
    if (high > STATE_MASK) out[length++] = (high >> STATE_BITS) - 1;
    if (low > STATE_MASK) out[length++] = (low >> STATE_BITS) - 1;
    state = low & STATE_MASK;
  }
  if (mayEnd[state] !== 1) {
    throw new ConnectionError(ErrorCode.COMPRESSION_ERROR, 'sent a header whose Huffman code is cut short');
  }
  return out.toString('latin1', 0, length);
}
