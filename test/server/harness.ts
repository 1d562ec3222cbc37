/** Raw sockets and a handler table for the tests of this folder. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exchange, Reply } from '../../lib/exchange.js';
import { header } from '../../lib/headers.js';
import { listen, type ExchangeHandler, type Listener, type ListenerOptions } from '../../lib/server/index.js';
import { httpStatusOf, type StatusError } from '../../lib/status.js';

/** Errors as one line of text, so that a test can pin the sentence. */
export function writeError(error: StatusError): Reply {
  const status = error.httpStatus ?? httpStatusOf(error.code);
  const body = Buffer.from(`${status} ${error.message}\n`);
  return {
    status,
    headers: ['content-type', 'text/plain', 'content-length', String(body.length)],
    body,
  };
}

/** Answers with text of a known length. */
export function text(exchange: Exchange, body: string, headers: readonly string[] = []): void {
  const bytes = Buffer.from(body);
  exchange.respond({ status: 200, headers: [...headers, 'content-length', String(bytes.length)] });
  exchange.end(bytes);
}

/** Collects a body; a broken one gives its error or `gone`. */
export function readAll(exchange: Exchange): Promise<Buffer | StatusError | 'gone'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    exchange.read({
      onData: (chunk) => chunks.push(chunk),
      onEnd: () => resolve(Buffer.concat(chunks)),
      onAbort: (error) => resolve(error ?? 'gone'),
    });
  });
}

export type Handle = (exchange: Exchange) => void;

/** A listener on a free port whose paths (up to a `?`) are answered by `handles`; all others say what they got. */
export async function serve(
  handles: Record<string, Handle>,
  options: Partial<ListenerOptions> = {},
  maxConcurrentRequests?: number,
): Promise<Listener> {
  const handler: ExchangeHandler = {
    handle(exchange) {
      const handle = handles[exchange.target.split('?')[0]!];
      if (handle !== undefined) handle(exchange);
      else text(exchange, `${exchange.method} ${exchange.target}`);
    },
    writeError,
    maxConcurrentRequests,
  };
  return await listen({ host: '127.0.0.1', port: 0, ...options }, handler);
}

/** A TCP client that keeps what it receives. */
export class Client {
  /** Bytes received so far. */
  length = 0;
  private chunks: Buffer[] = [];
  /** `end`: the server closed in order; `reset`: it cut the connection. */
  closed: 'end' | 'reset' | undefined;
  /** True once the connection is gone in both directions. */
  gone = false;
  readonly socket: Socket;

  constructor(listener: Listener, options: { allowHalfOpen?: boolean } = {}) {
    this.socket = connect({ port: listener.address.port, host: listener.address.host, ...options });
    this.socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    this.socket.on('end', () => (this.closed ??= 'end'));
    this.socket.on('error', () => (this.closed ??= 'reset'));
    this.socket.on('close', () => {
      this.closed ??= 'end';
      this.gone = true;
    });
  }

  send(data: string | Buffer): this {
    this.socket.write(data);
    return this;
  }

  get text(): string {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]?.toString('latin1') ?? '';
  }

  /** Waits until the text has the pattern; fails after 3 s. */
  async until(pattern: RegExp): Promise<string> {
    await waitFor(
      () => pattern.test(this.text),
      () => `${pattern} in ${JSON.stringify(this.text.slice(-300))}`,
    );
    return this.text;
  }

  /** Waits for the server to close; fails after 3 s. */
  async close(): Promise<'end' | 'reset'> {
    await waitFor(
      () => this.closed !== undefined,
      () => `a close after ${JSON.stringify(this.text.slice(-300))}`,
    );
    return this.closed!;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Waits for a condition, a minute at most. */
export async function waitFor(condition: () => boolean, what: () => string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what().slice(0, 2000)}`);
    await sleep(5);
  }
}

/** Sends raw bytes and returns all that comes until the server closes. */
export async function raw(listener: Listener, data: string | Buffer): Promise<string> {
  const client = new Client(listener);
  client.send(data);
  await client.close();
  client.destroy();
  return client.text;
}

export async function connected(client: Client): Promise<Client> {
  if (client.socket.connecting) await once(client.socket, 'connect');
  return client;
}

/** The body of a raw answer. */
export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

/** `host` and the rest of a flat list, for assertions. */
export function headerOf(exchange: Exchange, name: string): string | undefined {
  return header(exchange.headers, name);
}
