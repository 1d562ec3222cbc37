/** Servers and clients of all kinds of exchanges behind one interface, for the contract tests. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request as http1Request } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { fetchHandler } from '../../lib/embed/fetch.js';
import { Host } from '../../lib/embed/host.js';
import { nodeHandler } from '../../lib/embed/node.js';
import type { Exchange } from '../../lib/exchange.js';
import type { Gateway } from '../../lib/gateway/index.js';
import { defaultListenerOptions, listen, type ListenerOptions } from '../../lib/server/index.js';
import { writeError } from './harness.js';

export interface Ask {
  readonly method?: string;
  /** True: the body comes by `send` and `finish`. */
  readonly hasBody?: boolean;
}

/** One request, as its client has it. */
export interface ClientRequest {
  readonly send: (chunk: Buffer) => void;
  readonly finish: () => void;
  /** Disconnects, or cancels the request. */
  readonly leave: () => void;
  /** Cleans up, whatever the state of the request. */
  readonly close: () => void;
  /** Rejects if the response breaks off before. */
  readonly head: Promise<{ readonly status: number; readonly header: (name: string) => string | undefined }>;
  /** Reads the body; nothing is read before. */
  readonly body: () => Promise<ResponseBody>;
}

export interface ResponseBody {
  readonly length: number;
  readonly text: string;
  readonly isWhole: boolean;
  /** Undefined: the protocol has none. */
  readonly trailer: string | undefined;
}

export interface Kind {
  readonly name: string;
  readonly hasTrailers: boolean;
  /** Of HTTP/1: the port can be talked to by raw bytes. */
  readonly isHttp1: boolean;
  open(handle: (exchange: Exchange) => void, options: Partial<ListenerOptions>): Promise<OpenServer>;
}

export interface OpenServer {
  readonly port: number;
  readonly ask: (ask: Ask) => ClientRequest;
  readonly close: () => void;
}

type Open = (handle: (exchange: Exchange) => void, options: Partial<ListenerOptions>) => Promise<OpenServer>;

const http1: Open = async (handle, options) => {
  const listener = await listen({ host: '127.0.0.1', port: 0, ...options }, { handle, writeError });
  const { port } = listener.address;
  return { port, ask: (ask) => http1Ask(port, ask), close: () => listener.closeNow() };
};

const http2: Open = async (handle, options) => {
  const { port, close } = await http1(handle, options);
  return { port, ask: (ask) => http2Ask(port, ask), close };
};

const embedded =
  (isHttp2: boolean): Open =>
  async (handle, options) => {
    const node = nodeHandler(hostOf(handle, options));
    const server: Server = isHttp2 ? createHttp2Server(node) : createServer(node);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { port, ask: (ask) => (isHttp2 ? http2Ask : http1Ask)(port, ask), close: () => server.close() };
  };

const fetchApi: Open = (handle, options) => {
  const handler = fetchHandler(hostOf(handle, options));
  return Promise.resolve({ port: 0, ask: (ask) => fetchAsk(handler, ask), close: () => undefined });
};

export const kinds: readonly Kind[] = [
  { name: 'HTTP/1', hasTrailers: true, isHttp1: true, open: http1 },
  { name: 'HTTP/2', hasTrailers: true, isHttp1: false, open: http2 },
  { name: 'embedded HTTP/1', hasTrailers: true, isHttp1: true, open: embedded(false) },
  { name: 'embedded HTTP/2', hasTrailers: true, isHttp1: false, open: embedded(true) },
  { name: 'fetch', hasTrailers: false, isHttp1: false, open: fetchApi },
];

/** An embedded gateway whose every request is answered by `handle`. */
function hostOf(handle: (exchange: Exchange) => void, options: Partial<ListenerOptions>): Host {
  const gateway = { handle, writeError, takes: () => true, takesSocket: () => false };
  const limits = { ...defaultListenerOptions, ...options, maxConcurrentRequests: 1000, drainTimeoutMs: 1000 };
  return new Host(
    gateway as unknown as Gateway,
    limits,
    () => undefined,
    () => true,
  );
}

function http1Ask(port: number, { method = 'GET', hasBody = false }: Ask): ClientRequest {
  const request = http1Request({ port, method, path: '/', agent: new Agent() }).on('error', () => undefined);
  if (hasBody) request.flushHeaders();
  else request.end();
  // A connection may be lost before a test reads the body; `body` reports that then.
  const response = once(request, 'response').then(([message]) =>
    (message as IncomingMessage).on('error', () => undefined),
  );
  response.catch(() => undefined);
  return {
    send: (chunk) => void request.write(chunk),
    finish: () => void request.end(),
    // After an end a server would wait for responses to be written.
    leave: () => void request.socket?.resetAndDestroy(),
    close: () => void request.destroy(),
    head: caught(
      response.then(({ statusCode = 0, headers }) => ({
        status: statusCode,
        header: (name) => headers[name] as string | undefined,
      })),
    ),
    async body() {
      const message = await response;
      const { bytes } = await collect(message);
      return shown(bytes, message.complete, message.trailers['x-trailer']);
    },
  };
}

function http2Ask(port: number, { method = 'GET', hasBody = false }: Ask): ClientRequest {
  const session = connect(`http://127.0.0.1:${port}`).on('error', () => undefined);
  const stream = session.request({ ':method': method, ':path': '/' }, { endStream: !hasBody });
  let trailer: string | undefined;
  stream.on('trailers', (fields: Record<string, unknown>) => (trailer = fields['x-trailer'] as string | undefined));
  stream.on('close', () => session.close());
  const head = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.on('response', resolve).on('error', reject);
    stream.on('close', () => reject(new Error('no response')));
  });
  return {
    send: (chunk) => void stream.write(chunk),
    finish: () => void stream.end(),
    // `stream.close()` would end the body before it resets the stream.
    leave: () => session.destroy(),
    close: () => session.destroy(),
    head: caught(
      head.then((fields) => ({
        status: fields[':status'] as number,
        header: (name) => fields[name] as string | undefined,
      })),
    ),
    async body() {
      const { bytes, isWhole } = await collect(stream);
      return shown(bytes, isWhole && stream.rstCode === 0, trailer);
    },
  };
}

function fetchAsk(
  handler: (request: Request) => Promise<Response>,
  { method = 'GET', hasBody = false }: Ask,
): ClientRequest {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  const abort = new AbortController();
  const body = hasBody ? { body: stream, duplex: 'half' } : {};
  const response = handler(new Request('http://local/', { method, signal: abort.signal, ...body } as RequestInit));
  response.catch(() => undefined);
  return {
    send: (chunk) => controller?.enqueue(new Uint8Array(chunk)),
    finish: () => controller?.close(),
    leave: () => abort.abort(),
    close: () => abort.abort(),
    head: caught(
      response.then(({ status, headers }) => ({ status, header: (name) => headers.get(name) ?? undefined })),
    ),
    async body() {
      const { body: answer } = await response;
      const { bytes, isWhole } = await collect(answer ?? []);
      return shown(bytes, isWhole, undefined);
    },
  };
}

/** A rejection that nobody awaits is no failure of the test. */
function caught<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function collect(
  source: AsyncIterable<unknown> | Iterable<unknown>,
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let isWhole = true;
  try {
    for await (const chunk of source) chunks.push(chunk as Uint8Array);
  } catch {
    isWhole = false;
  }
  return { bytes: Buffer.concat(chunks), isWhole };
}

function shown(bytes: Buffer, isWhole: boolean, trailer: string | undefined): ResponseBody {
  return { length: bytes.length, text: bytes.toString('latin1', 0, 100), isWhole, trailer };
}
