/**
 * The independent parts of descriptors: what all of them take from their syntax tree, names, and enums, which refer to no
 * other type.
 */
import type { SourcePlace } from '../../status.js';
import type { Declaration, EnumValueNode, FieldNode } from '../text/ast.js';
import { plainOption } from '../text/features.js';
import type { EnumSymbol } from './symbols.js';
import type { EnumDescriptor, EnumValueDescriptor, ScalarType } from '../types.js';

const SCALARS: ReadonlySet<string> = new Set<ScalarType>([
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
]);

/** True for the name of a scalar type. */
export function isScalar(type: string): type is ScalarType {
  return SCALARS.has(type);
}

/** The common part of all descriptors. */
export abstract class LinkedDeclaration<Node extends Declaration> {
  constructor(
    protected readonly node: Node,
    readonly fullName: string,
  ) {}

  get name(): string {
    return this.node.name;
  }

  get place(): SourcePlace {
    return this.node.origin.place;
  }

  get comment(): string {
    return this.node.origin.comment;
  }

  get deprecated(): boolean {
    return isDeprecated(this.node);
  }
}

function isDeprecated(node: Declaration): boolean {
  return plainOption(node.options, 'deprecated') === true;
}

/** The JSON name of a field that is not an extension. */
export function jsonName(node: FieldNode): string {
  const option = node.jsonName ?? plainOption(node.options, 'json_name');
  return typeof option === 'string' ? option : lowerCamelCase(node.name);
}

/** protoc's rule: underscores are removed, and the letter after each becomes a capital. */
function lowerCamelCase(name: string): string {
  return name.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

/** The name of the entry message of a map field. */
export function mapEntryName(field: string): string {
  const camel = lowerCamelCase(field);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

/** The descriptor of an enum. */
export class LinkedEnum extends LinkedDeclaration<EnumSymbol['node']> implements EnumDescriptor {
  private readonly byName: ReadonlyMap<string, EnumValueDescriptor>;
  private readonly byNumber = new Map<number, EnumValueDescriptor>();
  readonly values: readonly EnumValueDescriptor[];
  readonly hiddenNumbers: ReadonlySet<number>;

  constructor(
    symbol: EnumSymbol,
    readonly closed: boolean,
  ) {
    super(symbol.node, symbol.fullName);
    this.values = symbol.node.values.map((node) => new LinkedEnumValue(node));
    this.byName = new Map(this.values.map((value) => [value.name, value]));
    for (const value of this.values) if (!this.byNumber.has(value.number)) this.byNumber.set(value.number, value);
    const hidden = (symbol.node.hidden ?? []).map(({ number }) => number);
    // Of two names of a number, one may stay.
    this.hiddenNumbers = new Set(hidden.filter((number) => !this.byNumber.has(number)));
  }

  value(name: string): EnumValueDescriptor | undefined {
    return this.byName.get(name);
  }

  valueByNumber(number: number): EnumValueDescriptor | undefined {
    return this.byNumber.get(number);
  }
}

class LinkedEnumValue implements EnumValueDescriptor {
  readonly name: string;
  readonly number: number;

  constructor(private readonly node: EnumValueNode) {
    this.name = node.name;
    this.number = node.number;
  }

  get comment(): string {
    return this.node.origin.comment;
  }

  get deprecated(): boolean {
    return isDeprecated(this.node);
  }
}
