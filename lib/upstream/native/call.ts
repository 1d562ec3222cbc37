/**
 * One call on a connection of the native client. Messages are sent as fast as the server accepts them, and delivered as fast
 * as the listener does. Everything that arrived before the end is delivered before the status, even after a pause. The
 * stream's window bounds what is held during a pause.
 */
import { inflate, gunzip, type InputType, type ZlibOptions } from 'node:zlib';
import { monotonicMs } from '../../clock.js';
import type { Call, CallListener, CallRequest, CallStatus } from '../../exchange.js';
import { header, type HeaderFields } from '../../headers.js';
import type { StreamFailure } from '../../http2/index.js';
import { Code } from '../../status.js';
import { encodeFrame, FRAME_HEAD_BYTES, FrameError, FrameReader, type Frame } from '../../wire/index.js';
import { MAX_TIMER_MS } from '../options.js';
import { type AnswerFacts, AnswerHead, endOf, MAX_DISCARDED_BYTES, metadataOf, notGrpc } from '../answer.js';
import { reportEnd } from '../diagnostics.js';
import { failures, localFailure } from '../outcome.js';
import { Sending, type SendingOwner } from './sending.js';

/** What a call needs from its channel. */
export interface CallOwner extends SendingOwner {
  readonly maxReceiveBytes: number;
  readonly maxHeaderBytes: number;
}

/** Messages up to this size are copied into one frame with their length prefix. */
const MAX_COPIED_BYTES = 16 * 1024 - FRAME_HEAD_BYTES;

type Inflate = (
  bytes: InputType,
  options: ZlibOptions,
  done: (error: NodeJS.ErrnoException | null, result: Buffer) => void,
) => void;

/** Decoders by `grpc-encoding`. */
const decoders: ReadonlyMap<string, Inflate> = new Map<string, Inflate>([
  ['gzip', gunzip],
  ['deflate', inflate],
]);

/** A call of the native client. */
export class NativeCall extends Sending implements Call, AnswerFacts {
  /** Holds messages until `resume`, or until the message before is decompressed. */
  private readonly reader: FrameReader;
  private paused = false;
  /** The listener was notified of the message that has begun. */
  private isMessageAnnounced = false;
  private decoding = false;
  private encoding: string | undefined;
  /** Received bytes for which the server gets no window before they are delivered. */
  private unconsumedBytes = 0;
  private head: AnswerHead | undefined;
  /** Bytes of a response body without messages that were dropped. */
  private discardedBytes = 0;

  /** The status of the call, once everything that is held is delivered. */
  private outcome: CallStatus | undefined;
  private timer: NodeJS.Timeout | undefined;
  readonly passThrough: boolean;
  private readonly path: string;

  constructor(
    protected override readonly owner: CallOwner,
    fields: string[],
    { path, timeoutMs, passThrough = false }: CallRequest,
    private readonly listener: CallListener,
  ) {
    super(owner, fields);
    this.reader = new FrameReader(owner.maxReceiveBytes);
    this.passThrough = passThrough;
    this.path = path;
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) {
      this.timer = setTimeout(() => this.abort(failures.deadline(timeoutMs)), timeoutMs);
      this.startedAt = monotonicMs();
      this.deadline = this.startedAt + timeoutMs;
    }
  }

  // ------------------------------------------------------------------------------------- for the caller

  send({ compressed, payload }: Frame): boolean {
    if (this.over || this.ended) return true;
    if (compressed && !this.passThrough) {
      this.abortSoon(localFailure(Code.INTERNAL, 'a compressed message cannot be sent on this channel'));
      return true;
    }
    let room: boolean;
    if (payload.length <= MAX_COPIED_BYTES) {
      room = this.sendChunk(encodeFrame(payload, compressed));
    } else {
      const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
      head[0] = compressed ? 1 : 0;
      head.writeUInt32BE(payload.length, 1);
      this.sendChunk(head);
      room = this.sendChunk(payload);
    }
    this.drainWanted = !room;
    return room;
  }

  halfClose(): void {
    this.endBody();
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
    this.abortSoon(failures.cancelled());
  }

  // ------------------------------------------------------------------------------------- for the connection

  onDrain(): void {
    if (this.over || !this.drainWanted || this.ended) return;
    this.drainWanted = false;
    this.listener.onDrain?.();
  }

  onHeaders(status: number, fields: HeaderFields, last: boolean, cut: boolean): void {
    this.kept = undefined;
    const head = new AnswerHead(status, fields, cut);
    this.head = head;
    if (last) return this.end(endOf(this, head, fields, cut));
    // The body of such a response may be long or endless.
    if (!head.isGrpc) return this.abort(notGrpc(this, head));
    if (head.http !== undefined || cut) return;
    this.encoding = header(fields, 'grpc-encoding');
    this.listener.onHeaders(metadataOf(fields, this.passThrough));
  }

  onData(chunk: Buffer): void {
    if (this.over) return;
    this.unconsumedBytes += chunk.length;
    const head = this.head!;
    if (head.http !== undefined || head.cut) return this.discard(head, chunk.length);
    this.reader.appendCopy(chunk);
    this.deliver();
    this.reader.settle();
  }

  /** Drops a body without messages: that of an HTTP error, or of a response with a truncated head. */
  private discard(head: AnswerHead, bytes: number): void {
    if (head.http === undefined) return this.abort(failures.headersTooLarge(this.target, this.maxHeaderBytes));
    this.discardedBytes += bytes;
    if (this.discardedBytes > MAX_DISCARDED_BYTES) return this.abort(notGrpc(this, head));
    this.consume();
  }

  onTrailers(fields: HeaderFields, cut: boolean): void {
    this.end(endOf(this, this.head!, fields, cut));
  }

  onEnd(): void {
    this.end(endOf(this, this.head!, [], false));
  }

  protected failed(failure: StreamFailure): void {
    // Some servers reset the stream in the middle of an error page.
    const isPage = failure.kind === 'reset' && this.head?.http !== undefined;
    this.end(isPage ? notGrpc(this, this.head!) : this.statusOf(failure));
  }

  private frameFailure(error: unknown): CallStatus {
    if (!(error instanceof FrameError)) throw error;
    const { target, maxReceiveBytes } = this.owner;
    return error.size === undefined
      ? failures.damagedFrame(target)
      : failures.tooLarge(target, maxReceiveBytes, error.size);
  }

  // ------------------------------------------------------------------------------------- messages in

  private deliver(): void {
    while (!this.decoding && !this.over && this.hasMessage()) {
      if (this.paused) return;
      const frame = this.reader.next()!;
      this.isMessageAnnounced = false;
      if (frame.compressed && !this.passThrough) this.decode(frame.payload);
      else this.listener.onMessage(frame);
    }
    if (this.decoding || this.over) return;
    if (this.outcome !== undefined) return this.finish(this.checkedOutcome(this.outcome));
    this.announceMessage();
    if (!this.paused) this.consume();
  }

  /** Notifies the listener of a message that has begun, before the server may send more of it. */
  private announceMessage(): void {
    const { awaitedBytes } = this.reader;
    if (awaitedBytes === 0 || this.isMessageAnnounced) return;
    this.isMessageAnnounced = true;
    this.listener.onMessageStart?.(awaitedBytes);
  }

  /** Fails the call if the data is no message. */
  private hasMessage(): boolean {
    try {
      return this.reader.ready();
    } catch (error) {
      this.abort(this.frameFailure(error));
      return false;
    }
  }

  private consume(): void {
    const bytes = this.unconsumedBytes;
    this.unconsumedBytes = 0;
    if (bytes > 0) this.stream!.consumed(bytes);
  }

  /** Decompresses in zlib's threads, because a message may be large. Later messages wait. */
  private decode(payload: Buffer): void {
    const { encoding } = this;
    const { target, maxReceiveBytes } = this.owner;
    const decoder = encoding === undefined ? undefined : decoders.get(encoding);
    if (decoder === undefined) return this.abort(failures.unknownCompression(target));
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
        tooLarge
          ? failures.tooLarge(target, maxReceiveBytes, undefined)
          : failures.damagedCompression(target, encoding!),
      );
    });
  }

  // ------------------------------------------------------------------------------------- the end

  /** The stream has ended; what is held is delivered first. */
  private end(status: CallStatus): void {
    if (this.over || this.outcome !== undefined) return;
    this.outcome = status;
    this.deliver();
  }

  private checkedOutcome(status: CallStatus): CallStatus {
    return status.code === Code.OK && this.reader.pending > 0 ? failures.cutShort(this.owner.target) : status;
  }

  protected override release(): void {
    this.reader.clear();
    super.release();
  }

  protected report(status: CallStatus): void {
    if (this.timer !== undefined) clearTimeout(this.timer);
    reportEnd(this.target, this.path, status);
    this.listener.onEnd(status);
  }

  get target(): string {
    return this.owner.target;
  }

  get maxHeaderBytes(): number {
    return this.owner.maxHeaderBytes;
  }
}
