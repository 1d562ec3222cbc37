/**
 * The descriptors of messages, oneofs and fields. A field whose type is unknown is left out: that was reported during the
 * load.
 */
import { type FieldNode, type MessageNode, newMessage, type OneofNode } from '../text/ast.js';
import { inheritFeatures, plainOption, type Features } from '../text/features.js';
import { isOptionMessage } from '../text/option.js';
import { MAX_FIELD_NUMBER } from '../text/parser.js';
import { joinName } from '../scopes.js';
import type {
  EnumDescriptor,
  FieldDescriptor,
  HiddenField,
  MapFields,
  MessageDescriptor,
  OneofDescriptor,
  OptionMessage,
  OptionValue,
  ScalarType,
} from '../types.js';
import { isScalar, jsonName, LinkedDeclaration, mapEntryName } from './declaration.js';
import type { Links } from './links.js';
import type { EnumSymbol, MessageSymbol, SourceFile } from './symbols.js';

/** A message; its parts are built on first use. */
export class LinkedMessage extends LinkedDeclaration<MessageNode> implements MessageDescriptor {
  private ownFields: readonly FieldDescriptor[] | undefined;
  private ownOneofs: readonly OneofDescriptor[] | undefined;
  private ownExtensions: readonly FieldDescriptor[] | undefined;
  private ownHidden: readonly HiddenField[] | undefined;
  private byName: Map<string, FieldDescriptor> | undefined;
  private byNumber: Map<number, FieldDescriptor> | undefined;

  constructor(
    private readonly schema: Links,
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

  get hidden(): readonly HiddenField[] {
    return (this.ownHidden ??= [
      ...(this.node.hidden ?? []).map((node) => ({ name: node.name, jsonName: jsonName(node), number: node.number })),
      ...this.schema.hiddenExtensionsOf(this.fullName),
    ]);
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
function linkField(schema: Links, node: FieldNode, context: FieldContext): FieldDescriptor | undefined {
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
  schema: Links,
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
    private readonly schema: Links,
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

  get format(): string | undefined {
    return this.options('google.api.field_info').flatMap((info) =>
      isOptionMessage(info) ? namesIn(info, 'format') : [],
    )[0];
  }

  private readBehaviors(): readonly string[] {
    return this.options('google.api.field_behavior').flatMap(identifierOf);
  }

  private options(name: string): OptionValue[] {
    const { scope, file } = this.context;
    const all = this.schema.readableOptions(this.node, scope, file, 'FieldOptions');
    return all.filter((option) => option.name === name).map(({ value }) => value);
  }
}

function identifierOf(value: OptionValue): string[] {
  return typeof value === 'object' && 'identifier' in value ? [value.identifier] : [];
}

function namesIn({ fields }: OptionMessage, member: string): string[] {
  return fields.filter(({ name }) => name === member).flatMap(({ value }) => identifierOf(value));
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
