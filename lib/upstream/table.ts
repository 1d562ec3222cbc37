/**
 * Which upstream serves which service: any number of `--upstream [service-or-package=]target`. Read at the start; each plan
 * gets its channel then.
 */
import type { Channel } from '../exchange.js';
import { ConfigError, nearestName, ProblemList, type Problem } from '../status.js';
import { quote } from '../uri.js';
import type { BalanceSettings } from './balance/options.js';
import type { BalancingPolicy } from './balance/picker.js';
import type { UpstreamOptions, UpstreamTls } from './options.js';
import type { ChannelPool } from './pool.js';
import type { ServiceConfig } from './service-config/kind.js';
import { parseTarget } from './target.js';

/** One `--upstream`, parsed. */
export interface UpstreamSpec {
  /** Full name of a service or package; undefined: every service that no other upstream names. */
  readonly name: string | undefined;
  readonly target: string;
  /** False: cleartext, whatever the default is. Undefined: the default in `options`. */
  readonly tls?: UpstreamTls | false;
  readonly options?: Partial<UpstreamOptions>;
  readonly serviceConfig?: ServiceConfig | undefined;
  /** How its addresses are judged and picked, where that differs from the options of its mount. */
  readonly balance?: (BalanceSettings & { readonly loadBalancingPolicy?: BalancingPolicy }) | undefined;
}

/**
 * `chainfire.v1=127.0.0.1:50051` → name and target. Without a name it is the upstream of all other services.
 * @throws ConfigError `bad-target` or `bad-upstream`.
 */
export function parseUpstream(spec: string): UpstreamSpec {
  const equals = spec.indexOf('=');
  // A target may contain `=`, as in `unix:/run/a=b.sock`. A name never contains a colon.
  if (equals < 0 || spec.slice(0, equals).includes(':')) return { name: undefined, target: parseTarget(spec).text };
  const name = spec.slice(0, equals);
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name)) throw badName(name, spec.slice(equals + 1));
  return { name, target: parseTarget(spec.slice(equals + 1)).text };
}

function badName(name: string, target: string): ConfigError {
  const guess = name.replace(/^[./]+|[.*/]+$/g, '');
  const example = /^[A-Za-z_][\w.]*$/.test(guess) ? guess : 'package.Service';
  return new ConfigError({
    code: 'bad-upstream',
    message: `--upstream ${quote(`${name}=${target}`)} has ${quote(name)} before the "=", expected the full name of a service or package`,
    hint: `write --upstream ${example}=${target || 'host:port'}`,
  });
}

/** Finds the channel of a service: its own upstream, that of its package or an enclosing package, or the default. */
export class UpstreamTable {
  private readonly channels = new Map<string | undefined, Channel>();

  /**
   * Opens a channel for each spec from `pool`, which owns them.
   * @throws ConfigError with all problems: `duplicate-upstream`, `bad-target`.
   */
  constructor(specs: Iterable<UpstreamSpec>, pool: Pick<ChannelPool, 'open'>) {
    const problems = new ProblemList();
    for (const { name, target, tls, options } of specs) {
      const known = this.channels.get(name);
      if (known !== undefined) problems.error(duplicate(name, known.target, target));
      else
        problems.attempt(() =>
          this.channels.set(
            name,
            pool.open(target, { ...options, ...(tls !== undefined && { tls: tls || undefined }) }),
          ),
        );
    }
    problems.throwIfAny();
  }

  /**
   * The channel of `package.Service`.
   * @throws ConfigError `no-upstream` if no upstream names it and there is no default.
   */
  channelFor(service: string): Channel {
    const channel = this.find(service);
    if (channel !== undefined) return channel;
    throw new ConfigError({
      code: 'no-upstream',
      message: `service ${service} has no upstream`,
      hint: `write --upstream host:port for all services, or --upstream ${service}=host:port`,
    });
  }

  /** Like `channelFor`, but undefined if there is none. */
  find(service: string): Channel | undefined {
    return this.channels.get(this.keyFor(service));
  }

  /** The channel of the upstream with this name; undefined: the one without a name. */
  named(name: string | undefined): Channel | undefined {
    return this.channels.get(name);
  }

  private keyFor(service: string): string | undefined {
    for (let name = service; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      if (this.channels.has(name)) return name;
    }
    return undefined;
  }
}

function duplicate(name: string | undefined, first: string, second: string): Problem {
  const subject = name === undefined ? 'for all other services' : `for ${name}`;
  return {
    code: 'duplicate-upstream',
    message: `there are two upstreams ${subject}: ${first} and ${second}`,
    hint: 'remove one of them, or write one target with both addresses: ipv4:10.0.0.1:50051,10.0.0.2:50051',
  };
}

/** Warnings (`unused-upstream`) for names of upstreams that match no served service, which are usually misspelt. */
export function unusedUpstreams(names: Iterable<string | undefined>, services: readonly string[]): Problem[] {
  const given = [...names].filter((name) => name !== undefined);
  const unused = given.filter((name) => !services.some((service) => `${service}.`.startsWith(`${name}.`)));
  return unused.map((name) => unusedProblem(name, services));
}

function unusedProblem(name: string, services: readonly string[]): Problem {
  const packages = services.map((service) => service.slice(0, Math.max(0, service.lastIndexOf('.'))));
  const near = nearestName(name, [...services, ...packages]);
  return {
    code: 'unused-upstream',
    message: `--upstream ${name}=… names no service or package that is served`,
    hint: near === undefined ? `served are: ${services.join(', ')}` : `did you mean ${near}?`,
  };
}
