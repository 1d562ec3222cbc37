/**
 * Where a listener listens: `8080`, `:8080`, `host:8080`, `[::1]:8080`. Checks the text alone, and words what can go wrong
 * when the address is taken.
 */
import { isIP, isIPv6 } from 'node:net';
import { ConfigError } from '../status.js';
import { FIRST_FD, type InheritedSocket } from './inherited.js';
import { quote } from '../uri.js';

/** Port 0 lets the system choose one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** A socket that is open already; host and port are then '' and 0 until it is known. */
  readonly fd?: number | undefined;
}

/**
 * Reads what `--listen` takes: an address, `fd:3`, `systemd` for all sockets that a service manager opened, or
 * `systemd:NAME` for those of a name.
 * @param inherited those sockets; undefined: not known yet, and there are none.
 * @throws ConfigError `bad-listen`, or `no-socket` where there is none.
 */
export function parseListeners(text: string, inherited?: readonly InheritedSocket[]): ListenAddress[] {
  const fd = /^fd:(\d{1,4})$/.exec(text)?.[1];
  if (fd !== undefined) {
    if (Number(fd) >= FIRST_FD) return [openSocket(Number(fd))];
    throw badListen(text, 'is a standard stream, expected a descriptor from 3 on', 'write --listen fd:3');
  }
  const systemd = /^systemd(?::(.+))?$/.exec(text);
  if (systemd === null) return [parseListener(text)];
  const wanted = systemd[1];
  if (inherited === undefined) return [];
  const found = inherited.filter(({ name }) => wanted === undefined || name === wanted);
  if (found.length > 0) return found.map(({ fd }) => openSocket(fd));
  const names = inherited.map(({ name }) => name);
  throw new ConfigError({
    code: 'no-socket',
    message: `--listen ${quote(text)}: the process received no such socket`,
    hint:
      names.length === 0
        ? 'LISTEN_FDS and LISTEN_PID are not set for this process: start it by a systemd socket unit, or write --listen host:port'
        : `there are ${names.map(quote).join(', ')}; FileDescriptorName= in the socket unit gives the name`,
  });
}

function openSocket(fd: number): ListenAddress {
  return { host: '', port: 0, fd };
}

/** Only this machine may connect unless an address says otherwise. */
const DEFAULT_HOST = '127.0.0.1';

/**
 * Reads `[host:]port`; without a host it is 127.0.0.1.
 * @throws ConfigError `bad-listen`.
 */
export function parseListener(text: string): ListenAddress {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const rest = text.replace(/^[^:]*:\/\//, '').replace(/[/?#].*$/s, '');
    throw badListen(text, 'is a URL, expected [host:]port', `write --listen ${rest}`);
  }
  if (isIPv6(text)) throw badListen(text, 'is an IPv6 address without a port', `write --listen [${text}]:8080`);
  const match = /^(?:(\[[^\]]*\]|[^:]*):)?([^:]*)$/.exec(text);
  if (match === null) {
    throw badListen(text, 'has more than one colon', 'write an IPv6 address in brackets: --listen [::1]:8080');
  }
  const host = match[1] === undefined || match[1] === '' ? DEFAULT_HOST : match[1];
  return { host: checkHost(host, match[2]!, text), port: checkPort(match[2]!, text) };
}

function checkHost(host: string, port: string, text: string): string {
  if (host.startsWith('[')) {
    const address = host.slice(1, -1);
    if (isIPv6(address)) return address;
    throw badListen(text, `has ${quote(host)}, which is not an IPv6 address`, `write --listen [::1]:${port}`);
  }
  if (host === '*') {
    throw badListen(text, 'has * as its host', `write --listen 0.0.0.0:${port} to listen on every interface`);
  }
  if (isIP(host) === 0 && /^[\d.]+$/.test(host)) {
    throw badListen(text, `has ${quote(host)}, which is not a whole IP address`, `write --listen 127.0.0.1:${port}`);
  }
  if (isIP(host) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host)) return host;
  throw badListen(text, `has ${quote(host)} where a host name or address belongs`, `write --listen 127.0.0.1:${port}`);
}

function checkPort(port: string, text: string): number {
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65535) return Number(port);
  const found = port === '' ? 'has no port' : `has port ${quote(port)}, expected a number from 0 to 65535`;
  throw badListen(text, found, 'write --listen 8080 or --listen host:8080');
}

function badListen(text: string, problem: string, hint: string): ConfigError {
  return new ConfigError({ code: 'bad-listen', message: `--listen ${quote(text)} ${problem}`, hint });
}

/** `127.0.0.1` and 8080 → `127.0.0.1:8080`; brackets round IPv6. */
function formatAddress({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address as a URL that works in a shell on this machine: a wildcard becomes its loopback. */
export function urlOf({ host, port }: ListenAddress, scheme: 'http' | 'https' = 'http'): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${formatAddress({ host: reachable, port })}`;
}

/** Why the system did not let us listen, as a problem of the configuration. */
export function listenError(error: unknown, address: ListenAddress): ConfigError {
  if (address.fd !== undefined) return socketError(address.fd, error);
  const where = formatAddress(address);
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  switch (code) {
    case 'EADDRINUSE':
      return problem(
        'port-in-use',
        `port ${address.port} of ${address.host} is in use by another process`,
        'stop that process, or write --listen with another port (0 picks a free one)',
      );
    case 'EACCES':
      return problem(
        'listen-permission',
        `listening on ${where} is not permitted${address.port < 1024 ? ': ports below 1024 belong to the administrator' : ''}`,
        'write --listen with a port from 1024 to 65535',
      );
    case 'EADDRNOTAVAIL':
      return problem(
        'listen-address',
        `${address.host} is not an address of this machine`,
        `write --listen 127.0.0.1:${address.port} for this machine alone, or --listen 0.0.0.0:${address.port} for every interface`,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return problem(
        'listen-address',
        `the host name ${quote(address.host)} cannot be resolved`,
        `write --listen 127.0.0.1:${address.port} for this machine alone, or --listen 0.0.0.0:${address.port} for every interface`,
      );
    default:
      return problem('listen-failed', `cannot listen on ${where} (${code ?? String(error)})`, 'write another --listen');
  }

  function problem(name: string, message: string, hint: string): ConfigError {
    return new ConfigError({ code: name, message, hint }, { cause: error });
  }
}

/** @param reason what the system says, or what is wrong with it. */
export function socketError(fd: number, reason: unknown): ConfigError {
  const why = (reason as NodeJS.ErrnoException | undefined)?.code ?? String(reason);
  return new ConfigError(
    {
      code: 'no-socket',
      message: `the descriptor ${fd} is not a listening TCP socket (${why})`,
      hint: 'hand over a listening socket, such as by ListenStream=8080 of a systemd socket unit, or write --listen host:port',
    },
    { cause: reason },
  );
}
