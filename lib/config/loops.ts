/** Detects upstreams that are the listener's own address, by text only: names are not resolved. */
import type { ProblemList } from '../status.js';
import { clusterNames } from '../routes/index.js';
import type { ClusterSpec } from '../upstream/index.js';
import type { ListenerConfig } from './config.js';

/** Reports upstreams at a listener's own address. A call to one would return for ever, each time as a new request. */
export function reportLoops(
  { host, port, root, mounts, routes }: ListenerConfig,
  clusters: readonly ClusterSpec[],
  problems: ProblemList,
): void {
  const isOwn = (target: string): boolean =>
    hostPortsOf(target).some((address) => address.port === port && isReachedBy(host, address.host));
  const used = new Set(routes === undefined ? [] : clusterNames(routes.virtualHosts));
  for (const { name, endpoints } of clusters.filter((cluster) => used.has(cluster.name))) {
    const own = endpoints.find(({ value }) => isOwn(value));
    if (own === undefined) continue;
    // Another route may answer what comes back, so this may be meant.
    problems.warn({
      code: 'upstream-loop',
      message: `the cluster ${name} has the endpoint ${own.value}, an address that photongate itself listens on`,
      hint: 'write the address of the server, unless another route answers these requests',
    });
  }
  const targets = [root, ...mounts].flatMap(({ upstreams }) => upstreams.map(({ target }) => target));
  for (const target of new Set(targets)) {
    if (!isOwn(target)) continue;
    problems.error({
      code: 'upstream-loop',
      message: `--upstream ${target} is an address that photongate itself listens on, so every call would come back to it`,
      hint: 'write the address of the gRPC server, or another --listen',
    });
  }
}

function hostPortsOf(target: string): { host: string; port: number }[] {
  return target
    .replace(/^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)/, '')
    .split(',')
    .flatMap((item) => {
      const match = /^(?:\[(.*)\]|([^:/]*)):(\d+)$/.exec(item);
      return match === null ? [] : [{ host: match[1] ?? match[2]!, port: Number(match[3]) }];
    });
}

const loopback = ['localhost', '127.0.0.1', '::1'];
const wildcards = ['0.0.0.0', '::'];

/** True if connections to `target` from this machine reach a listener on `host`. */
function isReachedBy(host: string, target: string): boolean {
  if (host === target) return true;
  if (!loopback.includes(target)) return false;
  const isSame = loopback.includes(host) && [host, target].includes('localhost');
  return isSame || wildcards.includes(host);
}
