/**
 * The wire between the proxy and one server: a TCP relay that knows the frames of HTTP/2, so that it can be slow, stand still,
 * cut connections in the middle of a frame, or put frames of its own between those of the server. It never lies about what the
 * server has done: REFUSED_STREAM and a GOAWAY that leaves streams out come only from a link that passes nothing on.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FrameType } from '../../lib/http2/frame.js';
import { frame, goAway, number, settings } from '../support/http2-peer.js';

/** What becomes of connections that come now. `pass`: they are relayed; all others reach no server. */
export type Manner = 'pass' | 'silent' | 'close' | 'http1' | 'refuse' | 'goaway';

export const manners: readonly Manner[] = ['silent', 'close', 'http1', 'refuse', 'goaway'];

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const REFUSED_STREAM = 7;

/** Finds the frames in bytes that pass by. */
class FrameScanner {
  private head = Buffer.alloc(0);
  private left = 0;

  constructor(
    private skip: number,
    private readonly onHead: (type: number, flags: number, streamId: number) => void,
  ) {}

  /** True between two frames. */
  get isBetween(): boolean {
    return this.skip === 0 && this.left === 0 && this.head.length === 0;
  }

  /** Reads on, up to the end of the next frame or of the bytes; returns how many bytes that were. */
  read(bytes: Buffer): number {
    let at = Math.min(this.skip, bytes.length);
    this.skip -= at;
    if (this.left === 0) {
      const more = bytes.subarray(at, at + HEAD_BYTES - this.head.length);
      this.head = Buffer.concat([this.head, more]);
      at += more.length;
      if (this.head.length < HEAD_BYTES) return at;
      this.left = this.head.readUIntBE(0, 3);
      this.onHead(this.head[3]!, this.head[4]!, this.head.readUInt32BE(5) & 0x7fffffff);
      this.head = Buffer.alloc(0);
    }
    const body = Math.min(this.left, bytes.length - at);
    this.left -= body;
    return at + body;
  }
}

/** Bytes on their way to a socket, which may take a while. */
class Lane {
  private readonly queue: { readonly at: number; readonly bytes: Buffer | undefined }[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly to: Socket,
    private readonly link: Link,
  ) {}

  /** @param bytes undefined: the end */
  push(bytes: Buffer | undefined): void {
    this.queue.push({ at: Date.now() + this.link.latencyMs, bytes });
    this.pump();
  }

  private pump(): void {
    clearTimeout(this.timer);
    for (;;) {
      const [next] = this.queue;
      if (next === undefined) return;
      const waitMs = next.at - Date.now();
      if (waitMs > 0) return void (this.timer = setTimeout(() => this.pump(), waitMs));
      this.queue.shift();
      if (this.to.destroyed) continue;
      if (next.bytes === undefined) this.to.end();
      else this.to.write(next.bytes);
    }
  }
}

/** One connection of the proxy to the server. */
export class Pair {
  /** Streams that are open, as far as frames tell. */
  readonly streams = new Set<number>();
  private readonly server: Socket;
  private readonly down: Lane;
  private readonly fromServer: FrameScanner;
  private injected: Buffer[] = [];
  /** The server's settings have passed: they come first. */
  private isStarted = false;
  /** Of what the server sends, only a part of the next chunk still passes. */
  private isCutting = false;

  constructor(
    private readonly client: Socket,
    port: number,
    link: Link,
  ) {
    this.server = connect(port, '127.0.0.1');
    const up = new Lane(this.server, link);
    this.down = new Lane(client, link);
    this.fromServer = new FrameScanner(0, (type, flags, id) => this.answered(type, flags, id));
    const fromClient = new FrameScanner(PREFACE_BYTES, (type, _flags, id) => {
      if (type === FrameType.HEADERS) this.streams.add(id);
      if (type === FrameType.RST_STREAM) this.streams.delete(id);
    });
    client.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) at += fromClient.read(chunk.subarray(at));
      up.push(chunk);
    });
    this.server.on('data', (chunk: Buffer) => this.relay(chunk));
    client.on('end', () => up.push(undefined));
    this.server.on('end', () => this.down.push(undefined));
    for (const socket of [client, this.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut());
    }
    if (link.isStalled) this.hold(true);
  }

  private answered(type: number, flags: number, id: number): void {
    const isEnd = (type === FrameType.HEADERS || type === FrameType.DATA) && (flags & 1) !== 0;
    if (isEnd || type === FrameType.RST_STREAM) this.streams.delete(id);
  }

  private relay(chunk: Buffer): void {
    if (this.isCutting) {
      this.client.write(chunk.subarray(0, chunk.length >> 1));
      return void setImmediate(() => this.cut());
    }
    for (let at = 0; at < chunk.length;) {
      const read = this.fromServer.read(chunk.subarray(at));
      this.down.push(chunk.subarray(at, at + read));
      at += read;
      this.isStarted ||= this.fromServer.isBetween;
      this.flush();
    }
  }

  /** Puts bytes between two frames of the server. */
  inject(...frames: readonly Buffer[]): void {
    this.injected.push(...frames);
    this.flush();
  }

  private flush(): void {
    if (!this.isStarted || !this.fromServer.isBetween) return;
    for (const bytes of this.injected) this.down.push(bytes);
    this.injected = [];
  }

  hold(isHeld: boolean): void {
    for (const socket of [this.client, this.server]) {
      if (isHeld) socket.pause();
      else socket.resume();
    }
  }

  cut(): void {
    for (const socket of [this.client, this.server]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  cutHalfWay(): void {
    this.isCutting = true;
  }
}

/** The wire to one server. */
export class Link {
  latencyMs = 0;
  manner: Manner = 'pass';
  isStalled = false;
  /** Connections that the proxy has opened. */
  accepted = 0;
  readonly pairs = new Set<Pair>();
  private readonly others = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  /** @param serverPort where the server listens now */
  constructor(private readonly serverPort: () => number) {}

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Takes connections, from the second time on at the same port. */
  async open(): Promise<void> {
    if (this.server !== undefined) return;
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Connections are refused from now on. */
  close(): void {
    this.server?.close();
    this.server = undefined;
    for (const socket of this.others) socket.destroy();
  }

  cut(): void {
    for (const pair of this.pairs) pair.cut();
  }

  stall(isStalled: boolean): void {
    this.isStalled = isStalled;
    for (const pair of this.pairs) pair.hold(isStalled);
  }

  /**
   * Connections that come from now on are treated so, and those that stand are cut; but of those that nobody answers nobody ever
   * hears.
   */
  behave(manner: Manner): void {
    if (this.manner !== 'silent') for (const socket of this.others) socket.resetAndDestroy();
    this.manner = manner;
    this.cut();
  }

  private accept(socket: Socket): void {
    this.accepted++;
    if (this.manner === 'pass') {
      const pair = new Pair(socket, this.serverPort(), this);
      this.pairs.add(pair);
      socket.on('close', () => {
        this.pairs.delete(pair);
        pair.cut();
      });
      return;
    }
    this.others.add(socket);
    socket.on('error', () => undefined).on('close', () => this.others.delete(socket));
    this.misbehave(socket, this.manner);
  }

  private misbehave(socket: Socket, manner: Manner): void {
    switch (manner) {
      case 'pass':
        return;
      case 'silent':
        return void socket.resume().on('end', () => socket.destroy());
      case 'close':
        return void socket.destroy();
      case 'http1':
        return void socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
      case 'goaway':
        socket.resume();
        socket.write(Buffer.concat([settings(), goAway(0)]));
        return void setTimeout(() => socket.destroy(), 20);
      case 'refuse': {
        socket.write(settings());
        const scanner = new FrameScanner(PREFACE_BYTES, (type, _flags, id) => {
          if (type === FrameType.HEADERS) socket.write(number(FrameType.RST_STREAM, id, REFUSED_STREAM));
        });
        return void socket.on('data', (chunk: Buffer) => {
          for (let at = 0; at < chunk.length;) at += scanner.read(chunk.subarray(at));
        });
      }
    }
  }
}

/** Frames that no server may send; each costs the connection. */
export const wrongFrames: Readonly<Record<string, Buffer>> = {
  'an answer of HTTP/1': Buffer.from('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'),
  'bytes without sense': Buffer.alloc(64, 0xff),
  'DATA without a stream': frame(FrameType.DATA, 0, 0, '00'),
  'HEADERS of a stream that nobody opened': frame(FrameType.HEADERS, 5, 2, '88'),
  'SETTINGS of five bytes': frame(FrameType.SETTINGS, 0, 0, '0000000000'),
  'a window opened by nothing': number(FrameType.WINDOW_UPDATE, 0, 0),
  'CONTINUATION of nothing': frame(FrameType.CONTINUATION, 4, 1, '88'),
  PUSH_PROMISE: frame(FrameType.PUSH_PROMISE, 4, 1, '0000000288'),
  'GOAWAY with an error': goAway(2 ** 31 - 1, 2),
};
