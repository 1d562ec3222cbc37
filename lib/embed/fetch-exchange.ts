/**
 * A `Request` and the `Response` that it gets, as an `Exchange`. Bodies stream both ways, held back by their reader. There
 * are no HTTP trailers in the Fetch API, nor a socket: a break is an error of the body, and a client that goes away is one
 * that cancels it, or aborts the request's signal.
 */
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { BodySink, Peer, ResponseHead } from '../exchange.js';
import { header, isHeaderName, isHeaderValue, type HeaderFields } from '../headers.js';
import { BodyReader, type ServedExchange } from '../server/index.js';

/** Bytes of an answer that wait for their reader before its writer is asked to wait, too. */
const HIGH_WATER_BYTES = 64 * 1024;

/** Statuses whose answers have no body; `Response` insists on it. */
const bodiless = new Set([204, 205, 304]);

export class FetchExchange implements ServedExchange {
  readonly method: string;
  readonly target: string;
  /** Decides what only HTTP/1 has: reason phrases. */
  readonly httpVersion = '1.1';
  readonly headers: HeaderFields;
  readonly peer: Peer = { address: 'unknown', port: 0 };
  readonly secure: boolean;
  readonly hasBody: boolean;
  /** Rejects where the answer is broken off before its head. */
  readonly response: Promise<Response>;
  responded = false;

  private resolve!: (response: Response) => void;
  private reject!: (error: Error) => void;
  private source: Readable | undefined;
  private reader: BodyReader | undefined;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** What was written and not read yet. */
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  /** The reader of the answer waits. */
  private wanted: (() => void) | undefined;
  /** Nothing more is to be written. */
  private done = false;
  private aborted = false;
  private gone = false;
  /** The stream of the answer has its end. */
  private closed = false;
  private settled = false;
  private readonly drainListeners: (() => void)[] = [];
  private closeListener: (() => void) | undefined;
  private settleListener: (() => void) | undefined;
  private readonly onSignal = (): void => this.cut();

  constructor(
    private readonly request: Request,
    private readonly idleTimeoutMs: number,
  ) {
    const { protocol, host, target } = splitUrl(request.url);
    this.method = request.method;
    this.target = target;
    this.secure = protocol === 'https:';
    this.headers = fieldsOf(request.headers, host);
    this.hasBody = request.body !== null;
    this.response = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The request is taken: from now on its signal counts. */
  start(): void {
    const { signal } = this.request;
    if (signal.aborted) queueMicrotask(this.onSignal);
    else signal.addEventListener('abort', this.onSignal);
  }

  continue(): void {
    // Whoever made the request has its body already, or sends it when it is read.
  }

  read(sink: BodySink): void {
    if (this.gone) return queueMicrotask(() => sink.onAbort());
    this.source = Readable.fromWeb(this.request.body as NodeReadableStream<Uint8Array>);
    this.reader = new BodyReader(this.source, sink, this.idleTimeoutMs);
    // Without the rest of the request its maker is gone, too.
    this.source.on('error', () => this.cut());
  }

  pause(): void {
    this.reader?.pause();
  }

  resume(): void {
    this.reader?.resume();
  }

  respond(head: ResponseHead): void {
    if (this.responded || this.done) return;
    this.responded = true;
    const body = this.method === 'HEAD' || bodiless.has(head.status) ? null : this.bodyStream();
    this.resolve(
      new Response(body, {
        status: head.status,
        headers: headersOf(head.headers),
        ...(head.reason === undefined ? {} : { statusText: head.reason }),
      }),
    );
  }

  write(chunk: Buffer): boolean {
    if (this.done || this.controller === undefined || chunk.length === 0) return true;
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    this.deliver();
    return this.waitingBytes < HIGH_WATER_BYTES;
  }

  onDrain(listener: () => void): void {
    this.drainListeners.push(listener);
  }

  end(chunk?: Buffer): void {
    if (this.done) return;
    if (chunk !== undefined) this.write(chunk);
    this.finish();
  }

  abort(): void {
    if (this.done) return;
    this.aborted = true;
    if (!this.responded) this.reject(new Error('the answer was broken off before it began'));
    this.finish();
  }

  onClose(listener: () => void): void {
    if (this.gone) queueMicrotask(listener);
    else this.closeListener = listener;
  }

  /** The client is gone, or has to go. */
  cut(): void {
    if (!this.responded) this.reject(new Error('the request was broken off'));
    if (!this.closed) this.controller?.error(brokenOff());
    this.wanted?.();
    this.lost();
  }

  /** The answer is whole, read or not, or nobody waits for it any more. */
  onSettled(listener: () => void): void {
    this.settleListener = listener;
  }

  private bodyStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.controller = controller;
        },
        pull: () =>
          new Promise<void>((resolve) => {
            this.wanted = resolve;
            this.deliver();
          }),
        cancel: () => this.lost(),
      },
      // Nothing is queued in the stream: an error would throw away what is.
      { highWaterMark: 0 },
    );
  }

  /** Gives the reader its next piece, or the end. */
  private deliver(): void {
    const { wanted, controller, waiting } = this;
    if (controller === undefined || this.closed) return;
    const chunk = wanted === undefined ? undefined : waiting.shift();
    if (chunk !== undefined) {
      this.wanted = undefined;
      const wasFull = this.waitingBytes >= HIGH_WATER_BYTES;
      this.waitingBytes -= chunk.length;
      // A copy: the memory behind a Buffer may be that of others.
      controller.enqueue(new Uint8Array(chunk));
      wanted!();
      if (wasFull && this.waitingBytes < HIGH_WATER_BYTES) for (const listener of this.drainListeners) listener();
    }
    if (!this.done || waiting.length > 0) return;
    if (this.aborted) {
      if (this.wanted === undefined) return;
      controller.error(brokenOff());
    } else {
      controller.close();
    }
    this.closed = true;
    this.wanted?.();
  }

  private finish(): void {
    this.done = true;
    // Nobody wants the rest of the body.
    this.reader?.detach();
    if (this.source !== undefined) this.source.destroy();
    else if (this.hasBody && !this.request.bodyUsed && !this.request.body!.locked) {
      void this.request.body!.cancel().catch(() => undefined);
    }
    this.deliver();
    this.settle();
  }

  private lost(): void {
    const wasDone = this.done;
    this.done = true;
    this.gone = true;
    this.closed = true;
    this.waiting.length = 0;
    this.reader?.fail();
    this.source?.destroy();
    this.settle();
    if (!wasDone) this.closeListener?.();
  }

  private settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.request.signal.removeEventListener('abort', this.onSignal);
    this.settleListener?.();
  }
}

function brokenOff(): Error {
  return new Error('the answer was broken off: what came of it is not whole');
}

/** The path and query as they stand in the URL, which `Request` has brought into normal form. */
function splitUrl(text: string): { protocol: string; host: string; target: string } {
  const { protocol, host, pathname, search } = new URL(text);
  return { protocol, host, target: `${pathname}${search}` };
}

/** Without `te`: there are no trailers, and a service's are better told as headers than not at all. */
function fieldsOf(headers: Headers, host: string): string[] {
  const fields: string[] = [];
  for (const [name, value] of headers) if (name !== 'te') fields.push(name, value);
  if (header(fields, 'host') === undefined) fields.unshift('host', host);
  return fields;
}

/** Of the connection, which is not ours. */
const connectionFields = new Set(['connection', 'keep-alive', 'trailer', 'transfer-encoding', 'upgrade']);

function headersOf(fields: HeaderFields): Headers {
  const headers = new Headers();
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (!connectionFields.has(name) && isHeaderName(name) && isHeaderValue(value)) headers.append(name, value);
  }
  return headers;
}
