/** Upstreams that are the listener's own address, as far as the texts tell: no name is resolved. */
import type { ProblemList } from '../status.js';
import type { ListenerConfig } from './config.js';

/** A call to a listener's own address would come back for ever, each round as a request of its own. */
export function reportLoops({ host, port, root, mounts }: ListenerConfig, problems: ProblemList): void {
  const targets = [root, ...mounts].flatMap(({ upstreams }) => upstreams.map(({ target }) => target));
  for (const target of new Set(targets)) {
    if (!hostPortsOf(target).some((address) => address.port === port && isReachedBy(host, address.host))) continue;
    problems.error({
      code: 'upstream-loop',
      message: `--upstream ${target} is where photongate itself listens, so every call would come back to it`,
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

/** True where a listener on `host` is what this machine reaches at `target`. */
function isReachedBy(host: string, target: string): boolean {
  if (host === target) return true;
  if (!loopback.includes(target)) return false;
  const isSame = loopback.includes(host) && [host, target].includes('localhost');
  return isSame || wildcards.includes(host);
}
