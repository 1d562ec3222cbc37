/** JSON arrays → repeated fields, JSON objects → maps. */
import type { Writer } from '../wire/index.js';
import type { ScalarType } from '../schema/types.js';
import { quote } from '../uri.js';
import { LOWER_N, OPEN_BRACE, OPEN_BRACKET } from './chars.js';
import { Halves, integerKindOf, parseInteger, writers32, writers64 } from './integers.js';
import type { JsonInput } from './json-input.js';
import { KeySet } from './key-set.js';
import type { ElementReader, ValueReader } from './read-context.js';

/** Writes tag, value and, for a group, the end tag; writes nothing if there is no value. */
export function readTagged(input: JsonInput, element: ElementReader): boolean {
  const { out } = input;
  const start = out.pos;
  out.uint32(element.tag);
  if (!element.read(input)) {
    out.rewind(start);
    return false;
  }
  if (element.endTag !== 0) out.uint32(element.endTag);
  return true;
}

/** Makes the reader of a length-delimited value from a reader of content. */
export function delimited(content: ValueReader): ValueReader {
  return (input) => {
    const { out } = input;
    const mark = out.begin();
    if (!content(input)) return false;
    out.finishLater(mark);
    return true;
  };
}

/** The reader of a list whose elements are each tagged. */
export function listReader(element: ElementReader): ValueReader {
  return (input) => {
    if (input.buf[input.pos] !== OPEN_BRACKET) return input.mismatch(listExpected(element));
    if (!input.openArray()) return true;
    do {
      if (!refusesNull(input, element)) readTagged(input, element);
    } while (input.moreElements());
    return true;
  };
}

/** The reader of a list of numbers that is written as one block of bytes. */
export function packedListReader(element: ElementReader, tag: number): ValueReader {
  return (input) => {
    if (input.buf[input.pos] !== OPEN_BRACKET) return input.mismatch(listExpected(element));
    if (!input.openArray()) return true;
    const { out } = input;
    const start = out.pos;
    out.uint32(tag);
    const mark = out.begin();
    do {
      if (!refusesNull(input, element)) element.read(input);
    } while (input.moreElements());
    if (out.pos === mark) out.rewind(start);
    else out.finishLater(mark);
    return true;
  };
}

function listExpected(element: ElementReader): string {
  return `an array, each element of it ${element.expected}`;
}

/** Records a null in a list or map that cannot hold one. */
function refusesNull(input: JsonInput, element: ElementReader): boolean {
  if (input.buf[input.pos] !== LOWER_N || element.acceptsNull) return false;
  input.mismatch(element.expected);
  return true;
}

/** Writes a map key from the input's `text`; false if it is not of the key's type. */
type KeyReader = (input: JsonInput) => boolean;

/** The reader of a map: each member becomes an entry message with the fields 1 and 2. */
export function mapReader(tag: number, key: MapKeyReader, value: ElementReader): ValueReader {
  return (input) => {
    if (input.buf[input.pos] !== OPEN_BRACE) return input.mismatch('an object');
    if (!input.openObject()) return true;
    const keys = new KeySet(input.out);
    do readEntry(input, tag, key, value, keys);
    while (input.moreMembers());
    return true;
  };
}

function readEntry(input: JsonInput, tag: number, key: MapKeyReader, value: ElementReader, keys: KeySet): void {
  const { out } = input;
  const start = out.pos;
  out.uint32(tag);
  const mark = out.begin();
  out.uint32(key.tag);
  const keyStart = out.pos;
  const good = readKey(input, key, keys, keyStart);
  const keyEnd = out.pos;
  input.colon();
  if (!good) input.skipValue();
  if (!good || refusesNull(input, value) || !readTagged(input, value)) {
    out.rewind(start);
    return;
  }
  out.finishLater(mark);
  keys.add(keyStart, keyEnd);
}

/** Returns false and records a violation if the key has the wrong type or is a duplicate. */
function readKey(input: JsonInput, key: MapKeyReader, keys: KeySet, keyStart: number): boolean {
  const offset = input.pos;
  input.string();
  if (!key.read(input)) return input.badToken(offset, `${key.expected} as the key`);
  if (!keys.has(keyStart, input.out.pos)) return true;
  const text = input.text.toString('utf8', input.textStart, Math.min(input.textEnd, input.textStart + 200));
  input.violation(offset, `the key ${quote(text)} is given twice`);
  return false;
}

/** How the keys of a map are read. */
export interface MapKeyReader {
  readonly tag: number;
  readonly read: KeyReader;
  readonly expected: string;
}

/** Copies a key as a length-delimited string. */
export const readStringKey: KeyReader = ({ out, text, textStart, textEnd }) => {
  out.uint32(textEnd - textStart);
  out.rawRange(text, textStart, textEnd);
  return true;
};

const readBoolKey: KeyReader = ({ out, text, textStart, textEnd }) => {
  const word = text.toString('latin1', textStart, Math.min(textEnd, textStart + 6));
  if (word !== 'true' && word !== 'false') return false;
  out.byte(word === 'true' ? 1 : 0);
  return true;
};

/** The reader of keys of a scalar type. */
export function keyReader(type: ScalarType): KeyReader {
  if (type === 'string') return readStringKey;
  if (type === 'bool') return readBoolKey;
  const kind = integerKindOf(type)!;
  const write = integerWriter(type);
  const halves = new Halves();
  return ({ out, text, textStart, textEnd }) => {
    if (!parseInteger(text, textStart, textEnd, kind, true, halves)) return false;
    write(out, halves);
    return true;
  };
}

/** Writes an integer of any width. */
export function integerWriter(type: ScalarType): (out: Writer, value: Halves) => void {
  const kind = integerKindOf(type)!;
  const write64 = writers64[type];
  if (write64 !== undefined) return (out, { low, high }) => write64(out, low, high);
  const write32 = writers32[type]!;
  return (out, { low }) => write32(out, kind.signed ? low | 0 : low);
}
