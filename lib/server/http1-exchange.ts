/**
 * One HTTP/1.0 or 1.1 request as an `Exchange`, over Node's own request and response objects. Writes the head together with
 * the first bytes of the body, or alone at the end of the tick. Which requests get here is decided in `http1`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { BodySink, Peer, ResponseHead } from '../exchange.js';
import { header, isHeaderName, isHeaderValue, type HeaderFields } from '../headers.js';
import type { StatusError } from '../status.js';
import { BodyReader } from './body.js';
import { DRAIN_BYTES, DRAIN_MS } from './options.js';
import type { ServedExchange } from './refusal.js';

/** How long a broken-off answer may take to reach a slow reader before the connection is cut all the same. */
const ABORT_FLUSH_MS = 10_000;

/** Between the last byte of a broken-off HTTP/1.0 answer and the reset, which may overtake what is still on its way. */
const RESET_DELAY_MS = 100;

const nothing = Buffer.alloc(0);

/** What an exchange needs to know of its connection. */
export interface Http1Connection {
  readonly socket: Socket;
  readonly peer: Peer;
  /** True where no further request is wanted on it, and this is the last one. */
  closesAfter(exchange: Http1Exchange): boolean;
  /** Cuts it by a TCP reset. */
  reset(): void;
}

export class Http1Exchange implements ServedExchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1';
  readonly hasBody: boolean;
  responded = false;
  /** Nothing more is to be written: ended, aborted, or the client is gone. */
  private done = false;
  private gone = false;
  private head: ResponseHead | undefined;
  private headSent = false;
  private reader: BodyReader | undefined;
  private bodyBroken = false;
  private bodyError: StatusError | undefined;
  private closeListener: (() => void) | undefined;

  constructor(
    private readonly connection: Http1Connection,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    readonly headers: HeaderFields,
    private readonly idleTimeoutMs: number,
    private expectsContinue: boolean,
  ) {
    this.method = request.method!;
    this.target = request.url!;
    this.httpVersion = request.httpVersionMinor === 0 ? '1.0' : '1.1';
    this.hasBody = bodyAnnounced(headers);
  }

  get peer(): Peer {
    return this.connection.peer;
  }

  get secure(): boolean {
    return this.peer.tls !== undefined;
  }

  continue(): void {
    if (!this.expectsContinue || this.responded || !this.isOpen()) return;
    this.expectsContinue = false;
    this.response.writeContinue();
  }

  read(sink: BodySink): void {
    if (this.bodyBroken) queueMicrotask(() => sink.onAbort(this.bodyError));
    else this.reader = new BodyReader(this.request, sink, this.idleTimeoutMs);
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
    this.sendHead();
    return this.method === 'HEAD' || this.response.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.response.on('drain', listener);
  }

  end(chunk?: Buffer, trailers?: HeaderFields): void {
    if (!this.isOpen()) return;
    this.sendHead();
    this.done = true;
    if (trailers !== undefined && this.response.chunkedEncoding) addTrailers(this.response, trailers);
    if (this.bodyIsUnfinished()) this.closeAfterAnswer();
    if (chunk === undefined || this.method === 'HEAD') this.response.end();
    else this.response.end(chunk);
  }

  abort(): void {
    if (!this.isOpen()) return;
    if (this.responded) this.flushHead();
    this.done = true;
    this.reader?.detach();
    // Without a head there is nothing to flush; without a socket this answer waits for an earlier one (pipelining).
    if (!this.responded || this.response.socket === null) this.connection.socket.destroy();
    // Newer Node lines keep the chunks of one tick together and hand them to the socket at its end.
    else setImmediate(() => this.breakOff());
  }

  onClose(listener: () => void): void {
    if (this.gone) queueMicrotask(listener);
    else this.closeListener = listener;
  }

  /** Writes the head that `respond` was given, if nothing has yet. */
  flushHead(): void {
    if (this.headSent || !this.isOpen()) return;
    this.sendHead();
    this.response.flushHeaders();
  }

  /**
   * Writes something that no reader minds, so that a client that is gone says so: a `100 Continue` before the head, a
   * leading zero of the next chunk's size after it. An answer of another form is not probed: its own bytes will tell.
   */
  probe(): void {
    const { response, connection } = this;
    if (!this.isOpen() || response.socket === null || this.httpVersion === '1.0') return;
    if (!this.headSent) response.writeContinue();
    else if (response.chunkedEncoding && this.method !== 'HEAD' && response.writableLength === 0)
      connection.socket.write('0');
  }

  /** The connection is closed. */
  connectionLost(): void {
    this.failBody(undefined);
    if (this.done) return;
    this.done = true;
    this.gone = true;
    this.closeListener?.();
  }

  /** The rest of the body cannot be read: malformed, or the client went away. */
  failBody(error: StatusError | undefined): void {
    if (this.bodyBroken) return;
    this.bodyBroken = true;
    this.bodyError = error;
    this.reader?.fail(error);
  }

  /** True while bytes of the body are still to come. */
  bodyIsUnfinished(): boolean {
    return this.hasBody && !this.request.complete;
  }

  private isOpen(): boolean {
    // A socket that is made up, for tests of an application, may not say.
    return !this.done && (this.connection.socket.writable as boolean | undefined) !== false;
  }

  private sendHead(): void {
    const { head } = this;
    if (head === undefined || this.headSent) return;
    this.headSent = true;
    // What is still unread of the body, or will never be sent, must not be taken for the next request.
    const close = this.connection.closesAfter(this) || this.bodyIsUnfinished() || this.bodyBroken;
    const says = header(head.headers, 'connection') !== undefined;
    const fields = close && !says ? [...head.headers, 'connection', 'close'] : head.headers;
    try {
      this.writeHead(head.status, head.reason, fields);
    } catch {
      // A reason that is refused is kept all the same, and would be refused again.
      this.response.statusMessage = '';
      this.writeHead(head.status, undefined, writableFields(fields));
    }
  }

  private writeHead(status: number, reason: string | undefined, fields: HeaderFields): void {
    // Node types the flat list as mutable but only reads it.
    if (reason === undefined) this.response.writeHead(status, fields as string[]);
    else this.response.writeHead(status, reason, fields as string[]);
  }

  /**
   * Node would close the socket as soon as the answer is out; with bytes of the body still unread that is a reset, which
   * can take the answer away from the client. So the end of our side is sent, and a bounded rest of the body read.
   */
  private closeAfterAnswer(): void {
    const { socket } = this.connection;
    this.drainBody();
    socket.destroySoon = () => this.closeWhenDrained();
  }

  private drainBody(): void {
    this.reader?.detach();
    let left = DRAIN_BYTES;
    this.request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) this.request.pause();
    });
    this.request.resume();
  }

  private closeWhenDrained(): void {
    const { socket } = this.connection;
    socket.end();
    if (this.request.complete) return Socket.prototype.destroySoon.call(socket);
    const timer = setTimeout(() => socket.destroy(), DRAIN_MS);
    socket.once('close', () => clearTimeout(timer));
    this.request.once('end', () => Socket.prototype.destroySoon.call(socket));
  }

  /** All that was written goes out, and then the connection ends short of the message's end. */
  private breakOff(): void {
    const { socket } = this.connection;
    const timer = setTimeout(() => socket.destroy(), ABORT_FLUSH_MS);
    socket.once('close', () => clearTimeout(timer));
    if (this.endsByClose()) {
      // A mere close would look like the end, and a reset at once would lose what is on its way.
      socket.write(nothing, () => setTimeout(() => this.connection.reset(), RESET_DELAY_MS));
    } else if (this.bodyIsUnfinished()) {
      this.drainBody();
      this.closeWhenDrained();
    } else {
      socket.destroySoon();
    }
  }

  /** True for an HTTP/1.0 answer of unknown length: the connection's end is the message's. */
  private endsByClose(): boolean {
    return !this.response.chunkedEncoding && header(this.head!.headers, 'content-length') === undefined;
  }
}

function flushHead(exchange: Http1Exchange): void {
  exchange.flushHead();
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
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (isHeaderName(name) && name !== 'trailer' && isHeaderValue(value)) kept.push(name, value);
  }
  return kept;
}

function addTrailers(response: ServerResponse, trailers: HeaderFields): void {
  const fields = writableFields(trailers);
  const pairs: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2) pairs.push([fields[index]!, fields[index + 1]!]);
  response.addTrailers(pairs);
}
