/**
 * TLS towards gRPC servers: the name that a certificate must have, the authorities that must have signed it, and plain
 * reasons for a refusal.
 */
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { TlsFiles, TlsMaterial, TlsNames } from '../tls/index.js';
import type { UpstreamTls } from './options.js';
import { domainOf, isSrv, type Target } from './target.js';
import { sameForAll, type Reason, ReasonError } from './reason.js';

/** Names of the options in messages. */
export const upstreamTlsNames: TlsNames = { cert: 'upstream_cert', key: 'upstream_key', ca: 'upstream_ca' };

/** The files of an upstream. */
export function upstreamTlsFiles({ cert, key, ca }: UpstreamTls): TlsFiles {
  return { cert, key, ca };
}

/** The secure context of checked files. */
export function secureContextOf({ cert, key, ca }: TlsMaterial): SecureContext {
  return createSecureContext({ cert, key, ca });
}

/** The name that the server's certificate must have; undefined: the address that is connected to. */
export function serverNameOf(target: Target, authority: string | undefined): string | undefined {
  return hostOf(authority) ?? targetHost(target);
}

/** `name:port` → name, without the brackets of IPv6. */
function hostOf(authority: string | undefined): string | undefined {
  return authority?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** The host of a DNS or xDS target; undefined for a list of addresses, each of which is its own name. */
function targetHost(target: Target): string | undefined {
  const { uri } = target;
  // Whoever answers for the name may lead to other hosts.
  if (isSrv(target)) return domainOf(target);
  // A Unix socket can only lead to this machine.
  if (uri.startsWith('unix:')) return 'localhost';
  return /^(dns|xds):/.test(uri) ? hostOf(uri.slice(uri.lastIndexOf('/') + 1)) : undefined;
}

/**
 * Performs the TLS handshake on a connected socket and checks the server's certificate. `done` is called once; the text of an
 * error completes "cannot connect to TARGET: …".
 */
export function handshake(
  socket: Socket,
  secureContext: SecureContext,
  serverName: string | undefined,
  done: (error: ReasonError | undefined, secure: TLSSocket | undefined) => void,
): TLSSocket {
  const name = serverName ?? socket.remoteAddress ?? '';
  const options: ConnectionOptions = {
    socket,
    secureContext,
    ALPNProtocols: ['h2'],
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => nameProblem(name, certificate),
  };
  const secure = connect(options);
  const fail = (error?: Error): void => {
    secure.off('close', closed);
    done(new ReasonError(handshakeReason(error), { cause: error }), undefined);
  };
  const closed = (): void => fail();
  secure.once('error', fail).once('close', closed);
  secure.once('secureConnect', () => {
    secure.off('error', fail).off('close', closed);
    if (secure.alpnProtocol === 'h2') return done(undefined, secure);
    secure.on('error', () => undefined);
    // Node crashes if a socket is destroyed during this event.
    setImmediate(() => {
      secure.destroy();
      done(new ReasonError(sameForAll(noHttp2)), undefined);
    });
  });
  return secure;
}

/** Limit of the names that a message lists, as a certificate may have hundreds. */
const MAX_NAMES_LENGTH = 200;

class NameError extends ReasonError {}

const noHttp2 = 'it does not offer HTTP/2 in the TLS handshake (ALPN protocol h2), which gRPC needs';

function nameProblem(name: string, certificate: PeerCertificate): Error | undefined {
  if (checkServerIdentity(name, certificate) === undefined) return undefined;
  const names = (certificate.subjectaltname ?? '').replace(/(?:DNS|IP Address):/g, '') || 'no name at all';
  const found = names.length > MAX_NAMES_LENGTH ? `${names.slice(0, MAX_NAMES_LENGTH)}…` : names;
  return new NameError({
    publicText: 'its certificate is for another name (option upstream_authority)',
    detail: `its certificate is for ${found}, expected ${name} (option upstream_authority)`,
  });
}

const untrusted = 'its certificate is signed by an authority that is not trusted (option upstream_ca)';

/** Node's codes for certificate errors of OpenSSL. */
const certificateReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed and not trusted (option upstream_ca)',
  INVALID_PURPOSE: 'its certificate is not one for servers',
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
};

/** Why a handshake failed, completing "cannot connect to TARGET: …". */
function handshakeReason(error: Error | undefined): Reason {
  if (error instanceof NameError) return error.reason;
  const { code = '', message = '' } = (error ?? {}) as NodeJS.ErrnoException;
  const known = certificateReasons[code] ?? alertReason(message);
  if (known !== undefined) return sameForAll(known);
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return sameForAll('it does not speak TLS (option upstream_tls)');
  }
  if (error === undefined || code === 'ECONNRESET' || code === 'EPIPE') {
    return sameForAll('it closed the connection during the TLS handshake');
  }
  return { publicText: 'the TLS handshake failed', detail: `the TLS handshake failed (${opensslReason(message)})` };
}

/**
 * The TLS alert of a server in an error's text; undefined if the text has none. With TLS 1.3 a server checks the client
 * certificate after the client has finished its handshake.
 */
export function alertReason(message: string): string | undefined {
  const alert = /\balert ([a-z0-9 ]+)/i.exec(message)?.[1];
  if (alert === undefined || alert.startsWith('number')) return undefined;
  if (/application protocol/.test(alert)) return noHttp2;
  if (/certificate required/.test(alert)) {
    return 'it asks for a client certificate (options upstream_cert and upstream_key)';
  }
  if (/certificate|unknown ca|access denied/.test(alert)) {
    return `it refuses our client certificate (${alert}; option upstream_cert)`;
  }
  return `it refuses the TLS connection (${alert})`;
}

/** `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…` → `wrong version number`. */
function opensslReason(message: string): string {
  return (/:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/i.exec(message)?.[1] ?? message).slice(0, 100);
}
