/** Kinds of scalar values, as proto3 JSON writes them. */
import { checkCommands, compileFormat, type LogFormat } from '../commands.js';
import { fixedHeader, isHeaderName } from '../headers.js';
import { type InputNode, MAX_TIMER_MS, OptionError, plain } from '../options/index.js';
import { checkPattern } from '../pattern.js';
import { nearestName } from '../status.js';
import { quote } from '../uri.js';
import { cannot, type EnvoyReader, fault, type RefusedKey, type ValueKind, wrongKind } from './describe.js';

/** What a scalar may be. */
type Scalar = string | number | boolean;

function scalar<T>(expected: string, convert: (value: Scalar) => T | undefined): ValueKind<T> {
  return {
    expected,
    read(node, path, reader) {
      const value = node.kind === 'scalar' && node.value !== null ? convert(node.value) : undefined;
      return value === undefined ? wrongKind(node, { path, place: node.place }, expected, reader) : value;
    },
  };
}

export const string = scalar('a text', (value) => (typeof value === 'string' ? value : undefined));

export const bool = scalar('true or false', (value) => (typeof value === 'boolean' ? value : undefined));

/** A whole number, also written as a text. */
export const uint32 = scalar('a whole number', (value) => {
  const number = typeof value === 'boolean' || value === '' ? NaN : Number(value);
  return Number.isInteger(number) && number >= 0 && number < 2 ** 32 ? number : undefined;
});

export const double = scalar('a number', (value) => {
  const number = typeof value === 'boolean' || value === '' ? NaN : Number(value);
  return Number.isFinite(number) ? number : undefined;
});

/** A text that `check` accepts; its OptionError is what is wrong. */
function checked(expected: string, check: (text: string) => void): ValueKind<string> {
  return {
    expected,
    read(node, path, reader) {
      const text = string.read(node, path, reader);
      if (text === undefined) return undefined;
      try {
        check(text);
        return text;
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        fault(reader, { path, place: node.place }, error.message);
        return undefined;
      }
    },
  };
}

/** A regular expression, as RE2 has them. */
export const pattern = checked('a regular expression of RE2', (text) => void checkPattern(text));

/** The value of a header, which may hold commands such as `%REQ(x-user)%`. */
export const headerText = checked('the value of a header', checkCommands);

/** A line of an access log. */
export const lineText = checked('a text with commands', (text) => void compileFormat(text));

/** Members of a line of JSON, with commands in their texts. */
export const lineMap: ValueKind<Exclude<LogFormat, string>> = {
  expected: 'a map of texts with commands',
  read(node, path, reader) {
    if (node.kind !== 'map') return wrongKind(node, { path, place: node.place }, 'a map', reader);
    checkTexts(node, path, reader);
    return plain(node) as Exclude<LogFormat, string>;
  },
};

function checkTexts(node: InputNode, path: string, reader: EnvoyReader): void {
  if (node.kind === 'map') {
    for (const { name, value } of node.members) checkTexts(value, `${path}.${JSON.stringify(name)}`, reader);
  } else if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) checkTexts(item, `${path}[${index}]`, reader);
  } else if (typeof node.value === 'string') lineText.read(node, path, reader);
}

/** The name of a header that a route sets or removes. */
export const changedHeader: ValueKind<string> = {
  expected: 'the name of a header',
  read(node, path, reader) {
    const name = string.read(node, path, reader);
    if (name === undefined) return undefined;
    const at = { path, place: node.place };
    const reason = fixedHeader(name.toLowerCase());
    if (reason !== undefined) {
      cannot(reader, at, `${quote(name)} cannot be changed`, reason);
      return undefined;
    }
    if (isHeaderName(name)) return name;
    fault(reader, at, `found ${quote(name)}, expected the name of a header`);
    return undefined;
  },
};

const durationText = /^(\d{1,12})(?:\.(\d{1,9}))?s$/;

/**
 * In whole milliseconds: Envoy cuts off what is finer, too. One that is too long for a timer cannot be honoured.
 * @param min the least, 0 or 1
 */
function durationFrom(min: 0 | 1): ValueKind<number> {
  const expected = `a duration such as 0.25s or 60s${min === 1 ? ', at least 0.001s' : ''}`;
  return {
    expected,
    read(node, path, reader) {
      const at = { path, place: node.place };
      const match = node.kind === 'scalar' && typeof node.value === 'string' ? durationText.exec(node.value) : null;
      if (match === null) return wrongKind(node, at, expected, reader);
      const [, seconds = '', fraction = ''] = match;
      const milliseconds = Number(seconds) * 1000 + Number(fraction.padEnd(9, '0').slice(0, 3));
      const isFiner = milliseconds === 0 && /[1-9]/.test(fraction);
      if (isFiner || milliseconds < min) {
        const written = min === 1 ? '' : ', or 0s';
        fault(reader, at, `found ${quote(match[0])}, expected a duration of at least 0.001s${written}`);
        return undefined;
      }
      if (milliseconds <= MAX_TIMER_MS) return milliseconds;
      const longest = `${Math.floor(MAX_TIMER_MS / 1000)}s`;
      cannot(reader, at, `${quote(match[0])} is longer than a timer runs`, `write at most ${longest}`);
      return MAX_TIMER_MS;
    },
  };
}

/** Of what has no effect: only its form counts. */
export const anyTime = scalar('a duration such as 0.25s or 60s', (value) => {
  return typeof value === 'string' && durationText.test(value) ? value : undefined;
});

/** In milliseconds, 0 too. */
export const duration = durationFrom(0);
/** In milliseconds, at least 1. */
export const someTime = durationFrom(1);

/** Seconds in digits, as `access-control-max-age` has them; in milliseconds. */
export const maxAge = scalar('a whole number of seconds as a text, at most 2147483', (value) => {
  const isNumber = typeof value === 'string' && /^\d{1,7}$/.test(value) && Number(value) * 1000 <= MAX_TIMER_MS;
  return isNumber ? Number(value) * 1000 : undefined;
});

export const bytes = scalar('bytes in base64', (value) => {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return undefined;
  return Buffer.from(value, 'base64');
});

/** A value of any shape, which is not looked at. */
export const anything: ValueKind<InputNode> = { expected: 'any value', read: (node) => node };

/**
 * One of these names in any case, or its number; a refused one cannot be honoured.
 * @param names in the order of their numbers
 */
export function enumOf<const N extends string>(
  ...names: readonly (N | readonly [name: N, refused: RefusedKey])[]
): ValueKind<N> {
  const plain = names.map((name) => (typeof name === 'string' ? name : name[0]));
  const expected = `one of ${plain.join(', ')}`;
  return {
    expected,
    read(node, path, reader) {
      const at = { path, place: node.place };
      if (node.kind !== 'scalar' || node.value === null) return wrongKind(node, at, expected, reader);
      const text = String(node.value).toUpperCase();
      const index =
        typeof node.value === 'number' ? node.value : plain.findIndex((name) => name.toUpperCase() === text);
      const found = names[index];
      if (found === undefined) return unknownName(String(node.value), plain, expected, at, reader);
      if (typeof found === 'string') return found;
      cannot(reader, at, `${found[0]} cannot be honoured here`, found[1].text);
      return undefined;
    },
  };
}

function unknownName(
  name: string,
  known: readonly string[],
  expected: string,
  at: Parameters<typeof fault>[1],
  reader: EnvoyReader,
): undefined {
  const near = nearestName(name, known);
  fault(
    reader,
    at,
    `found ${quote(name)}, expected ${expected}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
  return undefined;
}
