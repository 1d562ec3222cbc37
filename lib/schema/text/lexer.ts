/**
 * Tokens of the protobuf language, one at a time, by offset. Comments and white space are skipped; `comments` reads them when
 * they are needed. String escapes are decoded by `readString`.
 */
import { ConfigError, type Problem } from '../../status.js';
import { Names, type SourceText } from './source.js';

export type TokenKind = 'identifier' | 'integer' | 'float' | 'string' | 'symbol' | 'end';

/** The tokens of one text. */
export class Lexer {
  kind: TokenKind = 'end';
  /** Offset of the current token. */
  start = 0;
  end = 0;
  /** Number of open braces before the current token. */
  depth = 0;
  private readonly text: string;

  /** Starts before the first token; call `next()` first. */
  constructor(
    readonly source: SourceText,
    readonly names: Names = new Names(),
  ) {
    this.text = source.text ?? '';
  }

  /** Text of the current token. */
  get token(): string {
    return this.text.slice(this.start, this.end);
  }

  /** An interned name, which a syntax tree may keep. */
  name(text = this.token): string {
    return this.names.intern(text);
  }

  /** Whether the current token is this symbol or word. */
  is(token: string): boolean {
    return (
      this.end - this.start === token.length &&
      (this.kind === 'symbol' || this.kind === 'identifier') &&
      this.text.startsWith(token, this.start)
    );
  }

  /** Moves to the next token. */
  next(): void {
    const text = this.text;
    if (this.kind === 'symbol') this.countBrace(text.charCodeAt(this.start));
    this.kind = 'end';
    const pos = (this.start = this.skipSpace(this.end));
    if (pos >= text.length) {
      this.end = pos;
      return;
    }
    const char = text.charCodeAt(pos);
    if (isLetter(char)) {
      this.kind = 'identifier';
      this.end = this.endOfWord(pos + 1);
    } else if (isDigit(char) || (char === DOT && isDigit(text.charCodeAt(pos + 1)))) {
      this.number(pos);
    } else if (char === QUOTE || char === APOSTROPHE) {
      this.kind = 'string';
      this.end = this.endOfString(pos, char);
    } else if (char < 0x20 || char >= 0x7f) {
      this.refuse(pos);
      throw this.failure(
        `found ${describeChar(text, pos)}, which no .proto file may hold outside a string or comment`,
        pos,
      );
    } else {
      this.kind = 'symbol';
      this.end = pos + 1;
    }
  }

  /** Stops: the current token becomes the end of the file. */
  finish(): void {
    this.kind = 'end';
    this.start = this.end = this.text.length;
  }

  /** A syntax error at an offset (default: the current token). */
  failure(message: string, offset = this.start, hint?: string): ConfigError {
    const problem: Problem = { code: 'proto-syntax', message, place: this.source.placeAt(offset) };
    return new ConfigError(hint === undefined ? problem : { ...problem, hint });
  }

  /** "expected X, found Y" at the current token. */
  expected(what: string, hint?: string): ConfigError {
    return this.failure(`expected ${what}, found ${this.describe()}`, this.start, hint);
  }

  /** The current token in messages, shortened. */
  describe(): string {
    if (this.kind === 'end') return 'the end of the file';
    const token = this.token;
    const cut = token.length > 40 ? `${token.slice(0, 40)}…` : token;
    return this.kind === 'string' ? cut : `"${cut}"`;
  }

  private countBrace(char: number): void {
    if (char === OPEN) this.depth++;
    else if (char === CLOSE) this.depth--;
  }

  /** Reports an invalid token and goes on behind it. */
  private refuse(start: number, end = start + 1): void {
    this.kind = 'symbol';
    this.start = start;
    this.end = end;
  }

  private skipSpace(from: number): number {
    const text = this.text;
    let pos = from;
    for (;;) {
      const char = text.charCodeAt(pos);
      if (char === 0x20 || (char >= 0x09 && char <= 0x0d)) {
        pos++;
      } else if (char === SLASH && text.charCodeAt(pos + 1) === SLASH) {
        const end = text.indexOf('\n', pos);
        pos = end < 0 ? text.length : end + 1;
      } else if (char === SLASH && text.charCodeAt(pos + 1) === STAR) {
        const end = text.indexOf('*/', pos + 2);
        if (end < 0) {
          this.end = text.length;
          throw this.failure('a comment that starts with "/*" never ends', pos, 'close it with "*/"');
        }
        pos = end + 2;
      } else {
        return pos;
      }
    }
  }

  private endOfWord(from: number): number {
    let pos = from;
    while (isWord(this.text.charCodeAt(pos))) pos++;
    return pos;
  }

  private endOfString(start: number, quote: number): number {
    const text = this.text;
    let pos = start + 1;
    for (; pos < text.length; pos++) {
      const char = text.charCodeAt(pos);
      if (char === quote) return pos + 1;
      if (char === NEWLINE) break;
      if (char === BACKSLASH) pos++;
    }
    // Skips the rest of the line: scanning it again would take quadratic time for a line of quotes.
    this.refuse(start, Math.min(pos, text.length));
    throw this.failure('a string does not end on its line', start, 'close it, and write a line break as \\n');
  }

  private number(start: number): void {
    const match = this.match(HEX, start) ?? this.match(FLOAT, start)!;
    this.end = start + match.length;
    this.kind = /^0[xX]/.test(match) || /^\d+$/.test(match) ? 'integer' : 'float';
    if (isWord(this.text.charCodeAt(this.end))) {
      this.refuse(this.end);
      const word = this.text.slice(start, this.endOfWord(this.end));
      throw this.failure(`"${word.slice(0, 40)}" is neither a number nor a name`, start);
    }
  }

  private match(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0];
  }
}

const HEX = /0[xX][0-9a-fA-F]+/y;
const FLOAT = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[fF]?/y;
const [DOT, SLASH, STAR, QUOTE, APOSTROPHE, BACKSLASH, NEWLINE] = [0x2e, 0x2f, 0x2a, 0x22, 0x27, 0x5c, 0x0a] as const;
const [OPEN, CLOSE] = [0x7b, 0x7d] as const;

function isLetter(char: number): boolean {
  return (char >= 0x61 && char <= 0x7a) || (char >= 0x41 && char <= 0x5a) || char === 0x5f;
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

function isWord(char: number): boolean {
  return isLetter(char) || isDigit(char);
}

function describeChar(text: string, at: number): string {
  const code = text.codePointAt(at)!;
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  return code > 0xa0 ? `"${String.fromCodePoint(code)}" (${hex})` : `the character ${hex}`;
}
