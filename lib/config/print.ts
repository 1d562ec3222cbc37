/** A complete configuration as a file that can be used: `photongate print-config`. */
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { UpstreamSpec } from '../upstream/index.js';
import type { Config, ListenerConfig, MountConfig } from './config.js';
import { type Options, optionSpecs } from './options.js';
import type { RawValue } from './values.js';

/** YAML with every option at its effective value; paths are absolute, so that it works from anywhere. */
export function printConfig({ sources, listeners }: Config): string {
  return stringify(
    {
      proto: absolute(sources.protos, sources.workingDirectory),
      proto_path: absolute(sources.protoPaths, sources.workingDirectory),
      descriptor_set: absolute(sources.descriptorSets, sources.workingDirectory),
      listeners: listeners.map(printListener),
    },
    { lineWidth: 0 },
  );
}

function absolute(paths: readonly string[], workingDirectory: string): string[] {
  return paths.map((path) => resolve(workingDirectory, path));
}

function printListener({ listen, root, mounts }: ListenerConfig): object {
  return {
    listen,
    ...printMount(root, true),
    ...(mounts.length === 0
      ? {}
      : {
          mounts: mounts.map((mount) => ({
            path: mount.prefix === '' ? '/' : mount.prefix,
            ...(mount.hosts.length === 0 ? {} : { host: mount.hosts }),
            ...printMount(mount, false),
          })),
        }),
  };
}

function printMount({ services, upstreams, options }: MountConfig, isListener: boolean): object {
  return {
    ...(services === undefined ? {} : { services }),
    ...(upstreams.length === 0 ? {} : { upstreams: Object.fromEntries(upstreams.map(printUpstream)) }),
    ...printOptions(options, isListener),
  };
}

function printUpstream({ name, target }: UpstreamSpec): [string, RawValue] {
  return [name ?? 'default', target];
}

function printOptions(options: Options, isListener: boolean): Record<string, RawValue> {
  const shown = optionSpecs.filter(({ listenerOnly }) => isListener || !listenerOnly);
  return Object.fromEntries(shown.map(({ name, key, kind }) => [name, kind.print(options[key] as never)]));
}
