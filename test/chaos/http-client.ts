/** Requests over HTTP/1.1 and HTTP/2 on connections that are kept, with bodies that come in pieces. */
import { Agent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** Between two pieces. */
  readonly pauseMs: number;
  /** It goes away in the middle of the body. */
  readonly leaves: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** The values of headers, joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** It has an end, and was not broken off. */
  readonly isWhole: boolean;
  /** What the connection said, if it failed. */
  readonly error: string;
}

export interface HttpClient {
  readonly name: string;
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

interface Writable {
  write(piece: Buffer): boolean;
  end(): void;
  destroy(): void;
  readonly destroyed: boolean;
}

async function writeBody(to: Writable, { pieces, pauseMs, leaves }: HttpRequest): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (to.destroyed) return;
    if (leaves && index >= pieces.length >> 1) return to.destroy();
    to.write(piece);
    if (pauseMs > 0) await sleep(pauseMs);
  }
  if (!to.destroyed) to.end();
}

function answerOf(
  end: Pick<HttpAnswer, 'status' | 'isWhole' | 'error'>,
  fields: object,
  chunks: readonly Buffer[],
): HttpAnswer {
  const bytes = Buffer.concat(chunks);
  const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return { ...end, headers, bytes, text: bytes.toString() };
}

export function http1Client(port: number): HttpClient {
  const agent = new Agent({ keepAlive: true });
  return {
    name: 'HTTP/1',
    close: () => agent.destroy(),
    send: (request) =>
      new Promise((resolve) => {
        const { method, path, headers } = request;
        const sent = httpRequest({ port, host: '127.0.0.1', agent, method, path, headers: { ...headers } });
        const chunks: Buffer[] = [];
        let status = 0;
        let error = '';
        let fields: object = {};
        const settle = (isWhole: boolean): void => resolve(answerOf({ status, isWhole, error }, fields, chunks));
        sent.on('error', (cause) => (error ||= cause.message));
        sent.on('close', () => {
          if (status === 0) settle(false);
        });
        sent.on('response', (response) => {
          status = response.statusCode ?? 0;
          fields = response.headers;
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (cause) => (error ||= cause.message));
          response.on('close', () => settle(response.complete));
        });
        void writeBody(sent, request);
      }),
  };
}

export function http2Client(port: number): HttpClient {
  let session: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    return session;
  };
  return {
    name: 'HTTP/2',
    close: () => session?.destroy(),
    send: (request) =>
      new Promise((resolve) => {
        const { method, path, headers, pieces } = request;
        const head = { ':method': method, ':path': path, ...headers };
        const stream = open().request(head, { endStream: pieces.length === 0 });
        const chunks: Buffer[] = [];
        let status = 0;
        let hasEnd = false;
        let error = '';
        let received: object = {};
        stream.on('response', (fields) => {
          received = fields;
          status = Number(fields[':status']);
        });
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => (hasEnd = true));
        stream.on('error', (cause: Error) => (error = cause.message));
        stream.on('close', () => {
          const isWhole = hasEnd && status !== 0 && stream.rstCode === 0;
          resolve(answerOf({ status, isWhole, error }, received, chunks));
        });
        if (pieces.length > 0) void writeBody(stream, request);
      }),
  };
}
