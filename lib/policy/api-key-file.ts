/**
 * Files of API keys: `keys: [ { name: mobile, sha256: HEX, metadata: { plan: gold } } ]`. Messages never contain what may be a
 * key.
 */
import { hash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import {
  checkedText,
  field,
  type KindValue,
  leaf,
  lineValue,
  listOf,
  mapOf,
  oneOrMany,
  OptionError,
  parseYaml,
  Reader,
  record,
  requiredField,
} from '../options/index.js';
import { ConfigError, messageOf, ProblemList } from '../status.js';
import { quote } from '../uri.js';
import type { ApiKeyOptions } from './api-key-options.js';
import type { Claims } from './claims.js';

/** A key that is known. */
export interface ApiKey {
  /** What logs call it. */
  readonly name: string;
  /** Its metadata, and its name as `name`. */
  readonly entries: Claims;
}

/** Keys by the SHA-256 of their text, in hexadecimal digits. */
export type ApiKeys = ReadonlyMap<string, ApiKey>;

/** How long a key must be that stands in the file itself: a shorter one can be guessed. */
const MIN_KEY_CHARS = 16;

/**
 * The digest that a key is looked up by. Comparing digests tells nobody how much of a guess is right, as nobody can choose
 * them digit by digit.
 */
export function digestOf(key: string): string {
  return hash('sha256', key, 'hex');
}

/** Unlike other texts, these are never shown in messages. */
function secretText(description: string, convert: (text: string) => string | undefined) {
  return checkedText({
    placeholder: 'TEXT',
    description,
    code: 'config-type',
    convert(text) {
      const value = convert(text);
      if (value === undefined) throw new OptionError(`expected ${description}`, 'config-type');
      return value;
    },
  });
}

const digest = secretText('the SHA-256 of a key: 64 hexadecimal digits', (text) =>
  /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : undefined,
);

const plainKey = secretText(`a key of at least ${MIN_KEY_CHARS} printable ASCII characters without spaces`, (text) =>
  /^[\x21-\x7e]+$/.test(text) && text.length >= MIN_KEY_CHARS ? text : undefined,
);

const entryValue = leaf<string, string | number | boolean>({
  description: 'a text, a number, true or false',
  code: 'config-type',
  jsonSchema: { type: ['string', 'number', 'boolean'] },
  unit: '',
  print: (value) => value,
  convert: (raw) => (raw === null || typeof raw === 'object' ? undefined : String(raw)),
});

const keyRecord = record({
  fields: {
    name: requiredField(lineValue('the name of a key: ', 'config-type'), 'what logs call it', 'a key has a name'),
    sha256: field(oneOrMany(digest), 'the SHA-256 of the key in hexadecimal digits; several while it is exchanged'),
    key: field(oneOrMany(plainKey), 'the key itself'),
    metadata: field(
      mapOf(oneOrMany(entryValue), '"metadata" is a map such as { plan: gold }'),
      'what "require" may ask for, and services be told',
    ),
  },
  about: 'a key',
  expected: 'a key is a map such as { name: mobile, sha256: HEX }',
  check({ sha256 = [], key = [], metadata = [] }, map) {
    const written = map.members.some(({ name }) => name === 'sha256' || name === 'key');
    if (sha256.length + key.length === 0 && !written) {
      throw new OptionError('a key has "sha256", or "key" with the key itself', 'config-type');
    }
    if (metadata.some(({ name }) => name === 'name')) {
      throw new OptionError('"name" of a key stands beside its metadata, and not in it', 'config-type');
    }
  },
});

const fileRecord = record({
  fields: {
    keys: requiredField(
      listOf(keyRecord, '"keys" is a list such as [ { name: mobile, sha256: HEX } ]'),
      'the keys',
      'the file has no "keys": [ { name: mobile, sha256: HEX } ]',
    ),
  },
  about: 'a file of API keys',
  expected: 'a file of API keys is a map: keys: [ { name: mobile, sha256: HEX } ]',
});

/**
 * Reads a file of keys.
 * @param read gives its bytes; undefined if there is none
 * @throws ConfigError with all problems: `api-key-file`, and those of the options of a file
 */
export function readApiKeys(
  { file, maxKeys, maxFileBytes }: Pick<ApiKeyOptions, 'file' | 'maxKeys' | 'maxFileBytes'>,
  read: (path: string) => Buffer | undefined,
): ApiKeys {
  const problems = new ProblemList();
  const text = problems.attempt(() => textOf(file, maxFileBytes, read));
  const node = text === undefined ? undefined : parseYaml({ file, text }, problems);
  const reader = new Reader(problems);
  const [given] = node === undefined ? [] : reader.attempt('keys', node.place, () => fileRecord.readNode(node, reader));
  // A list that is none is reported, and not there.
  const list = given?.keys;
  const keys = list === undefined ? undefined : problems.attempt(() => tableOf(list, file, maxKeys));
  problems.throwIfAny();
  return keys!;
}

function textOf(file: string, maxBytes: number, read: (path: string) => Buffer | undefined): string {
  let bytes: Buffer | undefined;
  try {
    bytes = read(file);
  } catch (error) {
    throw new ConfigError(problemOf(file, `cannot be read: ${messageOf(error)}`), { cause: error });
  }
  if (bytes === undefined) throw new ConfigError(problemOf(file, 'is not there: no such file'));
  if (bytes.length > maxBytes) {
    throw new ConfigError(problemOf(file, `is larger than the limit of ${maxBytes} bytes (max_file_bytes)`));
  }
  if (!isUtf8(bytes)) throw new ConfigError(problemOf(file, 'is not UTF-8 text'));
  return bytes.toString('utf8');
}

function tableOf(given: readonly KindValue<typeof keyRecord>[], file: string, maxKeys: number): ApiKeys {
  if (given.length > maxKeys) {
    throw new ConfigError(problemOf(file, `has ${given.length} keys, more than the limit of ${maxKeys} (max_keys)`));
  }
  const byDigest = new Map<string, ApiKey>();
  const names = new Set<string>();
  for (const { name, sha256 = [], key = [], metadata = [] } of given) {
    if (names.has(name)) {
      throw new ConfigError(
        problemOf(file, `has two keys of the name ${quote(name)}; one key may have several "sha256"`),
      );
    }
    names.add(name);
    const entries = Object.fromEntries<unknown>([
      ...metadata.map((entry) => [entry.name, entry.value] as const),
      ['name', name],
    ]);
    for (const one of [...sha256, ...key.map(digestOf)]) {
      const other = byDigest.get(one);
      if (other !== undefined) {
        throw new ConfigError(problemOf(file, `has one key twice: as ${quote(other.name)} and as ${quote(name)}`));
      }
      byDigest.set(one, { name, entries });
    }
  }
  return byDigest;
}

function problemOf(file: string, what: string): { code: string; message: string; hint: string } {
  return {
    code: 'api-key-file',
    message: `the file of API keys ${file} ${what}`,
    hint: 'write keys: [ { name: mobile, sha256: HEX } ], where HEX is what `printf %s KEY | sha256sum` prints',
  };
}
