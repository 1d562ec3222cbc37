/**
 * The grammar of `.proto` files: proto2, proto3 and editions (https://protobuf.dev/reference/protobuf/edition-2023-spec/).
 * Text becomes a `FileNode`; names are not resolved, and `link/validate` checks the rules of the syntax. The file is long
 * because it has one method for each production of the grammar.
 */
import type { ProblemList } from '../../status.js';
import {
  EMPTY,
  type EnumNode,
  type EnumValueNode,
  type ExtendNode,
  type FieldNode,
  type FileNode,
  type MessageNode,
  type MethodNode,
  type Mutable,
  newMessage,
  type NumberRange,
  type OneofNode,
  type OptionNode,
  type Origin,
} from './ast.js';
import { isEdition, isMessageSet } from './features.js';
import {
  expectSymbol,
  parseBracketedOptions,
  parseFullName,
  parseInteger,
  parseOptionStatement,
  parseString,
  takeIdentifier,
} from './option.js';
import type { Names, SourceText } from './source.js';
import { StatementReader, UncommentedOrigin, type TextOrigin } from './statements.js';
import { joinName } from '../scopes.js';

/** Deepest nesting of messages, so that no input overflows the stack. protoc has the same limit. */
const MAX_DEPTH = 32;
/** Largest number of a field. */
export const MAX_FIELD_NUMBER = 0x1fffffff;
/** Largest number of an extension of a message set, which is not part of a tag. */
export const MAX_MESSAGE_SET_NUMBER = 0x7ffffffe;
const MAX_ENUM_NUMBER = 0x7fffffff;

/**
 * Parses one file. Syntax errors are added to `problems`; the result contains what could be read.
 * @param names interned names, shared by the files of a load.
 */
export function parseFile(name: string, source: SourceText, problems: ProblemList, names?: Names): FileNode {
  return new Parser(name, source, problems, names).file();
}

/** The message or file that gets the message of a group. */
type GroupScope = Pick<Mutable<MessageNode>, 'messages'>;

class Parser extends StatementReader {
  private readonly result: Mutable<FileNode>;

  constructor(name: string, source: SourceText, problems: ProblemList, names?: Names) {
    super(source, problems, names);
    this.result = {
      name,
      place: { file: source.file },
      syntax: 'proto2',
      package: '',
      imports: [],
      options: [],
      messages: [],
      enums: [],
      extends: [],
      services: [],
      incomplete: false,
    };
  }

  file(): FileNode {
    this.guard(() => this.lexer.next());
    this.guard(() => this.syntax());
    while (this.lexer.kind !== 'end') {
      const { start } = this.lexer;
      this.guard(() => this.fileStatement());
      // Consumes a "}" that closes nothing (reported): recovery never skips one, so the reader would not advance.
      if (this.lexer.start === start && this.lexer.is('}')) this.guard(() => this.lexer.next());
    }
    this.result.incomplete = this.failed;
    return this.result;
  }

  // ---- statements

  private option(into: OptionNode[]): void {
    for (const node of parseOptionStatement(this.lexer)) into.push(node);
    this.endStatement(undefined, 'the option');
  }

  // ---- the file

  private syntax(): void {
    if (!this.lexer.is('syntax') && !this.lexer.is('edition')) return;
    const keyword = this.lexer.token;
    this.lexer.next();
    expectSymbol(this.lexer, '=', `after "${keyword}"`);
    const at = this.lexer.start;
    if (this.lexer.kind !== 'string') throw this.lexer.expected(keyword === 'syntax' ? '"proto3"' : '"2023"');
    const value = parseString(this.lexer);
    const known = keyword === 'syntax' ? /^proto[23]$/.test(value) : isEdition(value);
    if (!known) {
      const choice = keyword === 'syntax' ? '"proto2" or "proto3"' : '"2023", "2024" or "2026"';
      throw this.lexer.failure(`${keyword} "${value}" is not known; expected ${choice}`, at);
    }
    this.result.syntax = value;
    this.endStatement(undefined, `the ${keyword}`);
  }

  private fileStatement(): void {
    const { lexer, result } = this;
    if (lexer.is(';')) return this.endDeclaration(undefined);
    if (lexer.is('import')) return this.import();
    if (lexer.is('package')) return this.package();
    if (lexer.is('option')) return this.option(result.options);
    if (lexer.is('extend')) return this.extend(result.extends, result, 0);
    if (lexer.is('service')) return this.service();
    const origin = this.visibility();
    if (lexer.is('message')) return this.message(result.messages, 0, origin);
    if (lexer.is('enum')) return this.enum(result.enums, origin);
    throw lexer.expected('message, enum, service, extend, import, package or option');
  }

  /** Edition 2024: `export message` and `local enum`. It does not affect the wire, so it is not stored. */
  private visibility(): TextOrigin {
    if (this.lexer.is('export') || this.lexer.is('local')) this.lexer.next();
    return this.origin();
  }

  private import(): void {
    this.lexer.next();
    const kind = this.lexer.kind === 'identifier' ? this.lexer.token : '';
    if (kind !== '') {
      if (!['public', 'weak', 'option'].includes(kind)) throw this.lexer.expected('the name of a file in quotes');
      this.lexer.next();
    }
    const place = this.source.placeAt(this.lexer.start);
    if (this.lexer.kind !== 'string') throw this.lexer.expected('the name of a file in quotes');
    const name = parseString(this.lexer);
    this.result.imports.push({
      name,
      public: kind === 'public',
      weak: kind === 'weak',
      option: kind === 'option',
      place,
    });
    this.endStatement(undefined, 'the import');
  }

  private package(): void {
    this.lexer.next();
    if (this.result.package !== '') throw this.lexer.failure('a file has one package, found a second one');
    const name = parseFullName(this.lexer, 'the name of a package');
    if (name.startsWith('.')) throw this.lexer.failure('the name of a package does not start with a dot');
    this.result.package = name;
    this.endStatement(undefined, 'the package');
  }

  // ---- messages

  private message(into: MessageNode[], depth: number, origin: TextOrigin): void {
    this.lexer.next();
    const node = newMessage(takeIdentifier(this.lexer, 'the name of a message'), origin, []);
    into.push(node);
    this.messageBody(node, depth, origin);
  }

  private messageBody(node: Mutable<MessageNode>, depth: number, origin: TextOrigin): void {
    if (depth >= MAX_DEPTH) throw this.lexer.failure(`messages are nested more than ${MAX_DEPTH} deep`);
    this.block(origin, `message ${node.name}`, () => this.messageStatement(node, depth + 1));
    // The option may follow the ranges.
    if (isMessageSet(node.options)) node.extensionRanges = node.extensionRanges.map(messageSetRange);
    trim(node);
  }

  private messageStatement(node: Mutable<MessageNode>, depth: number): void {
    const { lexer } = this;
    if (lexer.is('option')) return this.option(node.options);
    if (lexer.is('extend')) return this.extend(node.extends, node, depth);
    if (lexer.is('oneof')) return this.oneof(node, depth);
    if (lexer.is('reserved')) return this.reserved(node.reservedRanges, node.reservedNames, MAX_FIELD_NUMBER);
    if (lexer.is('extensions')) return this.extensions(node.extensionRanges);
    const origin = this.visibility();
    if (lexer.is('message')) return this.message(node.messages, depth, origin);
    if (lexer.is('enum')) return this.enum(node.enums, origin);
    if (lexer.kind === 'end') throw lexer.expected('a field');
    node.fields.push(this.field(node, depth, undefined));
  }

  private oneof(message: Mutable<MessageNode>, depth: number): void {
    const origin = this.origin();
    this.lexer.next();
    const options: OptionNode[] = [];
    const name = takeIdentifier(this.lexer, 'the name of a oneof');
    const node = { name, origin, options: options as readonly OptionNode[], synthetic: false };
    message.oneofs.push(node);
    this.block(origin, `oneof ${name}`, () => {
      if (this.lexer.is('option')) this.option(options);
      else message.fields.push(this.field(message, depth, node));
    });
    node.options = exact(options);
  }

  private extend(into: ExtendNode[], scope: GroupScope, depth: number): void {
    this.lexer.next();
    const extendee = parseFullName(this.lexer, 'the name of the extended message');
    const fields: FieldNode[] = [];
    into.push({ extendee, fields });
    this.block(undefined, `extension of ${extendee}`, () => {
      fields.push(this.field(scope, depth, undefined));
    });
  }

  /** One field; `scope` gets the message that a group declares. */
  private field(scope: GroupScope, depth: number, oneof: OneofNode | undefined): FieldNode {
    const { lexer } = this;
    const origin = this.origin();
    const label = this.label();
    if (label !== undefined && oneof !== undefined)
      throw lexer.failure(`a field of a oneof has no label, found "${label}"`);
    if (lexer.is('group')) return this.group(scope, depth, oneof, label, origin);
    const startsWithMap = lexer.is('map');
    const typeAt = lexer.start;
    let type = parseFullName(lexer, 'the type of a field');
    let map: { key: string; value: string } | undefined;
    if (startsWithMap && type === 'map' && lexer.is('<')) {
      if (label !== undefined || oneof !== undefined) {
        throw lexer.failure(`a map field has no label and stands in no oneof`, typeAt, 'write map<…> alone');
      }
      map = this.mapTypes();
      type = 'map';
    }
    const name = takeIdentifier(lexer, 'the name of a field');
    const number = this.fieldNumber(name);
    const options = lexer.is('[') ? parseBracketedOptions(lexer) : EMPTY;
    this.endStatement(origin, `field ${name}`);
    const entry = map === undefined ? undefined : mapFields(map, origin);
    return { name, origin, options, label, type, number, oneof, map: entry, group: false };
  }

  private label(): FieldNode['label'] {
    const token = this.lexer.kind === 'identifier' ? this.lexer.token : '';
    if (token !== 'optional' && token !== 'required' && token !== 'repeated') return undefined;
    this.lexer.next();
    return token;
  }

  private mapTypes(): { key: string; value: string } {
    this.lexer.next();
    const keyAt = this.lexer.start;
    const key = parseFullName(this.lexer, 'the type of the keys');
    if (!MAP_KEYS.has(key)) {
      throw this.lexer.failure(`the keys of a map are integers, bool or string, found "${key}"`, keyAt);
    }
    expectSymbol(this.lexer, ',', 'after the type of the keys');
    const value = parseFullName(this.lexer, 'the type of the values');
    expectSymbol(this.lexer, '>', 'after the type of the values');
    return { key, value };
  }

  private fieldNumber(name: string): number {
    expectSymbol(this.lexer, '=', `and a number after field ${name}`);
    if (this.lexer.kind !== 'integer') throw this.lexer.expected(`the number of field ${name}`);
    return Number(parseInteger(this.lexer));
  }

  /** A proto2 group: declares a field and its message. */
  private group(
    scope: GroupScope,
    depth: number,
    oneof: OneofNode | undefined,
    label: FieldNode['label'],
    origin: TextOrigin,
  ): FieldNode {
    const { lexer } = this;
    lexer.next();
    const nameAt = lexer.start;
    const type = takeIdentifier(lexer, 'the name of a group');
    if (!/^[A-Z]/.test(type)) throw lexer.failure(`the name of a group starts with a capital, found "${type}"`, nameAt);
    const name = type.toLowerCase();
    const number = this.fieldNumber(name);
    const options = lexer.is('[') ? parseBracketedOptions(lexer) : EMPTY;
    const message = newMessage(type, origin, []);
    scope.messages.push(message);
    this.messageBody(message, depth, origin);
    return { name, origin, options, label, type, number, oneof, map: undefined, group: true };
  }

  // ---- ranges

  private extensions(ranges: NumberRange[]): void {
    this.lexer.next();
    this.ranges(ranges, MAX_FIELD_NUMBER);
    if (this.lexer.is('[')) parseBracketedOptions(this.lexer);
    this.endStatement(undefined, 'the extension range');
  }

  /** `reserved 1, 4 to 6;`, `reserved "a", "b";` and, in editions, `reserved a, b;`. */
  private reserved(ranges: NumberRange[], names: string[], max: number): void {
    this.lexer.next();
    if (this.lexer.kind === 'string' || this.lexer.kind === 'identifier') {
      for (;;) {
        names.push(this.lexer.kind === 'string' ? parseString(this.lexer) : takeIdentifier(this.lexer, 'a name'));
        if (!this.lexer.is(',')) break;
        this.lexer.next();
      }
    } else {
      this.ranges(ranges, max);
    }
    this.endStatement(undefined, 'what is reserved');
  }

  private ranges(into: NumberRange[], max: number): void {
    for (;;) {
      const from = this.signedInteger('a number');
      let to = from;
      if (this.lexer.is('to')) {
        this.lexer.next();
        if (this.lexer.is('max')) {
          this.lexer.next();
          to = max;
        } else {
          to = this.signedInteger('a number, or max');
        }
      }
      into.push({ from, to });
      if (!this.lexer.is(',')) return;
      this.lexer.next();
    }
  }

  private signedInteger(what: string): number {
    const negative = this.lexer.is('-');
    if (negative) this.lexer.next();
    if (this.lexer.kind !== 'integer') throw this.lexer.expected(what);
    const value = Number(parseInteger(this.lexer));
    return negative ? -value : value;
  }

  // ---- enums

  private enum(into: EnumNode[], origin: TextOrigin): void {
    this.lexer.next();
    const options: OptionNode[] = [];
    const values: EnumValueNode[] = [];
    const reservedRanges: NumberRange[] = [];
    const reservedNames: string[] = [];
    const name = takeIdentifier(this.lexer, 'the name of an enum');
    const node = {
      name,
      origin,
      options: options as readonly OptionNode[],
      values: values as readonly EnumValueNode[],
      reservedRanges: reservedRanges as readonly NumberRange[],
      reservedNames: reservedNames as readonly string[],
    };
    into.push(node);
    this.block(origin, `enum ${name}`, () => {
      // Here `reserved = 1` and `option = 1` are values.
      if (this.lexer.is('option')) this.option(options);
      else if (this.lexer.is('reserved')) this.reserved(reservedRanges, reservedNames, MAX_ENUM_NUMBER);
      else values.push(this.enumValue());
    });
    node.options = exact(options);
    node.values = exact(values);
    node.reservedRanges = exact(reservedRanges);
    node.reservedNames = exact(reservedNames);
  }

  private enumValue(): EnumValueNode {
    const origin = this.origin();
    const name = takeIdentifier(this.lexer, 'the name of an enum value');
    expectSymbol(this.lexer, '=', `and a number after enum value ${name}`);
    const at = this.lexer.start;
    const number = this.signedInteger(`the number of enum value ${name}`);
    if (number > MAX_ENUM_NUMBER || number < -MAX_ENUM_NUMBER - 1) {
      throw this.lexer.failure(`the number of enum value ${name} does not fit 32 bits`, at);
    }
    const options = this.lexer.is('[') ? parseBracketedOptions(this.lexer) : EMPTY;
    this.endStatement(origin, `enum value ${name}`);
    return { name, origin, options, number };
  }

  // ---- services

  private service(): void {
    const origin = this.origin();
    this.lexer.next();
    const options: OptionNode[] = [];
    const methods: MethodNode[] = [];
    const name = takeIdentifier(this.lexer, 'the name of a service');
    this.result.services.push({ name, origin, options, methods });
    this.block(origin, `service ${name}`, () => {
      if (this.lexer.is('option')) this.option(options);
      else if (this.lexer.is('rpc')) this.method(methods, joinName(this.result.package, name));
      else throw this.lexer.expected('rpc or option');
    });
  }

  private method(into: MethodNode[], service: string): void {
    const origin = this.origin();
    this.lexer.next();
    const name = takeIdentifier(this.lexer, 'the name of an rpc');
    const input = this.methodType(`after rpc ${name}`);
    if (!this.lexer.is('returns')) throw this.lexer.expected(`"returns" after the request of rpc ${name}`);
    this.lexer.next();
    const output = this.methodType('after "returns"');
    const options: OptionNode[] = [];
    into.push({
      name,
      origin,
      options,
      input: input.type,
      output: output.type,
      clientStreaming: input.stream,
      serverStreaming: output.stream,
    });
    if (!this.lexer.is('{')) return this.endStatement(origin, `rpc ${name}, or "{" and its options`);
    this.rpc = `${service}.${name}`;
    try {
      this.block(origin, `rpc ${name}`, () => {
        if (!this.lexer.is('option')) throw this.lexer.expected('option');
        this.option(options);
      });
    } finally {
      this.rpc = undefined;
    }
  }

  private methodType(where: string): { type: string; stream: boolean } {
    expectSymbol(this.lexer, '(', where);
    const stream = this.lexer.is('stream');
    if (stream) this.lexer.next();
    const type = parseFullName(this.lexer, 'the name of a message');
    expectSymbol(this.lexer, ')', `after "${type}"`);
    return { type, stream };
  }
}

/** A list without spare capacity, which one that was pushed to has; most lists stay empty. */
function exact<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? EMPTY : list.slice();
}

/** Removes the spare capacity of a complete message's lists. */
function trim(node: { -readonly [K in keyof MessageNode]: MessageNode[K] }): void {
  node.options = exact(node.options);
  node.fields = exact(node.fields);
  node.oneofs = exact(node.oneofs);
  node.messages = exact(node.messages);
  node.enums = exact(node.enums);
  node.extends = exact(node.extends);
  node.extensionRanges = exact(node.extensionRanges);
  node.reservedRanges = exact(node.reservedRanges);
  node.reservedNames = exact(node.reservedNames);
}

const MAP_KEYS = new Set(
  'int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string'.split(' '),
);

/** The two fields of a map entry, which the text does not contain. */
function mapFields(map: { key: string; value: string }, origin: Origin): NonNullable<FieldNode['map']> {
  const field = (name: string, type: string, number: number): FieldNode => ({
    name,
    origin: new UncommentedOrigin(origin),
    options: EMPTY,
    label: undefined,
    type,
    number,
    oneof: undefined,
    map: undefined,
    group: false,
  });
  return { key: field('key', map.key, 1), value: field('value', map.value, 2) };
}

/** `to max` is larger in a message set. */
function messageSetRange({ from, to }: NumberRange): NumberRange {
  return { from, to: to === MAX_FIELD_NUMBER ? MAX_MESSAGE_SET_NUMBER : to };
}
