/**
 * JSON objects → messages. Keys are looked up by their bytes; the next key is guessed from the previous object. Fields are
 * written in the order of the JSON text. Defaults are written, nulls are not.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { quote } from '../uri.js';
import { makeTag, WireType } from '../wire/index.js';
import { isTypeKey } from './any-types.js';
import { LOWER_N, OPEN_BRACE } from './chars.js';
import { expectedOf, suggestion } from './describe.js';
import type { JsonInput } from './json-input.js';
import { NameTable, type NameEntry } from './names.js';
import { keyReader, listReader, mapReader, packedListReader, readTagged } from './read-collections.js';
import type { ReadContext, ValueReader } from './read-context.js';
import { tagOf } from './tags.js';
import { nullIsValue } from './well-known.js';

/** How one field of a message is read. */
interface FieldReader {
  readonly field: FieldDescriptor;
  /** Writes the value with its tags. */
  readonly read: ValueReader;
  readonly acceptsNull: boolean;
  /** Its bit in `Seen`. */
  readonly bit: number;
  /** The bit of its oneof; -1 if there is none. */
  readonly oneofBit: number;
}

/** Reads the value of a field that is not null: list, map, message or scalar, with its tags. */
export function fieldValueReader(field: FieldDescriptor, context: ReadContext): ValueReader {
  if (field.map !== undefined) {
    const { key, value } = field.map;
    const keys = {
      tag: tagOf(key),
      read: keyReader(key.type as Exclude<typeof key.type, 'enum' | 'message'>),
      expected: expectedOf(key),
    };
    return mapReader(tagOf(field), keys, context.element(value));
  }
  const element = context.element(field);
  if (!field.repeated) return (input) => readTagged(input, element);
  return field.packed ? packedListReader(element, makeTag(field.number, WireType.BYTES)) : listReader(element);
}

/** The set of members that one object has had so far. Up to 32 bits need no array. */
class Seen {
  private bits = 0;
  private readonly more: Uint32Array | undefined;

  constructor(count: number) {
    this.more = count > 32 ? new Uint32Array(((count + 31) >>> 5) - 1) : undefined;
  }

  has(bit: number): boolean {
    const word = bit < 32 ? this.bits : this.more![(bit >>> 5) - 1]!;
    return (word & (1 << (bit & 31))) !== 0;
  }

  add(bit: number): void {
    if (bit < 32) this.bits |= 1 << bit;
    else this.more![(bit >>> 5) - 1]! |= 1 << (bit & 31);
  }
}

/** Reads one message type. It is compiled on first use, because types may be recursive. */
export class MessageReader {
  private names: NameTable<FieldReader> | undefined;
  private firstGuess: NameEntry<FieldReader> | undefined;
  private bitCount = 0;

  constructor(
    readonly message: MessageDescriptor,
    private readonly context: ReadContext,
  ) {}

  /** Reads the content of the message, without a length. */
  readonly content: ValueReader = (input) => {
    if (input.buf[input.pos] !== OPEN_BRACE) return input.mismatch(`an object (${this.message.fullName})`);
    if (input.openObject()) this.members(input, false);
    return true;
  };

  /**
   * Reads members up to the end of the object; the input is at the first key.
   * @param inAny skip one member `@type`, which the reader of the Any has read
   */
  members(input: JsonInput, inAny: boolean): void {
    const names = this.names ?? this.compile();
    const seen = new Seen(this.bitCount);
    let typeSeen = !inAny;
    let previous: NameEntry<FieldReader> | undefined;
    let guess = this.firstGuess;
    do {
      const keyOffset = input.pos;
      let entry = guess;
      if (entry?.matches(input.buf, keyOffset + 1) === true) {
        input.pos = keyOffset + 1 + entry.bytes.length;
      } else {
        input.string();
        entry = names.find(input.text, input.textStart, input.textEnd);
        if (entry === undefined) {
          if (!typeSeen && isTypeKey(input)) typeSeen = true;
          else this.unknownMember(input, keyOffset, names);
          input.colon();
          input.skipValue();
          continue;
        }
        if (previous === undefined) this.firstGuess = entry;
        else previous.guess = entry;
      }
      previous = entry;
      guess = entry.guess;
      readMember(input, keyOffset, entry.value, seen);
    } while (input.moreMembers());
  }

  private unknownMember(input: JsonInput, offset: number, names: NameTable<FieldReader>): void {
    const { ignoreUnknownFields, preserveProtoFieldNames } = this.context.options;
    if (ignoreUnknownFields) return;
    const name = input.text.toString('utf8', input.textStart, Math.min(input.textEnd, input.textStart + 200));
    const { fullName } = this.message;
    // Both spellings are accepted; errors use the spelling of answers.
    const fields = new Set(names.entries.map(({ value }) => value.field));
    const known = Array.from(fields, (field) =>
      preserveProtoFieldNames && !field.isExtension ? field.name : field.jsonName,
    );
    input.violation(offset, `${fullName} has no field ${quote(name)}; ${suggestion(name, known, 'fields')}`);
  }

  private compile(): NameTable<FieldReader> {
    const { message } = this;
    const fields = [...message.fields, ...message.extensions].map((field, bit) => this.compileField(field, bit));
    this.bitCount = fields.length + message.oneofs.length;
    const jsonNames = fields.filter(({ field }) => field.isExtension || message.field(field.jsonName) === field);
    const names = new NameTable([
      ...jsonNames.map((reader) => [reader.field.jsonName, reader] as const),
      ...fields.filter(({ field }) => !field.isExtension).map((reader) => [reader.field.name, reader] as const),
    ]);
    this.firstGuess = names.entries[0];
    this.names = names;
    return names;
  }

  private compileField(field: FieldDescriptor, bit: number): FieldReader {
    const { message } = this;
    const oneof = field.oneof === undefined ? -1 : message.oneofs.indexOf(field.oneof);
    return {
      field,
      read: fieldValueReader(field, this.context),
      acceptsNull: !field.repeated && nullIsValue(field),
      bit,
      oneofBit: oneof < 0 ? -1 : message.fields.length + message.extensions.length + oneof,
    };
  }
}

/** Reads the rest of a member after its key. */
function readMember(input: JsonInput, keyOffset: number, reader: FieldReader, seen: Seen): void {
  const char = input.colon();
  if (seen.has(reader.bit)) {
    input.violation(keyOffset, `${quote(reader.field.jsonName)} is given twice; write it once`);
    input.skipValue();
    return;
  }
  seen.add(reader.bit);
  if (char === LOWER_N && !reader.acceptsNull) {
    input.word();
    return;
  }
  if (reader.oneofBit >= 0) {
    if (seen.has(reader.oneofBit)) {
      const names = reader.field.oneof!.fields.map((field) => field.jsonName).join(', ');
      input.violation(
        keyOffset,
        `another member of oneof ${reader.field.oneof!.name} stands before it; write one of ${names}`,
      );
      input.skipValue();
      return;
    }
    seen.add(reader.oneofBit);
  }
  reader.read(input);
}
