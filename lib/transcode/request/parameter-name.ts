/**
 * The name of a query parameter or form field → a field: `inner.id`, `items[0].id`, `labels[key]`, and with `bracket_query`
 * `inner[id]`, `items[0][id]`, `tags[]`. A name is read once from left to right, as it may be as long as a body.
 */
import { type Codec, isHttpBody, keyText, type TextReader, wellKnownKind } from '../../codec/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { nearestName } from '../../status.js';
import { quote } from '../../uri.js';
import { Writer } from '../../wire/index.js';
import type { TranscodeOptions } from '../options.js';

/** The word for a pair in error messages. */
export type PairNoun = 'query parameter' | 'form field';

/** A step from a message to a field, an element of a list, or an entry of a map. */
export interface Step {
  readonly field: FieldDescriptor;
  /** Distinguishes elements and entries of one field; '' for a singular message. */
  readonly element: string;
  /** Wire bytes of the key, for a map entry. */
  readonly keyEntry: Buffer | undefined;
  /** The offset in the whole name at which the field's own name ends. */
  readonly nameEnd: number;
}

/** The field that a name stands for. */
export interface Target {
  /** The messages on its path, outermost first. */
  readonly steps: readonly Step[];
  readonly field: FieldDescriptor;
  /** The index in a list; undefined for the next element. */
  readonly index: number | undefined;
  /** The offset in the whole name at which the field's own name ends. */
  readonly nameEnd: number;
  /** Undefined for a google.api.HttpBody, which only a file can set as a whole. */
  readonly read: TextReader | undefined;
}

/** A name that cannot be used; the message is for the client. */
export class NameError extends Error {}

/** The result for a name that no field has. */
export class UnknownName {
  constructor(
    private readonly noun: PairNoun,
    private readonly name: string,
    private readonly part: string,
    private readonly message: MessageDescriptor,
    private readonly isRoot: boolean,
    /** The error text, if the name goes on behind a field that has none below it. */
    private readonly why?: string,
  ) {}

  /** The error text; made on demand, because unknown names may be ignored. */
  describe(): string {
    const { noun, part, message, name } = this;
    if (this.why !== undefined) return this.why;
    if (part === '' && name !== '') return `unknown ${noun}: the name of a field is missing in ${quote(name)}`;
    const near = nearestName(part, [
      ...message.fields.flatMap((field) => [field.name, field.jsonName]),
      ...message.extensions.map((field) => field.jsonName),
    ]);
    const hint = near === undefined ? '' : `, did you mean "${near}"?`;
    if (part === name) return `unknown ${noun}${hint}`;
    return `unknown ${noun}: no field ${quote(part)}${this.isRoot ? '' : ` in ${message.fullName}`}${hint}`;
  }
}

/** The options that names are resolved by. */
export interface NameOptions extends Pick<TranscodeOptions, 'bracketQuery' | 'grpcGatewayValues' | 'maxJsonDepth'> {
  readonly noun: PairNoun;
}

const keyScratch = new Writer(64);

const DOT = 0x2e;
const OPEN = 0x5b;

/**
 * Resolves one name, starting at a message type.
 * @throws NameError if the name is malformed or its field cannot be set by a text.
 */
export function resolveName(
  name: string,
  root: MessageDescriptor,
  codec: Codec,
  options: NameOptions,
): Target | UnknownName {
  return new NameResolver(name, root, codec, options).resolve();
}

class NameResolver {
  private readonly steps: Step[] = [];
  /** Where the unread rest of the name starts. */
  private pos = 0;
  /** Where the name of the last field ends. */
  private nameEnd = 0;

  constructor(
    private readonly name: string,
    private readonly root: MessageDescriptor,
    private readonly codec: Codec,
    private readonly options: NameOptions,
  ) {}

  resolve(): Target | UnknownName {
    const { name, root, options } = this;
    let message = root;
    for (;;) {
      const part = this.part(message);
      const field = message.field(part) ?? extensionOf(message, part);
      if (field === undefined) return new UnknownName(options.noun, name, part, message, message === root);
      this.nameEnd = this.pos;
      if (this.pos === name.length) return this.leaf(field);
      const next = field.map === undefined ? this.step(field) : this.mapStep(field);
      if (next instanceof UnknownName || 'read' in next) return next;
      message = next;
      if (this.steps.length >= options.maxJsonDepth) {
        throw new NameError(`nested more than ${options.maxJsonDepth} deep`);
      }
    }
  }

  /** Reads the name of a field: up to a dot or bracket, in brackets, or the whole rest if a field has that name. */
  private part(message: MessageDescriptor): string {
    const { name } = this;
    const start = this.pos;
    const isBracketed = start > 0 && name.charCodeAt(start - 1) === OPEN;
    if (!isBracketed && oddNames(message).some((odd) => odd.length === name.length - start && name.endsWith(odd))) {
      this.pos = name.length;
      return name.slice(start);
    }
    if (isBracketed || name.charCodeAt(start) === OPEN) {
      // The brackets of `[pkg.extension]` are a part of the name.
      const end = name.indexOf(']', start);
      this.pos = end < 0 ? name.length : end + 1;
      return name.slice(start, isBracketed && end >= 0 ? end : this.pos);
    }
    let end = start;
    while (end < name.length && name.charCodeAt(end) !== DOT && name.charCodeAt(end) !== OPEN) end++;
    this.pos = end;
    return name.slice(start, end);
  }

  private leaf(field: FieldDescriptor): Target {
    const read = this.codec.textReader(field);
    const isWhole = read === undefined && field.map === undefined && isHttpBody(field.message);
    if (!isWhole && read === undefined) throw new NameError(noTextForm(field));
    return this.target(field, read);
  }

  private target(field: FieldDescriptor, read: TextReader | undefined, index?: number): Target {
    return { steps: this.steps, field, read, index, nameEnd: this.nameEnd };
  }

  /** Continues after a field that is not a map: `.name` into a message, `[0].name` into a list of messages. */
  private step(field: FieldDescriptor): MessageDescriptor | Target | UnknownName {
    const { message } = field;
    const hasText = message === undefined || this.codec.textReader(field) !== undefined;
    // grpc-gateway also accepts `page_size.value`.
    const isPlain = message === undefined || (hasText && !(this.options.grpcGatewayValues && !field.repeated));
    if (field.repeated && (isPlain || isHttpBody(message)) && this.options.bracketQuery) {
      const element = this.bracketElement(field);
      if (element !== undefined) return element;
    }
    // A type with a text form (Timestamp, wrappers …) can only be given as a whole.
    if (isPlain) {
      const why = this.noFields(field);
      // To Envoy such a name is an unknown one, to grpc-gateway it is wrong.
      if (this.name.charCodeAt(this.pos) !== DOT || this.options.grpcGatewayValues) throw new NameError(why);
      return new UnknownName(this.options.noun, this.name, field.name, field.parent, false, why);
    }
    if (!field.repeated) {
      if (!this.takesName()) {
        throw new NameError(`"${field.name}" is neither a list nor a map; write ${field.name}.…`);
      }
      this.enter(field, '');
      return message;
    }
    const index = this.index();
    if (index === undefined || !this.takesName()) {
      const files = isHttpBody(message) ? `, or give "${field.name}" once for each file` : '';
      throw new NameError(
        `"${field.name}" is a list of messages; write ${field.name}[0].…, ${field.name}[1].…${files}`,
      );
    }
    this.enter(field, index);
    return message;
  }

  private enter(field: FieldDescriptor, element: string, keyEntry?: Buffer): void {
    this.steps.push({ field, element, keyEntry, nameEnd: this.nameEnd });
  }

  private noFields(field: FieldDescriptor): string {
    return field.repeated && this.name.charCodeAt(this.pos) === OPEN
      ? `an index is for lists of messages; give "${field.name}" once for each element`
      : `"${field.name}" has no fields, it is ${this.codec.describeText(field)}; write ${field.name}=…`;
  }

  /** Reads a final `[]` or `[0]`, an element of a list of scalars; undefined for anything else. */
  private bracketElement(field: FieldDescriptor): Target | undefined {
    const read = this.codec.textReader(field);
    const { name, pos } = this;
    if (name.length === pos + 2 && name.endsWith('[]')) return this.target(field, read);
    const index = this.index();
    if (index !== undefined && this.pos === name.length) return this.target(field, read, Number(index));
    this.pos = pos;
    return undefined;
  }

  /** Reads `[0]`; undefined if there is no index. */
  private index(): string | undefined {
    const found = /^\[(0|[1-9]\d{0,6})\]/.exec(this.name.slice(this.pos, this.pos + 10));
    if (found === null) return undefined;
    this.pos += found[0].length;
    return found[1]!;
  }

  /** Reads the dot or bracket before the name of a field; false if there is none. */
  private takesName(): boolean {
    const char = this.name.charCodeAt(this.pos);
    if (char !== DOT && !(char === OPEN && this.options.bracketQuery && this.name.indexOf(']', this.pos) > 0)) {
      return false;
    }
    this.pos++;
    return true;
  }

  /** Continues after a map: `[key]` or `.key` for scalars, `[key].name` for messages, `[key]` for a file. */
  private mapStep(field: FieldDescriptor): Target | MessageDescriptor {
    const { key, value } = field.map!;
    const { name } = this;
    const read = this.codec.textReader(value);
    const isWhole = read !== undefined || (isHttpBody(value.message) && name.endsWith(']'));
    const text = isWhole ? this.lastKey() : this.innerKey();
    if (text === undefined) throw new NameError(mapUsage(field));
    const keyEntry = this.keyEntry(key, text);
    // `1` and `01` are the same key, so compare keys by their wire bytes.
    this.enter(field, `=${keyText(keyEntry)}`, keyEntry);
    if (isWhole) return this.target(value, read);
    this.enter(value, '');
    return value.message!;
  }

  /** Reads a key that ends the name: `[key]` or `.key`. */
  private lastKey(): string | undefined {
    const { name, pos } = this;
    const isBracketed = name.charCodeAt(pos) === OPEN;
    if (isBracketed && !name.endsWith(']')) return undefined;
    this.pos = name.length;
    return isBracketed ? name.slice(pos + 1, -1) : name.slice(pos + 1);
  }

  /** Reads `[key]` and the dot or bracket before the name of a field. */
  private innerKey(): string | undefined {
    const { name, pos } = this;
    if (name.charCodeAt(pos) !== OPEN) return undefined;
    for (let end = name.indexOf(']', pos); end >= 0; end = name.indexOf(']', end + 1)) {
      const next = name.charCodeAt(end + 1);
      if (next !== DOT && !(next === OPEN && this.options.bracketQuery)) continue;
      this.pos = end + 2;
      return name.slice(pos + 1, end);
    }
    return undefined;
  }

  private keyEntry(key: FieldDescriptor, text: string): Buffer {
    // As a value, an empty text is true (`?flag`); as a key it is a mistake.
    if (text === '' && key.type === 'bool') throw new NameError('the key "": found "", expected true or false');
    keyScratch.reset();
    try {
      this.codec.textReader(key)!(text, keyScratch);
    } catch (error) {
      throw new NameError(`the key ${quote(text)}: ${(error as Error).message}`, { cause: error });
    }
    return keyScratch.take();
  }
}

function extensionOf(message: MessageDescriptor, name: string): FieldDescriptor | undefined {
  return name.startsWith('[') ? message.extensions.find(({ jsonName }) => jsonName === name) : undefined;
}

/** JSON names with a dot or bracket inside: a `json_name` may be any text. */
function oddNames(message: MessageDescriptor): readonly string[] {
  let names = keptOddNames.get(message);
  if (names === undefined) {
    names = message.fields.map(({ jsonName }) => jsonName).filter((jsonName) => /[.[]/.test(jsonName));
    keptOddNames.set(message, names);
  }
  return names;
}

const keptOddNames = new WeakMap<MessageDescriptor, readonly string[]>();

function mapUsage({ name, map }: FieldDescriptor): string {
  const { message } = map!.value;
  const kind = message === undefined ? undefined : wellKnownKind(message);
  const isText = message === undefined || (kind !== undefined && kind !== 'Any');
  const usage = isText ? `${name}[KEY]=… or ${name}.KEY=…` : `${name}[KEY].FIELD=…`;
  const file = isHttpBody(message) ? `, or give ${name}[KEY] as a file` : '';
  return `"${name}" is a map; write ${usage}${file}`;
}

/** Explains why a field cannot be set by one text, and what to write instead. */
export function noTextForm(field: FieldDescriptor): string {
  if (field.map !== undefined) return mapUsage(field);
  const inner = field.message?.fields[0];
  const example = field.repeated ? `${field.name}[0]` : field.name;
  return `"${field.name}" is a message and has no text form; name a field of it${
    inner === undefined ? '' : `, such as ${example}.${inner.name}=…`
  }`;
}
