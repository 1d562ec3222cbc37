/**
 * Flags and file → one complete `Config`. A flag wins over the file's key of the same name; on a listener of the file,
 * the listener's own keys win over what stands at its top, and flags win over both.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, ProblemList } from '../status.js';
import { parseListener } from '../server/index.js';
import { mergeMethodRules } from '../rule/index.js';
import { parseUpstream, type UpstreamSpec } from '../upstream/index.js';
import type {
  Config,
  ListenerConfig,
  ListenerSettings,
  MethodSetting,
  MountConfig,
  MountSettings,
  Reflection,
  ServingSettings,
  Settings,
} from './config.js';
import { parseConfigFile } from './file.js';
import { type LibraryOptions, readLibraryOptions } from './library.js';
import { completeOptions, type Options } from './options.js';

const DEFAULT_LISTEN = '127.0.0.1:8080';

/** The import root that the package brings: google/api, google/rpc, photongate. */
const annotationsRoot = fileURLToPath(new URL('../../annotations', import.meta.url));

/** Settings as a program gives them. */
export interface LibrarySettings extends Omit<Settings, 'options' | 'upstreams'> {
  /** `127.0.0.1:50051`, `chainfire.v1=dns:///host:port`, as `--upstream` has them. */
  readonly upstreams?: readonly (string | UpstreamSpec)[] | undefined;
  readonly options?: LibraryOptions | Partial<Options> | undefined;
}

/** What a configuration is made from. */
export interface ConfigInput {
  /** What flags say, or a program, whose options have their plain names: `{ idleTimeout: '60s' }`. Default: nothing. */
  readonly flags?: LibrarySettings;
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
  const settings =
    file === undefined ? {} : parseConfigFile(file, readConfigFile(file, workingDirectory), workingDirectory, problems);
  const given = problems.attempt(() => settingsOf(flags, workingDirectory)) ?? {};
  const config = completeConfig(given, settings, workingDirectory, problems);
  problems.throwIfAny();
  return { ...config, file: file === undefined ? undefined : resolve(workingDirectory, file) };
}

function settingsOf({ upstreams, options = {}, ...rest }: LibrarySettings, workingDirectory: string): Settings {
  return {
    ...rest,
    ...(upstreams === undefined
      ? {}
      : { upstreams: upstreams.map((spec) => (typeof spec === 'string' ? parseUpstream(spec) : spec)) }),
    options: readLibraryOptions(options, workingDirectory),
  };
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
  const given = flags.reflection ?? file.reflection ?? false;
  const reflection = given === false || (given !== true && given.length === 0) ? undefined : given;
  const sources = {
    protos: flags.proto ?? file.proto ?? [],
    protoPaths: flags.protoPath ?? file.protoPath ?? [],
    descriptorSets: flags.descriptorSet ?? file.descriptorSet ?? [],
    workingDirectory,
    annotationsRoot,
  };
  // A file that could not be read would have named some.
  const nothing = sources.protos.length === 0 && sources.descriptorSets.length === 0 && reflection === undefined;
  if (nothing && problems.errors.length === 0) {
    problems.error({
      code: 'no-schema',
      message: 'there is nothing to serve: no .proto file, no descriptor set and no reflection is given',
      hint: 'write --proto FILE, --proto FOLDER, --descriptor-set FILE or --reflection',
    });
  }
  const listeners: readonly ListenerSettings[] = file.listeners ?? [{ listen: file.listen ?? [DEFAULT_LISTEN] }];
  checkConflicts(flags, listeners, problems);
  const complete = listeners.flatMap((listener) => listenersAt(flags, file, listener, workingDirectory, problems));
  checkReflection(reflection, complete, problems);
  return { sources, listeners: complete, reflection, watch: flags.watch ?? file.watch ?? false };
}

/** Flags that cannot say which of several listeners or mounts they mean. */
function checkConflicts(flags: Settings, listeners: readonly ListenerSettings[], problems: ProblemList): void {
  if (flags.listen !== undefined && listeners.length > 1) {
    problems.error({
      code: 'config-conflict',
      message: `--listen cannot replace the addresses of the ${listeners.length} listeners in the file`,
      hint: 'leave --listen out, or change "listen" in the file',
    });
  }
  if (flags.services !== undefined && listeners.some(({ mounts }) => mounts !== undefined)) {
    problems.error({
      code: 'config-conflict',
      message: '--service cannot tell which of the mounts in the file it means',
      hint: 'leave --service out, or change "services" in the file',
    });
  }
}

/** There must be somebody to ask. */
function checkReflection(
  reflection: Reflection | undefined,
  listeners: readonly ListenerConfig[],
  problems: ProblemList,
): void {
  if (reflection === undefined || problems.errors.length > 0) return;
  const upstreams = listeners.flatMap(({ root, mounts }) => [root, ...mounts].flatMap((mount) => mount.upstreams));
  const known = new Set(upstreams.map(({ name }) => name ?? 'default'));
  if (known.size === 0) {
    problems.error({
      code: 'reflection-upstream',
      message: 'reflection asks upstreams for their schema, and there is no upstream',
      hint: 'write --upstream host:port',
    });
  } else if (reflection !== true) {
    for (const name of reflection.filter((candidate) => !known.has(candidate))) {
      problems.error({
        code: 'reflection-upstream',
        message: `reflection names ${JSON.stringify(name)}, and no upstream has that name`,
        hint: `upstreams are: ${[...known].join(', ')}; without names all are asked`,
      });
    }
  }
}

/** A listener for each of its addresses. */
function listenersAt(
  flags: Settings,
  file: Settings,
  listener: ListenerSettings,
  workingDirectory: string,
  problems: ProblemList,
): ListenerConfig[] {
  const mounts = (listener.mounts ?? []).map((mount) =>
    mountOf(mount, [file, listener, mount, flags], workingDirectory),
  );
  const root = mountOf({ prefix: '', hosts: [] }, [file, listener, flags], workingDirectory);
  // With mounts, the listener itself serves only what it names itself.
  const services = listener.mounts === undefined ? root.services : (listener.services ?? []);
  return (flags.listen ?? listener.listen).flatMap((listen) => {
    const address = problems.attempt(() => parseListener(listen));
    return address === undefined ? [] : [{ listen, ...address, root: { ...root, services }, mounts }];
  });
}

/** @param levels from the outermost to the one that wins. */
function mountOf(
  { prefix, hosts }: Pick<MountSettings, 'prefix' | 'hosts'>,
  levels: readonly ServingSettings[],
  workingDirectory: string,
): MountConfig {
  const options = Object.assign({}, ...levels.map((level) => level.options ?? {})) as Partial<Options>;
  return {
    prefix,
    hosts,
    services: innermost(levels, 'services'),
    rules: innermost(levels, 'rules') ?? [],
    upstreams: upstreamsOf(levels),
    methods: mergeMethodRules(
      levels.flatMap(({ methods = [] }) => methods),
      mergeMethods,
    ),
    options: completeOptions(options, workingDirectory),
  };
}

/** The inner level's members replace those of the outer. */
function mergeMethods(outer: MethodSetting, inner: MethodSetting): MethodSetting {
  const names = new Set(inner.option.fields.map(({ name }) => name));
  const kept = outer.option.fields.filter(({ name }) => !names.has(name));
  return {
    ...inner,
    option: { ...inner.option, fields: [...kept, ...inner.option.fields] },
    raw: { ...outer.raw, ...inner.raw },
  };
}

/** Lists do not add up: that of the innermost level that has one. */
function innermost(levels: readonly ServingSettings[], key: 'services' | 'rules'): readonly string[] | undefined {
  return levels.findLast((level) => level[key] !== undefined)?.[key];
}

/** Those of an inner level come first and hide outer ones of the same name; flags replace them all. */
function upstreamsOf(levels: readonly ServingSettings[]): readonly UpstreamSpec[] {
  const flags = levels[levels.length - 1]!;
  if (flags.upstreams !== undefined) return flags.upstreams;
  return levels.reduceRight<UpstreamSpec[]>((inner, { upstreams = [] }) => {
    const names = new Set(inner.map(({ name }) => name));
    return [...inner, ...upstreams.filter(({ name }) => !names.has(name))];
  }, []);
}
