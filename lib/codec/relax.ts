/**
 * JSON as Envoy's parser takes it → strict JSON. It is tried after strict reading has failed, so that correct requests do not
 * pay for it. Syntax: keys without quotes, single quotes, a comma before the end, control characters, any letter after a
 * backslash. Values, if a schema describes them: one value in the place of a list, null and lists inside a list, booleans
 * and enum numbers in quotes.
 */
import { isUtf8 } from 'node:buffer';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import type { JsonShape } from './place.js';
import { nullIsValue, wellKnownKind } from './well-known.js';

/**
 * The strict form of a text; undefined if this parser does not take it either.
 * @param maxDepth nesting of what is read
 */
export function relaxJson(json: Buffer, shape: JsonShape, maxDepth: number): Buffer | undefined {
  if (!isUtf8(json)) return undefined;
  const relaxer = new Relaxer(json.toString('utf8'), maxDepth);
  try {
    return Buffer.from(relaxer.document(shape));
  } catch (error) {
    if (error instanceof NotRelaxed) return undefined;
    throw error;
  }
}

class NotRelaxed extends Error {}

const SPACE = /[ \t\n\r]*/y;
const KEY = /[A-Za-z_$][A-Za-z0-9_$]*/y;
/** A number or a word: what is wrong with it, the strict reader says. */
const SCALAR = /[-+.\w]+/y;
const TRUE = /^(?:true|t|yes|y|1)$/i;
const FALSE = /^(?:false|f|no|n|0)$/i;
const INTEGER = /^-?\d+$/;

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

class Relaxer {
  private pos = 0;
  private depth = 0;
  private readonly out: string[] = [];

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  document(shape: JsonShape): string {
    this.space();
    if (shape === undefined) this.value(undefined);
    else if ('fields' in shape) this.value({ message: shape });
    else this.fieldValue(shape);
    this.space();
    if (this.pos < this.text.length) throw new NotRelaxed();
    return this.out.join('');
  }

  private space(): void {
    SPACE.lastIndex = this.pos;
    SPACE.test(this.text);
    this.pos = SPACE.lastIndex;
  }

  private take(expression: RegExp): string {
    expression.lastIndex = this.pos;
    const [found] = expression.exec(this.text) ?? [];
    if (found === undefined) throw new NotRelaxed();
    this.pos += found.length;
    return found;
  }

  private accept(char: string): boolean {
    this.space();
    if (this.text[this.pos] !== char) return false;
    this.pos++;
    return true;
  }

  private expect(char: string): void {
    if (!this.accept(char)) throw new NotRelaxed();
  }

  /** The value of a field: a list, a map or one value. */
  private fieldValue(field: FieldDescriptor): void {
    const element = elementOf(field);
    if (field.map !== undefined) return this.map(field.map.value);
    if (!field.repeated) return this.value(element);
    this.space();
    // Null is a list that is not set.
    if (this.text[this.pos] === 'n') return this.value(undefined);
    this.out.push('[');
    if (this.accept('[')) this.elements(element, nullIsValue(field), true);
    else this.value(element);
    this.out.push(']');
  }

  /** The elements of a list and of lists inside it, after the bracket; returns false if nothing was written. */
  private elements(element: Element, keepsNull: boolean, isFirst: boolean): boolean {
    this.enter();
    let wrote = false;
    while (!this.accept(']')) {
      if (this.element(element, keepsNull, isFirst && !wrote)) wrote = true;
      if (this.accept(',')) continue;
      this.expect(']');
      break;
    }
    this.depth--;
    return wrote;
  }

  private element(element: Element, keepsNull: boolean, isFirst: boolean): boolean {
    // A list is a value of some types.
    if (element.isList !== true && this.accept('[')) return this.elements(element, keepsNull, isFirst);
    this.space();
    if (!keepsNull && this.text.startsWith('null', this.pos)) {
      this.pos += 'null'.length;
      return false;
    }
    if (!isFirst) this.out.push(',');
    this.value(element);
    return true;
  }

  private enter(): void {
    if (++this.depth > this.maxDepth) throw new NotRelaxed();
  }

  private map(value: FieldDescriptor): void {
    this.space();
    if (this.text[this.pos] !== '{') return this.value(undefined);
    const element = elementOf(value);
    this.members(() => () => this.value(element));
  }

  /** One value; without a schema its syntax alone is made strict. */
  private value(element: Element | undefined): void {
    this.space();
    const char = this.text[this.pos];
    if (char === '{') {
      const { message } = element ?? {};
      const known = message !== undefined && wellKnownKind(message) === undefined ? message : undefined;
      return this.members((name) => {
        const field = known?.field(name);
        return field === undefined ? () => this.value(undefined) : () => this.fieldValue(field);
      });
    }
    if (char === '[') return this.array();
    if (char === '"' || char === "'") return void this.out.push(scalar(this.string(), element));
    this.out.push(this.take(SCALAR));
  }

  private array(): void {
    this.pos++;
    this.enter();
    this.out.push('[');
    for (let isFirst = true; !this.accept(']'); isFirst = false) {
      if (!isFirst) this.out.push(',');
      this.value(undefined);
      if (this.accept(',')) continue;
      this.expect(']');
      break;
    }
    this.out.push(']');
    this.depth--;
  }

  private members(reader: (name: string) => () => void): void {
    this.pos++;
    this.enter();
    this.out.push('{');
    for (let isFirst = true; !this.accept('}'); isFirst = false) {
      if (!isFirst) this.out.push(',');
      const char = this.text[this.pos];
      const name = char === '"' || char === "'" ? this.string() : this.take(KEY);
      this.out.push(JSON.stringify(name), ':');
      this.expect(':');
      reader(name)();
      if (this.accept(',')) continue;
      this.expect('}');
      break;
    }
    this.out.push('}');
    this.depth--;
  }

  private string(): string {
    const quote = this.text[this.pos++];
    const parts: string[] = [];
    for (let start = this.pos; ; this.pos++) {
      const char = this.text[this.pos];
      if (char === undefined) throw new NotRelaxed();
      if (char !== quote && char !== '\\') continue;
      parts.push(this.text.slice(start, this.pos));
      if (char === quote) break;
      parts.push(this.escape());
      start = this.pos + 1;
    }
    this.pos++;
    return parts.join('');
  }

  /** Reads what follows a backslash, up to its last character. */
  private escape(): string {
    const char = this.text[++this.pos];
    if (char === undefined) throw new NotRelaxed();
    if (char !== 'u') return escapes[char] ?? char;
    const digits = this.text.slice(this.pos + 1, this.pos + 5);
    if (!/^[0-9a-f]{4}$/i.test(digits)) throw new NotRelaxed();
    this.pos += 4;
    return String.fromCharCode(parseInt(digits, 16));
  }
}

/** A boolean as Envoy takes it from a text: `yes`, `T`, `0`; undefined if it is none. */
export function envoyBool(text: string): boolean | undefined {
  if (TRUE.test(text)) return true;
  return FALSE.test(text) ? false : undefined;
}

/** What one value is, if it is known. */
interface Element {
  readonly message?: MessageDescriptor | undefined;
  readonly kind?: 'bool' | 'enum';
  /** Its JSON may be an array. */
  readonly isList?: boolean;
}

function elementOf({ type, message }: FieldDescriptor): Element {
  if (type === 'bool' || type === 'enum') return { kind: type };
  const kind = message && wellKnownKind(message);
  return { message, isList: kind === 'Value' || kind === 'ListValue' };
}

function scalar(text: string, element: Element | undefined): string {
  const flag = element?.kind === 'bool' ? envoyBool(text) : undefined;
  if (flag !== undefined) return String(flag);
  if (element?.kind === 'enum' && INTEGER.test(text)) return text;
  return JSON.stringify(text);
}
