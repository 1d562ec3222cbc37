/**
 * A strict JSON scanner over UTF-8 bytes (RFC 8259). Tokens are given as positions, and only strings with escapes are copied.
 * The caller decides which token may come next. No extension of the RFC is accepted: no comments, trailing commas, leading
 * zeros, unpaired surrogates or bytes that are not UTF-8.
 *
 * It does not detect duplicate keys, because only the caller can bound the memory for that, and does not convert numbers.
 */
import { isUtf8 } from 'node:buffer';
import { hexValue } from '../uri.js';
import { Writer } from '../wire/index.js';
import {
  BACKSLASH,
  bomLength,
  CARRIAGE_RETURN,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DOT,
  isDigit,
  LINE_FEED,
  LOWER_E,
  LOWER_F,
  LOWER_N,
  LOWER_T,
  LOWER_U,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  QUOTE,
  SPACE,
  TAB,
  UPPER_E,
  ZERO,
} from './chars.js';
import { LONG_BYTES, PlainText } from './plain.js';
import { utf8End } from './utf8.js';

/** The text is not JSON or is nested too deep. `message` says what was found and expected, without the position. */
export class JsonSyntaxError extends Error {
  constructor(
    /** Offset of the error. */
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/** The bytes that end the fast path of a string: controls, quote, backslash, and, until UTF-8 is checked, non-ASCII. */
function stopTable(nonAscii: 0 | 1): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(1, 0, SPACE);
  table[QUOTE] = 1;
  table[BACKSLASH] = 1;
  table.fill(nonAscii, 0x80);
  return table;
}

const asciiStops = stopTable(1);
const utf8Stops = stopTable(0);
const noBytes = Buffer.alloc(0);

/** The meaning of a backslash and this character; 0 if JSON has no such escape. */
const escapes = new Uint8Array(256);
for (const [char, meaning] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})) {
  escapes[char.charCodeAt(0)] = meaning.charCodeAt(0);
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** What `next` returns at the end of the text. */
const END = -1;

/** Scans one JSON text. `pos` is the position of the next token. */
export class JsonScanner {
  pos: number;
  readonly end: number;
  /** The number of open objects and arrays. */
  depth = 0;
  /** Holds the last string or number, unescaped and without quotes … */
  text: Buffer = noBytes;
  /** … from `textStart` to `textEnd`, until the next token. */
  textStart = 0;
  textEnd = 0;
  private stops = asciiStops;
  /** Undefined until it is asked: one look at the whole text. */
  private isUtf8: boolean | undefined;
  private plainText: PlainText | undefined;
  private scratch: Writer | undefined;

  constructor(
    readonly buf: Buffer,
    /** Deepest nesting accepted; the outermost value counts 1. */
    readonly maxDepth: number,
  ) {
    this.end = buf.length;
    this.pos = bomLength(buf);
  }

  /** Skips white space and returns the byte that follows, or `END`; `pos` stays at it. */
  next(): number {
    const { buf, end } = this;
    let pos = this.pos;
    while (pos < end) {
      const char = buf[pos]!;
      if (char > SPACE || !isSpace(char)) {
        this.pos = pos;
        return char;
      }
      pos++;
    }
    this.pos = pos;
    return END;
  }

  /** Enters the object or array at `pos`; returns the byte after the bracket. */
  open(): number {
    if (++this.depth > this.maxDepth) {
      this.fail(`the value is nested deeper than ${this.maxDepth} levels`);
    }
    this.pos++;
    return this.next();
  }

  /** Leaves an object or array; `pos` must be at the closing bracket. */
  close(): void {
    this.depth--;
    this.pos++;
  }

  /** After a key: takes the colon and returns the first byte of the value. */
  colon(): number {
    const { buf, pos } = this;
    // Fast path for text without white space, here and in moreMembers (bench: codec, 6 % of reading).
    if (pos + 1 < this.end && buf[pos] === COLON) {
      const char = buf[pos + 1]!;
      if (char > SPACE) {
        this.pos = pos + 1;
        return char;
      }
    }
    if (this.next() !== COLON) this.unexpected('":" after the key');
    this.pos++;
    return this.next();
  }

  /** After a member: takes a comma and returns true, or leaves the object and returns false. `pos` is at a key then. */
  moreMembers(): boolean {
    const { buf, pos } = this;
    if (pos + 1 < this.end && buf[pos] === COMMA && buf[pos + 1] === QUOTE) {
      this.pos = pos + 1;
      return true;
    }
    const char = this.next();
    if (char === COMMA) {
      this.pos++;
      if (this.next() !== QUOTE) this.unexpected('a key in double quotes');
      return true;
    }
    if (char !== CLOSE_BRACE) this.unexpected('"," or "}"');
    this.close();
    return false;
  }

  /** After an element: takes a comma and returns true, or leaves the array and returns false. */
  moreElements(): boolean {
    const char = this.next();
    if (char === COMMA) {
      this.pos++;
      this.next();
      return true;
    }
    if (char !== CLOSE_BRACKET) this.unexpected('"," or "]"');
    this.close();
    return false;
  }

  /** Enters an object; true if it has members, `pos` is at the first key then. An empty one is left again. */
  openObject(): boolean {
    const char = this.open();
    if (char === QUOTE) return true;
    if (char !== CLOSE_BRACE) this.unexpected('a key in double quotes or "}"');
    this.close();
    return false;
  }

  /** Enters an array; true if it has elements. An empty one is left again. */
  openArray(): boolean {
    if (this.open() !== CLOSE_BRACKET) return true;
    this.close();
    return false;
  }

  /** Scans the string at `pos`. */
  string(): void {
    const { buf, end, stops } = this;
    const start = this.pos + 1;
    const near = Math.min(end, start + LONG_BYTES);
    let pos = start;
    while (pos < near && stops[buf[pos]!] === 0) pos++;
    if (pos === near) pos = this.plainEnd(pos);
    if (pos < end && buf[pos] === QUOTE) {
      this.text = buf;
      this.textStart = start;
      this.textEnd = pos;
      this.pos = pos + 1;
    } else {
      this.unplainString(start, pos);
    }
  }

  /** The same for a long string: the next byte that ends the fast path, or the end of the text. */
  private plainEnd(start: number): number {
    const { buf, end } = this;
    if (start === end) return end;
    if (this.hasUtf8()) return (this.plainText ??= new PlainText(buf)).end(start);
    // The first byte that is not ASCII is to be found: it may be the one that is not UTF-8.
    let pos = start;
    while (pos < end && asciiStops[buf[pos]!] === 0) pos++;
    return pos;
  }

  /** Scans the rest of a string, from the first byte that ends the fast path. */
  private unplainString(start: number, stop: number): void {
    const { buf, end } = this;
    let pos = stop;
    let kept = start;
    let unescaped: Writer | undefined;
    for (;;) {
      const { stops } = this;
      const near = Math.min(end, pos + LONG_BYTES);
      while (pos < near && stops[buf[pos]!] === 0) pos++;
      if (pos === near) pos = this.plainEnd(pos);
      if (pos >= end) this.fail('the text ends inside a string; close it with "', end);
      const char = buf[pos]!;
      if (char === QUOTE) break;
      if (char >= 0x80) {
        this.checkUtf8();
      } else if (char === BACKSLASH) {
        if (unescaped === undefined) {
          unescaped = this.scratch ??= new Writer(256);
          unescaped.reset();
        }
        unescaped.rawRange(buf, kept, pos);
        pos = this.escape(pos, unescaped);
        kept = pos;
      } else {
        this.fail(`${charName(char)} inside a string; write it as \\u${char.toString(16).padStart(4, '0')}`, pos);
      }
    }
    this.pos = pos + 1;
    this.text = buf;
    this.textStart = kept;
    this.textEnd = pos;
    if (unescaped === undefined) return;
    unescaped.rawRange(buf, kept, pos);
    this.text = unescaped.buf;
    this.textStart = 0;
    this.textEnd = unescaped.pos;
  }

  /** Writes the character of the escape at `pos`; returns where the escape ends. */
  private escape(pos: number, out: Writer): number {
    const char = this.buf[pos + 1] ?? 0;
    if (char === LOWER_U) return this.unicodeEscape(pos, out);
    const meaning = escapes[char]!;
    if (meaning === 0) {
      this.fail(
        `${this.describeChar(pos + 1)} after a backslash; JSON has \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX`,
        pos,
      );
    }
    out.byte(meaning);
    return pos + 2;
  }

  private unicodeEscape(pos: number, out: Writer): number {
    const unit = this.hex4(pos);
    if (unit < 0xd800 || unit > 0xdfff) {
      out.utf8(String.fromCharCode(unit));
      return pos + 6;
    }
    const isHigh = unit < 0xdc00;
    const low = isHigh && this.buf[pos + 6] === BACKSLASH && this.buf[pos + 7] === LOWER_U ? this.hex4(pos + 6) : 0;
    if (low < 0xdc00 || low > 0xdfff) {
      const hex = unit.toString(16);
      this.fail(`\\u${hex} is half of a surrogate pair without its other half; write both as \\ud83d\\ude00`, pos);
    }
    out.utf8(String.fromCharCode(unit, low));
    return pos + 12;
  }

  /** The four hex digits after the `\u` at `pos`. */
  private hex4(pos: number): number {
    let value = 0;
    for (let index = pos + 2; index < pos + 6; index++) {
      const digit = hexValue(this.buf[index] ?? 0);
      if (digit < 0) this.fail(`${this.describeChar(index)} in a \\u escape; write four hex digits`, pos);
      value = value * 16 + digit;
    }
    return value;
  }

  /** Called at the first non-ASCII byte. */
  private checkUtf8(): void {
    if (this.hasUtf8()) return;
    const offset = utf8End(this.buf, 0, this.end);
    this.fail(`byte 0x${this.buf[offset]!.toString(16)} is not UTF-8; encode the text as UTF-8`, offset);
  }

  /** True if the whole text is UTF-8: then bytes that are not ASCII end no fast path any more. */
  private hasUtf8(): boolean {
    if (this.isUtf8 === undefined) {
      this.isUtf8 = isUtf8(this.buf);
      if (this.isUtf8) this.stops = utf8Stops;
    }
    return this.isUtf8;
  }

  /** Scans the number at `pos`. */
  number(): void {
    const { buf } = this;
    const start = this.pos;
    let pos = buf[start] === MINUS ? start + 1 : start;
    if (buf[pos] === ZERO) {
      pos++;
      if (isDigit(buf[pos])) this.fail('a number with a leading zero; write it without', start);
    } else {
      pos = this.digits(pos, 'a digit');
    }
    if (buf[pos] === DOT) pos = this.digits(pos + 1, 'a digit after the decimal point');
    if (buf[pos] === LOWER_E || buf[pos] === UPPER_E) {
      const sign = buf[pos + 1];
      pos = this.digits(sign === PLUS || sign === MINUS ? pos + 2 : pos + 1, 'a digit in the exponent');
    }
    this.pos = pos;
    this.text = buf;
    this.textStart = start;
    this.textEnd = pos;
  }

  private digits(start: number, expected: string): number {
    const { buf } = this;
    let pos = start;
    while (isDigit(buf[pos])) pos++;
    if (pos === start) this.unexpected(expected, pos);
    return pos;
  }

  /** Scans `null`, `true` or `false`, depending on the byte at `pos`. */
  word(): void {
    const { buf, pos } = this;
    const char = buf[pos];
    const word = char === LOWER_N ? NULL : char === LOWER_T ? TRUE : FALSE;
    for (let index = 0; index < word.length; index++) {
      if (buf[pos + index] !== word[index]) this.unexpectedValue();
    }
    this.pos = pos + word.length;
  }

  /** Skips one value. Its syntax is checked. */
  skipValue(): void {
    switch (this.next()) {
      case OPEN_BRACE:
        if (!this.openObject()) return;
        do this.skipMember();
        while (this.moreMembers());
        return;
      case OPEN_BRACKET:
        if (!this.openArray()) return;
        do this.skipValue();
        while (this.moreElements());
        return;
      case QUOTE:
        this.string();
        return;
      case LOWER_T:
      case LOWER_F:
      case LOWER_N:
        this.word();
        return;
      default:
        this.skipNumber();
    }
  }

  /** Skips the key at `pos` and its value. */
  skipMember(): void {
    this.string();
    this.colon();
    this.skipValue();
  }

  private skipNumber(): void {
    const char = this.buf[this.pos];
    if (char !== MINUS && !isDigit(char)) this.unexpectedValue();
    this.number();
  }

  /** After the outermost value: only white space may follow. */
  expectEnd(): void {
    if (this.next() !== END) this.unexpected('the end of the text');
  }

  /** Fails because no value can start at `pos`. */
  unexpectedValue(): never {
    const { buf, pos } = this;
    if (buf[pos] === 0x27) this.fail("found ', expected a value; JSON strings stand in double quotes");
    let end = pos;
    while (end < this.end && end < pos + 20 && isWordChar(buf[end]!)) end++;
    if (end <= pos + 1) this.unexpected('a value');
    this.fail(
      `found ${buf.toString('latin1', pos, end)}, expected a value; only true, false, null and numbers stand without quotes`,
    );
  }

  unexpected(expected: string, offset = this.pos): never {
    this.fail(`found ${this.describeChar(offset)}, expected ${expected}`, offset);
  }

  fail(message: string, offset = this.pos): never {
    throw new JsonSyntaxError(offset, message);
  }

  private describeChar(offset: number): string {
    if (offset >= this.end) return 'the end of the text';
    const char = this.buf[offset]!;
    if (char < 0x80) return charName(char);
    return JSON.stringify(
      String.fromCodePoint(
        this.buf
          .subarray(offset, offset + 4)
          .toString('utf8')
          .codePointAt(0)!,
      ),
    );
  }
}

function isSpace(char: number): boolean {
  return char === SPACE || char === LINE_FEED || char === CARRIAGE_RETURN || char === TAB;
}

function isWordChar(char: number): boolean {
  return (char | 0x20) >= 0x61 && (char | 0x20) <= 0x7a;
}

function charName(char: number): string {
  if (char > SPACE && char < 0x7f) return char === QUOTE ? "'\"'" : `"${String.fromCharCode(char)}"`;
  return `U+${char.toString(16).toUpperCase().padStart(4, '0')}`;
}
