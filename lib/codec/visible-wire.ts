/**
 * Keeps from callers what they may not see (google.api.visibility), in messages in wire form: fields, extensions and enum
 * values that the schema hides, Anys of hidden types, and paths of field masks that name hidden fields. What the schema has
 * never heard of passes, as always in protobuf.
 */
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import { type FieldViolation, type StatusError } from '../status.js';
import { quote } from '../uri.js';
import { endTagOf, Reader, WireError, Writer } from '../wire/index.js';
import { cached } from './cached.js';
import { bytesTag, fieldByNumber, isSingular, tagOf, varintTag } from './tags.js';
import { invalidArgument, MAX_VIOLATIONS } from './violations.js';
import { typeNameOf, wellKnownKind } from './well-known.js';

/** The limit of protobuf's own readers. */
const MAX_DEPTH = 100;

/** Where types are looked up, and whether they may be seen. */
export type VisibleTypes = Pick<Schema, 'message' | 'hides'>;

/** One type of messages of which something is hidden, or may be. */
export interface VisibleMessage {
  /**
   * The message without what is hidden.
   * @throws WireError if the bytes are not a message, or if one of its messages is in pieces
   */
  strip(wire: Buffer): Buffer;
  /**
   * An error that names what is hidden, as if nobody had heard of it; undefined if there is nothing.
   * @throws WireError as `strip`
   */
  refusal(wire: Buffer): StatusError | undefined;
}

/** The visible parts of messages. */
export class VisibleWire {
  private readonly messages = new Map<MessageDescriptor, VisibleMessage | undefined>();
  private readonly concerns = new Map<MessageDescriptor, boolean>();

  constructor(readonly types: VisibleTypes) {}

  /** Undefined if nothing in such a message can be hidden. */
  of(message: MessageDescriptor): VisibleMessage | undefined {
    return cached(this.messages, message, () => {
      if (!this.concerned(message)) return undefined;
      return {
        strip: (wire) => this.strip(message, wire, () => undefined),
        refusal: (wire) => {
          const violations: FieldViolation[] = [];
          this.strip(message, wire, (violation) => {
            if (violations.length < MAX_VIOLATIONS) violations.push(violation);
          });
          return violations.length === 0 ? undefined : invalidArgument(violations);
        },
      };
    });
  }

  /** The content of an Any without what is hidden in it; undefined if its type is. @throws WireError */
  anyValue(typeUrl: string, value: Buffer): Buffer | undefined {
    const name = typeNameOf(typeUrl);
    if (name === undefined) return value;
    if (this.types.hides(name)) return undefined;
    const type = this.types.message(name);
    return (type && this.of(type)?.strip(value)) ?? value;
  }

  private strip(message: MessageDescriptor, wire: Buffer, onHidden: OnHidden): Buffer {
    const out = new Writer(wire.length);
    new VisibleWalk(wire, this, out, onHidden).message(message, 1);
    return out.take();
  }

  /** True if something is hidden in such a message, at any depth. */
  concerned(message: MessageDescriptor): boolean {
    const known = this.concerns.get(message);
    if (known !== undefined) return known;
    const seen = new Set([message]);
    let isConcerned = false;
    // Iteration includes what is added on the way.
    for (const inner of seen) {
      if (hidesIn(inner) || this.concerns.get(inner) === true) {
        isConcerned = true;
        break;
      }
      for (const { message: single, map } of fieldsOf(inner)) {
        const next = map === undefined ? single : map.value.message;
        if (next !== undefined) seen.add(next);
      }
    }
    if (!isConcerned) for (const inner of seen) this.concerns.set(inner, false);
    this.concerns.set(message, isConcerned);
    return isConcerned;
  }
}

function fieldsOf(message: MessageDescriptor): readonly FieldDescriptor[] {
  return message.extensions.length === 0 ? message.fields : [...message.fields, ...message.extensions];
}

/** True if something of the message itself is hidden. An Any may contain any type. */
function hidesIn(message: MessageDescriptor): boolean {
  if (message.hidden.length > 0 || wellKnownKind(message) === 'Any') return true;
  return fieldsOf(message).some((field) => enumOf(field) !== undefined);
}

/** The enum of a field or of the values of a map, if some of its values are hidden. */
function enumOf(field: FieldDescriptor): EnumDescriptor | undefined {
  const found = (field.map?.value ?? field).enum;
  return found !== undefined && found.hiddenNumbers.size > 0 ? found : undefined;
}

/** True if a path of a field mask leads to a hidden field of a message. */
function isHiddenPath(message: MessageDescriptor, path: string): boolean {
  let at: MessageDescriptor | undefined = message;
  let isKey = false;
  for (const step of path.split('.')) {
    if (at === undefined) return false;
    if (isKey) {
      isKey = false;
      continue;
    }
    if (at.hidden.some(({ name, jsonName }) => name === step || jsonName === step)) return true;
    const field: FieldDescriptor | undefined = at.field(step);
    isKey = field?.map !== undefined;
    at = field?.map === undefined ? field?.message : field.map.value.message;
  }
  return false;
}

type OnHidden = (violation: FieldViolation) => void;

/** Copies a message, but for what is hidden. */
class VisibleWalk extends Reader {
  /** The fields that contain the current position. */
  private readonly path: string[] = [];

  constructor(
    wire: Buffer,
    private readonly visible: VisibleWire,
    private readonly out: Writer,
    private readonly onHidden: OnHidden,
  ) {
    super(wire);
  }

  /** Copies a message up to `end`, or up to the end tag of its group, which is read. */
  message(type: MessageDescriptor, depth: number, endTag = 0): void {
    if (depth > MAX_DEPTH) throw new WireError(`messages are nested deeper than ${MAX_DEPTH} levels`);
    if (wellKnownKind(type) === 'Any') {
      this.any(depth, endTag);
      return;
    }
    let entered: Set<FieldDescriptor> | undefined;
    while (this.pos < this.end) {
      const start = this.pos;
      const tag = this.tag();
      if (tag === endTag) return;
      const number = tag >>> 3;
      const field = fieldByNumber(type, number);
      if (field !== undefined) {
        // Pieces of one message are merged by its reader: what is an Any's type in one of them explains the bytes of another.
        if (isSingular(field) && this.enters(field, tag)) {
          entered ??= new Set();
          if (entered.has(field)) throw new WireError(`the message ${this.pathOf(field.name)} is in pieces`);
          entered.add(field);
        }
        this.field(field, type, start, tag, depth);
        continue;
      }
      this.skip(tag);
      if (type.hidden.some((hidden) => hidden.number === number))
        this.refuse('', `${type.fullName} has no field ${number}`);
      else this.out.rawRange(this.buf, start, this.pos);
    }
    if (endTag !== 0) throw new WireError('a group has no end');
  }

  private enters(field: FieldDescriptor, tag: number): boolean {
    return field.message !== undefined && tag === tagOf(field) && this.visible.concerned(field.message);
  }

  private field(field: FieldDescriptor, parent: MessageDescriptor, start: number, tag: number, depth: number): void {
    const { map } = field;
    if (map !== undefined && tag === bytesTag(field.number)) {
      this.entry(field, map.value, tag, depth);
    } else if (this.enters(field, tag)) {
      this.path.push(field.name);
      this.inside(field, tag, depth);
      this.path.pop();
    } else if (enumOf(field) !== undefined && map === undefined) {
      this.enum(field, enumOf(field)!, start, tag);
    } else if (field.message?.fullName === 'google.protobuf.FieldMask' && tag === bytesTag(field.number)) {
      this.mask(field, parent, tag);
    } else {
      this.skip(tag);
      this.out.rawRange(this.buf, start, this.pos);
    }
  }

  private inside({ message, delimited }: FieldDescriptor, tag: number, depth: number): void {
    const { out } = this;
    out.uint32(tag);
    if (delimited) {
      this.message(message!, depth + 1, endTagOf(tag));
      out.uint32(endTagOf(tag));
    } else {
      const mark = out.begin();
      this.within(() => this.message(message!, depth + 1));
      out.finish(mark);
    }
  }

  /** An entry of a map; it goes with its value if that is hidden. */
  private entry(field: FieldDescriptor, value: FieldDescriptor, tag: number, depth: number): void {
    const { out, buf } = this;
    const before = out.pos;
    out.uint32(tag);
    const mark = out.begin();
    let isHidden = false;
    let hasValue = false;
    const hidingEnum = enumOf(field);
    this.path.push(field.name);
    this.within(() => {
      while (this.pos < this.end) {
        const start = this.pos;
        const inner = this.tag();
        if (inner >>> 3 === 2 && this.enters(value, inner)) {
          if (hasValue) throw new WireError(`a value of ${this.path.join('.')} is in pieces`);
          hasValue = true;
          this.inside(value, inner, depth + 1);
        } else if (hidingEnum !== undefined && inner === varintTag(2)) {
          // The last one counts.
          isHidden = hidingEnum.hiddenNumbers.has(this.int32());
          out.rawRange(buf, start, this.pos);
        } else {
          this.skip(inner);
          out.rawRange(buf, start, this.pos);
        }
      }
    });
    this.path.pop();
    out.finish(mark);
    if (!isHidden) return;
    out.rewind(before);
    this.refuse(field.name, `a value is none of ${hidingEnum!.fullName}`);
  }

  private enum(
    { name, number }: FieldDescriptor,
    { fullName, hiddenNumbers }: EnumDescriptor,
    start: number,
    tag: number,
  ): void {
    const { out, buf } = this;
    const refuse = (value: number): void => this.refuse(name, `${value} is no value of ${fullName}`);
    if (tag === varintTag(number)) {
      const value = this.int32();
      if (hiddenNumbers.has(value)) refuse(value);
      else out.rawRange(buf, start, this.pos);
    } else if (tag === bytesTag(number)) {
      const before = out.pos;
      out.uint32(tag);
      const mark = out.begin();
      this.within(() => {
        while (this.pos < this.end) {
          const at = this.pos;
          const value = this.int32();
          if (hiddenNumbers.has(value)) refuse(value);
          else out.rawRange(buf, at, this.pos);
        }
      });
      if (out.pos === mark) out.rewind(before);
      else out.finish(mark);
    } else {
      this.skip(tag);
      out.rawRange(buf, start, this.pos);
    }
  }

  /** A mask chooses fields of the messages beside it. */
  private mask(field: FieldDescriptor, parent: MessageDescriptor, tag: number): void {
    const { out, buf } = this;
    const beside = parent.fields.flatMap(({ message }) => (message === field.message ? [] : (message ?? [])));
    const chosen = beside.length === 0 ? [parent] : beside;
    const isHidden = (path: string): boolean => chosen.some((message) => isHiddenPath(message, path));
    out.uint32(tag);
    const mark = out.begin();
    this.within(() => {
      while (this.pos < this.end) {
        const start = this.pos;
        const inner = this.tag();
        const isPath = inner === bytesTag(1);
        const path = isPath ? this.bytes().toString('utf8') : '';
        if (!isPath) this.skip(inner);
        if (isPath && isHidden(path)) this.refuse(field.name, `${quote(path)} is no field`);
        else out.rawRange(buf, start, this.pos);
      }
    });
    out.finish(mark);
  }

  /** Of what is given twice the last one counts. An Any of a hidden type becomes empty. */
  private any(depth: number, endTag: number): void {
    const { out, buf, visible } = this;
    let typeUrl = '';
    let [start, end] = [0, 0];
    while (this.pos < this.end) {
      const tag = this.tag();
      if (tag === endTag) break;
      if (tag === bytesTag(1)) {
        typeUrl = this.bytes().toString('utf8');
      } else if (tag === bytesTag(2)) {
        end = this.lengthEnd();
        start = this.pos;
        this.pos = end;
      } else {
        this.skip(tag);
      }
    }
    const name = typeNameOf(typeUrl);
    if (name !== undefined && visible.types.hides(name)) {
      this.refuse('', `the type ${quote(name)} is not known`);
      return;
    }
    const type = name === undefined ? undefined : visible.types.message(name);
    if (typeUrl !== '') {
      out.uint32(bytesTag(1));
      out.string(typeUrl);
    }
    const before = out.pos;
    out.uint32(bytesTag(2));
    const mark = out.begin();
    if (type === undefined || !visible.concerned(type)) out.rawRange(buf, start, end);
    else this.between(start, end, () => this.message(type, depth + 1));
    if (out.pos === mark) out.rewind(before);
    else out.finish(mark);
  }

  /** Reads another part of the bytes, and continues here. */
  private between(start: number, end: number, read: () => void): void {
    const outer = { pos: this.pos, end: this.end };
    this.pos = start;
    this.end = end;
    read();
    this.pos = outer.pos;
    this.end = outer.end;
  }

  private pathOf(name: string): string {
    return name === '' ? this.path.join('.') : [...this.path, name].join('.');
  }

  /** @param name of a field of the current message; '' for the message itself */
  private refuse(name: string, description: string): void {
    this.onHidden({ field: this.pathOf(name), description });
  }
}
