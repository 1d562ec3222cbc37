/** A complete configuration as a file that can be used: `photongate print-config`. */
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { CorsOptions } from '../policy/index.js';
import type { UpstreamSpec, UpstreamTls } from '../upstream/index.js';
import type { Config, ListenerConfig, MountConfig } from './config.js';
import { printJwt } from './jwt-forms.js';
import { type Options, optionSpecs } from './options.js';
import { type RawValue, timeValue } from './values.js';

/** YAML with every option at its effective value; paths are absolute, so that it works from anywhere. */
export function printConfig({ sources, reflection, watch, listeners }: Config): string {
  return stringify(
    {
      proto: absolute(sources.protos, sources.workingDirectory),
      proto_path: absolute(sources.protoPaths, sources.workingDirectory),
      descriptor_set: absolute(sources.descriptorSets, sources.workingDirectory),
      reflection: reflection ?? false,
      watch: watch ?? false,
      listeners: listeners.map((listener) => printListener(listener, sources.workingDirectory)),
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

function absolute(paths: readonly string[], workingDirectory: string): string[] {
  return paths.map((path) => resolve(workingDirectory, path));
}

function printListener({ listen, root, mounts }: ListenerConfig, workingDirectory: string): object {
  return {
    listen,
    // With mounts it serves nothing by itself anyway, and they would take its empty list for theirs.
    ...printMount(
      mounts.length > 0 && root.services?.length === 0 ? { ...root, services: undefined } : root,
      workingDirectory,
      true,
    ),
    ...(mounts.length === 0
      ? {}
      : {
          mounts: mounts.map((mount) => ({
            path: mount.prefix === '' ? '/' : mount.prefix,
            ...(mount.hosts.length === 0 ? {} : { host: mount.hosts }),
            ...printMount(mount, workingDirectory, false),
          })),
        }),
  };
}

function printMount(
  { services, rules, upstreams, methods, options }: MountConfig,
  workingDirectory: string,
  isListener: boolean,
): object {
  return {
    ...(services === undefined ? {} : { services }),
    ...(rules.length === 0 ? {} : { rules: absolute(rules, workingDirectory) }),
    ...(upstreams.length === 0 ? {} : { upstreams: Object.fromEntries(upstreams.map(printUpstream)) }),
    ...(methods.length === 0
      ? {}
      : { methods: Object.fromEntries(methods.map(({ selector, raw }) => [selector, raw])) }),
    policies: {
      cors: options.cors === undefined ? false : printCors(options.cors),
      jwt: options.jwt === undefined ? false : printJwt(options.jwt),
    },
    ...printOptions(options, isListener),
  };
}

function printUpstream({ name, target, tls }: UpstreamSpec): [string, RawValue] {
  return [name ?? 'default', tls === undefined ? target : { target, tls: printTls(tls) }];
}

function printTls(tls: UpstreamTls | false): RawValue {
  const given = Object.entries(tls).filter(([, value]) => value !== undefined) as [string, string][];
  return given.length === 0 ? tls !== false : Object.fromEntries(given);
}

function printCors({ maxAgeMs, ...cors }: CorsOptions): object {
  return maxAgeMs === undefined ? cors : { ...cors, max_age: timeValue.print(maxAgeMs) };
}

function printOptions(options: Options, isListener: boolean): Record<string, RawValue> {
  const shown = optionSpecs.filter(({ listenerOnly }) => isListener || !listenerOnly);
  return Object.fromEntries(shown.map(({ name, key, kind }) => [name, kind.print(options[key] as never)]));
}
