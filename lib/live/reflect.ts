/** Which upstreams are asked for their schema, and for which services of it; asks them. */
import { createHash } from 'node:crypto';
import { monotonicMs } from '../clock.js';
import { type Config, type Options, upstreamSpecsOf } from '../config/index.js';
import { Connections, type Lease } from '../connections.js';
import type { Channel } from '../exchange.js';
import { openSession, type ReflectedSet, reflectSchema } from '../schema/index.js';
import { ConfigError, type Problem } from '../status.js';
import { UpstreamTable } from '../upstream/index.js';

/** An upstream that is asked. */
export interface ReflectingUpstream {
  readonly target: string;
  readonly channel: Channel;
  /** Of the first mount that has it. */
  readonly options: Options;
  /** True where calls of that service go to it. */
  readonly wants: (service: string) => boolean;
}

/** What came of it. */
export type Reflection =
  | { readonly upstream: ReflectingUpstream; readonly set: ReflectedSet; readonly problem?: undefined }
  | { readonly upstream: ReflectingUpstream; readonly set?: undefined; readonly problem: Problem };

/**
 * The upstreams that a configuration wants to be asked, each once.
 * @throws ConfigError where one cannot be opened.
 */
export function reflectingUpstreams({ reflection, listeners }: Config, lease: Lease): ReflectingUpstream[] {
  if (reflection === undefined) return [];
  const mounts = listeners.flatMap(({ root, mounts: below }) => [root, ...below]);
  const tables = mounts.map((mount) => ({ mount, table: new UpstreamTable(upstreamSpecsOf(mount), lease) }));
  const found = new Map<Channel, ReflectingUpstream>();
  for (const { mount, table } of tables) {
    for (const { name, target } of mount.upstreams) {
      const channel = table.named(name)!;
      if (found.has(channel) || (reflection !== true && !reflection.includes(name ?? 'default'))) continue;
      const wants = (service: string): boolean => tables.some((other) => other.table.find(service) === channel);
      found.set(channel, { target, channel, options: mount.options, wants });
    }
  }
  return [...found.values()];
}

/**
 * Asks all at once; never rejects for what they do.
 * @param signal gives up: the calls are cancelled.
 */
export function reflectAll(upstreams: readonly ReflectingUpstream[], signal?: AbortSignal): Promise<Reflection[]> {
  return Promise.all(upstreams.map((upstream) => reflect(upstream, signal)));
}

async function reflect(upstream: ReflectingUpstream, signal: AbortSignal | undefined): Promise<Reflection> {
  const { target, channel, options, wants } = upstream;
  const deadline = monotonicMs() + options.reflectionTimeoutMs;
  const open = (path: string): ReturnType<typeof openSession> =>
    openSession(channel, path, Math.max(1, deadline - monotonicMs()), signal);
  try {
    return { upstream, set: await reflectSchema(target, open, wants, options) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { upstream, problem: error.problems[0]! };
  }
}

/**
 * The schemas, for commands that only look.
 * @throws ConfigError where one cannot be had.
 */
export async function loadReflected(config: Config): Promise<ReflectedSet[]> {
  const connections = new Connections();
  try {
    const results = await reflectAll(reflectingUpstreams(config, connections.lease()));
    const problems = results.flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0) throw new ConfigError(problems);
    return results.flatMap(({ set }) => set ?? []);
  } finally {
    connections.close();
  }
}

/** Equal for equal schemas, in whatever order the files came. */
export function fingerprint(sets: readonly ReflectedSet[]): string {
  const hash = createHash('sha256');
  for (const { name, services, files } of sets) {
    hash.update(JSON.stringify([name, services]));
    for (const [file, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([file, bytes.length])).update(bytes);
    }
  }
  return hash.digest('hex');
}
