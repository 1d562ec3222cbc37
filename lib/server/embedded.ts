/**
 * Requests of the application's server as exchanges: Node's request and response objects of `node:http`, or of the
 * compatibility API of `node:http2`. That server limits connections and heads, answers what its parser refuses, and sends
 * `100 Continue`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError } from '../status.js';
import { http1Problem, readHttp1Head } from './http1.js';
import { ClientConnection, type ConnectionCare } from './http1-connection.js';
import { bodyAnnounced, Http1Exchange } from './http1-exchange.js';
import { http2Problem, readHttp2Head } from './http2.js';
import { ClientSession } from './http2-connection.js';
import { Http2Exchange } from './http2-exchange.js';
import { Capacity } from './intake.js';
import { resetConnection, silenceResponse } from './node-internals.js';
import type { BodyLimits, ListenerOptions } from './options.js';
import { Pulse, type Watched } from './pulse.js';
import type { ServedExchange } from './served-exchange.js';

/** A request of `node:http`, or of `node:http2`'s compatibility API. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The response that belongs to a `NodeRequest`. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The head of a request that nobody has taken yet. */
export type RequestStart = Pick<Exchange, 'method' | 'target' | 'httpVersion' | 'headers' | 'hasBody'>;

/** A request that is left untouched until it is opened: the application may answer it instead. */
export interface EmbeddedRequest {
  readonly start: RequestStart;
  /** True if nobody waits for a response: the client disconnected, or somebody else has answered. */
  isGone(response: NodeResponse): boolean;
  /** Takes the request over; once. */
  open(response: NodeResponse): EmbeddedExchange;
}

/** A request that was taken over from the application. */
export interface EmbeddedExchange {
  readonly exchange: ServedExchange;
  /** Calls `start` when it is the request's turn on its connection. */
  readonly enter: (start: () => void) => void;
  /** Why the request is refused, whatever its route. */
  readonly problem: StatusError | undefined;
}

/** Limits of the head: the application's server has its own. */
export const noLimits = { maxUrlBytes: Infinity, maxHeaderBytes: Infinity };

/** The connections of the application's servers that have sent requests to a gateway. */
export class EmbeddedConnections {
  private readonly care: ConnectionCare;
  readonly limits: FetchLimits;
  private readonly http1 = new WeakMap<Socket, ClientConnection>();
  private readonly http2 = new WeakMap<object, ClientSession>();

  constructor(options: EmbeddedOptions) {
    this.limits = { ...options, ...noLimits };
    this.care = {
      capacity: new Capacity(() => options.maxConcurrentRequests),
      pulse: new Pulse(options.writeTimeoutMs),
      options,
    };
  }

  /** Checks the time-outs of `one` until the returned function is called. */
  watch(one: Watched): () => void {
    this.care.pulse.add(one);
    return () => this.care.pulse.delete(one);
  }

  /** A request, before anybody has decided to take it. */
  request(request: NodeRequest): EmbeddedRequest {
    return isHttp2(request) ? this.http2Request(request) : this.http1Request(request);
  }

  /** The connection of a socket of HTTP/1. */
  connection(socket: Socket): ClientConnection {
    let known = this.http1.get(socket);
    if (known === undefined) {
      known = new ClientConnection(socket, this.care, socket, () => resetConnection(socket));
      this.http1.set(socket, known);
    }
    return known;
  }

  private http1Request(request: IncomingMessage): EmbeddedRequest {
    const head = readHttp1Head(request);
    const { headers } = head;
    const hasBody = bodyAnnounced(headers);
    const httpVersion = request.httpVersionMinor === 0 ? '1.0' : '1.1';
    const { socket, method = '' } = request;
    return {
      start: { method, target: head.target, httpVersion, headers, hasBody },
      isGone: (response) => response.headersSent || socket.destroyed || this.http1.get(socket)?.isSealed === true,
      open: (anyResponse) => {
        const response = anyResponse as ServerResponse;
        const connection = this.connection(socket);
        const exchange = new Http1Exchange(connection, request, response, headers, this.limits, false);
        return {
          exchange,
          enter: (start) => connection.take(exchange, response, start),
          problem:
            http1Problem(request, head, noLimits) ??
            missedUpgrade({ method, headers }) ??
            bodyProblem(hasBody, request.readableDidRead),
        };
      },
    };
  }

  private session(stream: ServerHttp2Stream, socket: Socket | TLSSocket): ClientSession {
    const session = stream.session!;
    const known = this.http2.get(session);
    if (known !== undefined) return known;
    const created = new ClientSession(socket, this.care, socket, () => session.destroy());
    this.http2.set(session, created);
    session.once('close', () => created.closed());
    return created;
  }

  private http2Request(request: Http2ServerRequest): EmbeddedRequest {
    const { stream } = request;
    const head = { ...readHttp2Head(request.headers, request.rawHeaders), expectsContinue: false };
    const { method, headers } = head;
    // Middleware that cuts a prefix off changes the request's URL and not its headers.
    const target = request.url;
    const hasBody = !stream.endAfterHeaders;
    return {
      start: { method, target, httpVersion: '2', headers, hasBody },
      isGone: (response) => response.headersSent || stream.destroyed || stream.closed,
      open: () => {
        silenceResponse(stream);
        const session = this.session(stream, request.socket);
        const exchange = new Http2Exchange(stream, { ...head, target }, session, this.limits);
        const wasRead = request.readableDidRead || stream.readableDidRead;
        return {
          exchange,
          enter: (start) => session.intake.enter(exchange, start),
          problem: http2Problem(head, noLimits) ?? bodyProblem(hasBody, wasRead),
        };
      },
    };
  }
}

/** The limits of a single exchange. */
export type FetchLimits = BodyLimits & Pick<ListenerOptions, 'writeTimeoutMs'>;

/** The limits of a gateway without a listener. */
export type EmbeddedOptions = Pick<ListenerOptions, 'idleTimeoutMs' | 'writeTimeoutMs' | 'maxConnectionRequests'> & {
  readonly maxConcurrentRequests: number;
};

function isHttp2(request: NodeRequest): request is Http2ServerRequest {
  return request.httpVersionMajor === 2;
}

/** A body that somebody has read never comes. */
function bodyProblem(hasBody: boolean, wasRead: boolean): StatusError | undefined {
  return hasBody && wasRead ? bodyWasRead() : undefined;
}

/** 501 for a WebSocket handshake that came as an ordinary request: any other answer would not tell the developer why. */
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

/** 500 for a mistake of the application that its developer sees with the first POST. */
export function bodyWasRead(): StatusError {
  return StatusError.http(
    500,
    'the body of the request was read before it came to photongate; put its handler in front of body parsers',
  );
}
