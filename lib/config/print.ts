/** Prints a complete configuration as a file: `photongate print-config`. */
import { yaml } from '../packages.js';
import { resolve } from 'node:path';
import type { Config, ListenerConfig, MountConfig } from './config.js';
import { type ListenerSettings, printSettings, type ServingSettings } from './settings.js';

/** YAML with every option at its effective value. Paths are absolute, so that the file works from anywhere. */
export function printConfig({
  sources,
  reflection,
  watch = false,
  workers = 1,
  clusters = [],
  listeners,
  options: ofProcess,
}: Config): string {
  const absolute = (paths: readonly string[]): string[] => paths.map((path) => resolve(sources.workingDirectory, path));
  const serving = ({ services, rules, upstreams, methods, options }: MountConfig): ServingSettings => ({
    ...(services !== undefined && { services }),
    ...(rules.length > 0 && { rules: absolute(rules) }),
    ...(upstreams.length > 0 && { upstreams }),
    ...(methods.length > 0 && { methods }),
    options,
  });
  const listener = ({ listen, root, mounts, routes, filters, certificates }: ListenerConfig): ListenerSettings => ({
    listen: [listen],
    // With mounts the listener itself serves nothing, and mounts would inherit the empty list.
    ...serving(mounts.length > 0 && root.services?.length === 0 ? { ...root, services: undefined } : root),
    ...(certificates !== undefined && { certificates }),
    ...(routes !== undefined && { virtualHosts: routes.virtualHosts, ignoreHostPort: routes.ignorePort }),
    ...(routes !== undefined &&
      routes.transcoders.length > 0 && {
        transcoders: routes.transcoders.map(({ name, mount }) => {
          const { upstreams: _upstreams, methods: _methods, ...value } = serving(mount);
          return { name, place: undefined, value };
        }),
      }),
    ...(filters !== undefined && { filters }),
    ...(routes?.localReplies !== undefined && { localReplies: routes.localReplies }),
    ...(mounts.length > 0 && {
      mounts: mounts.map((mount) => ({ prefix: mount.prefix, hosts: mount.hosts, ...serving(mount) })),
    }),
  });
  const settings = {
    proto: absolute(sources.protos),
    protoPath: absolute(sources.protoPaths),
    descriptorSet: sources.descriptorSets.map((set) => (set.startsWith('data:') ? set : absolute([set])[0]!)),
    ...{ reflection: reflection ?? false, watch, workers, options: ofProcess },
    ...(clusters.length > 0 && { clusters }),
    listeners: listeners.map(listener),
  };
  return yaml().stringify(printSettings(settings), { lineWidth: 0, aliasDuplicateObjects: false });
}
