/**
 * The part of a schema that is left when declarations are taken away. What refers to them is found in the whole schema, before
 * they go, so that no name gets another meaning.
 */
import type { EnumNode, ExtendNode, FieldNode, FileNode, MessageNode, ServiceNode } from '../text/ast.js';
import { joinName } from '../scopes.js';
import type { HiddenField } from '../types.js';
import { mapEntryName } from './declaration.js';
import { SourceFile, type SymbolTable } from './symbols.js';

/** What is taken away. */
export interface Hidden {
  /** Full names of all of it, as in `declarationsOf`, and of the entry messages of hidden maps. */
  readonly names: ReadonlySet<string>;
  /** The extensions among it, by the message that they extend. */
  readonly extensions: ReadonlyMap<string, readonly HiddenField[]>;
}

/** The named declarations and all that cannot be described without them. */
export function findHidden(files: readonly SourceFile[], symbols: SymbolTable, named: ReadonlySet<string>): Hidden {
  const search = new HiddenSearch(symbols, named);
  for (const { node } of files) search.types(node, node.package, false);
  for (const file of files) search.references(file);
  return search;
}

class HiddenSearch implements Hidden {
  readonly names: Set<string>;
  readonly extensions = new Map<string, HiddenField[]>();

  constructor(
    private readonly symbols: SymbolTable,
    named: ReadonlySet<string>,
  ) {
    this.names = new Set(named);
  }

  /** Messages and enums: no other declaration makes one hidden but those around it and the first value of an enum. */
  types({ messages, enums }: Pick<MessageNode, 'messages' | 'enums'>, scope: string, isInHidden: boolean): void {
    for (const node of messages) {
      const fullName = joinName(scope, node.name);
      if (isInHidden) this.names.add(fullName);
      this.types(node, fullName, this.names.has(fullName));
    }
    for (const { name, values } of enums) {
      const fullName = joinName(scope, name);
      const first = values[0];
      const lacksFirst = first !== undefined && this.names.has(joinName(fullName, first.name));
      if (isInHidden || lacksFirst) this.names.add(fullName);
    }
  }

  /** Fields, extensions and RPCs of hidden types. */
  references(file: SourceFile): void {
    const { node } = file;
    this.members(node, node.package, file, false);
    for (const service of node.services) this.service(service, joinName(node.package, service.name), file);
  }

  private members(
    { messages, extends: extensions }: Pick<MessageNode, 'messages' | 'extends'>,
    scope: string,
    file: SourceFile,
    isInHidden: boolean,
  ): void {
    for (const node of messages) {
      const fullName = joinName(scope, node.name);
      for (const field of node.fields) this.field(field, fullName, file);
      this.members(node, fullName, file, this.names.has(fullName));
    }
    for (const extend of extensions) this.extend(extend, scope, file, isInHidden);
  }

  private field(field: FieldNode, scope: string, file: SourceFile): void {
    const fullName = joinName(scope, field.name);
    const { type } = field.map?.value ?? field;
    if (this.isHiddenType(type, scope, file)) this.names.add(fullName);
    if (field.map !== undefined && this.names.has(fullName)) this.names.add(joinName(scope, mapEntryName(field.name)));
  }

  private extend({ extendee, fields }: ExtendNode, scope: string, file: SourceFile, isInHidden: boolean): void {
    const extended = this.symbols.resolveType(extendee, scope, file).symbol?.fullName ?? extendee;
    for (const { name, type, number } of fields) {
      const fullName = joinName(scope, name);
      if (isInHidden || this.names.has(extended) || this.isHiddenType(type, scope, file)) this.names.add(fullName);
      if (!this.names.has(fullName)) continue;
      const hidden = { name: fullName, jsonName: `[${fullName}]`, number };
      const others = this.extensions.get(extended);
      if (others === undefined) this.extensions.set(extended, [hidden]);
      else others.push(hidden);
    }
  }

  private service({ methods }: ServiceNode, scope: string, file: SourceFile): void {
    let left = methods.length;
    for (const { name, input, output } of methods) {
      const fullName = joinName(scope, name);
      const isHidden = this.names.has(scope) || [input, output].some((type) => this.isHiddenType(type, scope, file));
      if (isHidden) this.names.add(fullName);
      if (this.names.has(fullName)) left--;
    }
    if (methods.length > 0 && left === 0) this.names.add(scope);
  }

  private isHiddenType(type: string, scope: string, file: SourceFile): boolean {
    const { symbol } = this.symbols.resolveType(type, scope, file);
    return symbol !== undefined && this.names.has(symbol.fullName);
  }
}

/** The files without what is hidden, each with the whole one. A file of which nothing is hidden has the same tree. */
export function visibleFiles(
  whole: readonly SourceFile[],
  hidden: ReadonlySet<string>,
): ReadonlyMap<SourceFile, SourceFile> {
  const parts = new Map(whole.map((file) => [file, new SourceFile(visibleFile(file.node, hidden), file.fromSet)]));
  for (const [file, part] of parts) {
    part.order = file.order;
    part.broken = file.broken;
    part.missing.push(...file.missing);
    for (const imported of file.imports) part.imports.push({ ...imported, file: parts.get(imported.file)! });
  }
  return new Map([...parts].map(([file, part]) => [part, file]));
}

function visibleFile(node: FileNode, hidden: ReadonlySet<string>): FileNode {
  const services = visible(node.services, node.package, hidden).map((service) => {
    const methods = visible(service.methods, joinName(node.package, service.name), hidden);
    return methods === service.methods ? service : { ...service, methods };
  });
  const nested = nestedIn(node, node.package, hidden);
  const isWhole = isSame(nested, node) && isSameList(services, node.services);
  return isWhole ? node : { ...node, ...nested, services };
}

type Nested = Pick<MessageNode, 'messages' | 'enums' | 'extends'>;

function nestedIn(
  { messages, enums, extends: extensions }: Nested,
  scope: string,
  hidden: ReadonlySet<string>,
): Nested {
  return {
    messages: visible(messages, scope, hidden).map((node) => visibleMessage(node, joinName(scope, node.name), hidden)),
    enums: visible(enums, scope, hidden).map((node) => visibleEnum(node, joinName(scope, node.name), hidden)),
    extends: extensions.map((extend) => {
      const fields = visible(extend.fields, scope, hidden);
      return fields === extend.fields ? extend : { ...extend, fields };
    }),
  };
}

function visibleMessage(node: MessageNode, fullName: string, hidden: ReadonlySet<string>): MessageNode {
  const fields = visible(node.fields, fullName, hidden);
  const nested = nestedIn(node, fullName, hidden);
  if (fields === node.fields && isSame(nested, node)) return node;
  const oneofs = node.oneofs.filter((oneof) => fields.some((field) => field.oneof === oneof));
  return { ...node, ...nested, fields, oneofs, hidden: node.fields.filter((field) => !fields.includes(field)) };
}

function visibleEnum(node: EnumNode, fullName: string, hidden: ReadonlySet<string>): EnumNode {
  const values = visible(node.values, fullName, hidden);
  if (values === node.values) return node;
  return { ...node, values, hidden: node.values.filter((value) => !values.includes(value)) };
}

/** The same list if nothing in it is hidden. */
function visible<N extends { readonly name: string }>(
  nodes: readonly N[],
  scope: string,
  hidden: ReadonlySet<string>,
): readonly N[] {
  const left = nodes.filter(({ name }) => !hidden.has(joinName(scope, name)));
  return left.length === nodes.length ? nodes : left;
}

function isSame(a: Nested, b: Nested): boolean {
  return isSameList(a.messages, b.messages) && isSameList(a.enums, b.enums) && isSameList(a.extends, b.extends);
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((node, index) => node === b[index]);
}
