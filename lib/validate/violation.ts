/** What breaks a rule, and where: paths of fields and of rules, as text and as protovalidate's own messages. */
import type { FieldDescriptor, OneofDescriptor } from '../schema/types.js';
import { WireType, Writer } from '../wire/index.js';
import { protoType } from './rule-fields.js';

/** The key of a map entry. */
export type MapKey = string | number | bigint | boolean;

/** A step on the way to a value; the outermost message has none. */
export interface Way {
  readonly outer: Way | undefined;
  readonly field: FieldDescriptor | OneofDescriptor;
  /** Of an element of a list. */
  readonly index?: number;
  /** Of an entry of a map. */
  readonly key?: MapKey;
}

/** A step of the path to a rule in `buf.validate.FieldRules`: `string`, then `min_len`. */
export interface RuleStep {
  readonly number: number;
  readonly name: string;
  /** google.protobuf.FieldDescriptorProto.Type */
  readonly type: number;
  readonly index?: number;
}

/** A broken rule. */
export interface Violation {
  /** Undefined for the message as a whole. */
  readonly way: Way | undefined;
  /** Empty for rules of messages and oneofs. */
  readonly rule: readonly RuleStep[];
  /** `string.min_len`. */
  readonly id: string;
  readonly message: string;
  /** True if the key of a map entry breaks the rule, and not its value. */
  readonly forKey: boolean;
}

/** `spec.tags[2]`, `labels["a"].name`. @param nameOf how fields are called */
export function pathText(way: Way | undefined, nameOf: (field: Way['field']) => string): string {
  let path = '';
  for (let at = way; at !== undefined; at = at.outer) {
    const { field, index, key } = at;
    const subscript = index !== undefined ? `[${index}]` : key !== undefined ? `[${JSON.stringify(String(key))}]` : '';
    path = `${nameOf(field)}${subscript}${path === '' ? '' : `.${path}`}`;
  }
  return path;
}

/** The type URL of `violationsBytes`. */
export const VIOLATIONS_TYPE_URL = 'type.googleapis.com/buf.validate.Violations';

/** Violations as a `buf.validate.Violations`, which users of protovalidate know from their services. */
export function violationsBytes(violations: readonly Violation[]): Buffer {
  const out = new Writer();
  for (const violation of violations) nested(out, 1, () => writeViolation(out, violation));
  return out.take();
}

function writeViolation(out: Writer, { way, rule, id, message, forKey }: Violation): void {
  string(out, 2, id);
  string(out, 3, message);
  if (forKey) varint(out, 4, 1n);
  const steps: Way[] = [];
  for (let at = way; at !== undefined; at = at.outer) steps.unshift(at);
  if (steps.length > 0) nested(out, 5, () => steps.forEach((step) => nested(out, 1, () => writeStep(out, step))));
  if (rule.length > 0) nested(out, 6, () => rule.forEach((step) => nested(out, 1, () => writeRuleStep(out, step))));
}

function writeStep(out: Writer, { field, index, key }: Way): void {
  if (!('number' in field)) {
    string(out, 2, field.name);
    return;
  }
  varint(out, 1, BigInt(field.number));
  string(out, 2, field.name);
  varint(out, 3, BigInt(typeNumber(field)));
  if (field.map !== undefined && key !== undefined) {
    varint(out, 4, BigInt(typeNumber(field.map.key)));
    varint(out, 5, BigInt(typeNumber(field.map.value)));
    writeKey(out, field.map.key.type, key);
  }
  if (index !== undefined) varint(out, 6, BigInt(index));
}

function writeKey(out: Writer, type: FieldDescriptor['type'], key: MapKey): void {
  if (typeof key === 'string') string(out, 10, key);
  else if (typeof key === 'boolean') varint(out, 7, key ? 1n : 0n);
  else varint(out, type.startsWith('u') || type.startsWith('fixed') ? 9 : 8, BigInt(key));
}

function typeNumber(field: FieldDescriptor): number {
  return protoType(field.type === 'message' && field.delimited ? 'group' : field.type);
}

function writeRuleStep(out: Writer, { number, name, type, index }: RuleStep): void {
  varint(out, 1, BigInt(number));
  string(out, 2, name);
  varint(out, 3, BigInt(type));
  if (index !== undefined) varint(out, 6, BigInt(index));
}

function nested(out: Writer, number: number, write: () => void): void {
  out.uint32((number << 3) | WireType.BYTES);
  const mark = out.begin();
  write();
  out.finish(mark);
}

function string(out: Writer, number: number, text: string): void {
  out.uint32((number << 3) | WireType.BYTES);
  out.string(text.toWellFormed());
}

function varint(out: Writer, number: number, value: bigint): void {
  out.uint32((number << 3) | WireType.VARINT);
  out.varint64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}
