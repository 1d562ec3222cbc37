/**
 * Flags and file → one complete `Config`. A flag wins over the file's key of the same name; on a listener of the file,
 * the listener's own keys win over what stands at its top, and flags win over both.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, ProblemList } from '../status.js';
import { parseListener } from '../server/index.js';
import type { Config, ListenerConfig, ListenerSettings, Settings } from './config.js';
import { parseConfigFile } from './file.js';
import { completeOptions, type Options } from './options.js';

const DEFAULT_LISTEN = '127.0.0.1:8080';

/** The import root that the package brings: google/api, google/rpc, photongate. */
const annotationsRoot = fileURLToPath(new URL('../../annotations', import.meta.url));

/** What a configuration is made from. */
export interface ConfigInput {
  /** What flags say, or a program. Default: nothing. */
  readonly flags?: Settings;
  /** Path of a configuration file. */
  readonly file?: string | undefined;
  /** Where relative paths of flags start. Default: that of the process. */
  readonly workingDirectory?: string;
}

/**
 * Makes a configuration out of flags, a file or both.
 * @throws ConfigError with everything that is wrong in them.
 */
export function loadConfig({ flags = {}, file, workingDirectory = process.cwd() }: ConfigInput): Config {
  const problems = new ProblemList();
  const settings = file === undefined ? {} : parseConfigFile(file, readConfigFile(file, workingDirectory), workingDirectory, problems);
  const config = completeConfig(flags, settings, workingDirectory, problems);
  problems.throwIfAny();
  return config;
}

function readConfigFile(file: string, workingDirectory: string): string {
  try {
    return readFileSync(resolve(workingDirectory, file), 'utf8');
  } catch (error) {
    throw new ConfigError(
      {
        code: 'config-file',
        message: `the configuration ${file} cannot be read: ${(error as Error).message}`,
        hint: 'give the path of a YAML file to --config',
      },
      { cause: error },
    );
  }
}

/** Joins what flags and file say. Problems are collected; the result is only good where there are none. */
function completeConfig(flags: Settings, file: Settings, workingDirectory: string, problems: ProblemList): Config {
  const sources = {
    protos: flags.proto ?? file.proto ?? [],
    protoPaths: flags.protoPath ?? file.protoPath ?? [],
    descriptorSets: flags.descriptorSet ?? file.descriptorSet ?? [],
    workingDirectory,
    annotationsRoot,
  };
  // A file that could not be read would have named some.
  if (sources.protos.length === 0 && sources.descriptorSets.length === 0 && problems.errors.length === 0) {
    problems.error({
      code: 'no-schema',
      message: 'there is nothing to serve: no .proto file and no descriptor set is given',
      hint: 'write --proto FILE, --proto FOLDER or --descriptor-set FILE',
    });
  }
  return {
    sources,
    upstreams: flags.upstreams ?? file.upstreams ?? [],
    listeners: listenersOf(flags, file, problems),
  };
}

function listenersOf(flags: Settings, file: Settings, problems: ProblemList): ListenerConfig[] {
  const listeners = file.listeners ?? [{ listen: file.listen ?? [DEFAULT_LISTEN], options: {} }];
  return listeners.flatMap((listener) => {
    const options = completeOptions({ ...file.options, ...listener.options, ...flags.options });
    const services = flags.services ?? listener.services ?? file.services ?? [];
    return addressesOf(listener, listeners.length, flags, problems).flatMap((listen) =>
      listenerAt(listen, services, options, problems),
    );
  });
}

function addressesOf(
  listener: ListenerSettings,
  count: number,
  flags: Settings,
  problems: ProblemList,
): readonly string[] {
  if (flags.listen === undefined) return listener.listen;
  if (count > 1 && !problems.errors.some(({ code }) => code === 'config-conflict')) {
    problems.error({
      code: 'config-conflict',
      message: `--listen cannot replace the addresses of the ${count} listeners in the file`,
      hint: 'leave --listen out, or change "listen" in the file',
    });
  }
  return flags.listen;
}

function listenerAt(
  listen: string,
  services: readonly string[],
  options: Options,
  problems: ProblemList,
): ListenerConfig[] {
  const address = problems.attempt(() => parseListener(listen));
  return address === undefined ? [] : [{ listen, host: address.host, port: address.port, services, options }];
}
