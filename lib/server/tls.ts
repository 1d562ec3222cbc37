/**
 * TLS on a listener: TCP connections in, secure ones out, each with what it agreed to speak (ALPN). Reads certificates again
 * when their files change; connections keep those that they began with. What a client without a trusted certificate gets
 * to hear, where one is required, is written here too; who serves the connections is for `listener`.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TlsOptions as TlsServerOptions, type TLSSocket } from 'node:tls';
import type { PeerTls } from '../exchange.js';
import { Code, ConfigError, type Problem, StatusError } from '../status.js';
import { type TlsFiles, type TlsMaterial, type TlsNames, type WatchedTlsFiles, watchTlsFiles } from '../tls/index.js';
import type { ExchangeHandler, ListenerOptions } from './options.js';
import { refuse } from './refusal.js';

type TlsOptions = Pick<ListenerOptions, 'tlsCert' | 'tlsKey' | 'tlsClientCa' | 'tlsClientCert'>;

const names: TlsNames = { cert: 'tls_cert', key: 'tls_key', ca: 'tls_client_ca' };

/** In the order in which we like them. curl --http1.0 says so here too. */
const protocols = ['h2', 'http/1.1', 'http/1.0'];

/**
 * Checks what a listener is told about TLS, as a start would; returns what is odd.
 * @throws ConfigError `tls-off`, `tls-incomplete`, and what `readTlsFiles` throws.
 */
export function checkListenerTls(options: TlsOptions): readonly Problem[] {
  return readListenerTls(options)?.material.warnings ?? [];
}

/** The files of a listener, read; undefined where it speaks cleartext. */
export function readListenerTls(options: TlsOptions): WatchedTlsFiles | undefined {
  const { tlsCert, tlsKey, tlsClientCa, tlsClientCert } = options;
  if (tlsCert === undefined && tlsKey === undefined) {
    if (tlsClientCa !== undefined || tlsClientCert !== 'none') throw clientsWithoutTls(tlsClientCa);
    return undefined;
  }
  if ((tlsClientCert === 'none') !== (tlsClientCa === undefined)) throw clientsIncomplete(options);
  const files: TlsFiles = { cert: tlsCert, key: tlsKey, ca: tlsClientCa };
  return watchTlsFiles(files, names);
}

/** Whoever names authorities wants them to count. */
function clientsIncomplete({ tlsClientCa, tlsClientCert }: TlsOptions): ConfigError {
  const isGiven = tlsClientCa !== undefined;
  return new ConfigError({
    code: 'tls-incomplete',
    message: `tls_client_cert is ${tlsClientCert}, but tls_client_ca is ${isGiven ? '' : 'not '}given`,
    hint: isGiven
      ? 'write tls_client_cert: require (or request), or leave tls_client_ca out'
      : 'write tls_client_ca: the file with the authorities that the certificates of clients come from',
  });
}

function clientsWithoutTls(tlsClientCa: string | undefined): ConfigError {
  const given = tlsClientCa === undefined ? 'tls_client_cert' : 'tls_client_ca';
  return new ConfigError({
    code: 'tls-off',
    message: `${given} is given, but the listener has no certificate of its own and speaks no TLS`,
    hint: `write tls_cert and tls_key too, or leave ${given} out`,
  });
}

/** A secure connection. */
export interface Secured {
  readonly socket: TLSSocket;
  /** What it agreed to speak. */
  readonly isHttp2: boolean;
}

/** Shakes hands on connections that are handed to it; listens on no port itself. */
export class TlsPort {
  private readonly server: Server;
  /** Connections that are shaking hands. */
  private readonly waiting = new Map<string, (secured: Secured) => void>();

  constructor(
    private readonly files: WatchedTlsFiles,
    private readonly options: ListenerOptions,
  ) {
    this.server = createServer({
      ...this.context(files.material),
      ALPNProtocols: protocols,
      handshakeTimeout: options.headerTimeoutMs,
    });
    // The client is gone, or there is no TLS that both speak; an alert has told it.
    this.server.on('tlsClientError', (_error, socket) => void socket.destroy());
    this.server.on('secureConnection', (socket) => this.secured(socket));
  }

  /** @param url of the listener, for what is told about renewals. */
  watch(url: string): void {
    this.files.start(`listener ${url}`, (material) => this.server.setSecureContext(this.context(material)));
  }

  /** Stops to watch; connections go on. */
  close(): void {
    this.files.stop();
  }

  /** Takes over a connection; either it is closed, or `onSecured` is called after the handshake. */
  accept(raw: Socket, onSecured: (secured: Secured) => void): void {
    const key = connectionKey(raw);
    if (key === undefined) {
      raw.destroy();
      return;
    }
    this.waiting.set(key, onSecured);
    raw.once('close', () => {
      if (this.waiting.get(key) === onSecured) this.waiting.delete(key);
    });
    this.server.emit('connection', raw);
  }

  private secured(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const key = connectionKey(socket);
    const onSecured = key === undefined ? undefined : this.waiting.get(key);
    if (onSecured === undefined) {
      socket.destroy();
      return;
    }
    this.waiting.delete(key!);
    onSecured({ socket, isHttp2: socket.alpnProtocol === 'h2' });
  }

  /** Whether a client is served without a trusted certificate is decided request by request. */
  private context({ cert, key, ca }: TlsMaterial): TlsServerOptions {
    const requestCert = this.options.tlsClientCert !== 'none';
    return { cert, key, ca, requestCert, rejectUnauthorized: false };
  }
}

/** Node does not tell which TCP socket is below a TLS socket; the addresses of both are the same, and no other's. */
function connectionKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

/** What came in without TLS. */
export function withoutTls(): StatusError {
  return StatusError.http(400, 'this port takes TLS alone, and the request came without; write https://');
}

/**
 * Refuses every request whose client did not prove itself, in the handler's shape; the others go on to the handler.
 * Node has no alert for it, and a connection that is cut tells nobody why.
 */
export function requireClientCertificate(handler: ExchangeHandler): ExchangeHandler {
  return {
    // Asked for anew each time: the handler may change while the port is open.
    get writeError() {
      return handler.writeError;
    },
    handle(exchange) {
      if (exchange.peer.tls?.authorized === true) handler.handle(exchange);
      else refuse(exchange, handler, unproven(exchange.peer.tls));
    },
  };
}

/** gRPC's word for it is UNAUTHENTICATED; HTTP's 401 would ask for credentials in a header. */
function unproven(tls: PeerTls | undefined): StatusError {
  const message =
    tls?.subject === undefined
      ? 'this port serves clients with a certificate, and none was given; give one (curl --cert FILE --key FILE)'
      : `the certificate of ${tls.subject} will not do: ${tls.problem ?? 'it is not trusted here'}`;
  return new StatusError(Code.UNAUTHENTICATED, message, { httpStatus: 403 });
}
