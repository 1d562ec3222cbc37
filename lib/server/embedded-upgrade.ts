/**
 * An upgrade of a server that is not ours, as an `Exchange`, and what becomes of one that nobody wants: Node hands over
 * whatever asks for one as soon as somebody listens, and would answer it as any request if nobody did.
 */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { header } from '../headers.js';
import { StatusError } from '../status.js';
import { type EmbeddedExchange, noLimits, resetSocket, type RequestStart } from './embedded.js';
import { readHttp1Head } from './http1.js';
import { peerOf } from './peer.js';
import { headProblem, printable } from './refusal.js';
import { type SocketAcceptor, WebSocketExchange } from './websocket.js';
import { asksForWebSocket, handshakeProblem } from './websocket-handshake.js';

/** An upgrade on loan, as `EmbeddedRequest`. */
export interface EmbeddedUpgrade {
  readonly start: RequestStart;
  /** False for an upgrade to something else. */
  readonly isWebSocket: boolean;
  /** Takes it over; once. */
  open(): EmbeddedExchange;
}

/**
 * @param start what came behind the head already
 * @param idleTimeoutMs how long a client may leave a ping without an answer
 */
export function embeddedUpgrade(
  request: IncomingMessage,
  duplex: Duplex,
  start: Buffer,
  acceptor: SocketAcceptor,
  idleTimeoutMs: number,
): EmbeddedUpgrade {
  const socket = duplex as Socket;
  const head = readHttp1Head(request);
  const { headers, target } = head;
  const isWebSocket = asksForWebSocket(request);
  return {
    start: { method: request.method!, target, httpVersion: '1.1', headers, hasBody: false },
    isWebSocket,
    open() {
      const connection = { socket, peer: peerOf(socket), reset: () => resetSocket(socket) };
      const exchange = new WebSocketExchange(connection, request, headers, start, acceptor, idleTimeoutMs);
      // Node has taken its own listener away.
      socket.on('error', () => undefined);
      let settled = (): void => undefined;
      socket.once('close', () => {
        exchange.connectionLost();
        settled();
      });
      const other = isWebSocket ? undefined : notWebSocket(header(headers, 'upgrade'));
      return {
        exchange,
        problem: other ?? headProblem(head, noLimits, true) ?? handshakeProblem(headers),
        cut: () => exchange.shutDown(),
        onSettled: (listener) => void (settled = listener),
      };
    },
  };
}

function notWebSocket(upgrade = ''): StatusError {
  return StatusError.http(400, `the Upgrade is "${printable(upgrade)}", expected websocket by GET of HTTP/1.1`);
}

/** A server that asks which upgrades are wanted, as those of Node 24.9 and later do. */
interface AskingServer {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/**
 * Has a server that asks answer upgrades to something else than a WebSocket as the requests that they are without, unless
 * others listen, too. It reads the body of an upgrade apart from the socket, so that it cannot be given back later.
 */
export function refuseOtherUpgrades(server: EventEmitter & AskingServer): void {
  const { shouldUpgradeCallback: wants } = server;
  if (wants === undefined) return;
  server.shouldUpgradeCallback = (request) =>
    wants.call(server, request) && (asksForWebSocket(request) || server.listenerCount('upgrade') > 1);
}

/** Gives an upgrade back to its server, as the request that it is without. */
export function ignoreUpgrade(server: EventEmitter, request: IncomingMessage, socket: Duplex, start: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), start]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
  socket.resume();
}
