/**
 * Rules of `buf.validate` → JSON Schema of the canonical ProtoJSON form. A schema says less than the rules where JSON Schema has no
 * words for them, and never more: what the proxy takes is valid. What a schema cannot say is said in words; CEL is left out.
 */
import { wrappedField } from '../codec/index.js';
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import {
  Annotations,
  type Check,
  compileChecks,
  type FieldRules,
  Ignore,
  type MessageAnnotations,
  noAnnotations,
  type RuleValue,
  type TypedRules,
  zeroOf,
} from '../validate/index.js';
import {
  type Constraint,
  type FieldConstraints,
  type Json,
  type JsonObject,
  joined,
  type PrintOptions,
  type RuleSource,
} from './options.js';
import { ruleParts, sizeOf, valueJson } from './rule-parts.js';

const nothing: Constraint = Object.freeze({ schema: {}, words: '', accepts: () => true, samples: [] });
const free: FieldConstraints = Object.freeze({ isNeeded: false, whole: nothing, items: nothing, keys: nothing });

/** The rules of a schema, for documents. */
export class Constraints implements RuleSource {
  private readonly annotations: Annotations;

  constructor(schema: Schema) {
    this.annotations = new Annotations(schema);
  }

  of(field: FieldDescriptor, print: PrintOptions): FieldConstraints {
    const { message, fields } = this.rulesOf(field.parent);
    const rules = fields.get(field.number);
    // Members of a rule `oneof` are not checked when they are not set.
    const inOneof = message?.oneofs.some(({ fields: names }) => names.includes(field.name)) === true;
    const ignore = rules?.ignore ?? (inOneof ? Ignore.IF_ZERO_VALUE : Ignore.UNSPECIFIED);
    if (rules === undefined || ignore === Ignore.ALWAYS) return free;
    return field.map !== undefined || field.repeated
      ? collection(field, rules, ignore, print)
      : single(field, rules, ignore, print);
  }

  groups(type: MessageDescriptor): readonly (readonly FieldDescriptor[])[] {
    const { message, requiredOneofs } = this.rulesOf(type);
    const named = (message?.oneofs ?? []).filter(({ required }) => required);
    return [
      ...type.oneofs.filter(({ name }) => requiredOneofs.has(name)).map(({ fields }) => fields),
      ...named.map(({ fields }) => type.fields.filter(({ name }) => fields.includes(name))),
    ];
  }

  /** None if they are malformed: those of requests were reported at the start. */
  private rulesOf(type: MessageDescriptor): MessageAnnotations {
    try {
      return this.annotations.of(type);
    } catch {
      return noAnnotations;
    }
  }
}

function single(field: FieldDescriptor, rules: FieldRules, ignore: number, print: PrintOptions): FieldConstraints {
  const { checks, constraint } = valueOf(field, rules, print);
  const { hasPresence } = field;
  const zero = field.enum?.values[0]?.number ?? (field.type === 'message' ? undefined : zeroOf(field.type));
  const takesZero = zero === undefined || checks.every(({ breaks }) => !breaks(zero));
  const skipsUnset = hasPresence || ignore === Ignore.IF_ZERO_VALUE;
  const isNeeded = rules.required || (!skipsUnset && !takesZero);
  const zeroJson = zero === undefined ? null : valueJson(zero, field, print);
  let { schema } = constraint;
  if (!takesZero && ignore === Ignore.IF_ZERO_VALUE && !rules.required) schema = orZero(schema, zeroJson);
  if (takesZero && rules.required && !hasPresence) schema = joined([schema, notZero(field, zeroJson)]);
  return { ...free, isNeeded, whole: { ...constraint, schema } };
}

function orZero(schema: JsonObject, zero: Json): JsonObject {
  return Object.keys(schema).length === 0 ? schema : { anyOf: [{ const: zero }, schema] };
}

/** `required` of a field that cannot be unset means a value other than zero. */
function notZero({ type }: FieldDescriptor, zero: Json): JsonObject {
  if (type === 'bool') return { const: true };
  return type === 'string' || type === 'bytes' ? { minLength: 1 } : { not: { const: zero } };
}

function collection(field: FieldDescriptor, rules: FieldRules, ignore: number, print: PrintOptions): FieldConstraints {
  const { map } = field;
  const typed = rules.typed?.kind === (map === undefined ? 'repeated' : 'map') ? rules.typed : undefined;
  const [least, most] =
    map === undefined ? (['min_items', 'max_items'] as const) : (['min_pairs', 'max_pairs'] as const);
  const given = (typed && sizeOf(typed, least)) ?? 0;
  const skipsEmpty = ignore === Ignore.IF_ZERO_VALUE && !rules.required;
  // An empty one is not checked, so that fewer than `min` may be none.
  const min = Math.max(skipsEmpty && given > 0 ? 0 : given, rules.required ? 1 : 0);
  const max = typed && sizeOf(typed, most);
  const sizes: Record<string, Json> = {};
  if (min > 0) sizes[map === undefined ? 'minItems' : 'minProperties'] = min;
  if (max !== undefined) sizes[map === undefined ? 'maxItems' : 'maxProperties'] = max;
  if (map === undefined && typed?.flag('unique') === true) sizes['uniqueItems'] = true;
  const element = (name: string, of: FieldDescriptor): Constraint => {
    const inner = typed?.nested(name);
    if (inner === undefined || inner.ignore === Ignore.ALWAYS) return nothing;
    const { checks, constraint } = valueOf(of, inner, print);
    const zero = inner.ignore === Ignore.IF_ZERO_VALUE && of.type !== 'message' ? zeroOf(of.type) : undefined;
    if (zero === undefined || checks.every(({ breaks }) => !breaks(zero))) return constraint;
    return { ...constraint, schema: orZero(constraint.schema, valueJson(zero, of, print)) };
  };
  return {
    isNeeded: min > 0,
    whole: { ...nothing, schema: sizes },
    items: map === undefined ? element('items', field) : element('values', map.value),
    keys: map === undefined ? nothing : element('keys', map.key),
  };
}

interface ValueConstraint {
  readonly checks: readonly Check[];
  readonly constraint: Constraint;
}

/** @param field whose type the value has */
function valueOf(field: FieldDescriptor, rules: FieldRules, print: PrintOptions): ValueConstraint {
  const { typed } = rules;
  const wrapped = (field.message && wrappedField(field.message)) ?? field;
  if (typed === undefined || typed.kind !== kindOf(wrapped)) return { checks: [], constraint: nothing };
  let checks: Check[];
  try {
    checks = compileChecks(typed, [], wrapped.enum && numbersOf(wrapped.enum));
  } catch {
    return { checks: [], constraint: nothing };
  }
  const parts = ruleParts(typed, wrapped, print);
  const unsaid = checks.filter(({ rule, id }) => !parts.has(rule[0]!.name) && !id.endsWith('_empty'));
  return {
    checks,
    constraint: {
      schema: joined([...parts.values()]),
      words: unsaid.map(sentence).join(' '),
      samples: samplesOf(typed).map((value) => valueJson(value, wrapped, print)),
      accepts: (json) => {
        const value = ruleValue(json, wrapped);
        return value === undefined || checks.every(({ breaks }) => !breaks(value));
      },
    },
  };
}

/** Values that the rules name or nearly name. */
function samplesOf(typed: TypedRules): RuleValue[] {
  const beside = (rule: string, step: number): RuleValue[] => {
    const limit = typed.ordered(rule);
    if (limit === undefined) return [];
    return [typeof limit === 'bigint' ? limit + BigInt(step) : limit + step];
  };
  return [
    ...['example', 'const', 'in'].flatMap((rule) => typed.all(rule)),
    ...[...beside('gte', 0), ...beside('gt', 1), ...beside('lte', 0), ...beside('lt', -1)],
  ];
}

function kindOf({ type, message }: FieldDescriptor): string {
  return message === undefined ? type : (messageKinds.get(message.fullName) ?? '');
}

const messageKinds: ReadonlyMap<string, string> = new Map([
  ['google.protobuf.Duration', 'duration'],
  ['google.protobuf.Timestamp', 'timestamp'],
  ['google.protobuf.FieldMask', 'field_mask'],
  ['google.protobuf.Any', 'any'],
]);

function numbersOf({ values }: EnumDescriptor): ReadonlySet<number> {
  return new Set(values.map(({ number }) => number));
}

function sentence({ message }: Check): string {
  const demand = message.replace(/^does not match regex pattern/, 'must match the pattern (RE2)');
  return `${demand.charAt(0).toUpperCase()}${demand.slice(1)}.`;
}

/** The value of canonical JSON as rules compare it; undefined for types that are not sampled by rules. */
function ruleValue(json: Json, { type, enum: values }: FieldDescriptor): RuleValue | undefined {
  switch (type) {
    case 'string':
    case 'bool':
      return typeof json === type ? (json as string | boolean) : undefined;
    case 'enum':
      return typeof json === 'string' ? values!.value(json)?.number : typeof json === 'number' ? json : undefined;
    case 'bytes':
      return typeof json === 'string' ? Buffer.from(json, 'base64') : undefined;
    case 'message':
      return undefined;
    default:
      if (/64$/.test(type) && (typeof json === 'number' || typeof json === 'string')) {
        return /^-?\d+$/.test(`${json}`) ? BigInt(json) : undefined;
      }
      return typeof json === 'number' ? json : undefined;
  }
}
