/** Single values: switches, words, numbers, sizes, times, texts. */
import { resolve } from 'node:path';
import { nearestName } from '../status.js';
import { leaf, type LeafKind, type Unit } from './kind.js';
import { type InputNode, type Plain, plain, shown } from './node.js';
import { OptionError } from './reader.js';

/** Longest delay of a timer, in milliseconds: 24 days. */
export const MAX_TIMER_MS = 0x7fffffff;

/** True or false. A flag may have no value, which means true. */
export const booleanValue = leaf<boolean>({
  description: 'true or false',
  jsonSchema: { type: 'boolean' },
  unit: '',
  print: (value) => value,
  convert: (raw) => (raw === true || raw === 'true' ? true : raw === false || raw === 'false' ? false : undefined),
});

/** One of a few words. */
export function enumValue<const T extends string>(...values: readonly T[]): LeafKind<T> {
  const description = `one of ${values.join(', ')}`;
  return leaf<T>({
    placeholder: values.join('|'),
    words: values,
    description,
    // YAML reads 3.1 as a number.
    jsonSchema: { enum: values.flatMap((value) => (Number.isNaN(Number(value)) ? [value] : [value, Number(value)])) },
    unit: '',
    print: (value) => value,
    convert(raw) {
      const near = typeof raw === 'string' ? nearestName(raw, values) : undefined;
      const found = values.find((value) => value === (typeof raw === 'number' ? String(raw) : raw));
      if (found !== undefined || near === undefined) return found;
      throw new OptionError(`found ${shown(raw)}, expected ${description}; did you mean ${near}?`);
    },
  });
}

/** A whole number within a range. */
export function integerValue(min: number, max: number): LeafKind<number> {
  return leaf<number>({
    placeholder: 'N',
    description: `a whole number from ${min} to ${max}`,
    jsonSchema: { type: 'integer', minimum: min, maximum: max },
    unit: '',
    print: (value) => value,
    convert(raw) {
      const value = /^\d{1,15}$/.test(textOf(raw)) ? Number(raw) : -1;
      return value >= min && value <= max ? value : undefined;
    },
  });
}

/** A part of a whole, from 0 to 1: `0.1` or `10%`. */
export const shareValue = leaf<number, number | string>({
  placeholder: 'SHARE',
  description: 'a share from 0 to 1, such as 0.1 or 10%',
  jsonSchema: { type: ['number', 'string'], minimum: 0, maximum: 1, pattern: '^\\d+(\\.\\d+)?%?$' },
  unit: '',
  print: (value) => value,
  convert(raw) {
    const match = /^(\d{1,3}(?:\.\d{1,9})?)(%?)$/.exec(textOf(raw));
    if (match === null) return undefined;
    const value = Number(match[1]) / (match[2] === '%' ? 100 : 1);
    return value <= 1 ? value : undefined;
  },
});

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

/** In the largest unit in which it is a whole number. */
function printSize(bytes: number): Plain {
  const found = Object.entries(sizeUnits)
    .filter(([name, unit]) => name.endsWith('iB') && bytes >= unit && bytes % unit === 0)
    .at(-1);
  return found === undefined ? bytes : `${bytes / found[1]}${found[0]}`;
}

/** A number of bytes: `4MiB`, `65536`. */
export function sizeValue(min: number, max: number): LeafKind<number, number | string> {
  return leaf<number, number | string>({
    placeholder: 'SIZE',
    description: `a size such as 64KiB, 4MiB or a number of bytes, from ${min} to ${max} bytes`,
    jsonSchema: {
      type: ['integer', 'string'],
      minimum: min,
      maximum: max,
      pattern: '^\\d+(\\.\\d+)? ?(B|[KMG]iB|[kMG]B)?$',
    },
    unit: '',
    print: printSize,
    convert(raw) {
      const [, digits = '', name = ''] = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(textOf(raw)) ?? [];
      const unit = sizeUnits[name];
      if (digits === '' || unit === undefined) return undefined;
      const bytes = Math.round(Number(digits) * unit);
      const isWhole = unit !== 1 || bytes === Number(digits);
      return isWhole && bytes >= min && bytes <= max ? bytes : undefined;
    },
  });
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `250ms`, `1.5s`, `2m`, `1h` → milliseconds; undefined if the text is no time. */
export function parseTime(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * timeUnits[unit]!;
}

/** A number in a program means milliseconds. */
function inMilliseconds<T, I, U extends Unit>(kind: LeafKind<T, I, U>): LeafKind<T, I, U> {
  return {
    ...kind,
    readNode(node, { isProgram }) {
      const raw = plain(node);
      return kind.read(isProgram && typeof raw === 'number' ? `${raw}ms` : raw);
    },
  };
}

/** A time in milliseconds, at least `min`, which is 1 or 0. */
export function timeFrom(min: 0 | 1): LeafKind<number, number | string, 'Ms'> {
  return inMilliseconds(
    leaf<number, number | string, 'Ms'>({
      placeholder: 'TIME',
      description: `${min === 0 ? '0s or ' : ''}a time such as 250ms, 1.5s, 2m or 1h, from 1ms to 596h`,
      jsonSchema: { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|m|h)$' },
      unit: 'Ms',
      print: (milliseconds) => (milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`),
      convert(raw) {
        if (min === 0 && (raw === '0s' || raw === '0ms')) return 0;
        const milliseconds = typeof raw === 'string' ? parseTime(raw) : undefined;
        return milliseconds !== undefined && milliseconds >= 1 && milliseconds <= MAX_TIMER_MS
          ? milliseconds
          : undefined;
      },
    }),
  );
}

/** A time in milliseconds: `1s`, `250ms`, `1.5m`. */
export const timeValue = timeFrom(1);

/** The kind with `none` (null in a file) as a further value, which reads as undefined. */
export function optional<T, I, U extends Unit>(
  kind: LeafKind<T, I, U>,
  description = `none, or ${kind.description}`,
): LeafKind<T | undefined, I | 'none' | undefined, U> {
  const read = (raw: Plain, readSome: () => T): T | undefined => {
    if (raw === 'none' || raw === null) return undefined;
    try {
      return readSome();
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(
        error.message.replace(kind.description, () => description),
        error.code,
      );
    }
  };
  const { placeholder, repeatable, words, unit, jsonSchema } = kind;
  return {
    ...{ placeholder, description, repeatable, isOptional: true, words, unit },
    jsonSchema: { anyOf: [{ enum: ['none', null] }, jsonSchema] },
    read: (raw) => read(raw, () => kind.read(raw)),
    readNode: (node, reader) => read(plain(node), () => kind.readNode(node, reader)),
    print: (value) => (value === undefined ? 'none' : kind.print(value)),
  };
}

/** A time in milliseconds, or `none`. */
export const optionalTimeValue = optional(timeValue);

interface TextDescription {
  readonly placeholder: string;
  /** Completes "expected …". */
  readonly description: string;
  readonly code?: 'config-type';
  /** Undefined if the text is not accepted. */
  readonly convert: (text: string) => string | undefined;
}

/** A text that is checked and may be normalized. */
export function checkedText({ convert, ...rest }: TextDescription): LeafKind<string> {
  return leaf<string>({
    ...rest,
    jsonSchema: { type: 'string', minLength: 1 },
    unit: '',
    print: (text) => text,
    convert: (raw) => (typeof raw === 'string' ? convert(raw) : undefined),
  });
}

/** A text of one line. A number is taken by its digits, because a version may be `1.10`. */
export function lineValue(what = '', code?: 'config-type'): LeafKind<string> {
  const kind = leaf<string>({
    placeholder: 'TEXT',
    description: `${what}a text of one line, at most 200 characters`,
    ...(code !== undefined && { code }),
    jsonSchema: { type: ['string', 'number'] },
    unit: '',
    print: (text) => text,
    convert: (raw) => (/^[^\p{Cc}]{1,200}$/u.test(textOf(raw)) ? textOf(raw) : undefined),
  });
  return { ...kind, readNode: (node) => kind.read(digitsOf(node)) };
}

/** A text of one line. */
export const textValue = lineValue();
/** A text of one line, or `none`. */
export const optionalTextValue = optional(textValue);

/** Path of a file. A relative one is resolved against the reader's folder. */
export const fileValue: LeafKind<string> = {
  ...checkedText({
    placeholder: 'FILE',
    description: 'a path',
    convert: (text) => (text !== '' && !text.includes('\0') ? text : undefined),
  }),
  readNode(node, { folder }) {
    const path = this.read(plain(node));
    return folder === undefined ? path : resolve(folder, path);
  },
};

/** Path of a file, or `none`. */
export const pathValue = optional(fileValue, 'a path, or none');

/** A file in PEM, or what it holds, as a `data:` URL in base64; or `none`. */
export const pemValue = optional<string, string, ''>(
  {
    ...fileValue,
    readNode(node, reader) {
      const path = fileValue.read(plain(node));
      return path.startsWith('data:') ? path : fileValue.readNode(node, reader);
    },
  },
  'a path, or none',
);

const host = String.raw`([\w-]+(\.[\w-]+)*\.?|\[[0-9a-f:.]+\])`;

/** A host with an optional port, as in `:authority`. */
export const authorityPattern = new RegExp(String.raw`^${host}(:\d{1,5})?$`, 'i');

/** A value of `:authority`, with an optional port, or `none`. */
export const authorityValue = optional(
  checkedText({
    placeholder: 'NAME',
    description: 'a host name or address',
    convert: (text) => (authorityPattern.test(text) ? text : undefined),
  }),
  'a host name or address, such as grpc.internal or grpc.internal:443, or none',
);

/** Where something listens: `9090` or `HOST:PORT`, or `none`. A bare port is one of loopback. */
export const addressValue = optional(
  leaf<string, string | number>({
    placeholder: 'ADDRESS',
    description: 'a port or host:port',
    jsonSchema: { type: ['string', 'integer'] },
    unit: '',
    print: (address) => address,
    convert(raw) {
      const text = textOf(raw);
      // A listener takes these words for a socket that is handed over; here they would be host names.
      if (/^(fd|systemd):/i.test(text)) return undefined;
      const port = /^\d{1,5}$/.test(text) ? text : authorityPattern.exec(text)?.at(-1)?.slice(1);
      if (port === undefined || Number(port) > 65_535) return undefined;
      return text === port ? `127.0.0.1:${port}` : text;
    },
  }),
  'a port or host:port, such as 9090 or 0.0.0.0:9090, or none',
);

/** Base URL of an HTTP server, or `none`. */
export const urlValue = optional(
  checkedText({
    placeholder: 'URL',
    description: 'an http:// or https:// URL without query',
    convert: (text) => (/^https?:\/\/[^\s?#@]+$/i.test(text) && URL.canParse(text) ? text : undefined),
  }),
  'an http:// or https:// URL without query, such as http://127.0.0.1:3000, or none',
);

function digitsOf(node: InputNode): Plain {
  return node.kind === 'scalar' && typeof node.value === 'number' ? (node.source ?? node.value) : plain(node);
}

/** Texts and numbers as text. Anything else becomes the empty text, which no kind accepts. */
function textOf(raw: Plain): string {
  return typeof raw === 'string' ? raw : typeof raw === 'number' ? String(raw) : '';
}
