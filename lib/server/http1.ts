/**
 * HTTP/1 connections: Node's own parser and server object, which never listens itself but is handed sockets. Answers what
 * the parser refuses, keeps the limits, closes connections. What one request does is in `http1-exchange`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';
import { headerTokens } from '../headers.js';
import { StatusError } from '../status.js';
import { Http1Exchange, type Http1Connection } from './http1-exchange.js';
import { HEADER_SLACK_BYTES, type ExchangeHandler, type ListenerOptions } from './options.js';
import { parserProblem, type ParserError } from './parser-problem.js';
import { peerOf } from './peer.js';
import { writeRawReply } from './raw-reply.js';
import { dispatch, errorReply, headProblem, printable } from './refusal.js';
import { SocketAcceptor, WebSocketExchange } from './websocket.js';
import { handshakeProblem, upgradableRequest } from './websocket-handshake.js';

/** Most answers are there by then, and nobody is asked whether he still listens. */
const PROBE_DELAY_MS = 250;

export class Http1Server {
  private readonly server: Server;
  private readonly connections = new Map<Socket, Connection>();
  private readonly acceptor = new SocketAcceptor();

  constructor(
    private readonly options: ListenerOptions,
    private readonly handler: ExchangeHandler,
  ) {
    const { maxUrlBytes, maxHeaderBytes, headerTimeoutMs, keepAliveTimeoutMs } = options;
    this.server = createServer({
      maxHeaderSize: maxUrlBytes + maxHeaderBytes + HEADER_SLACK_BYTES,
      headersTimeout: headerTimeoutMs,
      connectionsCheckingInterval: Math.ceil(Math.min(1000, headerTimeoutMs / 4)),
      requestTimeout: 0,
      keepAliveTimeout: keepAliveTimeoutMs,
      requireHostHeader: false,
      IncomingMessage: upgradableRequest((socket) => this.connections.get(socket)?.isIdle === true),
    });
    // Node drops the headers beyond this number in silence; 0 is all of them, bounded by their size.
    this.server.maxHeadersCount = 0;
    // A client may end its side after its request (nc -N) and still wait for the answer; Node knows the option by this name.
    (this.server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    this.server.on('request', (request, response) => this.take(request, response, false));
    this.server.on('checkContinue', (request, response) => this.take(request, response, true));
    this.server.on('checkExpectation', (request, response) => this.take(request, response, false));
    this.server.on('connect', (request, socket) => this.refuseConnect(request, socket as Socket));
    this.server.on('upgrade', (request, socket, start) => this.upgrade(request, socket as Socket, start));
    this.server.on('clientError', (error, socket) => this.fail(error, socket as Socket));
    // The server's timers start with this event only, and nobody else emits it: the server does not listen.
    this.server.emit('listening');
  }

  /**
   * Serves a connection, from the bytes that it already holds and that are also in `start`.
   * @param raw the TCP socket, which is another one where `socket` is TLS.
   */
  accept(socket: Socket, start: Buffer, raw: Socket): void {
    const connection = new Connection(socket, raw, start.includes('\n'));
    this.connections.set(socket, connection);
    socket.on('close', () => {
      this.connections.delete(socket);
      connection.lost();
    });
    socket.on('end', () => connection.clientEnded());
    this.server.emit('connection', socket);
    socket.resume();
  }

  /** Answers a connection that speaks something else, with an error, and closes it. */
  refuse(socket: Socket, error: StatusError): void {
    this.answerRaw(socket, error, 'GET');
    socket.resume();
  }

  /** No further requests: idle connections are closed now, the others after their answers. */
  drain(): void {
    for (const connection of this.connections.values()) connection.closeWhenIdle();
  }

  /** Cuts every connection; an answer under way is seen to be cut. */
  destroy(): void {
    for (const connection of this.connections.values()) {
      if (connection.upgraded === undefined) connection.reset();
      else connection.upgraded.shutDown();
    }
    this.server.close();
  }

  private take(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.connections.get(request.socket);
    if (connection === undefined) return;
    const head = readHttp1Head(request);
    const { idleTimeoutMs } = this.options;
    const exchange = new Http1Exchange(connection, request, response, head.headers, idleTimeoutMs, expectsContinue);
    connection.add(exchange, response);
    dispatch(exchange, this.handler, http1Problem(request, head, this.options));
  }

  /** Node has let go of the connection: it is the WebSocket's from now on. */
  private upgrade(request: IncomingMessage, socket: Socket, start: Buffer): void {
    const connection = this.connections.get(socket);
    if (connection === undefined) return;
    const head = readHttp1Head(request);
    const { idleTimeoutMs } = this.options;
    const exchange = new WebSocketExchange(connection, request, head.headers, start, this.acceptor, idleTimeoutMs);
    connection.upgraded = exchange;
    dispatch(exchange, this.handler, headProblem(head, this.options, true) ?? handshakeProblem(head.headers));
  }

  private refuseConnect(request: IncomingMessage, socket: Socket): void {
    const error = StatusError.http(501, 'CONNECT is not served here: this is not a forward proxy');
    this.answerRaw(socket, error, request.method!);
    socket.resume();
  }

  /** The parser gave up on a connection: malformed bytes, a time-out, or the client is gone. */
  private fail(error: ParserError, socket: Socket): void {
    const connection = this.connections.get(socket);
    const last = connection?.lastExchange();
    const inBody = last?.bodyIsUnfinished() === true;
    const problem = parserProblem(error, this.options, inBody || connection?.inFirstHeaders === true);
    if (connection === undefined || problem === undefined) {
      socket.destroy();
      return;
    }
    // After its first error the parser reports one for each further read.
    if (connection.broken || !socket.writable) return;
    connection.broken = true;
    // A body that cannot be read on is for its exchange to answer. Requests that were whole get their answers first.
    if (inBody) {
      last.failBody(problem);
      connection.closeWhenIdle();
    } else {
      connection.whenIdle(() => this.answerRaw(socket, problem, 'GET'));
    }
  }

  /** Answers on the socket itself, as there is no request to answer. */
  private answerRaw(socket: Socket, error: StatusError, method: string): void {
    const reply = errorReply(this.handler, error, { method, httpVersion: '1.1' });
    writeRawReply(socket, reply);
  }
}

/** One connection and its requests, which are more than one with pipelining. */
class Connection implements Http1Connection {
  private closing = false;
  /** The connection's last answer, which no request asked for. */
  private lastWord: (() => void) | undefined;
  /** The parser gave up: no further request can come. */
  broken = false;
  /** The request that took the connection over. */
  upgraded: WebSocketExchange | undefined;
  private readonly exchanges = new Set<Http1Exchange>();
  readonly peer: Peer;

  /** @param inFirstHeaders true while there was no request, but its first line has come. */
  constructor(
    readonly socket: Socket,
    private readonly raw: Socket,
    public inFirstHeaders: boolean,
  ) {
    this.peer = peerOf(socket);
  }

  add(exchange: Http1Exchange, response: ServerResponse): void {
    this.inFirstHeaders = false;
    this.exchanges.add(exchange);
    response.on('close', () => {
      this.exchanges.delete(exchange);
      if (this.closing) this.closeWhenIdle();
      else if (this.lastWord !== undefined && this.isIdle && this.socket.writable) this.lastWord();
    });
  }

  /** The exchange whose body the parser is in, if any. */
  lastExchange(): Http1Exchange | undefined {
    let last: Http1Exchange | undefined;
    for (const exchange of this.exchanges) last = exchange;
    return last;
  }

  /** True where no request waits for its answer. */
  get isIdle(): boolean {
    return this.exchanges.size === 0;
  }

  /** With pipelining there may be requests behind one whose answers are still to come. */
  closesAfter(exchange: Http1Exchange): boolean {
    return this.closing && exchange === this.lastExchange();
  }

  /** Says a last word: now, or behind the answers to the requests that were whole. */
  whenIdle(lastWord: () => void): void {
    if (this.isIdle) lastWord();
    else this.lastWord = lastWord;
  }

  closeWhenIdle(): void {
    this.closing = true;
    if (this.isIdle && this.upgraded === undefined) this.socket.destroySoon();
  }

  /**
   * The client has ended its side. It may still read, or be gone: TCP tells only who writes. So those that wait for an
   * answer are written to, twice, as the reset that comes back for the first is seen by the second.
   */
  clientEnded(): void {
    const probe = (): void => {
      for (const exchange of this.exchanges) exchange.probe();
    };
    const timers = [PROBE_DELAY_MS, 2 * PROBE_DELAY_MS].map((delay) => setTimeout(probe, delay));
    this.socket.once('close', () => timers.forEach(clearTimeout));
  }

  /** A TLS socket cannot be reset; the one below it can. */
  reset(): void {
    this.raw.resetAndDestroy();
  }

  lost(): void {
    for (const exchange of this.exchanges) exchange.connectionLost();
    this.upgraded?.connectionLost();
    this.exchanges.clear();
  }
}

export interface RequestLines {
  readonly headers: string[];
  readonly target: string;
  readonly headerBytes: number;
  readonly hosts: number;
  readonly expect: string | undefined;
}

/** The header list with names in lower case, and what its limits and rules need, in one pass. */
export function readHttp1Head(request: IncomingMessage): RequestLines {
  const raw = request.rawHeaders;
  const headers = new Array<string>(raw.length);
  let headerBytes = 0;
  let hosts = 0;
  let expect: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase();
    const value = raw[index + 1]!;
    headers[index] = name;
    headers[index + 1] = value;
    headerBytes += name.length + value.length + 4;
    if (name === 'host') hosts++;
    else if (name === 'expect') expect = value;
  }
  return { headers, target: request.url!, headerBytes, hosts, expect };
}

/** What the head says against taking the request. */
export function http1Problem(
  request: IncomingMessage,
  head: RequestLines,
  limits: Pick<ListenerOptions, 'maxUrlBytes' | 'maxHeaderBytes'>,
): StatusError | undefined {
  const needsHost = request.httpVersionMinor !== 0;
  return versionProblem(request, head) ?? framingProblem(head) ?? headProblem(head, limits, needsHost);
}

function versionProblem(request: IncomingMessage, { headers }: RequestLines): StatusError | undefined {
  if (request.httpVersionMajor !== 1) {
    return StatusError.http(400, `the request line ends in HTTP/${request.httpVersion}, expected HTTP/1.1`);
  }
  if (request.httpVersionMinor === 0 && headers.includes('transfer-encoding')) {
    return StatusError.http(400, 'an HTTP/1.0 request cannot have Transfer-Encoding; write HTTP/1.1 or Content-Length');
  }
  return undefined;
}

/**
 * Node's parser takes any coding below "chunked" and hands on what it does not undo; a body in "identity" it reads up to
 * the connection's end.
 */
function framingProblem({ headers }: RequestLines): StatusError | undefined {
  if (!headers.includes('transfer-encoding')) return undefined;
  const codings = headerTokens(headers, 'transfer-encoding');
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  return StatusError.http(
    501,
    `Transfer-Encoding is "${printable(codings.join(', '))}", expected "chunked" alone; a compressed body has Content-Encoding`,
  );
}
