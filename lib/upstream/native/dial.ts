/**
 * From addresses to a connection that speaks HTTP/2: addresses are tried in order, the next one as soon as one fails or is
 * slow (RFC 8305), and the first that sends its settings wins. All in all it takes no longer than the connect time-out.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { CallStatus } from '../../exchange.js';
import { Connection, ConnectionError, type ConnectionListener, defaultConnectionOptions } from '../../http2/index.js';
import { closedReason, connectReason, ended, unresolved } from '../outcome.js';
import { handshake } from '../tls.js';
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
}

/** Gets a connection that is ready (its listener is then for the taker to set), or why there is none; once. */
export interface DialListener {
  onConnection(connection: Connection): void;
  onFailure(status: CallStatus): void;
}

/** After this time the next address is tried too. */
const NEXT_ADDRESS_MS = 250;

/** Without a word, the kernel asks after this time whether the other side is still there. */
const TCP_KEEP_ALIVE_MS = 60_000;

export class Dial {
  private readonly attempts = new Set<Attempt>();
  private addresses: readonly Address[] = [];
  private next = 0;
  private done = false;
  private readonly timeout: NodeJS.Timeout;
  private stagger: NodeJS.Timeout | undefined;

  /**
   * Starts at once; the listener is never called before the constructor returns.
   * @param target for messages.
   */
  constructor(
    private readonly target: string,
    resolve: AddressResolver,
    private readonly options: DialOptions,
    private readonly listener: DialListener,
  ) {
    const { connectTimeoutMs } = options;
    this.timeout = setTimeout(() => this.fail(ended.noConnection(target, connectTimeoutMs)), connectTimeoutMs);
    resolve((addresses) => this.start(addresses));
  }

  /** Gives up; the listener hears no more. */
  abort(): void {
    this.done = true;
    clearTimeout(this.timeout);
    clearTimeout(this.stagger);
    for (const attempt of this.attempts) attempt.abort();
    this.attempts.clear();
  }

  private start(addresses: readonly Address[]): void {
    if (this.done) return;
    if (addresses.length === 0) return this.fail(ended.cannotConnect(this.target, unresolved));
    this.addresses = addresses;
    this.tryNext();
  }

  private tryNext(): void {
    clearTimeout(this.stagger);
    const address = this.addresses[this.next++];
    if (address === undefined) return;
    this.attempts.add(
      new Attempt(address, this.options, {
        onConnection: (attempt, connection) => this.succeed(attempt, connection),
        onFailure: (attempt, reason) => this.attemptFailed(attempt, reason),
      }),
    );
    if (this.next < this.addresses.length) this.stagger = setTimeout(() => this.tryNext(), NEXT_ADDRESS_MS);
  }

  private attemptFailed(attempt: Attempt, reason: string): void {
    if (this.done) return;
    this.attempts.delete(attempt);
    if (this.next < this.addresses.length) this.tryNext();
    else if (this.attempts.size === 0) this.fail(ended.cannotConnect(this.target, reason));
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
  onFailure(attempt: Attempt, reason: string): void;
}

/** One address: TCP, then TLS, then the first settings. */
class Attempt implements ConnectionListener {
  private readonly socket: Socket;
  private connection: Connection | undefined;
  private speaking = false;
  private done = false;

  constructor(
    address: Address,
    private readonly options: DialOptions,
    private readonly listener: AttemptListener,
  ) {
    this.socket = connectTcp(address);
    this.socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.socketFailed(error));
    this.socket.once('connect', () => this.connected());
  }

  abort(): void {
    this.done = true;
    this.connection?.destroy();
    this.socket.destroy();
  }

  private connected(): void {
    const { socket, options } = this;
    this.speaking = true;
    if (options.secureContext === undefined) return this.speak(socket);
    const secure = handshake(socket, options.secureContext, options.serverName, (error) => {
      if (error !== undefined) this.fail(error.message);
      else this.speak(secure);
    });
    secure.on('error', () => undefined);
  }

  private speak(socket: Socket): void {
    if (this.done) return;
    const { keepaliveTimeMs, keepaliveTimeoutMs } = this.options;
    this.connection = new Connection(socket, this, {
      ...defaultConnectionOptions,
      keepaliveTimeMs,
      keepaliveTimeoutMs,
    });
  }

  onReady(): void {
    if (this.done) return;
    this.done = true;
    this.listener.onConnection(this, this.connection!);
  }

  onClose(error: Error | undefined): void {
    const tls = this.options.secureContext !== undefined;
    if (error === undefined) this.fail(closedReason(tls));
    else if (error instanceof ConnectionError) this.fail(notHttp2(tls));
    else this.fail(connectReason(textOf(error), tls));
  }

  onRoom(): void {}

  onDraining(): void {}

  onTooManyPings(): void {}

  private socketFailed(error: NodeJS.ErrnoException): void {
    // Once somebody speaks on it, that one tells.
    if (this.speaking) return;
    this.fail(connectReason(textOf(error), this.options.secureContext !== undefined));
  }

  private fail(reason: string): void {
    if (this.done) return;
    this.done = true;
    this.socket.destroy();
    this.listener.onFailure(this, reason);
  }
}

function notHttp2(tls: boolean): string {
  return tls ? 'it does not speak gRPC (HTTP/2)' : 'it does not speak gRPC without TLS (HTTP/2 in cleartext)';
}

function textOf(error: NodeJS.ErrnoException): string {
  return error.code === undefined || error.message.includes(error.code)
    ? error.message
    : `${error.code} ${error.message}`;
}
