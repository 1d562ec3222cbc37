/**
 * The query language: text → expression. A part of PromQL: selectors, `rate`, and the four aggregates with `by`. Every
 * error says what was found, where, and what was expected.
 */
import { badRequest, quoted } from '../lib/errors.js';
import { readDuration } from './times.js';

/** One condition of a selector. A label that a series does not have counts as empty. */
export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

export type Selector = readonly Matcher[];

export type Aggregate = 'sum' | 'avg' | 'max' | 'min';

export type Expression =
  | { readonly kind: 'selector'; readonly selector: Selector }
  | { readonly kind: 'rate'; readonly selector: Selector; readonly rangeMs: number }
  | { readonly kind: 'aggregate'; readonly by: readonly string[]; readonly how: Aggregate; readonly of: Expression };

const maxQueryCharacters = 8192;
const maxDepth = 20;
const maxPatternCharacters = 512;
/** How far back a rate looks where it does not say, and a selector always. */
export const lookbackMs = 5 * 60_000;

/** Parses a query; `field` is the request's, for the error. */
export function parseQuery(text: string, field = 'query'): Expression {
  const parser = new Parser(text, field);
  const expression = parser.expression(0);
  parser.end();
  return expression;
}

/** Parses a selector alone. */
export function parseSelector(text: string, field = 'match'): Selector {
  const parser = new Parser(text, field);
  const selector = parser.selector();
  parser.end();
  return selector;
}

interface Token {
  readonly text: string;
  readonly offset: number;
}

const tokenPattern =
  /\s+|(?<token>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|[A-Za-z_:][A-Za-z0-9_:]*|\d+[A-Za-z0-9]*|=~|!~|!=|[\s\S])/gu;

class Parser {
  readonly #text: string;
  readonly #field: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string, field: string) {
    this.#text = text;
    this.#field = field;
    if (text.length > maxQueryCharacters) throw this.#error(`is longer than ${maxQueryCharacters} characters`);
    const tokens: Token[] = [];
    for (const match of text.matchAll(tokenPattern)) {
      const token = match.groups!['token'];
      if (token !== undefined) tokens.push({ text: token, offset: match.index });
    }
    this.#tokens = tokens;
  }

  expression(depth: number): Expression {
    if (depth > maxDepth) throw this.#error(`is nested more than ${maxDepth} deep`);
    const word = this.#peek();
    const after = this.#tokens[this.#next + 1]?.text;
    if (word === 'rate' && after === '(') return this.#rate();
    if (isAggregate(word) && (after === '(' || after === 'by')) return this.#aggregate(word, depth);
    if (after === '(' && /^[a-z]/i.test(word)) {
      throw this.#expected('rate, sum, avg, max or min in front of a parenthesis');
    }
    return { kind: 'selector', selector: this.selector() };
  }

  selector(): Selector {
    const matchers: Matcher[] = [];
    if (/^[A-Za-z_:]/.test(this.#peek())) matchers.push({ label: '__name__', operator: '=', value: this.#take() });
    if (this.#peek() === '{') {
      matchers.push(...this.#list('{', '}', () => this.#matcher()));
    } else if (matchers.length === 0) {
      throw this.#expected('the name of a metric, or { with conditions');
    }
    if (!matchers.some(wantsSomething)) {
      throw this.#error('would match every series; give a name, or a label that is not empty');
    }
    return matchers;
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#expected('the end');
  }

  #rate(): Expression {
    this.#take();
    this.#require('(');
    const selector = this.selector();
    let rangeMs = lookbackMs;
    if (this.#peek() === '[') {
      this.#take();
      const range = readDuration(this.#peek());
      if (range === undefined) throw this.#expected('a duration such as 5m');
      rangeMs = range;
      this.#take();
      this.#require(']');
    }
    this.#require(')');
    return { kind: 'rate', selector, rangeMs };
  }

  #aggregate(how: Aggregate, depth: number): Expression {
    this.#take();
    let by = this.#by();
    this.#require('(');
    const of = this.expression(depth + 1);
    this.#require(')');
    by ??= this.#by();
    return { kind: 'aggregate', how, by: by ?? [], of };
  }

  #by(): string[] | undefined {
    if (this.#peek() !== 'by') return undefined;
    this.#take();
    return this.#list('(', ')', () => this.#label());
  }

  #matcher(): Matcher {
    const label = this.#label();
    const operator = this.#peek();
    if (operator !== '=' && operator !== '!=' && operator !== '=~' && operator !== '!~') {
      throw this.#expected('=, !=, =~ or !~');
    }
    this.#take();
    if (!/^["'`]./s.test(this.#peek())) throw this.#expected('a value in quotes');
    const at = this.#next;
    const value = unquote(this.#take());
    if (value === undefined) {
      this.#next = at;
      throw this.#expected('only escapes such as \\n, \\" and \\\\ in quotes');
    }
    if (operator.endsWith('~')) this.#requirePattern(value);
    return { label, operator, value };
  }

  #label(): string {
    if (!isLabelName(this.#peek())) throw this.#expected('the name of a label');
    return this.#take();
  }

  #requirePattern(pattern: string): void {
    if (pattern.length > maxPatternCharacters) {
      throw this.#error(`has an expression longer than ${maxPatternCharacters} characters`);
    }
    try {
      patternOf(pattern);
    } catch (error) {
      throw this.#error(`has the bad expression ${quoted(pattern)}: ${(error as Error).message}`);
    }
  }

  /** Entries between brackets, separated by commas, of which one may stand at the end. */
  #list<T>(open: string, close: string, entry: () => T): T[] {
    this.#require(open);
    const entries: T[] = [];
    while (this.#peek() !== close) {
      entries.push(entry());
      if (this.#peek() === ',') this.#take();
      else if (this.#peek() !== close) throw this.#expected(`, or ${close}`);
    }
    this.#take();
    return entries;
  }

  #peek(): string {
    return this.#tokens[this.#next]?.text ?? '';
  }

  #take(): string {
    return this.#tokens[this.#next++]?.text ?? '';
  }

  #require(text: string): void {
    if (this.#peek() !== text) throw this.#expected(text);
    this.#take();
  }

  #expected(what: string): Error {
    const token = this.#tokens[this.#next];
    if (token === undefined) return this.#error(`ends too early, expected ${what}`);
    const column = Array.from(this.#text.slice(0, token.offset)).length + 1;
    return this.#error(`has ${quoted(token.text)} at column ${column}, expected ${what}`);
  }

  #error(description: string): Error {
    return badRequest([{ field: this.#field, description }]);
  }
}

/** Whether a text can be the name of a label. */
export function isLabelName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** An expression of `=~`: it has to match the whole value. */
export function patternOf(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'su');
}

function isAggregate(word: string): word is Aggregate {
  return word === 'sum' || word === 'avg' || word === 'max' || word === 'min';
}

/** Whether a condition leaves out series that do not have its label. Expressions are tried later, under a time limit. */
function wantsSomething({ operator, value }: Matcher): boolean {
  if (operator === '=') return value !== '';
  return operator === '!=' ? value === '' : operator === '=~' && value !== '' && value !== '.*';
}

const escapes: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", '`': '`' },
};

function unquote(token: string): string | undefined {
  const inner = token.slice(1, -1);
  if (token.length < 2 || token.at(-1) !== token[0]) return undefined;
  if (token.startsWith('`')) return inner;
  let known = true;
  const text = inner.replace(/\\(.)/gsu, (_, letter: string) => {
    known &&= letter in escapes;
    return escapes[letter] ?? '';
  });
  return known ? text : undefined;
}
