/**
 * Removes missing imports from a FileDescriptorProto of a set: a client of reflection requests each import, and refuses an
 * incomplete schema.
 */
import { makeTag, Reader, WireType, Writer } from '../../wire/index.js';

const DEPENDENCY = 3;
const PUBLIC_DEPENDENCY = 10;
const WEAK_DEPENDENCY = 11;
const OPTION_DEPENDENCY = 15;

/** The file with only those dependencies whose names are in `found`. */
export function dropImports(file: Buffer, found: ReadonlySet<string>): Buffer {
  const out = new Writer(file.length);
  /** New indexes of the dependencies by their old ones. */
  const indexes = new Map<number, number>();
  let index = 0;
  for (const { field, text } of partsOf(file)) {
    if (field !== DEPENDENCY) continue;
    if (found.has(text!)) indexes.set(index, indexes.size);
    index++;
  }
  for (const { field, text, integers, bytes } of partsOf(file)) {
    if (integers !== undefined) {
      for (const number of integers) writeIndex(out, field, indexes.get(number));
    } else if (text === undefined || found.has(text)) {
      out.raw(bytes);
    }
  }
  return out.take();
}

function writeIndex(out: Writer, field: number, index: number | undefined): void {
  if (index === undefined) return;
  out.uint32(makeTag(field, WireType.VARINT));
  out.uint32(index);
}

interface Part {
  readonly field: number;
  /** The name of a dependency. */
  readonly text?: string;
  /** Indexes of public or weak dependencies. */
  readonly integers?: readonly number[];
  /** Tag and value, still encoded. */
  readonly bytes: Buffer;
}

function* partsOf(file: Buffer): Generator<Part> {
  const reader = new Reader(file);
  while (!reader.done) {
    const start = reader.pos;
    const tag = reader.tag();
    const field = tag >>> 3;
    let text: string | undefined;
    let integers: readonly number[] | undefined;
    if (field === DEPENDENCY || field === OPTION_DEPENDENCY) text = reader.bytes().toString('utf8');
    else if (field === PUBLIC_DEPENDENCY || field === WEAK_DEPENDENCY) integers = readIntegers(reader, tag);
    else reader.skip(tag);
    const bytes = file.subarray(start, reader.pos);
    yield { field, bytes, ...(text !== undefined && { text }), ...(integers !== undefined && { integers }) };
  }
}

/** One integer, or a packed list of them. */
function readIntegers(reader: Reader, tag: number): number[] {
  if ((tag & 7) !== WireType.BYTES) return [reader.uint32()];
  const packed = new Reader(reader.bytes());
  const list: number[] = [];
  while (!packed.done) list.push(packed.uint32());
  return list;
}
