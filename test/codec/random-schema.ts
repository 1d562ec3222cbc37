/**
 * Random schemas of one file: proto2, proto3 or edition 2023 with features; scalars, enums, messages in each other, groups, maps,
 * oneofs, well-known types, odd names and numbers. Each is written twice from one model, as `.proto` text for our parser and
 * as a FileDescriptorProto for the other implementation (and for our reader of descriptor sets), so that neither side
 * learns from the other what a declaration means.
 */
import { create, createFileRegistry, toBinary, type MessageInitShape, type Registry } from '@bufbuild/protobuf';
import {
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  Edition,
  type DescriptorProtoSchema,
  type FeatureSetSchema,
  type FieldDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import type { Schema } from '../../lib/schema/index.js';
import { schemaFromText } from '../support/schema.js';
import { wellKnownFiles } from './oracle.js';

type Syntax = 'proto2' | 'proto3' | '2023';

interface Features {
  readonly field_presence?: keyof typeof FeatureSet_FieldPresence;
  readonly enum_type?: keyof typeof FeatureSet_EnumType;
  readonly repeated_field_encoding?: keyof typeof FeatureSet_RepeatedFieldEncoding;
  readonly message_encoding?: keyof typeof FeatureSet_MessageEncoding;
}

interface EnumModel {
  readonly name: string;
  readonly values: readonly (readonly [name: string, number: number])[];
  readonly alias: boolean;
  readonly features: Features;
  readonly closed: boolean;
}

interface FieldModel {
  readonly name: string;
  readonly number: number;
  readonly jsonName: string | undefined;
  /** A scalar's name, or the full name of a type. */
  readonly type: string;
  readonly kind: 'scalar' | 'enum' | 'message' | 'group';
  readonly label: '' | 'optional' | 'required' | 'repeated';
  /** The type of the keys; undefined for what is no map. */
  readonly key: string | undefined;
  readonly oneof: string | undefined;
  readonly packed: boolean | undefined;
  readonly features: Features;
}

interface MessageModel {
  readonly name: string;
  readonly fields: readonly FieldModel[];
}

export interface SchemaModel {
  readonly syntax: Syntax;
  readonly features: Features;
  readonly enums: readonly EnumModel[];
  readonly messages: readonly MessageModel[];
  /** True: our side reads the descriptor set, not the text. */
  readonly fromSet: boolean;
}

/** One schema, as both sides have it. */
export interface RandomSchema {
  readonly text: string;
  readonly schema: Schema;
  readonly registry: Registry;
  readonly types: readonly string[];
}

const PACKAGE = 'r.v1';
const numbers = [
  'int32',
  'sint32',
  'sfixed32',
  'uint32',
  'fixed32',
  'int64',
  'sint64',
  'sfixed64',
  'uint64',
  'fixed64',
];
const scalars = [...numbers, 'double', 'float', 'bool', 'string', 'bytes'];
const keys = [...numbers, 'bool', 'string'];
const wellKnown = [
  ...['Any', 'Timestamp', 'Duration', 'FieldMask', 'Struct', 'Value', 'ListValue', 'Empty'],
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map((name) => `${name}Value`),
].map((name) => `google.protobuf.${name}`);

/** Names in all shapes that a JSON name can come from; the index makes them unique, whatever becomes of case and underscores. */
const shapes: readonly ((index: number) => string)[] = [
  (index) => `f${index}`,
  (index) => `snake_case_${index}`,
  (index) => `x${index}_camelCase`,
  (index) => `UPPER_${index}`,
  (index) => `_lead${index}`,
  (index) => `trail${index}_`,
  (index) => `dou__ble${index}`,
  (index) => `d_${index}_9a`,
];
const jsonNames: readonly ((index: number) => string)[] = [
  (index) => `plain${index}`,
  (index) => `with space ${index}`,
  (index) => `"q\\${index}`,
  (index) => `é€😀${index}`,
  (index) => `@${index}`,
  (index) => `a.${index}`,
];

/** Draws a model. */
export const schemaModel: fc.Arbitrary<SchemaModel> = fc.gen().map((draw) => {
  const below = (count: number): number => draw(fc.nat, count - 1);
  const one = (count: number): boolean => below(count) === 0;
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const maybe = <T>(value: () => T): T | undefined => (one(3) ? value() : undefined);

  const syntax = pick<Syntax>(['proto2', 'proto3', '2023']);
  const editions = syntax === '2023';
  const some = <K extends keyof Features>(name: K, values: readonly NonNullable<Features[K]>[]): Features =>
    editions && one(3) ? { [name]: pick(values) } : {};
  const features: Features = {
    ...some('field_presence', ['IMPLICIT', 'EXPLICIT']),
    ...some('enum_type', ['OPEN', 'CLOSED']),
    ...some('repeated_field_encoding', ['PACKED', 'EXPANDED']),
    ...some('message_encoding', ['DELIMITED', 'LENGTH_PREFIXED']),
  };

  const enums = Array.from({ length: 1 + below(2) }, (_, at): EnumModel => {
    const own = some('enum_type', ['OPEN', 'CLOSED']);
    const closed = editions ? (own.enum_type ?? features.enum_type) === 'CLOSED' : syntax === 'proto2';
    const first = closed && one(2) ? pick([1, -1, 2_147_483_647]) : 0;
    const others = [5, -2_147_483_648, 300, 7].slice(0, below(5));
    const all = [first, ...others];
    const alias = one(3);
    if (alias) all.push(pick(all));
    return {
      name: `E${at}`,
      closed,
      alias,
      features: own,
      values: all.map((number, index) => [`E${at}_V${index}`, number]),
    };
  });

  const count = 1 + below(4);
  const messages = Array.from({ length: count }, (_, at): MessageModel => {
    const used = new Set<number>();
    const length = one(10) ? 36 : below(9);
    const fields = Array.from({ length }, (_, index): FieldModel => {
      let number = pick([index + 1, index + 15, index + 2040, 18_000 + index, 536_870_911 - index]);
      while (used.has(number)) number++;
      used.add(number);
      const kind = pick([
        'scalar',
        'scalar',
        'scalar',
        'enum',
        'message',
        'message',
        ...(syntax === 'proto2' ? ['group'] : []),
      ]);
      const type =
        kind === 'scalar'
          ? pick(scalars)
          : kind === 'enum'
            ? pick([...enums.map(({ name }) => `${PACKAGE}.${name}`), 'google.protobuf.NullValue'])
            : kind === 'group' || one(2)
              ? `${PACKAGE}.M${below(count)}`
              : pick(wellKnown);
      const isGroup = kind === 'group';
      const shape = isGroup ? undefined : pick(['', '', 'repeated', 'map', 'oneof', 'label']);
      const key = shape === 'map' ? pick(keys) : undefined;
      const oneof = shape === 'oneof' ? `choice_${below(2)}` : undefined;
      const label =
        key !== undefined || oneof !== undefined
          ? ''
          : isGroup
            ? pick(['optional', 'repeated'] as const)
            : shape === 'repeated'
              ? 'repeated'
              : syntax === 'proto2'
                ? kind === 'scalar' && one(6)
                  ? 'required'
                  : 'optional'
                : syntax === 'proto3' && shape === 'label'
                  ? 'optional'
                  : '';
      const packable = kind === 'enum' || (kind === 'scalar' && type !== 'string' && type !== 'bytes');
      const closed = enums.some((candidate) => candidate.closed && type === `${PACKAGE}.${candidate.name}`);
      const plain = label === '' && key === undefined && oneof === undefined;
      const presence: Features =
        !editions || !plain || kind === 'message'
          ? {}
          : closed && features.field_presence === 'IMPLICIT'
            ? { field_presence: 'EXPLICIT' }
            : some('field_presence', closed ? ['EXPLICIT'] : ['IMPLICIT', 'EXPLICIT', 'LEGACY_REQUIRED']);
      return {
        name: isGroup ? `g${at}_${index}` : pick(shapes)(index),
        number,
        jsonName: isGroup ? undefined : maybe(() => pick(jsonNames)(index)),
        type: isGroup ? `${PACKAGE}.M${at}.G${at}_${index}` : type,
        kind: kind as FieldModel['kind'],
        label,
        key,
        oneof,
        packed: label === 'repeated' && packable && !editions ? maybe(() => one(2)) : undefined,
        features: {
          ...presence,
          ...(label === 'repeated' && packable ? some('repeated_field_encoding', ['PACKED', 'EXPANDED']) : {}),
          ...(kind === 'message' && key === undefined
            ? some('message_encoding', ['DELIMITED', 'LENGTH_PREFIXED'])
            : {}),
        },
      };
    });
    return { name: `M${at}`, fields };
  });
  return { syntax, features, enums, messages, fromSet: one(2) };
});

/** Compiles a model on both sides. */
export function compileModel(model: SchemaModel): RandomSchema {
  const text = protoText(model);
  const file = create(FileDescriptorProtoSchema, fileProto(model));
  const set = toBinary(FileDescriptorSetSchema, {
    ...create(FileDescriptorSetSchema),
    file: [...wellKnownFiles.map(({ proto }) => proto), file],
  });
  return {
    text,
    schema: schemaFromText(
      model.fromSet ? { 'set.binpb': set } : { 'r.proto': text },
      model.fromSet ? { descriptorSets: ['set.binpb'] } : {},
    ),
    registry: createFileRegistry(file, (name) => wellKnownFiles.find(({ proto }) => proto.name === name)),
    types: model.messages.map(({ name }) => `${PACKAGE}.${name}`),
  };
}

// ------------------------------------------------------------------------------------------------------ as text

const GROUP_TEXT = '{ optional string text = 1; repeated int32 list = 2; }';

function protoText({ syntax, features, enums, messages }: SchemaModel): string {
  return [
    syntax === '2023' ? 'edition = "2023";' : `syntax = "${syntax}";`,
    `package ${PACKAGE};`,
    ...wellKnownFiles.map(({ proto }) => `import "${proto.name}";`),
    ...Object.entries(features).map(([name, value]) => `option features.${name} = ${String(value)};`),
    ...enums.map(enumText),
    ...messages.map(messageText),
  ].join('\n');
}

function enumText({ name, values, alias, features }: EnumModel): string {
  const options = [
    ...(alias ? ['option allow_alias = true;'] : []),
    ...Object.entries(features).map(([key, value]) => `option features.${key} = ${String(value)};`),
  ];
  return `enum ${name} { ${[...options, ...values.map(([value, number]) => `${value} = ${number};`)].join(' ')} }`;
}

function messageText({ name, fields }: MessageModel): string {
  const oneofs = [...new Set(fields.map(({ oneof }) => oneof))];
  const parts = oneofs.map((oneof) => {
    const members = fields.filter((field) => field.oneof === oneof).map((field) => `  ${fieldText(field)}`);
    return oneof === undefined ? members.join('\n') : ` oneof ${oneof} {\n${members.join('\n')}\n }`;
  });
  return `message ${name} {\n${parts.join('\n')}\n}`;
}

function fieldText(field: FieldModel): string {
  const { name, number, jsonName, type, kind, label, key, packed, features } = field;
  const reference = kind === 'scalar' ? type : `.${type}`;
  const prefix = label === '' ? '' : `${label} `;
  if (kind === 'group') return `${prefix}group ${type.slice(type.lastIndexOf('.') + 1)} = ${number} ${GROUP_TEXT}`;
  const options = [
    ...(jsonName === undefined ? [] : [`json_name = ${JSON.stringify(jsonName)}`]),
    ...(packed === undefined ? [] : [`packed = ${packed}`]),
    ...Object.entries(features).map(([feature, value]) => `features.${feature} = ${String(value)}`),
  ];
  const tail = options.length === 0 ? '' : ` [${options.join(', ')}]`;
  return `${prefix}${key === undefined ? reference : `map<${key}, ${reference}>`} ${name} = ${number}${tail};`;
}

// ----------------------------------------------------------------------------------------------- as descriptors

type FieldInit = Exclude<MessageInitShape<typeof FieldDescriptorProtoSchema>, { readonly $typeName: string }>;
type MessageInit = MessageInitShape<typeof DescriptorProtoSchema>;

function featureSet(features: Features): { features?: MessageInitShape<typeof FeatureSetSchema> } {
  const { field_presence, enum_type, repeated_field_encoding, message_encoding } = features;
  if (Object.keys(features).length === 0) return {};
  return {
    features: {
      ...(field_presence === undefined ? {} : { fieldPresence: FeatureSet_FieldPresence[field_presence] }),
      ...(enum_type === undefined ? {} : { enumType: FeatureSet_EnumType[enum_type] }),
      ...(repeated_field_encoding === undefined
        ? {}
        : { repeatedFieldEncoding: FeatureSet_RepeatedFieldEncoding[repeated_field_encoding] }),
      ...(message_encoding === undefined ? {} : { messageEncoding: FeatureSet_MessageEncoding[message_encoding] }),
    },
  };
}

function fileProto({
  syntax,
  features,
  enums,
  messages,
}: SchemaModel): MessageInitShape<typeof FileDescriptorProtoSchema> {
  return {
    name: 'r.proto',
    package: PACKAGE,
    dependency: wellKnownFiles.map(({ proto }) => proto.name),
    ...(syntax === '2023' ? { syntax: 'editions', edition: Edition.EDITION_2023 } : { syntax }),
    options: featureSet(features),
    enumType: enums.map(({ name, values, alias, features: own }) => ({
      name,
      value: values.map(([value, number]) => ({ name: value, number })),
      options: { ...featureSet(own), ...(alias ? { allowAlias: true } : {}) },
    })),
    messageType: messages.map((message) => messageProto(message, syntax)),
  };
}

function messageProto({ name, fields }: MessageModel, syntax: Syntax): MessageInit {
  const oneofs = [...new Set(fields.map(({ oneof }) => oneof))].filter((oneof) => oneof !== undefined);
  // What proto3 calls optional stands in a oneof of its own.
  const optional = fields.filter(({ label }) => syntax === 'proto3' && label === 'optional');
  const indexOf = (field: FieldModel): number =>
    optional.includes(field) ? oneofs.length + optional.indexOf(field) : oneofs.indexOf(field.oneof!);
  return {
    name,
    field: fields.map((field): FieldInit => ({
      ...fieldProto(field, name),
      ...(indexOf(field) < 0 ? {} : { oneofIndex: indexOf(field) }),
      ...(optional.includes(field) ? { proto3Optional: true } : {}),
    })),
    oneofDecl: [...oneofs.map((oneof) => ({ name: oneof })), ...optional.map((field) => ({ name: `_${field.name}` }))],
    nestedType: fields.flatMap((field) => nestedProto(field)),
  };
}

function fieldProto(field: FieldModel, parent: string): FieldInit {
  const { name, number, jsonName, kind, type, label, key, packed, features } = field;
  const labels = { '': Label.OPTIONAL, optional: Label.OPTIONAL, required: Label.REQUIRED, repeated: Label.REPEATED };
  return {
    name,
    number,
    // The other implementation leaves to the compiler what a name becomes.
    jsonName: jsonName ?? defaultJsonName(name),
    label: key === undefined ? labels[label] : Label.REPEATED,
    ...(key === undefined
      ? typeProto(kind, type)
      : { type: Type.MESSAGE, typeName: `.${PACKAGE}.${parent}.${entryName(field)}` }),
    options: { ...featureSet(features), ...(packed === undefined ? {} : { packed }) },
  };
}

/** protoc's rule: underscores go, and the letter behind is a capital. */
function defaultJsonName(name: string): string {
  let result = '';
  for (let index = 0; index < name.length; index++) {
    if (name[index] !== '_') result += name[index - 1] === '_' ? name[index]!.toUpperCase() : name[index]!;
  }
  return result;
}

function typeProto(kind: FieldModel['kind'], type: string): FieldInit {
  if (kind === 'scalar') return { type: Type[type.toUpperCase() as keyof typeof Type] };
  return { type: { enum: Type.ENUM, message: Type.MESSAGE, group: Type.GROUP }[kind], typeName: `.${type}` };
}

/** protoc's name of the entries of a map; unique, which is all that matters. */
function entryName({ name }: FieldModel): string {
  return `${name.replace(/(?:^|_)+(.?)/g, (_, next: string) => next.toUpperCase())}Entry`;
}

function nestedProto(field: FieldModel): MessageInit[] {
  const { kind, type, key } = field;
  const text: FieldInit = { name: 'text', jsonName: 'text', number: 1, type: Type.STRING, label: Label.OPTIONAL };
  if (kind === 'group') {
    const list: FieldInit = { name: 'list', jsonName: 'list', number: 2, type: Type.INT32, label: Label.REPEATED };
    return [{ name: type.slice(type.lastIndexOf('.') + 1), field: [text, list] }];
  }
  if (key === undefined) return [];
  return [
    {
      name: entryName(field),
      field: [
        { name: 'key', jsonName: 'key', number: 1, label: Label.OPTIONAL, ...typeProto('scalar', key) },
        { name: 'value', jsonName: 'value', number: 2, label: Label.OPTIONAL, ...typeProto(kind, type) },
      ],
      options: { mapEntry: true },
    },
  ];
}
