/**
 * One JSON text on its way to wire bytes: the scanner, the writer it goes to, and what was found wrong with its values.
 * Syntax errors end the reading at once; a value that does not fit its field is noted, skipped, and reading goes on, so
 * that a client learns of all its mistakes together.
 */
import { Code, StatusError, type FieldViolation } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import { isDigit, MINUS, OPEN_BRACE, OPEN_BRACKET, QUOTE, LOWER_F, LOWER_N, LOWER_T } from './chars.js';
import { placesOf, type JsonPlace, type JsonShape } from './place.js';
import { JsonScanner, JsonSyntaxError } from './scanner.js';
import { MAX_VIOLATIONS, summarize } from './violations.js';

interface Violation {
  readonly offset: number;
  readonly description: string;
}

/** Thrown once there are `MAX_VIOLATIONS`; never leaves `readDocument`. */
class TooManyViolations extends Error {}

export class JsonInput extends JsonScanner {
  readonly violations: Violation[] = [];

  constructor(
    json: Buffer,
    readonly out: Writer,
    maxDepth: number,
  ) {
    super(json, maxDepth);
  }

  /** Notes something wrong with the key or value at `offset`. The caller goes on as if it were not there. */
  violation(offset: number, description: string): void {
    this.violations.push({ offset, description });
    if (this.violations.length >= MAX_VIOLATIONS) throw new TooManyViolations();
  }

  /** Notes that the value at `pos` is not what its field needs, and skips it. */
  mismatch(expected: string): false {
    const offset = this.pos;
    const found = this.describeValue();
    this.violation(offset, `found ${found}, expected ${expected}`);
    return false;
  }

  /** Notes that the token just scanned, which started at `offset`, cannot be read. */
  badToken(offset: number, expected: string): false {
    const isString = this.buf[offset] === QUOTE;
    this.violation(offset, `found ${this.describeToken(isString)}, expected ${expected}`);
    return false;
  }

  private describeToken(isString: boolean): string {
    // Cut before decoding: the token may be the whole body.
    const text = this.text.toString('utf8', this.textStart, Math.min(this.textEnd, this.textStart + 400));
    return isString ? quote(text) : text.length > 80 ? `${text.slice(0, 80)}…` : text;
  }

  /** Skips the value at `pos` and says what it was. */
  private describeValue(): string {
    const char = this.next();
    if (char === QUOTE) {
      this.string();
      return this.describeToken(true);
    }
    const start = this.pos;
    this.skipValue();
    if (char === OPEN_BRACE) return 'an object';
    if (char === OPEN_BRACKET) return 'an array';
    if (char === LOWER_N || char === LOWER_T || char === LOWER_F) return this.buf.toString('latin1', start, this.pos);
    return this.describeToken(false);
  }

  /** True where the value at `pos` starts like a number. */
  atNumber(): boolean {
    const char = this.buf[this.pos];
    return char === MINUS || isDigit(char);
  }

  /**
   * Reads the whole text as one value, with nothing after it.
   * @throws StatusError INVALID_ARGUMENT with line, column and path; what was written to `out` is taken back.
   */
  readDocument(read: (input: JsonInput) => boolean, shape: JsonShape, prefix = ''): void {
    const start = this.out.pos;
    try {
      this.next();
      read(this);
      this.expectEnd();
    } catch (error) {
      this.out.pos = start;
      if (error instanceof JsonSyntaxError) throw this.syntaxStatus(error, shape, prefix);
      if (!(error instanceof TooManyViolations)) throw error;
    }
    if (this.violations.length === 0) return;
    this.out.pos = start;
    throw this.violationStatus(shape, prefix);
  }

  private syntaxStatus(error: JsonSyntaxError, shape: JsonShape, prefix: string): StatusError {
    const place = placesOf(this.buf, [error.offset], shape, prefix).get(error.offset)!;
    const where = place.path === '' ? '' : `, in ${shortPath(place.path)}`;
    return new StatusError(Code.INVALID_ARGUMENT, `invalid JSON at ${lineAndColumn(place)}${where}: ${error.message}`);
  }

  private violationStatus(shape: JsonShape, prefix: string): StatusError {
    const offsets = this.violations.map(({ offset }) => offset);
    const places = placesOf(this.buf, offsets, shape, prefix);
    const violations = this.violations.map(({ offset, description }): FieldViolation => {
      const place = places.get(offset)!;
      return { field: place.path, description: `${description} (${lineAndColumn(place)})` };
    });
    return new StatusError(Code.INVALID_ARGUMENT, summarize(violations), { violations });
  }
}

function lineAndColumn(place: JsonPlace): string {
  return `line ${place.line}, column ${place.column}`;
}

/** The end of a path that is too long to read. */
function shortPath(path: string): string {
  return path.length <= 100 ? path : `…${path.slice(-100)}`;
}
