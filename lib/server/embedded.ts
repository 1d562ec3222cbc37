/**
 * A request of a server that is not ours, as an `Exchange`: Node's request and response objects, of `node:http` or of the
 * compatibility API of `node:http2`. The limits of connection and head are those of that server, which also answers what
 * its parser refuses and sends `100 Continue` by itself.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError } from '../status.js';
import { http1Problem, readHttp1Head } from './http1.js';
import { bodyAnnounced, Http1Exchange } from './http1-exchange.js';
import { http2Problem, readHttp2Head } from './http2.js';
import { Http2Exchange } from './http2-exchange.js';
import { peerOf } from './peer.js';
import type { ServedExchange } from './refusal.js';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What a request says before anybody has decided to answer it. */
export type RequestStart = Pick<Exchange, 'method' | 'target' | 'httpVersion' | 'headers' | 'hasBody'>;

/** A request on loan: untouched until it is opened, as its server may have another use for it. */
export interface EmbeddedRequest {
  readonly start: RequestStart;
  /** True where nobody waits for an answer: the client went away, or somebody else has answered. */
  isGone(response: NodeResponse): boolean;
  /** Takes it over; once. */
  open(response: NodeResponse): EmbeddedExchange;
}

export interface EmbeddedExchange {
  readonly exchange: ServedExchange;
  /** What stands against taking the request, whatever its route. */
  readonly problem: StatusError | undefined;
  /** Breaks off the request and its answer, whatever their state. */
  cut(): void;
  /** The answer has ended, or its connection. */
  onSettled(listener: () => void): void;
}

/** The server of the application has limits of its own. */
export const noLimits = { maxUrlBytes: Infinity, maxHeaderBytes: Infinity };

/** @param idleTimeoutMs time without a byte of a body that is being read */
export function embeddedRequest(request: NodeRequest, idleTimeoutMs: number): EmbeddedRequest {
  return isHttp2(request) ? http2Request(request, idleTimeoutMs) : http1Request(request, idleTimeoutMs);
}

function isHttp2(request: NodeRequest): request is Http2ServerRequest {
  return request.httpVersionMajor === 2;
}

function http1Request(request: IncomingMessage, idleTimeoutMs: number): EmbeddedRequest {
  const head = readHttp1Head(request);
  const { headers } = head;
  const hasBody = bodyAnnounced(headers);
  const httpVersion = request.httpVersionMinor === 0 ? '1.0' : '1.1';
  return {
    start: { method: request.method!, target: head.target, httpVersion, headers, hasBody },
    isGone: (response) => response.headersSent || request.socket.destroyed,
    open(anyResponse) {
      const response = anyResponse as ServerResponse;
      const { socket } = request;
      const connection = { socket, peer: peerOf(socket), closesAfter: () => false, reset: () => resetSocket(socket) };
      const exchange = new Http1Exchange(connection, request, response, headers, idleTimeoutMs, false);
      let settled = (): void => undefined;
      const lost = (): void => {
        exchange.connectionLost();
        settled();
      };
      const others = waitersOf(socket);
      others.add(lost);
      response.once('close', () => {
        others.delete(lost);
        lost();
      });
      return {
        exchange,
        problem:
          http1Problem(request, head, noLimits) ??
          missedUpgrade({ method: request.method!, headers }) ??
          bodyProblem(hasBody, request.readableDidRead),
        cut: () => void socket.destroy(),
        onSettled: (listener) => void (settled = listener),
      };
    },
  };
}

/**
 * By connection, who wants to hear of its end: a response that waits for an earlier one (pipelining) does not by itself.
 * One listener for them all, or Node would warn of a leak.
 */
const waiters = new WeakMap<Socket, Set<() => void>>();

function waitersOf(socket: Socket): Set<() => void> {
  const known = waiters.get(socket);
  if (known !== undefined) return known;
  const listeners = new Set<() => void>();
  waiters.set(socket, listeners);
  socket.once('close', () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}

function http2Request(request: Http2ServerRequest, idleTimeoutMs: number): EmbeddedRequest {
  const { stream } = request;
  const head = { ...readHttp2Head(request.headers, request.rawHeaders), expectsContinue: false };
  const { method, headers } = head;
  // Middleware that cuts a prefix off changes the request's URL and not its headers.
  const target = request.url;
  const hasBody = !stream.endAfterHeaders;
  return {
    start: { method, target, httpVersion: '2', headers, hasBody },
    isGone: (response) => response.headersSent || stream.destroyed || stream.closed,
    open() {
      // The response object, which nobody uses any more, would send its trailers before ours.
      stream.removeAllListeners('wantTrailers');
      const peer = peerOf(request.socket);
      const exchange = new Http2Exchange(stream, { ...head, target }, { peer }, idleTimeoutMs);
      const wasRead = request.readableDidRead || stream.readableDidRead;
      return {
        exchange,
        problem: http2Problem(head, noLimits) ?? bodyProblem(hasBody, wasRead),
        cut: () => void stream.destroy(new Error('the gateway was closed')),
        onSettled: (listener) => void stream.once('close', listener),
      };
    },
  };
}

/** Of a body that somebody has read nothing would ever come. */
function bodyProblem(hasBody: boolean, wasRead: boolean): StatusError | undefined {
  return hasBody && wasRead ? bodyWasRead() : undefined;
}

/**
 * A handshake that came as an ordinary request, because nobody listens to upgrades or there are none: an ordinary answer
 * would only make its client wait, or fail without a reason.
 */
export function missedUpgrade({ method, headers }: Pick<Exchange, 'method' | 'headers'>): StatusError | undefined {
  const isHandshake =
    method === 'GET' &&
    header(headers, 'upgrade')?.trim().toLowerCase() === 'websocket' &&
    header(headers, 'sec-websocket-key') !== undefined;
  if (!isHandshake) return undefined;
  return StatusError.http(
    501,
    'a WebSocket comes by the upgrade event of a server of node:http or node:https; write gateway.attach(server)',
  );
}

/** 500: a mistake of the application that its developer meets with the first POST. */
export function bodyWasRead(): StatusError {
  return StatusError.http(
    500,
    'the body of the request was read before it came to photongate; put its handler in front of body parsers',
  );
}

/** Neither a TLS socket nor a Unix socket can be reset. */
export function resetSocket(socket: Socket): void {
  if (socket instanceof TLSSocket || socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
