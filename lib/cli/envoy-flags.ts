/** `--envoy`, and the flags of Envoy itself that stand beside it in the files of compose and Kubernetes. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Options as YargsOptions } from 'yargs';
import type { EnvoyInput } from '../config/index.js';
import { ConfigError } from '../status.js';
import { envoyLevels } from '../telemetry/index.js';
import type { FlagValue, FlagValues } from './flag-values.js';
import type { Terminal } from './terminal.js';

const group = 'Envoy:';
const noEffect = "Envoy's flag, taken without effect";

/** Those that take a value. */
export const envoyFlags: Readonly<Record<string, YargsOptions>> = {
  envoy: {
    alias: ['c', 'config-path'],
    group,
    describe: 'Envoy bootstrap (YAML, JSON) to run instead of --config; several are merged; docs/envoy.md',
  },
  'config-yaml': { group, describe: "Envoy's flag: text that is merged into the bootstrap; repeatable" },
  mode: { group, choices: ['serve', 'validate', 'init_only'], describe: "Envoy's flag: validate is the command check" },
  'drain-time-s': { group, describe: "Envoy's flag: --drain-timeout in seconds" },
  concurrency: { group, describe: "Envoy's flag: --workers" },
  'component-log-level': { group, describe: noEffect },
  'log-path': { group, describe: noEffect },
  'service-cluster': { group, describe: noEffect },
  'service-node': { group, describe: noEffect },
  'service-zone': { group, describe: noEffect },
  'base-id': { group, describe: noEffect },
  'base-id-path': { group, describe: noEffect },
  'restart-epoch': { group, describe: noEffect },
  'parent-shutdown-time-s': { group, describe: noEffect },
  'drain-strategy': { group, describe: noEffect },
  'file-flush-interval-msec': { group, describe: noEffect },
};

/** Those that take none. */
export const envoySwitches: Readonly<Record<string, YargsOptions>> = {
  'envoy-lenient': { group, describe: 'with --envoy: unsupported settings are warnings instead of errors' },
  'disable-hot-restart': { group, describe: noEffect },
  'use-dynamic-base-id': { group, describe: noEffect },
  'enable-fine-grain-logging': { group, describe: noEffect },
  'cpuset-threads': { group, describe: noEffect },
  'reject-unknown-dynamic-fields': { group, describe: noEffect },
  'ignore-unknown-dynamic-fields': { group, describe: noEffect },
  'allow-unknown-static-fields': { group, describe: "Envoy's flag: --envoy-lenient" },
};

/** Envoy's letters for flags that we have too. */
export const letters: Readonly<Record<string, string>> = { 'log-level': 'l' };

/** Flags that Envoy has too, as we read them: with a bootstrap `--log-level` takes its levels, and `--log-format` is left. */
export function readAsOurs(values: FlagValues): FlagValues {
  if (listOf(values['envoy']).length + listOf(values['config-yaml']).length === 0) return values;
  const { 'log-level': level, 'log-format': _format, ...others } = values;
  return typeof level === 'string' ? { ...others, 'log-level': envoyLevels.get(level) ?? level } : others;
}

/**
 * The bootstrap that the flags or the environment name, read; undefined if they name none.
 * @param flags what was typed: a flag of Envoy is refused without a bootstrap
 * @throws ConfigError
 */
export function envoyInput(
  values: FlagValues,
  flags: FlagValues,
  { workingDirectory, environment }: Pick<Terminal, 'workingDirectory' | 'environment'>,
): EnvoyInput | undefined {
  const files = listOf(values['envoy']);
  const texts = listOf(values['config-yaml']);
  if (files.length + texts.length === 0) return refuseAlone(flags);
  if (values['config'] !== undefined) {
    throw new ConfigError({
      code: 'config-conflict',
      message: '--envoy and --config are both given, and each is a whole configuration',
      hint: 'leave one out; photongate print-config --envoy FILE prints a bootstrap as a file for --config',
    });
  }
  return {
    sources: [
      ...files.map((name) => ({ name, text: contentOf(resolve(workingDirectory, name), name) })),
      ...texts.map((text) => ({ name: '--config-yaml', text })),
    ],
    lenient: values['envoy-lenient'] === true || values['allow-unknown-static-fields'] === true,
    drainTimeoutMs: wholeNumber(values, 'drain-time-s', 1000),
    workers: wholeNumber(values, 'concurrency', 1),
    environment,
  };
}

function refuseAlone(values: FlagValues): undefined {
  const alone = [...Object.keys(envoyFlags), ...Object.keys(envoySwitches)].find((name) => values[name] !== undefined);
  if (alone === undefined) return undefined;
  throw new ConfigError({
    code: 'config-conflict',
    message: `--${alone} is a flag of Envoy, and no bootstrap is given`,
    hint: `write --envoy FILE too, or leave --${alone} out`,
  });
}

/** At least 1, times `unit`. */
function wholeNumber(values: FlagValues, flag: string, unit: number): number | undefined {
  const value = values[flag];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,6}$/.test(value)) return Math.max(1, Number(value) * unit);
  const message = `--${flag}: found ${JSON.stringify(value)}, expected a whole number`;
  throw new ConfigError({ code: 'bad-option', message });
}

function contentOf(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      {
        code: 'config-file',
        message: `the bootstrap ${name} cannot be read: ${(error as Error).message}`,
        hint: 'give the path of a YAML or JSON file to --envoy',
      },
      { cause: error },
    );
  }
}

function listOf(value: FlagValue): string[] {
  return [value ?? []].flat().map(String);
}
