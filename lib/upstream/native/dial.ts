/**
 * From addresses to an HTTP/2 connection: addresses are tried in order, the next one as soon as one fails or is slow (RFC
 * 8305), and the first server that sends its settings wins. While all of them are silent, one is tried afresh at intervals: a
 * server that returns does not know of connections from before. The connect time-out limits the whole dial.
 */
import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { CallStatus } from '../../exchange.js';
import { Connection, ConnectionError, type ConnectionListener, defaultConnectionOptions } from '../../http2/index.js';
import { essentialHeaders } from '../answer.js';
import { closedReason, connectReason, failures, notHttp2, unresolved } from '../outcome.js';
import { handshake } from '../tls.js';
import { sameForAll, type Reason } from '../reason.js';
import type { Address, AddressResolver } from './address.js';

/** How a server is reached. */
export interface DialOptions {
  readonly connectTimeoutMs: number;
  /** Undefined: cleartext. */
  readonly secureContext: SecureContext | undefined;
  /** The name that the server's certificate must have; undefined: its address. */
  readonly serverName: string | undefined;
  /** As in `ConnectionOptions`. */
  readonly keepaliveTimeMs: number | undefined;
  readonly keepaliveTimeoutMs: number;
  readonly maxHeaderListBytes: number;
}

/**
 * Called once: with a connection that is ready, whose listener the receiver then sets, or with the reason for the failure.
 */
export interface DialListener {
  onConnection(connection: Connection): void;
  onFailure(status: CallStatus): void;
}

/** Delay after which the next address is tried too. */
const NEXT_ADDRESS_MS = 250;

/** How often an address is tried afresh. */
const FRESH_ATTEMPT_MS = 500;

/**
 * All cleartext connections read into the same memory: what comes is read, and copied where it is kept, before the next read.
 * A buffer for each read, as Node makes them, lets the collector run for every few megabytes (bench:peers, HttpBody).
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Idle time after which TCP keep-alive probes start. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** One attempt to connect to a server. */
export class Dial {
  private readonly attempts = new Set<Attempt>();
  private addresses: readonly Address[] = [];
  private next = 0;
  private done = false;
  private readonly timeout: NodeJS.Timeout;
  private nextAddressTimer: NodeJS.Timeout | undefined;
  private freshTimer: NodeJS.Timeout | undefined;
  private freshAttempts = 0;
  /** The last one that was tried afresh: the next takes its place. All others may take the whole time. */
  private fresh: Attempt | undefined;

  /**
   * Starts at once. The listener is never called before the constructor returns.
   * @param target for messages.
   */
  constructor(
    private readonly target: string,
    resolve: AddressResolver,
    private readonly options: DialOptions,
    private readonly listener: DialListener,
  ) {
    const { connectTimeoutMs } = options;
    this.timeout = setTimeout(() => this.fail(failures.noConnection(target, connectTimeoutMs)), connectTimeoutMs);
    resolve((addresses) => this.start(addresses));
  }

  /** Aborts; the listener is not called any more. */
  abort(): void {
    this.done = true;
    clearTimeout(this.timeout);
    clearTimeout(this.nextAddressTimer);
    clearInterval(this.freshTimer);
    for (const attempt of this.attempts) attempt.abort();
    this.attempts.clear();
  }

  private start(addresses: readonly Address[]): void {
    if (this.done) return;
    if (addresses.length === 0) return this.fail(failures.cannotConnect(this.target, unresolved));
    this.addresses = addresses;
    this.tryNext();
  }

  private tryNext(): void {
    clearTimeout(this.nextAddressTimer);
    const address = this.addresses[this.next++];
    if (address === undefined) return;
    this.try(address);
    if (this.next < this.addresses.length) this.nextAddressTimer = setTimeout(() => this.tryNext(), NEXT_ADDRESS_MS);
    // What came while this process was busy is read before the server is taken for silent.
    else this.freshTimer = setInterval(() => void setImmediate(() => this.tryAfresh()), FRESH_ATTEMPT_MS);
  }

  private try(address: Address): Attempt {
    const attempt = new Attempt(address, this.options, {
      onConnection: (connected, connection) => this.succeed(connected, connection),
      onFailure: (failed, reason) => this.attemptFailed(failed, reason),
    });
    this.attempts.add(attempt);
    return attempt;
  }

  private tryAfresh(): void {
    if (this.done) return;
    const { addresses, fresh } = this;
    if (fresh !== undefined) {
      this.attempts.delete(fresh);
      fresh.abort();
    }
    this.fresh = this.try(addresses[this.freshAttempts++ % addresses.length]!);
  }

  private attemptFailed(attempt: Attempt, reason: Reason): void {
    if (this.done) return;
    this.attempts.delete(attempt);
    if (this.next < this.addresses.length) return this.tryNext();
    // Of those before nothing is left: the last that was tried afresh takes their place.
    if (attempt === this.fresh || this.attempts.size === 1) this.fresh = undefined;
    if (this.attempts.size === 0) this.fail(failures.cannotConnect(this.target, reason));
  }

  private succeed(attempt: Attempt, connection: Connection): void {
    this.attempts.delete(attempt);
    this.abort();
    this.listener.onConnection(connection);
  }

  private fail(status: CallStatus): void {
    this.abort();
    this.listener.onFailure(status);
  }
}

interface AttemptListener {
  onConnection(attempt: Attempt, connection: Connection): void;
  /** The reason completes "cannot connect to TARGET: …". */
  onFailure(attempt: Attempt, reason: Reason): void;
}

/** One address: TCP, then TLS, then the first settings. */
class Attempt implements ConnectionListener {
  private readonly socket: Socket;
  private connection: Connection | undefined;
  private isHttp2Started = false;
  private done = false;

  constructor(
    address: Address,
    private readonly options: DialOptions,
    private readonly listener: AttemptListener,
  ) {
    this.socket = connectTcp(options.secureContext === undefined ? { ...address, onread: this.onread } : address);
    this.socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.socketFailed(error));
    this.socket.once('connect', () => this.connected());
  }

  abort(): void {
    this.done = true;
    this.connection?.destroy();
    this.socket.destroy();
  }

  private get onread(): OnReadOpts {
    return {
      buffer: readBuffer,
      callback: (length) => {
        this.connection?.receive(readBuffer.subarray(0, length));
        return true;
      },
    };
  }

  private connected(): void {
    const { socket, options } = this;
    this.isHttp2Started = true;
    if (options.secureContext === undefined) return this.startHttp2(socket);
    const secure = handshake(socket, options.secureContext, options.serverName, (error) => {
      if (error !== undefined) return this.fail(error.reason);
      this.startHttp2(secure);
      secure.on('data', (chunk: Buffer) => this.connection?.receive(chunk));
    });
    secure.on('error', () => undefined);
  }

  private startHttp2(socket: Socket): void {
    if (this.done) return;
    const { keepaliveTimeMs, keepaliveTimeoutMs, maxHeaderListBytes } = this.options;
    this.connection = new Connection(socket, this, {
      ...defaultConnectionOptions,
      keepaliveTimeMs,
      keepaliveTimeoutMs,
      maxHeaderListBytes,
      essentialHeaders,
    });
  }

  onReady(): void {
    if (this.done) return;
    this.done = true;
    this.listener.onConnection(this, this.connection!);
  }

  onClose(error: Error | undefined): void {
    const tls = this.options.secureContext !== undefined;
    if (error === undefined) this.fail(sameForAll(closedReason(tls)));
    else if (error instanceof ConnectionError) this.fail(sameForAll(notHttp2(tls)));
    else this.fail(connectReason(textOf(error), tls));
  }

  onRoom(): void {}

  onDraining(): void {}

  onTooManyPings(): void {}

  private socketFailed(error: NodeJS.ErrnoException): void {
    // From then on, the error comes from TLS or HTTP/2.
    if (this.isHttp2Started) return;
    this.fail(connectReason(textOf(error), this.options.secureContext !== undefined));
  }

  private fail(reason: Reason): void {
    if (this.done) return;
    this.done = true;
    this.socket.destroy();
    this.listener.onFailure(this, reason);
  }
}

function textOf(error: NodeJS.ErrnoException): string {
  return error.code === undefined || error.message.includes(error.code)
    ? error.message
    : `${error.code} ${error.message}`;
}
