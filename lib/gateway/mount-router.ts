/**
 * Several gateways behind one listener: each answers to a path prefix, to some host names, or both. Picks the gateway of
 * an exchange, which then sees the path without the prefix. A listener with one gateway has no router.
 */
import type { ErrorWriter, Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { normalizeSegment, splitTarget } from '../uri.js';
import type { Gateway } from './gateway.js';

/** Where a gateway answers. */
export interface Mount {
  /** `/chainfire`; '' for the root. No trailing slash. */
  readonly prefix: string;
  /** Host names, `*.example.com` for all below; none: every host. Lower case, without ports. */
  readonly hosts: readonly string[];
  readonly gateway: Gateway;
}

interface CompiledMount extends Mount {
  readonly segments: readonly string[];
}

/** A mount for the most particular host comes first, then the one with the longest prefix. */
export class MountRouter {
  private readonly mounts: readonly CompiledMount[];

  /** @param root answers what no mount takes, and writes the errors that have no request. */
  constructor(
    mounts: readonly Mount[],
    private readonly root: Gateway,
  ) {
    // One entry for each host, so that an exact name goes before a wildcard of another mount.
    this.mounts = mounts
      .flatMap((mount) => {
        const segments = mount.prefix.split('/').slice(1).map(normalizeSegment);
        return hostsOf(mount).map((hosts) => ({ ...mount, segments, hosts }));
      })
      .sort((a, b) => hostRank(b) - hostRank(a) || b.segments.length - a.segments.length);
  }

  get writeError(): ErrorWriter {
    return this.root.writeError;
  }

  get maxConcurrentRequests(): number {
    return this.root.maxConcurrentRequests;
  }

  /** Answers one exchange; never throws. */
  handle(exchange: Exchange): void {
    const { path } = splitTarget(exchange.target);
    const host = hostName(header(exchange.headers, 'host') ?? '');
    for (const { gateway, hosts, segments } of this.mounts) {
      if (hosts.length > 0 && !hosts.some((pattern) => matchesHost(pattern, host))) continue;
      const length = prefixLength(path, segments);
      if (length === undefined) continue;
      gateway.handle(exchange, length);
      return;
    }
    this.root.handle(exchange);
  }
}

function hostsOf({ hosts }: Mount): readonly (readonly string[])[] {
  return hosts.length === 0 ? [[]] : hosts.map((host) => [host]);
}

/** Exact names before wildcards, the longer of these first, and those before any host. */
function hostRank({ hosts: [host] }: CompiledMount): number {
  if (host === undefined) return 0;
  return host.startsWith('*') ? host.length : Number.MAX_SAFE_INTEGER;
}

/** `Example.com:8080` → `example.com`. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}

function matchesHost(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : pattern === host;
}

/** How much of the raw path the prefix takes; undefined where the path is not below it. */
function prefixLength(path: string, segments: readonly string[]): number | undefined {
  let end = 0;
  for (const segment of segments) {
    const next = path.indexOf('/', end + 1);
    const stop = next < 0 ? path.length : next;
    if (path[end] !== '/' || normalizeSegment(path.slice(end + 1, stop)) !== segment) return undefined;
    end = stop;
  }
  return end;
}
