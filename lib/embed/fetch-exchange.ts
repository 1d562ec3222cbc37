/**
 * A `Request` and its `Response` as an `Exchange`. Bodies stream both ways with back-pressure. The Fetch API has no trailers
 * and no socket: a broken-off response is an error of its body, and a client disconnects by cancelling the body or by the
 * signal of the request.
 */
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Peer, ResponseHead } from '../exchange.js';
import { header, headerPairs, isHeaderName, isHeaderValue, type HeaderFields } from '../headers.js';
import { type FetchLimits, Progress, ServedExchange, type Watched, type Written } from '../server/index.js';
import { Pieces } from '../wire/index.js';

/** Bytes of a response that may wait for their reader before `write` returns false. */
const HIGH_WATER_BYTES = 64 * 1024;

/** Statuses without a body; `Response` insists on it. */
const bodiless = new Set([204, 205, 304]);

const nothing = Buffer.alloc(0);

/** One `Request` and its `Response`. */
export class FetchExchange extends ServedExchange implements Watched, Written {
  /** Decides about reason phrases, which only HTTP/1 has. */
  readonly httpVersion = '1.1';
  /** Rejects if the response is broken off before its head. */
  readonly response: Promise<Response>;
  takenBytes = 0;
  private resolve!: (response: Response) => void;
  private reject!: (error: Error) => void;
  private source: Readable | undefined;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Written, and not read yet. */
  private readonly waiting = new Pieces();
  private readonly progress: Progress;
  /** Wakes the reader of the response, which waits. */
  private wanted: (() => void) | undefined;
  private isBroken = false;
  /** The stream of the response has its end. */
  private isStreamClosed = false;
  private readonly isHttps: boolean;
  private readonly onSignal = (): void => this.cut();

  constructor(
    private readonly request: Request,
    peer: Peer,
    limits: FetchLimits,
  ) {
    const { protocol, host, target } = splitUrl(request.url);
    const head = { method: request.method, target, headers: fieldsOf(request.headers, host), expectsContinue: false };
    super({ peer }, head, request.body !== null, limits);
    this.progress = new Progress(this, limits.writeTimeoutMs);
    this.isHttps = protocol === 'https:';
    this.response = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Takes the request: from now on its signal is heeded. */
  start(): void {
    const { signal } = this.request;
    if (signal.aborted) queueMicrotask(this.onSignal);
    else signal.addEventListener('abort', this.onSignal);
  }

  override get secure(): boolean {
    return this.isHttps;
  }

  get unsentBytes(): number {
    return this.waiting.length;
  }

  /** A reader that takes nothing for `write_timeout` counts as disconnected. */
  checkTimeouts(nowMs: number): void {
    if (this.progress.isStalled(nowMs)) this.cut();
  }

  cut(): void {
    if (!this.responded) this.reject(new Error('the request was broken off'));
    if (!this.isStreamClosed) this.controller?.error(brokenOff());
    this.wanted?.();
    this.closed();
  }

  override closed(): void {
    this.isStreamClosed = true;
    this.waiting.clear();
    super.closed();
    this.source?.destroy();
  }

  protected get isWritable(): boolean {
    return true;
  }

  protected get hasWrittenHead(): boolean {
    return this.responded;
  }

  /** @throws TypeError or RangeError if the Fetch API refuses the head; nothing is answered then */
  protected override begin({ status, headers, reason }: ResponseHead): void {
    const body = this.method === 'HEAD' || bodiless.has(status) ? null : this.bodyStream();
    const statusText = reason === undefined || !isHeaderValue(reason) ? {} : { statusText: reason };
    this.resolve(new Response(body, { status, headers: headersOf(headers), ...statusText }));
  }

  protected sendHead(): void {
    // `begin` has sent it.
  }

  protected sendContinue(): void {
    // The body is there already, or is sent when it is read.
  }

  protected openBody(): Readable {
    this.source = Readable.fromWeb(this.request.body as NodeReadableStream<Uint8Array>);
    // A client whose request breaks off is gone.
    this.source.on('error', () => this.cut());
    return this.source;
  }

  protected writeChunk(chunk: Buffer): boolean {
    if (this.controller === undefined || chunk.length === 0) return true;
    this.waiting.push(chunk);
    this.deliver();
    return this.waiting.length < HIGH_WATER_BYTES;
  }

  protected finish(chunk: Buffer): void {
    this.writeChunk(chunk);
    this.reader?.detach();
    const { source, request } = this;
    if (source !== undefined) source.destroy();
    else if (!request.bodyUsed && request.body?.locked === false) void request.body.cancel().catch(() => undefined);
    this.deliver();
    this.settle();
  }

  protected breakOff(hasHead: boolean): void {
    this.isBroken = true;
    if (!hasHead) this.reject(new Error('the answer was broken off before it began'));
    this.finish(nothing);
  }

  protected override settle(): void {
    this.request.signal.removeEventListener('abort', this.onSignal);
    super.settle();
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
        cancel: () => this.closed(),
      },
      // Nothing is queued in the stream: an error would throw away what is.
      { highWaterMark: 0 },
    );
  }

  /** Gives the reader its next piece, or the end. */
  private deliver(): void {
    const { wanted, controller, waiting } = this;
    if (controller === undefined || this.isStreamClosed) return;
    if (wanted !== undefined && waiting.length > 0) {
      this.wanted = undefined;
      const wasFull = waiting.length >= HIGH_WATER_BYTES;
      // A copy: the memory behind a Buffer may be that of others.
      const chunk = new Uint8Array(waiting.takeSome(HIGH_WATER_BYTES));
      this.takenBytes += chunk.length;
      controller.enqueue(chunk);
      wanted();
      if (wasFull && waiting.length < HIGH_WATER_BYTES) this.drained();
    }
    if (!this.done || waiting.length > 0) return;
    if (this.isBroken) {
      if (this.wanted === undefined) return;
      controller.error(brokenOff());
    } else {
      controller.close();
    }
    this.isStreamClosed = true;
    this.wanted?.();
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
  return header(fields, 'host') === undefined ? ['host', host, ...fields] : fields;
}

/** Of the connection, which is not ours. */
const connectionFields = new Set(['connection', 'keep-alive', 'trailer', 'transfer-encoding', 'upgrade']);

function headersOf(fields: HeaderFields): Headers {
  const headers = new Headers();
  for (const [name, value] of headerPairs(fields)) {
    if (!connectionFields.has(name) && isHeaderName(name) && isHeaderValue(value)) headers.append(name, value);
  }
  return headers;
}
