/**
 * HTTP/2 connections in cleartext with prior knowledge: Node's http2 server object, which never listens itself but is handed
 * sockets. Keeps the limits and closes sessions. What one stream does is in `http2-exchange`.
 */
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type Http2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';
import { StatusError } from '../status.js';
import { Http2Exchange } from './http2-exchange.js';
import { HEADER_SLACK_BYTES, type ExchangeHandler, type ListenerOptions } from './options.js';
import { nonAsciiTarget } from './parser-problem.js';
import { peerOf } from './peer.js';
import { dispatch, headProblem } from './refusal.js';

/** Streams that one connection may have open; RFC 9113 advises at least 100. */
const MAX_STREAMS = 250;

/** How long the resets of cut streams may take to leave. */
const RESET_FLUSH_MS = 50;

/** Megabytes that Node may buffer for one connection before it refuses streams. */
const MAX_SESSION_MEMORY = 64;

export class Http2Listener {
  private readonly server: Http2Server;
  private readonly sessions = new Map<Http2Session, Session>();

  constructor(
    private readonly options: ListenerOptions,
    private readonly handler: ExchangeHandler,
  ) {
    const { maxUrlBytes, maxHeaderBytes } = options;
    this.server = createServer({
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: maxUrlBytes + maxHeaderBytes + HEADER_SLACK_BYTES,
        enablePush: false,
      },
      // Their size is what bounds them.
      maxHeaderListPairs: 0xffff,
      maxSessionMemory: MAX_SESSION_MEMORY,
    });
    this.server.on('session', (session) => this.open(session));
    const take = (stream: ServerHttp2Stream, fields: IncomingHttpHeaders, _flags: number, raw: string[]): void =>
      this.take(stream, fields, raw);
    this.server.on('stream', take as (stream: ServerHttp2Stream, fields: IncomingHttpHeaders) => void);
    // What goes wrong on a connection ends its streams; each of them hears of it by itself.
    this.server.on('sessionError', () => undefined);
  }

  /** Serves a connection, from the bytes that it already holds. */
  accept(socket: Socket): void {
    // HTTP/2 has no half-closed connections; HTTP/1 on the same port does.
    socket.allowHalfOpen = false;
    this.server.emit('connection', socket);
  }

  /** No further streams: clients are told so, and a connection is closed when its last stream has ended. */
  drain(): void {
    for (const session of this.sessions.keys()) session.close();
  }

  /** Cuts every connection; an answer under way is seen to be cut. */
  destroy(): void {
    for (const [session, { streams }] of this.sessions) {
      // The end of the connection alone looks to some clients like the end of the answer.
      for (const stream of streams) stream.destroy(new Error('the server is closing'));
      session.close();
      setTimeout(() => session.destroy(), RESET_FLUSH_MS);
    }
  }

  private open(session: Http2Session): void {
    const state = new Session(session);
    this.sessions.set(session, state);
    session.on('close', () => this.sessions.delete(session));
    session.on('timeout', () => this.lookAfter(session, state));
    session.setTimeout(this.options.keepAliveTimeoutMs);
  }

  /**
   * A connection has been silent for long. Without a stream it is closed; with one it may be silent for ever, but must answer
   * a PING. That also finds the sessions that Node leaves behind: after a frame that breaks the protocol it neither closes
   * the connection nor reads on, so that not even the client's reset is seen.
   */
  private lookAfter(session: Http2Session, state: Session): void {
    const { keepAliveTimeoutMs, headerTimeoutMs } = this.options;
    const timer = setTimeout(() => session.destroy(), headerTimeoutMs);
    session.once('close', () => clearTimeout(timer));
    if (state.streams.size === 0) return session.close();
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
    state.streams.add(stream);
    stream.on('close', () => state.streams.delete(stream));
    const head = readHttp2Head(fields, raw);
    const exchange = new Http2Exchange(stream, head, state, this.options.idleTimeoutMs);
    dispatch(exchange, this.handler, http2Problem(head, this.options));
  }
}

class Session {
  readonly streams = new Set<ServerHttp2Stream>();
  readonly peer: Peer;

  constructor(session: Http2Session) {
    this.peer = peerOf(session.socket);
  }
}

export interface StreamHead {
  readonly method: string;
  readonly target: string;
  readonly headers: string[];
  readonly headerBytes: number;
  readonly hosts: number;
  readonly expect: string | undefined;
  readonly expectsContinue: boolean;
}

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
    headerBytes += name.length + value.length + 4;
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

/** What the head says against taking the request. */
export function http2Problem(
  head: StreamHead,
  limits: Pick<ListenerOptions, 'maxUrlBytes' | 'maxHeaderBytes'>,
): StatusError | undefined {
  return streamProblem(head) ?? headProblem(head, limits, true);
}

/** What HTTP/1's parser refuses and HTTP/2's lets through. */
function streamProblem({ method, target }: StreamHead): StatusError | undefined {
  if (method === 'CONNECT') {
    return StatusError.http(501, 'CONNECT is not served here: this is not a forward proxy');
  }
  const special = /[^\x21-\x7e]+/.exec(target)?.[0];
  return special === undefined ? undefined : nonAsciiTarget(special);
}
