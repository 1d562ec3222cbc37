/**
 * The rules for a file besides the grammar: every name can be resolved, and numbers and names are unique. Imported files are
 * checked too, because a route may reach any message. `google.api.http` rules are checked elsewhere.
 */
import { nearestName, type Problem, type ProblemList } from '../../status.js';
import { WireError } from '../../wire/index.js';
import type { Declaration, EnumNode, FieldNode, MessageNode, MethodNode, OptionNode } from '../text/ast.js';
import { isScalar, jsonName } from './declaration.js';
import type { LinkedSchema } from './descriptors.js';
import { defaultFeatures, inheritFeatures, isMessageSet, plainOption, syntaxName } from '../text/features.js';
import { type MissingImport, MissingImports } from './missing.js';
import { isOptionMessage } from '../text/option.js';
import { optionFault } from './option-rules.js';
import { MAX_FIELD_NUMBER, MAX_MESSAGE_SET_NUMBER } from '../text/parser.js';
import { joinName } from '../scopes.js';
import type { AnySymbol, ExtensionSymbol, Resolution, SourceFile } from './symbols.js';

/** Limit of "did you mean" hints, each of which compares with every known name. */
const MAX_SUGGESTIONS = 30;

/**
 * Checks all declarations of `files`, and reports mistakes to `problems`.
 * @returns imports that were not found and are not reported yet, with what needs them.
 */
export function checkFiles(
  files: readonly SourceFile[],
  schema: LinkedSchema,
  problems: ProblemList,
): readonly MissingImport[] {
  const missing = new MissingImports(files, schema.symbols);
  const checker = new Checker(schema, problems, missing);
  for (const file of files) checker.file(file);
  checker.extensionNumbers();
  return missing.all;
}

/** A mention of a type's name. */
interface TypeUse {
  /** Beginning of a sentence that ends with the name: `field a.M.x has the type`. */
  readonly what: string;
  /** For example `field a.M.x`. */
  readonly of: string;
  readonly type: string;
  readonly scope: string;
  readonly file: SourceFile;
}

class Checker {
  private suggestions = 0;
  private shortNames: Map<string, string> | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    private readonly problems: ProblemList,
    private readonly missing: MissingImports,
  ) {}

  file(file: SourceFile): void {
    const { node } = file;
    this.options(node.options, file);
    for (const message of node.messages) this.message(message, joinName(node.package, message.name), file);
    for (const inner of node.enums) this.enum(inner, joinName(node.package, inner.name), file);
    for (const { extendee, fields } of node.extends) this.extend(extendee, fields, node.package, file);
    for (const service of node.services) {
      const fullName = joinName(node.package, service.name);
      this.unique(service.methods, (method) => `rpc ${fullName}.${method.name}`);
      for (const method of service.methods) this.method(method, fullName, file);
    }
  }

  private message(node: MessageNode, fullName: string, file: SourceFile): void {
    for (const { options } of [node, ...node.oneofs]) this.options(options, file);
    for (const field of node.fields) this.field(field, fullName, file);
    this.unique([...node.fields, ...node.oneofs], ({ name }) => `field ${fullName}.${name}`);
    this.fieldNumbers(node, fullName);
    this.jsonNames(node, fullName, file);
    for (const inner of node.messages) this.message(inner, joinName(fullName, inner.name), file);
    for (const inner of node.enums) this.enum(inner, joinName(fullName, inner.name), file);
    for (const { extendee, fields } of node.extends) this.extend(extendee, fields, fullName, file);
  }

  // ---- names

  private field(node: FieldNode, scope: string, file: SourceFile): void {
    const fullName = joinName(scope, node.name);
    for (const { type } of node.map === undefined ? [node] : [node.map.value]) {
      if (isScalar(type)) continue;
      const found = this.schema.symbols.resolveType(type, scope, file);
      const context = { what: `field ${fullName} has the type`, of: `field ${fullName}`, type, scope, file };
      if (found.symbol === undefined) this.unknown(context, found, node);
      else this.found(context, found.symbol);
    }
    this.options(node.options, file);
    this.label(node, fullName, file.node.syntax);
  }

  private label(node: FieldNode, fullName: string, syntax: string): void {
    const { label } = node;
    if (syntax === 'proto2') {
      if (label !== undefined || node.map !== undefined || node.oneof !== undefined) return;
      const message = `field ${fullName} has no label; in proto2 it is optional, required or repeated`;
      this.error('proto-rule', message, node, 'proto3 is meant? Start the file with: syntax = "proto3";');
    } else if (node.group) {
      this.error('proto-rule', `field ${fullName} is a group, which only proto2 has`, node, 'declare a message');
    } else if (label === 'required' || (label === 'optional' && syntax !== 'proto3')) {
      const hint =
        syntax === 'proto3'
          ? 'remove it'
          : 'remove it; features.field_presence says EXPLICIT or LEGACY_REQUIRED instead';
      this.error('proto-rule', `field ${fullName} is ${label}, which ${syntaxName(syntax)} has not`, node, hint);
    }
  }

  private extend(extendee: string, fields: readonly FieldNode[], scope: string, file: SourceFile): void {
    const found = this.schema.symbols.resolveType(extendee, scope, file);
    const first = fields[0];
    if (first !== undefined && found.symbol?.kind !== 'message') {
      const fullName = joinName(scope, first.name);
      const what = `extension ${fullName} extends`;
      this.unknown({ what, of: `extension ${fullName}`, type: extendee, scope, file }, found, first);
    }
    for (const field of fields) this.field(field, scope, file);
  }

  private method(node: MethodNode, service: string, file: SourceFile): void {
    const rpc = `${service}.${node.name}`;
    for (const [role, type] of [
      ['request', node.input],
      ['response', node.output],
    ] as const) {
      const found = this.schema.symbols.resolveType(type, service, file);
      const context = { what: `the ${role} of rpc ${rpc} is of type`, of: `rpc ${rpc}`, type, scope: service, file };
      if (found.symbol?.kind === 'message') this.found(context, found.symbol);
      else this.unknown(context, found, node, rpc);
    }
    this.methodOptions(node, service, file, rpc);
  }

  private methodOptions(node: MethodNode, service: string, file: SourceFile, rpc: string): void {
    if (node.encodedOptions !== undefined) return this.encodedOptions(node, service, file, rpc);
    for (const option of node.options) {
      const name = option.path[0]!;
      if (!name.extension) continue;
      const { symbol, hidden } = this.schema.symbols.resolveExtension(name.text, service, file);
      if (symbol?.kind === 'extension') this.optionValue(option, symbol, rpc);
      else if (!this.isExcused(name.text, service, file, rpc, hidden)) {
        this.problems.error({
          code: 'unknown-option',
          message: `option (${name.text}) of rpc ${rpc} is declared by no file that ${file.node.place.file} imports`,
          place: option.place,
          rpc,
          hint: importHint(hidden, WELL_KNOWN_OPTIONS.get(name.text.replace(/^\./, ''))),
        });
      }
    }
  }

  /**
   * Whether an option of an RPC may be unknown. Options that are read here may not, because the RPC would lose its routes.
   */
  private isExcused(name: string, service: string, file: SourceFile, rpc: string, hidden?: AnySymbol): boolean {
    if (file.uncertain) return true;
    const loaded = hidden?.file.node.name;
    if (!WELL_KNOWN_OPTIONS.has(name.replace(/^\./, ''))) return this.missing.mayDeclare(name, service, file, loaded);
    return this.missing.attribute(name, service, file, `option (${name}) of rpc ${rpc}`, loaded);
  }

  private optionValue({ path, value, place }: OptionNode, extension: ExtensionSymbol, rpc: string): void {
    if (path.length > 1 || isOptionMessage(value) || isScalar(extension.node.type)) return;
    const type = this.schema.symbols.resolveType(extension.node.type, extension.scope, extension.file).symbol;
    if (type?.kind !== 'message') return;
    this.problems.error({
      code: 'option-value',
      message: `option (${extension.fullName}) of rpc ${rpc} is a ${type.fullName}, found a single value`,
      place,
      rpc,
      hint: `write option (${extension.fullName}) = { … };`,
    });
  }

  private encodedOptions(node: MethodNode, service: string, file: SourceFile, rpc: string): void {
    try {
      this.schema.customOptions(node, service, file, 'MethodOptions');
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.problems.error({
        code: 'option-value',
        message: `the options of rpc ${rpc} cannot be read: ${error.message}`,
        place: node.origin.place,
        rpc,
        hint: 'write the descriptor set again, with the .proto files that declare its options',
      });
    }
  }

  private unknown(
    { what, of, type, scope, file }: TypeUse,
    { symbol, hidden }: Resolution,
    { origin }: Declaration,
    rpc?: string,
  ): void {
    if (symbol === undefined) {
      // An imported file could not be read (reported) and may declare the name.
      const use = `type "${type}" of ${of}`;
      if (this.missing.attribute(type, scope, file, use, hidden?.file.node.name)) return;
      if (hidden === undefined && file.uncertain) return;
    }
    const found =
      symbol !== undefined
        ? `which is an ${symbol.kind}; expected a message`
        : hidden !== undefined
          ? `which ${hidden.file.node.name} declares, but ${file.node.place.file} does not import that file`
          : 'which no file declares';
    const hint =
      symbol !== undefined ? 'name a message' : hidden !== undefined ? importHint(hidden) : this.suggestion(type);
    this.problems.error({
      code: 'unresolved-type',
      message: `${what} "${type}", ${found}`,
      place: origin.place,
      ...(rpc === undefined ? {} : { rpc }),
      hint,
    });
  }

  private found({ of, type, scope, file }: TypeUse, { fullName }: AnySymbol): void {
    this.missing.attributeHidden(type, scope, fullName, file, `type "${type}" of ${of}`);
  }

  private suggestion(type: string): string {
    const imports = WELL_KNOWN_TYPES.get(type.replace(/^\./, ''));
    if (imports !== undefined) return `add: import "${imports}";`;
    const near = this.suggestions++ < MAX_SUGGESTIONS ? this.nearest(type.replace(/^\./, '')) : undefined;
    return near === undefined ? 'declare it, or import the file that does' : `did you mean ${near}?`;
  }

  private nearest(type: string): string | undefined {
    this.shortNames ??= new Map(
      [...this.schema.symbols.all()]
        .filter(({ kind }) => kind === 'message' || kind === 'enum')
        .map(({ fullName, node }) => [node.name, fullName]),
    );
    const short = nearestName(type.slice(type.lastIndexOf('.') + 1), this.shortNames.keys());
    return short === undefined ? undefined : this.shortNames.get(short);
  }

  // ---- options that change what a declaration means

  private options(options: readonly OptionNode[], file: SourceFile): void {
    for (const option of options) {
      const fault = optionFault(option, file.node.syntax);
      if (fault === undefined) continue;
      const { message, hint } = fault;
      this.problems.error({ code: 'proto-rule', message, place: option.place, ...(hint !== undefined && { hint }) });
    }
  }

  // ---- numbers and clashes

  private fieldNumbers(node: MessageNode, fullName: string): void {
    const byNumber = new Map<number, FieldNode>();
    for (const field of node.fields) {
      this.fieldNumber(field, `${fullName}.${field.name}`);
      const other = byNumber.get(field.number);
      if (other !== undefined) {
        const message = `field ${fullName}.${field.name} has number ${field.number}, which ${other.name} has already`;
        this.error('duplicate-number', message, field, 'give it a number of its own');
      }
      byNumber.set(field.number, field);
      const range = node.reservedRanges.find(({ from, to }) => field.number >= from && field.number <= to);
      if (range !== undefined || node.reservedNames.includes(field.name)) {
        const what = range === undefined ? 'name' : `number ${field.number}`;
        this.error('reserved', `field ${fullName}.${field.name} has a reserved ${what}`, field, 'take another one');
      }
    }
  }

  /**
   * Over all files: two extensions of one message need two numbers. For options it is only a warning, as in protoc: published
   * files share some numbers, and the text names the option.
   */
  extensionNumbers(): void {
    const seen = new Map<string, ExtensionSymbol>();
    for (const symbol of this.schema.symbols.all()) {
      if (symbol.kind !== 'extension') continue;
      const extended = this.schema.symbols.resolveType(symbol.extend.extendee, symbol.scope, symbol.file).symbol;
      if (extended === undefined) continue;
      const isSet = extended.kind === 'message' && isMessageSet(extended.node.options);
      this.fieldNumber(symbol.node, symbol.fullName, isSet ? MAX_MESSAGE_SET_NUMBER : MAX_FIELD_NUMBER);
      const key = `${extended.fullName}=${symbol.node.number}`;
      const other = seen.get(key);
      seen.set(key, symbol);
      if (other === undefined) continue;
      const message = `extensions ${other.fullName} and ${symbol.fullName} of ${extended.fullName} have one number, ${symbol.node.number}`;
      const hint = 'give one of them another number';
      if (isOptions(extended.fullName)) {
        this.problems.warn({ code: 'duplicate-number', message, place: symbol.node.origin.place, hint });
      } else {
        this.error('duplicate-number', message, symbol.node, hint);
      }
    }
  }

  private fieldNumber(field: FieldNode, fullName: string, max = MAX_FIELD_NUMBER): void {
    const { number } = field;
    if (number >= 1 && number <= max && (number < 19000 || number > 19999)) return;
    const message = `field ${fullName} has number ${number}; expected 1 to ${max} without 19000 to 19999`;
    this.error('field-number', message, field);
  }

  /** Two fields with one JSON name make JSON ambiguous; protoc refuses them except in proto2. */
  private jsonNames(node: MessageNode, fullName: string, file: SourceFile): void {
    const byName = new Map<string, FieldNode>();
    for (const field of node.fields) {
      const name = jsonName(field);
      const other = byName.get(name);
      byName.set(name, field);
      if (other === undefined || other.name === field.name) continue;
      const problem: Problem = {
        code: 'json-name',
        message: `fields ${other.name} and ${field.name} of ${fullName} have one JSON name, "${name}"`,
        place: field.origin.place,
        hint: 'rename one of them, or give it a [json_name = "…"]',
      };
      if (file.node.syntax === 'proto2') this.problems.warn(problem);
      else this.problems.error(problem);
    }
  }

  private enum(node: EnumNode, fullName: string, file: SourceFile): void {
    this.options(node.options, file);
    this.unique(node.values, ({ name }) => `enum value ${fullName}.${name}`);
    const first = node.values[0];
    if (first === undefined)
      return this.error('proto-rule', `enum ${fullName} has no value; expected at least one`, node);
    const features = inheritFeatures(
      inheritFeatures(defaultFeatures(file.node.syntax), file.node.options),
      node.options,
    );
    if (first.number !== 0 && features.enum_type === 'OPEN') {
      const message = `the first value of enum ${fullName} is ${first.name} = ${first.number}; expected 0`;
      this.error('proto-rule', message, first, 'put a value with number 0 first');
    }
    if (plainOption(node.options, 'allow_alias') !== true) this.enumNumbers(node, fullName);
  }

  private enumNumbers(node: EnumNode, fullName: string): void {
    const byNumber = new Map<number, string>();
    for (const value of node.values) {
      const other = byNumber.get(value.number);
      byNumber.set(value.number, value.name);
      if (other === undefined || other === value.name) continue;
      const message = `enum values ${other} and ${value.name} of ${fullName} have one number, ${value.number}`;
      this.error('duplicate-number', message, value, 'renumber one, or set option allow_alias = true; in the enum');
    }
  }

  private unique<Node extends Declaration>(nodes: readonly Node[], describe: (node: Node) => string): void {
    const seen = new Map<string, Node>();
    for (const node of nodes) {
      const other = seen.get(node.name);
      if (other === undefined) {
        seen.set(node.name, node);
        continue;
      }
      const { line } = other.origin.place;
      const where = line === undefined ? 'already' : `in line ${line} already`;
      this.error('duplicate-name', `${describe(node)} is declared ${where}`, node, 'rename or remove one of them');
    }
  }

  private error(code: string, message: string, { origin }: Declaration, hint?: string): void {
    const problem: Problem = { code, message, place: origin.place };
    this.problems.error(hint === undefined ? problem : { ...problem, hint });
  }
}

/** Whether this is an options message of descriptor.proto: `google.protobuf.MethodOptions`. */
function isOptions(message: string): boolean {
  return /^google\.protobuf\.\w+Options$/.test(message);
}

const WELL_KNOWN_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['google.api.http', 'google/api/annotations.proto'],
  ['photongate.http', 'photongate/http.proto'],
]);

const WELL_KNOWN_TYPES: ReadonlyMap<string, string> = new Map([
  ...['Any', 'Duration', 'Empty', 'FieldMask', 'Struct', 'Timestamp'].map(
    (name) =>
      [
        `google.protobuf.${name}`,
        `google/protobuf/${name === 'FieldMask' ? 'field_mask' : name.toLowerCase()}.proto`,
      ] as const,
  ),
  ...['Value', 'ListValue', 'NullValue'].map(
    (name) => [`google.protobuf.${name}`, 'google/protobuf/struct.proto'] as const,
  ),
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (name) => [`google.protobuf.${name}Value`, 'google/protobuf/wrappers.proto'] as const,
  ),
  ['google.api.HttpBody', 'google/api/httpbody.proto'],
  ['google.rpc.Status', 'google/rpc/status.proto'],
]);

function importHint(hidden: AnySymbol | undefined, file?: string): string {
  const name = hidden?.file.node.name ?? file;
  return name === undefined ? 'import the file that declares it' : `add: import "${name}";`;
}
