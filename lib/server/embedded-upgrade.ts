/**
 * Upgrades of the application's server as exchanges, and what happens to an upgrade that nobody wants: once somebody
 * listens to upgrades, Node hands over all of them; otherwise it serves them as ordinary requests.
 */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { header, headerPairs } from '../headers.js';
import { StatusError } from '../status.js';
import { type EmbeddedConnections, type EmbeddedExchange, noLimits, type RequestStart } from './embedded.js';
import { readHttp1Head } from './http1.js';
import { serveConnection } from './node-internals.js';
import { headProblem, excerpt } from './refusal.js';
import { type SocketAcceptor, WebSocketExchange } from './websocket.js';
import { asksForWebSocket, handshakeProblem } from './websocket-handshake.js';

/** An upgrade that is left untouched until it is opened, as `EmbeddedRequest`. */
export interface EmbeddedUpgrade {
  readonly start: RequestStart;
  /** False for an upgrade to something else. */
  readonly isWebSocket: boolean;
  /** Takes the upgrade over; once. */
  open(): EmbeddedExchange;
}

/**
 * An upgrade, before anybody has decided to take it.
 * @param start the bytes that were received after the head
 * @param idleTimeoutMs how long a client may leave a ping unanswered
 */
export function embeddedUpgrade(
  request: IncomingMessage,
  socket: Socket,
  start: Buffer,
  acceptor: SocketAcceptor,
  connections: EmbeddedConnections,
  idleTimeoutMs: number,
): EmbeddedUpgrade {
  const head = readHttp1Head(request);
  const { headers, target } = head;
  const isWebSocket = asksForWebSocket(request);
  return {
    start: { method: request.method ?? '', target, httpVersion: '1.1', headers, hasBody: false },
    isWebSocket,
    open() {
      const connection = connections.connection(socket);
      const exchange = new WebSocketExchange(connection, request, headers, start, acceptor, idleTimeoutMs);
      connection.upgraded = exchange;
      // Node has removed its own listener.
      socket.on('error', () => undefined);
      const other = isWebSocket ? undefined : notWebSocket(header(headers, 'upgrade'));
      return {
        exchange,
        enter: (start) => start(),
        problem: other ?? headProblem(head, noLimits, true) ?? handshakeProblem(headers),
      };
    },
  };
}

function notWebSocket(upgrade = ''): StatusError {
  return StatusError.http(400, `the Upgrade is "${excerpt(upgrade)}", expected websocket by GET of HTTP/1.1`);
}

/** Since Node 24.9 a server asks which upgrades are wanted. */
interface AskingServer {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/**
 * Has a server that asks serve upgrades to other protocols as ordinary requests, unless others listen to upgrades, too.
 * `ignoreUpgrade` would be too late there: such a server reads the body of an upgrade apart from the socket.
 */
export function refuseOtherUpgrades(server: EventEmitter & AskingServer): void {
  const { shouldUpgradeCallback: wants } = server;
  if (wants === undefined) return;
  server.shouldUpgradeCallback = (request) =>
    wants.call(server, request) && (asksForWebSocket(request) || server.listenerCount('upgrade') > 1);
}

/** Has the server serve an upgrade as the ordinary request that it is without the header `Upgrade`. */
export function ignoreUpgrade(server: EventEmitter, request: IncomingMessage, socket: Duplex, start: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (const [name, value] of headerPairs(request.rawHeaders)) {
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), start]));
  serveConnection(server, socket);
  socket.resume();
}
