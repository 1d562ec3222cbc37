/**
 * HTTP/2 connections: Node's http2 server, which never listens itself but gets sockets from the listener. Enforces limits and
 * closes sessions. `http2-exchange` serves one stream.
 */
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type Http2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { StatusError } from '../status.js';
import { limitAge } from './connection-age.js';
import { publishBroken } from './diagnostics.js';
import type { ConnectionCare } from './http1-connection.js';
import { ClientSession } from './http2-connection.js';
import { Http2Exchange } from './http2-exchange.js';
import { HEADER_SLACK_BYTES, type ExchangeHandler, type ListenerOptions } from './options.js';
import { nonAsciiTarget } from './parser-problem.js';
import { dispatch, fieldBytes, type HeadFacts, headProblem } from './refusal.js';
import { resetConnection } from './node-internals.js';
import type { ExchangeHead } from './served-exchange.js';

/** How long a connection stays open for the resets of its streams. */
const RESET_FLUSH_MS = 50;

/** Megabytes that Node may buffer for one connection before it refuses streams. */
const MAX_SESSION_MEMORY = 64;

/** When a drain begins, a client has this long to answer the PING behind its GOAWAY. */
const LAST_STREAM_MS = 500;

/** Of a GOAWAY that refuses no stream. */
const LAST_STREAM_ID = 2 ** 31 - 1;

/** The HTTP/2 connections of a listener. */
export class Http2Listener {
  private readonly server: Http2Server;
  private readonly sessions = new Map<Http2Session, ClientSession>();
  /** The TCP socket of the connection that is being handed over. */
  private tcp: Socket | undefined;
  private isDraining = false;

  constructor(
    private readonly options: ListenerOptions,
    private readonly handler: ExchangeHandler,
    private readonly care: ConnectionCare,
  ) {
    const { maxUrlBytes, maxHeaderBytes, maxConnectionRequests } = options;
    this.server = createServer({
      settings: {
        maxConcurrentStreams: maxConnectionRequests,
        maxHeaderListSize: maxUrlBytes + maxHeaderBytes + HEADER_SLACK_BYTES,
        enablePush: false,
      },
      // Headers are limited by their size only.
      maxHeaderListPairs: 0xffff,
      maxSessionMemory: MAX_SESSION_MEMORY,
    });
    this.server.on('session', (session) => this.open(session));
    const take = (stream: ServerHttp2Stream, fields: IncomingHttpHeaders, _flags: number, raw: string[]): void =>
      this.take(stream, fields, raw);
    this.server.on('stream', take as (stream: ServerHttp2Stream, fields: IncomingHttpHeaders) => void);
    // An error of the connection ends its streams, and each of them notices.
    this.server.on('sessionError', (error: NodeJS.ErrnoException, session) => this.broken(error, session));
  }

  /**
   * Serves a connection, starting with the bytes that it has received already.
   * @param tcp the TCP socket, another one than `socket` if that is TLS
   */
  accept(socket: Socket, tcp: Socket): void {
    // HTTP/2 has no half-closed connections; HTTP/1 on the same port does.
    socket.allowHalfOpen = false;
    this.tcp = tcp;
    this.server.emit('connection', socket);
  }

  /** Refuses further streams (GOAWAY), also of connections that come from now on, and closes each after its last one. */
  retire(): void {
    this.isDraining = true;
    for (const session of this.sessions.keys()) this.retireSession(session, LAST_STREAM_MS);
  }

  /** Closes every connection at once. Clients notice that responses under way are incomplete. */
  destroy(): void {
    for (const [session, state] of this.sessions) cut(session, state);
  }

  private open(session: Http2Session): void {
    // Node opens the session within `accept`.
    const { tcp } = this;
    if (tcp === undefined) return session.destroy();
    const state = new ClientSession(session.socket, this.care, tcp, () => {
      session.destroy();
      resetConnection(tcp);
    });
    this.sessions.set(session, state);
    session.on('close', () => {
      this.sessions.delete(session);
      state.closed();
    });
    session.on('timeout', () => this.checkIdle(session, state));
    session.setTimeout(this.options.keepAliveTimeoutMs);
    const { headerTimeoutMs } = this.options;
    if (this.isDraining) this.retireSession(session, LAST_STREAM_MS);
    else {
      limitAge(tcp, this.options, {
        retire: () => this.retireSession(session, headerTimeoutMs),
        cut: () => cut(session, state),
      });
    }
  }

  /** A frame that breaks the protocol; not a client that is gone, or that says that we broke it. */
  private broken({ code = '', message }: NodeJS.ErrnoException, session: Http2Session): void {
    const state = this.sessions.get(session);
    if (state === undefined || !code.startsWith('ERR_HTTP2_') || code === 'ERR_HTTP2_SESSION_ERROR') return;
    publishBroken('http2', `the HTTP/2 connection broke the protocol: ${message}`, state.peer);
  }

  /**
   * First a GOAWAY that refuses nothing: streams that the client opens before it reads it are served. When it has answered a
   * PING it has read both. Some answer none after a GOAWAY (Node's client), so there is a limit.
   */
  private retireSession(session: Http2Session, waitMs: number): void {
    const close = (): void => {
      clearTimeout(timer);
      session.close();
    };
    const timer = setTimeout(close, waitMs);
    if (session.closed) return close();
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
    session.ping(close);
  }

  /**
   * A connection has been idle for the keep-alive time-out. Without a stream it is closed; with one it must answer a PING.
   * That also finds the sessions that Node leaves behind: after a frame that breaks the protocol it neither closes the
   * connection nor reads on, so that not even the client's reset is seen.
   */
  private checkIdle(session: Http2Session, { intake }: ClientSession): void {
    const { keepAliveTimeoutMs, headerTimeoutMs } = this.options;
    const timer = setTimeout(() => session.destroy(), headerTimeoutMs);
    session.once('close', () => clearTimeout(timer));
    if (intake.size === 0) return session.close();
    session.ping((error) => {
      if (error !== null) return;
      clearTimeout(timer);
      session.setTimeout(keepAliveTimeoutMs);
    });
  }

  private take(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, raw: readonly string[]): void {
    const state = stream.session === undefined ? undefined : this.sessions.get(stream.session);
    if (state === undefined) {
      stream.on('error', () => undefined).destroy();
      return;
    }
    const head = readHttp2Head(fields, raw);
    const { options, handler } = this;
    const exchange = new Http2Exchange(stream, head, state, options);
    state.intake.enter(exchange, () => dispatch(exchange, handler, http2Problem(head, options)));
  }
}

/** Some clients take the end of the connection for the end of the response, so streams are reset first. */
function cut(session: Http2Session, { intake }: ClientSession): void {
  for (const exchange of intake.all()) exchange.cut();
  session.close();
  setTimeout(() => session.destroy(), RESET_FLUSH_MS);
}

/** The head of a stream, and what its limits are checked against. */
export interface StreamHead extends ExchangeHead, HeadFacts {}

/**
 * The header list in order, `:authority` as `host`, the pieces of a cookie joined again (RFC 9113, section 8.2.3), and what
 * the limits need.
 */
export function readHttp2Head(fields: IncomingHttpHeaders, raw: readonly string[]): StreamHead {
  const authority = fields[':authority'];
  const headers: string[] = [];
  if (authority !== undefined) headers.push('host', authority);
  let hosts = authority === undefined ? 0 : 1;
  let headerBytes = 0;
  let cookieAt = -1;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    const value = raw[index + 1]!;
    if (name.startsWith(':')) continue;
    headerBytes += fieldBytes(name, value);
    if (name === 'host') {
      if (value === authority) continue;
      hosts++;
    } else if (name === 'cookie') {
      if (cookieAt >= 0) {
        headers[cookieAt] += `; ${value}`;
        continue;
      }
      cookieAt = headers.length + 1;
    }
    headers.push(name, value);
  }
  const { expect } = fields;
  return {
    method: fields[':method'] ?? '',
    target: fields[':path'] ?? '',
    headers,
    headerBytes,
    hosts,
    expect,
    expectsContinue: expect !== undefined,
  };
}

/** Why the request is refused by its head; undefined if it is not. */
export function http2Problem(
  head: StreamHead,
  limits: Pick<ListenerOptions, 'maxUrlBytes' | 'maxHeaderBytes'>,
): StatusError | undefined {
  return streamProblem(head) ?? headProblem(head, limits, true);
}

/** What HTTP/1's parser refuses and HTTP/2's does not. */
function streamProblem({ method, target }: StreamHead): StatusError | undefined {
  if (method === 'CONNECT') {
    return StatusError.http(501, 'CONNECT is not served here: this is not a forward proxy');
  }
  const special = /[^\x21-\x7e]+/.exec(target)?.[0];
  return special === undefined ? undefined : nonAsciiTarget(special);
}
