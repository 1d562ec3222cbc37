/**
 * The client's side of one HTTP/2 connection (RFC 9113) over a socket that stands. It opens streams as the server's settings
 * allow and keeps to its rules; a server that breaks them loses the connection, and its streams are told why. All frames of
 * one turn of the event loop go out in one write (bench: unary). It knows nothing of gRPC, and takes no pushes.
 * In one file, as it is one state machine: every frame changes state that the others read.
 */
import type { Socket } from 'node:net';
import { monotonicMs } from '../clock.js';
import { type HeaderFields, printable } from '../headers.js';
import { BlockReader, type FieldList } from './block-reader.js';
import { ConnectionError, ErrorCode, errorCodeName, protocolError } from './error.js';
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  Flag,
  FrameReader,
  FrameType,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  SettingId,
  type FrameSink,
  paddingOf,
} from './frame.js';
import { FrameWriter } from './frame-writer.js';
import { FieldEncoder } from './hpack-encoder.js';
import { ResetPacer } from './reset-pacer.js';
import { Stream, type StreamFailure, type StreamListener, type StreamOwner } from './stream.js';
import { StreamTable } from './stream-table.js';

/** Bounds of what a connection holds. */
export interface ConnectionOptions {
  /** What is kept of one header list, in bytes as `entrySize` counts. Default 256 KiB. */
  readonly maxHeaderListBytes: number;
  /** Names whose first value is kept of a list that is over this limit, wherever it stands. Default: `:status`. */
  readonly essentialHeaders: ReadonlySet<string>;
  /** What the server may send on one stream before it is consumed, in bytes. Default 256 KiB. */
  readonly streamWindowBytes: number;
  /** What it may send on all of them before we answer, in bytes. Default 16 MiB. */
  readonly connectionWindowBytes: number;
  /**
   * While a stream is open and nothing has come for so long, in milliseconds, the server is asked by PING whether it is there.
   * Default undefined: never.
   */
  readonly keepaliveTimeMs: number | undefined;
  /** It is taken for dead where nothing comes for so long after that, in milliseconds. Default 20 000. */
  readonly keepaliveTimeoutMs: number;
}

/** The default of each option of a connection. */
export const defaultConnectionOptions: ConnectionOptions = Object.freeze({
  maxHeaderListBytes: 256 * 1024,
  essentialHeaders: new Set([':status']),
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 16 * 1024 ** 2,
  keepaliveTimeMs: undefined,
  keepaliveTimeoutMs: 20_000,
});

/** What becomes of a connection. */
export interface ConnectionListener {
  /** The server's first settings came: it speaks HTTP/2. */
  onReady(): void;
  /** One more stream may be opened. */
  onRoom(): void;
  /** No stream may be opened any more; those that are open go on. */
  onDraining(): void;
  /** The server wants fewer PINGs, and gives the connection up for it (GOAWAY with "too_many_pings"). */
  onTooManyPings(): void;
  /** It is gone, and so are its streams; the last event. */
  onClose(error: Error | undefined): void;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What is collected before streams have to wait for the socket. */
const MAX_BATCH_BYTES = 256 * 1024;

/** Answers to PING and SETTINGS, and resets, that wait for a server that does not read them. */
const MAX_WAITING_REPLIES = 10_000;

/** Frames without content, one after the other, that are a flood where they come within FLOOD_MS. */
const MAX_IDLE_FRAMES = 10_000;
const FLOOD_MS = 10_000;

/** What of a GOAWAY's own words is told on. */
const MAX_DEBUG_BYTES = 100;

/** The time for what was written to leave a connection that is closed. */
const LAST_WORDS_MS = 1000;

/** The client side of one HTTP/2 connection. */
export class Connection implements FrameSink, StreamOwner {
  private readonly reader = new FrameReader(this, DEFAULT_MAX_FRAME_BYTES, true);
  private readonly writer = new FrameWriter();
  private readonly encoder = new FieldEncoder();
  private readonly blocks: BlockReader;
  private readonly streams = new StreamTable<Stream>();
  /** Streams that were given up and wait for their reset: what still comes on them is dropped. */
  private readonly abandoned = new Map<number, Abandoned>();
  private readonly pacer = new ResetPacer<Abandoned>(
    (item) => this.resetNow(item),
    () => this.drain(),
  );
  /** Streams with something to send that wait for the connection alone. */
  private readonly waiting = new Set<Stream>();
  private nextStreamId = 1;
  private maxStreams = Infinity;
  private peerHeaderListLimit = Infinity;
  private ready = false;
  private draining = false;
  private closed = false;

  private sendWindow = DEFAULT_WINDOW_BYTES;
  private initialSendWindow = DEFAULT_WINDOW_BYTES;
  private receiveWindow: number;
  private receivedBytes = 0;

  private flushing = false;
  /** The socket has more than it wants: nothing is written before its `drain`. */
  private choked = false;
  private waitingReplies = 0;
  /** Streams from this id on have not left yet, not even in part. */
  private firstUnsentId = 1;

  private lastReadAt = monotonicMs();
  /** Runs while streams are open, until the next PING or the time that its answer may take. */
  private keepalive: NodeJS.Timeout | undefined;
  private idleFrames = 0;
  private floodSince = 0;

  constructor(
    private readonly socket: Socket,
    /** May change hands once it is ready. */
    public listener: ConnectionListener,
    private readonly options = defaultConnectionOptions,
  ) {
    this.blocks = new BlockReader(options.maxHeaderListBytes, options.essentialHeaders);
    this.receiveWindow = options.connectionWindowBytes;
    socket.on('drain', () => this.unchoke());
    socket.on('error', (error) => this.close(error));
    socket.on('end', () => this.close(undefined));
    socket.on('close', () => this.close(undefined));
    this.sendPreface();
  }

  /** True where a stream may be opened now. */
  get hasRoom(): boolean {
    return this.ready && !this.draining && this.streamCount < this.maxStreams;
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.streams.size + this.abandoned.size;
  }

  /** What the server takes of a header list at most, as `entrySize` counts (SETTINGS_MAX_HEADER_LIST_SIZE). */
  get peerMaxHeaderListBytes(): number {
    return this.peerHeaderListLimit;
  }

  /** Opens a stream; call it only where `hasRoom`. */
  open(fields: HeaderFields, listener: StreamListener): Stream {
    const { nextStreamId: id, options } = this;
    this.nextStreamId += 2;
    const stream = new Stream(id, this, listener, this.initialSendWindow, options.streamWindowBytes);
    this.streams.add(stream);
    this.writer.headers(id, this.encoder.encode(fields), false);
    this.schedule();
    if (this.keepalive === undefined && options.keepaliveTimeMs !== undefined) this.watch(options.keepaliveTimeMs);
    // All ids are used up, after a thousand million calls.
    if (this.nextStreamId > MAX_STREAM_ID) this.drain();
    return stream;
  }

  /** Takes no more streams, and closes when those that are open have ended. */
  drain(): void {
    if (this.draining || this.closed) return;
    this.draining = true;
    this.listener.onDraining();
    this.closeIfDrained();
  }

  /** Closes at once; streams that are open are lost. */
  destroy(): void {
    this.close(undefined);
  }

  // ------------------------------------------------------------------------------------- sending

  private sendPreface(): void {
    const { streamWindowBytes, connectionWindowBytes } = this.options;
    const settings = [
      [SettingId.ENABLE_PUSH, 0],
      [SettingId.INITIAL_WINDOW_SIZE, streamWindowBytes],
      // Some servers drop the whole status where it is over what we say here: it is what we can read, not what we keep.
      [SettingId.MAX_HEADER_LIST_SIZE, this.blocks.maxBlockBytes],
    ] as const;
    const payload = Buffer.alloc(settings.length * 6);
    settings.forEach(([id, value], index) => {
      payload.writeUInt16BE(id, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    });
    this.writer.raw(PREFACE);
    this.writer.frame(FrameType.SETTINGS, 0, 0, payload);
    this.writer.numbers(FrameType.WINDOW_UPDATE, 0, 0, connectionWindowBytes - DEFAULT_WINDOW_BYTES);
    this.flush();
  }

  sendable(): number {
    return this.choked || this.writer.size >= MAX_BATCH_BYTES ? 0 : this.sendWindow;
  }

  sendData(streamId: number, payload: Buffer, last: boolean): void {
    this.sendWindow -= payload.length;
    this.writer.data(streamId, payload, last);
    this.schedule();
  }

  sendEnd(streamId: number): void {
    this.writer.endStream(streamId);
    this.schedule();
  }

  sendReset(id: number, code: number, endSent: boolean): void {
    if (this.closed) return;
    const item = { id, code, endSent };
    this.abandoned.set(id, item);
    this.pacer.giveUp(item);
  }

  private resetNow(item: Abandoned): void {
    this.writer.numbers(FrameType.RST_STREAM, 0, item.id, item.code);
    this.schedule();
    this.abandonedOver(item);
  }

  /** The server has ended its half; if it has all of the request, nothing is left to reset. */
  private answerOver(streamId: number, isReset: boolean): void {
    const item = this.abandoned.get(streamId);
    if (item === undefined || !(item.endSent || isReset)) return;
    this.pacer.forget(item);
    this.abandonedOver(item);
  }

  private abandonedOver({ id }: Abandoned): void {
    this.abandoned.delete(id);
    this.roomMayBe();
  }

  sendWindowUpdate(streamId: number, bytes: number): void {
    this.writer.numbers(FrameType.WINDOW_UPDATE, 0, streamId, bytes);
    this.schedule();
  }

  waitForRoom(stream: Stream): void {
    this.waiting.add(stream);
  }

  forget(stream: Stream): void {
    this.streams.delete(stream);
    this.waiting.delete(stream);
    if (this.draining) this.closeIfDrained();
    else this.roomMayBe();
  }

  private roomMayBe(): void {
    if (this.streamCount + 1 >= this.maxStreams && !this.closed) queueMicrotask(() => this.tellRoom());
  }

  private tellRoom(): void {
    if (this.hasRoom) this.listener.onRoom();
  }

  private closeIfDrained(): void {
    if (this.streams.size > 0 || this.closed) return;
    this.writer.goAway(ErrorCode.NO_ERROR);
    this.close(undefined);
  }

  private reply(): void {
    if (this.choked && ++this.waitingReplies > MAX_WAITING_REPLIES) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'sent more than it reads the answers to');
    }
    this.schedule();
  }

  private schedule(): void {
    if (this.flushing || this.choked) return;
    this.flushing = true;
    setImmediate(flushConnection, this);
  }

  /** Writes the batch. */
  flush(): void {
    this.flushing = false;
    if (this.closed || this.choked) return;
    this.write();
    if (this.waiting.size > 0 && !this.choked) this.pump();
  }

  private write(): void {
    const { socket } = this;
    const parts = this.writer.take();
    this.firstUnsentId = this.nextStreamId;
    if (parts.length === 0) return;
    if (parts.length === 1) {
      this.choked = !socket.write(parts[0]!);
      return;
    }
    socket.cork();
    for (const part of parts) this.choked = !socket.write(part);
    socket.uncork();
  }

  private unchoke(): void {
    this.choked = false;
    this.waitingReplies = 0;
    this.pump();
    if (this.writer.size > 0) this.schedule();
  }

  /** Lets the waiting streams send in turn, a frame each, while there is room. */
  private pump(): void {
    const { waiting } = this;
    while (waiting.size > 0 && this.sendable() > 0) {
      for (const stream of waiting) {
        waiting.delete(stream);
        if (!stream.sendOne()) continue;
        if (stream.blocked) waiting.add(stream);
        if (this.sendable() <= 0) return;
      }
    }
  }

  // ------------------------------------------------------------------------------------- receiving

  /** What comes from the socket; it is read before the call returns, and nothing of it is kept. Whoever made the socket calls this. */
  receive(chunk: Buffer): void {
    if (this.closed) return;
    this.lastReadAt = monotonicMs();
    try {
      this.reader.push(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.close(error);
    }
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (this.closed) return;
    this.blocks.check(type, streamId);
    if (!this.ready && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw protocolError('did not send its settings first');
    }
    switch (type) {
      case FrameType.DATA:
        return this.onData(flags, streamId, buffer, start, end);
      case FrameType.HEADERS:
        return this.onHeaders(flags, streamId, buffer, start, end);
      case FrameType.CONTINUATION:
        return this.onList(this.blocks.continuation(flags, buffer, start, end));
      case FrameType.RST_STREAM:
        return this.onReset(streamId, buffer, start, end);
      case FrameType.WINDOW_UPDATE:
        return this.onWindowUpdate(streamId, buffer, start, end);
      case FrameType.SETTINGS:
        return this.onSettings(flags, streamId, buffer, start, end);
      case FrameType.PING:
        return this.onPing(flags, streamId, buffer, start, end);
      case FrameType.GOAWAY:
        return this.onGoAway(streamId, buffer, start, end);
      case FrameType.PRIORITY:
        return this.onPriority(streamId, start, end);
      case FrameType.PUSH_PROMISE:
        throw protocolError('pushed a stream, which our settings forbid');
      default:
        // Unknown frames are for extensions that we did not agree to (section 5.5).
        this.countIdleFrame();
    }
  }

  /** Each such frame is legal, and costs as much as one that is of use: only a flood of them is a fault (section 10.5). */
  private countIdleFrame(): void {
    if (this.idleFrames === 0) this.floodSince = monotonicMs();
    if (++this.idleFrames < MAX_IDLE_FRAMES) return;
    if (monotonicMs() - this.floodSince < FLOOD_MS) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `sent ${MAX_IDLE_FRAMES} frames without content in a row`);
    }
    this.idleFrames = 0;
  }

  private onData(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    const stream = this.streamOf(streamId, 'DATA');
    const frameBytes = end - start;
    this.receiveWindow -= frameBytes;
    if (this.receiveWindow < 0) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'sent more than the window of its connection allows');
    }
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      to -= paddingOf(buffer, start, end);
      from++;
    }
    if (from === to) this.countIdleFrame();
    else this.idleFrames = 0;
    if (stream === undefined && (flags & Flag.END_STREAM) !== 0) this.answerOver(streamId, false);
    stream?.receiveData(buffer.subarray(from, to), frameBytes, (flags & Flag.END_STREAM) !== 0);
    // One stream that is not read must not stop the others: only streams hold the server back.
    this.receivedBytes += frameBytes;
    if (this.receivedBytes < this.options.connectionWindowBytes / 4 || this.closed) return;
    this.receiveWindow += this.receivedBytes;
    this.sendWindowUpdate(0, this.receivedBytes);
    this.receivedBytes = 0;
  }

  private onHeaders(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    this.streamOf(streamId, 'HEADERS');
    this.onList(this.blocks.headers(flags, streamId, buffer, start, end));
  }

  /** Even what nobody wants any more was decoded: the table goes on from there. */
  private onList(list: FieldList | undefined): void {
    if (list === undefined) return;
    this.idleFrames = 0;
    const { streamId, fields, last, cut } = list;
    const stream = this.streams.get(streamId);
    if (stream === undefined && last) this.answerOver(streamId, false);
    stream?.receiveHeaders(fields, last, cut);
  }

  private onReset(streamId: number, buffer: Buffer, start: number, end: number): void {
    expectBytes('RST_STREAM', end - start, 4);
    const stream = this.streamOf(streamId, 'RST_STREAM');
    const code = buffer.readUInt32BE(start);
    if (stream === undefined) {
      this.answerOver(streamId, true);
      this.countIdleFrame();
    }
    stream?.fail(code === ErrorCode.REFUSED_STREAM ? { kind: 'refused' } : { kind: 'reset', code });
  }

  private onWindowUpdate(streamId: number, buffer: Buffer, start: number, end: number): void {
    expectBytes('WINDOW_UPDATE', end - start, 4);
    const bytes = buffer.readUInt32BE(start) & MAX_WINDOW_BYTES;
    if (streamId !== 0) {
      const stream = this.streamOf(streamId, 'WINDOW_UPDATE');
      if (stream === undefined) this.countIdleFrame();
      else this.idleFrames = 0;
      if (bytes > 0) stream?.growSendWindow(bytes);
      else stream?.malformed(ErrorCode.PROTOCOL_ERROR, 'opened a window by nothing');
      return;
    }
    if (bytes === 0) throw protocolError('opened the window of its connection by nothing');
    this.sendWindow += bytes;
    if (this.sendWindow > MAX_WINDOW_BYTES) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'opened the window of its connection beyond 2^31 - 1');
    }
    this.pump();
  }

  private onSettings(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('sent SETTINGS on a stream');
    this.countIdleFrame();
    if ((flags & Flag.ACK) !== 0) return expectBytes('an answer to SETTINGS', end - start, 0);
    if ((end - start) % 6 !== 0) expectBytes('SETTINGS', end - start, Math.ceil((end - start) / 6) * 6);
    for (let pos = start; pos < end; pos += 6) this.onSetting(buffer.readUInt16BE(pos), buffer.readUInt32BE(pos + 2));
    this.writer.frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));
    this.reply();
    if (this.ready) return this.tellRoom();
    this.ready = true;
    this.listener.onReady();
  }

  private onSetting(id: number, value: number): void {
    switch (id) {
      case SettingId.HEADER_TABLE_SIZE:
        this.encoder.setMaxTableBytes(value);
        return;
      case SettingId.ENABLE_PUSH:
        if (value !== 0) throw protocolError(`set ENABLE_PUSH to ${value}, which only a client may`);
        return;
      case SettingId.MAX_CONCURRENT_STREAMS:
        this.maxStreams = value;
        return;
      case SettingId.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES) {
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `set INITIAL_WINDOW_SIZE to ${value}`);
        }
        this.changeWindows(value - this.initialSendWindow);
        this.initialSendWindow = value;
        return;
      case SettingId.MAX_FRAME_SIZE:
        // We never send larger frames than all servers take.
        if (value < DEFAULT_MAX_FRAME_BYTES || value > 0xffffff) throw protocolError(`set MAX_FRAME_SIZE to ${value}`);
        return;
      case SettingId.MAX_HEADER_LIST_SIZE:
        this.peerHeaderListLimit = value;
        return;
      default:
    }
  }

  private changeWindows(bytes: number): void {
    if (bytes === 0) return;
    for (const stream of this.streams.all()) stream.growSendWindow(bytes);
  }

  private onPing(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('sent PING on a stream');
    expectBytes('PING', end - start, 8);
    this.countIdleFrame();
    if ((flags & Flag.ACK) !== 0) return;
    this.writer.frame(FrameType.PING, Flag.ACK, 0, buffer.subarray(start, end));
    this.reply();
  }

  private onGoAway(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('sent GOAWAY on a stream');
    if (end - start < 8) expectBytes('GOAWAY', end - start, 8);
    const lastStreamId = buffer.readUInt32BE(start) & MAX_STREAM_ID;
    const code = buffer.readUInt32BE(start + 4);
    const debug = buffer.toString('latin1', start + 8, Math.min(end, start + 8 + MAX_DEBUG_BYTES));
    this.countIdleFrame();
    if (code === ErrorCode.ENHANCE_YOUR_CALM && debug === 'too_many_pings') this.listener.onTooManyPings();
    const wasDraining = this.draining;
    this.draining = true;
    if (!wasDraining) this.listener.onDraining();
    for (const stream of this.streams.all()) {
      if (stream.id > lastStreamId) stream.fail({ kind: 'refused' });
    }
    // An error ends the connection at once (section 5.4.1). Some servers say so and leave the socket open.
    if (code !== ErrorCode.NO_ERROR) {
      const complaint = `ended the connection (HTTP/2 ${errorCodeName(code)})`;
      throw new ConnectionError(ErrorCode.NO_ERROR, complaint, printable(debug.trim()));
    }
    this.closeIfDrained();
  }

  private onPriority(streamId: number, start: number, end: number): void {
    if (streamId === 0) throw protocolError('sent PRIORITY without a stream');
    expectBytes('PRIORITY', end - start, 5);
    this.countIdleFrame();
  }

  /** The stream that a frame belongs to; undefined where it has ended, so that what was under way is no fault. */
  private streamOf(streamId: number, frame: string): Stream | undefined {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) return stream;
    if (streamId === 0) throw protocolError(`sent ${frame} without a stream`);
    if (streamId % 2 === 0 || streamId >= this.nextStreamId) {
      throw protocolError(`sent ${frame} on stream ${streamId}, which nobody opened`);
    }
    return undefined;
  }

  // ------------------------------------------------------------------------------------- is it there?

  /** Only with streams open: without, nobody waits for the answer, and servers hold such PINGs for abuse. */
  private watch(keepaliveTimeMs: number): void {
    this.keepalive = undefined;
    if (this.closed || this.streams.size === 0) return;
    const silentMs = monotonicMs() - this.lastReadAt;
    if (silentMs < keepaliveTimeMs) {
      // A timer may come a moment early, and a server counts the time between PINGs.
      this.keepalive = setTimeout(() => this.watch(keepaliveTimeMs), Math.ceil(keepaliveTimeMs - silentMs) + 1);
      return;
    }
    const askedAt = monotonicMs();
    this.writer.frame(FrameType.PING, 0, 0, Buffer.alloc(8));
    this.schedule();
    // What came while this process was stopped or busy is read before it is judged.
    const checkKeepalive = (): void => void setImmediate(() => this.judge(askedAt, keepaliveTimeMs));
    this.keepalive = setTimeout(checkKeepalive, this.options.keepaliveTimeoutMs);
  }

  private judge(askedAt: number, keepaliveTimeMs: number): void {
    if (this.closed) return;
    // Any byte is a sign of life.
    if (this.lastReadAt > askedAt) return this.watch(keepaliveTimeMs);
    const seconds = this.options.keepaliveTimeoutMs / 1000;
    this.close(new ConnectionError(ErrorCode.NO_ERROR, `did not answer a PING within ${seconds}s`));
  }

  // ------------------------------------------------------------------------------------- the end

  private close(error: Error | undefined): void {
    if (this.closed) return;
    const { firstUnsentId } = this;
    // Who is told that his request never left must be right.
    if (firstUnsentId < this.nextStreamId) this.writer.take();
    if (error instanceof ConnectionError) this.writer.goAway(error.code);
    if (!this.choked) this.write();
    this.closed = true;
    clearTimeout(this.keepalive);
    this.pacer.stop();
    this.abandoned.clear();
    this.draining = true;
    const { socket } = this;
    if (this.choked || (error !== undefined && !(error instanceof ConnectionError))) {
      socket.destroy();
    } else {
      // Whoever does not read our last words is not waited for.
      setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
      // To close with bytes unread is a reset, which can take them away from who should read them.
      if (error === undefined) socket.destroySoon();
      else socket.end();
    }
    const lost = lostBy(error);
    for (const stream of this.streams.all()) {
      stream.fail(stream.id < firstUnsentId ? lost : { kind: 'unsent' });
    }
    this.listener.onClose(error);
  }
}

/** A stream that nobody wants any more. */
interface Abandoned {
  readonly id: number;
  readonly code: number;
  /** The server has the whole request. */
  readonly endSent: boolean;
}

function lostBy(error: Error | undefined): StreamFailure {
  if (!(error instanceof ConnectionError)) return { kind: 'lost', reason: undefined };
  const { message: reason, said } = error;
  return said === '' ? { kind: 'lost', reason } : { kind: 'lost', reason, said };
}

function flushConnection(connection: Connection): void {
  connection.flush();
}

function expectBytes(frame: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `sent ${frame} of ${found} bytes, expected ${expected}`);
}
