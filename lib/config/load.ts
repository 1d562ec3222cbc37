/**
 * Flags and file → one complete `Config`. Flags win over the file. Within the file, the keys of a listener win over
 * those of the top level.
 */
import { annotationsFolder } from '../installation.js';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError, nearestName, ProblemList } from '../status.js';
import { type InheritedSocket, parseListeners } from '../server/index.js';
import { mergeMethodRules } from '../rule/index.js';
import { parseUpstream, type UpstreamSpec } from '../upstream/index.js';
import { type EnvoyInput, readBootstrap } from './envoy.js';
import { clusterNames, filterClusters, transcoderNames } from '../routes/index.js';
import type { Config, ListenerConfig, MountConfig, Reflection } from './config.js';
import { parseConfigFile } from './file.js';
import { readLibraryOptions } from './library.js';
import type { MethodSetting } from './methods.js';
import { completeOptions, completeProcessOptions, type GivenOptions, type LibraryOptions } from './options.js';
import type { ListenerSettings, MountSettings, ServingSettings, Settings } from './settings.js';

const DEFAULT_LISTEN = '127.0.0.1:8080';

/** Settings as a program gives them. */
export interface LibrarySettings extends Omit<Settings, 'options' | 'upstreams'> {
  /** Like `--upstream`: `127.0.0.1:50051`, `chainfire.v1=dns:///host:port`. */
  readonly upstreams?: readonly (string | UpstreamSpec)[] | undefined;
  readonly options?: LibraryOptions | GivenOptions | undefined;
}

/** The sources of a configuration. */
export interface ConfigInput {
  /** Settings from flags or from a program, which uses library names: `{ idleTimeout: '60s' }`. Default: none. */
  readonly flags?: LibrarySettings;
  /** Path of a configuration file. */
  readonly file?: string | undefined;
  /** An Envoy bootstrap in place of a file; its paths are relative to the working directory. */
  readonly envoy?: EnvoyInput | undefined;
  /** Base of relative paths in flags. Default: that of the process. */
  readonly workingDirectory?: string;
  /** What `listen: systemd` means. Default: no socket. */
  readonly inherited?: readonly InheritedSocket[];
}

/**
 * Makes a configuration from flags, a file or both.
 * @throws ConfigError with all problems.
 */
export function loadConfig({
  flags = {},
  file,
  envoy,
  workingDirectory = process.cwd(),
  inherited = [],
}: ConfigInput): Config {
  const problems = new ProblemList();
  const settings =
    envoy !== undefined
      ? readBootstrap(envoy, workingDirectory, problems)
      : file === undefined
        ? {}
        : parseConfigFile(file, readConfigFile(file, workingDirectory), workingDirectory, problems);
  const given = problems.attempt(() => settingsOf(flags, workingDirectory)) ?? {};
  const config = completeConfig(given, settings, { workingDirectory, inherited }, problems);
  problems.throwIfAny();
  const { warnings } = problems;
  return { ...config, warnings, file: file === undefined ? undefined : resolve(workingDirectory, file) };
}

function settingsOf({ upstreams, options = {}, ...rest }: LibrarySettings, workingDirectory: string): Settings {
  return {
    ...rest,
    ...(upstreams && { upstreams: upstreams.map((spec) => (typeof spec === 'string' ? parseUpstream(spec) : spec)) }),
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

type Surroundings = Required<Pick<ConfigInput, 'workingDirectory' | 'inherited'>>;

/** Merges flags and file. The result is only valid if no problem was reported. */
function completeConfig(
  flags: Settings,
  file: Settings,
  { workingDirectory, inherited }: Surroundings,
  problems: ProblemList,
): Config {
  const given = flags.reflection ?? file.reflection ?? false;
  const reflection = given === false || (given !== true && given.length === 0) ? undefined : given;
  const sources = {
    protos: flags.proto ?? file.proto ?? [],
    protoPaths: flags.protoPath ?? file.protoPath ?? [],
    descriptorSets: flags.descriptorSet ?? file.descriptorSet ?? [],
    workingDirectory,
    annotationsRoot: annotationsFolder,
  };
  // A file that could not be read might have named some.
  const routed = file.listeners?.some(({ virtualHosts }) => virtualHosts !== undefined) ?? false;
  const nothing =
    !routed && sources.protos.length === 0 && sources.descriptorSets.length === 0 && reflection === undefined;
  if (nothing && problems.errors.length === 0) {
    problems.error({
      code: 'no-schema',
      message: 'there is nothing to serve: no .proto file, no descriptor set and no reflection is given',
      hint: 'write --proto FILE, --proto FOLDER, --descriptor-set FILE or --reflection',
    });
  }
  const listeners: readonly ListenerSettings[] = file.listeners ?? [{ listen: file.listen ?? [DEFAULT_LISTEN] }];
  checkConflicts(flags, listeners, problems);
  const complete = listeners.flatMap((listener) => listenersAt(flags, file, listener, inherited, problems));
  checkReflection(reflection, complete, problems);
  const options = completeProcessOptions([file.options, flags.options]);
  const { zone } = options;
  const clusters = zone === undefined ? file.clusters : file.clusters?.map((cluster) => ({ ...cluster, zone }));
  return {
    sources,
    listeners: complete,
    options,
    clusters,
    reflection,
    watch: flags.watch ?? file.watch ?? false,
    workers: flags.workers ?? file.workers ?? 1,
  };
}

/** Reports flags that are ambiguous because there are several listeners or mounts. */
function checkConflicts(flags: Settings, listeners: readonly ListenerSettings[], problems: ProblemList): void {
  if (flags.listen !== undefined && listeners.length > 1) {
    problems.error({
      code: 'config-conflict',
      message: `--listen cannot replace the addresses of the ${listeners.length} listeners in the file`,
      hint: 'leave --listen out, or change "listen" in the file',
    });
  }
  for (const kind of ['mounts', 'transcoders'] as const) {
    if (flags.services === undefined || listeners.every(({ [kind]: given }) => given === undefined)) continue;
    problems.error({
      code: 'config-conflict',
      message: `--service cannot be combined with ${kind}, because it does not name ${kind === 'mounts' ? 'a mount' : 'one of them'}`,
      hint: 'leave --service out, or change "services" in the file',
    });
  }
}

/** Reports reflection without an upstream to ask. */
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
      message: 'reflection needs an upstream to read the schema from, but none is configured',
      hint: 'write --upstream host:port',
    });
  } else if (reflection !== true) {
    for (const name of reflection.filter((candidate) => !known.has(candidate))) {
      problems.error({
        code: 'reflection-upstream',
        message: `reflection names ${JSON.stringify(name)}, but no upstream has that name`,
        hint: `upstreams are: ${[...known].join(', ')}; without names all are asked`,
      });
    }
  }
}

/** One listener for each of its addresses. */
function listenersAt(
  flags: Settings,
  file: Settings,
  listener: ListenerSettings,
  inherited: readonly InheritedSocket[],
  problems: ProblemList,
): ListenerConfig[] {
  const mounts = (listener.mounts ?? []).map((mount) => mountOf(mount, [file, listener, mount, flags]));
  const root = mountOf({ prefix: '', hosts: [] }, [file, listener, flags]);
  // If there are mounts, the listener itself serves only services that it names.
  const services = listener.mounts === undefined ? root.services : (listener.services ?? []);
  const { virtualHosts, ignoreHostPort: ignorePort = false, localReplies, filters, transcoders: named } = listener;
  const transcoders = (named ?? []).map(({ name, value }) => {
    return { name, mount: mountOf({ prefix: '', hosts: [] }, [file, listener, value, flags]) };
  });
  const routes = virtualHosts && { virtualHosts, ignorePort, localReplies, transcoders };
  if (routes === undefined) refuseWithoutHosts({ local_replies: localReplies, transcoders: named }, problems);
  checkTranscoders(listener, problems);
  checkClusters('a route leads to', clusterNames(virtualHosts ?? []), file, problems);
  checkClusters('a filter asks', filterClusters(filters ?? []), file, problems);
  const limitServices = [root, ...mounts].flatMap(({ options }) => options.rateLimitService?.cluster ?? []);
  checkClusters('rate_limit_service asks', limitServices, file, problems);
  return (flags.listen ?? listener.listen).flatMap((listen) => {
    const addresses = problems.attempt(() => parseListeners(listen, inherited)) ?? [];
    return addresses.map((address) => ({
      // Of several sockets each has a name of its own, or print-config would name all of them several times.
      listen: addresses.length > 1 ? `fd:${address.fd}` : listen,
      ...address,
      certificates: listener.certificates,
      root: { ...root, services },
      mounts,
      routes,
      filters,
    }));
  });
}

/** What would count for nothing. */
function refuseWithoutHosts(given: Readonly<Record<string, unknown>>, problems: ProblemList): void {
  for (const [name] of Object.entries(given).filter(([, value]) => value !== undefined)) {
    problems.error({
      code: 'config-conflict',
      message: `a listener has ${name}, and no virtual_hosts`,
      hint: `write virtual_hosts too, or leave ${name} out`,
    });
  }
}

function checkTranscoders({ virtualHosts = [], transcoders = [] }: ListenerSettings, problems: ProblemList): void {
  const known = transcoders.map(({ name }) => name);
  for (const name of new Set(transcoderNames(virtualHosts))) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    problems.error({
      code: 'unknown-transcoder',
      message: `a route names the transcoder ${JSON.stringify(name)}, and there is none of that name`,
      hint: near === undefined ? `transcoders are: ${known.join(', ') || 'none'}` : `did you mean ${near}?`,
    });
  }
}

/** @param used begins the message */
function checkClusters(
  used: string,
  names: readonly string[],
  { clusters = [] }: Settings,
  problems: ProblemList,
): void {
  const known = clusters.map(({ name }) => name);
  for (const name of new Set(names)) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    problems.error({
      code: 'unknown-cluster',
      message: `${used} the cluster ${JSON.stringify(name)}, and there is none of that name`,
      hint: near === undefined ? `clusters are: ${known.join(', ') || 'none'}` : `did you mean ${near}?`,
    });
  }
}

/** @param levels the outermost first. */
function mountOf(
  { prefix, hosts }: Pick<MountSettings, 'prefix' | 'hosts'>,
  levels: readonly ServingSettings[],
): MountConfig {
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
    options: completeOptions(levels.map(({ options }) => options)),
  };
}

/** Members of the inner level replace those of the outer. */
function mergeMethods(outer: MethodSetting, inner: MethodSetting): MethodSetting {
  const names = new Set(inner.option.fields.map(({ name }) => name));
  const kept = outer.option.fields.filter(({ name }) => !names.has(name));
  return {
    ...outer,
    ...inner,
    option: { ...inner.option, fields: [...kept, ...inner.option.fields] },
    raw: { ...outer.raw, ...inner.raw },
  };
}

/** The list of the innermost level that has one. */
function innermost(levels: readonly ServingSettings[], key: 'services' | 'rules'): readonly string[] | undefined {
  return levels.findLast((level) => level[key] !== undefined)?.[key];
}

/** Upstreams of an inner level come first and hide outer ones of the same name. Flags replace them all. */
function upstreamsOf(levels: readonly ServingSettings[]): readonly UpstreamSpec[] {
  const flags = levels.at(-1)?.upstreams;
  if (flags !== undefined) return flags;
  return levels.reduceRight<UpstreamSpec[]>((inner, { upstreams = [] }) => {
    const names = new Set(inner.map(({ name }) => name));
    return [...inner, ...upstreams.filter(({ name }) => !names.has(name))];
  }, []);
}
