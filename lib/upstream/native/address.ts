/** Finds the addresses of a target: those of its host name, of its SRV records, or its list of addresses. */
import { lookup, Resolver } from 'node:dns';
import { isIP } from 'node:net';
import { domainOf, isSrv, srvNameOf, type Target } from '../target.js';
import { queryHost, resolveSrv } from './srv.js';

/** An argument of `net.connect`. */
export type Address = { readonly path: string } | HostAddress;

interface HostAddress {
  readonly host: string;
  readonly port: number;
  /** Of an SRV record: its share of the calls. */
  readonly weight?: number | undefined;
  /** Of an SRV record: 0 comes first. */
  readonly priority?: number | undefined;
}

/** Gets the addresses in the order in which they are to be tried; none if the name does not resolve. */
export type AddressListener = (addresses: readonly Address[]) => void;

/** Finds addresses. May call the listener synchronously, but only with addresses. */
export type AddressResolver = (listener: AddressListener) => void;

/** The default `:authority` of calls: `host:port`, the first address of a list, the domain of SRV records, or `localhost` for a Unix socket. */
export function defaultAuthority(target: Target): string {
  const { uri } = target;
  if (uri.startsWith('unix:')) return 'localhost';
  if (isSrv(target)) return domainOf(target);
  return uri.startsWith('dns:') ? uri.slice(uri.lastIndexOf('/') + 1) : uri.slice('ipv4:'.length).split(',')[0]!;
}

/** True if the addresses of a target may change. */
export function isNamed(target: Target): boolean {
  const { uri } = target;
  if (isSrv(target)) return true;
  return uri.startsWith('dns:') && isIP(addressOf(uri.slice(uri.lastIndexOf('/') + 1)).host) === 0;
}

/** Where a connection to a target goes: its first address, or its name, which is then resolved for each connection. */
export function connectAddress(target: Target): Address {
  // Only its records say the port.
  if (isSrv(target)) return { host: domainOf(target), port: 0 };
  return target.uri.startsWith('unix:')
    ? { path: target.uri.slice('unix:'.length) }
    : addressOf(defaultAuthority(target));
}

/** A key for an address. */
export function addressKey(address: Address): string {
  return 'path' in address ? address.path : `${address.host} ${address.port}`;
}

/** Resolves a target anew each time, because names move. May call the listener synchronously, but only with addresses. */
export function resolveTarget(target: Target, listener: AddressListener): void {
  const { uri } = target;
  if (isSrv(target)) {
    const { nameServer, name } = srvNameOf(target);
    return resolveSrv(nameServer, name, listener);
  }
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
  queryHost(resolver, host, found);
}
