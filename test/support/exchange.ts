/**
 * An `Exchange` in memory: a request goes in, and status, headers, body, trailers or the break come out. No socket, and no
 * rule of HTTP beyond the order of calls, which it checks: a second `respond`, or bytes before it, are an error.
 */
import type { BodySink, Exchange, Peer, ResponseHead } from '../../lib/exchange.js';
import { header, type HeaderFields } from '../../lib/headers.js';
import type { StatusError } from '../../lib/status.js';

export interface MemoryRequest {
  /** Default GET, or POST where there is a body. */
  readonly method?: string;
  /** Default `/`. */
  readonly target?: string;
  readonly httpVersion?: '1.0' | '1.1' | '2';
  /** Flat list, names in lower case. Default: `host: localhost`. */
  readonly headers?: HeaderFields;
  /** The whole body, or its pieces. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
  /** True: the body goes on, by `push` and `finishBody`. */
  readonly open?: boolean;
  readonly peer?: Peer;
  /** Bytes that `write` takes before it answers false; default: any number. Lifted by `drain`. */
  readonly highWater?: number;
  /** Bytes of a message that may be on their way; default: any number. Lifted by `makeRoom`. */
  readonly room?: number;
}

/** What the client got. */
export interface MemoryAnswer {
  /** 0 where there was no head at all. */
  readonly status: number;
  readonly reason: string | undefined;
  readonly headers: HeaderFields;
  readonly body: Buffer;
  readonly trailers: HeaderFields | undefined;
  /** True where the answer was broken off. */
  readonly aborted: boolean;
}

export class MemoryExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly headers: HeaderFields;
  readonly peer: Peer;
  readonly secure = false;
  readonly hasBody: boolean;

  /** Settles when the answer ends or is broken off. */
  readonly answer: Promise<MemoryAnswer>;
  /** True once `continue` was called. */
  continued = false;
  /** True once the body was asked for. */
  reading = false;
  paused = false;

  private readonly waiting: Buffer[] = [];
  private bodyEnded: boolean;
  private sink: BodySink | undefined;
  private head: ResponseHead | undefined;
  private readonly written: Buffer[] = [];
  private unread = 0;
  private settle!: (answer: MemoryAnswer) => void;
  private done = false;
  private gone = false;
  private closeListener: (() => void) | undefined;
  private drainListener: (() => void) | undefined;
  private roomListener: (() => void) | undefined;
  private hasRoom = false;

  constructor(private readonly request: MemoryRequest = {}) {
    const { body, open = false } = request;
    const pieces = body === undefined ? [] : typeof body === 'string' || Buffer.isBuffer(body) ? [body] : body;
    for (const piece of pieces) if (piece.length > 0) this.waiting.push(Buffer.from(piece as Buffer));
    this.hasBody = open || this.waiting.length > 0;
    this.bodyEnded = !open;
    this.method = request.method ?? (this.hasBody ? 'POST' : 'GET');
    this.target = request.target ?? '/';
    this.httpVersion = request.httpVersion ?? '1.1';
    this.headers = request.headers ?? ['host', 'localhost'];
    this.peer = request.peer ?? { address: '127.0.0.1', port: 50000 };
    this.answer = new Promise((resolve) => (this.settle = resolve));
  }

  // ------------------------------------------------------------------------------------------ what the client does

  /** More of the body. */
  push(chunk: string | Buffer): void {
    this.waiting.push(Buffer.from(chunk as Buffer));
    this.deliver();
  }

  finishBody(): void {
    this.bodyEnded = true;
    this.deliver();
  }

  /** The body breaks off: by a time-out of the server's with an error, else as the client went away. */
  breakBody(error?: StatusError): void {
    const { sink } = this;
    this.sink = undefined;
    sink?.onAbort(error);
  }

  /** The client closes its connection. */
  goAway(): void {
    if (this.done || this.gone) return;
    this.gone = true;
    this.breakBody();
    this.closeListener?.();
  }

  /** The client read what was written so far. */
  drain(): void {
    this.unread = 0;
    this.drainListener?.();
  }

  /** What waited for this client is less. */
  makeRoom(): void {
    this.hasRoom = true;
    this.roomListener?.();
    this.roomListener = undefined;
  }

  /** True while a message is held back for want of room. */
  get isHolding(): boolean {
    return this.roomListener !== undefined;
  }

  /** The body bytes that were written so far. */
  get soFar(): Buffer {
    return Buffer.concat(this.written);
  }

  /** The head that was sent so far. */
  get sentHead(): ResponseHead | undefined {
    return this.head;
  }

  // ------------------------------------------------------------------------------------------ Exchange

  continue(): void {
    this.continued = true;
  }

  read(sink: BodySink): void {
    if (this.reading) throw new Error('read was called twice');
    this.reading = true;
    this.sink = sink;
    if (this.gone) queueMicrotask(() => this.breakBody());
    else queueMicrotask(() => this.deliver());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    queueMicrotask(() => this.deliver());
  }

  respond(head: ResponseHead): void {
    if (this.gone || this.done) return;
    if (this.head !== undefined) throw new Error('respond was called twice');
    this.head = head;
  }

  write(chunk: Buffer): boolean {
    if (this.gone || this.done) return true;
    if (this.head === undefined) throw new Error('write was called before respond');
    this.written.push(Buffer.from(chunk));
    this.unread += chunk.length;
    return this.unread < (this.request.highWater ?? Infinity);
  }

  onDrain(listener: () => void): void {
    this.drainListener = listener;
  }

  expect(bytes: number, onRoom: () => void): boolean {
    const room = this.request.room ?? Infinity;
    if (bytes <= room || this.hasRoom) return true;
    this.roomListener = onRoom;
    return false;
  }

  end(chunk?: Buffer, trailers?: HeaderFields): void {
    if (this.gone || this.done) return;
    if (chunk !== undefined) this.write(chunk);
    if (this.head === undefined) throw new Error('end was called before respond');
    this.finish(false, trailers);
  }

  abort(): void {
    if (!this.gone && !this.done) this.finish(true, undefined);
  }

  onClose(listener: () => void): void {
    if (this.gone) queueMicrotask(listener);
    else this.closeListener = listener;
  }

  private deliver(): void {
    while (this.sink !== undefined && !this.paused && !this.done) {
      const chunk = this.waiting.shift();
      if (chunk !== undefined) {
        this.sink.onData(chunk);
        continue;
      }
      if (!this.bodyEnded) return;
      const { sink } = this;
      this.sink = undefined;
      sink.onEnd();
    }
  }

  private finish(aborted: boolean, trailers: HeaderFields | undefined): void {
    this.done = true;
    this.settle({
      status: this.head?.status ?? 0,
      reason: this.head?.reason,
      headers: this.head?.headers ?? [],
      body: this.method === 'HEAD' ? Buffer.alloc(0) : Buffer.concat(this.written),
      trailers,
      aborted,
    });
  }
}

/** One request through a handler, to its answer; `json` parses the body. */
export async function ask(
  handler: { handle(exchange: Exchange): void },
  request: MemoryRequest,
): Promise<MemoryAnswer & { header(name: string): string | undefined; json(): unknown }> {
  const exchange = new MemoryExchange(request);
  handler.handle(exchange);
  const answer = await exchange.answer;
  return {
    ...answer,
    header: (name) => header(answer.headers, name),
    json: () => JSON.parse(answer.body.toString()) as unknown,
  };
}
