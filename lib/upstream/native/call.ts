/**
 * One call in flight on a connection of our own: messages out as the server takes them, messages in as the listener does,
 * and the one status that it ends with. What came before the end is delivered before it, paused or not; what is held while
 * paused is bounded by the stream's window.
 */
import { inflate, gunzip, type InputType, type ZlibOptions } from 'node:zlib';
import type { Call, CallListener, CallRequest, CallStatus } from '../../exchange.js';
import { header, type HeaderFields } from '../../headers.js';
import { type Connection, ErrorCode, type Stream, type StreamFailure, type StreamListener } from '../../http2/index.js';
import { Code } from '../../status.js';
import { encodeFrame, FRAME_HEAD_BYTES, FrameError, FrameReader, type Frame } from '../../wire/index.js';
import { MAX_TIMER_MS } from '../options.js';
import { ended, failure, isGrpcType } from '../outcome.js';
import { measureFields, metadataOf, setTimeLeft, statusOf } from './metadata.js';

/** What of its channel a call needs. */
export interface CallOwner {
  readonly target: string;
  readonly maxReceiveBytes: number;
  /** The call has ended before it got a connection. */
  forget(call: NativeCall): void;
  /** No server has looked at the call: it begins again on a connection that stands, or the next one. */
  again(call: NativeCall): void;
}

/** Bytes that may wait for a connection before `send` answers false. */
const SEND_HIGH_WATER = 64 * 1024;

/** Requests up to this size can be sent again where no server has looked at them (gRPC's `per_rpc_retry_buffer_size`). */
const MAX_REPLAY_BYTES = 1024 * 1024;

/** A call that waited for less says the time that it was given: the first one of a connection differs from none. */
const MAX_UNTOLD_WAIT_MS = 250;

/** However often a call may begin again: a server that takes connections and drops them is not tried for ever. */
const MAX_BEGINNINGS = 5;

/** So many times its size a message may take of memory while it is held. */
const MAX_WASTE = 8;

/** Messages up to this size go out in one frame with their length, which costs a copy. */
const MAX_COPIED_BYTES = 16 * 1024 - FRAME_HEAD_BYTES;

type Inflate = (
  bytes: InputType,
  options: ZlibOptions,
  done: (error: NodeJS.ErrnoException | null, result: Buffer) => void,
) => void;

/** By `grpc-encoding`. */
const decoders: ReadonlyMap<string, Inflate> = new Map<string, Inflate>([
  ['gzip', gunzip],
  ['deflate', inflate],
]);

export class NativeCall implements Call, StreamListener {
  private stream: Stream | undefined;
  /**
   * What waits for a connection, or was sent and may have to be sent again: until the answer begins, or it gets too much.
   * Undefined from then on.
   */
  private requests: Buffer[] | undefined = [];
  private requestBytes = 0;
  /** A server has refused the call once; a second time is its word (https://github.com/grpc/proposal/blob/master/A6-client-retries.md). */
  private refused = false;
  private beginnings = 0;
  private halfClosed = false;
  private drainWanted = false;

  private readonly reader: FrameReader;
  /** Messages that wait for `resume`, or for the one before them to be decoded, from `taken` on. */
  private held: Frame[] = [];
  private taken = 0;
  private paused = false;
  private decoding = false;
  private encoding: string | undefined;
  /** Bytes that the server may not send anew before they are delivered. */
  private unconsumedBytes = 0;
  /** An HTTP status other than 200, whose trailers may still tell more. */
  private httpStatus: number | undefined;

  /** How the call ends when all that is held was delivered. */
  private outcome: CallStatus | undefined;
  private over = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly passThrough: boolean;
  /** By `performance.now`, where the call has a time. */
  private readonly startedAt: number = 0;
  private readonly deadline: number | undefined;

  constructor(
    private readonly owner: CallOwner,
    private readonly fields: string[],
    { timeoutMs, passThrough = false }: CallRequest,
    private readonly listener: CallListener,
  ) {
    this.reader = new FrameReader(owner.maxReceiveBytes);
    this.passThrough = passThrough;
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) {
      this.timer = setTimeout(() => this.abort(ended.deadline(timeoutMs)), timeoutMs);
      this.startedAt = performance.now();
      this.deadline = this.startedAt + timeoutMs;
    }
  }

  /** Goes out on a connection that has room, having waited for it. */
  beginLate(connection: Connection): void {
    const { deadline } = this;
    if (deadline !== undefined && performance.now() - this.startedAt > MAX_UNTOLD_WAIT_MS) {
      setTimeLeft(this.fields, deadline - performance.now());
    }
    this.begin(connection);
  }

  /** Goes out on a connection that has room. */
  begin(connection: Connection): void {
    const limit = connection.peerMaxHeaderListBytes;
    if (limit !== Infinity) {
      const { bytes, largest } = measureFields(this.fields);
      if (bytes > limit) return this.abortSoon(ended.headersTooLarge(this.owner.target, bytes, limit, largest));
    }
    const stream = connection.open(this.fields, this);
    this.stream = stream;
    this.beginnings++;
    let room = true;
    for (const chunk of this.requests!) room = stream.write(chunk);
    if (this.requestBytes > MAX_REPLAY_BYTES) this.requests = undefined;
    if (this.halfClosed) stream.end();
    else if (this.drainWanted && room) this.onDrain();
  }

  // ------------------------------------------------------------------------------------- for the caller

  send({ compressed, payload }: Frame): boolean {
    if (this.over || this.halfClosed) return true;
    if (compressed && !this.passThrough) {
      this.abortSoon(failure(Code.INTERNAL, 'a compressed message cannot be sent on this channel'));
      return true;
    }
    let room: boolean;
    if (payload.length <= MAX_COPIED_BYTES) {
      room = this.write(encodeFrame(payload, compressed));
    } else {
      const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
      head[0] = compressed ? 1 : 0;
      head.writeUInt32BE(payload.length, 1);
      this.write(head);
      room = this.write(payload);
    }
    this.drainWanted = !room;
    return room;
  }

  private write(chunk: Buffer): boolean {
    const { requests, stream } = this;
    if (requests !== undefined) {
      requests.push(chunk);
      this.requestBytes += chunk.length;
      if (stream === undefined) return this.requestBytes < SEND_HIGH_WATER;
      if (this.requestBytes > MAX_REPLAY_BYTES) this.requests = undefined;
    }
    return stream!.write(chunk);
  }

  halfClose(): void {
    if (this.over || this.halfClosed) return;
    this.halfClosed = true;
    this.stream?.end();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.deliver();
  }

  cancel(): void {
    this.abortSoon(ended.cancelled());
  }

  // ------------------------------------------------------------------------------------- for the connection

  onDrain(): void {
    if (this.over || !this.drainWanted || this.halfClosed) return;
    this.drainWanted = false;
    this.listener.onDrain?.();
  }

  onHeaders(status: number, fields: HeaderFields, last: boolean): void {
    this.requests = undefined;
    const contentType = header(fields, 'content-type');
    const http = status === 200 ? undefined : status;
    const { target } = this.owner;
    if (!isGrpcType(contentType) || (http !== undefined && contentType === undefined)) {
      // Another answer may be long, or never end.
      return this.abort(ended.notGrpc(target, http, contentType));
    }
    if (last) {
      const noStatus = http === undefined ? ended.noStatus(target) : ended.notGrpc(target, http, contentType);
      return this.end(statusOf(fields, this.passThrough) ?? noStatus);
    }
    this.httpStatus = http;
    if (http !== undefined) return;
    this.encoding = header(fields, 'grpc-encoding');
    this.listener.onHeaders(metadataOf(fields, this.passThrough));
  }

  onData(chunk: Buffer): void {
    if (this.over) return;
    this.unconsumedBytes += chunk.length;
    // The body of an HTTP error is no message.
    if (this.httpStatus !== undefined) return this.consume();
    let frames: Frame[];
    try {
      frames = this.reader.push(chunk);
    } catch (error) {
      return this.abort(this.frameFailure(error));
    }
    for (const frame of frames) this.held.push(frame);
    this.deliver();
    if (this.taken < this.held.length) this.compact(frames.length);
  }

  /** What is held must not hold the memory of all that came with it. Of the newest messages; the others are done. */
  private compact(count: number): void {
    const { held } = this;
    for (let index = Math.max(this.taken, held.length - count); index < held.length; index++) {
      const { compressed, payload } = held[index]!;
      if (payload.length * MAX_WASTE < payload.buffer.byteLength) {
        held[index] = { compressed, payload: Buffer.from(payload) };
      }
    }
  }

  onTrailers(fields: HeaderFields): void {
    this.end(statusOf(fields, this.passThrough) ?? this.noStatus());
  }

  onEnd(): void {
    this.end(this.noStatus());
  }

  onFail(streamFailure: StreamFailure): void {
    if (this.mayBeginAgain(streamFailure)) {
      this.stream = undefined;
      return this.owner.again(this);
    }
    this.end(this.failureStatus(streamFailure));
  }

  /** Only where it is sure that no server has acted on the call, and all that was sent is still here. */
  private mayBeginAgain({ kind }: StreamFailure): boolean {
    if (this.over || this.requests === undefined || this.beginnings >= MAX_BEGINNINGS) return false;
    if (kind !== 'refused') return kind === 'unsent';
    const first = !this.refused;
    this.refused = true;
    return first;
  }

  private noStatus(): CallStatus {
    const { target } = this.owner;
    return this.httpStatus === undefined ? ended.noStatus(target) : ended.notGrpc(target, this.httpStatus, undefined);
  }

  private failureStatus(streamFailure: StreamFailure): CallStatus {
    const { target } = this.owner;
    switch (streamFailure.kind) {
      case 'reset':
        return ended.reset(target, streamFailure.code);
      case 'refused':
        return ended.refused(target);
      case 'unsent':
        return ended.closedBefore(target);
      case 'lost':
        return ended.broken(target, streamFailure.reason);
      case 'malformed':
        return ended.malformed(target, streamFailure.reason);
    }
  }

  private frameFailure(error: unknown): CallStatus {
    if (!(error instanceof FrameError)) throw error;
    const { target, maxReceiveBytes } = this.owner;
    return error.size === undefined ? ended.damagedFrame(target) : ended.tooLarge(target, maxReceiveBytes, error.size);
  }

  // ------------------------------------------------------------------------------------- messages in

  private deliver(): void {
    while (this.taken < this.held.length && !this.paused && !this.decoding && !this.over) {
      const frame = this.held[this.taken++]!;
      if (frame.compressed && !this.passThrough) this.decode(frame.payload);
      else this.listener.onMessage(frame);
    }
    if (this.taken < this.held.length || this.decoding || this.over) return;
    if (this.taken > 0) {
      this.held = [];
      this.taken = 0;
    }
    if (this.outcome !== undefined) this.finish(this.outcome);
    else if (!this.paused) this.consume();
  }

  private consume(): void {
    const bytes = this.unconsumedBytes;
    this.unconsumedBytes = 0;
    if (bytes > 0) this.stream!.consumed(bytes);
  }

  /** In zlib's own threads: a message may be large. Those behind it wait. */
  private decode(payload: Buffer): void {
    const { encoding } = this;
    const { target, maxReceiveBytes } = this.owner;
    const decoder = encoding === undefined ? undefined : decoders.get(encoding);
    if (decoder === undefined) return this.abort(ended.unknownCompression(target));
    this.decoding = true;
    decoder(payload, { maxOutputLength: maxReceiveBytes }, (error, result) => {
      this.decoding = false;
      if (this.over) return;
      if (error === null) {
        this.listener.onMessage({ compressed: false, payload: result });
        return this.deliver();
      }
      const tooLarge = error.code === 'ERR_BUFFER_TOO_LARGE';
      this.abort(
        tooLarge ? ended.tooLarge(target, maxReceiveBytes, undefined) : ended.damagedCompression(target, encoding!),
      );
    });
  }

  // ------------------------------------------------------------------------------------- the end

  /** The stream is over; what is held comes first. */
  private end(status: CallStatus): void {
    if (this.over || this.outcome !== undefined) return;
    const cutShort = status.code === Code.OK && this.reader.pending > 0;
    this.outcome = cutShort ? ended.cutShort(this.owner.target) : status;
    this.deliver();
  }

  /** Ends the call at once, whatever is under way. */
  abort(status: CallStatus): void {
    if (this.over) return;
    this.letGo();
    this.finish(status);
  }

  /** The same, but its caller has to return first. */
  abortSoon(status: CallStatus): void {
    if (this.over) return;
    this.letGo();
    this.over = true;
    clearTimeout(this.timer);
    queueMicrotask(() => this.listener.onEnd(status));
  }

  private letGo(): void {
    this.held = [];
    this.taken = 0;
    this.requests = undefined;
    if (this.stream === undefined) this.owner.forget(this);
    // Never END_STREAM: an upload that is not complete must not look complete.
    else this.stream.reset(ErrorCode.CANCEL);
  }

  private finish(status: CallStatus): void {
    this.over = true;
    if (this.timer !== undefined) clearTimeout(this.timer);
    this.listener.onEnd(status);
  }
}
