/**
 * Checks a message in wire form against its plan. Each message is read once: only the fields that rules are about are
 * decoded, and messages inside them are checked in turn. A message that comes in pieces counts as one, the last value of a
 * field counts, and a member of a oneof unsets the others.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { wireTypeOf } from '../schema/wire-type.js';
import { endTagOf, Reader, WireError, WireType } from '../wire/index.js';
import { areUnique } from './cel-functions.js';
import type { CelCheck, CelCompiler, CelThis } from './cel.js';
import { type Check, RuleFault } from './checks.js';
import type { FieldPlan, MessagePlan, SizeCheck, Unwrap, ValuePlan } from './plan.js';
import { EMPTY, isZero, readInstant, readScalar, readStrings, type Value, zeroOf } from './values.js';
import type { MapKey, RuleStep, Violation, Way } from './violation.js';

/** What was found of a field; undefined if it is not set. */
type Found = Value | Value[] | Map<MapKey, Value> | undefined;

/** A value as CEL sees it; made when the first expression asks. */
type Lazy = () => CelThis;

/** The messages of a value are checked so deep; deeper ones are refused. */
const MAX_DEPTH = 600;

const REQUIRED: RuleStep = { number: 25, name: 'required', type: 8 };

/** One check of one message. */
export class Walk {
  readonly violations: Violation[] = [];

  /**
   * @param cel makes the values of expressions; asked only if there is one
   * @param maxViolations after so many the rest is not checked
   */
  constructor(
    private readonly cel: () => CelCompiler,
    private readonly maxViolations: number,
  ) {}

  private get isFull(): boolean {
    return this.violations.length >= this.maxViolations;
  }

  /**
   * @throws WireError if the bytes are no message
   * @throws RuleFault if a rule cannot be applied to a value
   */
  check(plan: MessagePlan, wire: Buffer): void {
    this.message(plan, wire, undefined, this.decoded(plan.type, wire), 1);
  }

  private decoded(type: MessageDescriptor, wire: Buffer): Lazy {
    return once(() => this.cel().message(type, wire));
  }

  private message(plan: MessagePlan, wire: Buffer, way: Way | undefined, self: Lazy, depth: number): void {
    if (depth > MAX_DEPTH) throw new WireError(`messages are nested deeper than ${MAX_DEPTH} levels`);
    const found = new MessageReader(wire).read(plan);
    this.expressions(plan.cel, way, self);
    for (const { fields, required } of plan.oneofs) {
      const count = fields.filter((field) => this.isSet(plan.byNumber.get(field.number), found)).length;
      const names = fields.map(({ name }) => name).join(', ');
      if (count > 1) this.violate(way, [], 'message.oneof', `only one of ${names} can be set`);
      if (count === 0 && required) this.violate(way, [], 'message.oneof', `one of ${names} must be set`);
    }
    for (const oneof of plan.requiredOneofs) {
      if (oneof.fields.some((field) => this.isSet(plan.byNumber.get(field.number), found))) continue;
      this.violate({ outer: way, field: oneof }, [], 'required', 'exactly one field is required in oneof');
    }
    for (const field of plan.fields) {
      if (this.isFull) return;
      this.field(field, found[field.index], way, self, depth);
    }
  }

  private isSet(plan: FieldPlan | undefined, found: readonly Found[]): boolean {
    return plan !== undefined && isGiven(plan, found[plan.index]);
  }

  private field(plan: FieldPlan, value: Found, outer: Way | undefined, parent: Lazy, depth: number): void {
    const { field, required, isIgnored, skipsUnset, whole, items, keys } = plan;
    const isSet = isGiven(plan, value);
    if (required && !isSet) {
      this.violate({ outer, field }, [REQUIRED], 'required', 'value is required');
      return;
    }
    if (isIgnored || (skipsUnset && !isSet)) return;
    const self = once(() => this.cel().field(parent(), field));
    if (field.map !== undefined) {
      const entries = value instanceof Map ? value : new Map<MapKey, Value>();
      this.size(plan, entries.size, [], { outer, field });
      this.expressions(whole.cel, { outer, field }, self);
      for (const [key, item] of entries) {
        if (this.isFull) return;
        const way = { outer, field, key };
        if (keys !== undefined) this.value(keys, field.map.key, key, way, notMessage, depth, true);
        const inner = once(() => this.cel().entry(self(), key));
        if (items !== undefined) this.value(items, field.map.value, item, way, inner, depth);
      }
    } else if (field.repeated) {
      const list = isList(value) ? value : [];
      this.size(plan, list.length, list, { outer, field });
      this.expressions(whole.cel, { outer, field }, self);
      if (items === undefined) return;
      for (const [index, item] of list.entries()) {
        if (this.isFull) return;
        this.value(
          items,
          field,
          item,
          { outer, field, index },
          once(() => this.cel().item(self(), index)),
          depth,
        );
      }
    } else if (!isList(value) && !(value instanceof Map)) {
      this.value(whole, field, value ?? unsetValue(field), { outer, field }, self, depth);
    }
  }

  private size({ size }: FieldPlan, count: number, list: readonly Value[], way: Way): void {
    const report = (check: SizeCheck | undefined, isBroken: (limit: number) => boolean): void => {
      if (check !== undefined && isBroken(check.limit)) this.violate(way, check.rule, check.id, check.message);
    };
    report(size.min, (limit) => count < limit);
    report(size.max, (limit) => count > limit);
    report(size.unique, () => !areUnique(list));
  }

  private value(
    plan: ValuePlan,
    field: FieldDescriptor,
    value: Value,
    way: Way,
    self: Lazy,
    depth: number,
    forKey = false,
  ): void {
    if (plan.skipsZero && (field.type === 'enum' ? value === plan.zero : isZero(value))) return;
    const { type } = field;
    const seen = type === 'message' ? self : once(() => this.cel().scalar(type, value));
    this.expressions(plan.cel, way, seen, forKey);
    if (plan.message !== undefined && Buffer.isBuffer(value)) this.message(plan.message, value, way, self, depth + 1);
    if (plan.checks.length === 0) return;
    const compared = plan.unwrap !== undefined && Buffer.isBuffer(value) ? unwrapped(plan.unwrap, value) : value;
    for (const check of plan.checks) this.run(check, compared, way, forKey);
  }

  private run(check: Check, value: Value, way: Way, forKey: boolean): void {
    const isBroken = placed(check.id, way, () => check.breaks(value));
    if (isBroken) this.violate(way, check.rule, check.id, check.message, forKey);
  }

  private expressions(checks: readonly CelCheck[], way: Way | undefined, self: Lazy, forKey = false): void {
    for (const check of checks) {
      const message = placed(check.id, way, () => check.evaluate(self()));
      if (message !== undefined) this.violate(way, check.rule, check.id, message, forKey);
    }
  }

  private violate(way: Way | undefined, rule: readonly RuleStep[], id: string, message: string, forKey = false): void {
    if (!this.isFull) this.violations.push({ way, rule, id, message, forKey });
  }
}

/** What cannot be applied says where. */
function placed<T>(id: string, way: Way | undefined, apply: () => T): T {
  try {
    return apply();
  } catch (error) {
    if (error instanceof RuleFault) {
      error.way = way;
      error.id = id;
    }
    throw error;
  }
}

function notMessage(): never {
  throw new TypeError('a key is no message');
}

function once(make: Lazy): Lazy {
  let made: { readonly value: CelThis } | undefined;
  return () => (made ??= { value: make() }).value;
}

function isList(value: Found): value is Value[] {
  return Array.isArray(value);
}

/** True if a field is set, as protobuf says it. */
function isGiven({ field }: FieldPlan, value: Found): boolean {
  if (value === undefined) return false;
  if (value instanceof Map) return value.size > 0;
  if (isList(value)) return value.length > 0;
  return field.hasPresence || !isZero(value);
}

function unsetValue({ type }: FieldDescriptor): Value {
  return type === 'message' ? EMPTY : zeroOf(type);
}

/** What rules compare of a well-known message. @throws WireError */
function unwrapped(kind: Unwrap, message: Buffer): Value {
  const reader = new Reader(message);
  if (kind === 'duration' || kind === 'timestamp') return readInstant(reader);
  if (kind === 'field_mask') return readStrings(reader, 1);
  if (kind === 'any') return readStrings(reader, 1).at(-1) ?? '';
  let value = zeroOf(kind);
  const wireType = wireTypeOfScalar(kind);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | wireType)) value = readScalar(reader, kind);
    else reader.skip(tag);
  }
  return value;
}

function wireTypeOfScalar(type: Exclude<Unwrap, 'duration' | 'timestamp' | 'field_mask' | 'any'>): number {
  switch (type) {
    case 'double':
      return WireType.FIXED64;
    case 'float':
      return WireType.FIXED32;
    case 'string':
    case 'bytes':
      return WireType.BYTES;
    default:
      return WireType.VARINT;
  }
}

/** Collects the fields of a plan. A field with another wire type than its own is an unknown field, as for all readers. */
class MessageReader extends Reader {
  /** Of messages that come more than once, which are one message in parts: joined once, at the end. */
  private readonly parts = new Map<number, Buffer[]>();

  read({ fields, byNumber }: MessagePlan): readonly Found[] {
    const found: Found[] = fields.map(() => undefined);
    while (!this.done) {
      const tag = this.tag();
      const plan = byNumber.get(tag >>> 3);
      if (plan === undefined || !this.field(plan, tag, found)) this.skip(tag);
      else if (plan.field.oneof !== undefined) {
        for (const other of fields) {
          if (other === plan || other.field.oneof !== plan.field.oneof) continue;
          found[other.index] = undefined;
          this.parts.delete(other.index);
        }
      }
    }
    for (const [index, parts] of this.parts) found[index] = Buffer.concat(parts);
    return found;
  }

  /** False if the value is none of this field. */
  private field({ field, index }: FieldPlan, tag: number, found: Found[]): boolean {
    const wireType = tag & 7;
    const before = found[index];
    if (field.map !== undefined) {
      if (wireType !== WireType.BYTES) return false;
      const entries = before instanceof Map ? before : new Map<MapKey, Value>();
      found[index] = entries;
      this.within(() => this.entry(field, entries));
      return true;
    }
    if (field.repeated) {
      const { type } = field;
      const list = isList(before) ? before : [];
      found[index] = list;
      if (wireType === wireTypeOf(field)) list.push(this.one(field, tag));
      else if (wireType === WireType.BYTES && type !== 'message') {
        this.within(() => {
          while (!this.done) list.push(readScalar(this, type));
        });
      } else return false;
      return true;
    }
    if (wireType !== wireTypeOf(field)) return false;
    const value = this.one(field, tag);
    found[index] = value;
    if (field.type === 'message' && Buffer.isBuffer(before) && Buffer.isBuffer(value)) {
      const parts = this.parts.get(index);
      if (parts === undefined) this.parts.set(index, [before, value]);
      else parts.push(value);
    }
    return true;
  }

  private one({ type }: FieldDescriptor, tag: number): Value {
    if (type !== 'message') return readScalar(this, type);
    if ((tag & 7) === WireType.BYTES) return this.bytes();
    const start = this.pos;
    this.skip(tag);
    return this.buf.subarray(start, this.pos - varintLength(endTagOf(tag)));
  }

  private entry({ map }: FieldDescriptor, entries: Map<MapKey, Value>): void {
    if (map === undefined) return;
    const { key, value } = map;
    let foundKey = unsetValue(key);
    let foundValue = unsetValue(value);
    const parts: Buffer[] = [];
    while (!this.done) {
      const tag = this.tag();
      if (tag === ((1 << 3) | wireTypeOf(key))) foundKey = this.one(key, tag);
      else if (tag === ((2 << 3) | wireTypeOf(value))) {
        foundValue = this.one(value, tag);
        if (value.type === 'message' && Buffer.isBuffer(foundValue)) parts.push(foundValue);
      } else this.skip(tag);
    }
    if (parts.length > 1) foundValue = Buffer.concat(parts);
    if (typeof foundKey !== 'object') entries.set(foundKey, foundValue);
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) length++;
  return length;
}
