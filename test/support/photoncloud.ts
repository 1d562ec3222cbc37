/**
 * PhotonCloud's reference services in tests: one of them on a database of its own, a gRPC client that takes plain
 * objects, and the proxy in front as `photongate.yaml` configures it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import type { Test } from 'tap';
import { parse, stringify } from 'yaml';
import type { Clock } from '../../examples/photoncloud/lib/clock.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { type MethodSchema, Schema } from '../../examples/photoncloud/lib/schema.js';
import type { StartOptions } from '../../examples/photoncloud/lib/service.js';
import { services } from '../../examples/photoncloud/services.js';
import { loadConfig, startProxy } from '../../lib/index.js';
import { type RequestOptions, send, type TestResponse } from './proxy.js';
import { ManualClock } from './manual-clock.js';
import { AnswerJudge, type JsonObject } from './openapi.js';
import { refusal } from './refusal.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

const same = (bytes: Buffer): Buffer => bytes;

/** Calls the RPCs of one service by name, with plain objects. Replies are as loosely typed as JSON. */
export class CloudClient {
  readonly #client: Client;
  readonly #methods: readonly MethodSchema[];

  constructor(port: number, schema: Schema, service: string) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
    this.#methods = schema.methods(service);
  }

  call<Reply = Loose>(name: string, request: object = {}): Promise<Reply> {
    const method = this.#method(name);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        (value: object) => method.request.encode(value),
        (bytes) => method.reply.decode(bytes) as Reply,
        request,
        { deadline: Date.now() + 20_000 },
        (error, reply) => (error === null ? resolve(reply!) : reject(error)),
      );
    });
  }

  /** The replies of a server stream, with the headers before them. */
  async stream<Reply = Loose>(
    name: string,
    request: object = {},
    headers: Record<string, string> = {},
  ): Promise<{ headers: Record<string, string>; replies: Reply[] }> {
    const call = this.open<Reply>(name, request, headers);
    let received: Record<string, string> = {};
    call.on('metadata', (each: Metadata) => (received = each.getMap() as Record<string, string>));
    const replies: Reply[] = [];
    for await (const reply of call) replies.push(reply as Reply);
    return { headers: received, replies };
  }

  /** A server stream to be read by the caller. */
  open<Reply = Loose>(
    name: string,
    request: object = {},
    headers: Record<string, string> = {},
  ): ClientReadableStream<Reply> {
    const method = this.#method(name);
    return this.#client.makeServerStreamRequest(
      method.path,
      (value: object) => method.request.encode(value),
      (bytes) => method.reply.decode(bytes) as Reply,
      request,
      metadataOf(headers),
    );
  }

  /** A client stream to be written by the caller, and what it is answered with. */
  upload<Reply = Loose>(
    name: string,
    headers: Record<string, string> = {},
  ): { call: ClientWritableStream<object>; reply: Promise<Reply> } {
    const method = this.#method(name);
    let call: ClientWritableStream<object>;
    const reply = new Promise<Reply>((resolve, reject) => {
      call = this.#client.makeClientStreamRequest(
        method.path,
        (value: object) => method.request.encode(value),
        (bytes) => method.reply.decode(bytes) as Reply,
        metadataOf(headers),
        (error, value) => (error === null ? resolve(value!) : reject(error)),
      );
    });
    return { call: call!, reply };
  }

  /** Bytes both ways, on any method of the server. */
  duplex(path: string): ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(path, same, same, new Metadata());
  }

  close(): void {
    this.#client.close();
  }

  #method(name: string): MethodSchema {
    return this.#methods.find((each) => each.name === name)!;
  }
}

function metadataOf(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

/** A message of which a test looks at a field or two. */
export type Loose = any;

/** A service that runs for a test, with whatever was asked for round it. */
export interface RunningCloud {
  readonly client: CloudClient;
  readonly clock: ManualClock;
  readonly database: Database;
  readonly port: number;
  readonly folder: string;
  readonly log: string[];
  /** Closes everything but the files. */
  readonly stop: () => Promise<void>;
}

/** A folder that goes when the test ends. */
export function temporaryFolder(test: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'photoncloud-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Where a service is to be found: its entry in `services.ts`, the file and full name of its gRPC service. */
export interface CloudService {
  readonly entry: string;
  readonly file: string;
  readonly service: string;
}

/** Starts one service on a clock that stands still. */
export async function startCloud(
  test: Test,
  { entry, file, service }: CloudService,
  options: { folder?: string; clock?: Clock } & Partial<StartOptions> = {},
): Promise<RunningCloud> {
  const folder = options.folder ?? temporaryFolder(test);
  const database = Database.open(join(folder, 'photoncloud.db'));
  const manual = new ManualClock();
  const log: string[] = [];
  const { start } = services.find(({ name }) => name === entry)!;
  const running = await start({
    host: '127.0.0.1',
    port: 0,
    database,
    dataDir: folder,
    clock: options.clock ?? manual,
    log: (what, error) => log.push(`${what}: ${String(error)}`),
  });
  const client = new CloudClient(running.port, Schema.load([file]), service);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopped ??= running.close().then(() => {
      client.close();
      database.close();
    }));
  test.teardown(stop);
  return { client, clock: manual, database, port: running.port, folder, log, stop };
}

/** Sends a request to the proxy: `GET /api/v1/users`; a body that is no text or bytes goes as JSON. */
export type Rest = (methodAndTarget: string, body?: unknown, headers?: Record<string, string>) => Promise<TestResponse>;

/** The proxy in front of one service, configured by `photongate.yaml` but for ports; answers must be as its document tells. */
export async function startRest(test: Test, entry: string, grpcPort: number): Promise<Rest> {
  const service = services.find(({ name }) => name === entry)!;
  const file = join(repository, 'examples/photoncloud/photongate.yaml');
  const config = parse(readFileSync(file, 'utf8')) as { listeners: { listen: string }[] } & Record<string, unknown>;
  const listeners = config.listeners.filter(({ listen }) => listen.endsWith(`:${service.httpPort}`));
  const folder = temporaryFolder(test);
  const own = join(folder, 'photongate.yaml');
  const proto = ['../../protos'].map((each) => join(repository, 'examples/photoncloud', each));
  writeFileSync(
    own,
    stringify({
      ...config,
      proto,
      upstreams: { [service.package]: `127.0.0.1:${grpcPort}` },
      listeners: listeners.map((listener) => ({ ...listener, listen: '127.0.0.1:0' })),
    }),
  );
  const proxy = await startProxy(loadConfig({ file: own }));
  test.teardown(() => proxy.drain());
  const document = (await send(proxy.urls[0]!, 'GET /openapi.json')).json as JsonObject;
  const judge = new AnswerJudge(document);
  return async (methodAndTarget, body, headers = {}) => {
    const text = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const options: RequestOptions = { headers: { 'content-type': 'application/json', ...headers } };
    const answer = await send(
      proxy.urls[0]!,
      methodAndTarget,
      text === undefined ? options : { ...options, body: text },
    );
    const [method, target] = methodAndTarget.split(' ') as [string, string];
    const { status, headers: fields } = answer;
    const problem = judge.problem({
      method,
      target,
      status,
      contentType: fields['content-type'] ?? '',
      text: answer.text,
    });
    if (problem !== undefined) test.fail(`${methodAndTarget}: the OpenAPI document tells otherwise: ${problem}`);
    return answer;
  };
}

/** One REST call and what it has to answer; see `runRestCases`. */
export type RestCase = readonly [request: string, body: unknown, status: number, expected: Loose];

/**
 * Runs REST calls in order. `expected` is matched against `data` (2xx) or against `error`; `:name` in a target or body
 * stands for what an earlier expectation called `$name` has matched.
 */
export async function runRestCases(test: Test, rest: Rest, cases: readonly RestCase[]): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  const filled = (text: string): string =>
    text.replace(/:\$(\w+)/g, (_, name: string) => known.get(name) ?? `?${name}`);
  for (const [request, body, status, expected] of cases) {
    const sent = body === undefined ? undefined : filled(JSON.stringify(body));
    const answer = await rest(filled(request), sent);
    const { data, error, meta } = (answer.json ?? {}) as Loose;
    const name = `${request} ${JSON.stringify(body ?? '').slice(0, 80)}`;
    test.equal(answer.status, status, `${name}: ${answer.text.slice(0, 300)}`);
    const plain = keep(known, status < 300 ? data : error, expected);
    test.match(status < 300 ? data : error, plain, name);
    test.match(meta, { request_id: /./, timestamp: /^\d{4}-.*Z$/ }, `${name}: meta`);
  }
  return known;
}

/** One call over gRPC that is refused: with which code, which fields are blamed, and what the message says. */
export type RefusalCase = readonly [
  rpc: string,
  request: object,
  code: string,
  fields: readonly string[],
  text?: RegExp,
];

/** Makes each call and compares what it was refused with. */
export async function runRefusals(test: Test, client: CloudClient, cases: readonly RefusalCase[]): Promise<void> {
  const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
  for (const [rpc, request, code, fields, text] of cases) {
    const found = await refusal(client.call(rpc, request));
    const name = `${rpc} ${JSON.stringify(request, plain).slice(0, 80)}: ${found.message}`;
    test.same([found.code, found.fields], [code, fields], name);
    if (text !== undefined) test.match(found.message, text, name);
  }
}

/** `'$name'` in an expectation matches any text and keeps it. */
function keep(known: Map<string, string>, found: Loose, expected: Loose): Loose {
  if (typeof expected === 'string' && expected.startsWith('$')) {
    known.set(expected.slice(1), String(found));
    return String;
  }
  if (typeof expected !== 'object' || expected === null || expected instanceof RegExp) return expected;
  if (Array.isArray(expected)) return expected.map((each, index) => keep(known, found?.[index], each));
  return Object.fromEntries(Object.entries(expected).map(([name, each]) => [name, keep(known, found?.[name], each)]));
}

/** 0, 1, 2, …, n - 1. */
export const count = (n: number): number[] => Array.from({ length: n }, (_, index) => index);
