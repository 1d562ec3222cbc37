/**
 * An Envoy bootstrap → a configuration of ours, as its file would have it. Reads text and judges each key; what a key means is
 * for the rooms that honour it.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseYaml, type Plain } from '../options/index.js';
import type { Problem, ProblemList } from '../status.js';
import { cannot, type Places } from './describe.js';
import { bootstrap } from './keys/bootstrap.js';
import { mergeBootstraps } from './merge.js';
import { hostPort, translateClusters } from './translate/clusters.js';
import { translateListener } from './translate/listeners.js';

export type { At, Places } from './describe.js';

/** A file, or the text of a flag. */
export interface BootstrapSource {
  /** As messages name it. */
  readonly name: string;
  readonly text: string;
}

/** What a bootstrap says, in our words. */
export interface Translation {
  readonly settings: Readonly<Record<string, Plain>>;
  /** Where each of its maps comes from. */
  readonly places: Places;
}

export interface TranslationOptions {
  /** What cannot be honoured is a warning then, and no error. */
  readonly lenient: boolean;
  readonly problems: ProblemList;
  /** Base of relative paths of texts that are read here. Default: the working directory. */
  readonly folder?: string;
  /** Default: no variables. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** The same as a configuration of ours. What cannot be honoured is reported, and left out. */
export function translateBootstrap(
  sources: readonly BootstrapSource[],
  { lenient, problems, folder = '', environment = {} }: TranslationOptions,
): Translation {
  const nodes = sources.flatMap(({ name, text }) => parseYaml({ file: name, text }, problems) ?? []);
  const root = mergeBootstraps(nodes);
  const places: Places = new WeakMap();
  if (root === undefined) return { settings: {}, places };
  const reader = { lenient, problems, places, folder, environment };
  const { static_resources: resources, admin } = bootstrap.read(root, '', reader) ?? {};
  const adminAddress = hostPort(admin?.address, reader);
  const listeners = (resources?.listeners ?? []).flatMap((listener) => translateListener(listener, reader) ?? []);
  if (listeners.length === 0 && problems.errors.length === 0) {
    const message = 'the bootstrap has no listeners';
    problems.error({ code: 'envoy-value', message, hint: 'write static_resources: { listeners: [ … ] }' });
  }
  if (listeners.some(({ descriptorSets: sets }) => sets.length > 0)) problems.warn(precedence);
  const descriptorSets = [...new Set(listeners.flatMap(({ descriptorSets: sets }) => sets))];
  const logs = listeners.map(({ accessLog }) => accessLog).filter((one) => one !== undefined);
  const [log] = logs;
  // A listener that logs nothing would be logged all the same.
  if (logs.some((other) => !isDeepStrictEqual(other, log)) || (logs.length > 0 && logs.length < listeners.length)) {
    const message = 'requests of all listeners are logged alike';
    const hint = 'write the same access_log for all listeners';
    cannot(reader, places.get(log!)!, message, hint);
  }
  const settings = {
    ...(adminAddress !== undefined && { admin: adminAddress, admin_envoy: true }),
    ...log,
    ...(descriptorSets.length > 0 && { descriptor_set: descriptorSets }),
    clusters: translateClusters(resources?.clusters ?? [], reader),
    listeners: listeners.map((listener) => listener.settings),
  };
  return { settings, places };
}

/** Whoever authorises by path must know. */
const precedence: Problem = {
  code: 'envoy-precedence',
  message: 'as in Envoy, a query parameter replaces what the path says of a field, and the body replaces both',
  hint: 'start with --request-binding strict, which refuses such requests, unless clients rely on it',
};
