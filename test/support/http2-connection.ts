/** A connection of `lib/http2` over a socket in memory: what the server sends is fed to it, what it writes is kept as frames. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, Connection, defaultConnectionOptions } from '../../lib/http2/index.js';
import type { Stream, StreamFailure } from '../../lib/http2/index.js';
import { FrameReader } from '../../lib/http2/frame.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';
import { END_HEADERS, frame, type SeenFrame, settings } from './http2-peer.js';

const PREFACE_BYTES = 24;

/** What one stream brought. */
export interface StreamEvents {
  readonly stream: Stream;
  status: number | undefined;
  fields: readonly string[];
  trailers: readonly string[] | undefined;
  readonly data: Buffer[];
  ended: boolean;
  failure: StreamFailure | undefined;
  drains: number;
}

export class TestConnection {
  readonly frames: SeenFrame[] = [];
  readonly connection: Connection;
  /** Rooms, drainings, and the like that the connection has reported. */
  readonly events: string[] = [];
  /** Why it was closed; `closed` where it was without an error. */
  end: Error | 'closed' | undefined;
  /** True: the socket takes no more, until `drain`. */
  choked = false;
  private readonly socket: Duplex;
  private readonly encoder = new FieldEncoder();

  constructor(options: Partial<ConnectionOptions> = {}, first: Buffer | undefined = settings()) {
    let prefaceLeft = PREFACE_BYTES;
    const reader = new FrameReader({
      onFrame: (type, flags, streamId, buffer, start, end) => {
        this.frames.push({ type, flags, streamId, payload: Buffer.from(buffer.subarray(start, end)) });
      },
    });
    this.socket = new Duplex({ read: () => undefined });
    this.socket.write = ((chunk: Buffer): boolean => {
      const skipped = Math.min(prefaceLeft, chunk.length);
      prefaceLeft -= skipped;
      reader.push(Buffer.from(chunk.subarray(skipped)));
      return !this.choked;
    }) as Duplex['write'];
    const socket = Object.assign(this.socket, { destroySoon: () => this.socket.destroy() }) as unknown as Socket;
    this.connection = new Connection(
      socket,
      {
        onReady: () => void this.events.push('ready'),
        onRoom: () => void this.events.push('room'),
        onDraining: () => void this.events.push('draining'),
        onTooManyPings: () => void this.events.push('too many pings'),
        onClose: (error) => (this.end = error ?? 'closed'),
      },
      { ...defaultConnectionOptions, ...options },
    );
    if (first !== undefined) this.feed(first);
  }

  /** Hands bytes of the server over, at once; their memory is used for something else then. */
  feed(...parts: readonly Buffer[]): void {
    const bytes = Buffer.concat(parts);
    this.connection.receive(bytes);
    bytes.fill(0xaa);
  }

  /** The socket takes more. */
  drain(): void {
    this.choked = false;
    this.socket.emit('drain');
  }

  /** The end of this turn of the event loop: what was collected is written. */
  turn(): Promise<void> {
    return new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
  }

  /** Opens a stream. */
  open(fields: readonly string[] = [':method', 'POST']): StreamEvents {
    const events = {
      status: undefined,
      fields: [],
      trailers: undefined,
      data: [],
      ended: false,
      failure: undefined,
      drains: 0,
    } as unknown as { -readonly [K in keyof StreamEvents]: StreamEvents[K] };
    events.stream = this.connection.open(fields, {
      onHeaders(status, found) {
        events.status = status;
        events.fields = found;
      },
      onData: (chunk) => void events.data.push(chunk),
      onTrailers: (found) => (events.trailers = found),
      onEnd: () => (events.ended = true),
      onFail: (found) => (events.failure = found),
      onDrain: () => void events.drains++,
    });
    return events;
  }

  /** HEADERS as the server sends them. */
  head(streamId: number, fields: readonly string[] = [':status', '200'], flags = 0): Buffer {
    return frame(1, flags | END_HEADERS, streamId, Buffer.from(this.encoder.encode(fields)));
  }

  /** Frames of one type that were written, of one stream or of all. */
  written(type: number, streamId?: number): SeenFrame[] {
    return this.frames.filter((one) => one.type === type && (streamId === undefined || one.streamId === streamId));
  }

  /** Bytes of DATA that were written on a stream. */
  dataOf(streamId: number): Buffer {
    return Buffer.concat(this.written(0, streamId).map(({ payload }) => payload));
  }
}
