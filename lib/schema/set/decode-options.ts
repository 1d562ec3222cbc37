/**
 * Wire bytes of a described message → the tree of an option, with names from the descriptor. Unknown fields are skipped, so
 * that options of newer definitions do no harm.
 */
import type { SourcePlace } from '../../status.js';
import { endTagOf, Reader, WireError, WireType } from '../../wire/index.js';
import { decodeUtf8 } from '../text/strings.js';
import { wireTypeOf } from '../wire-type.js';
import type { FieldDescriptor, MessageDescriptor, OptionField, OptionMessage, OptionValue } from '../types.js';

const MAX_DEPTH = 100;

/** A member that is left encoded. */
export class EncodedMessage implements OptionMessage {
  readonly fields: readonly OptionField[] = [];

  constructor(
    readonly bytes: Buffer,
    readonly place: SourcePlace,
  ) {}
}

/**
 * Decodes a whole message; every member gets the same place. Extensions are named `[full.name]`.
 * @param encoded message types whose values stay encoded, as `EncodedMessage`.
 * @throws WireError if the bytes are malformed.
 */
export function decodeOptions(
  type: MessageDescriptor,
  bytes: Buffer,
  place: SourcePlace,
  encoded: ReadonlySet<MessageDescriptor> = new Set(),
): OptionMessage {
  return new Decoder(place, encoded).message(type, new Reader(bytes), 0);
}

class Decoder {
  private readonly extensions = new Map<MessageDescriptor, ReadonlyMap<number, FieldDescriptor>>();

  constructor(
    private readonly place: SourcePlace,
    private readonly encoded: ReadonlySet<MessageDescriptor>,
  ) {}

  message(type: MessageDescriptor, reader: Reader, endTag: number, depth = 0): OptionMessage {
    if (depth > MAX_DEPTH) throw new WireError(`messages are nested more than ${MAX_DEPTH} deep`);
    const fields: OptionField[] = [];
    const { place } = this;
    for (;;) {
      if (endTag === 0 && reader.done) return { fields, place };
      const tag = reader.tag();
      if (tag === endTag) return { fields, place };
      const field = type.fieldByNumber(tag >>> 3) ?? this.extension(type, tag >>> 3);
      if (field === undefined) {
        reader.skip(tag);
        continue;
      }
      const name = field.isExtension ? `[${field.fullName}]` : field.name;
      for (const value of this.values(field, tag, reader, depth)) fields.push({ name, value, place });
    }
  }

  private extension(type: MessageDescriptor, number: number): FieldDescriptor | undefined {
    let known = this.extensions.get(type);
    if (known === undefined) {
      known = new Map(type.extensions.map((field) => [field.number, field]));
      this.extensions.set(type, known);
    }
    return known.get(number);
  }

  /** One value, or the values of a packed list. */
  private values(field: FieldDescriptor, tag: number, reader: Reader, depth: number): OptionValue[] {
    const wireType = tag & 7;
    if (wireType === WireType.BYTES && isNumeric(field)) {
      const packed = new Reader(reader.bytes());
      const values: OptionValue[] = [];
      while (!packed.done) values.push(readNumber(field, packed));
      return values;
    }
    if (wireType !== wireTypeOf(field)) {
      throw new WireError(`field ${field.fullName} has wire type ${wireType}, not ${wireTypeOf(field)}`);
    }
    if (wireType === WireType.START_GROUP) {
      return [this.message(field.message!, reader, endTagOf(tag), depth + 1)];
    }
    if (wireType !== WireType.BYTES) return [readNumber(field, reader)];
    const bytes = reader.bytes();
    if (field.type !== 'message') return [decodeUtf8(bytes)];
    const type = field.message ?? field.map!.key.parent;
    if (this.encoded.has(type)) return [new EncodedMessage(bytes, this.place)];
    return [this.message(type, new Reader(bytes), 0, depth + 1)];
  }
}

function isNumeric({ type }: FieldDescriptor): boolean {
  return type !== 'string' && type !== 'bytes' && type !== 'message';
}

function readNumber(field: FieldDescriptor, reader: Reader): OptionValue {
  switch (field.type) {
    case 'double':
      return reader.double();
    case 'float':
      return reader.float();
    case 'fixed32':
      return reader.fixed32() >>> 0;
    case 'sfixed32':
      return reader.fixed32();
    case 'fixed64':
    case 'sfixed64':
      reader.fixed64();
      return wide(reader, field.type === 'sfixed64');
    default:
      reader.varint64();
      return readVarint(field, reader);
  }
}

function readVarint(field: FieldDescriptor, reader: Reader): OptionValue {
  const { low, high } = reader;
  switch (field.type) {
    case 'bool':
      return (low | high) !== 0;
    case 'enum': {
      const name = field.enum!.valueByNumber(low)?.name;
      return name === undefined ? low : { identifier: name };
    }
    case 'int32':
      return low;
    case 'uint32':
      return low >>> 0;
    case 'sint32':
      return (low >>> 1) ^ -(low & 1);
    case 'sint64': {
      const value = BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
      return narrow((value >> 1n) ^ -(value & 1n));
    }
    default:
      return wide(reader, field.type === 'int64');
  }
}

/** The 64-bit value that was just read; a number if that is exact. */
function wide({ low, high }: Reader, signed: boolean): number | bigint {
  return narrow((BigInt(signed ? high : high >>> 0) << 32n) | BigInt(low >>> 0));
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
