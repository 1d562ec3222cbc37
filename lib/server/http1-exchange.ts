/**
 * One HTTP/1.0 or 1.1 request as an `Exchange`, over Node's own request and response objects. Writes the head together with
 * the first bytes of the body, or alone at the end of the tick. Which requests get here is decided in `http1`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ResponseHead } from '../exchange.js';
import { header, headerPairs, isHeaderName, isHeaderValue, type HeaderFields, withoutFields } from '../headers.js';
import { drainBody } from './body.js';
import type { Intake } from './intake.js';
import { afterChunks } from './node-internals.js';
import type { BodyLimits } from './options.js';
import { type ExchangeConnection, type HeadContext, ServedExchange } from './served-exchange.js';

/** How long a broken-off answer may take to reach a slow reader before the connection is cut all the same. */
const ABORT_FLUSH_MS = 10_000;

/** Between the last byte of a broken-off HTTP/1.0 answer and the reset, which may overtake what is still on its way. */
const RESET_DELAY_MS = 100;

/** Go takes sizes of 16 digits. */
const MAX_LEADING_ZEROS = 8;

const nothing = Buffer.alloc(0);

/** The connection of an exchange. */
export interface Http1Connection extends ExchangeConnection {
  readonly socket: Socket;
  readonly intake: Intake<ServedExchange>;
  /** True if the connection is to be closed, and this is its last exchange. */
  closesAfter(exchange: Http1Exchange): boolean;
  /** A response announces that it is the last one: requests behind it are ignored. */
  seal(): void;
  /** Closes it by a TCP reset. */
  reset(): void;
}

/** One request of HTTP/1 and its response. */
export class Http1Exchange extends ServedExchange {
  readonly httpVersion: '1.0' | '1.1';
  private isDrainWatched = false;
  /** Zeros that stand before the size of the next chunk. */
  private leadingZeros = 0;

  constructor(
    private readonly connection: Http1Connection,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    headers: HeaderFields,
    limits: BodyLimits,
    expectsContinue: boolean,
  ) {
    const { method = '', url: target = '' } = request;
    super(connection, { method, target, headers, expectsContinue }, bodyAnnounced(headers), limits);
    this.httpVersion = request.httpVersionMinor === 0 ? '1.0' : '1.1';
  }

  get unsentBytes(): number {
    return this.response.writableLength;
  }

  cut(): void {
    this.connection.socket.destroy();
  }

  /**
   * Writes something that every client ignores, so that a client that is gone is noticed by its reset: a `100 Continue`
   * before the head, a leading zero of the next chunk's size after it. Where neither is possible, nothing is written, but a
   * reset is still seen. A client that is sending its body and did not ask for `100 Continue` gets none: Node's fetch takes
   * that for an error.
   * @param mayWrite false: no byte is to be written
   */
  probe(mayWrite = true): void {
    const { response, connection } = this;
    if (!this.isOpen || response.socket === null || response.writableLength > 0) return;
    const mayProbe = mayWrite && this.httpVersion !== '1.0';
    if (mayProbe && !this.isHeadSent && this.takesContinue()) response.writeContinue();
    else if (mayProbe && this.isHeadSent && this.takesZero()) connection.socket.write('0');
    else connection.socket.write(nothing);
  }

  /** True while bytes of the body are still to come. */
  bodyIsUnfinished(): boolean {
    return this.hasBody && !this.request.complete;
  }

  protected override requestTrailers(): readonly string[] {
    // A request that a test of an application makes up may have no such list.
    const { rawTrailers = [] }: { readonly rawTrailers?: readonly string[] } = this.request;
    return rawTrailers;
  }

  protected get isWritable(): boolean {
    // A socket that a test of an application makes up may not say.
    return (this.connection.socket.writable as boolean | undefined) !== false;
  }

  protected get hasWrittenHead(): boolean {
    return this.response.headersSent;
  }

  protected sendContinue(): void {
    this.response.writeContinue();
  }

  protected openBody(): Readable {
    return this.request;
  }

  protected sendHead(head: ResponseHead, context: HeadContext): void {
    // What is still unread of the body, or will never be sent, must not be taken for the next request.
    const close = this.connection.closesAfter(this) || this.bodyIsUnfinished() || this.bodyFailed;
    const says = header(head.headers, 'connection') !== undefined;
    const fields = close && !says ? [...head.headers, 'connection', 'close'] : head.headers;
    if (close || says) this.connection.seal();
    try {
      this.writeHead(head.status, head.reason, fields);
    } catch {
      // Node keeps a reason that it refuses, and would refuse it again.
      this.response.statusMessage = '';
      this.writeHead(head.status, undefined, writableFields(fields));
    }
    if (context === 'later') this.response.flushHeaders();
  }

  protected writeChunk(chunk: Buffer): boolean {
    this.leadingZeros = 0;
    if (this.response.write(chunk)) return true;
    if (!this.isDrainWatched) {
      this.response.on('drain', () => {
        this.connection.intake.sent(this, true);
        this.drained();
      });
    }
    this.isDrainWatched = true;
    return false;
  }

  protected finish(chunk: Buffer, trailers: HeaderFields | undefined): void {
    const { response } = this;
    if (trailers !== undefined && response.chunkedEncoding) addTrailers(response, trailers);
    if (this.bodyIsUnfinished()) this.drainBody();
    if (chunk.length === 0) response.end();
    else response.end(chunk);
  }

  protected breakOff(hasHead: boolean): void {
    this.connection.seal();
    afterChunks(this.response, () => {
      this.endShort(hasHead);
    });
  }

  private takesContinue(): boolean {
    return header(this.headers, 'expect') !== undefined || !this.bodyIsUnfinished();
  }

  private takesZero(): boolean {
    const isChunked = this.response.chunkedEncoding && this.method !== 'HEAD';
    return isChunked && this.leadingZeros++ < MAX_LEADING_ZEROS;
  }

  private writeHead(status: number, reason: string | undefined, fields: HeaderFields): void {
    // Node types the flat list as mutable but only reads it.
    if (reason === undefined) this.response.writeHead(status, fields as string[]);
    else this.response.writeHead(status, reason, fields as string[]);
  }

  /** If a client still sends, it does not read the response: a bounded rest of the body is read. */
  private drainBody(): void {
    this.reader?.detach();
    drainBody(this.request);
  }

  /** Everything that was written goes out. Then the connection ends before the message does. */
  private endShort(hasHead: boolean): void {
    const { socket } = this.connection;
    if (!hasHead) return void socket.destroy();
    const timer = setTimeout(() => socket.destroy(), ABORT_FLUSH_MS);
    socket.once('close', () => clearTimeout(timer));
    if (this.endsByClose()) {
      // A close alone would look like the end of the response, and an immediate reset would lose what is on its way.
      socket.write(nothing, () => setTimeout(() => this.connection.reset(), RESET_DELAY_MS));
    } else {
      if (this.bodyIsUnfinished()) this.drainBody();
      socket.destroySoon();
    }
  }

  /** True for an HTTP/1.0 response of unknown length: it ends with the connection. */
  private endsByClose(): boolean {
    return !this.response.chunkedEncoding && header(this.head?.headers ?? [], 'content-length') === undefined;
  }
}

/** True where the head says that a body follows. */
export function bodyAnnounced(headers: HeaderFields): boolean {
  if (header(headers, 'transfer-encoding') !== undefined) return true;
  const length = header(headers, 'content-length');
  return length !== undefined && Number(length) > 0;
}

/**
 * The fields that Node takes; what it does not would be a fault of ours, and must not cost the client its answer.
 * `trailer` is one of them where the answer is not chunked.
 */
function writableFields(fields: HeaderFields): string[] {
  return withoutFields(fields, (name, value) => !isHeaderName(name) || name === 'trailer' || !isHeaderValue(value));
}

function addTrailers(response: ServerResponse, trailers: HeaderFields): void {
  response.addTrailers(headerPairs(writableFields(trailers)));
}
