/**
 * TLS on a listener: TCP connections in, secure ones out, each with what it agreed to speak (ALPN). Reads certificates again
 * when their files change; connections keep those that they began with. What a client without a trusted certificate gets
 * to hear, where one is required, is written here too; who serves the connections is for `listener`.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TlsOptions as TlsServerOptions,
  type TLSSocket,
} from 'node:tls';
import type { PeerTls } from '../exchange.js';
import { Code, ConfigError, type Problem, StatusError } from '../status.js';
import { type TlsMaterial, type TlsNames, type WatchedTlsFiles, watchTlsFiles } from '../tls/index.js';
import { publishBroken } from './diagnostics.js';
import type { ExchangeHandler, ListenerOptions } from './options.js';
import { peerOf } from './peer.js';
import { refuse } from './refusal.js';

type TlsOptions = Pick<ListenerOptions, 'tlsCert' | 'tlsKey' | 'tlsClientCa' | 'tlsClientCert' | 'certificates'>;

const names: TlsNames = { cert: 'tls_cert', key: 'tls_key', ca: 'tls_client_ca' };
const namedNames: TlsNames = { ...names, cert: 'certificates.cert', key: 'certificates.key' };

/** In the order in which we like them. curl --http1.0 says so here too. */
const protocols = ['h2', 'http/1.1', 'http/1.0'];

/**
 * Checks what a listener is told about TLS, as a start would; returns what is odd.
 * @throws ConfigError `tls-off`, `tls-incomplete`, and what `readTlsFiles` throws.
 */
export function checkListenerTls(options: TlsOptions): readonly Problem[] {
  const files = readListenerTls(options);
  return files === undefined ? [] : allOf(files).flatMap(({ material }) => material.warnings);
}

/** The files of a listener. */
export interface ListenerFiles {
  /** For clients that ask for no name, or for one that is not known; undefined: they are refused. */
  readonly usual: WatchedTlsFiles | undefined;
  readonly named: readonly NamedFiles[];
}

interface NamedFiles {
  /** Undefined: those that the certificate is for. */
  readonly names: readonly string[] | undefined;
  readonly files: WatchedTlsFiles;
}

function allOf({ usual, named }: ListenerFiles): WatchedTlsFiles[] {
  return [...(usual === undefined ? [] : [usual]), ...named.map(({ files }) => files)];
}

/** The files of a listener, read; undefined where it speaks cleartext. */
export function readListenerTls(options: TlsOptions): ListenerFiles | undefined {
  const { tlsCert, tlsKey, tlsClientCa, tlsClientCert, certificates = [] } = options;
  const hasUsual = tlsCert !== undefined || tlsKey !== undefined;
  if (!hasUsual && certificates.length === 0) {
    if (tlsClientCa !== undefined || tlsClientCert !== 'none') throw clientsWithoutTls(tlsClientCa);
    return undefined;
  }
  if ((tlsClientCert === 'none') !== (tlsClientCa === undefined)) throw clientsIncomplete(options);
  return {
    usual: hasUsual ? watchTlsFiles({ cert: tlsCert, key: tlsKey, ca: tlsClientCa }, names) : undefined,
    named: certificates.map(({ names: given, cert, key }) => ({
      names: given,
      files: watchTlsFiles({ cert, key, ca: tlsClientCa }, namedNames),
    })),
  };
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
    message: `${given} is given, but the listener has no certificate and does not use TLS`,
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
  /** Read when it is first asked for. */
  private expires: Date | undefined;
  /** Connections that are shaking hands. */
  private readonly waiting = new Map<string, (secured: Secured) => void>();
  /** Made anew when a certificate is renewed. */
  private byName: ReadonlyMap<string, SecureContext>;

  constructor(
    private readonly files: ListenerFiles,
    private readonly options: ListenerOptions,
  ) {
    const { usual, named } = files;
    this.byName = contextsOf(named);
    const SNICallback: TlsServerOptions['SNICallback'] = (name, done) => done(null, this.contextFor(name));
    this.server = createServer({
      ...this.context(usual?.material),
      ...(named.length > 0 && { SNICallback }),
      ALPNProtocols: protocols,
      handshakeTimeout: options.headerTimeoutMs,
    });
    // The client is gone, or there is no TLS that both speak; an alert has told it.
    this.server.on('tlsClientError', (error, socket) => {
      publishBroken('tls', `the TLS handshake failed: ${reasonOf(error)}`, peerOf(socket));
      socket.destroy();
    });
    this.server.on('secureConnection', (socket) => this.secured(socket));
  }

  /** Undefined: the usual certificate. */
  private contextFor(name: string): SecureContext | undefined {
    let known = name.toLowerCase();
    let context = this.byName.get(known);
    // `a.b.test`, then `*.b.test`, then `*.test`.
    while (context === undefined && /^[^.]+\.[^.]/.test(known)) {
      known = known.replace(/^(?:\*\.)?[^.]+/, '*');
      context = this.byName.get(known);
    }
    return context;
  }

  /** @param url of the listener, for what is told about renewals. */
  watch(url: string): void {
    this.files.usual?.start(`listener ${url}`, (material) => {
      this.server.setSecureContext(this.context(material));
      this.expires = undefined;
    });
    for (const { files } of this.files.named) {
      files.start(`listener ${url}`, () => {
        // What is renewed counts once it was taken.
        setImmediate(() => (this.byName = contextsOf(this.files.named)));
        this.expires = undefined;
      });
    }
  }

  /** Of the certificate in use that expires first. */
  get certificateExpires(): Date {
    return (this.expires ??= new Date(
      Math.min(
        ...allOf(this.files).map(({ material }) => new Date(new X509Certificate(material.cert!).validTo).getTime()),
      ),
    ));
  }

  /** Stops to watch; connections go on. */
  close(): void {
    for (const files of allOf(this.files)) files.stop();
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
  private context({ cert, key, ca }: Partial<TlsMaterial> = {}): TlsServerOptions {
    const requestCert = this.options.tlsClientCert !== 'none';
    return { cert, key, ca, requestCert, rejectUnauthorized: false };
  }
}

/** By each of their names; the first certificate of a name counts. */
function contextsOf(named: readonly NamedFiles[]): ReadonlyMap<string, SecureContext> {
  const contexts = new Map<string, SecureContext>();
  for (const { names: given, files } of named) {
    const { cert, key, ca } = files.material;
    const context = createSecureContext({ cert, key, ca });
    for (const name of given ?? namesOf(new X509Certificate(cert!))) {
      if (!contexts.has(name)) contexts.set(name, context);
    }
  }
  return contexts;
}

/** Whom a certificate is for; where it does not say so, its common name. */
function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const alternatives = [...(subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,]+)/g)].map(([, name]) => name!);
  const common = /^CN=(.+)$/m.exec(subject)?.[1];
  return (alternatives.length > 0 || common === undefined ? alternatives : [common]).map((name) => name.toLowerCase());
}

/** OpenSSL's words for it, without the place in its source. */
function reasonOf(error: NodeJS.ErrnoException & { readonly reason?: string }): string {
  return error.reason ?? error.code ?? error.message;
}

/** Node does not tell which TCP socket is below a TLS socket; the addresses of both are the same, and no other's. */
function connectionKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

/** What came in without TLS. */
export function withoutTls(): StatusError {
  return StatusError.http(400, 'this port accepts only TLS, and the request was sent without it; write https://');
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
    get maxConcurrentRequests() {
      return handler.maxConcurrentRequests;
    },
    handle(exchange) {
      if (exchange.peer.tls?.authorized === true) handler.handle(exchange);
      else refuse(exchange, handler, unproven(exchange.peer.tls), 'client_certificate');
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
