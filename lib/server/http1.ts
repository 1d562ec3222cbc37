/**
 * HTTP/1 connections: Node's parser and server, which never listens itself but gets sockets from the listener. Answers what
 * the parser refuses, enforces limits, closes connections. `http1-exchange` serves one request.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { headerTokens } from '../headers.js';
import { StatusError } from '../status.js';
import { type Aging, limitAge } from './connection-age.js';
import type { RefusalReason, RefusedHead } from './diagnostics.js';
import { ClientConnection, type ConnectionCare } from './http1-connection.js';
import { Http1Exchange } from './http1-exchange.js';
import { HEADER_SLACK_BYTES, type ExchangeHandler, type ListenerOptions } from './options.js';
import { allowHalfOpen, resetConnection, startTimers } from './node-internals.js';
import { parserProblem, type ParserError } from './parser-problem.js';
import { peerOf } from './peer.js';
import { writeRawReply } from './raw-reply.js';
import { dispatch, fieldBytes, type HeadFacts, headProblem, excerpt, refusal } from './refusal.js';
import { SocketAcceptor, WebSocketExchange } from './websocket.js';
import { handshakeProblem, upgradableRequest } from './websocket-handshake.js';

/** When a client that has ended its side is probed. Most responses are sent by then, without a probe. */
const PROBE_DELAY_MS = 250;

/** The HTTP/1 connections of a listener. */
export class Http1Server {
  private readonly server: Server;
  private readonly connections = new Map<Socket, Connection>();
  private readonly acceptor = new SocketAcceptor();
  private isDraining = false;

  constructor(
    private readonly options: ListenerOptions,
    private readonly handler: ExchangeHandler,
    private readonly care: ConnectionCare,
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
    // Node silently drops headers beyond this number; 0 keeps all of them, and their size is limited.
    this.server.maxHeadersCount = 0;
    // A client may end its side after its request (nc -N) and still wait for the response.
    allowHalfOpen(this.server);
    this.server.on('request', (request, response) => this.take(request, response, false));
    this.server.on('checkContinue', (request, response) => this.take(request, response, true));
    this.server.on('checkExpectation', (request, response) => this.take(request, response, false));
    this.server.on('connect', (request, socket) => this.refuseConnect(request, socket as Socket));
    this.server.on('upgrade', (request, socket, start) => this.upgrade(request, socket as Socket, start));
    this.server.on('clientError', (error, socket) => this.fail(error, socket as Socket));
    startTimers(this.server);
  }

  /**
   * Serves a connection. The bytes that it has received already are also in `start`.
   * @param tcp the TCP socket, another one than `socket` if that is TLS
   */
  accept(socket: Socket, start: Buffer, tcp: Socket): void {
    // Node comes first: a `Connection` pauses the socket after Node's listeners have resumed it.
    this.server.emit('connection', socket);
    const connection = new Connection(socket, this.care, tcp, start.includes('\n'));
    this.connections.set(socket, connection);
    socket.on('close', () => this.connections.delete(socket));
    socket.on('end', () => connection.clientEnded());
    limitAge(tcp, this.options, connection);
    if (this.isDraining) connection.retire();
    socket.resume();
  }

  /** Answers a connection that does not speak TLS with an error, and closes it. */
  refuseCleartext(socket: Socket, error: StatusError): void {
    this.answerRaw(socket, error, {}, 'tls');
    socket.resume();
  }

  /** The next answer on each connection is its last, also on those that come from now on. */
  retire(): void {
    this.isDraining = true;
    for (const connection of this.connections.values()) connection.retire();
  }

  /** Closes the connections that bring no request. */
  closeIdle(): void {
    for (const connection of this.connections.values()) connection.closeWhenIdle();
  }

  /** Closes every connection at once. Clients notice that responses under way are incomplete. */
  destroy(): void {
    for (const connection of this.connections.values()) connection.cut();
    this.server.close();
  }

  private take(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.connections.get(request.socket);
    if (connection === undefined) return;
    if (connection.isSealed) return connection.ignore(request);
    const head = readHttp1Head(request);
    const { options, handler } = this;
    const exchange = new Http1Exchange(connection, request, response, head.headers, options, expectsContinue);
    connection.inFirstHeaders = false;
    connection.take(exchange, response, () => dispatch(exchange, handler, http1Problem(request, head, options)));
  }

  /** Node has detached from the connection: it belongs to the WebSocket from now on. */
  private upgrade(request: IncomingMessage, socket: Socket, start: Buffer): void {
    const connection = this.connections.get(socket);
    if (connection === undefined || connection.isSealed) return void socket.destroySoon();
    const head = readHttp1Head(request);
    const { idleTimeoutMs } = this.options;
    const exchange = new WebSocketExchange(connection, request, head.headers, start, this.acceptor, idleTimeoutMs);
    connection.upgraded = exchange;
    dispatch(exchange, this.handler, headProblem(head, this.options, true) ?? handshakeProblem(head.headers));
  }

  private refuseConnect({ method, url: target }: IncomingMessage, socket: Socket): void {
    const connection = this.connections.get(socket);
    // Node hands the socket over even if requests on it are under way.
    if (connection === undefined || connection.isSealed) return;
    const error = StatusError.http(501, 'CONNECT is not served here: this is not a forward proxy');
    connection.whenIdle(() => this.answerRaw(socket, error, { method, target }));
    socket.resume();
  }

  /** The parser gave up on a connection: malformed bytes, a time-out, or the client disconnected. */
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
    // After a last response, or a request with "connection: close", everything is ignored.
    if (!inBody && (connection.isSealed || error.code === 'HPE_CLOSED_CONNECTION')) return;
    connection.broken = true;
    // The exchange itself answers a broken body. Otherwise complete requests get their responses first.
    if (inBody) {
      last.failBody(problem);
      connection.closeWhenIdle();
    } else {
      connection.whenIdle(() => this.answerRaw(socket, problem, {}));
    }
  }

  /** Answers on the socket itself, as there is no exchange. */
  private answerRaw(
    socket: Socket,
    error: StatusError,
    known: Pick<RefusedHead, 'method' | 'target'>,
    reason?: RefusalReason,
  ): void {
    const peer = this.connections.get(socket)?.peer ?? peerOf(socket);
    writeRawReply(socket, refusal(this.handler, error, { ...known, peer, httpVersion: '1.1' }, reason));
  }
}

/** A connection of our own server. */
class Connection extends ClientConnection implements Aging {
  private closing = false;
  /** Writes the last response, which belongs to no request. */
  private lastWord: (() => void) | undefined;
  /** The parser gave up: no further request can come. */
  broken = false;

  /** @param inFirstHeaders true while the first request has only its first line */
  constructor(
    socket: Socket,
    care: ConnectionCare,
    raw: Socket,
    public inFirstHeaders: boolean,
  ) {
    // A TLS socket cannot be reset; the one below it can.
    super(socket, care, raw, () => resetConnection(socket, raw));
  }

  protected override answered(): void {
    if (this.closing) this.closeWhenIdle();
    else if (this.lastWord !== undefined && this.isIdle && this.socket.writable) this.lastWord();
  }

  /** The exchange whose body the parser is in, if any. */
  lastExchange(): Http1Exchange | undefined {
    return this.intake.all().at(-1);
  }

  /** With pipelining, further responses may follow. */
  override closesAfter(exchange: Http1Exchange): boolean {
    return this.closing && exchange === this.lastExchange();
  }

  /** Calls `lastWord` now, or after the responses to the requests under way. */
  whenIdle(lastWord: () => void): void {
    if (this.isIdle) lastWord();
    else this.lastWord = lastWord;
  }

  /** Closes the connection now, or after the responses to the requests under way. */
  closeWhenIdle(): void {
    this.closing = true;
    if (this.isIdle && this.upgraded === undefined) this.socket.destroySoon();
  }

  /** Its next answer is its last: an idle connection that was closed might just bring a request. */
  retire(): void {
    this.closing = true;
  }

  cut(): void {
    if (this.upgraded === undefined) this.reset();
    else this.upgraded.cut();
  }

  /**
   * The client has ended its side. It may still read, or be gone: only a write shows that. Two probes are written, because
   * the second one sees the reset that the first one causes.
   */
  clientEnded(): void {
    const probe = (): void => {
      for (const exchange of this.intake.all()) exchange.probe();
    };
    const timers = [PROBE_DELAY_MS, 2 * PROBE_DELAY_MS].map((delay) => setTimeout(probe, delay));
    this.socket.once('close', () => timers.forEach(clearTimeout));
  }
}

/** The headers of a request, and what its limits are checked against. */
export interface RequestLines extends HeadFacts {
  readonly headers: string[];
}

/** Reads the header list, names in lower case, and what the limits are checked against, in one pass. */
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
    headerBytes += fieldBytes(name, value);
    if (name === 'host') hosts++;
    else if (name === 'expect') expect = value;
  }
  return { headers, target: request.url ?? '', headerBytes, hosts, expect };
}

/** Why the request is refused by its head; undefined if it is not. */
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

/** Node's parser accepts further codings besides "chunked" without decoding them, and reads "identity" up to the end. */
function framingProblem({ headers }: RequestLines): StatusError | undefined {
  if (!headers.includes('transfer-encoding')) return undefined;
  const codings = headerTokens(headers, 'transfer-encoding');
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  return StatusError.http(
    501,
    `Transfer-Encoding is "${excerpt(codings.join(', '))}", expected "chunked" alone; a compressed body has Content-Encoding`,
  );
}
