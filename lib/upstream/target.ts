/**
 * Addresses of gRPC servers as people write them: `host:port`, `dns:///host:port`, `unix:/path`, `unix:///path`,
 * `ipv4:address:port[,…]`, `ipv6:[address]:port[,…]`, `dns+srv:///_grpc._tcp.domain`, `xds:///name`. Only the text is checked; nothing is resolved or
 * connected.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { ConfigError } from '../status.js';
import { quote } from '../uri.js';

/** A checked target. */
export interface Target {
  /** As written, for messages and logs. */
  readonly text: string;
  /** As a URI of gRPC naming (https://github.com/grpc/grpc/blob/master/doc/naming.md). */
  readonly uri: string;
}

/**
 * Parses a target.
 * @throws ConfigError `bad-target` with what is wrong and what to write.
 */
export function parseTarget(text: string): Target {
  // `unix:8080` is a host named unix. Other schemes, such as `http:`, are recognised by their slashes.
  const scheme = /^(dns|dns\+srv|unix|ipv4|ipv6|xds):(?!\d+$)|^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  const name = (scheme?.[1] ?? scheme?.[2])?.toLowerCase();
  switch (name) {
    case undefined:
      return { text, uri: `dns:///${checkHostPort(text, text)}` };
    case 'dns':
      return { text, uri: `dns:${parseDns(text)}` };
    case 'dns+srv':
      return { text, uri: `dns+srv:${parseSrv(text)}` };
    case 'unix':
      return { text, uri: `unix:${parseUnix(text)}` };
    case 'ipv4':
    case 'ipv6':
      return { text, uri: `${name}:${parseAddresses(text, name)}` };
    case 'xds':
      return { text, uri: `xds:${parseXds(text)}` };
    default:
      return refuseScheme(text, name);
  }
}

/** `dns:host:port`, `dns:///host:port` or `dns://name-server/host:port`; returns the part after the scheme. */
function parseDns(text: string): string {
  const rest = text.slice('dns:'.length);
  if (!rest.startsWith('//')) return `///${checkHostPort(rest, text)}`;
  const slash = rest.indexOf('/', 2);
  if (slash < 0) {
    throw badTarget(text, 'names a DNS server but no host', `write dns:///${rest.slice(2) || 'host:50051'}`);
  }
  checkHostPort(rest.slice(slash + 1), text);
  return rest;
}

/** `dns+srv:///_service._proto.domain` or `dns+srv://name-server/…`; returns the part after the scheme. */
function parseSrv(text: string): string {
  const rest = text.slice('dns+srv:'.length);
  const example = 'write dns+srv:///_grpc._tcp.example.internal';
  const match = /^(?:\/\/([^/]*)\/)?(.*)$/s.exec(rest);
  const [, server = '', name = ''] = match ?? [];
  if (/:\d*$/.test(name)) throw badTarget(text, 'has a port, which the SRV records say', example);
  if (/^_[A-Za-z0-9-]+\._[A-Za-z]+\.[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(name) && name.length <= 253)
    return `//${server}/${name}`;
  throw badTarget(text, 'names no service of a domain', example);
}

/** True if SRV records say hosts and ports of a target. */
export function isSrv({ uri }: Target): boolean {
  return uri.startsWith('dns+srv:');
}

/** The parts of a target with SRV records: `_grpc._tcp.example.internal`, and whom to ask, '' for the system's servers. */
export function srvNameOf({ uri }: Target): { readonly nameServer: string; readonly name: string } {
  const slash = uri.lastIndexOf('/');
  return { nameServer: uri.slice('dns+srv://'.length, slash), name: uri.slice(slash + 1) };
}

/** The domain of its records: `example.internal`. */
export function domainOf(target: Target): string {
  return srvNameOf(target).name.replace(/^_[^.]+\._[^.]+\./, '');
}

/** `unix:path` (absolute, or relative to the working directory) or `unix:///path`; returns the path. */
function parseUnix(text: string): string {
  const rest = text.slice('unix:'.length);
  const path = rest.startsWith('///') ? rest.slice(2) : rest;
  if (path.startsWith('//')) {
    throw badTarget(text, 'has two slashes after unix:', `write unix:${path.slice(1)} or unix://${path.slice(1)}`);
  }
  if (path === '' || path.endsWith('/')) {
    throw badTarget(text, 'has no path to a socket', 'write unix:/path/to/the.sock');
  }
  return path;
}

/** `ipv4:1.2.3.4:50051,5.6.7.8:50051`; returns the list. */
function parseAddresses(text: string, scheme: 'ipv4' | 'ipv6'): string {
  const list = text.slice('ipv4:'.length);
  const isAddress = scheme === 'ipv4' ? isIPv4 : isIPv6;
  for (const item of list.split(',')) {
    const address = checkHostPort(item, text)
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1');
    if (isAddress(address)) continue;
    const example = scheme === 'ipv4' ? 'ipv4:127.0.0.1:50051' : 'ipv6:[::1]:50051';
    throw badTarget(text, `has ${quote(address)} where ${scheme} wants an address`, `write ${example}`);
  }
  return list;
}

/** `xds:name`, `xds:///name` or `xds://authority/name`; returns the part after the scheme. */
function parseXds(text: string): string {
  const rest = text.slice('xds:'.length);
  const [, authority = '', name = ''] = /^(?:\/\/([^/]*)\/?)?(.*)$/s.exec(rest) ?? [];
  if (name === '')
    throw badTarget(text, 'names no listener of the control plane', `write xds:///${authority || 'name'}`);
  const strange = /[^\w.~!$&'()*+,;=:@/%[\]-]/.exec(authority + name)?.[0];
  if (strange === undefined) return `//${authority}/${name}`;
  throw badTarget(text, `has ${quote(strange)}, which no name of a listener has`, `write it percent-encoded`);
}

/** True if a control plane tells the addresses of a target (xDS). */
export function isXds({ uri }: Target): boolean {
  return uri.startsWith('xds:');
}

function checkHostPort(hostPort: string, text: string): string {
  if (hostPort === '') throw badTarget(text, 'names no host', 'write host:port, such as 127.0.0.1:50051');
  if (/^:?\d+$/.test(hostPort)) {
    throw badTarget(text, 'is a port without a host', `write 127.0.0.1:${hostPort.replace(':', '')}`);
  }
  if (isIPv6(hostPort)) throw badTarget(text, 'is an IPv6 address without a port', `write [${hostPort}]:50051`);
  const match = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(hostPort);
  if (match === null) {
    throw badTarget(text, 'has more than one colon', 'write host:port, and an IPv6 address in brackets: [::1]:50051');
  }
  const host = match[1]!;
  const port = match[2];
  checkHost(host, text);
  if (port === undefined || port === '') throw badTarget(text, 'has no port', `write ${host}:50051`);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw badTarget(text, `has port ${quote(port)}, expected a number from 1 to 65535`, `write ${host}:50051`);
  }
  return hostPort;
}

function checkHost(host: string, text: string): void {
  if (host.startsWith('[')) {
    if (isIPv6(host.slice(1, -1))) return;
    throw badTarget(text, `has ${quote(host)}, which is not an IPv6 address`, 'write [::1]:50051');
  }
  if (/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host)) return;
  throw badTarget(text, `has ${quote(host)} where a host name belongs`, 'write host:port, such as 127.0.0.1:50051');
}

function refuseScheme(text: string, scheme: string): never {
  const withoutScheme = text.replace(/^[^:]*:\/*/, '').replace(/[/?#].*$/s, '');
  const hint = /:\d+$/.test(withoutScheme) ? `write ${withoutScheme}` : 'write host:port, such as 127.0.0.1:50051';
  throw badTarget(
    text,
    `starts with ${quote(`${scheme}:`)}; known are dns:, dns+srv:, unix:, ipv4:, ipv6: and xds:`,
    hint,
  );
}

function badTarget(text: string, problem: string, hint: string): ConfigError {
  return new ConfigError({ code: 'bad-target', message: `--upstream target ${quote(text)} ${problem}`, hint });
}
