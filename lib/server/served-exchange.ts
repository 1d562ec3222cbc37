/**
 * What all exchanges share: the states of a response, the listeners, and the reader of the request body. A subclass knows
 * only how its transport writes and closes.
 *
 *   open ── respond ── write* ──┬── end ───────┬── done ── settled
 *     │                         └── abort ─────┤
 *     └── the client disconnects (`onClose`) ──┘
 */
import type { Readable } from 'node:stream';
import type { BodySink, Exchange, Peer, ResponseHead } from '../exchange.js';
import { publishFault } from '../gateway/index.js';
import type { HeaderFields } from '../headers.js';
import type { StatusError } from '../status.js';
import { splitTarget } from '../uri.js';
import { type BodyOwner, BodyReader } from './body.js';
import { type Accountable, type Intake, SMALL_ANSWER_BYTES } from './intake.js';
import type { BodyLimits } from './options.js';
import { trailersProblem } from './refusal.js';

/**
 * What follows a response head: `later`, nothing is known yet, and the head is sent alone; `body`, bytes or trailers;
 * `last-chunk`, all of the body; `nothing`.
 */
export type HeadContext = 'later' | 'body' | 'last-chunk' | 'nothing';

type Listener = (() => void) | undefined;

const nothing = Buffer.alloc(0);

/** What an exchange needs to know of its connection. */
export interface ExchangeConnection {
  readonly peer: Peer;
  /** Undefined if the exchange shares the connection with no other. */
  readonly intake?: Intake<ServedExchange>;
}

/** Request line and headers. */
export interface ExchangeHead {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderFields;
  /** True if the client waits for `100 Continue`. */
  readonly expectsContinue: boolean;
}

/** The base of all exchanges that a client can meet. */
export abstract class ServedExchange implements Exchange, Accountable, BodyOwner {
  abstract readonly httpVersion: Exchange['httpVersion'];
  /** Bytes of the response that the client has not taken. */
  abstract readonly unsentBytes: number;
  readonly peer: Peer;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderFields;
  readonly idleTimeoutMs: number;
  /** True once `respond` was called. */
  responded = false;
  /** The exchange has left its connection: the response was sent, or never will be. */
  isSettled = false;
  slot = 0;
  /** Nothing more is written: the response was ended or aborted, or the client disconnected. */
  protected done = false;
  protected head: ResponseHead | undefined;
  protected reader: BodyReader | undefined;
  /** The request body will never be complete. */
  protected bodyFailed = false;
  private readonly intake: Intake<ServedExchange> | undefined;
  private expectsContinue: boolean;
  private bodyError: StatusError | undefined;
  private headSent = false;
  private clientGone = false;
  private closeListener: Listener;
  private drainListener: Listener;
  private settleListener: Listener;

  protected constructor(
    connection: ExchangeConnection,
    head: ExchangeHead,
    readonly hasBody: boolean,
    private readonly limits: BodyLimits,
  ) {
    this.peer = connection.peer;
    this.intake = connection.intake;
    this.method = head.method;
    this.target = head.target;
    this.headers = head.headers;
    this.expectsContinue = head.expectsContinue;
    this.idleTimeoutMs = limits.idleTimeoutMs;
  }

  get secure(): boolean {
    return this.peer.tls !== undefined;
  }

  continue(): void {
    if (!this.expectsContinue || this.responded || !this.isOpen) return;
    this.expectsContinue = false;
    this.sendContinue();
  }

  read(sink: BodySink): void {
    if (this.done || this.bodyFailed) this.callSoon(() => sink.onAbort(this.bodyError));
    else if (!this.hasBody) this.callSoon(() => sink.onEnd());
    else this.reader = new BodyReader(this.openBody(), sink, this);
  }

  pause(): void {
    this.reader?.pause();
  }

  resume(): void {
    this.reader?.resume();
  }

  respond(head: ResponseHead): void {
    if (this.responded || !this.isOpen) return;
    this.head = head;
    this.begin(head);
    this.responded = true;
  }

  write(chunk: Buffer): boolean {
    if (!this.isOpen) return true;
    this.ensureHead('body');
    if (this.isBodiless || this.writeChunk(chunk)) return true;
    this.intake?.addUnsent(this);
    return false;
  }

  onDrain(listener: () => void): void {
    this.drainListener = this.both(this.drainListener, listener);
  }

  expect(bytes: number, onRoom: () => void): boolean {
    return this.intake?.expect(this, bytes, onRoom) ?? true;
  }

  end(chunk = nothing, trailers?: HeaderFields): void {
    if (!this.isOpen) return;
    const last = this.isBodiless ? nothing : chunk;
    this.ensureHead(trailers !== undefined ? 'body' : last.length > 0 ? 'last-chunk' : 'nothing');
    this.done = true;
    this.finish(last, trailers);
    if (this.unsentBytes > SMALL_ANSWER_BYTES) this.intake?.addUnsent(this);
  }

  abort(): void {
    if (!this.isOpen) return;
    try {
      this.flushHead();
    } catch {
      // The head cannot be written: the response is broken off without one.
    }
    this.done = true;
    this.reader?.detach();
    this.breakOff(this.responded && this.hasWrittenHead);
  }

  onClose(listener: () => void): void {
    if (this.clientGone) this.callSoon(listener);
    else this.closeListener = this.both(this.closeListener, listener);
  }

  /** Adds a listener that is called once when the exchange has left its connection, however it ended. */
  onSettled(listener: () => void): void {
    this.settleListener = this.both(this.settleListener, listener);
  }

  /** Breaks off the request and its response at once, whatever their state. */
  abstract cut(): void;

  /** The rest of the request body cannot be read: it is malformed (then with the error to answer), or nobody sends it. */
  failBody(error?: StatusError): void {
    if (this.bodyFailed) return;
    this.bodyFailed = true;
    this.bodyError = error;
    this.reader?.fail(error);
  }

  /** The transport is closed, after the response or before. */
  closed(): void {
    const wasDone = this.done;
    this.done = true;
    this.clientGone ||= !wasDone;
    this.failBody();
    this.intake?.leave(this);
    if (!wasDone) this.call(this.closeListener);
    this.settle();
  }

  /** Sends the head that `respond` got, unless it was sent. */
  flushHead(): void {
    if (this.responded && !this.headSent && this.isOpen) this.ensureHead('later');
  }

  bodyProblem(): StatusError | undefined {
    return trailersProblem(this.requestTrailers(), this.limits.maxHeaderBytes);
  }

  /** A listener or sink threw: its request ends, and nothing else. */
  fault(error: unknown): void {
    const { method, target } = this;
    publishFault(error, { requestId: '', method, path: splitTarget(target).path });
    this.abort();
  }

  /** Trailers of the request as a flat list, once the body has ended. */
  protected requestTrailers(): readonly string[] {
    return [];
  }

  /** True if the transport can still send something of the response. */
  protected abstract readonly isWritable: boolean;
  /** True once the head has been given to the transport. */
  protected abstract readonly hasWrittenHead: boolean;
  protected abstract sendContinue(): void;
  protected abstract openBody(): Readable;
  protected abstract sendHead(head: ResponseHead, context: HeadContext): void;
  /** False: `drained` will be called. */
  protected abstract writeChunk(chunk: Buffer): boolean;
  protected abstract finish(chunk: Buffer, trailers: HeaderFields | undefined): void;
  /** @param hasHead false if the client has got nothing of the response */
  protected abstract breakOff(hasHead: boolean): void;

  protected get isOpen(): boolean {
    return !this.done && this.isWritable;
  }

  /** The first bytes of the body take the head along; if none come in this tick, it goes alone. */
  protected begin(_head: ResponseHead): void {
    process.nextTick(flushHead, this);
  }

  /** There is room again after `writeChunk` returned false. */
  protected drained(): void {
    this.call(this.drainListener);
  }

  protected settle(): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.call(this.settleListener);
  }

  protected get isHeadSent(): boolean {
    return this.headSent;
  }

  private get isBodiless(): boolean {
    const status = this.head?.status;
    return this.method === 'HEAD' || status === 204 || status === 304;
  }

  private ensureHead(context: HeadContext): void {
    const { head } = this;
    if (this.headSent) return;
    if (!this.responded || head === undefined) throw new TypeError('respond() comes before write() and end()');
    this.headSent = true;
    this.sendHead(head, context);
  }

  private both(first: Listener, second: () => void): () => void {
    if (first === undefined) return second;
    return () => {
      this.call(first);
      this.call(second);
    };
  }

  private callSoon(listener: () => void): void {
    queueMicrotask(() => this.call(listener));
  }

  private call(listener: Listener): void {
    try {
      listener?.();
    } catch (error) {
      this.fault(error);
    }
  }
}

/** Runs in a tick of its own, where nobody catches: a head that cannot be written breaks off its response only. */
function flushHead(exchange: ServedExchange): void {
  try {
    exchange.flushHead();
  } catch {
    exchange.abort();
  }
}
