/**
 * PATCH: an update mask that the client left empty is filled with what its body has, so that what it did not send stays
 * as it is. Paths are relative to the body field and in the names of the `.proto`; a list, a map or a well-known type is
 * named as a whole, and so is an empty or null message.
 */
import { JsonScanner, wellKnownKind } from '../codec/index.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { type Writer, WireType } from '../wire/index.js';
import { isHttpBody } from './http-body.js';
import type { TranscodeOptions } from './options.js';
import { submessage } from './submessage.js';
import { entriesOf, type MessageNode } from './weave.js';

const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;

export class UpdateMask {
  private constructor(
    private readonly mask: FieldDescriptor,
    private readonly body: FieldDescriptor,
    private readonly type: MessageDescriptor,
    /** Paths that the URL gives, relative to the body field. */
    private readonly bound: ReadonlySet<string>,
    private readonly maxDepth: number,
  ) {}

  /** Undefined where the method has no mask to fill, or the options say to leave it. */
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

  /** The same from the body in wire form, where it was no JSON: the tagged body field. */
  fillFromWire(root: MessageNode, base: Buffer): void {
    this.fill(root, () => {
      const paths: string[] = [];
      this.walkWire(submessage(base, this.body), this.type, '', paths);
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

  /** The text was read before, so it is valid; unknown names and enum names in it are to be ignored. */
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

  private walkWire(message: Buffer, type: MessageDescriptor, prefix: string, paths: string[]): void {
    const found = new Map<FieldDescriptor, Buffer[]>();
    for (const { number, contentStart, contentEnd } of entriesOf(message)) {
      const field = type.fieldByNumber(number);
      if (field === undefined) continue;
      // Protobuf may give a message in pieces.
      const pieces = found.get(field) ?? [];
      found.set(field, pieces);
      if (hasFields(field)) pieces.push(message.subarray(contentStart, contentEnd));
    }
    for (const [field, pieces] of found) {
      const path = join(prefix, field);
      const content = Buffer.concat(pieces);
      if (content.length === 0) this.add(path, paths);
      else this.walkWire(content, field.message!, path, paths);
    }
  }

  private add(path: string, paths: string[]): void {
    if (path !== '' && !this.bound.has(path)) paths.push(path);
  }
}

/** `update_mask`, or the only mask there is besides `read_mask`. */
function maskField(message: MessageDescriptor): FieldDescriptor | undefined {
  const masks = message.fields.filter(
    ({ name, repeated, message: type }) =>
      name !== 'read_mask' && !repeated && type !== undefined && wellKnownKind(type) === 'FieldMask',
  );
  return masks.find(({ name }) => name === 'update_mask') ?? (masks.length === 1 ? masks[0] : undefined);
}

/** True for a message whose fields a mask can name one by one. */
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
  out.uint32(((mask.number << 3) | WireType.BYTES) >>> 0);
  const mark = out.begin();
  for (const path of paths) {
    out.uint32((1 << 3) | WireType.BYTES);
    out.string(path);
  }
  out.finish(mark);
}
