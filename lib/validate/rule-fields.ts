/**
 * The fields of `buf.validate.*Rules` as a table: how rules are read from the options of a schema, and what the path of a
 * rule says of it. The table and not the schema's own copy of validate.proto, which may be another version.
 */
import type { ScalarType } from '../schema/types.js';

/** Which member of `FieldRules.type` is set: the type of field that the rules are for. */
export type RuleKind = ScalarType | 'enum' | 'repeated' | 'map' | 'any' | 'duration' | 'field_mask' | 'timestamp';

/** What a rule holds. */
export type RuleType = ScalarType | 'enum' | 'rules' | 'duration' | 'timestamp' | 'field_mask';

/** A field of a rules message. */
export interface RuleField {
  readonly number: number;
  readonly name: string;
  readonly type: RuleType;
  readonly repeated: boolean;
}

/** A rules message: its number in `FieldRules`, and its fields by number. */
export interface RuleMessage {
  readonly kind: RuleKind;
  readonly number: number;
  /** `buf.validate.StringRules`. */
  readonly typeName: string;
  readonly fields: ReadonlyMap<number, RuleField>;
}

type Row = readonly [number: number, name: string, type: RuleType, repeated?: 'repeated'];

function ranges(type: RuleType, first: number): Row[] {
  return [
    [first, 'const', type],
    [first + 1, 'lt', type],
    [first + 2, 'lte', type],
    [first + 3, 'gt', type],
    [first + 4, 'gte', type],
  ];
}

function numbers(type: ScalarType): Row[] {
  const isReal = type === 'float' || type === 'double';
  const common: Row[] = [...ranges(type, 1), [6, 'in', type, 'repeated'], [7, 'not_in', type, 'repeated']];
  return isReal
    ? [...common, [8, 'finite', 'bool'], [9, 'example', type, 'repeated']]
    : [...common, [8, 'example', type, 'repeated']];
}

const flags = (names: Readonly<Record<string, number>>): Row[] =>
  Object.entries(names).map(([name, number]) => [number, name, 'bool']);

const wholeNumbers = {
  int32: [3, 'Int32'],
  int64: [4, 'Int64'],
  uint32: [5, 'UInt32'],
  uint64: [6, 'UInt64'],
  sint32: [7, 'SInt32'],
  sint64: [8, 'SInt64'],
  fixed32: [9, 'Fixed32'],
  fixed64: [10, 'Fixed64'],
  sfixed32: [11, 'SFixed32'],
  sfixed64: [12, 'SFixed64'],
  float: [1, 'Float'],
  double: [2, 'Double'],
} as const satisfies Partial<Record<ScalarType, readonly [number, string]>>;

const messages: RuleMessage[] = [
  ...Object.entries(wholeNumbers).map(([kind, [number, name]]) =>
    message(kind as keyof typeof wholeNumbers, number, name, numbers(kind as keyof typeof wholeNumbers)),
  ),
  message('bool', 13, 'Bool', [
    [1, 'const', 'bool'],
    [2, 'example', 'bool', 'repeated'],
  ]),
  message('string', 14, 'String', [
    [1, 'const', 'string'],
    [19, 'len', 'uint64'],
    [2, 'min_len', 'uint64'],
    [3, 'max_len', 'uint64'],
    [20, 'len_bytes', 'uint64'],
    [4, 'min_bytes', 'uint64'],
    [5, 'max_bytes', 'uint64'],
    [6, 'pattern', 'string'],
    [7, 'prefix', 'string'],
    [8, 'suffix', 'string'],
    [9, 'contains', 'string'],
    [23, 'not_contains', 'string'],
    [10, 'in', 'string', 'repeated'],
    [11, 'not_in', 'string', 'repeated'],
    ...flags({
      email: 12,
      hostname: 13,
      ip: 14,
      ipv4: 15,
      ipv6: 16,
      uri: 17,
      uri_ref: 18,
      address: 21,
      uuid: 22,
      tuuid: 33,
    }),
    ...flags({ ip_with_prefixlen: 26, ipv4_with_prefixlen: 27, ipv6_with_prefixlen: 28 }),
    ...flags({ ip_prefix: 29, ipv4_prefix: 30, ipv6_prefix: 31, host_and_port: 32, ulid: 35 }),
    ...flags({ protobuf_fqn: 37, protobuf_dot_fqn: 38, strict: 25 }),
    [24, 'well_known_regex', 'enum'],
    [34, 'example', 'string', 'repeated'],
  ]),
  message('bytes', 15, 'Bytes', [
    [1, 'const', 'bytes'],
    [13, 'len', 'uint64'],
    [2, 'min_len', 'uint64'],
    [3, 'max_len', 'uint64'],
    [4, 'pattern', 'string'],
    [5, 'prefix', 'bytes'],
    [6, 'suffix', 'bytes'],
    [7, 'contains', 'bytes'],
    [8, 'in', 'bytes', 'repeated'],
    [9, 'not_in', 'bytes', 'repeated'],
    ...flags({ ip: 10, ipv4: 11, ipv6: 12, uuid: 15 }),
    [14, 'example', 'bytes', 'repeated'],
  ]),
  message('enum', 16, 'Enum', [
    [1, 'const', 'int32'],
    [2, 'defined_only', 'bool'],
    [3, 'in', 'int32', 'repeated'],
    [4, 'not_in', 'int32', 'repeated'],
    [5, 'example', 'int32', 'repeated'],
  ]),
  message('repeated', 18, 'Repeated', [
    [1, 'min_items', 'uint64'],
    [2, 'max_items', 'uint64'],
    [3, 'unique', 'bool'],
    [4, 'items', 'rules'],
  ]),
  message('map', 19, 'Map', [
    [1, 'min_pairs', 'uint64'],
    [2, 'max_pairs', 'uint64'],
    [4, 'keys', 'rules'],
    [5, 'values', 'rules'],
  ]),
  message('any', 20, 'Any', [
    [2, 'in', 'string', 'repeated'],
    [3, 'not_in', 'string', 'repeated'],
  ]),
  message('duration', 21, 'Duration', [
    ...ranges('duration', 2),
    [7, 'in', 'duration', 'repeated'],
    [8, 'not_in', 'duration', 'repeated'],
    [9, 'example', 'duration', 'repeated'],
  ]),
  message('field_mask', 28, 'FieldMask', [
    [1, 'const', 'field_mask'],
    [2, 'in', 'string', 'repeated'],
    [3, 'not_in', 'string', 'repeated'],
    [4, 'example', 'field_mask', 'repeated'],
  ]),
  message('timestamp', 22, 'Timestamp', [
    ...ranges('timestamp', 2),
    ...flags({ lt_now: 7, gt_now: 8 }),
    [9, 'within', 'duration'],
    [10, 'example', 'timestamp', 'repeated'],
  ]),
];

function message(kind: RuleKind, number: number, name: string, rows: readonly Row[]): RuleMessage {
  const fields = rows.map(([number, name, type, repeated]): [number, RuleField] => [
    number,
    { number, name, type, repeated: repeated === 'repeated' },
  ]);
  return { kind, number, typeName: `buf.validate.${name}Rules`, fields: new Map(fields) };
}

/** The members of `FieldRules.type` by number. */
export const ruleMessages: ReadonlyMap<number, RuleMessage> = new Map(messages.map((row) => [row.number, row]));

/** google.protobuf.FieldDescriptorProto.Type */
const PROTO_TYPES: Readonly<Record<ScalarType | 'enum' | 'message' | 'group', number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  group: 10,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};

/** The number of a type in FieldDescriptorProto. */
export function protoType(type: RuleType | 'message' | 'group'): number {
  switch (type) {
    case 'rules':
    case 'duration':
    case 'timestamp':
    case 'field_mask':
      return PROTO_TYPES.message;
    default:
      return PROTO_TYPES[type];
  }
}
