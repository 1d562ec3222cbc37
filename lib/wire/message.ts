/**
 * Protobuf messages described as data, for the few that the proxy itself reads and writes (health, reflection, google.rpc).
 * `codec` handles the messages of services.
 *
 *     const Request = defineMessage({ service: [1, text] });
 *     Request.decode(Request.encode({ service: 'a.v1.A' })).service
 */
import { makeTag, Reader, WireType } from './reader.js';
import { Writer } from './writer.js';

/** How a value of one type is read and written. */
export interface ValueType<T> {
  readonly wireType: number;
  /** The value of a field that is not sent. */
  initial(): T;
  /** @param before the value so far: the last one wins, lists grow, messages are merged */
  read(reader: Reader, before: T, wireType: number): T;
  write(out: Writer, value: T): void;
  /** True if the value is not sent. */
  isDefault(value: T): boolean;
  /** Another wire type that `read` takes. */
  readonly otherWireType?: number;
  /** Writes several fields instead of one. */
  writeField?(out: Writer, number: number, value: T): void;
}

type FieldTypes = Readonly<Record<string, readonly [number: number, type: ValueType<unknown>]>>;

/** The values of a described message; every field is there. */
export type MessageOf<F extends FieldTypes> = {
  -readonly [K in keyof F]: F[K][1] extends ValueType<infer T> ? T : never;
};

/** A described message; also the type of a field that holds one. */
export interface MessageType<M> extends ValueType<M> {
  /** @throws WireError if the bytes are not a message. Unknown fields are skipped. */
  decode(bytes: Uint8Array): M;
  /** Fields that are left out are not sent. */
  encode(message: Partial<M>): Buffer;
}

/** The values that a described message decodes to: `Decoded<typeof Request>`. */
export type Decoded<T> = T extends MessageType<infer M> ? M : never;

/** string */
export const text: ValueType<string> = {
  wireType: WireType.BYTES,
  initial: () => '',
  read: (reader) => reader.bytes().toString('utf8'),
  write: (out, value) => out.string(value.toWellFormed()),
  isDefault: (value) => value === '',
};

/** bytes, as a view of what was read. */
export const bytes: ValueType<Buffer> = {
  wireType: WireType.BYTES,
  initial: () => Buffer.alloc(0),
  read: (reader) => reader.bytes(),
  write: (out, value) => out.bytes(value),
  isDefault: (value) => value.length === 0,
};

/** int32, uint32 and enum, if not negative. */
export const uint32: ValueType<number> = {
  wireType: WireType.VARINT,
  initial: () => 0,
  read: (reader) => reader.uint32(),
  write: (out, value) => out.uint32(value),
  isDefault: (value) => value === 0,
};

/** int64 as a number that is not negative: exact up to 2^53. */
export const int64: ValueType<number> = {
  ...uint32,
  read: (reader) => {
    reader.varint64();
    return reader.high * 2 ** 32 + (reader.low >>> 0);
  },
  write: (out, value) => out.varint64(value % 2 ** 32, Math.floor(value / 2 ** 32)),
};

/** A field with presence: undefined if it is not sent. */
export function optional<T>(type: ValueType<T>): ValueType<T | undefined> {
  return {
    wireType: type.wireType,
    initial: () => undefined,
    read: (reader, before, wireType) => type.read(reader, before ?? type.initial(), wireType),
    write: (out, value) => type.write(out, value!),
    isDefault: (value) => value === undefined,
  };
}

/** A repeated field, each element a field of its own. */
export function list<T>(type: ValueType<T>): ValueType<T[]> {
  return {
    wireType: type.wireType,
    initial: () => [],
    read: (reader, before, wireType) => {
      before.push(type.read(reader, type.initial(), wireType));
      return before;
    },
    write: () => undefined,
    isDefault: (values) => values.length === 0,
    writeField: (out, number, values) => {
      for (const value of values) {
        out.uint32(makeTag(number, type.wireType));
        type.write(out, value);
      }
    },
  };
}

/** A repeated number, packed; read in both forms. */
export function packed(type: ValueType<number>): ValueType<number[]> {
  return {
    wireType: WireType.BYTES,
    otherWireType: type.wireType,
    initial: () => [],
    read: (reader, before, wireType) => {
      if (wireType === type.wireType) before.push(type.read(reader, 0, wireType));
      else {
        const inner = new Reader(reader.bytes());
        while (!inner.done) before.push(type.read(inner, 0, type.wireType));
      }
      return before;
    },
    write: (out, values) => {
      const mark = out.begin();
      for (const value of values) type.write(out, value);
      out.finish(mark);
    },
    isDefault: (values) => values.length === 0,
  };
}

/**
 * Describes a message.
 * @param fields number and type by name; written in this order
 * @param oneof names of which the one that was sent last counts
 */
export function defineMessage<const F extends FieldTypes>(
  fields: F,
  oneof: readonly (keyof F & string)[] = [],
): MessageType<MessageOf<F>> {
  type M = MessageOf<F>;
  const entries = Object.entries(fields) as [keyof F & string, readonly [number, ValueType<unknown>]][];
  const byNumber = new Map(entries.map(([name, [number, type]]) => [number, { name, type }]));
  const initial = (): M => Object.fromEntries(entries.map(([name, [, type]]) => [name, type.initial()])) as M;

  const readInto = (message: Record<string, unknown>, reader: Reader): void => {
    while (!reader.done) {
      const tag = reader.tag();
      const field = byNumber.get(tag >>> 3);
      const wireType = tag & 7;
      const fits = wireType === field?.type.wireType || wireType === field?.type.otherWireType;
      if (field === undefined || !fits) {
        reader.skip(tag);
        continue;
      }
      for (const other of oneof.includes(field.name) ? oneof : []) if (other !== field.name) message[other] = undefined;
      message[field.name] = field.type.read(reader, message[field.name], wireType);
    }
  };
  const writeTo = (out: Writer, message: Partial<M>): void => {
    for (const [name, [number, type]] of entries) {
      const value = message[name];
      if (value === undefined || type.isDefault(value)) continue;
      if (type.writeField !== undefined) type.writeField(out, number, value);
      else {
        out.uint32(makeTag(number, type.wireType));
        type.write(out, value);
      }
    }
  };

  return {
    wireType: WireType.BYTES,
    initial,
    read: (reader, before) => {
      readInto(before, new Reader(reader.bytes()));
      return before;
    },
    write: (out, message) => {
      const mark = out.begin();
      writeTo(out, message);
      out.finish(mark);
    },
    isDefault: () => false,
    decode: (source) => {
      const message = initial();
      readInto(message, new Reader(Buffer.from(source.buffer, source.byteOffset, source.byteLength)));
      return message;
    },
    encode: (message) => {
      const out = new Writer(256);
      writeTo(out, message);
      return out.take();
    },
  };
}
