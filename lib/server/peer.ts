/** Who is at the other end of a socket. */
import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';

/** An IPv4 address that came through an IPv6 socket is shown as IPv4. */
export function peerOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): Peer {
  const address = socket.remoteAddress ?? '';
  return { address: address.replace(/^::ffff:(?=\d+\.)/i, ''), port: socket.remotePort ?? 0 };
}
