/** Requests over real sockets whose bodies go both ways at the same time: HTTP/1.1, HTTP/1.0 and HTTP/2. */
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type HttpVersion = '1.0' | '1.1' | '2';

/** An answer as far as it has come. */
export interface StreamClient {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  /** Body bytes so far, chunks joined. */
  readonly text: string;
  readonly length: number;
  /** How it ended: whole, or broken off. */
  readonly ended: 'whole' | 'broken' | undefined;
  /** Sends body bytes. */
  write(chunk: string | Buffer): boolean;
  end(): void;
  /** True where bytes that were written still wait to leave after so many milliseconds. */
  isStuck(ms: number): Promise<boolean>;
  pause(): void;
  resume(): void;
  /** Drops the connection, or resets the stream. */
  destroy(): void;
  /** Waits until the body has the text, or a head is there. */
  until(text: string): Promise<void>;
  done(): Promise<StreamClient>;
}

export interface StreamRequest {
  readonly version?: HttpVersion;
  readonly headers?: Readonly<Record<string, string>>;
  /** The whole body; undefined: none. */
  readonly body?: string | Buffer;
  /** The body goes on after `body`, by `write` and `end`. */
  readonly open?: boolean;
}

/** Sends `GET /v1/x`. */
export function streamRequest(port: number, methodAndTarget: string, request: StreamRequest = {}): StreamClient {
  const version = request.version ?? '1.1';
  return version === '2' ? http2(port, methodAndTarget, request) : http1(port, methodAndTarget, request, version);
}

/** Waits for a condition, a minute at most: a busy machine is slow. Of `what`, the beginning is told. */
export async function waitFor(condition: () => boolean, what: () => string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what().slice(0, 2000)}`);
    await sleep(5);
  }
}

abstract class Client implements StreamClient {
  status = 0;
  headers: Record<string, string> = {};
  trailers: Record<string, string> = {};
  ended: 'whole' | 'broken' | undefined;
  protected chunks: Buffer[] = [];
  length = 0;

  get text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }

  protected add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  async until(text: string): Promise<void> {
    await waitFor(
      () => this.text.includes(text) || (text === '' && this.status !== 0),
      () => `${JSON.stringify(text)} in ${this.status} ${JSON.stringify(this.text.slice(-300))} ${this.ended ?? ''}`,
    );
  }

  async done(): Promise<StreamClient> {
    await waitFor(
      () => this.ended !== undefined,
      () => `the end of ${this.status} ${JSON.stringify(this.text.slice(-300))}`,
    );
    return this;
  }

  protected abstract unsent(): number;

  async isStuck(ms: number): Promise<boolean> {
    const end = Date.now() + ms;
    while (this.unsent() > 0 && Date.now() < end) await sleep(5);
    return this.unsent() > 0;
  }

  abstract write(chunk: string | Buffer): boolean;
  abstract end(): void;
  abstract pause(): void;
  abstract resume(): void;
  abstract destroy(): void;
}

class Http1Client extends Client {
  private rest: Buffer = Buffer.alloc(0);
  private inBody = false;
  private wasReset = false;
  /** Of a body of known length. */
  private left: number | undefined;
  private chunked = false;
  private complete = false;

  constructor(
    private readonly socket: Socket,
    private readonly isHead: boolean,
    private readonly chunkedBody: boolean,
  ) {
    super();
    socket.on('data', (data: Buffer) => this.take(data));
    socket.on('error', () => (this.wasReset = true));
    socket.on('end', () => this.finish());
    socket.on('close', () => this.finish());
  }

  private finish(): void {
    const byClose = this.inBody && !this.chunked && this.left === undefined && !this.wasReset;
    this.ended ??= this.complete || byClose ? 'whole' : 'broken';
  }

  private take(data: Buffer): void {
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    if (!this.inBody && !this.takeHead()) return;
    if (this.chunked) this.takeChunks();
    else if (this.rest.length > 0) {
      this.add(this.rest);
      this.rest = Buffer.alloc(0);
      if (this.left !== undefined && this.length >= this.left) this.markComplete();
    }
  }

  private takeHead(): boolean {
    const end = this.rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line, ...lines] = this.rest.toString('latin1', 0, end).split('\r\n');
    this.rest = this.rest.subarray(end + 4);
    const status = Number(line!.split(' ')[1]);
    if (status === 100) return this.takeHead();
    this.status = status;
    this.headers = fieldsOf(lines);
    this.inBody = true;
    this.chunked = this.headers['transfer-encoding'] === 'chunked';
    const length = this.headers['content-length'];
    if (length !== undefined) this.left = Number(length);
    if (this.isHead || this.left === 0 || status === 204 || status === 304) this.markComplete();
    return true;
  }

  private takeChunks(): void {
    for (;;) {
      const end = this.rest.indexOf('\r\n');
      if (end < 0) return;
      const size = parseInt(this.rest.toString('latin1', 0, end), 16);
      if (size === 0) {
        const last = this.rest.indexOf('\r\n\r\n');
        if (last < 0) return;
        this.trailers = fieldsOf(this.rest.toString('latin1', end + 2, Math.max(last, end + 2)).split('\r\n'));
        return this.markComplete();
      }
      if (this.rest.length < end + 2 + size + 2) return;
      this.add(this.rest.subarray(end + 2, end + 2 + size));
      this.rest = this.rest.subarray(end + 2 + size + 2);
    }
  }

  private markComplete(): void {
    this.complete = true;
    this.ended ??= 'whole';
  }

  write(chunk: string | Buffer): boolean {
    const bytes = Buffer.from(chunk as Buffer);
    if (!this.chunkedBody) return this.socket.write(bytes);
    this.socket.write(`${bytes.length.toString(16)}\r\n`);
    this.socket.write(bytes);
    return this.socket.write('\r\n');
  }

  protected unsent(): number {
    return this.socket.writableLength;
  }

  end(): void {
    if (this.chunkedBody) this.socket.write('0\r\n\r\n');
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function fieldsOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines
      .filter((line) => line.includes(':'))
      .map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
  );
}

function http1(port: number, methodAndTarget: string, request: StreamRequest, version: '1.0' | '1.1'): StreamClient {
  const { headers = {}, body, open = false } = request;
  const socket = connect(port, '127.0.0.1');
  const lines = [`${methodAndTarget} HTTP/${version}`, 'host: localhost'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (open) lines.push('transfer-encoding: chunked');
  else if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`);
  const client = new Http1Client(socket, methodAndTarget.startsWith('HEAD '), open);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (body !== undefined && body.length > 0) client.write(body);
  client.done().then(
    () => socket.destroy(),
    () => undefined,
  );
  return client;
}

class Http2Client extends Client {
  constructor(
    private readonly session: ClientHttp2Session,
    private readonly stream: ClientHttp2Stream,
  ) {
    super();
    let isWhole = false;
    stream.on('response', (fields) => {
      this.status = Number(fields[':status']);
      this.headers = fields as Record<string, string>;
    });
    stream.on('trailers', (fields) => (this.trailers = fields as Record<string, string>));
    stream.on('data', (chunk: Buffer) => this.add(chunk));
    stream.on('end', () => (isWhole = true));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.ended = isWhole && stream.rstCode === 0 ? 'whole' : 'broken';
      session.close();
    });
    session.on('error', () => undefined);
  }

  write(chunk: string | Buffer): boolean {
    return this.stream.write(chunk);
  }

  protected unsent(): number {
    return this.stream.writableLength;
  }

  end(): void {
    this.stream.end();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  destroy(): void {
    this.session.destroy();
  }
}

function http2(port: number, methodAndTarget: string, request: StreamRequest): StreamClient {
  const { headers = {}, body, open = false } = request;
  const [method, path] = methodAndTarget.split(' ');
  const session = connectHttp2(`http://localhost:${port}`);
  const stream = session.request(
    { ':method': method!, ':path': path!, ...headers },
    { endStream: body === undefined && !open },
  );
  const client = new Http2Client(session, stream);
  if (body !== undefined) stream.write(body);
  if (!open && body !== undefined) stream.end();
  return client;
}
