/**
 * TLS towards a gRPC server: which name its certificate must have, which authorities may have signed it, and why it was
 * refused, in plain words.
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
import type { Target } from './target.js';

/** How an upstream is reached by TLS; paths are absolute or relative to the working directory of the process. */
export interface UpstreamTls {
  /** Authorities in place of those that Node brings. */
  readonly ca?: string | undefined;
  /** Our certificate, where the server asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** `name` or `name:port`: sent as `:authority`, and the name that the certificate must have. Default: the target's. */
  readonly authority?: string | undefined;
}

/** How messages call the files. */
export const upstreamTlsNames: TlsNames = { cert: 'upstream_cert', key: 'upstream_key', ca: 'upstream_ca' };

/** The files of an upstream. */
export function upstreamTlsFiles({ cert, key, ca }: UpstreamTls): TlsFiles {
  return { cert, key, ca };
}

export function secureContextOf({ cert, key, ca }: TlsMaterial): SecureContext {
  return createSecureContext({ cert, key, ca });
}

/** The name that the server's certificate must have; undefined: the address that is connected to. */
export function serverNameOf(target: Target, authority: string | undefined): string | undefined {
  return nameOf(authority) ?? nameOfTarget(target);
}

/** `name:port` → name, without the brackets of IPv6. */
function nameOf(authority: string | undefined): string | undefined {
  return authority?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** The host of a DNS target; undefined for lists of addresses, each of which is its own name. */
function nameOfTarget({ uri }: Target): string | undefined {
  // Nobody but this machine can be at the other end.
  if (uri.startsWith('unix:')) return 'localhost';
  return uri.startsWith('dns:') ? nameOf(uri.slice(uri.lastIndexOf('/') + 1)) : undefined;
}

/**
 * Speaks TLS over a socket that is connected, and checks the server's certificate. `done` comes once; a failure's message
 * completes "cannot connect to TARGET: …".
 */
export function handshake(
  socket: Socket,
  secureContext: SecureContext,
  serverName: string | undefined,
  done: (error: Error | undefined, secure: TLSSocket | undefined) => void,
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
    done(new Error(handshakeReason(error), { cause: error }), undefined);
  };
  const closed = (): void => fail();
  secure.once('error', fail).once('close', closed);
  secure.once('secureConnect', () => {
    secure.off('error', fail).off('close', closed);
    done(undefined, secure);
  });
  return secure;
}

/** The names that a message lists of a certificate that has hundreds. */
const MAX_NAMES_LENGTH = 200;

class NameError extends Error {}

function nameProblem(name: string, certificate: PeerCertificate): Error | undefined {
  if (checkServerIdentity(name, certificate) === undefined) return undefined;
  const names = (certificate.subjectaltname ?? '').replace(/(?:DNS|IP Address):/g, '') || 'no name at all';
  const found = names.length > MAX_NAMES_LENGTH ? `${names.slice(0, MAX_NAMES_LENGTH)}…` : names;
  return new NameError(`its certificate is for ${found}, expected ${name} (option upstream_authority)`);
}

const untrusted = 'its certificate is signed by an authority that is not trusted (option upstream_ca)';

/** Codes of Node for what OpenSSL found in the certificates. */
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

/** Why a handshake failed, to complete "cannot connect to TARGET: …". */
function handshakeReason(error: Error | undefined): string {
  if (error instanceof NameError) return error.message;
  const { code = '', message = '' } = (error ?? {}) as NodeJS.ErrnoException;
  const known = certificateReasons[code] ?? alertReason(message);
  if (known !== undefined) return known;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return 'it does not speak TLS (option upstream_tls)';
  }
  if (error === undefined || code === 'ECONNRESET' || code === 'EPIPE') {
    return 'it closed the connection during the TLS handshake';
  }
  return `the TLS handshake failed (${opensslWords(message)})`;
}

/**
 * What a server says when it ends a connection for a reason of TLS; undefined where the text is of something else. With
 * TLS 1.3 it judges our certificate only when the handshake is over for us.
 */
export function alertReason(message: string): string | undefined {
  const alert = /\balert ([a-z0-9 ]+)/i.exec(message)?.[1];
  if (alert === undefined || alert.startsWith('number')) return undefined;
  if (/certificate required/.test(alert)) {
    return 'it asks for a client certificate (options upstream_cert and upstream_key)';
  }
  if (/certificate|unknown ca|access denied/.test(alert)) {
    return `it refuses our client certificate (${alert}; option upstream_cert)`;
  }
  return `it refuses the TLS connection (${alert})`;
}

/** `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…` → `wrong version number`. */
function opensslWords(message: string): string {
  return (/:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/i.exec(message)?.[1] ?? message).slice(0, 100);
}
