/** An HTTP/2 server made by hand, frame by frame: for what no well-behaved server does. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FrameReader, FrameType } from '../../lib/http2/frame.js';
import { FieldDecoder } from '../../lib/http2/hpack-decoder.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A frame as bytes. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, body]);
}

/** SETTINGS from pairs of id and value. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(FrameType.SETTINGS, 0, 0, payload);
}

/** WINDOW_UPDATE, RST_STREAM: a frame of one number. */
export function number(type: number, streamId: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frame(type, 0, streamId, payload);
}

export function goAway(lastStreamId: number, code = 0): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastStreamId, 0);
  payload.writeUInt32BE(code, 4);
  return frame(FrameType.GOAWAY, 0, 0, payload);
}

export const END_STREAM = 1;
export const END_HEADERS = 4;

const PREFACE_BYTES = 24;

/** One connection of a client to the server. */
export class Peer {
  readonly frames: SeenFrame[] = [];
  closed = false;
  private readonly encoder = new FieldEncoder();
  private readonly decoder = new FieldDecoder(1e6);
  private watchers: (() => void)[] = [];
  private prefaceLeft = PREFACE_BYTES;

  constructor(readonly socket: Socket) {
    const reader = new FrameReader({
      onFrame: (type, flags, streamId, buffer, start, end) => {
        this.frames.push({ type, flags, streamId, payload: Buffer.from(buffer.subarray(start, end)) });
      },
    });
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(this.prefaceLeft, chunk.length);
      this.prefaceLeft -= skipped;
      reader.push(chunk.subarray(skipped));
      this.wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** HEADERS with a whole field block. */
  headers(streamId: number, fields: readonly string[], flags = 0): Buffer {
    return frame(FrameType.HEADERS, flags | END_HEADERS, streamId, Buffer.from(this.encoder.encode(fields)));
  }

  /** The fields of a HEADERS frame; each block must be decoded once, in order. */
  fieldsOf({ payload }: SeenFrame): string[] {
    return this.decoder.decode(payload, 0, payload.length);
  }

  /** Waits until the client has sent such a frame. */
  async seen(what: string, accept: (frame: SeenFrame) => boolean): Promise<SeenFrame> {
    for (;;) {
      const found = this.frames.find(accept);
      if (found !== undefined) return found;
      if (this.closed) throw new Error(`the client closed the connection without ${what}`);
      await this.change();
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) await this.change();
  }

  /** DATA of a stream so far. */
  dataOf(streamId: number): Buffer {
    return Buffer.concat(
      this.frames.filter((one) => one.type === 0 && one.streamId === streamId).map(({ payload }) => payload),
    );
  }

  change(): Promise<void> {
    return new Promise((resolve) => this.watchers.push(resolve));
  }

  private wake(): void {
    const { watchers } = this;
    this.watchers = [];
    for (const watcher of watchers) watcher();
  }
}

export interface PeerServer {
  readonly target: string;
  readonly port: number;
  readonly server: Server;
  /** All connections so far. */
  readonly peers: Peer[];
  close(): void;
}

/** Starts a server; each connection is handed over with nothing sent on it. */
export async function peerServer(onPeer: (peer: Peer) => void): Promise<PeerServer> {
  const peers: Peer[] = [];
  const server = createServer((socket) => {
    const peer = new Peer(socket);
    peers.push(peer);
    onPeer(peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    target: `127.0.0.1:${port}`,
    port,
    server,
    peers,
    close() {
      for (const { socket } of peers) socket.destroy();
      server.close();
    },
  };
}
