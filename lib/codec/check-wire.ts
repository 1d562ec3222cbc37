/**
 * Checks protobuf bytes from a client before they are sent to a service: they must be well-formed, each known field must have
 * the right wire type, strings must be UTF-8, and nesting is limited. As always in protobuf, unknown fields are accepted. The
 * content of a google.protobuf.Any is not checked.
 */
import { isUtf8 } from 'node:buffer';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import { endTagOf, Reader, WireError, WireType } from '../wire/index.js';
import { tagOf } from './tags.js';
import { cached } from './cached.js';

/**
 * Checks a message.
 * @param maxDepth deepest nesting of messages; the outermost counts 1
 * @throws StatusError INVALID_ARGUMENT that names the field and the byte
 */
export function checkWire(message: MessageDescriptor, wire: Buffer, maxDepth: number): void {
  const check = new WireCheck(wire, maxDepth);
  try {
    check.message(message);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      `the body is no ${message.fullName} in protobuf's wire format: ${error.message} (at byte ${check.pos}${check.where()})`,
      { cause: error },
    );
  }
}

class WireCheck extends Reader {
  /** The fields that contain the current position; unchanged after an error. */
  private readonly path: string[] = [];
  private readonly extensions = new Map<MessageDescriptor, ReadonlyMap<number, FieldDescriptor>>();

  constructor(
    wire: Buffer,
    private readonly maxDepth: number,
  ) {
    super(wire);
  }

  /** `, in spec.name`; nothing at the top. */
  where(): string {
    const { path } = this;
    return path.length === 0 ? '' : `, in ${path.length > 8 ? `…${path.slice(-8).join('.')}` : path.join('.')}`;
  }

  /** Checks a message up to `end` or up to the end tag of its group. */
  message(type: MessageDescriptor, depth = 1, endTag = 0): void {
    if (depth > this.maxDepth) throw new WireError(`messages are nested deeper than ${this.maxDepth} levels`);
    while (this.pos < this.end) {
      const tag = this.tag();
      if (tag === endTag) return;
      const number = tag >>> 3;
      const field = type.fieldByNumber(number) ?? this.extension(type, number);
      if (field === undefined) {
        this.skip(tag);
        continue;
      }
      this.path.push(field.name);
      this.field(field, tag, depth);
      this.path.pop();
    }
    if (endTag !== 0) throw new WireError('a group has no end');
  }

  private extension(type: MessageDescriptor, number: number): FieldDescriptor | undefined {
    if (type.extensions.length === 0) return undefined;
    const byNumber = (): ReadonlyMap<number, FieldDescriptor> =>
      new Map(type.extensions.map((extension) => [extension.number, extension]));
    return cached(this.extensions, type, byNumber).get(number);
  }

  private field(field: FieldDescriptor, tag: number, depth: number): void {
    const expected = field.map === undefined ? tagOf(field) & 7 : WireType.BYTES;
    const found = tag & 7;
    if (found === WireType.BYTES && expected !== found && field.repeated && field.type !== 'message') {
      this.within(() => {
        while (!this.done) this.skip(tagOf(field));
      });
      return;
    }
    if (found !== expected) throw new WireError(`found wire type ${found}, expected ${expected}`);
    if (field.map !== undefined) {
      this.within(() => this.entry(field.map!, depth + 1));
    } else if (field.type !== 'message') {
      const start = this.pos;
      this.skip(tag);
      if (field.type === 'string' && field.validateUtf8) this.checkUtf8(start, tag);
    } else if (field.delimited) {
      this.message(field.message!, depth + 1, endTagOf(tag));
    } else {
      this.within(() => this.message(field.message!, depth + 1));
    }
  }

  private entry({ key, value }: NonNullable<FieldDescriptor['map']>, depth: number): void {
    while (!this.done) {
      const tag = this.tag();
      const number = tag >>> 3;
      if (number === 1) this.field(key, tag, depth);
      else if (number === 2) this.field(value, tag, depth);
      else this.skip(tag);
    }
  }

  /** The string whose length stands at `start`. */
  private checkUtf8(start: number, tag: number): void {
    const { pos } = this;
    this.pos = start;
    const text = this.bytes();
    if (isUtf8(text)) return;
    this.pos = pos;
    throw new WireError(`the string in field ${tag >>> 3} is not UTF-8`);
  }
}
