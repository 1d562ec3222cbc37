/**
 * Keeps web pages from using a proxy that runs on, or is reachable from, their visitor's machine: a write from a foreign
 * origin is refused, and a listener on loopback answers to no name that DNS could point at it (DNS rebinding).
 */
import { isIP } from 'node:net';
import { header, headerTokens, headerValues, type HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Cors } from './cors.js';
import type { Policy } from './policy.js';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses (403) a request other than GET, HEAD and OPTIONS, and any WebSocket upgrade, whose `Origin` is neither that of
 * its `Host` nor allowed by CORS. Host and port are compared; the Origin's scheme gives the default port, as TLS may end
 * before us. `null` never matches.
 */
export function originPolicy(cors?: Pick<Cors, 'allows'>): Policy {
  return {
    name: 'origin',
    onRequest({ method, headers }) {
      if (safeMethods.has(method) && !headerTokens(headers, 'upgrade').includes('websocket')) return;
      const origins = headerValues(headers, 'origin');
      if (origins.length === 0) return;
      const host = header(headers, 'host');
      if (origins.length === 1 && host !== undefined && isSameOrigin(origins[0]!, host)) return;
      if (origins.length === 1 && cors?.allows(origins[0]!) === true) return;
      throw StatusError.http(
        403,
        `a page of origin ${quote(origins.join(', '))} may not send ${method} requests to ${quote(host ?? '')}; ` +
          'if it is yours, name it in policies.cors.origins, or start with --no-check-origin (check_origin: false)',
      );
    },
  };
}

function isSameOrigin(origin: string, host: string): boolean {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\s]+)$/i.exec(origin);
  if (match === null) return false;
  const scheme = match[1]!.toLowerCase();
  const defaultPort = scheme === 'https' || scheme === 'wss' ? '443' : scheme === 'http' || scheme === 'ws' ? '80' : '';
  const ours = splitHost(host);
  const theirs = splitHost(match[2]!);
  return ours.name === theirs.name && (ours.port ?? defaultPort) === (theirs.port ?? defaultPort);
}

/** `[::1]:8080` → name `[::1]`, port `8080`; the name in lower case. */
function splitHost(host: string): { name: string; port: string | undefined } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host.trim());
  if (match === null) return { name: host.toLowerCase(), port: undefined };
  return { name: match[1]!.toLowerCase(), port: match[2] === '' ? undefined : match[2] };
}

/** The name alone: neither a port nor the dot of the root makes it another. */
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
      for (const host of hostsOf(headers)) {
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
        );
      }
    },
  };
}

/** Every `Host` given; none for an HTTP/1.0 client, which no browser is. */
function hostsOf(headers: HeaderFields): string[] {
  return headerValues(headers, 'host');
}

/** True for an address that only this machine reaches: what a listener was told to bind. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '::ffff:127.0.0.1' || /^127(\.\d{1,3}){3}$/.test(host);
}
