/**
 * A port: takes connections, tells HTTP/2 from HTTP/1 by their first bytes, or by what TLS agreed on, and closes them all in
 * the end. Where a request enters the process.
 *
 *   net.Server → (TLS) → first bytes → http1 or http2 → Exchange → handler
 */
import { createServer, type Server, type Socket } from 'node:net';
import { listenError, socketError, urlOf, type ListenAddress } from './address.js';
import { Http1Server } from './http1.js';
import type { ConnectionCare } from './http1-connection.js';
import { Http2Listener } from './http2.js';
import { Capacity } from './intake.js';
import { defaultListenerOptions, type ExchangeHandler, type ListenerOptions } from './options.js';
import { Pulse } from './pulse.js';
import { readListenerTls, requireClientCertificate, TlsPort, withoutTls } from './tls.js';

/** A port that is open. */
export interface Listener {
  /** The address that is really bound: with port 0, the one that was picked. */
  readonly address: ListenAddress;
  /** Connections of clients that are open. */
  readonly connections: number;
  /** Of the certificate in use; undefined without TLS. */
  readonly certificateExpires: Date | undefined;
  /** For people on this machine: `http://127.0.0.1:8080`; https with a certificate. */
  readonly url: string;
  /**
   * Serves on for `delayMs` (default 0), with answers that close their connections. Then takes no more requests, lets the
   * answers under way complete, and cancels what is left after `timeoutMs`. Resolves when the last connection is closed; never
   * rejects.
   */
  drain(timeoutMs: number, delayMs?: number): Promise<void>;
  /** Cuts everything at once. */
  closeNow(): void;
}

/**
 * Opens a port.
 * @throws ConfigError `port-in-use`, `listen-permission`, `listen-address` or `listen-failed`, or what
 * `checkListenerTls` throws.
 */
export async function listen(options: Partial<ListenerOptions>, handler: ExchangeHandler): Promise<Listener> {
  const complete: ListenerOptions = { ...defaultListenerOptions, ...options };
  const port = new Port(complete, handler);
  await port.open();
  return port;
}

const TCP_KEEP_ALIVE_MS = 60_000;

/** A connection without a request has this long to bring one, which may be under way when a drain begins. */
const LAST_REQUEST_MS = 500;

class Port implements Listener {
  address: ListenAddress;
  private readonly server: Server;
  private readonly http1: Http1Server;
  private readonly http2: Http2Listener;
  /** Undefined: cleartext. */
  private readonly tls: TlsPort | undefined;
  /** TCP connections, below TLS. */
  private readonly sockets = new Set<Socket>();
  /** Connections that have not sent enough to tell what they speak, or are shaking hands. */
  private readonly undecided = new Set<Socket>();
  private drained: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;
  private onCut: (() => void) | undefined;

  constructor(
    private readonly options: ListenerOptions,
    anyHandler: ExchangeHandler,
  ) {
    this.address = { host: options.host, port: options.port };
    const files = readListenerTls(options);
    this.tls = files && new TlsPort(files, options);
    const handler = options.tlsClientCert === 'require' ? requireClientCertificate(anyHandler) : anyHandler;
    const care: ConnectionCare = {
      capacity: new Capacity(() => handler.maxConcurrentRequests ?? Infinity),
      pulse: new Pulse(options.writeTimeoutMs),
      options,
    };
    this.http1 = new Http1Server(options, handler, care);
    this.http2 = new Http2Listener(options, handler, care);
    this.server = createServer(
      {
        // HTTP/1 answers are flushed before we end our side, also after the client has ended its own.
        allowHalfOpen: true,
        noDelay: true,
        // A client that vanished without a word is found out, though its stream may be silent for ever.
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      },
      (socket) => this.take(socket),
    );
  }

  open(): Promise<void> {
    const { host, port, fd } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', (error) => reject(listenError(error, { host, port, fd })));
      this.server.listen(fd === undefined ? { host, port } : { fd }, () => {
        this.server.removeAllListeners('error');
        // Such as no more file descriptors for one connection: the next may succeed.
        this.server.on('error', () => undefined);
        const bound = this.server.address();
        if (bound === null || typeof bound === 'string') {
          this.server.close();
          return reject(socketError(fd!, bound ?? 'it is not bound'));
        }
        this.address = { host: bound.address, port: bound.port };
        this.tls?.watch(this.url);
        resolve();
      });
    });
  }

  get certificateExpires(): Date | undefined {
    return this.tls?.certificateExpires;
  }

  get connections(): number {
    return this.sockets.size;
  }

  get url(): string {
    return urlOf(this.address, this.tls === undefined ? 'http' : 'https');
  }

  drain(timeoutMs: number, delayMs = 0): Promise<void> {
    this.drained ??= this.retire(delayMs).then(() => this.end(timeoutMs));
    return this.drained;
  }

  /** The next answer on each connection is its last. */
  private retire(delayMs: number): Promise<void> {
    this.http1.retire();
    this.http2.retire();
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.onCut = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private end(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.closeNow(), timeoutMs);
      const idle = setTimeout(() => {
        this.dropUndecided();
        this.http1.closeIdle();
      }, LAST_REQUEST_MS);
      this.onEmpty = () => {
        clearTimeout(timer);
        clearTimeout(idle);
        // Leaves nothing behind that would keep the process alive.
        this.closeNow();
        resolve();
      };
      this.stopAccepting();
      if (this.sockets.size === 0) this.onEmpty();
    });
  }

  closeNow(): void {
    this.onCut?.();
    this.stopAccepting();
    this.dropUndecided();
    this.http1.destroy();
    this.http2.destroy();
  }

  private take(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.forget(socket));
    // Every connection can be reset at any time; who serves it hears of the close.
    socket.on('error', () => undefined);
    if (this.tls === undefined) this.sniff(socket, 3, (head) => this.serve(socket, socket, head));
    else this.sniff(socket, 1, (head) => this.secure(socket, head));
  }

  private forget(socket: Socket): void {
    this.sockets.delete(socket);
    this.undecided.delete(socket);
    if (this.sockets.size === 0) this.onEmpty?.();
  }

  private stopAccepting(): void {
    this.server.close();
    this.tls?.close();
  }

  private dropUndecided(): void {
    for (const socket of this.undecided) socket.destroy();
  }

  private serve(socket: Socket, raw: Socket, head: Buffer): void {
    if (isHttp2(head)) this.http2.accept(socket, raw);
    else this.http1.accept(socket, head, raw);
  }

  /** Only a TLS handshake starts with this byte, and no method of HTTP does. */
  private secure(raw: Socket, head: Buffer): void {
    if (head[0] !== 0x16) return this.http1.refuseCleartext(raw, withoutTls());
    this.undecided.add(raw);
    this.tls!.accept(raw, ({ socket, isHttp2 }) => {
      this.undecided.delete(raw);
      if (isHttp2) this.http2.accept(socket, raw);
      else this.sniff(socket, 1, (first) => this.http1.accept(socket, first, raw));
    });
  }

  /**
   * Waits for the first bytes, `count` of them: in cleartext `PRI` starts HTTP/2 with prior knowledge and no method of
   * HTTP/1. They are put back before `onHead` gets them.
   */
  private sniff(socket: Socket, count: number, onHead: (head: Buffer) => void): void {
    this.undecided.add(socket);
    let head: Buffer | undefined;
    const settle = (): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', giveUp);
      this.undecided.delete(socket);
      if (head === undefined) return giveUp();
      socket.pause();
      socket.unshift(head);
      onHead(head);
    };
    const onData = (chunk: Buffer): void => {
      head = head === undefined ? chunk : Buffer.concat([head, chunk]);
      if (head.length >= count) settle();
    };
    const giveUp = (): void => void socket.destroy();
    // One that has sent a byte or two goes on to HTTP/1, whose own time-out answers it.
    const timer = setTimeout(settle, this.options.headerTimeoutMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.undecided.delete(socket);
    });
    socket.on('data', onData).on('end', giveUp);
  }
}

function isHttp2(head: Buffer): boolean {
  return head.length >= 3 && head[0] === 0x50 && head[1] === 0x52 && head[2] === 0x49;
}
