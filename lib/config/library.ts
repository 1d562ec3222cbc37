/**
 * Options as programs write them: camelCase names (`idle_timeout` → `idleTimeout`), values as in a file, and times also
 * as a number of milliseconds.
 */
import {
  type InputMember,
  innerName,
  type InputNode,
  isLeaf,
  type Kind,
  libraryName,
  nodeOf,
  Reader,
  readFields,
  type Unit,
} from '../options/index.js';
import { nearestName, type Problem, ProblemList } from '../status.js';
import { quote } from '../uri.js';
import { flagFields } from './level.js';
import {
  defaultOptions,
  type GivenOptions,
  type LibraryOptions,
  optionSpecs,
  policyFields,
  structuredFields,
} from './options.js';

const fields = { ...flagFields, ...policyFields, ...structuredFields };

interface Name {
  readonly kind: Kind<unknown, unknown, Unit>;
  /** True if its default is undefined. */
  readonly isUnset: boolean;
}

const defaults = new Map<string, unknown>(Object.entries(defaultOptions));
const names = new Map(
  Object.entries(fields).map(([name, field]): [string, Name] => {
    const key = innerName(name, field);
    return [libraryName(name), { kind: field.kind, isUnset: defaults.has(key) && defaults.get(key) === undefined }];
  }),
);

/** Inner names of options (`idleTimeoutMs`), and whether their value may be undefined, which is `none`. */
const innerNames = new Map<string, boolean>([
  ...[...defaults.keys()].map((key) => [key, false] as const),
  ...optionSpecs.map(({ key, kind }) => [key, kind.isOptional] as const),
]);

/**
 * Checks options that a program gives. Those under their inner names are taken unchecked.
 * @throws ConfigError `bad-option` or `unknown-option` with all problems.
 */
export function readLibraryOptions(given: LibraryOptions | GivenOptions, workingDirectory: string): GivenOptions {
  const problems = new ProblemList();
  const reader = new Reader(problems, { folder: workingDirectory, isProgram: true });
  const members: InputMember[] = [];
  const taken: [string, unknown][] = [];
  for (const [name, value] of Object.entries(given)) {
    const known = names.get(name);
    const node = known && inputOf(known, value);
    if (isParsedJwt(value) || (known === undefined && innerNames.has(name))) taken.push([name, value]);
    else if (known === undefined) problems.error(unknownOption(name));
    else if (node !== undefined) members.push({ name, place: undefined, value: node });
  }
  const options = readFields(fields, { kind: 'map', members, place: undefined }, reader, () => undefined);
  problems.throwIfAny();
  return {
    ...options,
    ...Object.fromEntries(taken.filter(([name, value]) => value !== undefined || innerNames.get(name) === true)),
  };
}

function unknownOption(name: string): Problem {
  const near = nearestName(name, names.keys());
  const all = 'docs/options.md lists them; in the library their names are camelCase';
  const hint = near === undefined ? all : `did you mean ${near}?`;
  return { code: 'unknown-option', message: `there is no option ${quote(name)}`, hint };
}

/** Undefined means left out, unless it is the option's default: then it removes the value of the file. */
function inputOf({ kind, isUnset }: Name, value: unknown): InputNode | undefined {
  if (value !== undefined) return nodeOf(value);
  return isUnset ? nodeOf(isLeaf(kind) ? null : false) : undefined;
}

/** True for JWT options that were read before. */
function isParsedJwt(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'providers' in value && Array.isArray(value.providers);
}
