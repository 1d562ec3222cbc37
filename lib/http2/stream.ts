/**
 * One request and its answer on a connection: the client's side of a stream (RFC 9113, section 5.1), which sends its body as
 * the windows allow, and checks that the answer has the form of one (section 8.1). It is over when the answer is over: what of
 * the request was not sent by then is not sent any more.
 */
import type { HeaderFields } from '../headers.js';
import { Pieces } from '../wire/index.js';
import { ErrorCode } from './error.js';
import { DEFAULT_MAX_FRAME_BYTES, MAX_WINDOW_BYTES } from './frame.js';

/** Why an answer is not whole. */
export type StreamFailure =
  /** The server reset the stream. */
  | { readonly kind: 'reset'; readonly code: number }
  /** The server did not look at the request: it can be sent again elsewhere. */
  | { readonly kind: 'refused' }
  /** The connection went before the request left it: the same holds. */
  | { readonly kind: 'unsent' }
  /**
   * The connection is gone; with a reason that completes "the server …" if the server broke its rules or gave it up, and
   * with what it said itself, if it said something.
   */
  | { readonly kind: 'lost'; readonly reason: string | undefined; readonly said?: string }
  /** What came is no answer; the reason completes "the server …". */
  | { readonly kind: 'malformed'; readonly reason: string };

/** Takes an answer: the head, data, and one of the three ends. Nothing comes after `Stream.reset`. */
export interface StreamListener {
  /**
   * @param last true where nothing follows: then no other end comes.
   * @param cut true if the list is over its limit, and a part of it is missing.
   */
  onHeaders(status: number, fields: HeaderFields, last: boolean, cut: boolean): void;
  /** Part of the body, which is only there until the call returns; `Stream.consumed` gives the server leave to send as much again. */
  onData(chunk: Buffer): void;
  onTrailers(fields: HeaderFields, cut: boolean): void;
  /** The body ended without trailers. */
  onEnd(): void;
  onFail(failure: StreamFailure): void;
  /** After `write` answered false: there is room again. */
  onDrain(): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  /** Bytes that may be sent now, whatever the stream's own window says. */
  sendable(): number;
  sendData(streamId: number, payload: Buffer, last: boolean): void;
  sendEnd(streamId: number): void;
  /** @param endSent true if the server has the whole request: its answer may run out by itself. */
  sendReset(streamId: number, code: number, endSent: boolean): void;
  sendWindowUpdate(streamId: number, bytes: number): void;
  /** There is something to send as soon as the connection has room. */
  waitForRoom(stream: Stream): void;
  /** The stream is over. */
  forget(stream: Stream): void;
}

/** Bytes that may wait to be sent before `write` answers false. */
const SEND_HIGH_WATER = 64 * 1024;

/** One stream: a request, and its response as it arrives. */
export class Stream {
  /** What waits for a window or for the socket. */
  private readonly queue = new Pieces();
  private drainWanted = false;
  /** We have nothing to add; `endSent`: and the server was told. */
  private ended = false;
  private endSent = false;
  private headed = false;
  private closed = false;
  /** What the server may still send, and what was consumed since it was last told. */
  private receiveWindow: number;
  private consumedBytes = 0;

  constructor(
    readonly id: number,
    private readonly owner: StreamOwner,
    private readonly listener: StreamListener,
    private sendWindow: number,
    private readonly windowBytes: number,
  ) {
    this.receiveWindow = windowBytes;
  }

  /** Sends a part of the request's body, which must stay as it is; false asks to wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    if (this.closed || this.ended || chunk.length === 0) return true;
    if (this.queue.length === 0 && chunk.length <= this.sendableBytes()) {
      this.sendWindow -= chunk.length;
      this.owner.sendData(this.id, chunk, false);
      return true;
    }
    this.queue.push(chunk);
    this.pump();
    this.drainWanted = this.queue.length >= SEND_HIGH_WATER;
    return !this.drainWanted;
  }

  /** The body is complete. */
  end(): void {
    if (this.closed || this.ended) return;
    this.ended = true;
    if (this.queue.length > 0) return;
    this.endSent = true;
    this.owner.sendEnd(this.id);
  }

  /** Gives up: no END_STREAM is sent, so that a request that was not complete is never taken for whole. */
  reset(code: number): void {
    if (this.closed) return;
    this.owner.sendReset(this.id, code, this.endSent);
    this.close();
  }

  /** So many bytes of `onData` were used. */
  consumed(bytes: number): void {
    if (this.closed) return;
    this.consumedBytes += bytes;
    if (this.consumedBytes < this.windowBytes / 2) return;
    this.owner.sendWindowUpdate(this.id, this.consumedBytes);
    this.receiveWindow += this.consumedBytes;
    this.consumedBytes = 0;
  }

  // ------------------------------------------------------------------------------------- for the connection

  /** Sends what the windows allow. */
  pump(): void {
    while (this.sendOne());
    if (this.queue.length > 0 && this.sendWindow > 0) this.owner.waitForRoom(this);
  }

  /** Sends one frame; false where nothing waits or may be sent. */
  sendOne(): boolean {
    const { queue } = this;
    const most = this.sendableBytes();
    if (queue.length === 0 || most <= 0) return false;
    const payload = queue.takeSome(most);
    this.sendWindow -= payload.length;
    this.endSent = this.ended && queue.length === 0;
    this.owner.sendData(this.id, payload, this.endSent);
    if (this.drainWanted && queue.length < SEND_HIGH_WATER) {
      this.drainWanted = false;
      this.listener.onDrain();
    }
    return true;
  }

  /** True where something waits that the stream's own window allows. */
  get blocked(): boolean {
    return this.queue.length > 0 && this.sendWindow > 0;
  }

  private sendableBytes(): number {
    return Math.min(this.sendWindow, this.owner.sendable(), DEFAULT_MAX_FRAME_BYTES);
  }

  /** The server opens our window, or by its settings changes it; may leave it below zero. */
  growSendWindow(bytes: number): void {
    this.sendWindow += bytes;
    if (this.sendWindow > MAX_WINDOW_BYTES) {
      return this.malformed(ErrorCode.FLOW_CONTROL_ERROR, 'opened a window beyond 2^31 - 1');
    }
    if (this.blocked) this.pump();
  }

  receiveHeaders(fields: HeaderFields, last: boolean, cut: boolean): void {
    const problem = fieldProblem(fields, !this.headed);
    if (problem !== undefined) return this.malformed(ErrorCode.PROTOCOL_ERROR, problem);
    if (this.headed) {
      if (!last) return this.malformed(ErrorCode.PROTOCOL_ERROR, 'sent trailers that are not the end');
      this.finish();
      return this.listener.onTrailers(fields, cut);
    }
    const status = Number(fields[1]);
    if (status < 200) {
      if (last) this.malformed(ErrorCode.PROTOCOL_ERROR, `ended its answer with status ${status}`);
      return;
    }
    this.headed = true;
    if (last) this.finish();
    this.listener.onHeaders(status, fields, last, cut);
  }

  /** @param frameBytes of the whole payload: padding counts for the window too. */
  receiveData(chunk: Buffer, frameBytes: number, last: boolean): void {
    this.receiveWindow -= frameBytes;
    if (this.receiveWindow < 0) {
      return this.malformed(ErrorCode.FLOW_CONTROL_ERROR, 'sent more than its window allows');
    }
    if (!this.headed) return this.malformed(ErrorCode.PROTOCOL_ERROR, 'sent data before headers');
    if (frameBytes > chunk.length) this.consumed(frameBytes - chunk.length);
    if (last) this.finish();
    if (chunk.length > 0) this.listener.onData(chunk);
    if (last) this.listener.onEnd();
  }

  /** Tells the listener, and nobody else; the connection forgets the stream itself. */
  fail(failure: StreamFailure): void {
    if (this.closed) return;
    this.close();
    this.listener.onFail(failure);
  }

  malformed(code: number, reason: string): void {
    this.owner.sendReset(this.id, code, this.endSent);
    this.fail({ kind: 'malformed', reason });
  }

  /** The answer is complete: the server is told that nothing of the request follows (RFC 9113, section 8.1). */
  private finish(): void {
    if (!this.endSent) this.owner.sendReset(this.id, ErrorCode.NO_ERROR, false);
    this.close();
  }

  private close(): void {
    this.closed = true;
    this.queue.clear();
    this.owner.forget(this);
  }
}

/** What forbids a list as head (with `:status` first) or as trailers (RFC 9113, section 8.2 and 8.3); completes "the server …". */
export function fieldProblem(fields: HeaderFields, head: boolean): string | undefined {
  if (head && (fields[0] !== ':status' || !/^[1-9]\d\d$/.test(fields[1]!))) return 'sent an answer without a status';
  for (let index = head ? 2 : 0; index < fields.length; index += 2) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(fields[index]!)) return 'sent a header with a name that is none';
    if (/[\0\r\n]/.test(fields[index + 1]!)) return 'sent a header with a line break or NUL in its value';
  }
  return undefined;
}
