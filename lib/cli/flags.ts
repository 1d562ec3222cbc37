/**
 * Flags → `Settings`. The flags of options follow from the option table; those that name files, services and addresses
 * stand here. Numbers, sizes and times are read by the table's kinds, not by yargs.
 */
import type { Options as YargsOptions } from 'yargs';
import {
  flagName,
  OptionError,
  type OptionSpec,
  optionSpecs,
  type Reflection,
  type Settings,
} from '../config/index.js';
import { parseListener } from '../server/index.js';
import { ConfigError, type Problem } from '../status.js';
import { parseUpstream } from '../upstream/index.js';

/** What yargs gives for one flag: absent, once, or repeated. */
export type FlagValue = string | boolean | readonly (string | boolean)[] | undefined;
export type FlagValues = Readonly<Record<string, FlagValue>>;

const schemaGroup = 'Schema and services:';
const networkGroup = 'Network:';

/** Flags that are no options of the table, in the order of `--help`. */
const structuralFlags: Readonly<Record<string, YargsOptions>> = {
  proto: {
    group: schemaGroup,
    describe: '.proto file, folder or glob whose services are served; repeatable',
  },
  'proto-path': {
    alias: 'I',
    group: schemaGroup,
    describe: 'folder in which imports are sought; repeatable',
  },
  'descriptor-set': {
    group: schemaGroup,
    describe: 'binary FileDescriptorSet or Buf image, also gzipped (protoc --include_imports -o); repeatable',
  },
  reflection: {
    group: schemaGroup,
    describe: 'ask upstreams for their schema (grpc.reflection): all, or =NAME,… (default: the one without a name)',
  },
  rules: {
    group: schemaGroup,
    describe: 'service config (YAML, JSON) whose http.rules replace annotations; the last rule wins; repeatable',
  },
  service: {
    group: schemaGroup,
    describe: 'serve these alone: full names or wildcards (pkg.*); repeatable (default: all)',
  },
  upstream: {
    group: networkGroup,
    describe: 'gRPC server, [service-or-package=]target: host:port, dns:///host:port, unix:/path; repeatable',
  },
  listen: {
    group: networkGroup,
    describe: '[host:]port to listen on; 0 picks a port; repeatable (default: 127.0.0.1:8080)',
  },
  config: {
    group: networkGroup,
    describe: 'YAML file that holds all of this; flags win over it',
  },
};

/** Those of them that take no value. */
const structuralSwitches: Readonly<Record<string, YargsOptions>> = {
  watch: { group: networkGroup, describe: 'take what changes in protos, rules and configuration while running' },
};

/** Every flag, for yargs. Values stay text. */
export function yargsOptions(): Record<string, YargsOptions> {
  const options: Record<string, YargsOptions> = {};
  for (const [name, option] of Object.entries(structuralFlags)) {
    options[name] = { ...option, type: 'string', requiresArg: true };
  }
  for (const [name, option] of Object.entries(structuralSwitches)) options[name] = { ...option, type: 'boolean' };
  for (const spec of optionSpecs) options[flagName(spec.name)] = optionFlag(spec);
  return options;
}

function optionFlag(spec: OptionSpec): YargsOptions {
  const { kind, text, defaultText } = spec;
  const group = `${spec.group}:`;
  if (kind.placeholder === undefined) {
    const turnedOff = defaultText === 'true' ? `; on by default, --no-${flagName(spec.name)} turns it off` : '';
    return { type: 'boolean', group, describe: `${text}${turnedOff}` };
  }
  const words = (kind.jsonSchema as { readonly enum?: readonly string[] }).enum;
  const values = words === undefined ? kind.placeholder : words.join(', ');
  const given = defaultText === 'none' ? '' : `; default ${defaultText}`;
  return { type: 'string', requiresArg: true, group, describe: `${text} (${values}${given})` };
}

/** The flags that are no options of the table. */
export function flagTexts(): { readonly name: string; readonly text: string }[] {
  return Object.entries({ ...structuralFlags, ...structuralSwitches }).map(([name, { describe }]) => ({
    name,
    text: describe as string,
  }));
}

/** Names of all flags, for suggestions. */
export function flagNames(): string[] {
  const options = optionSpecs.map((spec) => flagName(spec.name));
  return [
    ...Object.keys(structuralFlags),
    ...Object.keys(structuralSwitches),
    ...options,
    'help',
    'version',
    'json',
    'curl',
    'output',
    'format',
    'server',
    'listener',
  ];
}

/**
 * Flags given by the environment: `PHOTONGATE_MAX_BODY_BYTES` is `--max-body-bytes`; lists take commas. Variables with
 * the prefix that are no flags are left alone: a cluster sets some of its own for a service of our name.
 */
export function environmentValues(environment: Readonly<Record<string, string | undefined>>): FlagValues {
  const values: Record<string, FlagValue> = {};
  const structural = [...Object.keys(structuralFlags), ...Object.keys(structuralSwitches)];
  for (const name of [...structural, ...optionSpecs.map((spec) => flagName(spec.name))]) {
    const text = environment[environmentName(name)];
    if (text === undefined || text === '') continue;
    values[name] = name in structuralFlags && name !== 'config' ? text.split(',').map((part) => part.trim()) : text;
  }
  return values;
}

/** `max-body-bytes` → `PHOTONGATE_MAX_BODY_BYTES`. */
export function environmentName(flag: string): string {
  return `PHOTONGATE_${flag.replaceAll('-', '_').toUpperCase()}`;
}

/** True for a flag that takes no value. */
export function isSwitch(flag: string): boolean {
  return (
    flag in structuralSwitches ||
    optionSpecs.some((spec) => flagName(spec.name) === flag && spec.kind.placeholder === undefined)
  );
}

/**
 * What flags say, or the environment in their place.
 * @param title how messages call a flag: `--max-body-bytes`, `PHOTONGATE_MAX_BODY_BYTES`.
 * @throws ConfigError naming each flag whose value will not do.
 */
export function settingsOf(values: FlagValues, title = (flag: string): string => `--${flag}`): Settings {
  const problems: Problem[] = [];
  const attempt = <T>(step: () => T): T[] => {
    try {
      return [step()];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  };
  const texts = (flag: string): string[] | undefined => textsOf(values[flag]);
  const listen = texts('listen');
  // Read again when the configuration is completed; a bad one is a fault of the command line.
  listen?.forEach((address) => attempt(() => parseListener(address)));
  const settings = {
    ...given('proto', texts('proto')),
    ...given('protoPath', texts('proto-path')),
    ...given('descriptorSet', texts('descriptor-set')),
    ...given('reflection', reflectionOf(values['reflection'])),
    ...given('watch', attempt(() => switchOf(values['watch'], title('watch')))[0]),
    ...given('rules', texts('rules')),
    ...given(
      'services',
      texts('service')?.flatMap((text) => text.split(',')),
    ),
    ...given(
      'upstreams',
      texts('upstream')?.flatMap((spec) => attempt(() => parseUpstream(spec))),
    ),
    ...given('listen', listen),
    options: Object.fromEntries(
      optionSpecs.flatMap((spec) => attempt(() => optionOf(spec, values[flagName(spec.name)], title)).flat()),
    ) as Settings['options'] & object,
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return settings;
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
  throw badFlag(flag, `found ${JSON.stringify(value)}, expected true or false`);
}

function textsOf(value: FlagValue): string[] | undefined {
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? (value as readonly string[]) : [value as string]).map(String);
}

/** The entry of one option; none where the flag was not given. */
function optionOf(spec: OptionSpec, value: FlagValue, title: (flag: string) => string): [string, unknown][] {
  if (value === undefined) return [];
  const flag = title(flagName(spec.name));
  if (Array.isArray(value) && !spec.kind.repeatable) {
    throw badFlag(flag, `given ${value.length} times, expected once`);
  }
  try {
    return [[spec.key, spec.kind.read(value as string)]];
  } catch (error) {
    if (error instanceof OptionError) throw badFlag(flag, error.message);
    throw error;
  }
}

function badFlag(flag: string, message: string): ConfigError {
  return new ConfigError({ code: 'bad-option', message: `${flag}: ${message}` });
}
