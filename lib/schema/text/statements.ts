/**
 * Statements of the protobuf language, independent of their grammar: where one ends, which comments belong to it, and how to
 * continue after a syntax error, so that one run finds all errors.
 */
import { ConfigError, type Problem, type ProblemList, type SourcePlace } from '../../status.js';
import type { Origin } from './ast.js';
import { gapComments } from './comments.js';
import { Lexer } from './lexer.js';
import type { Names, SourceText } from './source.js';

/** Further errors are mostly consequences of the first. */
const MAX_ERRORS = 20;
/** Limit of invalid tokens that are skipped between statements: a file with so many is no .proto file. */
const MAX_SKIPPED_ERRORS = 1000;

/** A declaration in a text: its first token, the gap before it, and the gap after its `;` or `{`. */
export class TextOrigin implements Origin {
  private bodyStart = -1;
  private bodyNext = -1;

  constructor(
    private readonly source: SourceText,
    private readonly gapStart: number,
    private readonly start: number,
  ) {}

  /** Records the end of the declaration's head. Its trailing comments are between there and the next token. */
  endsAt(end: number, next: number): void {
    this.bodyStart = end;
    this.bodyNext = next;
  }

  get place(): SourcePlace {
    return this.source.placeAt(this.start);
  }

  get comment(): string {
    const { text } = this.source;
    if (text === undefined) return '';
    const { leading } = gapComments(text, this.gapStart, this.start, this.gapStart > 0);
    if (leading !== '' || this.bodyStart < 0) return leading;
    return gapComments(text, this.bodyStart, this.bodyNext, true).trailing;
  }
}

/** The place of another declaration, without its comment. */
export class UncommentedOrigin implements Origin {
  readonly comment = '';

  constructor(private readonly of: Origin) {}

  get place(): SourcePlace {
    return this.of.place;
  }
}

/** Reads statements and recovers from errors. */
export class StatementReader {
  protected readonly lexer: Lexer;
  /** The RPC whose options are being read. */
  protected rpc: string | undefined;
  /** End of the last `;`, `{` or `}`; the comments of the next declaration start there. */
  private gapStart = 0;
  private errors = 0;
  private skippedErrors = 0;

  constructor(
    protected readonly source: SourceText,
    private readonly problems: ProblemList,
    names?: Names,
  ) {
    this.lexer = new Lexer(source, names);
  }

  /** Whether there was a syntax error. */
  protected get failed(): boolean {
    return this.errors > 0;
  }

  /** Runs one statement. After an error in it, skips to the start of the next one. */
  protected guard(statement: () => void): void {
    const depth = this.lexer.depth;
    try {
      statement();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // After giving up, errors of the enclosing blocks are consequences.
      if (this.errors < MAX_ERRORS) this.report(error.problems);
      if (++this.errors >= MAX_ERRORS) this.lexer.finish();
      this.skipStatement(depth);
    }
  }

  private report(problems: readonly Problem[]): void {
    const { rpc } = this;
    for (const problem of problems) this.problems.error(rpc === undefined ? problem : { ...problem, rpc });
  }

  /** Skips the `;` or `}` that ends a statement that began at this depth, or stops at the `}` that closes its block. */
  private skipStatement(depth: number): void {
    const { lexer } = this;
    while (lexer.kind !== 'end') {
      const closes = lexer.is('}');
      if (closes && lexer.depth <= depth) return;
      const ends = closes ? lexer.depth === depth + 1 : lexer.depth === depth && lexer.is(';');
      if (ends) this.gapStart = lexer.end;
      this.advanceQuietly();
      if (ends) return;
    }
  }

  private advanceQuietly(): void {
    try {
      this.lexer.next();
    } catch (error) {
      // The lexer has skipped the invalid token; one error for each statement is enough.
      if (!(error instanceof ConfigError)) throw error;
      if (++this.skippedErrors < MAX_SKIPPED_ERRORS) return;
      this.errors = MAX_ERRORS;
      this.lexer.finish();
    }
  }

  /** Reads statements up to the closing brace; the current token is the opening one. */
  protected block(origin: TextOrigin | undefined, what: string, statement: () => void): void {
    const opening = this.lexer.start;
    if (!this.lexer.is('{')) throw this.lexer.expected(`"{" after the name of the ${what}`);
    this.endDeclaration(origin);
    while (!this.lexer.is('}')) {
      if (this.lexer.kind === 'end') {
        const { line } = this.source.placeAt(opening);
        throw this.lexer.failure(`expected "}" to close the ${what} opened in line ${line}, found the end of the file`);
      }
      if (this.lexer.is(';')) this.endDeclaration(undefined);
      else this.guard(statement);
    }
    this.endDeclaration(undefined);
  }

  /** Consumes a `;`, `{` or `}`. */
  protected endDeclaration(origin: TextOrigin | undefined): void {
    const end = this.lexer.end;
    this.gapStart = end;
    this.lexer.next();
    origin?.endsAt(end, this.lexer.start);
  }

  protected endStatement(origin: TextOrigin | undefined, after: string): void {
    if (!this.lexer.is(';')) throw this.lexer.expected(`";" after ${after}`);
    this.endDeclaration(origin);
  }

  protected origin(): TextOrigin {
    return new TextOrigin(this.source, this.gapStart, this.lexer.start);
  }
}
