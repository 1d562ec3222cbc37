/**
 * Reads the value of an option, whether it stands in a flag (text) or in a file (text, number, boolean, list or map).
 * Each kind of value is one `ValueKind`: how it is read, what it must look like in words, how it is printed.
 */
import { isIP } from 'node:net';
import { isHeaderName } from '../headers.js';
import { nearestName } from '../status.js';
import { MAX_TIMER_MS } from '../upstream/index.js';
import { quote } from '../uri.js';

/** A value that is not what its option takes; the message completes "NAME: …". */
export class OptionError extends Error {}

/** What a file or a flag may hold for one option. */
export type RawValue = string | number | boolean | null | readonly RawValue[] | { readonly [key: string]: RawValue };

export interface ValueKind<T> {
  /** For `--help`: `SIZE`, `true|false`. Undefined for switches. */
  readonly placeholder: string | undefined;
  /** Completes "expected …". */
  readonly description: string;
  /** True where a flag may be given several times. */
  readonly repeatable: boolean;
  /** What a file may hold, for the JSON Schema that editors use. */
  readonly jsonSchema: object;
  /** @throws OptionError */
  read(raw: RawValue): T;
  /** The value as a file holds it: what `read` takes. */
  print(value: T): RawValue;
}

function fail(raw: RawValue, expected: string): never {
  throw new OptionError(`found ${quote(typeof raw === 'string' ? raw : JSON.stringify(raw))}, expected ${expected}`);
}

export const booleanValue: ValueKind<boolean> = {
  placeholder: undefined,
  description: 'true or false',
  repeatable: false,
  jsonSchema: { type: 'boolean' },
  print: (value) => value,
  read(raw) {
    if (typeof raw === 'boolean') return raw;
    if (raw === 'true') return true;
    if (raw === 'false') return false;
    return fail(raw, this.description);
  },
};

export function enumValue<const T extends string>(...values: readonly T[]): ValueKind<T> {
  const description = `one of ${values.join(', ')}`;
  return {
    placeholder: values.join('|'),
    description,
    repeatable: false,
    jsonSchema: { enum: values },
    print: (value) => value,
    read(raw) {
      const found = values.find((value) => value === raw);
      if (found !== undefined) return found;
      const near = typeof raw === 'string' ? nearestName(raw, values) : undefined;
      return fail(raw, near === undefined ? description : `${description}; did you mean ${near}?`);
    },
  };
}

/** A whole number within a range. */
export function integerValue(min: number, max: number): ValueKind<number> {
  const description = `a whole number from ${min} to ${max}`;
  return {
    placeholder: 'N',
    description,
    repeatable: false,
    jsonSchema: { type: 'integer', minimum: min, maximum: max },
    print: (value) => value,
    read(raw) {
      const text = typeof raw === 'number' ? String(raw) : raw;
      if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return fail(raw, description);
      const value = Number(text);
      return value >= min && value <= max ? value : fail(raw, description);
    },
  };
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

/** In the largest unit that leaves a whole number. */
function printSize(bytes: number): RawValue {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes >= sizeUnits[name]! && bytes % sizeUnits[name]! === 0);
  return unit === undefined ? bytes : `${bytes / sizeUnits[unit]!}${unit}`;
}

/** A number of bytes: `4MiB`, `65536`. */
export function sizeValue(min: number, max: number): ValueKind<number> {
  const description = `a size such as 64KiB, 4MiB or a number of bytes, from ${min} to ${max} bytes`;
  return {
    placeholder: 'SIZE',
    description,
    repeatable: false,
    jsonSchema: {
      type: ['integer', 'string'],
      minimum: min,
      maximum: max,
      pattern: '^\\d+(\\.\\d+)? ?(B|[KMG]iB|[kMG]B)?$',
    },
    print: printSize,
    read(raw) {
      const text = typeof raw === 'number' ? String(raw) : raw;
      const match = typeof text === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text) : null;
      const unit = match === null ? undefined : sizeUnits[match[2]!];
      if (unit === undefined) return fail(raw, description);
      const count = Number(match![1]);
      const bytes = Math.round(count * unit);
      if (unit === 1 && bytes !== count) return fail(raw, description);
      return bytes >= min && bytes <= max ? bytes : fail(raw, description);
    },
  };
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const timePattern = '^\\d+(\\.\\d+)?(ms|s|m|h)$';

/** A time in milliseconds: `1s`, `250ms`, `1.5m`. */
export const timeValue: ValueKind<number> = {
  placeholder: 'TIME',
  description: 'a time such as 250ms, 1.5s, 2m or 1h, from 1ms to 596h',
  repeatable: false,
  jsonSchema: { type: 'string', pattern: timePattern },
  print: (milliseconds) => (milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`),
  read(raw) {
    const match = typeof raw === 'string' ? /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(raw) : null;
    if (match === null) return fail(raw, this.description);
    const milliseconds = Number(match[1]) * timeUnits[match[2]!]!;
    return milliseconds >= 1 && milliseconds <= MAX_TIMER_MS ? milliseconds : fail(raw, this.description);
  },
};

/** A time, or `none`. */
export const optionalTimeValue: ValueKind<number | undefined> = {
  placeholder: 'TIME',
  description: `none, or ${timeValue.description}`,
  repeatable: false,
  jsonSchema: { anyOf: [{ const: 'none' }, timeValue.jsonSchema] },
  print: (milliseconds) => (milliseconds === undefined ? 'none' : timeValue.print(milliseconds)),
  read(raw) {
    if (raw === 'none' || raw === null) return undefined;
    try {
      return timeValue.read(raw);
    } catch {
      return fail(raw, this.description);
    }
  },
};

/** Texts: a flag repeats or takes commas, a file has a list or one text. */
export const listValue: ValueKind<readonly string[]> = {
  placeholder: 'NAME,…',
  description: 'a list of names',
  repeatable: true,
  jsonSchema: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
  print: (names) => names,
  read(raw) {
    const items = Array.isArray(raw) ? (raw as readonly RawValue[]) : [raw];
    return items.flatMap((item) => {
      if (typeof item !== 'string') return fail(item, 'a name');
      return item
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    });
  },
};

/** Names of one kind, so that one which could never be met is told at the start. */
function namesValue(description: string, isName: (name: string) => boolean): ValueKind<readonly string[]> {
  return {
    ...listValue,
    description,
    read: (raw) => listValue.read(raw).map((name) => (isName(name) ? name : fail(name, description))),
  };
}

/** What a `Host` may be: names, `*.example.com` for all below it, `*` for all. A port is allowed and says nothing. */
export const hostNamesValue = namesValue(
  'names of hosts, such as dev.example.com, *.example.com or *',
  (name) =>
    name === '*' || isIP(name) !== 0 || /^((\*\.)?[\w-]+(\.[\w-]+)*\.?|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(name),
);

/** Names of headers; a trailing `*` makes a prefix. */
export const headerNamesValue = namesValue('names of headers, such as x-user or x-user-*', (name) =>
  isHeaderName(name.replace(/\*$/, '')),
);

/** Some out of a few names, in an order that may matter: a flag repeats or takes commas. `none` is the empty list. */
export function choicesValue<const T extends string>(...choices: readonly T[]): ValueKind<readonly T[]> {
  const one = enumValue(...choices);
  return {
    placeholder: `${choices.join('|')},…`,
    description: `none, or a list out of ${choices.join(', ')}`,
    repeatable: true,
    jsonSchema: {
      anyOf: [{ enum: ['none', ...choices] }, { type: 'array', items: one.jsonSchema, uniqueItems: true }],
    },
    print: (values) => values,
    read: (raw) => {
      const names = raw === null || raw === 'none' ? [] : listValue.read(raw);
      return [...new Set(names.map((name) => one.read(name)))];
    },
  };
}

/** gRPC code → HTTP status: `5=410,7=404` in a flag, a map in a file. Names of codes will do too. */
export function statusMapValue(codeOf: (name: string) => number | undefined): ValueKind<ReadonlyMap<number, number>> {
  const description = 'pairs of a gRPC code from 1 to 16 and an HTTP status from 400 to 599, such as 5=410,7=404';
  const readPair = ([name, raw]: readonly [string, RawValue]): [number, number] => {
    const code = /^\d{1,2}$/.test(name) ? Number(name) : codeOf(name);
    const status = typeof raw === 'number' ? raw : Number(typeof raw === 'string' && /^\d{3}$/.test(raw) ? raw : NaN);
    const isGood = code !== undefined && code >= 1 && code <= 16 && status >= 400 && status <= 599;
    if (isGood && Number.isInteger(status)) return [code, status];
    return fail(`${name}=${typeof raw === 'string' ? raw : JSON.stringify(raw)}`, description);
  };
  const pairsOf = (raw: RawValue): (readonly [string, RawValue])[] => {
    if (Array.isArray(raw)) return (raw as readonly RawValue[]).flatMap(pairsOf);
    if (typeof raw === 'string') {
      return raw.split(',').map((pair) => {
        const parts = pair.trim().split('=');
        return parts.length === 2 ? [parts[0]!, parts[1]!] : fail(pair, description);
      });
    }
    return raw !== null && typeof raw === 'object' ? Object.entries(raw) : fail(raw, description);
  };
  return {
    placeholder: 'CODE=STATUS,…',
    description,
    repeatable: true,
    jsonSchema: { type: 'object', additionalProperties: { type: 'integer', minimum: 400, maximum: 599 } },
    print: (map) => Object.fromEntries([...map].map(([code, status]) => [String(code), status])),
    read: (raw) => new Map(pairsOf(raw).map(readPair)),
  };
}

/** Path of a file, or `none`. What is relative is made absolute by whoever knows where it was written. */
export const pathValue: ValueKind<string | undefined> = {
  placeholder: 'FILE',
  description: 'a path, or none',
  repeatable: false,
  jsonSchema: { type: 'string', minLength: 1 },
  print: (path) => path ?? 'none',
  read(raw) {
    if (raw === 'none' || raw === null) return undefined;
    return typeof raw === 'string' && raw !== '' && !raw.includes('\0') ? raw : fail(raw, this.description);
  },
};

/** A text of one line. */
export const textValue: ValueKind<string> = {
  placeholder: 'TEXT',
  description: 'a text of one line, at most 200 characters',
  repeatable: false,
  jsonSchema: { type: ['string', 'number'] },
  print: (text) => text,
  read(raw) {
    const text = typeof raw === 'number' ? String(raw) : raw;
    return typeof text === 'string' && /^[^\p{Cc}]{1,200}$/u.test(text) ? text : fail(raw, this.description);
  },
};

/** A text of one line, or `none`. */
export const optionalTextValue: ValueKind<string | undefined> = {
  ...textValue,
  description: `none, or ${textValue.description}`,
  print: (text) => text ?? 'none',
  read(raw) {
    return raw === 'none' || raw === null ? undefined : textValue.read(raw);
  },
};

/** A name that stands in `:authority`, with or without a port, or `none`. */
export const authorityValue: ValueKind<string | undefined> = {
  placeholder: 'NAME',
  description: 'a host name or address, such as grpc.internal or grpc.internal:443, or none',
  repeatable: false,
  jsonSchema: { type: 'string', minLength: 1 },
  print: (authority) => authority ?? 'none',
  read(raw) {
    if (raw === 'none' || raw === null) return undefined;
    const isGood = typeof raw === 'string' && /^([\w-]+(\.[\w-]+)*\.?|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(raw);
    return isGood ? raw : fail(raw, this.description);
  },
};

/** Base URL of an HTTP server, or `none`. */
export const urlValue: ValueKind<string | undefined> = {
  placeholder: 'URL',
  description: 'an http:// or https:// URL without query, such as http://127.0.0.1:3000, or none',
  repeatable: false,
  jsonSchema: { type: 'string', minLength: 1 },
  print: (url) => url ?? 'none',
  read(raw) {
    if (raw === 'none' || raw === null) return undefined;
    const isUrl = typeof raw === 'string' && /^https?:\/\/[^\s?#@]+$/i.test(raw) && URL.canParse(raw);
    return isUrl ? raw : fail(raw, this.description);
  },
};
