/**
 * Rules → plans: which fields of a message are read, and what is checked of each. A message has a plan only if it or a
 * message inside it has rules. All that is wrong with the rules is found here.
 */
import type { FieldDescriptor, MessageDescriptor, OneofDescriptor, ScalarType } from '../schema/types.js';
import { ConfigError, messageOf, type Problem } from '../status.js';
import { type Annotations, type MessageAnnotations, noAnnotations } from './annotations.js';
import type { CelCheck, CelCompiler } from './cel.js';
import { type Check, compileChecks, ruleStep } from './checks.js';
import { formatCheck, isCheckable, isUpdate, type Marks } from './marks.js';
import { protoType, ruleMessages } from './rule-fields.js';
import { type CelRule, type FieldRules, Ignore, type TypedRules } from './rules.js';
import type { RuleStep } from './violation.js';

/** What is checked of a message. */
export class MessagePlan {
  /** Those that are read, in the order of declaration. */
  fields: readonly FieldPlan[] = [];
  byNumber: ReadonlyMap<number, FieldPlan> = new Map();
  readonly cel: CelCheck[] = [];
  readonly requiredOneofs: OneofDescriptor[] = [];
  readonly oneofs: { readonly fields: readonly FieldDescriptor[]; readonly required: boolean }[] = [];

  constructor(readonly type: MessageDescriptor) {}
}

/** How a message that is a value becomes what rules compare: the value of a wrapper, an instant, paths, a type URL. */
export type Unwrap = ScalarType | 'duration' | 'timestamp' | 'field_mask' | 'any';

/** What is checked of a value: of a field, an element, a key or a value of a map. */
export interface ValuePlan {
  readonly checks: readonly Check[];
  readonly cel: readonly CelCheck[];
  /** Undefined for values that are compared as they are. */
  readonly unwrap: Unwrap | undefined;
  readonly message: MessagePlan | undefined;
  /** Elements with their zero value are not checked. */
  readonly skipsZero: boolean;
  /** The zero value of an enum is its first one. */
  readonly zero: number;
}

/** What is checked of a field. */
export interface FieldPlan {
  readonly field: FieldDescriptor;
  readonly index: number;
  readonly required: boolean;
  /** Nothing is checked but `required`. */
  readonly isIgnored: boolean;
  readonly skipsUnset: boolean;
  /** Of the field as a whole. */
  readonly whole: ValuePlan;
  /** Of the elements of a list, or of the values of a map. */
  readonly items: ValuePlan | undefined;
  readonly keys: ValuePlan | undefined;
  /** Of a list or map. */
  readonly size: { readonly min?: SizeCheck; readonly max?: SizeCheck; readonly unique?: SizeCheck };
}

/** A rule of the number of elements. */
export interface SizeCheck extends Pick<Check, 'rule' | 'id' | 'message'> {
  readonly limit: number;
}

const nothing: ValuePlan = { checks: [], cel: [], unwrap: undefined, message: undefined, skipsZero: false, zero: 0 };

/** The well-known types that have rules of their own. */
const UNWRAPS: ReadonlyMap<string, Unwrap> = new Map<string, Unwrap>([
  ['google.protobuf.Any', 'any'],
  ['google.protobuf.Duration', 'duration'],
  ['google.protobuf.Timestamp', 'timestamp'],
  ['google.protobuf.FieldMask', 'field_mask'],
  ['google.protobuf.DoubleValue', 'double'],
  ['google.protobuf.FloatValue', 'float'],
  ['google.protobuf.Int64Value', 'int64'],
  ['google.protobuf.UInt64Value', 'uint64'],
  ['google.protobuf.Int32Value', 'int32'],
  ['google.protobuf.UInt32Value', 'uint32'],
  ['google.protobuf.BoolValue', 'bool'],
  ['google.protobuf.StringValue', 'string'],
  ['google.protobuf.BytesValue', 'bytes'],
]);

/** The plans of the messages of one schema. */
export class Planner {
  private readonly plans = new Map<MessageDescriptor, MessagePlan>();
  private readonly isNeeded = new Map<MessageDescriptor, boolean>();
  private partial: Planner | undefined;

  constructor(
    private readonly annotations: Annotations,
    private readonly cel: () => CelCompiler,
    private readonly marks: Marks,
  ) {}

  /**
   * The plan of a message; undefined if there is nothing to check.
   * @throws ConfigError with the rules that cannot be applied
   */
  planOf(type: MessageDescriptor): MessagePlan | undefined {
    if (!this.reachesRules(type)) return undefined;
    const known = this.plans.get(type);
    if (known !== undefined) return known;
    const plan = new MessagePlan(type);
    // Before its fields, because types may be recursive.
    this.plans.set(type, plan);
    try {
      this.fill(plan);
    } catch (error) {
      this.plans.delete(type);
      throw error;
    }
    return plan;
  }

  private reachesRules(root: MessageDescriptor): boolean {
    const known = this.isNeeded.get(root);
    if (known !== undefined) return known;
    const seen = new Set([root]);
    let isNeeded = false;
    for (const type of seen) {
      const { message, fields, requiredOneofs } = attempt(type, () => this.rulesOf(type));
      if (message !== undefined || fields.size > 0 || requiredOneofs.size > 0 || this.isNeeded.get(type) === true) {
        isNeeded = true;
        break;
      }
      if (type.fields.some((field) => this.isMarked(field))) {
        isNeeded = true;
        break;
      }
      for (const field of type.fields) {
        const inner = field.map === undefined ? field.message : field.map.value.message;
        if (inner !== undefined) seen.add(inner);
      }
    }
    this.isNeeded.set(root, isNeeded);
    return isNeeded;
  }

  private rulesOf(type: MessageDescriptor): MessageAnnotations {
    return this.marks.rules ? this.annotations.of(type) : noAnnotations;
  }

  private isMarked(field: FieldDescriptor): boolean {
    const { required, formats } = this.marks;
    return (required && isCheckable(field)) || (formats && formatCheck(field) !== undefined);
  }

  /** The plan of what a field holds. In an update the resource need not be complete. */
  private inner(field: FieldDescriptor): MessagePlan | undefined {
    const { message, parent } = field;
    if (message === undefined) return undefined;
    if (!this.marks.required || !isUpdate(parent)) return this.planOf(message);
    this.partial ??= new Planner(this.annotations, this.cel, { ...this.marks, required: false });
    return this.partial.planOf(message);
  }

  private fill(plan: MessagePlan): void {
    const { type } = plan;
    const { message, fields: rules, requiredOneofs } = this.rulesOf(type);
    const inOneofs = new Set<FieldDescriptor>();
    for (const { fields: names, required } of message?.oneofs ?? []) {
      const fields = attempt(type, () => oneofFields(type, names));
      plan.oneofs.push({ fields, required });
      for (const field of fields) inOneofs.add(field);
    }
    plan.requiredOneofs.push(...type.oneofs.filter(({ name }) => requiredOneofs.has(name)));
    for (const rule of celRules(message?.celExpressions, message?.cel)) {
      plan.cel.push(attempt(type, () => this.cel().compile(rule, [])));
    }
    const plans = type.fields.map((field, index) => {
      const own = rules.get(field.number);
      return attempt(field, () => this.field(field, index, own, inOneofs.has(field)));
    });
    const isWatched = ({ field }: FieldPlan): boolean =>
      inOneofs.has(field) || (field.oneof !== undefined && requiredOneofs.has(field.oneof.name));
    const checked = new Set(plans.filter((field) => isWatched(field) || !isIdle(field)));
    // A member of a oneof unsets the others.
    const oneofs = new Set([...checked].flatMap(({ field }) => field.oneof ?? []));
    plan.fields = plans
      .filter((field) => checked.has(field) || (field.field.oneof !== undefined && oneofs.has(field.field.oneof)))
      .map((field, index) => ({ ...field, index }));
    plan.byNumber = new Map(plan.fields.map((field) => [field.field.number, field]));
  }

  private field(field: FieldDescriptor, index: number, rules: FieldRules | undefined, inOneof: boolean): FieldPlan {
    const ignore = rules?.ignore ?? (inOneof ? Ignore.IF_ZERO_VALUE : Ignore.UNSPECIFIED);
    const isIgnored = ignore === Ignore.ALWAYS;
    const base = {
      field,
      index,
      required: (rules?.required === true && !isIgnored) || (this.marks.required && isCheckable(field)),
      isIgnored,
      skipsUnset: field.hasPresence || ignore === Ignore.IF_ZERO_VALUE,
      keys: undefined,
      items: undefined,
      size: {},
    };
    if (isIgnored) return { ...base, whole: nothing };
    if (field.map === undefined && !field.repeated)
      return { ...base, whole: { ...this.value(field, rules, []), skipsZero: false } };
    const isMap = field.map !== undefined;
    const typed = expected(rules?.typed, isMap ? 'map' : 'repeated');
    const path: RuleStep[] = [messageStep(isMap ? 19 : 18)];
    const inner = (name: string): RuleStep[] => (typed === undefined ? path : [...path, ruleStep(typed, name)]);
    return {
      ...base,
      whole: { ...nothing, cel: [...this.celOf(rules, []), ...this.predefined(typed, path)] },
      items: this.value(
        field.map?.value ?? field,
        typed?.nested(isMap ? 'values' : 'items'),
        inner(isMap ? 'values' : 'items'),
      ),
      keys: field.map && this.value(field.map.key, typed?.nested('keys'), inner('keys')),
      size: typed === undefined ? {} : sizeChecks(typed, path),
    };
  }

  /** @param path of the rules of the value */
  private value(field: FieldDescriptor, rules: FieldRules | undefined, path: readonly RuleStep[]): ValuePlan {
    const ignore = rules?.ignore ?? Ignore.UNSPECIFIED;
    if (ignore === Ignore.ALWAYS) return nothing;
    const unwrap = field.message && UNWRAPS.get(field.message.fullName);
    const typed = expected(rules?.typed, field.type === 'message' ? unwrap : field.type);
    const typedPath = typed === undefined ? path : [...path, messageStep(typed.type.number)];
    const format = this.marks.formats ? formatCheck(field) : undefined;
    const numbers = field.enum && new Set(field.enum.values.map(({ number }) => number));
    return {
      checks: [
        ...(typed === undefined ? [] : compileChecks(typed, typedPath, numbers)),
        ...(format === undefined ? [] : [format]),
      ],
      cel: [...this.celOf(rules, path), ...this.predefined(typed, typedPath)],
      unwrap,
      message: this.inner(field),
      skipsZero: ignore === Ignore.IF_ZERO_VALUE && field.type !== 'message',
      zero: field.enum?.values[0]?.number ?? 0,
    };
  }

  private celOf(rules: FieldRules | undefined, path: readonly RuleStep[]): CelCheck[] {
    if (rules === undefined) return [];
    const compile = (
      rule: CelRule,
      number: number,
      name: string,
      type: 'string' | 'message',
      index: number,
    ): CelCheck => this.cel().compile(rule, [...path, { number, name, type: protoType(type), index }]);
    return [
      ...celRules(rules.celExpressions, []).map((rule, index) => compile(rule, 29, 'cel_expression', 'string', index)),
      ...rules.cel.map((rule, index) => compile(rule, 23, 'cel', 'message', index)),
    ];
  }

  /** Rules that the schema defines, and those of a later protovalidate, as the schema's own copy of it defines them. */
  private predefined(typed: TypedRules | undefined, path: readonly RuleStep[]): CelCheck[] {
    return (typed?.others ?? []).flatMap((number) => {
      const { type, encoded } = typed!;
      const rule = this.annotations.predefined(type.typeName, number);
      if (rule === undefined) throw new Error(`${type.typeName} has no rule with number ${number}`);
      const step: RuleStep = { number, name: rule.name, type: rule.type };
      return rule.cel.map((cel) => this.cel().compilePredefined(cel, [...path, step], type, encoded, rule));
    });
  }
}

/** True if there is nothing to check. */
function isIdle({ required, whole, items, keys, size }: FieldPlan): boolean {
  const isEmpty = (plan: ValuePlan | undefined): boolean =>
    plan === undefined || (plan.checks.length === 0 && plan.cel.length === 0 && plan.message === undefined);
  return !required && isEmpty(whole) && isEmpty(items) && isEmpty(keys) && Object.keys(size).length === 0;
}

/** An expression alone is its own id. */
function celRules(expressions: readonly string[] = [], rules: readonly CelRule[] = []): CelRule[] {
  return [...expressions.map((expression) => ({ id: expression, message: '', expression })), ...rules];
}

function messageStep(number: number): RuleStep {
  return { number, name: ruleMessages.get(number)?.kind ?? '', type: protoType('message') };
}

function expected(typed: TypedRules | undefined, kind: string | undefined): TypedRules | undefined {
  if (typed === undefined || typed.kind === kind) return typed;
  const wanted = kind === undefined ? 'such a message has no rules but cel' : `its rules are those of ${kind}`;
  throw new Error(`the rules of ${typed.kind} do not fit this field; ${wanted}`);
}

function sizeChecks(typed: TypedRules, path: readonly RuleStep[]): FieldPlan['size'] {
  const isMap = typed.kind === 'map';
  const [least, most] = isMap ? ['min_pairs', 'max_pairs'] : ['min_items', 'max_items'];
  const of = (name: string, message: (limit: number) => string): SizeCheck | undefined => {
    const value = typed.value(name);
    if (value === undefined || value === false) return undefined;
    const limit = Number(value);
    return { rule: [...path, ruleStep(typed, name)], id: `${typed.kind}.${name}`, message: message(limit), limit };
  };
  const min = of(least, (n) => (isMap ? `map must be at least ${n} entries` : `must contain at least ${n} item(s)`));
  const max = of(most, (n) => (isMap ? `map must be at most ${n} entries` : `must contain no more than ${n} item(s)`));
  const unique = isMap ? undefined : of('unique', () => 'repeated value must contain unique items');
  return { ...(min && { min }), ...(max && { max }), ...(unique && { unique }) };
}

function oneofFields(type: MessageDescriptor, names: readonly string[]): FieldDescriptor[] {
  if (names.length === 0) throw new Error('a rule oneof names no field');
  if (new Set(names).size < names.length) throw new Error(`a rule oneof names a field twice: ${names.join(', ')}`);
  return names.map((name) => {
    const found = type.fields.find((field) => field.name === name);
    if (found === undefined) throw new Error(`a rule oneof names ${name}, which is no field of ${type.fullName}`);
    return found;
  });
}

/** Whatever cannot be compiled is a problem at its place. */
function attempt<T>(where: MessageDescriptor | FieldDescriptor, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const problem: Problem = {
      code: 'validation-rule',
      message: `${where.fullName}: ${messageOf(error)}`,
      place: where.place,
      hint: 'change the rule of buf.validate, or set validate: off',
    };
    throw new ConfigError(problem, { cause: error });
  }
}
