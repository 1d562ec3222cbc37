/**
 * The sending half of a request on a connection of the native client, whatever it carries. The request waits for a
 * connection, goes as fast as the server accepts it, and is sent again if certainly no server has processed it.
 */
import { monotonicMs } from '../../clock.js';
import type { CallStatus } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { type Connection, ErrorCode, type Stream, type StreamFailure, type StreamListener } from '../../http2/index.js';
import { quote } from '../../uri.js';
import { Pieces } from '../../wire/index.js';
import { failures } from '../outcome.js';
import { sameForAll, type Reason } from '../reason.js';
import { measureFields, setTimeLeft } from './metadata.js';

/** What a request needs from its channel. */
export interface SendingOwner {
  readonly target: string;
  /** The request ended before it got a connection. */
  removeWaiting(request: Sending): void;
  /** No server has processed the request: it is sent again on another connection. */
  retry(request: Sending): void;
}

/** Bytes that may wait for a connection before `write` returns false. */
const SEND_HIGH_WATER = 64 * 1024;

/**
 * Requests up to this size are kept, so that they can be sent again if no server has processed them (gRPC's
 * `per_rpc_retry_buffer_size`).
 */
const MAX_REPLAY_BYTES = 1024 * 1024;

/**
 * If the wait was shorter, send the original grpc-timeout: a recomputed one would make the first call on a connection differ
 * from the rest.
 */
const MAX_UNADJUSTED_WAIT_MS = 250;

/** Limit of attempts, because a server may accept connections and drop each of them. */
const MAX_ATTEMPTS = 5;

/** A request of the native client; a subclass reads the answer. */
export abstract class Sending implements StreamListener {
  protected stream: Stream | undefined;
  /**
   * Bytes that wait for a connection, or were sent and may have to be sent again. Undefined once the response begins, or if
   * they exceed the limit.
   */
  protected kept: Pieces | undefined = new Pieces();
  /** The body is complete. */
  protected ended = false;
  protected drainWanted = false;
  protected over = false;
  /** By `monotonicMs`; only set if the request has a deadline. */
  protected startedAt = 0;
  protected deadline: number | undefined;
  /**
   * A server has refused the request once; a second refusal is final
   * (https://github.com/grpc/proposal/blob/master/A6-client-retries.md).
   */
  private refused = false;
  private attempts = 0;

  constructor(
    protected readonly owner: SendingOwner,
    private readonly fields: string[],
  ) {}

  abstract onHeaders(status: number, fields: HeaderFields, last: boolean, cut: boolean): void;
  abstract onData(chunk: Buffer): void;
  abstract onTrailers(fields: HeaderFields, cut: boolean): void;
  abstract onEnd(): void;
  abstract onDrain(): void;
  /** The answer is not whole, and the request is not sent again. */
  protected abstract failed(failure: StreamFailure): void;
  /** The last that the caller hears. */
  protected abstract report(status: CallStatus): void;

  /** Starts on a connection with room, after a wait. */
  startAfterWait(connection: Connection): void {
    const { deadline } = this;
    if (deadline !== undefined && monotonicMs() - this.startedAt > MAX_UNADJUSTED_WAIT_MS) {
      setTimeLeft(this.fields, deadline - monotonicMs());
    }
    this.startOn(connection);
  }

  /** Starts on a connection with room. */
  startOn(connection: Connection): void {
    const limit = connection.peerMaxHeaderListBytes;
    if (limit !== Infinity) {
      const { bytes, largest } = measureFields(this.fields);
      if (bytes > limit) return this.abortSoon(failures.requestTooLarge(bytes, limit, largest));
    }
    const stream = connection.open(this.fields, this);
    this.stream = stream;
    this.attempts++;
    const kept = this.kept!;
    let room = true;
    for (const chunk of kept) room = stream.write(chunk);
    if (kept.length > MAX_REPLAY_BYTES) this.kept = undefined;
    if (this.ended) stream.end();
    else if (this.drainWanted && room) this.onDrain();
  }

  /** Sends a part of the body. False: wait for `onDrain`. */
  protected sendChunk(chunk: Buffer): boolean {
    const { kept, stream } = this;
    if (kept !== undefined) {
      kept.push(chunk);
      if (stream === undefined) return kept.length < SEND_HIGH_WATER;
      if (kept.length > MAX_REPLAY_BYTES) this.kept = undefined;
    }
    return stream!.write(chunk);
  }

  protected endBody(): void {
    if (this.over || this.ended) return;
    this.ended = true;
    this.stream?.end();
  }

  onFail(failure: StreamFailure): void {
    if (!this.mayRetry(failure)) return this.failed(failure);
    this.stream = undefined;
    this.owner.retry(this);
  }

  /** Only if certainly no server has processed the request, and all of it is still held. */
  private mayRetry({ kind }: StreamFailure): boolean {
    if (this.over || this.kept === undefined || this.attempts >= MAX_ATTEMPTS) return false;
    if (kind !== 'refused') return kind === 'unsent';
    const first = !this.refused;
    this.refused = true;
    return first;
  }

  /** Ends the request at once, whatever is under way. */
  abort(status: CallStatus): void {
    if (this.over) return;
    this.release();
    this.finish(status);
  }

  /** Like `abort`, but after the caller has returned. */
  abortSoon(status: CallStatus): void {
    if (this.over) return;
    this.release();
    this.over = true;
    queueMicrotask(() => this.report(status));
  }

  protected finish(status: CallStatus): void {
    this.over = true;
    this.report(status);
  }

  /** Lets the connection go. */
  protected release(): void {
    this.kept = undefined;
    if (this.stream === undefined) this.owner.removeWaiting(this);
    // Never END_STREAM: an incomplete upload must not look complete.
    else this.stream.reset(ErrorCode.CANCEL);
  }

  /** What a failure of the stream means if the answer says nothing else. */
  protected statusOf(failure: StreamFailure): CallStatus {
    const { target } = this.owner;
    switch (failure.kind) {
      case 'reset':
        return failures.reset(target, failure.code);
      case 'refused':
        return failures.refused(target);
      case 'unsent':
        return failures.closedBefore(target);
      case 'lost':
        return failures.broken(target, lossReason(failure));
      case 'malformed':
        return failures.malformed(target, failure.reason);
    }
  }
}

function lossReason({ reason, said }: Extract<StreamFailure, { kind: 'lost' }>): Reason | undefined {
  if (reason === undefined) return undefined;
  return said === undefined ? sameForAll(reason) : { publicText: reason, detail: `${reason}, saying ${quote(said)}` };
}
