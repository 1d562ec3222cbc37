/** SRV records (RFC 2782): which servers a service of a domain has, and which of them come first. */
import { type LookupAddress, lookup, Resolver, type SrvRecord } from 'node:dns';

/** A server of a service. */
export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
  /** Its share of the calls. */
  readonly weight: number;
  /** 0 comes first. */
  readonly priority: number;
}

/** A host's addresses; none if it has none. */
type HostListener = (hosts: readonly string[]) => void;

/**
 * All servers of `name`, in the order of RFC 2782: by priority, and by chance within one, the more often the more weight a
 * record has. A record whose host has no address is left out.
 * @param nameServer `address:port`; '' for those of the system
 */
export function resolveSrv(
  nameServer: string,
  name: string,
  listener: (servers: readonly ServiceAddress[]) => void,
): void {
  const resolver = new Resolver();
  try {
    if (nameServer !== '') resolver.setServers([nameServer]);
  } catch {
    return void process.nextTick(listener, []);
  }
  const addressesOf =
    nameServer === '' ? lookupHost : (host: string, found: HostListener) => queryHost(resolver, host, found);
  resolver.resolveSrv(name, (_error, records = []) => {
    // A lone "." says that there is no such service.
    const known = inOrder(records.filter((record) => record.name !== '' && record.name !== '.'));
    if (known.length === 0) return listener([]);
    const found: (readonly ServiceAddress[])[] = [];
    let left = known.length;
    for (const [index, { name: host, port, weight, priority }] of known.entries()) {
      addressesOf(host, (hosts) => {
        found[index] = hosts.map((address) => ({ host: address, port, weight, priority }));
        if (--left === 0) listener(found.flat());
      });
    }
  });
}

/** Asks one name server for both kinds of addresses. */
export function queryHost(resolver: Resolver, host: string, found: HostListener): void {
  let first: readonly string[] | undefined;
  const answer = (_error: Error | null, hosts: readonly string[] = []): void => {
    if (first === undefined) first = hosts;
    else found([...first, ...hosts]);
  };
  resolver.resolve4(host, answer);
  resolver.resolve6(host, answer);
}

function lookupHost(host: string, found: HostListener): void {
  lookup(host, { all: true }, (error: Error | null, all: readonly LookupAddress[]) =>
    found(error ? [] : all.map(({ address }) => address)),
  );
}

type Ranked = Pick<SrvRecord, 'priority' | 'weight'>;

/** @param random from 0 to 1 */
export function inOrder<T extends Ranked>(records: readonly T[], random: () => number = Math.random): T[] {
  const left = [...records].sort((a, b) => a.priority - b.priority);
  const ordered: T[] = [];
  while (left.length > 0) {
    const level = left.filter(({ priority }) => priority === left[0]!.priority);
    // One without weight has a small chance, too.
    const share = ({ weight }: Ranked): number => Math.max(weight, 0.01);
    let at = random() * level.reduce((sum, record) => sum + share(record), 0);
    const next = level.find((record) => (at -= share(record)) < 0) ?? level[0]!;
    left.splice(left.indexOf(next), 1);
    ordered.push(next);
  }
  return ordered;
}
