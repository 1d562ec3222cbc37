/** An HTTP/1 answer written on the socket itself, where Node has no response object for it. The connection's last. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { wallClock } from '../clock.js';
import type { Reply } from '../exchange.js';
import { headerPairs } from '../headers.js';
import { DRAIN_MS } from './options.js';

/** Writes the answer, and closes the connection once the client has had time to read it. */
export function writeRawReply(socket: Socket, reply: Reply): void {
  const body = reply.body ?? Buffer.alloc(0);
  const lines = [`HTTP/1.1 ${reply.status} ${reply.reason ?? STATUS_CODES[reply.status] ?? ''}`];
  for (const [name, value] of headerPairs(reply.headers)) if (name !== 'connection') lines.push(`${name}: ${value}`);
  lines.push(`date: ${wallClock().toUTCString()}`, 'connection: close');
  const head = lines.map((line) => line.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')).join('\r\n');
  socket.end(Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), body]));
  // Unread bytes would turn the close into a reset, and that could take the answer away: wait for the client's end.
  const timer = setTimeout(() => socket.destroy(), DRAIN_MS);
  socket.once('close', () => clearTimeout(timer));
}
