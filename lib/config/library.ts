/**
 * Options as programs write them: plain camelCase of their one name (`idle_timeout` → `idleTimeout`), values as in a file,
 * times also as a number of milliseconds.
 */
import { ConfigError, nearestName, type Problem } from '../status.js';
import { quote } from '../uri.js';
import { readJwt } from './jwt.js';
import { type JwtSettings, rawJwt } from './jwt-forms.js';
import { defaultOptions, type OptionKey, type Options, type OptionSpec, optionSpecs } from './options.js';
import { OptionError, type RawValue } from './values.js';

/** `idleTimeoutMs` → `idleTimeout`: inside, quantities carry their unit; outside, values may have another. */
type PlainName<K extends string> = K extends `${infer Name}Ms` ? Name : K;

type Input<V> = V extends boolean
  ? boolean
  : V extends number
    ? number | string
    : V extends ReadonlyMap<number, number>
      ? V | Readonly<Record<string, number>>
      : V extends readonly string[]
        ? V | string
        : V;

/**
 * Every option of docs/options.md under its library name: `{ idleTimeout: '60s', maxBodyBytes: '8MiB', statusMap: { 5: 410 } }`.
 * Times are texts with a unit, or milliseconds; `'none'` or undefined takes an optional one back.
 */
export type LibraryOptions = {
  readonly [K in Exclude<OptionKey, 'jwt'> as PlainName<K>]?:
    Input<Exclude<Options[K], undefined>> | (undefined extends Options[K] ? 'none' | undefined : never);
} & {
  /** Signed tokens that calls need (docs/configuration.md). Default none: everybody may call. */
  readonly jwt?: JwtSettings | undefined;
};

/** `idle_timeout` → `idleTimeout`. */
export function libraryName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

const byLibraryName = new Map(optionSpecs.map((spec) => [libraryName(spec.name), spec]));
const innerKeys = new Set<string>([
  ...Object.keys(defaultOptions),
  ...optionSpecs.map(({ key }) => key as string),
  'cors',
]);

/**
 * Checks options that a program gives. Those under the names that they have inside are taken as they are.
 * @throws ConfigError `bad-option` or `unknown-option` with everything that is wrong.
 */
export function readLibraryOptions(
  given: LibraryOptions | Partial<Options>,
  workingDirectory: string,
): Partial<Options> {
  const problems: Problem[] = [];
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const spec = byLibraryName.get(name);
    if (name === 'jwt') options[name] = readJwtOption(value, workingDirectory, problems);
    else if (spec === undefined && !innerKeys.has(name)) problems.push(unknownOption(name));
    else if (spec === undefined) options[name] = value;
    else readOption(spec, name, value, options, problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return options;
}

/** Settings as a program writes them; options that are complete already are taken as they are. */
function readJwtOption(value: unknown, folder: string, problems: Problem[]): unknown {
  const isComplete = Array.isArray((value as { providers?: unknown } | undefined)?.providers);
  if (value === undefined || value === false || isComplete) return value === false ? undefined : value;
  const raw = value === null || typeof value !== 'object' ? (value as RawValue) : rawJwt(value);
  return readJwt(raw, {
    error: (path, code, message) => {
      // Some name their key themselves, as messages about files do.
      const own = `${String(path.at(-1))}: `;
      const rest = message.startsWith(own) ? message.slice(own.length) : message;
      problems.push({ code, message: `${['jwt', ...path].join('.')}: ${rest}` });
    },
    placeOf: () => undefined,
    folder,
  });
}

function readOption(
  spec: OptionSpec,
  name: string,
  value: unknown,
  options: Record<string, unknown>,
  problems: Problem[],
): void {
  const isOptional = spec.defaultValue === undefined;
  // As where it was left out.
  if (value === undefined && !isOptional) return;
  try {
    options[spec.key] = spec.kind.read(rawOf(spec, value));
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    problems.push({ code: 'bad-option', message: `${name}: ${error.message}` });
  }
}

function rawOf(spec: OptionSpec, value: unknown): RawValue {
  if (value === undefined) return null;
  if (value instanceof Map) return Object.fromEntries(value as ReadonlyMap<number, number>);
  return (spec.key.endsWith('Ms') && typeof value === 'number' ? `${value}ms` : value) as RawValue;
}

function unknownOption(name: string): Problem {
  const near = nearestName(name, byLibraryName.keys());
  return {
    code: 'unknown-option',
    message: `there is no option ${quote(name)}`,
    hint:
      near === undefined
        ? 'docs/options.md lists them; in the library their names are camelCase'
        : `did you mean ${near}?`,
  };
}
