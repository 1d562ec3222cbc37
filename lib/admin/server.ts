/**
 * The admin listener: what an operator and a scraper ask of a proxy that runs. Plain `node:http` on a port of its own, on
 * loopback unless an address says otherwise. It shows no secret, and the one thing that it changes is the log level.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostPolicy, isLoopback, originPolicy, type Policy } from '../policy/index.js';
import { listenError, parseListener, urlOf } from '../server/index.js';
import { StatusError } from '../status.js';
import { splitTarget } from '../uri.js';

/** What a page answers; an object is sent as JSON. */
export interface AdminReply {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: string | object;
}

/** What a page may ask of its request. */
export interface AdminRequest {
  readonly accept: string | undefined;
  /** Of a PUT; '' otherwise. */
  readonly body: string;
  readonly query?: string | undefined;
}

export type AdminPage = (request: AdminRequest) => AdminReply | Promise<AdminReply>;

/** Pages by method and path: `GET /metrics`. */
export type AdminPages = ReadonlyMap<string, AdminPage>;

export interface AdminListener {
  readonly url: string;
  close(): Promise<void>;
}

/** Enough for a level; more is refused. */
const MAX_BODY_BYTES = 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 100;
const REQUEST_TIMEOUT_MS = 5000;

/** On each socket, and a few to spare. */
const LISTENERS_OF_NODE = 20;

/** How long an answer may take until it is read, and how many may be under way: one connection may ask for thousands. */
export interface AdminLimits {
  readonly answerTimeoutMs: number;
  readonly maxAnswers: number;
}

/** A scraper waits for ten seconds, by default; the text of metrics may have megabytes, and lines may be slow. */
const defaultLimits: AdminLimits = { answerTimeoutMs: 30_000, maxAnswers: 50 };

/**
 * Opens it.
 * @param address `HOST:PORT`
 * @throws ConfigError as `listen`
 */
export async function startAdmin(
  address: string,
  pages: AdminPages,
  limits: AdminLimits = defaultLimits,
): Promise<AdminListener> {
  const { host, port } = parseListener(address);
  // A page of another origin must change nothing, and a name that DNS points at loopback must read nothing.
  const policies: Policy[] = [originPolicy(), ...(isLoopback(host) ? [hostPolicy([])] : [])];
  let answers = 0;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      // Node looks for what is late at these intervals, and every half minute by default.
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 5,
    },
    (request, response) => {
      const isBusy = answers >= limits.maxAnswers;
      if (!isBusy) {
        answers++;
        onEnd(request, response, limits.answerTimeoutMs, () => answers--);
      }
      void answer(request, response, () => {
        if (isBusy) throw StatusError.http(503, 'too many answers are under way; try again');
        return replyTo(request, pages, policies);
      });
    },
  );
  server.on('connection', (socket) => socket.setMaxListeners(limits.maxAnswers + LISTENERS_OF_NODE));
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, host, port);
  const bound = server.address() as AddressInfo;
  return {
    url: urlOf({ host: bound.address, port: bound.port }, 'http'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Calls `listener` when the answer is read, or its connection has ended; that it is made to, after some time. */
function onEnd({ socket }: IncomingMessage, response: ServerResponse, timeoutMs: number, listener: () => void): void {
  const late = setTimeout(() => socket.destroy(), timeoutMs);
  const ended = (): void => {
    clearTimeout(late);
    response.off('close', ended);
    socket.off('close', ended);
    listener();
  };
  // An answer that waits behind another one hears nothing of the end of its connection.
  response.once('close', ended);
  socket.once('close', ended);
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, { host, port })));
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve();
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  replyOf: () => Promise<AdminReply>,
): Promise<void> {
  const reply = await Promise.resolve()
    .then(replyOf)
    .catch((error: unknown): AdminReply => {
      const { httpStatus = 500, message } = StatusError.from(error);
      return { status: httpStatus, body: `${message}\n` };
    });
  const isText = typeof reply.body === 'string';
  const body = isText ? reply.body : `${JSON.stringify(reply.body, null, 2)}\n`;
  const contentType = reply.contentType ?? (isText ? 'text/plain; charset=utf-8' : 'application/json');
  response.writeHead(reply.status ?? 200, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function replyTo(request: IncomingMessage, pages: AdminPages, policies: readonly Policy[]): Promise<AdminReply> {
  const { method = '', url = '', rawHeaders } = request;
  const headers = rawHeaders.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
  const caller = { address: request.socket.remoteAddress ?? 'unknown', forwarded: [] };
  for (const policy of policies) policy.onRequest({ method, headers, caller });
  const { path, query } = splitTarget(url);
  const known = method === 'HEAD' ? 'GET' : method;
  const page = pages.get(`${known} ${path}`);
  if (page === undefined) throw missing(method, path, pages);
  return page({ accept: request.headers.accept, query, body: method === 'PUT' ? await bodyOf(request) : '' });
}

function missing(method: string, path: string, pages: AdminPages): StatusError {
  const allowed = [...pages.keys()].filter((key) => key.endsWith(` ${path}`)).map((key) => key.split(' ')[0]);
  if (allowed.length === 0) return StatusError.http(404, `there is no ${path}; GET / lists what there is`);
  return StatusError.http(405, `${method} is not allowed on ${path}; allowed are ${allowed.join(', ')}`);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  // A request that is too large is still answered.
  for await (const chunk of request.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk as string;
    if (text.length > MAX_BODY_BYTES) throw StatusError.http(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  return text;
}
