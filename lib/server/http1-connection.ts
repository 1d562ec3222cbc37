/**
 * One HTTP/1 connection of a server of ours or of the application, and its requests: more than one with pipelining. Decides
 * when a request is served, notices clients that disconnect or read nothing, and closes the connection.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';
import type { Http1Connection, Http1Exchange } from './http1-exchange.js';
import { Intake, type Capacity } from './intake.js';
import { destroySoon, pauseAgain, replaceDestroySoon } from './node-internals.js';
import { DRAIN_BYTES, DRAIN_MS, type ListenerOptions } from './options.js';
import { peerOf } from './peer.js';
import { Progress, SocketWritten } from './progress.js';
import type { Pulse, Watched } from './pulse.js';
import type { WebSocketExchange } from './websocket.js';

/** What all connections of a server share. */
export interface ConnectionCare {
  readonly capacity: Capacity;
  readonly pulse: Pulse;
  readonly options: Pick<ListenerOptions, 'maxConnectionRequests' | 'writeTimeoutMs' | 'idleTimeoutMs'>;
}

/** An HTTP/1 connection, whoever owns its server. */
export class ClientConnection implements Http1Connection, Watched {
  readonly peer: Peer;
  readonly intake: Intake<Http1Exchange>;
  /** The request that took the connection over. */
  upgraded: WebSocketExchange | undefined;
  private readonly progress: Progress;
  /** How many bytes had been read when the connection was sealed. */
  private sealedAt: number | undefined;
  private isLingering = false;
  /** How many checks in a row found that the connection is not read. */
  private pausedChecks = 0;

  /**
   * @param tcp the socket below TLS, if it is known
   * @param reset closes the connection by a TCP reset
   */
  constructor(
    readonly socket: Socket,
    private readonly care: ConnectionCare,
    tcp: Socket,
    readonly reset: () => void,
  ) {
    const { maxConnectionRequests, writeTimeoutMs } = care.options;
    this.peer = peerOf(socket);
    this.progress = new Progress(new SocketWritten(tcp), writeTimeoutMs);
    this.intake = new Intake(care.capacity, maxConnectionRequests, (isWaiting) => this.hold(isWaiting));
    socket.on('resume', () => {
      if (this.intake.hasWaiting) pauseAgain(socket);
    });
    socket.on('close', () => this.lost());
    care.pulse.add(this);
  }

  /** True once a response announced that it is the last: later requests are ignored. */
  get isSealed(): boolean {
    return this.sealedAt !== undefined;
  }

  /** True if no request is under way. */
  get isIdle(): boolean {
    return this.intake.size === 0;
  }

  /** Serves a request by `start` when its turn has come. */
  take(exchange: Http1Exchange, response: ServerResponse, start: () => void): void {
    response.on('close', () => this.settle(exchange));
    this.intake.enter(exchange, start);
  }

  /** Drops a request that comes too late to be served, and reads a bounded part of its body. */
  ignore(request: IncomingMessage): void {
    const { sealedAt = 0 } = this;
    const check = (): void => {
      if (this.socket.bytesRead - sealedAt > DRAIN_BYTES) this.socket.pause();
    };
    request.on('data', check);
    check();
  }

  seal(): void {
    if (this.isSealed) return;
    this.sealedAt = this.socket.bytesRead;
    for (const exchange of this.intake.dropWaiting()) this.settle(exchange);
    replaceDestroySoon(this.socket, () => this.linger());
  }

  closesAfter(_exchange: Http1Exchange): boolean {
    return false;
  }

  checkTimeouts(nowMs: number): void {
    if (this.progress.isStalled(nowMs)) this.reset();
    else if (this.socket.readableFlowing === false && (this.upgraded !== undefined || !this.isIdle))
      this.probe(++this.pausedChecks);
    else this.pausedChecks = 0;
  }

  /** A request has left: its response was sent, or never will be. */
  protected answered(): void {
    // A connection of our own server may close now.
  }

  protected lost(): void {
    this.care.pulse.delete(this);
    const all = this.intake.all();
    this.intake.dropWaiting();
    for (const exchange of all) this.settle(exchange);
    this.upgraded?.closed();
  }

  private settle(exchange: Http1Exchange): void {
    if (exchange.isSettled) return;
    exchange.closed();
    this.answered();
  }

  /** While a request waits, no further ones are read. */
  private hold(isWaiting: boolean): void {
    if (isWaiting) this.socket.pause();
    else this.socket.resume();
  }

  /**
   * While the connection is not read, only a write shows that its client is gone. Bytes that clients ignore are written at
   * each check if requests wait behind each other, and otherwise at growing intervals: Go's client accepts only five
   * responses "100 Continue".
   */
  private probe(checks: number): void {
    if (this.socket.writableLength > 0) return;
    const all = this.intake.all();
    const [first] = all;
    const isTime = all.length > 1 || Number.isInteger(Math.log2(checks) / 2);
    if (first === undefined) this.upgraded?.probe(isTime);
    else first.probe(isTime);
  }

  /**
   * Ends our side, and waits for the client to end its own. Closing with bytes unread would be a reset, and that could take
   * the last response away from a client that has not read it.
   */
  private linger(): void {
    if (this.isLingering) return;
    this.isLingering = true;
    const { socket } = this;
    socket.end();
    if (socket.readableEnded) return destroySoon(socket);
    const timer = setTimeout(() => socket.destroy(), DRAIN_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('end', () => {
      destroySoon(socket);
    });
  }
}
