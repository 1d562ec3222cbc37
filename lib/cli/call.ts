/**
 * `photongate call GET /v1/…`: sends a request to a gateway in this process and shows both sides of it, as `curl -v` shows
 * one. The routes are those of `serve`; only the channels are replaced by ones that record, and that reach the service with
 * `--send` alone.
 */
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { Codec } from '../codec/index.js';
import { type Config, namesNoUpstream } from '../config/index.js';
import { Connections } from '../connections.js';
import type { Call, CallStatus, Channel, Metadata } from '../exchange.js';
import { loadReflected } from '../live/index.js';
import { type PreparedListener, prepareProxy } from '../proxy/index.js';
import type { MessageDescriptor, MethodDescriptor, Schema } from '../schema/index.js';
import { listen, urlOf } from '../server/index.js';
import { headerPairs } from '../headers.js';
import { Code, codeName, ConfigError } from '../status.js';
import { type Frame, Writer } from '../wire/index.js';
import { chosenListener } from './chosen-listener.js';
import { ExitCode } from './exit-code.js';
import { headerPair } from './header-pair.js';
import type { Terminal } from './terminal.js';

/** What `photongate call` was told. */
export interface CallInput {
  readonly method: string;
  /** Path and query, as they are to be sent. */
  readonly target: string;
  /** The body, or `@FILE`. */
  readonly data: string | undefined;
  /** `Name: value`, in order. */
  readonly headers: readonly string[];
  /** Calls the service; without it, what would be called is shown. */
  readonly send: boolean;
  readonly json: boolean;
  /** The listener, as the configuration writes its address; needed if there are several. */
  readonly listener: string | undefined;
}

/** A message of either side. */
interface ShownMessage {
  readonly bytes: number;
  /** Undefined if it cannot be read as its type. */
  readonly json?: unknown;
  readonly base64?: string;
}

type Pairs = readonly (readonly [name: string, value: string])[];

/** What was seen, in the order of events. */
interface Observer {
  started(rpc: string, upstream: string, metadata: Pairs, timeoutMs: number | undefined): void;
  request(message: ShownMessage): void;
  headers(metadata: Pairs): void;
  response(message: ShownMessage): void;
  ended(code: number, message: string, trailers: Pairs): void;
}

/**
 * Shows what a request leads to. Exit code 1 if the gateway refuses it, or with `--send` if the answer is 400 or more.
 * @throws ConfigError if the configuration or the request cannot be read.
 */
export async function call(config: Config, input: CallInput, terminal: Terminal): Promise<number> {
  const headers = input.headers.map((text) => headerPair(text, framingHeaders));
  const body = input.data === undefined ? undefined : bodyOf(input.data, terminal.workingDirectory);
  const connections = new Connections();
  const printer = input.json ? new JsonPrinter() : new TextPrinter(terminal);
  let recorder: Recorder | undefined;
  try {
    const prepared = prepareProxy(config, {
      connections,
      // Without --send a service needs no address.
      offline: !input.send && namesNoUpstream(config),
      reflected: await loadReflected(config),
      tap: (channel) => record(channel, input.send, () => recorder!),
    });
    recorder = new Recorder(prepared.schema, printer);
    const listener = chosenListener(prepared.listeners, input.listener);
    const lines: Pairs = withDefaults(headers, listener, body);
    printer.sent(input.method, input.target, lines, body);
    const answer = await exchange(listener, input, lines, body);
    // Without --send a call has no answer to show, but what the gateway refuses of a request has one.
    const isShown = input.send || !recorder.isWhole;
    if (isShown) printer.answered(answer);
    terminal.output(printer.end());
    return isShown && answer.status >= 400 ? ExitCode.FAILURE : ExitCode.OK;
  } finally {
    connections.close();
  }
}

/** They say where the body ends, which is known here: with another length the request would never be whole. */
const framingHeaders = ['content-length', 'transfer-encoding'];

function bodyOf(data: string, workingDirectory: string): Buffer {
  if (!data.startsWith('@')) return Buffer.from(data);
  try {
    return readFileSync(resolve(workingDirectory, data.slice(1)));
  } catch (error) {
    const message = `the body cannot be read: ${(error as Error).message}`;
    throw new ConfigError({ code: 'call-body', message, hint: 'write -d TEXT or -d @FILE' }, { cause: error });
  }
}

/** `Host`, a length and a type, unless they are given. */
function withDefaults(headers: Pairs, { config }: PreparedListener, body: Buffer | undefined): Pairs {
  const names = new Set(headers.map(([name]) => name));
  const defaults: Pairs = [
    ['host', config.host === '' ? 'localhost' : new URL(urlOf(config)).host],
    ...(body === undefined
      ? []
      : ([
          ['content-type', 'application/json'],
          ['content-length', String(body.length)],
        ] as const)),
  ];
  return [...defaults.filter(([name]) => !names.has(name)), ...headers];
}

interface HttpAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
}

/** Over a connection of this machine, so that the request is read as any other. */
async function exchange(
  { config, handler }: PreparedListener,
  { method, target }: CallInput,
  headers: Pairs,
  body: Buffer | undefined,
): Promise<HttpAnswer> {
  const { tlsCert: _cert, tlsKey: _key, tlsClientCa: _ca, tlsClientCert: _client, ...options } = config.root.options;
  const listener = await listen({ ...options, host: '127.0.0.1', port: 0 }, handler);
  try {
    return await new Promise((resolve, reject) => {
      const { address } = listener;
      const flat = headers.flat();
      const request = httpRequest({
        host: address.host,
        port: address.port,
        method,
        path: target,
        headers: flat,
        agent: false,
      });
      const refuse = (_response: IncomingMessage, socket: Duplex): void => {
        socket.destroy();
        reject(new Error('it became a WebSocket or a tunnel, which this command does not speak'));
      };
      request.on('error', reject).on('upgrade', refuse).on('connect', refuse);
      request.on('response', (response) => void collect(response).then(resolve, reject));
      request.end(body);
    });
  } catch (error) {
    const message = `the request was not answered: ${(error as Error).message}`;
    throw new ConfigError({ code: 'call-failed', message }, { cause: error });
  } finally {
    listener.closeNow();
  }
}

async function collect(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode!,
    reason: response.statusMessage!,
    headers: headerPairs(response.rawHeaders),
    body: Buffer.concat(chunks),
    trailers: headerPairs(response.rawTrailers),
  };
}

/** Reads the messages of calls by the schema, for an observer. */
class Recorder {
  /** A call got its whole request. */
  isWhole = false;
  private readonly codec: Codec;
  private readonly methods: ReadonlyMap<string, MethodDescriptor>;

  constructor(
    schema: Schema,
    readonly observer: Observer,
  ) {
    this.codec = new Codec(schema);
    const methods = schema.files.flatMap(({ services }) => services.flatMap((service) => service.methods));
    this.methods = new Map(methods.map((method) => [method.path, method]));
  }

  start(
    path: string,
    upstream: string,
    metadata: Metadata,
    timeoutMs: number | undefined,
  ): MethodDescriptor | undefined {
    const method = this.methods.get(path);
    this.observer.started(path, upstream, shownMetadata(metadata), timeoutMs);
    return method;
  }

  message({ payload, compressed }: Frame, type: MessageDescriptor | undefined): ShownMessage {
    const bytes = payload.length;
    const base64 = payload.toString('base64');
    if (type === undefined || compressed) return { bytes, base64 };
    try {
      const out = new Writer();
      this.codec.writer(type)(payload, out);
      return { bytes, json: JSON.parse(out.take().toString('utf8')) as unknown };
    } catch {
      // What it is read as does not fit, and the bytes say why.
      return { bytes, base64 };
    }
  }
}

/** A channel whose calls are recorded; without `send` they end before they reach a service. */
function record(channel: Channel, send: boolean, recorder: () => Recorder): Channel {
  return {
    target: channel.target,
    connect: (timeoutMs) => channel.connect(timeoutMs),
    close: () => channel.close(),
    start(request, listener) {
      const to = recorder();
      const { observer } = to;
      const method = to.start(request.path, channel.target, request.metadata, request.timeoutMs);
      const end = (status: CallStatus): void => {
        observer.ended(status.code, status.message, shownMetadata(status.trailers));
        listener.onEnd(status);
      };
      const inner = send
        ? channel.start(request, {
            onMessageStart: (bytes) => listener.onMessageStart?.(bytes),
            onDrain: () => listener.onDrain?.(),
            onHeaders(headers) {
              observer.headers(shownMetadata(headers));
              listener.onHeaders(headers);
            },
            onMessage(frame) {
              observer.response(to.message(frame, method?.output));
              listener.onMessage(frame);
            },
            onEnd: end,
          })
        : unsent(listener.onEnd.bind(listener));
      return {
        send(frame) {
          observer.request(to.message(frame, method?.input));
          return inner.send(frame);
        },
        halfClose() {
          to.isWhole = true;
          inner.halfClose();
        },
        pause: () => inner.pause(),
        resume: () => inner.resume(),
        cancel: () => inner.cancel(),
      };
    },
  };
}

/** A call that takes everything, and fails when its requests are complete. */
function unsent(onEnd: (status: CallStatus) => void): Call {
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd({ code: Code.CANCELLED, message: 'it was not sent', trailers: [] });
  };
  return { send: () => true, halfClose: () => queueMicrotask(end), pause() {}, resume() {}, cancel: end };
}

/** `-bin` values in base64, as they travel. */
function shownMetadata(metadata: Metadata): Pairs {
  return metadata.map(([name, value]) => [name, typeof value === 'string' ? value : value.toString('base64')] as const);
}

/** For people: lines as `curl -v` has them, for each side. */
class TextPrinter implements Observer {
  constructor(private readonly terminal: Terminal) {}

  sent(method: string, target: string, headers: Pairs, body: Buffer | undefined): void {
    this.lines('> ', [`${method} ${target} HTTP/1.1`, ...headers.map(headerLine), '']);
    if (body !== undefined) this.lines('', [shownBody(body)]);
  }

  started(rpc: string, upstream: string, metadata: Pairs, timeoutMs: number | undefined): void {
    const deadline = timeoutMs === undefined ? '' : `, deadline ${timeoutMs} ms`;
    this.lines('=> ', [`${rpc} at ${upstream}${deadline}`, ...metadata.map(headerLine)]);
  }

  request(message: ShownMessage): void {
    this.lines('=> ', messageLines(message));
  }

  headers(metadata: Pairs): void {
    this.lines('<= ', metadata.map(headerLine));
  }

  response(message: ShownMessage): void {
    this.lines('<= ', messageLines(message));
  }

  ended(code: number, message: string, trailers: Pairs): void {
    const text = message === '' ? '' : `: ${message}`;
    this.lines('<= ', [`status ${code} ${codeName(code)}${text}`, ...trailers.map(headerLine)]);
  }

  answered({ status, reason, headers, body, trailers }: HttpAnswer): void {
    this.lines('< ', [`HTTP/1.1 ${status} ${reason}`, ...headers.map(headerLine), '']);
    if (body.length > 0) this.lines('', [shownBody(body)]);
    if (trailers.length > 0) this.lines('< ', trailers.map(headerLine));
  }

  end(): string {
    return '';
  }

  private lines(prefix: string, lines: readonly string[]): void {
    for (const line of lines) this.terminal.output(`${`${prefix}${line}`.trimEnd()}\n`);
  }
}

function headerLine([name, value]: readonly [string, string]): string {
  return `${name}: ${value}`;
}

function messageLines({ bytes, json, base64 }: ShownMessage): string[] {
  const text = json === undefined ? `base64 ${base64}` : JSON.stringify(json, null, 2);
  return [`message of ${bytes} bytes`, ...text.split('\n')];
}

/** Text as it is, without its last line feed; other bytes in base64. */
function shownBody(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const isText = !/[\0-\x08\x0b\x0c\x0e-\x1f\ufffd]/.test(text);
  return isText ? text.replace(/\n$/, '') : `base64 ${bytes.toString('base64')}`;
}

/** For programs: one document at the end. */
class JsonPrinter implements Observer {
  private request_: object | undefined;
  private readonly calls: Record<string, unknown>[] = [];
  private response_: object | undefined;

  sent(method: string, target: string, headers: Pairs, body: Buffer | undefined): void {
    this.request_ = { method, target, headers, ...(body === undefined ? {} : { body: shownBody(body) }) };
  }

  started(rpc: string, upstream: string, metadata: Pairs, timeoutMs: number | undefined): void {
    this.calls.push({ rpc, upstream, metadata, timeout_ms: timeoutMs ?? null, requests: [], responses: [] });
  }

  request(message: ShownMessage): void {
    (this.last['requests'] as ShownMessage[]).push(message);
  }

  headers(metadata: Pairs): void {
    this.last['headers'] = metadata;
  }

  response(message: ShownMessage): void {
    (this.last['responses'] as ShownMessage[]).push(message);
  }

  ended(code: number, message: string, trailers: Pairs): void {
    this.last['status'] = { code, name: codeName(code), message, trailers };
  }

  answered({ body, ...head }: HttpAnswer): void {
    this.response_ = { ...head, body: shownBody(body) };
  }

  end(): string {
    const document = { request: this.request_, calls: this.calls, response: this.response_ ?? null };
    return `${JSON.stringify(document, null, 2)}\n`;
  }

  private get last(): Record<string, unknown> {
    return this.calls[this.calls.length - 1]!;
  }
}
