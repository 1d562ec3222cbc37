/**
 * A WebSocket as an `Exchange`: the handshake, refused as any request is or accepted, and then frames. Framing, fragments
 * and masks are those of `ws`; limits, back-pressure, pings and what closes mean to a call are decided here.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, type Server, WebSocket, WebSocketServer } from 'ws';
import type { BodySink, MessageSocket, Peer, ResponseHead, SocketSink, SocketUpgrade } from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import { writeRawReply } from './raw-reply.js';
import type { ServedExchange } from './refusal.js';

/** Frames of answers that wait for a slow reader; the call is paused above. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/** Pings keep those between from taking a quiet socket for a dead one. */
const PING_MS = 30_000;

/** What a close frame holds, less its code. */
const MAX_REASON_BYTES = 123;

/** How long a client may take to read the last frames when the server stops. */
const SHUTDOWN_FLUSH_MS = 500;

const TOO_LARGE = 1009;

/** A socket that `ws` closes on its own account tells first. */
class ServedSocket extends WebSocket {
  onClosing: ((code: number | undefined) => boolean) | undefined;

  /** Called for a client's close frame and for what breaks the protocol. */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.onClosing?.(code) !== true) this.finish(code, reason);
  }

  finish(code?: number, reason?: string | Buffer): void {
    this.onClosing = undefined;
    super.close(code, reason);
  }
}

/** Shakes hands; one for each limit, as `ws` knows limits of servers alone. */
export class SocketAcceptor {
  private readonly servers = new Map<number, Server<typeof ServedSocket>>();
  private answerHeaders: HeaderFields = [];

  accept(
    request: IncomingMessage,
    socket: Socket,
    start: Buffer,
    headers: HeaderFields,
    maxMessageBytes: number,
    onSocket: (socket: ServedSocket) => void,
  ): void {
    this.answerHeaders = headers;
    this.server(maxMessageBytes).handleUpgrade(request, socket, start, onSocket);
  }

  private server(maxPayload: number): Server<typeof ServedSocket> {
    let server = this.servers.get(maxPayload);
    if (server !== undefined) return server;
    server = new WebSocketServer<typeof ServedSocket>({
      noServer: true,
      clientTracking: false,
      WebSocket: ServedSocket,
      // 0 would be no limit.
      maxPayload: Math.max(1, maxPayload),
      perMessageDeflate: false,
      autoPong: false,
    });
    server.on('headers', (lines) => {
      const { answerHeaders } = this;
      for (let index = 0; index < answerHeaders.length; index += 2)
        lines.push(`${answerHeaders[index]}: ${answerHeaders[index + 1]}`);
    });
    this.servers.set(maxPayload, server);
    return server;
  }
}

/** What an upgrade needs of its connection. */
export interface UpgradedConnection {
  readonly socket: Socket;
  readonly peer: Peer;
  reset(): void;
}

export class WebSocketExchange implements ServedExchange {
  readonly method = 'GET';
  readonly target: string;
  readonly httpVersion = '1.1';
  readonly hasBody = false;
  readonly webSocket: SocketUpgrade;
  responded = false;
  private head: ResponseHead | undefined;
  private readonly body: Buffer[] = [];
  private closeListener: (() => void) | undefined;
  private open: OpenSocket | undefined;

  constructor(
    private readonly connection: UpgradedConnection,
    request: IncomingMessage,
    readonly headers: HeaderFields,
    start: Buffer,
    acceptor: SocketAcceptor,
    idleTimeoutMs: number,
  ) {
    this.target = request.url!;
    this.webSocket = {
      accept: (fields, maxMessageBytes, sink) => {
        this.responded = true;
        const open = (this.open = new OpenSocket(sink, connection, idleTimeoutMs));
        acceptor.accept(request, connection.socket, start, fields, maxMessageBytes, (socket) => open.attach(socket));
        return open;
      },
    };
  }

  get peer(): Peer {
    return this.connection.peer;
  }

  get secure(): boolean {
    return this.peer.tls !== undefined;
  }

  continue(): void {
    // There is no body to wait for.
  }

  read(sink: BodySink): void {
    queueMicrotask(() => sink.onEnd());
  }

  pause(): void {
    // There is no body to hold back.
  }

  resume(): void {
    // As above.
  }

  respond(head: ResponseHead): void {
    if (this.responded) return;
    this.responded = true;
    this.head = head;
  }

  write(chunk: Buffer): boolean {
    this.body.push(chunk);
    return true;
  }

  onDrain(): void {
    // Refusals are short, and held until their end.
  }

  end(chunk?: Buffer): void {
    if (this.head === undefined || !this.connection.socket.writable) return;
    if (chunk !== undefined) this.body.push(chunk);
    writeRawReply(this.connection.socket, { ...this.head, body: Buffer.concat(this.body) });
    this.connection.socket.resume();
  }

  abort(): void {
    this.connection.socket.destroy();
  }

  onClose(listener: () => void): void {
    this.closeListener = listener;
  }

  /** The connection is closed. */
  connectionLost(): void {
    this.open?.gone();
    if (this.open === undefined) this.closeListener?.();
  }

  /** The server stops: what is open is told, and cut. */
  shutDown(): void {
    if (this.open === undefined) this.connection.reset();
    else this.open.shutDown();
  }
}

/** A socket after its handshake. */
class OpenSocket implements MessageSocket {
  private socket: ServedSocket | undefined;
  private isDone = false;
  private isPaused = false;
  private isFull = false;
  private lastSign = Date.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sink: SocketSink,
    private readonly connection: UpgradedConnection,
    private readonly idleTimeoutMs: number,
  ) {}

  attach(socket: ServedSocket): void {
    this.socket = socket;
    socket.onClosing = (code) => this.closing(code);
    socket.on('message', (data: RawData, isBinary) => {
      this.lastSign = Date.now();
      if (!this.isDone) this.sink.onMessage(data as Buffer, isBinary);
    });
    socket.on('pong', () => (this.lastSign = Date.now()));
    socket.on('ping', (data) => {
      this.lastSign = Date.now();
      // Who pings and does not read shall not fill the memory with answers; the latest one counts.
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MAX_BUFFERED_BYTES) socket.pong(data);
    });
    // What broke is told by `close`.
    socket.on('error', () => undefined);
    socket.on('close', () => this.gone());
    this.timer = setInterval(() => this.keepAlive(), Math.min(PING_MS, Math.ceil(this.idleTimeoutMs / 2)));
  }

  send(data: Buffer, isBinary: boolean): boolean {
    const { socket } = this;
    if (this.isDone || socket?.readyState !== WebSocket.OPEN) return true;
    socket.send(data, { binary: isBinary, compress: false }, () => this.sent());
    if (socket.bufferedAmount >= MAX_BUFFERED_BYTES) this.isFull = true;
    return !this.isFull;
  }

  pause(): void {
    this.isPaused = true;
    this.socket?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.lastSign = Date.now();
    this.socket?.resume();
  }

  close(code: number, reason: string): void {
    if (this.isDone) return;
    this.stop();
    // Else the client's own close frame would never be read.
    this.resume();
    this.socket?.finish(code, cut(reason));
  }

  /** Nothing can be sent or read any more. */
  gone(): void {
    if (this.isDone) return;
    this.stop();
    this.sink.onGone();
  }

  shutDown(): void {
    if (!this.isDone) this.sink.onShutdown();
    const { connection } = this;
    const timer = setTimeout(() => connection.reset(), SHUTDOWN_FLUSH_MS);
    connection.socket.once('close', () => clearTimeout(timer));
    connection.socket.destroySoon();
  }

  /** True where the sink closes the socket itself. */
  private closing(code: number | undefined): boolean {
    if (this.isDone) return false;
    if (code !== TOO_LARGE) {
      this.gone();
      return false;
    }
    this.sink.onTooLarge();
    return true;
  }

  private sent(): void {
    this.lastSign = Date.now();
    if (!this.isFull || this.isDone || this.socket!.bufferedAmount >= MAX_BUFFERED_BYTES) return;
    this.isFull = false;
    this.sink.onWritable();
  }

  /**
   * A client that answers pings may be silent for ever. While it reads slowly, or is not read from, its pongs may be late, and
   * nothing is concluded from that.
   */
  private keepAlive(): void {
    const socket = this.socket!;
    if (this.isPaused || socket.bufferedAmount > 0) this.lastSign = Date.now();
    else if (Date.now() - this.lastSign > this.idleTimeoutMs) socket.terminate();
    else socket.ping();
  }

  private stop(): void {
    this.isDone = true;
    clearInterval(this.timer);
  }
}

/** At most so many bytes of UTF-8, and no half character. */
function cut(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  return Buffer.from(reason)
    .subarray(0, MAX_REASON_BYTES)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
}
