/**
 * One JSON text being read: the scanner, the writer for its wire bytes, and its violations. A syntax error ends the reading.
 * A value that does not fit its field is recorded and skipped, so that a client learns of all its mistakes together.
 */
import { Code, StatusError, type FieldViolation } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import { AnyTypes } from './any-types.js';
import { isDigit, MINUS, OPEN_BRACE, OPEN_BRACKET, QUOTE, LOWER_F, LOWER_N, LOWER_T } from './chars.js';
import { placesOf, type JsonPlace, type JsonShape, type TextOrigin } from './place.js';
import { JsonScanner, JsonSyntaxError } from './scanner.js';
import { invalidArgument, MAX_VIOLATIONS } from './violations.js';

interface Violation {
  readonly offset: number;
  readonly description: string;
}

/** Thrown once there are `MAX_VIOLATIONS`; never leaves `readDocument`. */
class TooManyViolations extends Error {}

/** Reads one JSON text. */
export class JsonInput extends JsonScanner {
  readonly violations: Violation[] = [];
  private types: AnyTypes | undefined;

  constructor(
    json: Buffer,
    readonly out: Writer,
    maxDepth: number,
    /** Where the text starts, for error messages. */
    private readonly origin?: TextOrigin,
  ) {
    super(json, maxDepth);
  }

  /** The types of the Anys in this text. */
  get anyTypes(): AnyTypes {
    return (this.types ??= new AnyTypes(this));
  }

  /** Records an error of the key or value at `offset`. The caller continues as if that were absent. */
  violation(offset: number, description: string): void {
    this.violations.push({ offset, description });
    if (this.violations.length >= MAX_VIOLATIONS) throw new TooManyViolations();
  }

  /** Records that the value at `pos` does not fit its field, and skips it. */
  mismatch(expected: string): false {
    const offset = this.pos;
    const found = this.describeValue();
    this.violation(offset, `found ${found}, expected ${expected}`);
    return false;
  }

  /** Records that the last token, which starts at `offset`, cannot be read. */
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

  /** Skips the value at `pos` and describes it. */
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

  /** True if the value at `pos` starts like a number. */
  atNumber(): boolean {
    const char = this.buf[this.pos];
    return char === MINUS || isDigit(char);
  }

  /**
   * Reads the whole text as one value, with nothing after it.
   * @throws StatusError INVALID_ARGUMENT with line, column and path; `out` is then unchanged
   */
  readDocument(read: (input: JsonInput) => boolean, shape: JsonShape, prefix = ''): void {
    const start = this.out.pos;
    const waiting = this.out.waitingCount;
    // Few messages are larger than their JSON, so storage seldom grows.
    this.out.reserve(this.end);
    try {
      this.next();
      read(this);
      this.expectEnd();
    } catch (error) {
      this.out.rewind(start);
      if (error instanceof JsonSyntaxError) throw this.syntaxStatus(error, shape, prefix);
      if (!(error instanceof TooManyViolations)) throw error;
    }
    if (this.violations.length === 0) {
      this.out.settle(waiting);
      return;
    }
    this.out.rewind(start);
    throw this.violationStatus(shape, prefix);
  }

  private syntaxStatus(error: JsonSyntaxError, shape: JsonShape, prefix: string): StatusError {
    const place = placesOf(this.buf, [error.offset], shape, prefix).get(error.offset)!;
    const where = place.path === '' ? '' : `, in ${shortPath(place.path)}`;
    return new StatusError(
      Code.INVALID_ARGUMENT,
      `invalid JSON at ${this.lineAndColumn(place)}${where}: ${error.message}`,
    );
  }

  private violationStatus(shape: JsonShape, prefix: string): StatusError {
    const offsets = this.violations.map(({ offset }) => offset);
    const places = placesOf(this.buf, offsets, shape, prefix);
    const violations = this.violations.map(({ offset, description }): FieldViolation => {
      const place = places.get(offset)!;
      return { field: place.path, description: `${description} (${this.lineAndColumn(place)})` };
    });
    return invalidArgument(violations);
  }

  private lineAndColumn({ line, column }: JsonPlace): string {
    const { origin } = this;
    if (origin === undefined) return `line ${line}, column ${column}`;
    return `line ${origin.line + line - 1}, column ${line === 1 ? origin.column + column - 1 : column}`;
  }
}

/** The end of a path that is too long to read. */
function shortPath(path: string): string {
  return path.length <= 100 ? path : `…${path.slice(-100)}`;
}
