/**
 * A file that was read as text → its FileDescriptorProto, as protoc writes it: absolute names, explicit JSON names, map
 * entries as messages, and a oneof for each proto3 `optional`. It contains all options whose type the schema knows. Not
 * included, because they are not stored: options of extension ranges, `export` and `local`, lines and comments.
 */
import { WireType, Writer } from '../../wire/index.js';
import type {
  Declaration,
  EnumNode,
  ExtendNode,
  FieldNode,
  MessageNode,
  NumberRange,
  OneofNode,
  OptionNode,
  ServiceNode,
  ImportNode,
} from '../text/ast.js';
import { isScalar, jsonName, mapEntryName } from './declaration.js';
import { plainOption } from '../text/features.js';
import { joinOptions } from '../text/option.js';
import { encodeUtf8 } from '../text/strings.js';
import { joinName } from '../scopes.js';
import type { AnySymbol, SourceFile } from './symbols.js';
import type { MessageDescriptor, OptionValue } from '../types.js';
import { realOf, writeOptions } from './option-bytes.js';

/** Resolves the names of a file. */
export interface FileNames {
  /** A message or enum by its name as written in a scope; undefined if it is unknown. */
  type(name: string, scope: string, file: SourceFile): AnySymbol | undefined;
  /** An extension's full name. */
  extension(name: string, scope: string, file: SourceFile): string;
  /** The type of an options message: `FieldOptions`. */
  options(name: string): MessageDescriptor | undefined;
}

/** The bytes of the FileDescriptorProto. */
export function writeFile(file: SourceFile, names: FileNames): Buffer {
  return new FileWriter(file, names).write();
}

/** google.protobuf.FieldDescriptorProto.Type */
const TYPES: ReadonlyMap<string, number> = new Map([
  ['double', 1],
  ['float', 2],
  ['int64', 3],
  ['uint64', 4],
  ['int32', 5],
  ['fixed64', 6],
  ['fixed32', 7],
  ['bool', 8],
  ['string', 9],
  ['group', 10],
  ['message', 11],
  ['bytes', 12],
  ['uint32', 13],
  ['enum', 14],
  ['sfixed32', 15],
  ['sfixed64', 16],
  ['sint32', 17],
  ['sint64', 18],
]);

const LABELS = { optional: 1, required: 2, repeated: 3 } as const;

/** google.protobuf.Edition */
const EDITIONS: Readonly<Record<string, number>> = { '2023': 1000, '2024': 1001, '2026': 1002 };

/** Fields of FieldDescriptorProto that text writes as options. */
const FIELD_ONLY: ReadonlySet<string> = new Set(['default', 'json_name']);

class FileWriter {
  private readonly out = new Writer(4096);

  constructor(
    private readonly file: SourceFile,
    private readonly names: FileNames,
  ) {}

  write(): Buffer {
    const { node } = this.file;
    const { syntax } = node;
    const forOptions = namesOf(node.imports, ({ option }) => option);
    const weak = namesOf(node.imports, (wanted) => wanted.weak);
    const imports = this.file.imports.filter(({ file }) => !forOptions.has(file.node.name));
    this.string(1, node.name);
    if (node.package !== '') this.string(2, node.package);
    for (const { file } of imports) this.string(3, file.node.name);
    for (const message of node.messages) this.nested(4, () => this.message(message, node.package));
    for (const inner of node.enums) this.nested(5, () => this.enum(inner, node.package));
    for (const service of node.services) this.nested(6, () => this.service(service));
    this.extensions(7, node.extends, node.package);
    this.options(8, node.options, node.package, 'FileOptions');
    for (const [index, imported] of imports.entries()) if (imported.public) this.integer(10, index);
    for (const [index, { file }] of imports.entries()) if (weak.has(file.node.name)) this.integer(11, index);
    if (syntax === 'proto3') this.string(12, syntax);
    const edition = EDITIONS[syntax];
    if (edition !== undefined) {
      this.string(12, 'editions');
      this.integer(14, edition);
    }
    for (const { file } of this.file.imports) if (forOptions.has(file.node.name)) this.string(15, file.node.name);
    return this.out.take();
  }

  private message(node: MessageNode, around: string): void {
    const scope = joinName(around, node.name);
    const written = node.oneofs.filter(({ synthetic }) => !synthetic);
    const optional = this.file.node.syntax === 'proto3' ? node.fields.filter(isExplicit) : [];
    const indexes = new Map<OneofNode | FieldNode, number>();
    for (const member of [...written, ...optional]) indexes.set(member, indexes.size);
    this.string(1, node.name);
    for (const field of node.fields) this.nested(2, () => this.field(field, scope, indexes));
    for (const inner of node.messages) this.nested(3, () => this.message(inner, scope));
    for (const field of node.fields) if (field.map !== undefined) this.nested(3, () => this.mapEntry(field, scope));
    for (const inner of node.enums) this.nested(4, () => this.enum(inner, scope));
    for (const range of node.extensionRanges) this.range(5, range, 1);
    this.extensions(6, node.extends, scope);
    this.options(7, node.options, scope, 'MessageOptions');
    for (const oneof of written) {
      this.nested(8, () => {
        this.string(1, oneof.name);
        this.options(2, oneof.options, scope, 'OneofOptions');
      });
    }
    for (const name of syntheticNames(node, optional)) this.nested(8, () => this.string(1, name));
    for (const range of node.reservedRanges) this.range(9, range, 1);
    for (const name of node.reservedNames) this.string(10, name);
  }

  /** @param beyond 1: the end is exclusive, as for messages; 0: it is inclusive, as for enums. */
  private range(number: number, { from, to }: NumberRange, beyond: 0 | 1): void {
    this.nested(number, () => {
      this.integer(1, from);
      this.integer(2, to + beyond);
    });
  }

  private mapEntry(field: FieldNode, scope: string): void {
    const { key, value } = field.map!;
    this.string(1, mapEntryName(field.name));
    for (const member of [key, value]) this.nested(2, () => this.field(member, scope, new Map()));
    // MessageOptions.map_entry
    this.nested(7, () => this.flag(7));
  }

  private extensions(number: number, list: readonly ExtendNode[], scope: string): void {
    for (const { extendee, fields } of list) {
      const extended = this.names.type(extendee, scope, this.file);
      if (extended === undefined) continue;
      for (const field of fields) this.nested(number, () => this.field(field, scope, new Map(), extended));
    }
  }

  /** @param indexes of the declared oneofs, and of those for single fields. */
  private field(
    node: FieldNode,
    scope: string,
    indexes: ReadonlyMap<OneofNode | FieldNode, number>,
    extended?: AnySymbol,
  ): void {
    const type = this.typeOf(node, scope);
    const oneof = indexes.get(node.oneof ?? node);
    this.string(1, node.name);
    if (extended !== undefined) this.string(2, `.${extended.fullName}`);
    this.integer(3, node.number);
    this.integer(4, LABELS[node.map === undefined ? (node.label ?? 'optional') : 'repeated']);
    this.integer(5, TYPES.get(type.kind)!);
    if (type.name !== undefined) this.string(6, type.name);
    const value = plainOption(node.options, 'default');
    if (value !== undefined) this.bytes(7, encodeUtf8(defaultText(type.kind, value)));
    const options = node.options.filter(({ path }) => path[0]!.extension || !FIELD_ONLY.has(path[0]!.text));
    this.options(8, options, scope, 'FieldOptions');
    if (oneof !== undefined) this.integer(9, oneof);
    this.string(10, jsonName(node));
    if (this.file.node.syntax === 'proto3' && isExplicit(node)) this.flag(17);
  }

  private typeOf(node: FieldNode, scope: string): { kind: string; name?: string } {
    if (node.map !== undefined) return { kind: 'message', name: `.${joinName(scope, mapEntryName(node.name))}` };
    if (isScalar(node.type)) return { kind: node.type };
    const symbol = this.names.type(node.type, scope, this.file);
    // Unknown: reported during the load, and a schema with such a file is not served.
    const name = symbol === undefined ? node.type : `.${symbol.fullName}`;
    return { kind: symbol?.kind === 'enum' ? 'enum' : node.group ? 'group' : 'message', name };
  }

  private enum(node: EnumNode, around: string): void {
    this.string(1, node.name);
    for (const value of node.values) {
      this.nested(2, () => {
        this.string(1, value.name);
        this.integer(2, value.number);
        this.options(3, value.options, around, 'EnumValueOptions');
      });
    }
    this.options(3, node.options, around, 'EnumOptions');
    for (const range of node.reservedRanges) this.range(4, range, 0);
    for (const name of node.reservedNames) this.string(5, name);
  }

  private service(node: ServiceNode): void {
    const scope = joinName(this.file.node.package, node.name);
    this.string(1, node.name);
    for (const method of node.methods) {
      this.nested(2, () => {
        this.string(1, method.name);
        this.string(2, this.typeName(method.input, scope));
        this.string(3, this.typeName(method.output, scope));
        this.options(4, method.options, scope, 'MethodOptions');
        if (method.clientStreaming) this.flag(5);
        if (method.serverStreaming) this.flag(6);
      });
    }
    this.options(3, node.options, scope, 'ServiceOptions');
  }

  private typeName(written: string, scope: string): string {
    const symbol = this.names.type(written, scope, this.file);
    return symbol === undefined ? written : `.${symbol.fullName}`;
  }

  private options(number: number, nodes: Declaration['options'], scope: string, kind: string): void {
    if (nodes.length === 0) return;
    const type = this.names.options(kind);
    // All statements of an option are one message.
    const whole = joinOptions(nodes.map((node) => this.placed(node, scope)));
    if (type !== undefined && whole !== undefined) this.nested(number, () => writeOptions(this.out, type, whole));
  }

  private placed({ path, value, place }: OptionNode, scope: string): OptionNode {
    const parts = path.map(({ text, extension }) => ({
      text: extension ? this.names.extension(text, scope, this.file) : text,
      extension,
    }));
    return { path: [{ text: '', extension: false }, ...parts], value, place };
  }

  // ---- fields of the wire

  private tag(number: number, wireType: number): void {
    this.out.uint32(number * 8 + wireType);
  }

  private string(number: number, text: string): void {
    this.tag(number, WireType.BYTES);
    this.out.string(text);
  }

  private bytes(number: number, bytes: Buffer): void {
    this.tag(number, WireType.BYTES);
    this.out.bytes(bytes);
  }

  private integer(number: number, value: number): void {
    this.tag(number, WireType.VARINT);
    this.out.int32(value);
  }

  private flag(number: number): void {
    this.integer(number, 1);
  }

  private nested(number: number, write: () => void): void {
    this.tag(number, WireType.BYTES);
    const mark = this.out.begin();
    write();
    this.out.finish(mark);
  }
}

/** True for a proto3 `optional` field, which is written as a oneof of one field. */
function isExplicit({ label, oneof }: FieldNode): boolean {
  return label === 'optional' && oneof === undefined;
}

function namesOf(imports: readonly ImportNode[], isWanted: (wanted: ImportNode) => boolean): ReadonlySet<string> {
  return new Set(imports.filter(isWanted).map(({ name }) => name));
}

/** protoc's rule: the field's name after an underscore, preceded by an X if that name is taken. */
function syntheticNames(node: MessageNode, optional: readonly FieldNode[]): string[] {
  const taken = new Set(
    [node.fields, node.oneofs, node.messages, node.enums].flatMap((list) => list.map(({ name }) => name)),
  );
  return optional.map(({ name: field }) => {
    let name = field.startsWith('_') ? field : `_${field}`;
    while (taken.has(name)) name = `X${name}`;
    taken.add(name);
    return name;
  });
}

/** A default value in the notation of FieldDescriptorProto. */
function defaultText(type: string, value: OptionValue): string {
  if (type === 'bytes' && typeof value === 'string') return escaped(encodeUtf8(value));
  if (type === 'double' || type === 'float') return realText(realOf(value) ?? NaN);
  if (typeof value !== 'object') return String(value);
  return 'identifier' in value ? value.identifier : '';
}

function realText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

const ESCAPES: ReadonlyMap<number, string> = new Map(
  [...'\n\r\t"\'\\'].map((char, index) => [char.charCodeAt(0), `\\${'nrt"\'\\'[index]!}`]),
);

/** Escapes bytes like a string of C. */
function escaped(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f;
    text += ESCAPES.get(byte) ?? (isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`);
  }
  return text;
}
