/**
 * A binary FileDescriptorSet (`protoc -o`), or the Buf image that extends it (`buf build`) → the same syntax trees as from
 * text. The bytes are decoded by the descriptors of descriptor.proto itself, so that no field number is repeated here. Custom
 * options stay encoded, because their definitions are among the files being read.
 */
import { ConfigError, type SourcePlace } from '../../status.js';
import { WireError } from '../../wire/index.js';
import type {
  Declaration,
  EnumNode,
  ExtendNode,
  FieldNode,
  FileNode,
  ImportNode,
  MessageNode,
  OneofNode,
  OptionNode,
  Origin,
  ServiceNode,
} from '../text/ast.js';
import { trimComment } from '../text/comments.js';
import { decodeOptions, EncodedMessage } from './decode-options.js';
import { isEdition } from '../text/features.js';
import { MAX_NAME_PARTS } from '../text/option.js';
import type { MessageDescriptor, OptionMessage, Schema } from '../types.js';

/**
 * The part of a Buf image that is read and that a FileDescriptorSet lacks
 * (https://buf.build/bufbuild/buf/docs/main:buf.alpha.image.v1). Loaded together with descriptor.proto.
 */
export const imageProto = `syntax = "proto2";
package buf.alpha.image.v1;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FileDescriptorProto {
  optional ImageFileExtension buf_extension = 8042;
}
message ImageFileExtension {
  optional bool is_import = 1;
}
`;

/** A file of a set. */
export interface SetEntry {
  readonly file: FileNode;
  /** Its FileDescriptorProto, a view of the set. */
  readonly bytes: Buffer;
  /** True if the file is only an import of others, so that its services are not served. Only Buf images mark this. */
  readonly isImport: boolean;
}

/**
 * The files of a set, in its order.
 * @param descriptors a schema that contains google/protobuf/descriptor.proto and `imageProto`.
 * @throws ConfigError if the bytes are no FileDescriptorSet.
 */
export function readDescriptorSet(name: string, bytes: Buffer, descriptors: Schema): SetEntry[] {
  // If descriptor.proto could not be loaded (reported), no set can be read.
  if (descriptors.message('google.protobuf.FileDescriptorSet') === undefined) return [];
  const types = new DescriptorTypes(descriptors);
  try {
    const place = { file: name };
    const fileType = types.get('FileDescriptorProto');
    const set = decodeOptions(types.get('FileDescriptorSet'), bytes, place, new Set([fileType]));
    const files = new Members(set).messages('file') as EncodedMessage[];
    if (files.length === 0) throw new WireError('it holds no file');
    return files.map(({ bytes: file }) => {
      const members = new Members(decodeOptions(fileType, file, place, types.encoded));
      const image = new Members(members.message('[buf.alpha.image.v1.buf_extension]'));
      return { file: new SetFile(name, members, types).file(), bytes: file, isImport: image.flag('is_import') };
    });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ConfigError({
      code: 'descriptor-set',
      message: `"${name}" is not a FileDescriptorSet: ${isJson(bytes) ? 'it is JSON, and only the binary form is read' : error.message}`,
      place: { file: name },
      hint: name.endsWith('.proto')
        ? 'give .proto files with --proto'
        : 'make one with protoc --include_imports --include_source_info -o FILE, or with buf build -o FILE.binpb',
    });
  }
}

/** Only called for bytes that are no set, because a set could begin with these bytes too. */
function isJson(bytes: Buffer): boolean {
  return /^\ufeff?\s*[{[]/.test(bytes.toString('utf8', 0, 200));
}

/** The messages of descriptor.proto. */
class DescriptorTypes {
  /** Decoded later, or twice: options with all known extensions, and source information on demand. */
  readonly encoded: ReadonlySet<MessageDescriptor>;

  constructor(private readonly schema: Schema) {
    const names = ['File', 'Message', 'Field', 'Oneof', 'Enum', 'EnumValue', 'Service', 'Method'];
    this.encoded = new Set([...names.map((name) => this.get(`${name}Options`)), this.get('SourceCodeInfo')]);
  }

  get(name: string): MessageDescriptor {
    return this.schema.message(`google.protobuf.${name}`)!;
  }
}

/** Members of a decoded message by name; of a repeated scalar the last one counts. */
class Members {
  private readonly byName = new Map<string, unknown[]>();

  constructor(message: OptionMessage | undefined) {
    for (const { name, value } of message?.fields ?? []) {
      const values = this.byName.get(name);
      if (values === undefined) this.byName.set(name, [value]);
      else values.push(value);
    }
  }

  messages(name: string): OptionMessage[] {
    return (this.byName.get(name) ?? []) as OptionMessage[];
  }

  message(name: string): OptionMessage | undefined {
    return this.messages(name).at(-1);
  }

  numbers(name: string): number[] {
    return (this.byName.get(name) ?? []) as number[];
  }

  number(name: string): number | undefined {
    return this.numbers(name).at(-1);
  }

  strings(name: string): string[] {
    return (this.byName.get(name) ?? []) as string[];
  }

  string(name: string): string | undefined {
    return this.strings(name).at(-1);
  }

  flag(name: string): boolean {
    return this.byName.get(name)?.at(-1) === true;
  }

  /** The name of an enum value; `UNKNOWN` for a number that descriptor.proto does not define. */
  word(name: string): string | undefined {
    const value = this.byName.get(name)?.at(-1);
    if (value === undefined) return undefined;
    return typeof value === 'object' ? (value as { identifier: string }).identifier : 'UNKNOWN';
  }
}

const SCALAR_TYPES: ReadonlySet<string> = new Set(
  'DOUBLE FLOAT INT32 INT64 UINT32 UINT64 SINT32 SINT64 FIXED32 FIXED64 SFIXED32 SFIXED64 BOOL STRING BYTES'.split(' '),
);

/** The field numbers in paths of SourceCodeInfo, by the list that they select. */
const STEP = {
  file: { message: 4, enum: 5, service: 6, extension: 7 },
  message: { field: 2, message: 3, enum: 4, extension: 6, oneof: 8 },
  enum: { value: 2 },
  service: { method: 2 },
} as const;

type Path = readonly number[];

/** Lines and comments of a file, decoded on demand. */
class SourceInfo {
  private locations: ReadonlyMap<string, Members> | undefined;

  constructor(
    private readonly file: string,
    private readonly encoded: OptionMessage | undefined,
    private readonly types: DescriptorTypes,
  ) {}

  place(path: Path): SourcePlace {
    const [line, column] = this.find(path)?.numbers('span') ?? [];
    if (line === undefined || column === undefined) return { file: this.file };
    return { file: this.file, line: line + 1, column: column + 1 };
  }

  comment(path: Path): string {
    const found = this.find(path);
    return (
      trimComment(found?.string('leading_comments') ?? '') || trimComment(found?.string('trailing_comments') ?? '')
    );
  }

  private find(path: Path): Members | undefined {
    this.locations ??= this.read();
    return this.locations.get(path.join());
  }

  /**
   * Of several locations with one path the first counts. Malformed source information is ignored, as it is only
   * documentation.
   */
  private read(): ReadonlyMap<string, Members> {
    const byPath = new Map<string, Members>();
    if (!(this.encoded instanceof EncodedMessage)) return byPath;
    try {
      const info = decodeOptions(this.types.get('SourceCodeInfo'), this.encoded.bytes, this.encoded.place);
      for (const location of new Members(info).messages('location').map((message) => new Members(message))) {
        const path = location.numbers('path').join();
        if (!byPath.has(path)) byPath.set(path, location);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    return byPath;
  }
}

class SetOrigin implements Origin {
  constructor(
    private readonly info: SourceInfo,
    private readonly path: Path,
  ) {}

  get place(): SourcePlace {
    return this.info.place(this.path);
  }

  get comment(): string {
    return this.info.comment(this.path);
  }
}

/** Converts one FileDescriptorProto. */
class SetFile {
  private readonly name: string;
  private readonly syntax: string;
  private readonly info: SourceInfo;

  constructor(
    set: string,
    private readonly proto: Members,
    private readonly types: DescriptorTypes,
  ) {
    this.name = proto.string('name') ?? '';
    if (this.name === '') throw new WireError('a file in it has no name');
    if ((proto.string('package') ?? '').split('.').length > MAX_NAME_PARTS) {
      throw new WireError(`the package of ${this.name} has more than ${MAX_NAME_PARTS} parts`);
    }
    this.syntax = syntaxOf(set, proto);
    this.info = new SourceInfo(this.name, proto.message('source_code_info'), types);
  }

  file(): FileNode {
    const { proto } = this;
    return {
      name: this.name,
      place: { file: this.name },
      syntax: this.syntax,
      package: proto.string('package') ?? '',
      imports: this.imports(),
      options: this.options(proto, 'FileOptions').options,
      messages: proto.messages('message_type').map((message, i) => this.message(message, [STEP.file.message, i])),
      enums: proto.messages('enum_type').map((inner, i) => this.enum(inner, [STEP.file.enum, i])),
      extends: proto.messages('extension').map((field, i) => this.extend(field, [STEP.file.extension, i])),
      services: proto.messages('service').map((service, i) => this.service(service, [STEP.file.service, i])),
      incomplete: false,
    };
  }

  private imports(): ImportNode[] {
    const place = { file: this.name };
    const [publics, weaks] = [this.proto.numbers('public_dependency'), this.proto.numbers('weak_dependency')];
    const imports = this.proto
      .strings('dependency')
      .map((name, i) => ({ name, public: publics.includes(i), weak: weaks.includes(i), option: false, place }));
    const optional = this.proto
      .strings('option_dependency')
      .map((name) => ({ name, public: false, weak: true, option: true, place }));
    return [...imports, ...optional];
  }

  private message(message: OptionMessage, path: Path): MessageNode {
    const proto = new Members(message);
    const entries = new Map<string, OptionMessage>();
    const nested: (readonly [OptionMessage, number])[] = [];
    for (const [i, inner] of proto.messages('nested_type').entries()) {
      if (this.isMapEntry(inner)) entries.set(new Members(inner).string('name') ?? '', inner);
      else nested.push([inner, i]);
    }
    const fields = proto.messages('field').map((field) => new Members(field));
    const oneofs = this.oneofs(proto, fields, path);
    return {
      ...this.declaration(proto, path, 'MessageOptions'),
      fields: fields.map((field, i) => this.field(field, [...path, STEP.message.field, i], oneofs, entries)),
      oneofs,
      messages: nested.map(([inner, i]) => this.message(inner, [...path, STEP.message.message, i])),
      enums: proto.messages('enum_type').map((inner, i) => this.enum(inner, [...path, STEP.message.enum, i])),
      extends: proto.messages('extension').map((field, i) => this.extend(field, [...path, STEP.message.extension, i])),
      extensionRanges: [],
      reservedRanges: [],
      reservedNames: [],
    };
  }

  private isMapEntry(message: OptionMessage): boolean {
    const { options } = this.options(new Members(message), 'MessageOptions');
    return options.some(({ path, value }) => path[0]!.text === 'map_entry' && value === true);
  }

  private oneofs(proto: Members, fields: readonly Members[], path: Path): OneofNode[] {
    const synthetic = new Set(
      fields.filter((field) => field.flag('proto3_optional')).map((field) => field.number('oneof_index')),
    );
    return proto.messages('oneof_decl').map((oneof, i) => ({
      ...this.declaration(new Members(oneof), [...path, STEP.message.oneof, i], 'OneofOptions'),
      synthetic: synthetic.has(i),
    }));
  }

  private field(
    proto: Members,
    path: Path,
    oneofs: readonly OneofNode[],
    entries: ReadonlyMap<string, OptionMessage>,
  ): FieldNode {
    const written = proto.word('type')?.replace(/^TYPE_/, '');
    const typeName = proto.string('type_name') ?? '';
    const entry = entries.get(typeName.slice(typeName.lastIndexOf('.') + 1));
    const index = proto.number('oneof_index');
    const jsonName = proto.string('json_name');
    return {
      ...this.declaration(proto, path, 'FieldOptions'),
      label: this.label(proto),
      type: written !== undefined && SCALAR_TYPES.has(written) ? written.toLowerCase() : typeName,
      number: proto.number('number') ?? 0,
      oneof: index === undefined ? undefined : oneofs[index],
      map: entry === undefined ? undefined : this.mapFields(new Members(entry), path),
      group: written === 'GROUP',
      ...(jsonName === undefined ? {} : { jsonName }),
    };
  }

  /** Every singular field is LABEL_OPTIONAL in a descriptor; it means presence only if the text has `optional`. */
  private label(proto: Members): FieldNode['label'] {
    const label = proto.word('label');
    if (label === 'LABEL_REPEATED') return 'repeated';
    if (label === 'LABEL_REQUIRED') return 'required';
    return this.syntax === 'proto2' || proto.flag('proto3_optional') ? 'optional' : undefined;
  }

  private mapFields(entry: Members, path: Path): FieldNode['map'] {
    const fields = entry.messages('field').map((field) => this.field(new Members(field), path, [], new Map()));
    const key = fields.find(({ number }) => number === 1);
    const value = fields.find(({ number }) => number === 2);
    if (key === undefined || value === undefined)
      throw new WireError(`a map entry in ${this.name} has no key or no value`);
    return { key, value };
  }

  private extend(field: OptionMessage, path: Path): ExtendNode {
    const proto = new Members(field);
    return { extendee: proto.string('extendee') ?? '', fields: [this.field(proto, path, [], new Map())] };
  }

  private enum(message: OptionMessage, path: Path): EnumNode {
    const proto = new Members(message);
    return {
      ...this.declaration(proto, path, 'EnumOptions'),
      values: proto.messages('value').map((value, i) => {
        const members = new Members(value);
        const at = [...path, STEP.enum.value, i];
        return { ...this.declaration(members, at, 'EnumValueOptions'), number: members.number('number') ?? 0 };
      }),
      reservedRanges: [],
      reservedNames: [],
    };
  }

  private service(message: OptionMessage, path: Path): ServiceNode {
    const proto = new Members(message);
    return {
      ...this.declaration(proto, path, 'ServiceOptions'),
      methods: proto.messages('method').map((method, i) => {
        const members = new Members(method);
        return {
          ...this.declaration(members, [...path, STEP.service.method, i], 'MethodOptions'),
          input: members.string('input_type') ?? '',
          output: members.string('output_type') ?? '',
          clientStreaming: members.flag('client_streaming'),
          serverStreaming: members.flag('server_streaming'),
        };
      }),
    };
  }

  private declaration(proto: Members, path: Path, options: string): Declaration {
    const name = proto.string('name') ?? '';
    if (name === '') throw new WireError(`a declaration in ${this.name} has no name`);
    return { name, origin: new SetOrigin(this.info, path), ...this.options(proto, options) };
  }

  /** The options of descriptor.proto, and all options still encoded. */
  private options(proto: Members, type: string): Pick<Declaration, 'options' | 'encodedOptions'> {
    const encoded = proto.message('options');
    if (!(encoded instanceof EncodedMessage)) return { options: [] };
    const decoded = decodeOptions(this.types.get(type), encoded.bytes, encoded.place);
    const options = decoded.fields.map(({ name, value, place }): OptionNode => ({
      path: [{ text: name, extension: false }],
      value,
      place,
    }));
    return { options, encodedOptions: encoded.bytes };
  }
}

function syntaxOf(set: string, proto: Members): string {
  const syntax = proto.string('syntax') ?? '';
  if (syntax === '' || syntax === 'proto2') return 'proto2';
  if (syntax === 'proto3') return syntax;
  const edition = proto.word('edition')?.replace(/^EDITION_/, '') ?? '';
  if (isEdition(edition)) return edition;
  throw new ConfigError({
    code: 'edition',
    message: `"${set}" holds ${proto.string('name')} of ${syntax} ${edition}; expected proto2, proto3 or an edition from 2023 to 2026`,
    place: { file: set },
    hint: 'a newer photongate may support it',
  });
}
