/** Where the servers of a target are: its host name resolved, or its addresses as they are listed. */
import { lookup, Resolver } from 'node:dns';
import { isIP } from 'node:net';
import type { Target } from '../target.js';

/** What `net.connect` takes. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Gets the addresses in the order in which they are to be tried; none where the name cannot be resolved. */
export type AddressListener = (addresses: readonly Address[]) => void;

/** Finds addresses. Only where there are some, the answer may come at once. */
export type AddressResolver = (listener: AddressListener) => void;

/** The `:authority` of calls where no option names another: `host:port`, the first of a list, `localhost` for a socket file. */
export function defaultAuthority({ uri }: Target): string {
  if (uri.startsWith('unix:')) return 'localhost';
  return uri.startsWith('dns:') ? uri.slice(uri.lastIndexOf('/') + 1) : uri.slice('ipv4:'.length).split(',')[0]!;
}

/** True where the addresses behind a target may change. */
export function isNamed({ uri }: Target): boolean {
  return uri.startsWith('dns:') && isIP(addressOf(uri.slice(uri.lastIndexOf('/') + 1)).host) === 0;
}

/** One text for one address. */
export function addressKey(address: Address): string {
  return 'path' in address ? address.path : `${address.host} ${address.port}`;
}

/** Finds the addresses of a target, anew each time: names move. Only where there are some, the answer may come at once. */
export function resolveTarget({ uri }: Target, listener: AddressListener): void {
  if (uri.startsWith('unix:')) return listener([{ path: uri.slice('unix:'.length) }]);
  if (!uri.startsWith('dns:')) return listener(uri.slice('ipv4:'.length).split(',').map(addressOf));
  const slash = uri.lastIndexOf('/');
  const { host, port } = addressOf(uri.slice(slash + 1));
  const found = (hosts: readonly string[]): void => listener(hosts.map((each) => ({ host: each, port })));
  const nameServer = uri.slice('dns://'.length, slash);
  if (isIP(host) !== 0) found([host]);
  else if (nameServer === '')
    lookup(host, { all: true }, (error, all) => found(error ? [] : all.map((one) => one.address)));
  else ask(nameServer, host, found);
}

/** `host:port` → its parts, without the brackets of IPv6. */
function addressOf(hostPort: string): { host: string; port: number } {
  const colon = hostPort.lastIndexOf(':');
  return { host: hostPort.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(hostPort.slice(colon + 1)) };
}

/** Asks one DNS server for both kinds of addresses. */
function ask(nameServer: string, host: string, found: (hosts: readonly string[]) => void): void {
  const resolver = new Resolver();
  try {
    resolver.setServers([nameServer]);
  } catch {
    return void process.nextTick(found, []);
  }
  let first: readonly string[] | undefined;
  const answer = (_error: Error | null, hosts: readonly string[] = []): void => {
    if (first === undefined) first = hosts;
    else found([...first, ...hosts]);
  };
  resolver.resolve4(host, answer);
  resolver.resolve6(host, answer);
}
