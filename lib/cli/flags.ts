/**
 * Flags → `Settings`. Flags of options come from the option table; those that name files, services and addresses are listed
 * here. The kinds of the table read numbers, sizes and times, not yargs.
 */
import type { Options as YargsOptions } from 'yargs';
import {
  flagName,
  type GivenOptions,
  optionAliases,
  optionSpecs,
  readOptions,
  type Reflection,
  type Settings,
  type Workers,
  workersValue,
} from '../config/index.js';
import { parseListeners } from '../server/index.js';
import { ConfigError, nearestName, type Problem, ProblemList } from '../status.js';
import { envoyFlags, envoySwitches, letters } from './envoy-flags.js';
import type { FlagValue, FlagValues } from './flag-values.js';
import { parseUpstream } from '../upstream/index.js';

export type { FlagValue, FlagValues };

const schemaGroup = 'Schema and services:';
const networkGroup = 'Network:';

/** Flags that are not options of the table, in the order of `--help`. */
const structuralFlags: Readonly<Record<string, YargsOptions>> = {
  proto: {
    group: schemaGroup,
    describe: '.proto file, folder or glob whose services are served; repeatable',
  },
  'proto-path': {
    alias: 'I',
    group: schemaGroup,
    describe: 'folder to search for imports; repeatable',
  },
  'descriptor-set': {
    group: schemaGroup,
    describe: 'binary FileDescriptorSet or Buf image, also gzipped (protoc --include_imports -o); repeatable',
  },
  reflection: {
    group: schemaGroup,
    describe: 'read the schema from upstreams (grpc.reflection): all, or =NAME,… (default: the one without a name)',
  },
  rules: {
    group: schemaGroup,
    describe: 'service config (YAML, JSON) whose http.rules replace annotations; the last rule wins; repeatable',
  },
  service: {
    group: schemaGroup,
    describe: 'serve only these: full names or wildcards (pkg.*); repeatable (default: all)',
  },
  upstream: {
    group: networkGroup,
    describe:
      'gRPC server, [service-or-package=]target: host:port, dns:///host:port, dns+srv:///_grpc._tcp.domain, unix:/path, xds:///name; repeatable',
  },
  listen: {
    group: networkGroup,
    describe:
      '[host:]port to listen on; 0 picks a port; systemd or fd:N takes an open socket; repeatable (default: 127.0.0.1:8080)',
  },
  workers: {
    group: networkGroup,
    describe: 'processes that serve: a number, or auto for one for each core (default: 1)',
  },
  config: {
    group: networkGroup,
    describe: 'YAML file with all of these settings; flags override it',
  },
};

/** Those of them that are given once; the others are lists. */
const singleFlags = new Set(['workers', 'config']);

/** Those that take no value. */
const structuralSwitches: Readonly<Record<string, YargsOptions>> = {
  watch: { group: networkGroup, describe: 'reload protos, rules and configuration when they change' },
};

const structural = { ...structuralFlags, ...structuralSwitches };
const everyFlag = { ...structural, ...envoyFlags, ...envoySwitches };

/** The flag of an option, or of an alias of one. */
interface OptionFlag {
  readonly name: string;
  readonly group: string;
  readonly text: string;
  readonly defaultText: string;
  /** Undefined for switches. */
  readonly placeholder: string | undefined;
  /** All possible values, if there are few. */
  readonly words: readonly string[] | undefined;
}

/** The flags of all options; aliases follow their options. */
export const optionFlags: readonly OptionFlag[] = optionSpecs.flatMap(
  ({ name, group, key, text, defaultText, kind }) => [
    { name: flagName(name), group, text, defaultText, placeholder: kind.placeholder, words: kind.words },
    ...optionAliases.flatMap((alias) => {
      const named = { name: flagName(alias.name), text: alias.text };
      return alias.option === key
        ? [{ ...named, group, defaultText: 'none', placeholder: undefined, words: undefined }]
        : [];
    }),
  ],
);

/** Every flag, for yargs. Values are not converted. */
export function yargsOptions(): Record<string, YargsOptions> {
  const options: Record<string, YargsOptions> = {};
  for (const [name, option] of Object.entries({ ...structuralFlags, ...envoyFlags })) {
    options[name] = { ...option, type: 'string', requiresArg: true };
  }
  for (const [name, option] of Object.entries({ ...structuralSwitches, ...envoySwitches }))
    options[name] = { ...option, type: 'boolean' };
  for (const { name, group, text, placeholder, defaultText, words } of optionFlags) {
    const switchedOff = defaultText === 'true' ? `; on by default, --no-${name} turns it off` : '';
    const values = words === undefined ? placeholder : words.join(', ');
    const otherwise = defaultText === 'none' ? '' : `; default ${defaultText}`;
    options[name] =
      placeholder === undefined
        ? { type: 'boolean', group: `${group}:`, describe: `${text}${switchedOff}` }
        : { type: 'string', requiresArg: true, group: `${group}:`, describe: `${text} (${values}${otherwise})` };
    const alias = letters[name];
    if (alias !== undefined) options[name] = { ...options[name], alias };
  }
  return options;
}

/** The flags that are not options of the table. */
export function flagTexts(): { readonly name: string; readonly text: string }[] {
  return Object.entries(everyFlag).map(([name, { describe }]) => ({
    name,
    text: describe as string,
  }));
}

/** Names of all flags, for suggestions. */
export function flagNames(): string[] {
  return [
    ...Object.keys(everyFlag),
    ...optionFlags.map(({ name }) => name),
    ...[
      'help',
      'version',
      'json',
      'curl',
      'output',
      'format',
      'server',
      'listener',
      'live',
      'strict',
      'data',
      'header',
      'send',
    ],
  ];
}

/**
 * Flags from the environment: `PHOTONGATE_MAX_BODY_BYTES` is `--max-body-bytes`; lists are separated by commas. Other variables
 * with the prefix are ignored, because Kubernetes sets some for a service named photongate.
 */
export function environmentValues(environment: Readonly<Record<string, string | undefined>>): FlagValues {
  const values: Record<string, FlagValue> = {};
  for (const name of [...Object.keys(everyFlag), ...optionFlags.map((flag) => flag.name)]) {
    const text = environment[environmentName(name)];
    if (text === undefined || text === '') continue;
    values[name] =
      name in structuralFlags && !singleFlags.has(name) ? text.split(',').map((part) => part.trim()) : text;
  }
  return values;
}

/**
 * Variables that are nearly those of a flag. Others with the prefix are not ours: Kubernetes sets PHOTONGATE_PORT and
 * PHOTONGATE_SERVICE_HOST for a service of this name.
 */
export function misspeltVariables(environment: Readonly<Record<string, string | undefined>>): Problem[] {
  const known = [...Object.keys(everyFlag), ...optionFlags.map(({ name }) => name)].map(environmentName);
  const isOfKubernetes = /^PHOTONGATE_(?:PORT|SERVICE_(?:HOST|PORT))(?:_|$)/;
  return Object.keys(environment).flatMap((name) => {
    if (!name.startsWith(PREFIX) || known.includes(name) || isOfKubernetes.test(name)) return [];
    const near = nearestName(
      name.slice(PREFIX.length),
      known.map((other) => other.slice(PREFIX.length)),
    );
    if (near === undefined) return [];
    return [
      {
        code: 'unknown-variable',
        message: `the environment variable ${name} is not known and has no effect`,
        hint: `did you mean ${PREFIX}${near}?`,
      },
    ];
  });
}

const PREFIX = 'PHOTONGATE_';

/** `max-body-bytes` → `PHOTONGATE_MAX_BODY_BYTES`. */
export function environmentName(flag: string): string {
  return PREFIX + flag.replaceAll('-', '_').toUpperCase();
}

/** True for a flag that takes no value. */
export function isSwitch(flag: string): boolean {
  return (
    flag in structuralSwitches ||
    flag in envoySwitches ||
    optionFlags.some(({ name, placeholder }) => name === flag && placeholder === undefined)
  );
}

/** The name of a flag in error messages, and the folder of its relative paths. */
export interface FlagSource {
  /** `--max-body-bytes`, or `PHOTONGATE_MAX_BODY_BYTES`. Default the first. */
  readonly title?: (flag: string) => string;
  /** Default: paths stay relative. */
  readonly folder?: string;
}

/**
 * Reads flags, or the environment in the form of flags.
 * @throws ConfigError for all flags with a bad value.
 */
export function settingsOf(values: FlagValues, { title = (flag) => `--${flag}`, folder }: FlagSource = {}): Settings {
  const problems = new ProblemList();
  const texts = (flag: string): string[] | undefined => textsOf(values[flag]);
  const listen = texts('listen');
  // Checked here as well, so that a bad address is reported as wrong usage.
  listen?.forEach((address) => problems.attempt(() => parseListeners(address)));
  const settings = {
    ...given('proto', texts('proto')),
    ...given('protoPath', texts('proto-path')),
    ...given('descriptorSet', texts('descriptor-set')),
    ...given('reflection', reflectionOf(values['reflection'])),
    ...given(
      'watch',
      problems.attempt(() => switchOf(values['watch'], title('watch'))),
    ),
    ...given(
      'workers',
      problems.attempt(() => workersOf(values['workers'], title('workers'))),
    ),
    ...given('rules', texts('rules')),
    ...given(
      'services',
      texts('service')?.flatMap((text) => text.split(',')),
    ),
    ...given(
      'upstreams',
      texts('upstream')?.flatMap((spec) => problems.attempt(() => parseUpstream(spec)) ?? []),
    ),
    ...given('listen', listen),
    options: optionsOf(values, title, folder, problems),
  };
  problems.throwIfAny();
  return settings;
}

/** The options that are given. */
function optionsOf(
  values: FlagValues,
  title: (flag: string) => string,
  folder: string | undefined,
  problems: ProblemList,
): GivenOptions {
  const given = [...optionSpecs, ...optionAliases].flatMap((option) => {
    const value = values[flagName(option.name)];
    const isRepeatable = 'kind' in option && option.kind.repeatable;
    if (Array.isArray(value) && !isRepeatable) {
      problems.error(badFlag(title(flagName(option.name)), `given ${value.length} times, expected once`));
      return [];
    }
    return value === undefined ? [] : [[option.name, value] as const];
  });
  return readOptions(Object.fromEntries(given), problems, { folder, title: (name) => title(flagName(name)) });
}

function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<K, V>>;
}

/** `true`, `false`, or names; a flag without a value is `true`. */
function reflectionOf(value: FlagValue): Reflection | false | undefined {
  if (typeof value === 'boolean') return value;
  const names = textsOf(value)?.flatMap((text) => text.split(',').map((name) => name.trim()));
  if (names === undefined) return undefined;
  if (names.includes('false')) return false;
  return names.some((name) => name === 'true' || name === '') ? true : names;
}

function switchOf(value: FlagValue, flag: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new ConfigError(badFlag(flag, `found ${JSON.stringify(value)}, expected true or false`));
}

function workersOf(value: FlagValue, flag: string): Workers | undefined {
  if (value === undefined) return undefined;
  const [text, ...more] = textsOf(value)!;
  if (more.length > 0) throw new ConfigError(badFlag(flag, `given ${more.length + 1} times, expected once`));
  try {
    return workersValue.read(text!);
  } catch (error) {
    throw new ConfigError(badFlag(flag, (error as Error).message), { cause: error });
  }
}

function textsOf(value: FlagValue): string[] | undefined {
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? (value as readonly string[]) : [value as string]).map(String);
}

function badFlag(flag: string, message: string): Problem {
  return { code: 'bad-option', message: `${flag}: ${message}` };
}
