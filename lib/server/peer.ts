/** Who is at the other end of a socket. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Peer, PeerTls } from '../exchange.js';

/** An IPv4 address that came through an IPv6 socket is shown as IPv4. */
export function peerOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): Peer {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  const peer = { address, port: socket.remotePort ?? 0 };
  return isSecure(socket) ? { ...peer, tls: tlsOf(socket) } : peer;
}

function isSecure(socket: object): socket is TLSSocket {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

/** A client is asked for its certificate only where a listener wants one. */
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
