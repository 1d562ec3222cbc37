/** Lists that fit into one flag: names, choices, pairs. */
import { isIP } from 'node:net';
import { isHeaderName } from '../headers.js';
import { leaf, type LeafKind } from './kind.js';
import { type Plain, shown } from './node.js';
import { OptionError } from './reader.js';
import { authorityPattern, enumValue } from './scalars.js';

type Texts = readonly string[];

const textsSchema = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };

function isList(raw: Plain): raw is readonly Plain[] {
  return Array.isArray(raw);
}

/** One text or several, each of which may be a comma-separated list. */
function splitTexts(raw: Plain): string[] {
  return (isList(raw) ? raw : [raw]).flatMap((item) => {
    if (typeof item !== 'string') throw new OptionError(`found ${shown(item)}, expected a name`);
    return item
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  });
}

/**
 * A list of names that `isName` accepts, so that a name that can never match is found at the start. `none` alone is the
 * empty list.
 */
export function namesValue(description: string, isName: (name: string) => boolean): LeafKind<Texts, Texts | string> {
  return leaf<Texts, Texts | string>({
    placeholder: 'NAME,…',
    description,
    repeatable: true,
    jsonSchema: textsSchema,
    unit: '',
    print: (names) => names,
    convert: (raw) =>
      (raw === 'none' ? [] : splitTexts(raw)).map((name) => {
        if (isName(name)) return name;
        throw new OptionError(`found ${shown(name)}, expected ${description}`);
      }),
  });
}

/** Any texts: a flag is repeated or has commas, a file has a list or one text. */
export const listValue = namesValue('none, or a list of names', () => true);

/** Values of `Host`: names, `*.example.com` for all names below it, `*` for all. A port is accepted and ignored. */
export const hostNamesValue = namesValue(
  'none, or names of hosts, such as dev.example.com, *.example.com or *',
  (name) => name === '*' || isIP(name) !== 0 || authorityPattern.test(name.replace(/^\*\.(?=\w)/, '')),
);

/** Names of headers; a trailing `*` makes a prefix. */
export const headerNamesValue = namesValue('none, or names of headers, such as x-user or x-user-*', (name) =>
  isHeaderName(name.replace(/\*$/, '')),
);

/** A list of the given choices whose order may matter: a flag is repeated or has commas. `none` is the empty list. */
export function choicesValue<const T extends string>(
  ...choices: readonly T[]
): LeafKind<readonly T[], readonly T[] | string> {
  const one = enumValue(...choices);
  return leaf<readonly T[], readonly T[] | string>({
    placeholder: `${choices.join('|')},…`,
    description: `none, or a list of ${choices.join(', ')}`,
    repeatable: true,
    jsonSchema: {
      anyOf: [{ enum: ['none', null, ...choices] }, { type: 'array', items: one.jsonSchema, uniqueItems: true }],
    },
    unit: '',
    print: (values) => values,
    convert(raw) {
      const names = raw === null || raw === 'none' ? [] : splitTexts(raw);
      return [...new Set(names.map((name) => one.read(name)))];
    },
  });
}

type Statuses = ReadonlyMap<number, number>;

/** A code is an int32, and services use others than gRPC defines. */
const MAX_CODE = 2 ** 31 - 1;

/** gRPC code → HTTP status: `5=410,5002=404` in a flag, a map in a file. A code is a number or a name. */
export function statusMapValue(
  codeOf: (name: string) => number | undefined,
): LeafKind<Statuses, Statuses | Readonly<Record<string, number>> | string> {
  const description =
    'none, or pairs of a gRPC code from 1 on, or its name, and an HTTP status from 400 to 599, such as 5=410,5002=404';
  const fail = (found: Plain, expected = description): never => {
    throw new OptionError(`found ${shown(found)}, expected ${expected}`);
  };
  const readPair = ([name, raw]: readonly [string, Plain]): [number, number] => {
    const code = /^\d{1,10}$/.test(name) ? Number(name) : (codeOf(name) ?? 0);
    const status = typeof raw === 'number' || (typeof raw === 'string' && /^\d{3}$/.test(raw)) ? Number(raw) : 0;
    const isGood = code >= 1 && code <= MAX_CODE && status >= 400 && status <= 599 && Number.isInteger(status);
    return isGood ? [code, status] : fail(`${name}=${typeof raw === 'string' ? raw : JSON.stringify(raw)}`);
  };
  const pairsOf = (raw: Plain): (readonly [string, Plain])[] => {
    if (isList(raw)) return raw.flatMap(pairsOf);
    if (raw !== null && typeof raw === 'object') return Object.entries(raw);
    if (typeof raw !== 'string') return fail(raw);
    return raw.split(',').map((pair) => {
      const [name = '', status, more] = pair.trim().split('=');
      return status === undefined || more !== undefined ? fail(pair) : [name, status];
    });
  };
  return leaf<Statuses, Statuses | Readonly<Record<string, number>> | string>({
    placeholder: 'CODE=STATUS,…',
    description,
    repeatable: true,
    jsonSchema: {
      anyOf: [
        { enum: ['none', null] },
        { type: 'object', additionalProperties: { type: 'integer', minimum: 400, maximum: 599 } },
      ],
    },
    unit: '',
    print: (map) => Object.fromEntries([...map].map(([code, status]) => [String(code), status])),
    convert(raw) {
      const pairs = raw === 'none' || raw === null ? [] : pairsOf(raw).map(readPair);
      const map = new Map(pairs);
      const [code, status] = pairs.find(([each, given]) => map.get(each) !== given) ?? [];
      if (code === undefined) return map;
      return fail(`${code}=${status}`, `one HTTP status for the code ${code}, and there are two`);
    },
  });
}
