/** The descriptors of files, services and methods. Methods are built on first use. */
import type { MethodNode } from '../text/ast.js';
import { plainOption } from '../text/features.js';
import { isOptionMessage } from '../text/option.js';
import { joinName } from '../scopes.js';
import { dropImports } from '../set/drop-imports.js';
import type {
  DeclaredName,
  FileDescriptor,
  MessageDescriptor,
  MethodDescriptor,
  OptionMessage,
  Restricted,
  ServiceDescriptor,
} from '../types.js';
import { LinkedDeclaration } from './declaration.js';
import { declarationsOf } from './declarations.js';
import type { Links } from './links.js';
import type { MessageSymbol, ServiceSymbol, SourceFile } from './symbols.js';
import { restrictedIn } from './visibility.js';

/** A loaded file. */
export class LinkedFile implements FileDescriptor {
  readonly name: string;
  readonly syntax: string;
  readonly package: string;
  readonly order: number | undefined;
  readonly services: readonly ServiceDescriptor[];
  private written: Buffer | undefined;

  constructor(
    private readonly schema: Links,
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

  get declarations(): readonly DeclaredName[] {
    return [...declarationsOf(this.file.node)].map(({ kind, fullName, node }) => ({
      kind,
      fullName,
      place: node.origin.place,
    }));
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
    private readonly schema: Links,
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
    private readonly schema: Links,
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
    return this.idempotencyLevel === 'NO_SIDE_EFFECTS';
  }

  get isIdempotent(): boolean {
    return this.hasNoSideEffects || this.idempotencyLevel === 'IDEMPOTENT';
  }

  private get idempotencyLevel(): string | undefined {
    const level = plainOption(this.node.options, 'idempotency_level');
    return typeof level === 'object' && 'identifier' in level ? level.identifier : undefined;
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
