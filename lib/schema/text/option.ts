/**
 * Parses options as they are written: `option NAME = VALUE;`, `[NAME = VALUE, …]` and the text format of aggregate values.
 * Names and types are not checked; whoever reads an option checks them, and has the place of each member.
 */
import type { SourcePlace } from '../../status.js';
import type { OptionNode, OptionPart } from './ast.js';
import type { Lexer } from './lexer.js';
import { StringSyntaxError, readString } from './strings.js';
import { detached, type SourceText } from './source.js';
import type { OptionField, OptionMessage, OptionValue } from '../types.js';

/** Deepest nesting of aggregates, so that no input overflows the stack. */
const MAX_DEPTH = 100;

/** Deepest nesting of packages: each is a scope that is searched for names. */
export const MAX_NAME_PARTS = 100;

/** Parses an `option` statement; the current token is `option`. Returns one node, or one for each element of a list. */
export function parseOptionStatement(lexer: Lexer): OptionNode[] {
  lexer.next();
  const nodes = parseOption(lexer);
  if (!lexer.is(';')) throw lexer.expected('";" after the option');
  return nodes;
}

/** Parses `[a = 1, (b).c = {…}]`; the current token is `[`. */
export function parseBracketedOptions(lexer: Lexer): OptionNode[] {
  lexer.next();
  const nodes = parseOption(lexer);
  const isOne = !lexer.is(',');
  while (lexer.is(',')) {
    lexer.next();
    for (const node of parseOption(lexer)) nodes.push(node);
  }
  expectSymbol(lexer, ']', 'after the options');
  // Usually there is one option. An array that was pushed to has spare capacity, and its copy has none.
  return isOne ? nodes : nodes.slice();
}

function parseOption(lexer: Lexer): OptionNode[] {
  const { source, start } = lexer;
  const path = parseOptionName(lexer);
  expectSymbol(lexer, '=', 'after the name of the option');
  return parseValues(lexer, 0).map((value) => new TextOption(path, value, source, start));
}

function parseOptionName(lexer: Lexer): readonly OptionPart[] {
  const first = parseOptionPart(lexer);
  if (!lexer.is('.')) return lexer.names.path(first);
  const parts = [first];
  while (lexer.is('.')) {
    lexer.next();
    parts.push(parseOptionPart(lexer));
    if (parts.length > MAX_DEPTH) throw lexer.failure(`an option is nested more than ${MAX_DEPTH} deep`);
  }
  return parts.slice();
}

function parseOptionPart(lexer: Lexer): OptionPart {
  if (!lexer.is('(')) return { text: takeIdentifier(lexer, 'the name of an option'), extension: false };
  lexer.next();
  const text = parseFullName(lexer, 'the name of an option');
  expectSymbol(lexer, ')', 'after the name of the option');
  return { text, extension: true };
}

/** `a.b.c` or `.a.b.c`. */
export function parseFullName(lexer: Lexer, what: string): string {
  const absolute = lexer.is('.');
  if (absolute) lexer.next();
  const first = takeIdentifier(lexer, what);
  if (!absolute && !lexer.is('.')) return first;
  let name = absolute ? `.${first}` : first;
  for (let parts = 1; lexer.is('.'); parts++) {
    if (parts >= MAX_NAME_PARTS) throw lexer.failure(`a name has more than ${MAX_NAME_PARTS} parts`);
    lexer.next();
    if (lexer.kind !== 'identifier') throw lexer.expected(what);
    name += `.${lexer.token}`;
    lexer.next();
  }
  return lexer.name(name);
}

/** Consumes an identifier; `what` names it in the error. */
export function takeIdentifier(lexer: Lexer, what: string): string {
  if (lexer.kind !== 'identifier') throw lexer.expected(what);
  const name = lexer.name();
  lexer.next();
  return name;
}

/** Consumes a symbol or fails; `where` completes the error. */
export function expectSymbol(lexer: Lexer, symbol: string, where: string): void {
  if (!lexer.is(symbol)) throw lexer.expected(`"${symbol}" ${where}`);
  lexer.next();
}

/** Something at an offset of a text. Its place is computed on demand. */
abstract class Placed {
  constructor(
    private readonly source: SourceText,
    private readonly start: number,
  ) {}

  get place(): SourcePlace {
    return this.source.placeAt(this.start);
  }
}

class TextOption extends Placed implements OptionNode {
  constructor(
    readonly path: readonly OptionPart[],
    readonly value: OptionValue,
    source: SourceText,
    start: number,
  ) {
    super(source, start);
  }
}

class TextOptionMessage extends Placed implements OptionMessage {
  constructor(
    readonly fields: readonly OptionField[],
    source: SourceText,
    start: number,
  ) {
    super(source, start);
  }
}

class TextOptionField extends Placed implements OptionField {
  constructor(
    readonly name: string,
    readonly value: OptionValue,
    source: SourceText,
    start: number,
  ) {
    super(source, start);
  }
}

/** One value, or all elements of a list. */
function parseValues(lexer: Lexer, depth: number): OptionValue[] {
  if (!lexer.is('[')) return [parseValue(lexer, depth)];
  lexer.next();
  const values: OptionValue[] = [];
  while (!lexer.is(']')) {
    values.push(parseValue(lexer, depth));
    if (lexer.is(',')) lexer.next();
    else if (!lexer.is(']')) throw lexer.expected('"," or "]" in the list');
  }
  lexer.next();
  return values;
}

function parseValue(lexer: Lexer, depth: number): OptionValue {
  if (lexer.is('{')) return parseMessage(lexer, '}', depth);
  if (lexer.is('<')) return parseMessage(lexer, '>', depth);
  if (lexer.kind === 'string') return parseString(lexer);
  if (lexer.is('-')) {
    const at = lexer.start;
    lexer.next();
    return negate(lexer, parseWordOrNumber(lexer), at);
  }
  return parseWordOrNumber(lexer);
}

function parseWordOrNumber(lexer: Lexer): OptionValue {
  if (lexer.kind === 'integer') return parseInteger(lexer);
  const token = lexer.token;
  if (lexer.kind === 'float') {
    lexer.next();
    return Number(token.replace(/f$/i, ''));
  }
  if (lexer.kind !== 'identifier') throw lexer.expected('a value: a string, a number, a name or { … }');
  lexer.next();
  return token === 'true' ? true : token === 'false' ? false : lexer.names.identifier(lexer.name(token));
}

function negate(lexer: Lexer, value: OptionValue, at: number): OptionValue {
  if (typeof value === 'number' || typeof value === 'bigint') return -value;
  if (typeof value === 'object' && 'identifier' in value && /^(inf|infinity|nan)$/i.test(value.identifier)) {
    return { identifier: `-${value.identifier}` };
  }
  throw lexer.failure('expected a number after "-"', at);
}

/** An integer in decimal, octal or hexadecimal notation; a bigint beyond 2^53. */
export function parseInteger(lexer: Lexer): number | bigint {
  const token = lexer.token;
  if (/^0[0-9]*[89]/.test(token)) {
    throw lexer.failure(`"${token.slice(0, 40)}" starts with 0 and so is octal, where 8 and 9 do not exist`);
  }
  // Bounds the work for a hostile run of digits, which would take quadratic time.
  if (token.length > 40) throw lexer.failure('an integer of more than 40 digits fits no type');
  lexer.next();
  const value = BigInt(/^0[0-7]+$/.test(token) ? `0o${token.slice(1)}` : token);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Adjacent literals are one string. */
export function parseString(lexer: Lexer): string {
  let value = '';
  while (lexer.kind === 'string') {
    try {
      value += readString(lexer.token);
    } catch (error) {
      if (!(error instanceof StringSyntaxError)) throw error;
      throw lexer.failure(error.message, lexer.start + error.offset, 'write a backslash as \\\\');
    }
    lexer.next();
  }
  return detached(value);
}

/** `{ name: value  name { … }  name: [ … ] }`; the current token is the opening one. */
function parseMessage(lexer: Lexer, close: string, depth: number): OptionMessage {
  if (depth >= MAX_DEPTH) throw lexer.failure(`an option is nested more than ${MAX_DEPTH} deep`);
  const { source, start } = lexer;
  lexer.next();
  const fields: OptionField[] = [];
  while (!lexer.is(close)) {
    for (const field of parseMember(lexer, close, depth)) fields.push(field);
    if (lexer.is(',') || lexer.is(';')) lexer.next();
  }
  lexer.next();
  return new TextOptionMessage(fields.slice(), source, start);
}

function parseMember(lexer: Lexer, close: string, depth: number): OptionField[] {
  const { source, start } = lexer;
  const name = parseMemberName(lexer, close);
  if (lexer.is(':')) lexer.next();
  else if (!lexer.is('{') && !lexer.is('<') && !lexer.is('[')) throw lexer.expected(`":" after "${name}"`);
  return parseValues(lexer, depth + 1).map((value) => new TextOptionField(name, value, source, start));
}

/** A field's name, or an extension's or Any's type in brackets: `[pkg.ext]`, `[type.googleapis.com/pkg.T]`. */
function parseMemberName(lexer: Lexer, close: string): string {
  if (!lexer.is('[')) return takeIdentifier(lexer, `the name of a field, or "${close}"`);
  lexer.next();
  let name = '[';
  while (!lexer.is(']')) {
    if (lexer.kind !== 'identifier' && !lexer.is('.') && !lexer.is('/') && !lexer.is('-')) {
      throw lexer.expected('the name of an extension, and "]" after it');
    }
    name += lexer.token;
    lexer.next();
  }
  lexer.next();
  return lexer.name(`${name}]`);
}

/**
 * Joins the statements of one extension, `option (x) = {…};` and `option (x).a.b = …;`, into one message. A member that is
 * set twice occurs twice; dotted paths with a common prefix share the message of that. Undefined if a statement sets the
 * whole extension to something other than a message.
 */
export function joinOptions(nodes: readonly OptionNode[]): OptionMessage | undefined {
  const first = nodes[0];
  if (first === undefined) return undefined;
  const joined = new JoinedMessage(first.place);
  for (const node of nodes) {
    if (node.path.length > 1) addByPath(joined, node);
    else if (!isOptionMessage(node.value)) return undefined;
    else for (const field of node.value.fields) joined.add(field);
  }
  return joined;
}

/** A message that consists of dotted paths. */
class JoinedMessage implements OptionMessage {
  readonly fields: OptionField[] = [];
  /** The last member of each name. */
  private readonly last = new Map<string, OptionValue>();

  constructor(readonly place: SourcePlace) {}

  add(field: OptionField): void {
    this.fields.push(field);
    this.last.set(field.name, field.value);
  }

  /** The message of that name, if the last member of that name came from a dotted path; otherwise a new one. */
  inner(name: string, place: SourcePlace): JoinedMessage {
    const known = this.last.get(name);
    if (known instanceof JoinedMessage) return known;
    const value = new JoinedMessage(place);
    this.add({ name, value, place });
    return value;
  }
}

function addByPath(joined: JoinedMessage, { path, value, place }: OptionNode): void {
  let target = joined;
  for (const part of path.slice(1, -1)) target = target.inner(memberName(part), place);
  target.add({ name: memberName(path[path.length - 1]!), value, place });
}

function memberName(part: OptionPart): string {
  return part.extension ? `[${part.text}]` : part.text;
}

/** True if the value is a message. */
export function isOptionMessage(value: OptionValue | undefined): value is OptionMessage {
  return typeof value === 'object' && 'fields' in value;
}
