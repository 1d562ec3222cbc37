/**
 * ProtoJSON both ways without message objects: JSON text → wire bytes, wire bytes → JSON text, and text values → wire.
 * Everything is compiled per message type when it is first used and kept in the codec. Codecs are independent of each
 * other; one serves any number of requests.
 *
 * Not checked here: proto2 `required`, since a request's fields may come from several sources; the service checks it.
 */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import { JsonInput } from './json-input.js';
import { defaultCodecOptions, type CodecOptions } from './options.js';
import { JsonReaders } from './readers.js';
import type { Selection } from './selection.js';
import { compileTextReader, describeTextValue, type TextReader } from './text.js';
import { JsonWriters } from './writers.js';

/** JSON text → wire bytes, appended to `out`. Throws a StatusError (INVALID_ARGUMENT) and leaves `out` as it was. */
export type JsonReader = (json: Buffer, out: Writer) => void;
/** The same for one field; `pathPrefix` is the field's path in error messages, by default its JSON name. */
export type JsonFieldReader = (json: Buffer, out: Writer, pathPrefix?: string) => void;
/** Wire bytes → JSON text, appended to `out`. Throws a StatusError (INTERNAL) and leaves `out` as it was. */
export type JsonWriter = (wire: Buffer, out: Writer) => void;

const MAX_DEPTH_LIMIT = 500;
const NULL = 0x6e;

/**
 * ProtoJSON both ways for the messages of one schema, straight between JSON bytes and wire bytes. Readers and writers are
 * compiled for a message when they are first asked for, and kept: ask once, not per call.
 */
export class Codec {
  readonly options: CodecOptions;
  private readonly readers: JsonReaders;
  private readonly writers: JsonWriters;
  private readonly messageReaders = new Map<MessageDescriptor, JsonReader>();
  private readonly fieldReaders = new Map<FieldDescriptor, JsonFieldReader>();
  private readonly messageWriters = new Map<MessageDescriptor, JsonWriter>();
  private readonly fieldWriters = new Map<FieldDescriptor, JsonWriter>();
  private readonly textReaders = new Map<FieldDescriptor, TextReader | undefined>();

  /**
   * @param types where the types inside a google.protobuf.Any are looked up
   * @throws RangeError where `maxJsonDepth` is not 1 to 500
   */
  constructor(types: Pick<Schema, 'message'>, options: Partial<CodecOptions> = {}) {
    this.options = Object.freeze({ ...defaultCodecOptions, ...options });
    const depth = this.options.maxJsonDepth;
    if (!Number.isInteger(depth) || depth < 1 || depth > MAX_DEPTH_LIMIT) {
      throw new RangeError(`maxJsonDepth is ${depth}, expected an integer from 1 to ${MAX_DEPTH_LIMIT}`);
    }
    this.readers = new JsonReaders(types, this.options);
    this.writers = new JsonWriters(types, this.options);
  }

  /** The reader of a whole message: its JSON text → its wire bytes. */
  reader(message: MessageDescriptor): JsonReader {
    return cached(this.messageReaders, message, () => {
      const content = this.readers.content(message);
      return (json, out) => new JsonInput(json, out, this.options.maxJsonDepth).readDocument(content, message);
    });
  }

  /**
   * The reader of one field's value (list, map, message or scalar): its JSON text → the field's tagged wire entries.
   * `null` writes nothing, but where null is a value of the type.
   */
  fieldReader(field: FieldDescriptor): JsonFieldReader {
    return cached(this.fieldReaders, field, () => {
      const { read, acceptsNull } = this.readers.field(field);
      const readValue = (input: JsonInput): boolean => {
        if (acceptsNull || input.next() !== NULL) return read(input);
        input.word();
        return true;
      };
      return (json, out, pathPrefix = field.jsonName) =>
        new JsonInput(json, out, this.options.maxJsonDepth).readDocument(readValue, field, pathPrefix);
    });
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

  /** As `writer`, of the selected parts alone. Made anew each time: keep it. */
  selectedWriter(message: MessageDescriptor, selection: Selection): JsonWriter {
    return this.writers.selectedMessage(message, selection);
  }

  /** As `fieldWriter`, of the selected parts of the field's value alone. Made anew each time: keep it. */
  selectedFieldWriter(field: FieldDescriptor, selection: Selection): JsonWriter {
    return this.writers.selectedField(field, selection);
  }

  /**
   * Prints a google.protobuf.Any given as its two parts, as the details of a google.rpc.Status are: a known type with its
   * fields, an unknown one as `{"@type": …, "value": "<base64>"}`.
   */
  writeAny(typeUrl: string, value: Buffer, out: Writer): void {
    this.writers.writeAny(typeUrl, value, out);
  }

  /**
   * The reader of a text value, for a path, query or header; of one element where the field is repeated. Undefined where
   * the type has no text form: maps, and messages other than the well-known types with one.
   */
  textReader(field: FieldDescriptor): TextReader | undefined {
    return cached(this.textReaders, field, () =>
      compileTextReader(field, this.options, (message) => this.readers.content(message)),
    );
  }

  /** What a text value of the field must look like: `a decimal integer from -2147483648 to 2147483647`. */
  describeText(field: FieldDescriptor): string {
    return describeTextValue(field);
  }
}

function cached<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined || map.has(key)) return found!;
  const made = make();
  map.set(key, made);
  return made;
}
