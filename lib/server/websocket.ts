/**
 * A WebSocket as an `Exchange`: the handshake, which is accepted or refused, and then frames. `ws` does framing, fragments
 * and masks; limits, back-pressure, pings and the meaning of closes are decided here.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { RawData, Server, WebSocket } from 'ws';
import { monotonicMs } from '../clock.js';
import type { MessageSocket, SocketSink, SocketUpgrade } from '../exchange.js';
import { headerPairs, type HeaderFields } from '../headers.js';
import { ws } from '../packages.js';
import { writeRawReply } from './raw-reply.js';
import { type ExchangeConnection, ServedExchange } from './served-exchange.js';

/** Bytes that may wait for a slow client before the call is paused. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/** Pings keep load balancers from closing an idle socket. */
const PING_MS = 30_000;

/** The length limit of a close frame, less its code. */
const MAX_REASON_BYTES = 123;

/** How long a client may take to read the last frames when the server stops. */
const SHUTDOWN_FLUSH_MS = 500;

const TOO_LARGE = 1009;

/** `WebSocket.OPEN`. */
const OPEN = 1;

const nothing = Buffer.alloc(0);

/** A socket that reports what `ws` is about to close on its own account. */
interface ServedSocket extends WebSocket {
  /** Called for a client's close frame and for what breaks the protocol; true: the listener closes the socket itself. */
  onClosing: ((code: number | undefined) => boolean) | undefined;
  finish(code?: number, reason?: string | Buffer): void;
}

type ServedSocketClass = typeof WebSocket & (new (...args: ConstructorParameters<typeof WebSocket>) => ServedSocket);

function servedSocketClass(): ServedSocketClass {
  class Served extends ws().WebSocket implements Pick<ServedSocket, 'onClosing' | 'finish'> {
    onClosing: ((code: number | undefined) => boolean) | undefined;

    override close(code?: number, reason?: string | Buffer): void {
      if (this.onClosing?.(code) !== true) this.finish(code, reason);
    }

    finish(code?: number, reason?: string | Buffer): void {
      this.onClosing = undefined;
      super.close(code, reason);
    }
  }
  return Served;
}

/** Accepts handshakes. Has one server of `ws` for each message limit, as `ws` has limits per server only. */
export class SocketAcceptor {
  private readonly servers = new Map<number, Server<ServedSocketClass>>();
  private socketClass: ServedSocketClass | undefined;
  private answerHeaders: HeaderFields = [];

  /** @param onSocket gets a `ServedSocket`; users of this package may not have the types of `ws` installed */
  accept(
    request: IncomingMessage,
    socket: Socket,
    start: Buffer,
    headers: HeaderFields,
    maxMessageBytes: number,
    onSocket: (socket: never) => void,
  ): void {
    this.answerHeaders = headers;
    this.server(maxMessageBytes).handleUpgrade(request, socket, start, (served) => onSocket(served as never));
  }

  private server(maxPayload: number): Server<ServedSocketClass> {
    let server = this.servers.get(maxPayload);
    if (server !== undefined) return server;
    server = new (ws().WebSocketServer)<ServedSocketClass>({
      noServer: true,
      clientTracking: false,
      WebSocket: (this.socketClass ??= servedSocketClass()),
      // 0 would be no limit.
      maxPayload: Math.max(1, maxPayload),
      perMessageDeflate: false,
      autoPong: false,
    });
    server.on('headers', (lines) => {
      for (const [name, value] of headerPairs(this.answerHeaders)) lines.push(`${name}: ${value}`);
    });
    this.servers.set(maxPayload, server);
    return server;
  }
}

/** The connection of an upgrade. */
export interface UpgradedConnection extends ExchangeConnection {
  readonly socket: Socket;
  reset(): void;
}

/** A WebSocket handshake: accepted, or refused by an ordinary response. */
export class WebSocketExchange extends ServedExchange {
  readonly httpVersion = '1.1';
  readonly unsentBytes = 0;
  readonly webSocket: SocketUpgrade;
  private readonly body: Buffer[] = [];
  private open: OpenSocket | undefined;

  constructor(
    private readonly connection: UpgradedConnection,
    request: IncomingMessage,
    headers: HeaderFields,
    start: Buffer,
    acceptor: SocketAcceptor,
    idleTimeoutMs: number,
  ) {
    const head = { method: 'GET', target: request.url ?? '', headers, expectsContinue: false };
    super({ peer: connection.peer }, head, false, { idleTimeoutMs, maxHeaderBytes: Infinity });
    this.webSocket = {
      accept: (fields, maxMessageBytes, sink) => {
        this.responded = true;
        this.done = true;
        const open = (this.open = new OpenSocket(sink, connection, idleTimeoutMs));
        acceptor.accept(request, connection.socket, start, fields, maxMessageBytes, (served) => open.attach(served));
        return open;
      },
    };
  }

  /** Writes something that clients ignore, so that one that is gone is noticed; `mayWrite`: now, and not only later. */
  probe(mayWrite: boolean): void {
    if (mayWrite) this.open?.ping();
    else this.connection.socket.write(nothing);
  }

  override closed(): void {
    this.open?.gone();
    super.closed();
  }

  /** The server stops: an open socket is told so before it is closed. */
  cut(): void {
    if (this.open === undefined) this.connection.reset();
    else this.open.shutDown();
  }

  protected get isWritable(): boolean {
    return this.connection.socket.writable;
  }

  protected get hasWrittenHead(): boolean {
    return false;
  }

  protected override begin(): void {
    // A refusal is written as a whole, at its end.
  }

  protected sendContinue(): void {
    // There is no body.
  }

  protected openBody(): Readable {
    return this.connection.socket;
  }

  protected sendHead(): void {
    // As above.
  }

  protected writeChunk(chunk: Buffer): boolean {
    this.body.push(chunk);
    return true;
  }

  protected finish(chunk: Buffer): void {
    const { head, body, connection } = this;
    if (head === undefined) return;
    writeRawReply(connection.socket, { ...head, body: Buffer.concat([...body, chunk]) });
    connection.socket.resume();
  }

  protected breakOff(): void {
    this.connection.socket.destroy();
  }
}

/** A socket after its handshake. */
class OpenSocket implements MessageSocket {
  private socket: ServedSocket | undefined;
  private isDone = false;
  private isPaused = false;
  private isFull = false;
  private lastSign = monotonicMs();
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
      this.lastSign = monotonicMs();
      if (!this.isDone) this.sink.onMessage(data as Buffer, isBinary);
    });
    socket.on('pong', () => (this.lastSign = monotonicMs()));
    socket.on('ping', (data) => {
      this.lastSign = monotonicMs();
      // Who pings and does not read shall not fill the memory with answers; the latest one counts.
      if (socket.readyState === OPEN && socket.bufferedAmount < MAX_BUFFERED_BYTES) socket.pong(data);
    });
    // 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.gone());
    this.timer = setInterval(() => this.keepAlive(), Math.min(PING_MS, Math.ceil(this.idleTimeoutMs / 2)));
  }

  send(data: Buffer, isBinary: boolean): boolean {
    const { socket } = this;
    if (this.isDone || socket?.readyState !== OPEN) return true;
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
    this.lastSign = monotonicMs();
    this.socket?.resume();
  }

  close(code: number, reason: string): void {
    if (this.isDone) return;
    this.stop();
    // Otherwise the client's close frame would never be read.
    this.resume();
    this.socket?.finish(code, cut(reason));
  }

  ping(): void {
    if (!this.isDone && this.socket?.readyState === OPEN) this.socket.ping();
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

  /** True if the sink closes the socket itself. */
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
    this.lastSign = monotonicMs();
    if (!this.isFull || this.isDone || this.socket!.bufferedAmount >= MAX_BUFFERED_BYTES) return;
    this.isFull = false;
    this.sink.onWritable();
  }

  /**
   * A client that answers pings may be silent for ever. Late pongs mean nothing while the client reads slowly or is not read
   * from.
   */
  private keepAlive(): void {
    const socket = this.socket!;
    if (this.isPaused || socket.bufferedAmount > 0) this.lastSign = monotonicMs();
    else if (monotonicMs() - this.lastSign > this.idleTimeoutMs) socket.terminate();
    else socket.ping();
  }

  private stop(): void {
    this.isDone = true;
    clearInterval(this.timer);
  }
}

/** Shortens a reason to what a close frame holds, without half a character at its end. */
function cut(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  return Buffer.from(reason)
    .subarray(0, MAX_REASON_BYTES)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
}
