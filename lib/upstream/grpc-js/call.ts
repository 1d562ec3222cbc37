/**
 * One call on a grpc-js channel: adapts grpc-js's pull-based reads and write callbacks to `Call` and `CallListener`. The next
 * message is requested only after the previous one was delivered, so `pause` bounds what is held. Two limits of grpc-js:
 * `cancel` of an incomplete upload sends END_STREAM before the reset, so that a service may take it as complete; and if a
 * call fails while it is paused, messages that were not delivered are lost.
 */
import type { ChannelInterface, Metadata as GrpcMetadata, StatusObject } from '@grpc/grpc-js';
import type { Call, CallListener, CallStatus } from '../../exchange.js';
import { Queue } from '../../queue.js';
import { Code } from '../../status.js';
import type { Frame } from '../../wire/frame.js';
import { AnswerHead, endOf, MAX_DISCARDED_BYTES, metadataOf, notGrpc } from '../answer.js';
import { reportEnd } from '../diagnostics.js';
import { failures, localFailure } from '../outcome.js';
import { type HeaderList, type HeaderLists, LIST_HEADER } from './header-lists.js';
import { type CallFacts, failureOf, isUnusable } from './status.js';

/** The result of `createCall` of a grpc-js channel; grpc-js does not export this type. */
export type RawCall = ReturnType<ChannelInterface['createCall']>;

/** Bytes that may wait to be sent before `send` returns false. */
const SEND_HIGH_WATER = 64 * 1024;

/** Counted for each waiting message besides its bytes, so that empty ones are limited too. */
const MESSAGE_COST_BYTES = 64;

/**
 * A call; the constructor starts it. `onEnded` is called before the listener hears of its end; `isUnusable`: because its
 * connection took it no more.
 */
export class GrpcJsCall implements Call {
  private readonly waiting = new Queue<Buffer>();
  private unsentBytes = 0;
  private writing = false;
  private halfClosed = false;
  private drainWanted = false;
  private paused = false;
  private reading = false;
  private ended = false;
  private override: CallStatus | undefined;
  private head: AnswerHead | undefined;
  /** Bytes of a response body without messages that were dropped. */
  private discardedBytes = 0;

  constructor(
    private readonly raw: RawCall,
    metadata: GrpcMetadata,
    private readonly facts: CallFacts,
    private readonly lists: HeaderLists,
    private readonly listener: CallListener,
    private readonly onEnded: (isUnusable: boolean) => void,
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
      this.fail(localFailure(Code.INTERNAL, 'a compressed message cannot be sent on this channel'));
      return true;
    }
    this.unsentBytes += frame.payload.length + MESSAGE_COST_BYTES;
    // grpc-js reorders messages and half-close if a second message is passed before the first one is sent.
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
    this.fail(failures.cancelled());
  }

  /** Fails the call with a status of the proxy, which `onEnd` gets. */
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
    const next = this.waiting.take();
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

  private receiveHeaders(metadata: GrpcMetadata): void {
    const list = this.listOf(metadata);
    const head = list === undefined ? new AnswerHead(200, [], false) : headOf(list);
    this.head = head;
    if (this.ended || this.override !== undefined) return;
    if (!head.isGrpc) this.fail(notGrpc(this.facts, head));
    else if (head.http === undefined && !head.cut) this.listener.onHeaders(metadataOf(head.fields, false));
  }

  private receiveMessage(message: Buffer): void {
    this.reading = false;
    if (this.ended || this.override !== undefined) return;
    if (this.head?.http !== undefined || this.head?.cut === true) return this.discard(this.head, message.length);
    this.listener.onMessage({ compressed: false, payload: message });
    if (!this.paused) this.read();
  }

  /** As in the native client. */
  private discard(head: AnswerHead, bytes: number): void {
    const { target, maxHeaderBytes } = this.facts;
    if (head.http === undefined) return this.fail(failures.headersTooLarge(target, maxHeaderBytes));
    this.discardedBytes += bytes;
    if (this.discardedBytes > MAX_DISCARDED_BYTES) this.fail(notGrpc(this.facts, head));
    else this.read();
  }

  private receiveStatus(status: StatusObject): void {
    if (this.ended) return;
    this.ended = true;
    this.waiting.clear();
    this.onEnded(isUnusable(status));
    const end = this.endOf(status);
    reportEnd(this.facts.target, this.facts.path, end);
    this.listener.onEnd(end);
  }

  private endOf(status: StatusObject): CallStatus {
    const { facts, override } = this;
    const list = this.listOf(status.metadata);
    if (override !== undefined) return override;
    if (list !== undefined) return endOf(facts, this.head ?? headOf(list), list.fields, list.cut);
    // The list was evicted because of many later ones.
    if (status.metadata.get(LIST_HEADER).length > 0) return { code: status.code, message: '', trailers: [] };
    const { head } = this;
    return head?.http === undefined ? failureOf(status, facts) : notGrpc(facts, head);
  }

  private listOf(metadata: GrpcMetadata): HeaderList | undefined {
    const name = metadata.get(LIST_HEADER)[0];
    return typeof name === 'string' ? this.lists.take(name) : undefined;
  }
}

function headOf({ fields, cut }: HeaderList): AnswerHead {
  return new AnswerHead(Number(fields[1]), fields, cut);
}
