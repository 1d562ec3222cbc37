/**
 * PATCH: fills an update mask that the client left empty with the fields of its body, so that the service leaves all other
 * fields unchanged. Paths are relative to the body field and use the names of the `.proto` file. A list, a map, a well-known
 * type, and an empty or null message are named as a whole.
 */
import { isHttpBody, JsonScanner, wellKnownKind } from '../../codec/index.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { endTagOf, makeTag, Reader, WireType, type Writer } from '../../wire/index.js';
import type { TranscodeOptions } from '../options.js';
import { submessage } from '../submessage.js';
import type { MessageNode } from './merge.js';

const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;

/** The mask of one binding. */
export class UpdateMask {
  private constructor(
    private readonly mask: FieldDescriptor,
    private readonly body: FieldDescriptor,
    private readonly type: MessageDescriptor,
    /** Paths of fields that the URL sets, relative to the body field; they are not put into the mask. */
    private readonly bound: ReadonlySet<string>,
    private readonly maxDepth: number,
  ) {}

  /** Undefined if the method has no mask to fill or the option is off. */
  static compile(binding: Binding, options: TranscodeOptions): UpdateMask | undefined {
    const { body, httpMethod, method, variables } = binding;
    if (httpMethod !== 'PATCH' && httpMethod !== '*') return undefined;
    if (body.kind !== 'field' || !(binding.options.updateMask ?? options.updateMasks)) return undefined;
    const mask = maskField(method.input);
    const field = body.path[body.path.length - 1]!;
    if (mask === undefined || body.path[0] === mask || !hasFields(field) || isHttpBody(field.message)) return undefined;
    const depth = body.path.length;
    const bound = variables
      .filter(({ fieldPath }) => body.path.every((step, index) => step === fieldPath[index]))
      .map(({ fieldPath }) => pathOf(fieldPath.slice(depth)));
    return new UpdateMask(mask, field, field.message!, new Set(bound), options.maxJsonDepth);
  }

  /** Fills the mask of the request `root` from the JSON of its body. */
  fillFromJson(root: MessageNode, json: Buffer): void {
    this.fill(root, () => {
      const paths: string[] = [];
      const scanner = new JsonScanner(json, this.maxDepth);
      if (scanner.next() === OPEN_BRACE) this.walkJson(scanner, this.type, '', paths);
      return paths;
    });
  }

  /** The same from a body that was not JSON, as the tagged body field in wire form. */
  fillFromWire(root: MessageNode, base: Buffer): void {
    this.fill(root, () => {
      const paths: string[] = [];
      const reader = new Reader(submessage(base, this.body));
      const given = new Given();
      this.walkWire(reader, this.type, 0, given);
      this.addGiven(given, '', paths);
      return paths;
    });
  }

  private fill(root: MessageNode, collect: () => readonly string[]): void {
    const { mask } = this;
    const given = root.remove(mask);
    const paths = given === undefined || given.text === '' ? collect() : [];
    if (paths.length === 0) {
      if (given !== undefined) root.add(given);
      return;
    }
    const read = (_text: string, out: Writer): void => writeMask(out, mask, paths);
    root.add({ field: mask, read, text: '', label: mask.name, source: 'the body' });
  }

  /** The text has been read before, so it is valid; unknown fields and enum names in it are ignored. */
  private walkJson(scanner: JsonScanner, type: MessageDescriptor, prefix: string, paths: string[]): void {
    if (!scanner.openObject()) {
      this.add(prefix, paths);
      return;
    }
    do {
      scanner.string();
      const field = type.field(textOf(scanner));
      const char = scanner.colon();
      const path = field === undefined ? '' : join(prefix, field);
      if (field !== undefined && char === OPEN_BRACE && hasFields(field)) {
        this.walkJson(scanner, field.message!, path, paths);
        continue;
      }
      scanner.skipValue();
      const isUnknown = field?.type === 'enum' && char === QUOTE && field.enum!.value(textOf(scanner)) === undefined;
      if (field !== undefined && !isUnknown) this.add(path, paths);
    } while (scanner.moreMembers());
  }

  /** Collects the fields up to the reader's end or the end tag of a group. A message may occur in several pieces. */
  private walkWire(reader: Reader, type: MessageDescriptor, endTag: number, given: Given): void {
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === endTag) return;
      const field = type.fieldByNumber(tag >>> 3);
      const inner = field === undefined ? undefined : (given.fields.get(field) ?? new Given());
      if (field !== undefined) given.fields.set(field, inner!);
      if (field === undefined || !hasFields(field) || !isMessageTag(tag)) {
        reader.skip(tag);
      } else if (field.delimited) {
        this.walkWire(reader, field.message!, endTagOf(tag), inner!);
      } else {
        reader.within(() => this.walkWire(reader, field.message!, 0, inner!));
      }
    }
  }

  private addGiven(given: Given, prefix: string, paths: string[]): void {
    for (const [field, inner] of given.fields) {
      const path = join(prefix, field);
      if (inner.fields.size === 0) this.add(path, paths);
      else this.addGiven(inner, path, paths);
    }
  }

  private add(path: string, paths: string[]): void {
    if (path !== '' && !this.bound.has(path)) paths.push(path);
  }
}

/** The fields that a message has, and theirs. */
class Given {
  readonly fields = new Map<FieldDescriptor, Given>();
}

function isMessageTag(tag: number): boolean {
  return (tag & 7) === WireType.BYTES || (tag & 7) === WireType.START_GROUP;
}

/** `update_mask`, or else the only FieldMask that is not `read_mask`. */
function maskField(message: MessageDescriptor): FieldDescriptor | undefined {
  const masks = message.fields.filter(
    ({ name, repeated, message: type }) =>
      name !== 'read_mask' && !repeated && type !== undefined && wellKnownKind(type) === 'FieldMask',
  );
  return masks.find(({ name }) => name === 'update_mask') ?? (masks.length === 1 ? masks[0] : undefined);
}

/** True for a field whose message a mask can name field by field. */
function hasFields({ repeated, map, message }: FieldDescriptor): boolean {
  return !repeated && map === undefined && message !== undefined && wellKnownKind(message) === undefined;
}

function textOf({ text, textStart, textEnd }: JsonScanner): string {
  return text.toString('utf8', textStart, textEnd);
}

function join(prefix: string, field: FieldDescriptor): string {
  return prefix === '' ? field.name : `${prefix}.${field.name}`;
}

function pathOf(path: readonly FieldDescriptor[]): string {
  return path.map(({ name }) => name).join('.');
}

function writeMask(out: Writer, mask: FieldDescriptor, paths: readonly string[]): void {
  out.uint32(makeTag(mask.number, WireType.BYTES));
  const mark = out.begin();
  for (const path of paths) {
    out.uint32(makeTag(1, WireType.BYTES));
    out.string(path);
  }
  out.finish(mark);
}
