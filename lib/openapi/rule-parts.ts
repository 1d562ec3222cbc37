/** The standard rules of one value → JSON Schema, rule by rule. */
import { durationText, timestampText, type TypedRules, type RuleValue } from '../validate/index.js';
import { shortestFloat } from '../codec/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import type { Json, JsonObject, PrintOptions } from './options.js';

/**
 * The part of a JSON Schema that each rule is, by the rule's name. Rules that JSON Schema cannot say are left out.
 * @param field whose type the value has; no message but those with rules of their own
 */
export function ruleParts(typed: TypedRules, field: FieldDescriptor, print: PrintOptions): Map<string, JsonObject> {
  const parts = new Map<string, JsonObject>();
  const json = (value: RuleValue): Json => valueJson(value, field, print);
  const { kind } = typed;
  if (kind === 'string') addText(typed, parts);
  else if (kind === 'bytes') addBytes(typed, parts);
  else if (kind === 'any' || kind === 'field_mask' || kind === 'duration' || kind === 'timestamp') return parts;
  else if (/64$/.test(kind) && !print.int64AsNumbers) addSign(typed, parts);
  else addRange(typed, parts, field.type === 'float');
  const exact = typed.value('const');
  if (exact !== undefined && isFinite(exact)) parts.set('const', { const: json(exact) });
  // The numbers of an enum have names, some of them several.
  const listed = (name: string): Json[] =>
    typed.all(name).flatMap((value) => (kind === 'enum' ? enumJson(Number(value), field, print) : [json(value)]));
  if (kind === 'enum' && exact !== undefined) parts.set('const', choice(enumJson(Number(exact), field, print)));
  const inside = listed('in');
  if (inside.length > 0 && typed.all('in').every(isFinite)) parts.set('in', choice(inside));
  const outside = listed('not_in');
  if (outside.length > 0 && typed.all('not_in').every(isFinite)) parts.set('not_in', { not: { enum: outside } });
  // An enum's schema lists what is defined.
  if (kind === 'enum') parts.set('defined_only', {});
  if (kind === 'float' || kind === 'double') parts.set('finite', {});
  return parts;
}

function choice(values: readonly Json[]): JsonObject {
  return values.length === 1 ? { const: values[0]! } : { enum: values };
}

function isFinite(value: RuleValue): boolean {
  return typeof value !== 'number' || Number.isFinite(value);
}

/** A value of a rule as ProtoJSON prints it. */
export function valueJson(value: RuleValue, field: FieldDescriptor, print: PrintOptions): Json {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (typeof value === 'bigint') return bigintJson(value, field, print);
  if (typeof value !== 'number') return typeof value === 'object' ? value.join(',') : value;
  if (field.type === 'enum') return enumJson(value, field, print)[0]!;
  return field.type === 'float' ? shortestFloat(value) : value;
}

function bigintJson(value: bigint, { message, type }: FieldDescriptor, { int64AsNumbers }: PrintOptions): Json {
  if (message !== undefined)
    return type === 'message' && /Timestamp$/.test(message.fullName) ? timestampText(value) : durationText(value);
  return int64AsNumbers ? Number(value) : String(value);
}

/** All names of a number; the number if it has none, or if enums are printed so. */
function enumJson(number: number, field: FieldDescriptor, { alwaysPrintEnumsAsInts }: PrintOptions): Json[] {
  const names = field.enum!.values.filter((value) => value.number === number).map(({ name }) => name);
  return alwaysPrintEnumsAsInts || names.length === 0 ? [number] : names;
}

/** A range whose upper limit is below the lower one is what is outside of both. */
function addRange(typed: TypedRules, parts: Map<string, JsonObject>, isFloat: boolean): void {
  const found: [rule: string, keyword: string, limit: number][] = [];
  for (const [rule, keyword] of LIMITS) {
    const value = typed.ordered(rule);
    if (value === undefined) continue;
    const limit = isFloat ? shortestFloat(Number(value)) : Number(value);
    // A limit that is no JSON number, or none exactly, is said in words.
    if (Number.isFinite(limit) && (typeof value === 'number' || Number.isSafeInteger(limit)))
      found.push([rule, keyword, limit]);
    else return;
  }
  const [upper, lower] = [found.find(([rule]) => rule.startsWith('l')), found.find(([rule]) => rule.startsWith('g'))];
  const isOutside = upper !== undefined && lower !== undefined && upper[2] < lower[2];
  const schemas = found.map(([, keyword, limit]): JsonObject => ({ [keyword]: limit }));
  if (isOutside) {
    parts.set(upper[0], {});
    parts.set(lower[0], { anyOf: schemas });
  } else found.forEach(([rule], index) => parts.set(rule, schemas[index]!));
}

/** As `checks` chooses among them, if a rule gives both limits of one side. */
const LIMITS = [
  ['lt', 'exclusiveMaximum'],
  ['lte', 'maximum'],
  ['gt', 'exclusiveMinimum'],
  ['gte', 'minimum'],
] as const;

/** Of digits in a string JSON Schema can only tell the sign. */
function addSign(typed: TypedRules, parts: Map<string, JsonObject>): void {
  const [gt, gte, hasUpper] = [typed.ordered('gt'), typed.ordered('gte'), typed.ordered('lt') ?? typed.ordered('lte')];
  const least = gt === undefined ? gte : BigInt(gt) + 1n;
  if (least === undefined || least < 0n || isInverted(typed)) return;
  const rule = gt === undefined ? 'gte' : 'gt';
  const isAll = hasUpper === undefined && least <= 1n;
  parts.set(isAll ? rule : 'sign', { pattern: least === 0n ? '^[0-9]+$' : '^[1-9][0-9]*$' });
}

function isInverted(typed: TypedRules): boolean {
  const upper = typed.ordered('lt') ?? typed.ordered('lte');
  const lower = typed.ordered('gt') ?? typed.ordered('gte');
  return upper !== undefined && lower !== undefined && upper < lower;
}

function addText(typed: TypedRules, parts: Map<string, JsonObject>): void {
  // JSON Schema counts code points, as the rules do. A string has no more of them than it has bytes.
  addSizes(typed, parts, { least: (size) => size, most: (size) => size });
  const bytes = sizeOf(typed, 'max_bytes') ?? sizeOf(typed, 'len_bytes');
  if (bytes !== undefined && sizeOf(typed, 'max_len') === undefined && sizeOf(typed, 'len') === undefined) {
    parts.set('bytes', { maxLength: bytes });
  }
  const pattern = typed.text('pattern');
  const portable = pattern === undefined ? undefined : portablePattern(pattern);
  if (portable !== undefined) parts.set('pattern', { pattern: portable });
  for (const [rule, make] of PARTS) {
    const part = typed.text(rule);
    if (part !== undefined) parts.set(rule, make(escaped(part)));
  }
  for (const [rule, schema] of FORMATS) if (typed.flag(rule)) parts.set(rule, schema);
}

const PARTS: readonly (readonly [rule: string, make: (part: string) => JsonObject])[] = [
  ['prefix', (part) => ({ pattern: `^${part}` })],
  ['suffix', (part) => ({ pattern: `${part}$` })],
  ['contains', (part) => ({ pattern: part })],
  ['not_contains', (part) => ({ not: { pattern: part } })],
];

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

const anyFormat = (...formats: string[]): JsonObject => ({ anyOf: formats.map((format) => ({ format })) });

const FORMATS: ReadonlyMap<string, JsonObject> = new Map([
  ['email', { format: 'email' }],
  ['hostname', { format: 'hostname' }],
  ['ip', anyFormat('ipv4', 'ipv6')],
  ['ipv4', { format: 'ipv4' }],
  ['ipv6', { format: 'ipv6' }],
  ['uri', { format: 'uri' }],
  ['uri_ref', { format: 'uri-reference' }],
  ['address', anyFormat('hostname', 'ipv4', 'ipv6')],
  ['uuid', { format: 'uuid' }],
  ['tuuid', { pattern: '^[0-9a-fA-F]{32}$' }],
  ['ulid', { pattern: '^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$' }],
]);

/**
 * A pattern of RE2 that means the same in JavaScript, as JSON Schema asks; undefined if it may not: flags, named groups, classes
 * of POSIX and Unicode, and escapes that only one of them knows.
 */
function portablePattern(pattern: string): string | undefined {
  if (/\(\?(?!:)|\[\[?:|\\[^dDwW\\^$.*+?()[\]{}|/trnfv-]/.test(pattern)) return undefined;
  try {
    new RegExp(pattern, 'u');
    return pattern;
  } catch {
    return undefined;
  }
}

/** The length of the base64 that bytes are written in; a client may leave out the padding. */
function addBytes(typed: TypedRules, parts: Map<string, JsonObject>): void {
  addSizes(typed, parts, { least: (size) => Math.ceil((size * 4) / 3), most: (size) => Math.ceil(size / 3) * 4 });
}

interface Lengths {
  readonly least: (size: number) => number;
  readonly most: (size: number) => number;
}

function addSizes(typed: TypedRules, parts: Map<string, JsonObject>, { least, most }: Lengths): void {
  const [exact, min, max] = ['len', 'min_len', 'max_len'].map((rule) => sizeOf(typed, rule));
  if (exact !== undefined) parts.set('len', { minLength: least(exact), maxLength: most(exact) });
  if (min !== undefined) parts.set('min_len', { minLength: least(min) });
  if (max !== undefined) parts.set('max_len', { maxLength: most(max) });
}

/** A size that a JSON Schema may have; undefined if there is none. */
export function sizeOf(typed: TypedRules, rule: string): number | undefined {
  const size = typed.ordered(rule);
  return size === undefined || size > Number.MAX_SAFE_INTEGER ? undefined : Number(size);
}
