/**
 * Builds the descriptors of `types` from the syntax trees. Each is built on first use and kept: of thousands of loaded
 * messages, only those are built that a route reaches. Unresolved names were reported during the load and are left out.
 */
import { ProblemList } from '../../status.js';
import { WireError } from '../../wire/index.js';
import type { Declaration, OptionNode } from '../text/ast.js';
import { decodeOptions } from '../set/decode-options.js';
import { hideDeclarations } from '../set/hide-declarations.js';
import { defaultFeatures, inheritFeatures, type Features } from '../text/features.js';
import { joinOptions } from '../text/option.js';
import type {
  EnumDescriptor,
  FileDescriptor,
  HiddenField,
  MessageDescriptor,
  OptionField,
  Schema,
  ServiceDescriptor,
} from '../types.js';
import { LinkedEnum } from './declaration.js';
import { writeFile } from './descriptor-bytes.js';
import { LinkedFile } from './linked-file.js';
import { LinkedMessage } from './linked-message.js';
import type { Links } from './links.js';
import { type EnumSymbol, type ExtensionSymbol, type MessageSymbol, type SourceFile, SymbolTable } from './symbols.js';
import { findHidden, type Hidden, visibleFiles } from './visible.js';

/** What was taken from a whole schema. */
interface SchemaPart {
  readonly hidden: Hidden;
  /** The FileDescriptorProto of a file of the part. */
  readonly encode: (file: SourceFile) => Buffer;
}

/** The schema of the loaded files; it makes all descriptors. */
export class LinkedSchema implements Schema, Links {
  readonly files: readonly FileDescriptor[];
  readonly services: readonly ServiceDescriptor[];
  private readonly messages = new Map<MessageSymbol, MessageDescriptor>();
  private readonly enums = new Map<EnumSymbol, EnumDescriptor>();
  private readonly fileFeatures = new Map<SourceFile, Features>();
  private extensions: Map<string, ExtensionSymbol[]> | undefined;
  private byFile: ReadonlyMap<SourceFile, FileDescriptor> | undefined;
  private descriptors: Schema | undefined;

  /**
   * @param loadDescriptors returns a schema that contains descriptor.proto, for schemas that do not
   * @param part what was taken away to make this schema; undefined: it is whole
   */
  constructor(
    readonly symbols: SymbolTable,
    private readonly sources: readonly SourceFile[],
    private readonly loadDescriptors: () => Schema,
    private readonly part?: SchemaPart,
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

  without(named: ReadonlySet<string>): Schema {
    if (named.size === 0) return this;
    const hidden = findHidden(this.sources, this.symbols, named);
    const files = visibleFiles(this.sources, hidden.names);
    const symbols = new SymbolTable(new ProblemList());
    for (const file of files.keys()) symbols.addFile(file);
    const encode = (file: SourceFile): Buffer => {
      const whole = files.get(file)!;
      const { encoded } = this.linked(whole);
      return file.node === whole.node ? encoded : hideDeclarations(encoded, hidden.names);
    };
    return new LinkedSchema(symbols, [...files.keys()], this.loadDescriptors, { hidden, encode });
  }

  hides(fullName: string): boolean {
    return this.part?.hidden.names.has(fullName) ?? false;
  }

  hiddenExtensionsOf(fullName: string): readonly HiddenField[] {
    return this.part?.hidden.extensions.get(fullName) ?? [];
  }

  linked(file: SourceFile): FileDescriptor {
    this.byFile ??= new Map(this.sources.map((source, index) => [source, this.files[index]!]));
    return this.byFile.get(file)!;
  }

  encode(file: SourceFile): Buffer {
    if (this.part !== undefined) return this.part.encode(file);
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
