/**
 * One call in flight on a grpc-js channel: the callbacks of `Call` and `CallListener` over grpc-js's pull-based reads and
 * its write callbacks. A message is asked for only when the one before was taken, so `pause` bounds what is held.
 * Limits of grpc-js: `cancel` of a call whose requests are not complete sends END_STREAM before the reset, so a service may
 * take half an upload for whole; and where a call fails while it is paused, what had arrived and was not yet taken is lost.
 */
import type { ChannelInterface, Metadata as GrpcMetadata, StatusObject } from '@grpc/grpc-js';
import type { Call, CallListener, CallStatus } from '../../exchange.js';
import { Code } from '../../status.js';
import type { Frame } from '../../wire/frame.js';
import { failure, isGrpcType } from '../outcome.js';
import { fromGrpcMetadata } from './metadata.js';
import { callStatus, type CallFacts } from './status.js';

/** What `createCall` of a grpc-js channel returns; grpc-js exports it under no name. */
export type RawCall = ReturnType<ChannelInterface['createCall']>;

/** Bytes that may wait to be sent before `send` answers false. */
const SEND_HIGH_WATER = 64 * 1024;

/** What a waiting message costs besides its bytes, so that many empty ones are not held without end. */
const MESSAGE_COST_BYTES = 64;

/** A call; the constructor starts it. */
export class GrpcJsCall implements Call {
  private readonly waiting: Buffer[] = [];
  private unsentBytes = 0;
  private writing = false;
  private halfClosed = false;
  private drainWanted = false;
  private paused = false;
  private reading = false;
  private ended = false;
  private override: CallStatus | undefined;

  constructor(
    private readonly raw: RawCall,
    metadata: GrpcMetadata,
    private readonly facts: CallFacts,
    private readonly listener: CallListener,
  ) {
    raw.start(metadata, {
      onReceiveMetadata: (headers) => this.receiveHeaders(headers),
      onReceiveMessage: (message: Buffer) => this.receiveMessage(message),
      onReceiveStatus: (status) => this.receiveStatus(status),
    });
    this.read();
  }

  send(frame: Frame): boolean {
    if (this.ended || this.halfClosed) return true;
    if (frame.compressed) {
      this.fail(failure(Code.INTERNAL, 'a compressed message cannot be sent on this channel'));
      return true;
    }
    this.unsentBytes += frame.payload.length + MESSAGE_COST_BYTES;
    // grpc-js mixes up messages and half-close when a second message is handed over before the first has gone out.
    if (this.writing) this.waiting.push(frame.payload);
    else this.write(frame.payload);
    this.drainWanted = this.unsentBytes >= SEND_HIGH_WATER;
    return !this.drainWanted;
  }

  halfClose(): void {
    if (this.ended || this.halfClosed) return;
    this.halfClosed = true;
    if (this.waiting.length === 0) this.raw.halfClose();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (!this.reading) this.read();
  }

  cancel(): void {
    if (this.ended) return;
    this.facts.cancelled = true;
    this.raw.cancelWithStatus(Code.CANCELLED, '');
  }

  /** Gives the call up for a reason of ours; `onEnd` comes with this status. */
  fail(status: CallStatus): void {
    if (this.ended) return;
    this.override ??= status;
    this.raw.cancelWithStatus(Code.CANCELLED, '');
  }

  private write(payload: Buffer): void {
    this.writing = true;
    this.raw.sendMessageWithContext({ callback: () => this.written(payload.length) }, payload);
  }

  private written(bytes: number): void {
    this.writing = false;
    this.unsentBytes -= bytes + MESSAGE_COST_BYTES;
    if (this.ended) return;
    const next = this.waiting.shift();
    if (next !== undefined) {
      this.write(next);
      if (this.halfClosed && this.waiting.length === 0) this.raw.halfClose();
    }
    if (this.drainWanted && this.unsentBytes < SEND_HIGH_WATER) {
      this.drainWanted = false;
      this.listener.onDrain?.();
    }
  }

  private read(): void {
    if (this.ended) return;
    this.reading = true;
    this.raw.startRead();
  }

  private receiveHeaders(headers: GrpcMetadata): void {
    const contentType = headers.get('content-type')[0];
    this.facts.contentType = typeof contentType === 'string' ? contentType : 'application/grpc';
    if (!this.ended && isGrpcType(this.facts.contentType)) this.listener.onHeaders(fromGrpcMetadata(headers));
  }

  private receiveMessage(message: Buffer): void {
    this.reading = false;
    if (this.ended || this.facts.cancelled) return;
    if (isGrpcType(this.facts.contentType)) {
      this.listener.onMessage({ compressed: false, payload: message });
      if (!this.paused) this.read();
    } else {
      this.raw.cancelWithStatus(Code.INTERNAL, '');
    }
  }

  private receiveStatus(status: StatusObject): void {
    if (this.ended) return;
    this.ended = true;
    this.waiting.length = 0;
    this.listener.onEnd(this.override ?? callStatus(status, this.facts));
  }
}
