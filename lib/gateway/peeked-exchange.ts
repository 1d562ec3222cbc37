/** An `Exchange` whose body may be looked at before somebody reads it: a filter does, and the route gets all of it. */
import type { BodySink, Exchange } from '../exchange.js';
import type { BodyStart } from '../routes/index.js';
import { StatusError } from '../status.js';
import { DelegateExchange } from './delegate-exchange.js';

interface Waiter {
  readonly maxBytes: number;
  readonly resolve: (start: BodyStart) => void;
  readonly reject: (error: StatusError) => void;
}

export class PeekedExchange extends DelegateExchange {
  private chunks: Buffer[] = [];
  private length = 0;
  private isStarted = false;
  private isHeld = false;
  /** How the body has ended. */
  private ending: 'whole' | { readonly error: StatusError | undefined } | undefined;
  private waiter: Waiter | undefined;
  private sink: BodySink | undefined;
  /** What was kept has gone to the sink. */
  private isHandedOn = false;
  /** The sink was full while it got what was kept. */
  private isFull = false;

  constructor(private readonly exchange: Exchange) {
    super(exchange);
  }

  /**
   * The first bytes of the body; nothing beyond them is waited for.
   * @throws StatusError if the body does not come
   */
  peek(maxBytes: number): Promise<BodyStart> {
    if (!this.hasBody) return Promise.resolve({ bytes: Buffer.alloc(0), isWhole: true });
    return new Promise((resolve, reject) => {
      this.waiter = { maxBytes, resolve, reject };
      if (!this.isStarted) {
        this.isStarted = true;
        this.exchange.continue();
        this.exchange.read(this.keeper);
      } else if (this.isHeld) {
        this.isHeld = false;
        this.exchange.resume();
      }
      this.serveWaiter();
    });
  }

  private readonly keeper: BodySink = {
    onData: (chunk) => {
      if (this.isHandedOn) return this.sink?.onData(chunk);
      this.chunks.push(chunk);
      this.length += chunk.length;
      this.serveWaiter();
    },
    onEnd: () => {
      this.ending = 'whole';
      if (this.isHandedOn) this.sink?.onEnd();
      else this.serveWaiter();
    },
    onAbort: (error) => {
      this.ending = { error };
      if (this.isHandedOn) this.sink?.onAbort(error);
      else this.serveWaiter();
    },
  };

  private serveWaiter(): void {
    const { waiter, ending } = this;
    if (waiter === undefined) return;
    if (ending !== undefined && ending !== 'whole') {
      this.waiter = undefined;
      waiter.reject(ending.error ?? StatusError.http(400, 'the body broke off'));
      return;
    }
    const isWhole = ending === 'whole' && this.length <= waiter.maxBytes;
    if (!isWhole && this.length <= waiter.maxBytes) return;
    this.waiter = undefined;
    if (ending === undefined) {
      this.isHeld = true;
      this.exchange.pause();
    }
    waiter.resolve({ bytes: Buffer.concat(this.chunks).subarray(0, waiter.maxBytes), isWhole });
  }

  override read(sink: BodySink): void {
    if (!this.isStarted) return super.read(sink);
    this.sink = sink;
    // As from a socket, nothing comes before the reader has returned.
    queueMicrotask(() => this.handOn(sink));
  }

  private handOn(sink: BodySink): void {
    for (const chunk of this.chunks.splice(0)) sink.onData(chunk);
    this.isHandedOn = true;
    const { ending } = this;
    if (ending === 'whole') sink.onEnd();
    else if (ending !== undefined) sink.onAbort(ending.error);
    else if (this.isFull && !this.isHeld) this.exchange.pause();
    else if (this.isHeld && !this.isFull) this.exchange.resume();
    this.isHeld = false;
  }

  override pause(): void {
    // Before the rest is let through, it is held anyway.
    if (!this.isStarted || this.isHandedOn) this.exchange.pause();
    else this.isFull = true;
  }

  override resume(): void {
    if (!this.isStarted || this.isHandedOn) this.exchange.resume();
    else this.isFull = false;
  }
}
