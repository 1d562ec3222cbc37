/**
 * Cuts the body of a client stream into messages while it arrives. The first byte decides between the elements of a JSON array
 * and a sequence of values, such as NDJSON. Only the ends of values are searched; the receiver checks each value as JSON. At
 * most one value is buffered, and each byte is read once.
 */
import { Code, StatusError } from '../status.js';
import { Writer } from '../wire/index.js';

/** The options of one reader. */
export interface JsonStreamOptions {
  /** The largest message; a larger one is a 413. */
  readonly maxMessageBytes: number;
  /** If false, a `[` at the start is a part of the first message. */
  readonly arrays: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LINE_FEED = 0x0a;

const BOM = [0xef, 0xbb, 0xbf];

/** What may come next, or what the current position is inside of. */
const State = {
  /** Only white space so far. */
  START: 0,
  /** Between the values of a sequence. */
  VALUE: 1,
  /** After the `[`. */
  ELEMENT_OR_CLOSE: 2,
  /** After a comma. */
  ELEMENT: 3,
  /** After an element. */
  COMMA_OR_CLOSE: 4,
  /** After the `]`. */
  CLOSED: 5,
  /** Inside an object, an array or a string. */
  NESTED: 6,
  /** Inside a number or a word. */
  SCALAR: 7,
} as const;

/** Where a message starts in the body; line and column count from 1, the column in characters. */
export interface MessagePlace {
  readonly line: number;
  readonly column: number;
}

/** Reads one body. */
export class JsonStreamReader {
  /** The number of messages so far. */
  count = 0;
  /** True once a `[` opened an array of messages. */
  inArray = false;
  private state: number = State.START;
  private depth = 0;
  private inString = false;
  private escaped = false;
  /** The start of the current value, from earlier chunks. */
  private readonly held = new Writer(1024);
  /** Bytes before this chunk; with the next members, for positions in error messages. */
  private offset = 0;
  private line = 1;
  private lineStart = 0;
  /** Bytes of the line that do not start a character. */
  private continued = 0;
  /** Where the current value starts. */
  private place: MessagePlace = { line: 1, column: 1 };
  private bomBytes = 0;

  /** @param onMessage gets the bytes of one value, which are valid only during the call */
  constructor(
    private readonly options: JsonStreamOptions,
    private readonly onMessage: (json: Buffer, place: MessagePlace) => void,
  ) {}

  /** True if the body has had no value and no array. */
  get isBlank(): boolean {
    return this.state === State.START;
  }

  /**
   * Reads the next bytes. After an error the reader must not be used.
   * @throws StatusError 400 or 413, and what `onMessage` throws
   */
  push(chunk: Buffer): void {
    let pos = this.state === State.START ? this.skipBom(chunk) : 0;
    while (pos < chunk.length) {
      const isInside = this.state >= State.NESTED;
      pos = isInside ? this.value(chunk, pos, pos) : this.between(chunk, pos);
    }
    this.offset += chunk.length;
  }

  /**
   * Call it at the end of the body.
   * @throws StatusError 400 if that is inside a value or an array, and what `onMessage` throws
   */
  end(): void {
    switch (this.state) {
      case State.START:
      case State.VALUE:
      case State.CLOSED:
        return;
      case State.NESTED:
        throw this.syntax(0, `the body ends inside message ${this.count + 1}`);
      case State.SCALAR:
        if (!this.inArray) return this.emit(this.held.peek());
    }
    throw this.syntax(0, 'the body ends inside the array of messages, expected "," or "]"');
  }

  /** Skips a byte order mark (RFC 8259, section 8.1), which may be split over chunks. */
  private skipBom(chunk: Buffer): number {
    let pos = 0;
    while (this.offset + pos === this.bomBytes && this.bomBytes < 3 && chunk[pos] === BOM[this.bomBytes]) {
      pos++;
      this.bomBytes++;
    }
    // It does not count as a column.
    if (this.bomBytes === 3) this.lineStart = 3;
    return pos;
  }

  /** Reads one byte between values. */
  private between(chunk: Buffer, pos: number): number {
    const char = chunk[pos]!;
    if (char === 0x20 || char === 0x0d || char === 0x09) return pos + 1;
    if (char === LINE_FEED) {
      this.newLine(pos);
      return pos + 1;
    }
    switch (this.state) {
      case State.START:
        if (this.bomBytes === 1 || this.bomBytes === 2) throw this.unexpected(chunk, pos, 'a value');
        if (char !== OPEN_BRACKET || !this.options.arrays) break;
        this.inArray = true;
        this.state = State.ELEMENT_OR_CLOSE;
        return pos + 1;
      case State.ELEMENT_OR_CLOSE:
        if (char !== CLOSE_BRACKET) break;
        this.state = State.CLOSED;
        return pos + 1;
      case State.COMMA_OR_CLOSE:
        if (char !== COMMA && char !== CLOSE_BRACKET) throw this.unexpected(chunk, pos, '"," or "]"');
        this.state = char === COMMA ? State.ELEMENT : State.CLOSED;
        return pos + 1;
      case State.CLOSED:
        throw this.unexpected(chunk, pos, 'the end of the body behind the array of messages');
    }
    return this.start(chunk, pos);
  }

  private start(chunk: Buffer, pos: number): number {
    const char = chunk[pos]!;
    this.place = { line: this.line, column: this.columnAt(pos) };
    if (char === COMMA || char === COLON || char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      const hint = char === COMMA && !this.inArray ? '; put the messages into an array, or on lines of their own' : '';
      throw this.unexpected(chunk, pos, `a value${hint}`);
    }
    if (char === OPEN_BRACE || char === OPEN_BRACKET || char === QUOTE) {
      this.state = State.NESTED;
      this.inString = char === QUOTE;
      this.depth = this.inString ? 0 : 1;
    } else {
      this.state = State.SCALAR;
    }
    return this.value(chunk, pos, pos + 1);
  }

  /** Continues a value whose bytes in this chunk start at `start`; returns where the value or the chunk ends. */
  private value(chunk: Buffer, start: number, from: number): number {
    const end = this.state === State.SCALAR ? scalarEnd(chunk, from) : this.nestedEnd(chunk, from);
    const stop = end < 0 ? chunk.length : end;
    const { held, options } = this;
    if (held.pos + stop - start > options.maxMessageBytes) throw this.tooLarge();
    if (end >= 0 && held.pos === 0) {
      this.emit(chunk.subarray(start, stop));
    } else {
      held.rawRange(chunk, start, stop);
      if (end >= 0) this.emit(held.peek());
    }
    return stop;
  }

  private emit(json: Buffer): void {
    this.state = this.inArray ? State.COMMA_OR_CLOSE : State.VALUE;
    this.count++;
    this.onMessage(json, this.place);
    this.held.reset();
  }

  /** Where the object, array or string ends; -1 if that is not in this chunk. */
  private nestedEnd(chunk: Buffer, from: number): number {
    let pos = from;
    let { depth, inString } = this;
    if (this.escaped && pos < chunk.length) {
      this.escaped = false;
      pos++;
    }
    for (; pos < chunk.length; pos++) {
      const char = chunk[pos]!;
      if (inString) {
        if (char === BACKSLASH) {
          if (++pos === chunk.length) this.escaped = true;
        } else if (char === QUOTE) {
          inString = false;
          if (depth === 0) return pos + 1;
        } else if ((char & 0xc0) === 0x80) {
          this.continued++;
        }
      } else if (char === QUOTE) {
        inString = true;
      } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
        depth++;
      } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
        if (--depth === 0) return pos + 1;
      } else if (char === LINE_FEED) {
        this.newLine(pos);
      }
    }
    this.depth = depth;
    this.inString = inString;
    return -1;
  }

  private newLine(pos: number): void {
    this.line++;
    this.continued = 0;
    this.lineStart = this.offset + pos + 1;
  }

  private columnAt(pos: number): number {
    return this.offset + pos - this.lineStart + 1 - this.continued;
  }

  private unexpected(chunk: Buffer, pos: number, expected: string): StatusError {
    const char = chunk[pos]!;
    const found = char > 0x20 && char < 0x7f ? JSON.stringify(String.fromCharCode(char)) : `byte 0x${hex(char)}`;
    const after = this.count === 0 ? '' : ` after message ${this.count}`;
    return this.syntax(pos, `found ${found}${after}, expected ${expected}`);
  }

  private syntax(pos: number, message: string): StatusError {
    const column = this.columnAt(pos);
    return new StatusError(Code.INVALID_ARGUMENT, `invalid JSON at line ${this.line}, column ${column}: ${message}`);
  }

  private tooLarge(): StatusError {
    return StatusError.tooLarge(this.options.maxMessageBytes, `message ${this.count + 1} of the body`);
  }
}

/** Where the number or word ends: at white space or punctuation; -1 if that is not in this chunk. */
function scalarEnd(chunk: Buffer, from: number): number {
  for (let pos = from; pos < chunk.length; pos++) {
    switch (chunk[pos]!) {
      case 0x20:
      case LINE_FEED:
      case 0x0d:
      case 0x09:
      case QUOTE:
      case COMMA:
      case COLON:
      case OPEN_BRACKET:
      case CLOSE_BRACKET:
      case OPEN_BRACE:
      case CLOSE_BRACE:
        return pos;
    }
  }
  return -1;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
