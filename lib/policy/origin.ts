/**
 * Protects a proxy that a visitor's machine runs or can reach from web pages: a write from a foreign origin is refused,
 * and a loopback listener refuses names that DNS could point at it (DNS rebinding).
 */
import { BlockList, isIP } from 'node:net';
import { header, headerTokens, headerValues } from '../headers.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Policy } from './policy.js';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses (403) requests whose `Origin` is neither that of their `Host` nor allowed by CORS, except GET, HEAD and
 * OPTIONS; WebSocket upgrades are always checked. Host and port are compared. The default port follows from the
 * Origin's scheme, because TLS may end before the proxy. `null` never matches.
 */
export function originPolicy(): Policy {
  return {
    name: 'origin',
    onRequest({ method, headers }, cors) {
      if (safeMethods.has(method) && !headerTokens(headers, 'upgrade').includes('websocket')) return;
      const [origin, ...others] = headerValues(headers, 'origin');
      if (origin === undefined) return;
      const host = header(headers, 'host');
      const isOurs = host !== undefined && isSameOrigin(origin, host);
      if (others.length === 0 && (isOurs || cors?.allows(origin) === true)) return;
      throw StatusError.http(
        403,
        `a page of origin ${quote([origin, ...others].join(', '))} may not send ${method} requests to ${quote(host ?? '')}; ` +
          'if it is yours, name it in policies.cors.origins, or start with --no-check-origin (check_origin: false)',
        { refusedBy: 'check_origin' },
      );
    },
  };
}

function isSameOrigin(origin: string, host: string): boolean {
  const [, scheme, authority] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\s]+)$/.exec(origin.toLowerCase()) ?? [];
  if (authority === undefined) return false;
  const defaultPort = scheme === 'https' || scheme === 'wss' ? '443' : scheme === 'http' || scheme === 'ws' ? '80' : '';
  const ours = splitHost(host);
  const theirs = splitHost(authority);
  return ours.name === theirs.name && (ours.port ?? defaultPort) === (theirs.port ?? defaultPort);
}

/** `[::1]:8080` → name `[::1]`, port `8080`; the name in lower case. */
function splitHost(host: string): { name: string; port: string | undefined } {
  const [, name = host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host.trim()) ?? [];
  return { name: name.toLowerCase(), port: port === '' ? undefined : port };
}

/** The name without port and trailing dot. */
function nameOf(host: string): string {
  return splitHost(host).name.replace(/\.$/, '');
}

/**
 * Refuses (403) a `Host` that is neither an IP address nor `localhost` nor one of `allowed`. For listeners on loopback.
 * `*.example.com` among `allowed` stands for all names below it.
 */
export function hostPolicy(allowed: readonly string[]): Policy {
  const names = new Set(['localhost', ...allowed.map(nameOf)]);
  const suffixes = [...names].filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  return {
    name: 'host',
    onRequest({ headers }) {
      for (const host of headerValues(headers, 'host')) {
        const name = nameOf(host);
        if (
          names.has(name) ||
          suffixes.some((suffix) => name.endsWith(suffix)) ||
          isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
        )
          continue;
        throw StatusError.http(
          403,
          `this proxy listens on loopback and does not answer to the name ${quote(host)}; ` +
            `use an IP address or localhost, or start with --allowed-hosts ${/^[\w.-]+$/.test(name) ? name : 'NAME'} (allowed_hosts)`,
          { refusedBy: 'allowed_hosts' },
        );
      }
    },
  };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** True for a bind address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? /^localhost\.?$/i.test(host) : loopback.check(host, version === 6 ? 'ipv6' : 'ipv4');
}
