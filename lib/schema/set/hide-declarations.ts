/**
 * Removes declarations from a FileDescriptorProto, for callers that may not see them. Its lines and comments are removed too:
 * they name declarations by their positions, which change.
 */
import { joinName } from '../scopes.js';
import { makeTag, Reader, WireType, Writer } from '../../wire/index.js';

const NAME = 1;
const PACKAGE = 2;
const SOURCE_CODE_INFO = 9;
const FIELD = 2;
const ONEOF_DECL = 8;
const ONEOF_INDEX = 9;

type Kind = 'file' | 'message' | 'enum' | 'service' | 'member';

/** The declarations inside each kind, by field number. */
const CHILDREN: Readonly<Record<Kind, ReadonlyMap<number, Kind>>> = {
  file: new Map([
    [4, 'message'],
    [5, 'enum'],
    [6, 'service'],
    [7, 'member'],
  ]),
  message: new Map([
    [FIELD, 'member'],
    [3, 'message'],
    [4, 'enum'],
    [6, 'member'],
  ]),
  enum: new Map([[2, 'member']]),
  service: new Map([[2, 'member']]),
  member: new Map(),
};

/**
 * The file without the declarations that are named. A oneof of which no field is left is removed too.
 * @param hidden full names, with the enum in those of enum values; entry messages of maps are named on their own
 */
export function hideDeclarations(file: Buffer, hidden: ReadonlySet<string>): Buffer {
  const out = new Writer(file.length);
  writeVisible('file', file, textOf(file, PACKAGE), hidden, out);
  return out.take();
}

function writeVisible(kind: Kind, bytes: Buffer, scope: string, hidden: ReadonlySet<string>, out: Writer): void {
  const oneofs = kind === 'message' ? oneofIndexes(bytes, scope, hidden) : undefined;
  let oneof = 0;
  for (const { number, content, whole } of partsOf(bytes)) {
    if (kind === 'file' && number === SOURCE_CODE_INFO) continue;
    if (oneofs !== undefined && number === ONEOF_DECL && !oneofs.has(oneof++)) continue;
    const child = content && CHILDREN[kind].get(number);
    if (content === undefined || child === undefined) {
      out.raw(whole);
      continue;
    }
    const fullName = joinName(scope, textOf(content, NAME));
    if (hidden.has(fullName)) continue;
    out.uint32(makeTag(number, WireType.BYTES));
    const mark = out.begin();
    if (oneofs !== undefined && number === FIELD) writeField(content, oneofs, out);
    else writeVisible(child, content, fullName, hidden, out);
    out.finish(mark);
  }
}

/** New indexes of the oneofs that have a field left, by their old ones. */
function oneofIndexes(message: Buffer, scope: string, hidden: ReadonlySet<string>): ReadonlyMap<number, number> {
  const left = new Set<number>();
  for (const { number, content } of partsOf(message)) {
    if (number !== FIELD || content === undefined || hidden.has(joinName(scope, textOf(content, NAME)))) continue;
    for (const { number: inner, integer } of partsOf(content)) {
      if (inner === ONEOF_INDEX && integer !== undefined) left.add(integer);
    }
  }
  return new Map([...left].sort((a, b) => a - b).map((old, index) => [old, index]));
}

function writeField(field: Buffer, oneofs: ReadonlyMap<number, number>, out: Writer): void {
  for (const { number, integer, whole } of partsOf(field)) {
    if (number !== ONEOF_INDEX || integer === undefined) {
      out.raw(whole);
      continue;
    }
    out.uint32(makeTag(ONEOF_INDEX, WireType.VARINT));
    out.uint32(oneofs.get(integer)!);
  }
}

interface Part {
  readonly number: number;
  /** Of a length-delimited field. */
  readonly content?: Buffer;
  /** Of a varint: its low 32 bits. */
  readonly integer?: number;
  /** Tag and value, still encoded. */
  readonly whole: Buffer;
}

function* partsOf(bytes: Buffer): Generator<Part> {
  const reader = new Reader(bytes);
  while (!reader.done) {
    const start = reader.pos;
    const tag = reader.tag();
    const number = tag >>> 3;
    const type = tag & 7;
    let value: Pick<Part, 'content' | 'integer'> = {};
    if (type === WireType.BYTES) value = { content: reader.bytes() };
    else if (type === WireType.VARINT) value = { integer: reader.uint32() };
    else reader.skip(tag);
    yield { number, ...value, whole: bytes.subarray(start, reader.pos) };
  }
}

/** The last text of a field; '' if there is none. */
function textOf(bytes: Buffer, number: number): string {
  let text = '';
  for (const { number: found, content } of partsOf(bytes)) {
    if (found === number && content !== undefined) text = content.toString('utf8');
  }
  return text;
}
