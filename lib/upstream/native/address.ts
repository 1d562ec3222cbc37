/** Finds the addresses of a target: those of its host name, or its list of addresses. */
import { lookup, Resolver } from 'node:dns';
import { isIP } from 'node:net';
import type { Target } from '../target.js';

/** An argument of `net.connect`. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Gets the addresses in the order in which they are to be tried; none if the name does not resolve. */
export type AddressListener = (addresses: readonly Address[]) => void;

/** Finds addresses. May call the listener synchronously, but only with addresses. */
export type AddressResolver = (listener: AddressListener) => void;

/** The default `:authority` of calls: `host:port`, the first address of a list, or `localhost` for a Unix socket. */
export function defaultAuthority({ uri }: Target): string {
  if (uri.startsWith('unix:')) return 'localhost';
  return uri.startsWith('dns:') ? uri.slice(uri.lastIndexOf('/') + 1) : uri.slice('ipv4:'.length).split(',')[0]!;
}

/** True if the addresses of a target may change. */
export function isNamed({ uri }: Target): boolean {
  return uri.startsWith('dns:') && isIP(addressOf(uri.slice(uri.lastIndexOf('/') + 1)).host) === 0;
}

/** Where a connection to a target goes: its first address, or its name, which is then resolved for each connection. */
export function connectAddress(target: Target): Address {
  return target.uri.startsWith('unix:')
    ? { path: target.uri.slice('unix:'.length) }
    : addressOf(defaultAuthority(target));
}

/** A key for an address. */
export function addressKey(address: Address): string {
  return 'path' in address ? address.path : `${address.host} ${address.port}`;
}

/** Resolves a target anew each time, because names move. May call the listener synchronously, but only with addresses. */
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
  else queryNameServer(nameServer, host, found);
}

/** `host:port` → its parts, without the brackets of IPv6. */
function addressOf(hostPort: string): { host: string; port: number } {
  const colon = hostPort.lastIndexOf(':');
  return { host: hostPort.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(hostPort.slice(colon + 1)) };
}

/** Queries one DNS server for both kinds of addresses. */
function queryNameServer(nameServer: string, host: string, found: (hosts: readonly string[]) => void): void {
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
