/**
 * One HTTP/2 stream as an `Exchange`, over the 'stream' API of Node's http2 (its request and response objects cost a quarter
 * of the speed). Writes the head together with the first bytes of the body, or alone at the end of the tick.
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import type { ResponseHead } from '../exchange.js';
import { connectionHeaders, type HeaderFields, isHeaderName, isHeaderValue, singleValuedHeaders } from '../headers.js';
import { drainBody } from './body.js';
import { Outbox } from './http2-outbox.js';
import type { Intake } from './intake.js';
import { onRawTrailers } from './node-internals.js';
import { type BodyLimits, DRAIN_MS } from './options.js';
import { Progress } from './progress.js';
import { type ExchangeConnection, type ExchangeHead, type HeadContext, ServedExchange } from './served-exchange.js';

/** How long a broken-off answer may take to reach a slow reader before the stream is reset all the same. */
const ABORT_FLUSH_MS = 10_000;

/** Between the last byte of a broken-off answer and the reset: curl throws away what comes together with that. */
const RESET_DELAY_MS = 50;

const nothing = Buffer.alloc(0);

/** The connection of an exchange. */
export interface Http2Connection extends ExchangeConnection {
  readonly intake: Intake<ServedExchange>;
}

/** One HTTP/2 stream: a request and its response. */
export class Http2Exchange extends ServedExchange {
  readonly httpVersion = '2';
  private trailers: HeaderFields | undefined;
  private rawTrailers: readonly string[] = [];
  private readonly writeTimeoutMs: number;
  private readonly outbox: Outbox;
  private progress: Progress | undefined;

  constructor(
    private readonly stream: ServerHttp2Stream,
    head: ExchangeHead,
    connection: Http2Connection,
    limits: BodyLimits & { readonly writeTimeoutMs: number },
  ) {
    super(connection, head, !stream.endAfterHeaders, limits);
    this.writeTimeoutMs = limits.writeTimeoutMs;
    const { intake } = connection;
    this.outbox = new Outbox(stream, (isAll) => {
      intake.sent(this, isAll);
      if (isAll) this.drained();
    });
    if (this.hasBody) onRawTrailers(stream, (trailers) => (this.rawTrailers = trailers));
    const onClosed = (): void => this.closed();
    // 'aborted' comes before the 'end' that a broken-off upload has too, and for a paused stream without 'close'.
    stream.on('aborted', onClosed);
    stream.on('close', onClosed);
    stream.on('error', onClosed);
  }

  get unsentBytes(): number {
    return this.outbox.unsentBytes;
  }

  /** True if the client has taken nothing of the response for `write_timeout`, though something waits for it. */
  isStalled(nowMs: number): boolean {
    this.progress ??= new Progress(this.outbox, this.writeTimeoutMs);
    return this.progress.isStalled(nowMs);
  }

  /** `close()` would end the stream before it resets it, and the response would look complete. */
  cut(): void {
    this.stream.destroy(new Error('response broken off'));
  }

  override closed(): void {
    this.outbox.clear();
    super.closed();
    // Node keeps a stream that was reset until its body is read.
    if (this.hasBody && !this.stream.destroyed) this.stream.resume();
  }

  protected override requestTrailers(): readonly string[] {
    return this.rawTrailers;
  }

  protected get isWritable(): boolean {
    return !this.stream.destroyed && !this.stream.closed;
  }

  protected get hasWrittenHead(): boolean {
    return this.stream.headersSent;
  }

  protected sendContinue(): void {
    this.stream.additionalHeaders({ ':status': 100 });
  }

  protected openBody(): Readable {
    return this.stream;
  }

  protected sendHead({ status, headers }: ResponseHead, context: HeadContext): void {
    const endStream = context === 'nothing' || this.method === 'HEAD' || status === 204 || status === 304;
    const waitForTrailers = !endStream && context !== 'last-chunk';
    if (waitForTrailers) this.stream.once('wantTrailers', () => this.sendTrailers());
    this.stream.respond(http2Fields(headers, status), { endStream, waitForTrailers });
  }

  protected writeChunk(chunk: Buffer): boolean {
    return this.stream.writableEnded || this.outbox.write(chunk);
  }

  protected finish(chunk: Buffer, trailers: HeaderFields | undefined): void {
    const { stream } = this;
    this.trailers = trailers;
    if (!stream.writableEnded) this.outbox.end(chunk);
    if (this.hasBody && !stream.readableEnded) this.drainBody();
  }

  protected breakOff(hasHead: boolean): void {
    const { stream } = this;
    // Without a head of ours the first byte would send one of Node's own, which says 200.
    if (!hasHead || stream.writableEnded) return this.cut();
    const timer = setTimeout(() => this.cut(), ABORT_FLUSH_MS);
    stream.once('close', () => clearTimeout(timer));
    this.outbox.behindAll(() => stream.write(nothing, () => setTimeout(() => this.cut(), RESET_DELAY_MS)));
  }

  private sendTrailers(): void {
    // Without trailers Node ends the stream by an empty DATA frame.
    if (!this.stream.destroyed) this.stream.sendTrailers(http2Fields(this.trailers ?? []));
  }

  /** A response that came before the end of the body: a bounded rest is read, then the client is asked to stop. */
  private drainBody(): void {
    const { stream } = this;
    this.reader?.detach();
    const stop = (): void => {
      // Before the last byte of the response is out, the reset would cut it.
      if (stream.writableFinished) stream.close(constants.NGHTTP2_NO_ERROR);
      else stream.once('finish', stop);
    };
    const timer = setTimeout(stop, DRAIN_MS);
    stream.once('close', () => clearTimeout(timer));
    drainBody(stream, stop);
  }
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
