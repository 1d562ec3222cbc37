/**
 * Builds the descriptors of `types` from the syntax trees. Each is built on first use and kept: of thousands of loaded
 * messages, only those are built that a route reaches. Unresolved names were reported during the load and are left out.
 */
import { WireError } from '../../wire/index.js';
import {
  type Declaration,
  type FieldNode,
  type MessageNode,
  type MethodNode,
  newMessage,
  type OneofNode,
  type OptionNode,
} from '../text/ast.js';
import { isScalar, jsonName, LinkedDeclaration, LinkedEnum, mapEntryName } from './declaration.js';
import { decodeOptions } from '../set/decode-options.js';
import { dropImports } from '../set/drop-imports.js';
import { MAX_FIELD_NUMBER } from '../text/parser.js';
import { defaultFeatures, inheritFeatures, plainOption, type Features } from '../text/features.js';
import { isOptionMessage, joinOptions } from '../text/option.js';
import { joinName } from '../scopes.js';
import type { EnumSymbol, ExtensionSymbol, MessageSymbol, ServiceSymbol, SourceFile, SymbolTable } from './symbols.js';
import type {
  EnumDescriptor,
  FieldDescriptor,
  FileDescriptor,
  MapFields,
  MessageDescriptor,
  MethodDescriptor,
  OneofDescriptor,
  OptionField,
  OptionMessage,
  Restricted,
  ScalarType,
  Schema,
  ServiceDescriptor,
} from '../types.js';
import { restrictedIn } from './visibility.js';
import { writeFile } from './descriptor-bytes.js';

/** The schema of the loaded files; it makes all descriptors. */
export class LinkedSchema implements Schema {
  readonly files: readonly FileDescriptor[];
  readonly services: readonly ServiceDescriptor[];
  private readonly messages = new Map<MessageSymbol, MessageDescriptor>();
  private readonly enums = new Map<EnumSymbol, EnumDescriptor>();
  private readonly fileFeatures = new Map<SourceFile, Features>();
  private extensions: Map<string, ExtensionSymbol[]> | undefined;
  private byFile: ReadonlyMap<SourceFile, FileDescriptor> | undefined;
  private descriptors: Schema | undefined;

  /** @param loadDescriptors returns a schema that contains descriptor.proto, for schemas that do not */
  constructor(
    readonly symbols: SymbolTable,
    private readonly sources: readonly SourceFile[],
    private readonly loadDescriptors: () => Schema,
  ) {
    this.files = sources.map((file) => new LinkedFile(this, file));
    this.services = this.files
      .filter(({ order }) => order !== undefined)
      .sort((a, b) => a.order! - b.order!)
      .flatMap(({ services }) => services);
  }

  message(fullName: string): MessageDescriptor | undefined {
    const symbol = this.symbols.get(fullName);
    return symbol?.kind === 'message' ? this.messageOf(symbol) : undefined;
  }

  enum(fullName: string): EnumDescriptor | undefined {
    const symbol = this.symbols.get(fullName);
    return symbol?.kind === 'enum' ? this.enumOf(symbol) : undefined;
  }

  fileOf(fullName: string): FileDescriptor | undefined {
    const file = this.symbols.fileOf(fullName, this.sources);
    return file && this.linked(file);
  }

  linked(file: SourceFile): FileDescriptor {
    this.byFile ??= new Map(this.sources.map((source, index) => [source, this.files[index]!]));
    return this.byFile.get(file)!;
  }

  encode(file: SourceFile): Buffer {
    return writeFile(file, {
      type: (name, scope, from) => this.symbols.resolveType(name, scope, from).symbol,
      extension: (name, scope, from) => this.optionName(name, scope, from),
      options: (name) => this.optionsType(`google.protobuf.${name}`),
    });
  }

  /** The type of an options message. Files without custom options usually do not import descriptor.proto. */
  private optionsType(fullName: string): MessageDescriptor | undefined {
    return this.message(fullName) ?? (this.descriptors ??= this.loadDescriptors()).message(fullName);
  }

  messageOf(symbol: MessageSymbol): MessageDescriptor {
    let message = this.messages.get(symbol);
    if (message === undefined) {
      const features = inheritFeatures(this.featuresAround(symbol), symbol.node.options);
      message = new LinkedMessage(this, symbol.node, symbol.fullName, symbol.file, features);
      this.messages.set(symbol, message);
    }
    return message;
  }

  enumOf(symbol: EnumSymbol): EnumDescriptor {
    let found = this.enums.get(symbol);
    if (found === undefined) {
      const { enum_type } = inheritFeatures(this.featuresAround(symbol), symbol.node.options);
      found = new LinkedEnum(symbol, enum_type === 'CLOSED');
      this.enums.set(symbol, found);
    }
    return found;
  }

  /** The extensions of a message, in the order of the files. */
  extensionsOf(fullName: string): readonly ExtensionSymbol[] {
    this.extensions ??= this.collectExtensions();
    return this.extensions.get(fullName) ?? [];
  }

  featuresAround(symbol: { readonly parent: MessageSymbol | undefined; readonly file: SourceFile }): Features {
    const { parent } = symbol;
    if (parent !== undefined) return inheritFeatures(this.featuresAround(parent), parent.node.options);
    let features = this.fileFeatures.get(symbol.file);
    if (features === undefined) {
      const { syntax, options } = symbol.file.node;
      features = inheritFeatures(defaultFeatures(syntax), options);
      this.fileFeatures.set(symbol.file, features);
    }
    return features;
  }

  /** The full name of an option's extension; as written if it is unknown (reported during the load). */
  optionName(text: string, scope: string, file: SourceFile): string {
    const { symbol, hidden } = this.symbols.resolveExtension(text, scope, file);
    return (symbol ?? hidden)?.fullName ?? text.replace(/^\./, '');
  }

  /**
   * The custom options of a declaration, in order; `options` is the name of its options message: `MethodOptions`.
   * @throws WireError if the encoded options of a descriptor set are malformed.
   */
  customOptions(node: Declaration, scope: string, file: SourceFile, options: string): readonly OptionField[] {
    if (node.encodedOptions === undefined) return this.writtenOptions(node, scope, file);
    const type = this.message(`google.protobuf.${options}`);
    if (type === undefined) return [];
    return decodeOptions(type, node.encodedOptions, node.origin.place)
      .fields.filter(({ name }) => name.startsWith('['))
      .map((field) => ({ ...field, name: field.name.slice(1, -1) }));
  }

  /** Like `customOptions`, but empty if the encoded options are malformed; those of methods were reported during the load. */
  readableOptions(node: Declaration, scope: string, file: SourceFile, options: string): readonly OptionField[] {
    try {
      return this.customOptions(node, scope, file, options);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return [];
    }
  }

  private writtenOptions(node: Declaration, scope: string, file: SourceFile): OptionField[] {
    const byName = new Map<string, OptionNode[]>();
    for (const option of node.options) {
      const first = option.path[0]!;
      if (!first.extension) continue;
      const name = this.optionName(first.text, scope, file);
      const nodes = byName.get(name);
      if (nodes === undefined) byName.set(name, [option]);
      else nodes.push(option);
    }
    return [...byName].flatMap(([name, nodes]): OptionField[] => {
      const message = joinOptions(nodes);
      if (message !== undefined) return [{ name, value: message, place: message.place }];
      return nodes.map(({ value, place }) => ({ name, value, place }));
    });
  }

  private collectExtensions(): Map<string, ExtensionSymbol[]> {
    const byMessage = new Map<string, ExtensionSymbol[]>();
    for (const symbol of this.symbols.all()) {
      if (symbol.kind !== 'extension') continue;
      const extended = this.symbols.resolveType(symbol.extend.extendee, symbol.scope, symbol.file).symbol;
      if (extended === undefined) continue;
      const list = byMessage.get(extended.fullName);
      if (list === undefined) byMessage.set(extended.fullName, [symbol]);
      else list.push(symbol);
    }
    return byMessage;
  }
}

class LinkedFile implements FileDescriptor {
  readonly name: string;
  readonly syntax: string;
  readonly package: string;
  readonly order: number | undefined;
  readonly services: readonly ServiceDescriptor[];
  private written: Buffer | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    private readonly file: SourceFile,
  ) {
    this.name = file.node.name;
    this.syntax = file.node.syntax;
    this.package = file.node.package;
    this.order = file.order;
    this.services = file.node.services
      .map((node) => schema.symbols.get(joinName(file.node.package, node.name)))
      .filter((symbol): symbol is ServiceSymbol => symbol?.kind === 'service' && symbol.file === file)
      .map((symbol) => new LinkedService(schema, symbol, this));
  }

  get imports(): readonly FileDescriptor[] {
    return this.file.imports.map(({ file }) => this.schema.linked(file));
  }

  get restricted(): readonly Restricted[] {
    const { schema, file } = this;
    return restrictedIn(file, ({ node, scope }, message) => schema.readableOptions(node, scope, file, message));
  }

  get encoded(): Buffer {
    return (this.written ??= this.encode());
  }

  private encode(): Buffer {
    const { encoded, imports, node } = this.file;
    if (encoded === undefined) return this.schema.encode(this.file);
    const found = new Set(imports.map(({ file }) => file.node.name));
    return node.imports.every(({ name }) => found.has(name)) ? encoded : dropImports(encoded, found);
  }
}

class LinkedService extends LinkedDeclaration<ServiceSymbol['node']> implements ServiceDescriptor {
  private built: readonly MethodDescriptor[] | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    private readonly symbol: ServiceSymbol,
    readonly file: FileDescriptor,
  ) {
    super(symbol.node, symbol.fullName);
  }

  get methods(): readonly MethodDescriptor[] {
    return (this.built ??= this.node.methods.flatMap((node) => this.method(node) ?? []));
  }

  private method(node: MethodNode): MethodDescriptor | undefined {
    const { symbols } = this.schema;
    const input = symbols.resolveType(node.input, this.fullName, this.symbol.file).symbol;
    const output = symbols.resolveType(node.output, this.fullName, this.symbol.file).symbol;
    if (input?.kind !== 'message' || output?.kind !== 'message') return undefined;
    return new LinkedMethod(this.schema, node, this, this.symbol.file, input, output);
  }
}

class LinkedMethod extends LinkedDeclaration<MethodNode> implements MethodDescriptor {
  readonly path: string;
  private options: ReadonlyMap<string, OptionMessage> | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    node: MethodNode,
    readonly service: ServiceDescriptor,
    private readonly file: SourceFile,
    private readonly inputSymbol: MessageSymbol,
    private readonly outputSymbol: MessageSymbol,
  ) {
    super(node, `${service.fullName}.${node.name}`);
    this.path = `/${service.fullName}/${node.name}`;
  }

  get input(): MessageDescriptor {
    return this.schema.messageOf(this.inputSymbol);
  }

  get output(): MessageDescriptor {
    return this.schema.messageOf(this.outputSymbol);
  }

  get clientStreaming(): boolean {
    return this.node.clientStreaming;
  }

  get serverStreaming(): boolean {
    return this.node.serverStreaming;
  }

  get hasNoSideEffects(): boolean {
    const level = plainOption(this.node.options, 'idempotency_level');
    return typeof level === 'object' && 'identifier' in level && level.identifier === 'NO_SIDE_EFFECTS';
  }

  option(name: string): OptionMessage | undefined {
    this.options ??= this.readOptions();
    return this.options.get(name);
  }

  private readOptions(): ReadonlyMap<string, OptionMessage> {
    const options = new Map<string, OptionMessage>();
    const all = this.schema.readableOptions(this.node, this.service.fullName, this.file, 'MethodOptions');
    for (const { name, value } of all) if (isOptionMessage(value)) options.set(name, value);
    return options;
  }
}

class LinkedMessage extends LinkedDeclaration<MessageNode> implements MessageDescriptor {
  private ownFields: readonly FieldDescriptor[] | undefined;
  private ownOneofs: readonly OneofDescriptor[] | undefined;
  private ownExtensions: readonly FieldDescriptor[] | undefined;
  private byName: Map<string, FieldDescriptor> | undefined;
  private byNumber: Map<number, FieldDescriptor> | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    node: MessageNode,
    fullName: string,
    private readonly file: SourceFile,
    private readonly features: Features,
  ) {
    super(node, fullName);
  }

  get fields(): readonly FieldDescriptor[] {
    return (this.ownFields ??= this.node.fields.flatMap((node) => {
      const around = node.oneof === undefined ? this.features : inheritFeatures(this.features, node.oneof.options);
      return (
        linkField(this.schema, node, { parent: this, scope: this.fullName, file: this.file, features: around }) ?? []
      );
    }));
  }

  get untypedFields(): readonly string[] {
    return this.node.fields.map(({ name }) => name).filter((name) => this.field(name) === undefined);
  }

  get oneofs(): readonly OneofDescriptor[] {
    return (this.ownOneofs ??= this.node.oneofs
      .filter(({ synthetic }) => !synthetic)
      .map((node) => new LinkedOneof(node, joinName(this.fullName, node.name), this)));
  }

  get extensions(): readonly FieldDescriptor[] {
    return (this.ownExtensions ??= this.schema.extensionsOf(this.fullName).flatMap((symbol) => {
      const { node, scope, file, fullName } = symbol;
      // Only message sets have such numbers; their wire form does not use a tag for them.
      if (node.number > MAX_FIELD_NUMBER) return [];
      const features = this.schema.featuresAround(symbol);
      return linkField(this.schema, node, { parent: this, scope, file, features, extension: fullName }) ?? [];
    }));
  }

  field(name: string): FieldDescriptor | undefined {
    return (this.byName ??= fieldsByName(this.fields)).get(name);
  }

  fieldByNumber(number: number): FieldDescriptor | undefined {
    this.byNumber ??= new Map(this.fields.map((field) => [field.number, field]));
    return this.byNumber.get(number);
  }

  /** The descriptor of a oneof of this message. */
  oneof(node: OneofNode | undefined): OneofDescriptor | undefined {
    if (node === undefined || node.synthetic) return undefined;
    return this.oneofs.find((oneof) => oneof instanceof LinkedOneof && oneof.declares(node));
  }
}

function fieldsByName(fields: readonly FieldDescriptor[]): Map<string, FieldDescriptor> {
  const byName = new Map(fields.map((field) => [field.jsonName, field]));
  for (const field of fields) byName.set(field.name, field);
  return byName;
}

class LinkedOneof extends LinkedDeclaration<OneofNode> implements OneofDescriptor {
  private members: readonly FieldDescriptor[] | undefined;

  constructor(
    node: OneofNode,
    fullName: string,
    private readonly parent: LinkedMessage,
  ) {
    super(node, fullName);
  }

  get fields(): readonly FieldDescriptor[] {
    return (this.members ??= this.parent.fields.filter(({ oneof }) => oneof === this));
  }

  declares(node: OneofNode): boolean {
    return this.node === node;
  }
}

interface FieldContext {
  readonly parent: LinkedMessage;
  readonly scope: string;
  readonly file: SourceFile;
  readonly features: Features;
  /** Full name of an extension. */
  readonly extension?: string;
}

/** A field's descriptor; undefined if its type is unknown. */
function linkField(schema: LinkedSchema, node: FieldNode, context: FieldContext): FieldDescriptor | undefined {
  if (node.map !== undefined) {
    const entry = entryMessage(schema, node, node.map, context);
    const [key, value] = entry.fields;
    if (key === undefined || value === undefined) return undefined;
    return new LinkedField(schema, node, context, undefined, { key, value });
  }
  if (isScalar(node.type)) return new LinkedField(schema, node, context, undefined, undefined);
  const { symbol } = schema.symbols.resolveType(node.type, context.scope, context.file);
  if (symbol?.kind !== 'message' && symbol?.kind !== 'enum') return undefined;
  return new LinkedField(schema, node, context, symbol, undefined);
}

/** The entry message of a map on the wire. */
function entryMessage(
  schema: LinkedSchema,
  field: FieldNode,
  { key, value }: NonNullable<FieldNode['map']>,
  { scope, file, features }: FieldContext,
): LinkedMessage {
  const node: MessageNode = { ...newMessage(mapEntryName(field.name), field.origin, []), fields: [key, value] };
  // Keys and values of a map are always length-prefixed, whatever the features of the file.
  const own: Features = { ...inheritFeatures(features, field.options), message_encoding: 'LENGTH_PREFIXED' };
  return new LinkedMessage(schema, node, joinName(scope, node.name), file, own);
}

class LinkedField extends LinkedDeclaration<FieldNode> implements FieldDescriptor {
  readonly jsonName: string;
  readonly number: number;
  readonly parent: MessageDescriptor;
  readonly type: ScalarType | 'enum' | 'message';
  readonly repeated: boolean;
  readonly hasPresence: boolean;
  readonly isProto3Optional: boolean;
  readonly required: boolean;
  readonly packed: boolean;
  readonly delimited: boolean;
  readonly validateUtf8: boolean;
  readonly oneof: OneofDescriptor | undefined;
  readonly isExtension: boolean;
  private knownBehaviors: readonly string[] | undefined;

  constructor(
    private readonly schema: LinkedSchema,
    node: FieldNode,
    private readonly context: FieldContext,
    private readonly symbol: MessageSymbol | EnumSymbol | undefined,
    readonly map: MapFields | undefined,
  ) {
    const { parent, extension } = context;
    super(node, extension ?? joinName(parent.fullName, node.name));
    const features = inheritFeatures(context.features, node.options);
    const isMessage = map !== undefined || symbol?.kind === 'message';
    this.parent = parent;
    this.number = node.number;
    this.type = isMessage ? 'message' : symbol === undefined ? (node.type as ScalarType) : 'enum';
    this.jsonName = extension === undefined ? jsonName(node) : `[${extension}]`;
    this.isExtension = extension !== undefined;
    this.repeated = node.label === 'repeated' && map === undefined;
    this.oneof = parent.oneof(node.oneof);
    this.isProto3Optional = node.label === 'optional' && context.file.node.syntax === 'proto3';
    this.required = node.label === 'required' || features.field_presence === 'LEGACY_REQUIRED';
    this.hasPresence =
      !this.repeated &&
      map === undefined &&
      (isMessage || node.oneof !== undefined || node.label !== undefined || this.isExtension || hasPresence(features));
    this.packed = this.repeated && isPackable(this.type) && isPacked(node, features);
    this.delimited = symbol?.kind === 'message' && (node.group || features.message_encoding === 'DELIMITED');
    this.validateUtf8 = this.type === 'string' && features.utf8_validation === 'VERIFY';
  }

  override get name(): string {
    return this.isExtension ? this.fullName : this.node.name;
  }

  get message(): MessageDescriptor | undefined {
    return this.symbol?.kind === 'message' ? this.schema.messageOf(this.symbol) : undefined;
  }

  get enum(): EnumDescriptor | undefined {
    return this.symbol?.kind === 'enum' ? this.schema.enumOf(this.symbol) : undefined;
  }

  get behaviors(): readonly string[] {
    return (this.knownBehaviors ??= this.readBehaviors());
  }

  private readBehaviors(): readonly string[] {
    const { scope, file } = this.context;
    return this.schema
      .readableOptions(this.node, scope, file, 'FieldOptions')
      .filter(({ name }) => name === 'google.api.field_behavior')
      .flatMap(({ value }) => (typeof value === 'object' && 'identifier' in value ? [value.identifier] : []));
  }
}

function hasPresence(features: Features): boolean {
  return features.field_presence !== 'IMPLICIT';
}

function isPackable(type: FieldDescriptor['type']): boolean {
  return type !== 'string' && type !== 'bytes' && type !== 'message';
}

function isPacked(node: FieldNode, features: Features): boolean {
  const option = plainOption(node.options, 'packed');
  return typeof option === 'boolean' ? option : features.repeated_field_encoding === 'PACKED';
}
