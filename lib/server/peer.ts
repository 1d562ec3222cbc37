/** Who is at the other end of a socket. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Peer, PeerTls } from '../exchange.js';
import { isEncrypted } from './node-internals.js';

/** The address in IPv4 form if it is an IPv4 address on an IPv6 socket; `unix` for a Unix socket; `unknown` if it is closed. */
export function peerOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'destroyed'>): Peer {
  const { remoteAddress = socket.destroyed ? 'unknown' : 'unix' } = socket;
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '');
  const peer = { address, port: socket.remotePort ?? 0 };
  return isEncrypted(socket) ? { ...peer, tls: tlsOf(socket) } : peer;
}

function tlsOf(socket: TLSSocket): PeerTls {
  const subject = socket.getPeerX509Certificate()?.subject;
  const problem = subject === undefined || socket.authorized ? undefined : problemOf(socket);
  return { authorized: socket.authorized, subject: subject?.split('\n').join(', '), problem };
}

function problemOf({ authorizationError }: TLSSocket): string {
  switch (String(authorizationError)) {
    case 'CERT_HAS_EXPIRED':
      return 'it has expired';
    case 'CERT_NOT_YET_VALID':
      return 'it is not valid yet';
    case 'INVALID_PURPOSE':
      return 'it is not one for clients';
    default:
      return 'it does not come from an authority that is trusted here';
  }
}
