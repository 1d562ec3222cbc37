/** The standard rules of one value: rules → checks, compiled once. What is told of a violation depends on the rule alone. */
import { wallClock } from '../clock.js';
import { compilePattern } from '../pattern.js';
import { type AddCheck, checkString } from './string-checks.js';
import type { TypedRules } from './rules.js';
import type { RuleStep, Way } from './violation.js';
import { protoType } from './rule-fields.js';
import { durationText, timestampText, type Value } from './values.js';

/** One rule of one value. */
export interface Check {
  readonly rule: readonly RuleStep[];
  readonly id: string;
  readonly message: string;
  readonly breaks: (value: Value) => boolean;
}

/** The path of a rule below that of its rules message. */
export function ruleStep(rules: TypedRules, name: string): RuleStep {
  const { number, type } = rules.field(name);
  return { number, name, type: protoType(type) };
}

/**
 * Compiles the rules of a value; not those of the size of lists and maps.
 * @param path of the rules message
 * @param enumNumbers the numbers that the enum of the field defines
 * @throws OptionError if a pattern is none
 */
export function compileChecks(
  rules: TypedRules,
  path: readonly RuleStep[],
  enumNumbers: ReadonlySet<number> | undefined,
): Check[] {
  const checks: Check[] = [];
  const { kind } = rules;
  const add: AddCheck = (rule, message, breaks, idSuffix = rule) => {
    checks.push({ rule: [...path, ruleStep(rules, rule)], id: `${kind}.${idSuffix}`, message, breaks });
  };
  switch (kind) {
    case 'string':
      checkString(rules, add);
      break;
    case 'bytes':
      checkBytes(rules, add);
      break;
    case 'any':
      checkAny(rules, add);
      break;
    case 'field_mask':
      checkMask(rules, add);
      break;
    case 'repeated':
    case 'map':
      break;
    case 'bool': {
      const wanted = rules.value('const');
      if (wanted !== undefined) add('const', `must equal ${String(wanted)}`, (value) => value !== wanted);
      break;
    }
    default:
      checkOrdered(rules, add, printers[kind] ?? String);
      checkNow(rules, add);
      if (kind === 'enum' && rules.flag('defined_only') && enumNumbers !== undefined) {
        const isUnknown = (value: Value): boolean => typeof value === 'number' && !enumNumbers.has(value);
        add('defined_only', 'value must be one of the defined enum values', isUnknown);
      }
      if (rules.flag('finite')) {
        add('finite', 'must be finite', (value) => typeof value === 'number' && !Number.isFinite(value));
      }
  }
  return checks;
}

type Ordered = number | bigint;

const printers: Readonly<Record<string, ((value: Ordered) => string) | undefined>> = {
  duration: (value) => durationText(BigInt(value)),
  timestamp: (value) => timestampText(BigInt(value)),
};

/** const, ranges, in and not_in. A range whose upper limit is below the lower one means what is outside of both. */
function checkOrdered(rules: TypedRules, add: AddCheck, print: (value: Ordered) => string): void {
  const ordered =
    (breaks: (value: Ordered) => boolean) =>
    (value: Value): boolean =>
      (typeof value === 'number' || typeof value === 'bigint') && breaks(value);
  const exact = rules.ordered('const');
  if (exact !== undefined)
    add(
      'const',
      `must equal ${print(exact)}`,
      ordered((value) => value !== exact),
    );
  const upper = limitOf(rules, 'lt', 'lte');
  const lower = limitOf(rules, 'gt', 'gte');
  // Written so that NaN, which compares with nothing, breaks every range.
  const isBelow = (value: Ordered): boolean =>
    upper === undefined || (upper.inclusive ? value <= upper.limit : value < upper.limit);
  const isAbove = (value: Ordered): boolean =>
    lower === undefined || (lower.inclusive ? value >= lower.limit : value > lower.limit);
  if (upper !== undefined && lower === undefined) {
    add(
      upper.name,
      `must be ${words.upper(upper, print)}`,
      ordered((value) => !isBelow(value)),
    );
  } else if (lower !== undefined && upper === undefined) {
    add(
      lower.name,
      `must be ${words.lower(lower, print)}`,
      ordered((value) => !isAbove(value)),
    );
  } else if (lower !== undefined && upper !== undefined) {
    const isOutside = upper.limit < lower.limit;
    add(
      lower.name,
      `must be ${words.lower(lower, print)} ${isOutside ? 'or' : 'and'} ${words.upper(upper, print)}`,
      ordered((value) => (isOutside ? !isBelow(value) && !isAbove(value) : !isBelow(value) || !isAbove(value))),
      `${lower.name}_${upper.name}${isOutside ? '_exclusive' : ''}`,
    );
  }
  const isOrdered = (value: Value): value is Ordered => typeof value === 'number' || typeof value === 'bigint';
  const inside = rules.all('in').filter(isOrdered);
  if (inside.length > 0) {
    const known = new Set(inside);
    add(
      'in',
      `must be in list [${inside.map(print).join(', ')}]`,
      ordered((value) => !known.has(value) || isNaN(value)),
    );
  }
  const outside = rules.all('not_in').filter(isOrdered);
  if (outside.length > 0) {
    const known = new Set(outside);
    const message = `must not be in list [${outside.map(print).join(', ')}]`;
    add(
      'not_in',
      message,
      ordered((value) => known.has(value) && !isNaN(value)),
    );
  }
}

function isNaN(value: Ordered): boolean {
  return Number.isNaN(value);
}

interface Limit {
  readonly name: string;
  readonly limit: Ordered;
  readonly inclusive: boolean;
}

function limitOf(rules: TypedRules, exclusive: string, inclusive: string): Limit | undefined {
  const open = rules.ordered(exclusive);
  if (open !== undefined) return { name: exclusive, limit: open, inclusive: false };
  const closed = rules.ordered(inclusive);
  return closed === undefined ? undefined : { name: inclusive, limit: closed, inclusive: true };
}

const words = {
  upper: ({ limit, inclusive }: Limit, print: (value: Ordered) => string) =>
    `less than ${inclusive ? 'or equal to ' : ''}${print(limit)}`,
  lower: ({ limit, inclusive }: Limit, print: (value: Ordered) => string) =>
    `greater than ${inclusive ? 'or equal to ' : ''}${print(limit)}`,
};

/** The rules of timestamps that the clock decides. */
function checkNow(rules: TypedRules, add: AddCheck): void {
  if (rules.kind !== 'timestamp') return;
  const now = (): bigint => BigInt(wallClock().getTime()) * 1_000_000n;
  if (rules.flag('lt_now'))
    add('lt_now', 'must be less than now', (value) => typeof value === 'bigint' && value > now());
  if (rules.flag('gt_now')) {
    add('gt_now', 'must be greater than now', (value) => typeof value === 'bigint' && value < now());
  }
  const within = rules.ordered('within');
  if (typeof within === 'bigint') {
    add('within', `must be within ${durationText(within)} of now`, (value) => {
      if (typeof value !== 'bigint') return false;
      const distance = value - now();
      return distance < -within || distance > within;
    });
  }
}

function checkBytes(rules: TypedRules, add: AddCheck): void {
  const onBytes =
    (breaks: (value: Buffer) => boolean) =>
    (value: Value): boolean =>
      Buffer.isBuffer(value) && breaks(value);
  const exact = rules.bytes('const');
  if (exact !== undefined)
    add(
      'const',
      `must be ${exact.toString('hex')}`,
      onBytes((value) => !value.equals(exact)),
    );
  const len = rules.ordered('len');
  if (len !== undefined)
    add(
      'len',
      `must be ${len} bytes`,
      onBytes(({ length }) => BigInt(length) !== len),
    );
  const min = rules.ordered('min_len');
  if (min !== undefined)
    add(
      'min_len',
      `must be at least ${min} bytes`,
      onBytes(({ length }) => length < min),
    );
  const max = rules.ordered('max_len');
  if (max !== undefined)
    add(
      'max_len',
      `must be at most ${max} bytes`,
      onBytes(({ length }) => length > max),
    );
  const pattern = rules.text('pattern');
  if (pattern !== undefined) {
    const compiled = compilePattern(pattern);
    add(
      'pattern',
      `must match regex pattern \`${pattern}\``,
      onBytes((value) => !compiled.matcher(textOf(value)).find()),
    );
  }
  const prefix = rules.bytes('prefix');
  if (prefix !== undefined) {
    const breaks = (value: Buffer): boolean => !value.subarray(0, prefix.length).equals(prefix);
    add('prefix', `does not have prefix ${prefix.toString('hex')}`, onBytes(breaks));
  }
  const suffix = rules.bytes('suffix');
  if (suffix !== undefined) {
    const breaks = (value: Buffer): boolean =>
      value.length < suffix.length || !value.subarray(value.length - suffix.length).equals(suffix);
    add('suffix', `does not have suffix ${suffix.toString('hex')}`, onBytes(breaks));
  }
  const part = rules.bytes('contains');
  if (part !== undefined) {
    add(
      'contains',
      `does not contain ${part.toString('hex')}`,
      onBytes((value) => !value.includes(part)),
    );
  }
  for (const name of ['in', 'not_in'] as const) {
    const listed = rules.all(name).filter((value): value is Buffer => Buffer.isBuffer(value));
    if (listed.length === 0) continue;
    const known = new Set(listed.map((value) => value.toString('latin1')));
    const message = `must ${name === 'in' ? '' : 'not '}be in list [${listed.map(String).join(', ')}]`;
    add(
      name,
      message,
      onBytes((value) => known.has(value.toString('latin1')) !== (name === 'in')),
    );
  }
  for (const [name, what, sizes] of BYTES_FORMATS) {
    if (!rules.flag(name)) continue;
    add(
      name,
      `must be a valid ${what}`,
      onBytes(({ length }) => length > 0 && !sizes.includes(length)),
    );
    const message = `value is empty, which is not a valid ${what}`;
    add(
      name,
      message,
      onBytes(({ length }) => length === 0),
      `${name}_empty`,
    );
  }
}

const BYTES_FORMATS: readonly (readonly [name: string, what: string, sizes: readonly number[]])[] = [
  ['ip', 'IP address', [4, 16]],
  ['ipv4', 'IPv4 address', [4]],
  ['ipv6', 'IPv6 address', [16]],
  ['uuid', 'UUID', [16]],
];

/** A rule cannot be applied to a value, which is neither right nor wrong. */
export class RuleFault extends Error {
  /** Where the value is; undefined for the message as a whole. */
  way: Way | undefined;
  /** Of the rule. */
  id = '';
}

function textOf(value: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new RuleFault('a pattern needs text, and the bytes are not UTF-8', { cause });
  }
}

function checkAny(rules: TypedRules, add: AddCheck): void {
  const allowed = new Set(rules.all('in'));
  if (allowed.size > 0) add('in', 'type URL must be in the allow list', (value) => !allowed.has(value));
  const blocked = new Set(rules.all('not_in'));
  if (blocked.size > 0) add('not_in', 'type URL must not be in the block list', (value) => blocked.has(value));
}

function checkMask(rules: TypedRules, add: AddCheck): void {
  const paths = (value: Value): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
  const exact = rules.value('const');
  if (exact !== undefined) {
    const wanted = paths(exact);
    add('const', `must equal paths [${wanted.join(', ')}]`, (value) => paths(value).join('\n') !== wanted.join('\n'));
  }
  for (const name of ['in', 'not_in'] as const) {
    const listed = rules.all(name).map(String);
    if (listed.length === 0) continue;
    const covers = (path: string): boolean => listed.some((entry) => path === entry || path.startsWith(`${entry}.`));
    const message =
      name === 'in'
        ? `must only contain paths in [${listed.join(', ')}]`
        : `must not contain any paths in [${listed.join(', ')}]`;
    add(name, message, (value) => paths(value).some((path) => covers(path) !== (name === 'in')));
  }
}
