/**
 * ProtoJSON in both directions without message objects: JSON text → wire bytes, wire bytes → JSON text, and text values →
 * wire bytes. Readers and printers are compiled on first use and kept in the codec.
 *
 * Readers do not check proto2 `required`, because the fields of a request may come from several sources. `missing` checks the
 * complete message.
 */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import { type FieldViolation, StatusError } from '../status.js';
import type { Writer } from '../wire/index.js';
import { LOWER_N } from './chars.js';
import { JsonInput } from './json-input.js';
import { defaultCodecOptions, type CodecOptions } from './options.js';
import type { JsonShape, TextOrigin } from './place.js';
import { JsonReaders } from './readers.js';
import { relaxJson } from './relax.js';
import { RequiredFields } from './required.js';
import type { Selection } from './selection.js';
import { compileTextReader, describeTextValue, type TextReader } from './text.js';
import { JsonWriters } from './writers.js';
import { cached } from './cached.js';

/**
 * JSON text → wire bytes, appended to `out`.
 * @param origin where the text starts, for error messages
 * @throws StatusError INVALID_ARGUMENT; `out` is then unchanged
 */
export type JsonReader = (json: Buffer, out: Writer, origin?: TextOrigin) => void;
/** The same for one field. @param pathPrefix the path of the field in error messages. Default: its JSON name. */
export type JsonFieldReader = (json: Buffer, out: Writer, pathPrefix?: string, origin?: TextOrigin) => void;
/** Wire bytes → JSON text, appended to `out`. @throws StatusError INTERNAL; `out` is then unchanged */
export type JsonWriter = (wire: Buffer, out: Writer) => void;

const MAX_DEPTH_LIMIT = 500;

/**
 * ProtoJSON in both directions for the messages of one schema. Ask once for a reader or writer and keep it, instead of
 * asking for each call.
 */
export class Codec {
  readonly options: CodecOptions;
  private readonly readers: JsonReaders;
  private readonly writers: JsonWriters;
  private readonly required: RequiredFields;
  private readonly messageReaders = new Map<MessageDescriptor, JsonReader>();
  private readonly fieldReaders = new Map<FieldDescriptor, JsonFieldReader>();
  private readonly messageWriters = new Map<MessageDescriptor, JsonWriter>();
  private readonly fieldWriters = new Map<FieldDescriptor, JsonWriter>();
  private readonly textReaders = new Map<FieldDescriptor, TextReader | undefined>();

  /**
   * @param types where the types inside a google.protobuf.Any are looked up
   * @throws RangeError if `maxJsonDepth` is not 1 to 500
   */
  constructor(types: Pick<Schema, 'message'>, options: Partial<CodecOptions> = {}) {
    this.options = Object.freeze({ ...defaultCodecOptions, ...options });
    const depth = this.options.maxJsonDepth;
    if (!Number.isInteger(depth) || depth < 1 || depth > MAX_DEPTH_LIMIT) {
      throw new RangeError(`maxJsonDepth is ${depth}, expected an integer from 1 to ${MAX_DEPTH_LIMIT}`);
    }
    this.readers = new JsonReaders(types, this.options);
    this.writers = new JsonWriters(types, this.options);
    this.required = new RequiredFields(types, this.options);
  }

  /** The reader of a whole message: its JSON text → its wire bytes. */
  reader(message: MessageDescriptor): JsonReader {
    return cached(this.messageReaders, message, () => {
      const content = this.readers.content(message);
      const read: JsonReader = (json, out, origin) =>
        new JsonInput(json, out, this.options.maxJsonDepth, origin).readDocument(content, message);
      return this.lenient(read, message);
    });
  }

  /**
   * The reader of one field's value (list, map, message or scalar): its JSON text → the field's tagged wire entries.
   * `null` writes nothing, unless null is a value of the type.
   */
  fieldReader(field: FieldDescriptor): JsonFieldReader {
    return cached(this.fieldReaders, field, () => {
      const { read: readField, acceptsNull } = this.readers.field(field);
      const readValue = (input: JsonInput): boolean => {
        if (acceptsNull || input.next() !== LOWER_N) return readField(input);
        input.word();
        return true;
      };
      const read: JsonFieldReader = (json, out, pathPrefix = field.jsonName, origin) =>
        new JsonInput(json, out, this.options.maxJsonDepth, origin).readDocument(readValue, field, pathPrefix);
      return this.lenient(read, field);
    });
  }

  /** With `lenient_json`, what cannot be read as it is is read again in strict form. The first error counts. */
  private lenient<A extends unknown[]>(
    read: (json: Buffer, out: Writer, ...rest: A) => void,
    shape: JsonShape,
  ): typeof read {
    if (!this.options.lenientJson) return read;
    return (json, out, ...rest) => {
      try {
        read(json, out, ...rest);
      } catch (error) {
        const strict = error instanceof StatusError ? relaxJson(json, shape, this.options.maxJsonDepth) : undefined;
        if (strict === undefined) throw error;
        try {
          read(strict, out, ...rest);
        } catch {
          throw error;
        }
      }
    };
  }

  /** The required fields that are missing in a message, at every depth and inside Anys; at most twenty. */
  missing(message: MessageDescriptor, wire: Buffer): readonly FieldViolation[] {
    return this.required.missing(message, wire);
  }

  /** The printer of a whole message: its wire bytes → its JSON text. */
  writer(message: MessageDescriptor): JsonWriter {
    return cached(this.messageWriters, message, () => this.writers.message(message));
  }

  /**
   * The printer of one field of a message: the message's wire bytes → the field's JSON text. An absent field prints as
   * `""`, `0`, `false`, `[]` or `{}`; an absent message as `{}`, or `null` if its JSON form is no object.
   */
  fieldWriter(field: FieldDescriptor): JsonWriter {
    return cached(this.fieldWriters, field, () => this.writers.field(field));
  }

  /** Like `writer`, but prints only the selected parts. It is not cached: keep it. */
  selectedWriter(message: MessageDescriptor, selection: Selection): JsonWriter {
    return this.writers.selectedMessage(message, selection);
  }

  /** Like `fieldWriter`, but prints only the selected parts. It is not cached: keep it. */
  selectedFieldWriter(field: FieldDescriptor, selection: Selection): JsonWriter {
    return this.writers.selectedField(field, selection);
  }

  /**
   * Prints a google.protobuf.Any, given as its two fields: a known type with its fields, an unknown one as `{"@type": …, "value": "<base64>"}`.
   */
  writeAny(typeUrl: string, value: Buffer, out: Writer): void {
    this.writers.writeAny(typeUrl, value, out);
  }

  /**
   * The reader of a text value, as in a path, query or header; for a repeated field, of one element. Undefined for maps and
   * for messages, except well-known types that have a text form.
   */
  textReader(field: FieldDescriptor): TextReader | undefined {
    return cached(this.textReaders, field, () =>
      compileTextReader(field, this.options, (message) => this.readers.content(message)),
    );
  }

  /** The expected form of a text value, for error messages: `a decimal integer from -2147483648 to 2147483647`. */
  describeText(field: FieldDescriptor): string {
    return describeTextValue(field);
  }
}
