/**
 * One HTTP/2 stream as an `Exchange`, over the 'stream' API of Node's http2 (its request and response objects cost a quarter
 * of the speed). Writes the head together with the first bytes of the body, or alone at the end of the tick.
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { BodySink, Peer, ResponseHead } from '../exchange.js';
import { connectionHeaders, type HeaderFields, isHeaderName, isHeaderValue, singleValuedHeaders } from '../headers.js';
import { BodyReader } from './body.js';
import { DRAIN_BYTES, DRAIN_MS } from './options.js';
import type { ServedExchange } from './refusal.js';

/** How long a broken-off answer may take to reach a slow reader before the stream is reset all the same. */
const ABORT_FLUSH_MS = 10_000;

/** Between the last byte of a broken-off answer and the reset: curl throws away what comes together with that. */
const RESET_DELAY_MS = 50;

const nothing = Buffer.alloc(0);

/** The request line of an HTTP/2 stream and its headers. */
export interface Http2Head {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderFields;
  readonly expectsContinue: boolean;
}

export class Http2Exchange implements ServedExchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = '2';
  readonly headers: HeaderFields;
  readonly hasBody: boolean;
  responded = false;
  private done = false;
  private gone = false;
  private head: ResponseHead | undefined;
  private headSent = false;
  private trailers: HeaderFields | undefined;
  private reader: BodyReader | undefined;
  private expectsContinue: boolean;
  private closeListener: (() => void) | undefined;

  constructor(
    private readonly stream: ServerHttp2Stream,
    head: Http2Head,
    private readonly session: { readonly peer: Peer },
    private readonly idleTimeoutMs: number,
  ) {
    this.method = head.method;
    this.target = head.target;
    this.headers = head.headers;
    this.expectsContinue = head.expectsContinue;
    this.hasBody = !stream.endAfterHeaders;
    // 'aborted' comes before the 'end' that a broken-off upload has too, and for a paused stream without 'close'.
    stream.on('aborted', () => this.lost());
    stream.on('close', () => this.lost());
    stream.on('error', () => this.lost());
  }

  get peer(): Peer {
    return this.session.peer;
  }

  get secure(): boolean {
    return this.peer.tls !== undefined;
  }

  continue(): void {
    if (!this.expectsContinue || this.responded || !this.isOpen()) return;
    this.expectsContinue = false;
    this.stream.additionalHeaders({ ':status': 100 });
  }

  read(sink: BodySink): void {
    if (this.gone) queueMicrotask(() => sink.onAbort());
    else this.reader = new BodyReader(this.stream, sink, this.idleTimeoutMs);
  }

  pause(): void {
    this.reader?.pause();
  }

  resume(): void {
    this.reader?.resume();
  }

  respond(head: ResponseHead): void {
    if (this.responded || !this.isOpen()) return;
    this.responded = true;
    this.head = head;
    process.nextTick(flushHead, this);
  }

  write(chunk: Buffer): boolean {
    if (!this.isOpen()) return true;
    this.flushHead();
    return this.stream.writableEnded || this.stream.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.stream.on('drain', listener);
  }

  end(chunk?: Buffer, trailers?: HeaderFields): void {
    if (!this.isOpen()) return;
    this.trailers = trailers;
    if (!this.headSent) {
      const endStream = (chunk === undefined || chunk.length === 0) && trailers === undefined;
      this.sendHead({ endStream, waitForTrailers: trailers !== undefined });
    }
    this.done = true;
    if (!this.stream.writableEnded) this.stream.end(chunk);
    if (this.hasBody && !this.stream.readableEnded) this.drainBody();
  }

  abort(): void {
    if (!this.isOpen()) return;
    if (this.responded) this.flushHead();
    this.done = true;
    this.reader?.detach();
    if (!this.responded || this.stream.writableEnded) return this.reset();
    const timer = setTimeout(() => this.reset(), ABORT_FLUSH_MS);
    this.stream.once('close', () => clearTimeout(timer));
    this.stream.write(nothing, () => setTimeout(() => this.reset(), RESET_DELAY_MS));
  }

  onClose(listener: () => void): void {
    if (this.gone) queueMicrotask(listener);
    else this.closeListener = listener;
  }

  /** Writes the head that `respond` was given, if nothing has yet. */
  flushHead(): void {
    if (!this.headSent && this.isOpen()) this.sendHead({ endStream: false, waitForTrailers: true });
  }

  /** `close()` would end the stream before it resets it, and the answer would look whole. */
  private reset(): void {
    this.stream.destroy(new Error('answer broken off'));
  }

  private lost(): void {
    this.reader?.fail();
    if (this.done) return;
    this.done = true;
    this.gone = true;
    this.closeListener?.();
  }

  private isOpen(): boolean {
    return !this.done && !this.stream.destroyed && !this.stream.closed;
  }

  private sendHead(options: { endStream: boolean; waitForTrailers: boolean }): void {
    const { head } = this;
    if (head === undefined) return;
    this.headSent = true;
    const endStream = options.endStream || this.method === 'HEAD' || head.status === 204 || head.status === 304;
    const waitForTrailers = options.waitForTrailers && !endStream;
    if (waitForTrailers) this.stream.once('wantTrailers', () => this.sendTrailers());
    this.stream.respond(http2Fields(head.headers, head.status), { endStream, waitForTrailers });
  }

  private sendTrailers(): void {
    // Without trailers Node ends the stream by an empty DATA frame.
    if (!this.stream.destroyed) this.stream.sendTrailers(http2Fields(this.trailers ?? []));
  }

  /** An answer that came before the end of the body: a bounded rest is read, then the client is told to stop. */
  private drainBody(): void {
    const { stream } = this;
    this.reader?.detach();
    let left = DRAIN_BYTES;
    const stop = (): void => {
      // Before the last byte of the answer is out, the reset would cut it.
      if (stream.writableFinished) stream.close(constants.NGHTTP2_NO_ERROR);
      else stream.once('finish', stop);
    };
    const timer = setTimeout(stop, DRAIN_MS);
    stream.once('close', () => clearTimeout(timer));
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left >= 0) return;
      stream.pause();
      stop();
    });
    stream.resume();
  }
}

function flushHead(exchange: Http2Exchange): void {
  exchange.flushHead();
}

/** Which HTTP/2 has by itself; Node throws on them. */
const connectionFields = new Set(connectionHeaders);

/** Of what HTTP itself is made of. */
const singleFields = new Set(['content-length', 'content-type', 'host', 'user-agent']);

/** The list as Node's http2 takes it, without what HTTP/2 does not have. */
function http2Fields(fields: HeaderFields, status?: number): OutgoingHttpHeaders {
  const object: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders;
  if (status !== undefined) object[':status'] = status;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (connectionFields.has(name) || !isHeaderName(name) || !isHeaderValue(value)) continue;
    const before = object[name];
    if (before === undefined) object[name] = value;
    else if (typeof before === 'string') object[name] = isSingleValued(name) ? before : [before, value];
    else if (Array.isArray(before)) before.push(value);
  }
  return object;
}

/** Node throws where one of these stands twice; no answer of ours should have it, but a service's metadata may. */
function isSingleValued(name: string): boolean {
  return singleValuedHeaders.has(name) || singleFields.has(name);
}
