/**
 * One of PhotonCloud's services as its users meet it: over real gRPC, and as REST through the proxy with the very lines
 * of `examples/photoncloud/photongate.yaml`, on ports of the system's choice. Its clock moves when told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, credentials, status as Status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { services, type ServiceEntry } from '../../examples/photoncloud/services.js';
import { type Config, loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { send, type TestResponse } from './proxy.js';
import { ManualClock } from './manual-clock.js';
import { spawnProcess } from './service-process.js';
import { until } from './until.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What a stream sends, as it comes, and how it ended. */
export class Replies<Reply> {
  readonly received: Reply[] = [];
  error: ServiceError | undefined;
  ended = false;

  constructor(readonly call: ClientReadableStream<Reply>) {
    call.on('data', (reply: Reply) => this.received.push(reply));
    call.on('error', (error: ServiceError) => (this.error = error));
    call.on('end', () => (this.ended = true));
  }

  /** Waits until so many have come in all. */
  async atLeast(count: number): Promise<Reply[]> {
    await until(() => this.received.length >= count || this.ended || this.error !== undefined, `${count} replies`);
    return this.received;
  }

  /** Waits for the end: the name of the code of its status. */
  async end(): Promise<string> {
    await until(() => this.error !== undefined || this.ended, 'the end of the stream');
    await sleep(5); // an error comes right after the end
    return Status[this.error?.code ?? Status.OK];
  }
}

/** Calls the RPCs of one service by name, with plain objects. */
export class TestClient {
  readonly #client: Client;
  readonly #methods;

  constructor(
    port: number,
    readonly schema: Schema,
    serviceName: string,
  ) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
    this.#methods = schema.methods(serviceName);
  }

  call<Reply = Record<string, never>>(name: string, request: object = {}): Promise<Reply> {
    const method = this.#methods.find((each) => each.name === name)!;
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

  stream<Reply>(name: string, request: object = {}): Replies<Reply> {
    const method = this.#methods.find((each) => each.name === name)!;
    return new Replies(
      this.#client.makeServerStreamRequest(
        method.path,
        (value: object) => method.request.encode(value),
        (bytes) => method.reply.decode(bytes) as Reply,
        request,
      ),
    );
  }

  close(): void {
    this.#client.close();
  }
}

/** How a service is asked over REST, and what must come: rows of a table. */
export type RestCase = readonly [line: string, body: unknown, status: number, data: object | string | RegExp];

export interface RunningTestService {
  readonly client: TestClient;
  readonly clock: ManualClock;
  readonly log: readonly string[];
  readonly file: string;
  /** `POST /api/v1/vpcs`, with a body that becomes JSON; on the service's own port. */
  rest(line: string, body?: unknown): Promise<TestResponse>;
  /** The `data` of an answer, which has to be a success. */
  data<Data = Record<string, never>>(line: string, body?: unknown): Promise<Data>;
  /** Runs a table; an object is a part of `data`, a text the code of the error, a pattern its message (with any code). */
  table(test: Test, cases: readonly RestCase[]): Promise<void>;
  /** Closes all; the file stays. */
  stop(): Promise<void>;
}

const folders: string[] = [];
t.teardown(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'photoncloud-'));
  folders.push(folder);
  return join(folder, 'photoncloud.db');
}

function entryOf(name: string): ServiceEntry {
  return services.find((entry) => entry.name === name)!;
}

/** `prismnet.v1` → its schema and the name of its one service. */
function schemaOf(entry: ServiceEntry, serviceName: string): { schema: Schema; service: string } {
  const schema = Schema.load([`${entry.package.replaceAll('.', '/')}/${entry.name}.proto`]);
  return { schema, service: `${entry.package}.${serviceName}` };
}

/** Starts a service and the proxy in front of it. `serviceName` is without its package. */
export async function startTestService(
  test: Test,
  name: string,
  serviceName: string,
  options: { file?: string; clock?: ManualClock } = {},
): Promise<RunningTestService> {
  const { file = temporaryFile(), clock = new ManualClock() } = options;
  const entry = entryOf(name);
  const database = Database.open(file);
  const log: string[] = [];
  const running = await entry.start({
    host: '127.0.0.1',
    port: 0,
    database,
    clock,
    log: (what, error) => log.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`),
  });
  const proxy = await startProxy(configOf(entry, running.port));
  const { schema, service } = schemaOf(entry, serviceName);
  const client = new TestClient(running.port, schema, service);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    client.close();
    await proxy.drain();
    await running.close();
    database.close();
  };
  test.teardown(() => (stopped ??= stop()));
  const rest = (line: string, body?: unknown, url = proxy.urls[0]!): Promise<TestResponse> =>
    send(url, line, body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) });
  return {
    client,
    clock,
    log,
    file,
    rest,
    async data<Data>(line: string, body?: unknown): Promise<Data> {
      const { status, json, text } = await rest(line, body);
      if (status >= 300) throw new Error(`${line}: ${text}`);
      return (json as { data: Data }).data;
    },
    async table(test, cases) {
      // The same on the service's own port and below its name on the port of all.
      for (const [index, [line, body, status, expected]] of cases.entries()) {
        const safe = line.startsWith('GET ');
        const mounted = safe && index % 2 === 1;
        const answer = await (mounted ? rest(line.replace(' ', ` /${name}`), body, proxy.urls[1]) : rest(line, body));
        const title = `${line} ${body === undefined ? '' : JSON.stringify(body).slice(0, 100)}`;
        const answered = answer.status === status ? '' : `: ${answer.text.slice(0, 300)}`;
        test.equal(answer.status, status, `${title}${answered}`);
        const { data, error, meta } = answer.json as { data?: object; error?: Record<string, string>; meta: object };
        test.ok(meta, title);
        if (typeof expected === 'string') test.equal(error?.['code'], expected, title);
        else if (expected instanceof RegExp) test.match(error?.['message'], expected, title);
        else test.match(data, expected, title);
      }
    },
    stop: () => (stopped ??= stop()),
  };
}

/** The lines of the file that concern this service: its own listener, then the one that serves all of them. */
function configOf(entry: ServiceEntry, grpcPort: number): Config {
  const config = loadConfig({ file: join(repository, 'examples/photoncloud/photongate.yaml') });
  const upstreams = [parseUpstream(`${entry.package}=127.0.0.1:${grpcPort}`)];
  const own = config.listeners.find((listener) => listener.port === entry.httpPort)!;
  const all = config.listeners.find((listener) => listener.port === 8080)!;
  const mount = all.mounts.find(({ prefix }) => prefix === `/${entry.name}`)!;
  return {
    ...config,
    listeners: [
      { ...own, port: 0, root: { ...own.root, upstreams } },
      { ...all, port: 0, root: { ...all.root, upstreams }, mounts: [{ ...mount, upstreams }] },
    ],
  };
}

/** Every page of a list, by REST: the resources in order, and how many pages there were. */
export async function allPages<Item>(
  service: RunningTestService,
  path: string,
  field: string,
  pageSize: number,
): Promise<{ items: Item[]; pages: number }> {
  const items: Item[] = [];
  let token = '';
  let pages = 0;
  do {
    const query = `${path.includes('?') ? '&' : '?'}page_size=${pageSize}&page_token=${token}`;
    const page = await service.data<Record<string, unknown>>(`GET ${path}${query}`);
    items.push(...(page[field] as Item[]));
    token = page['next_page_token'] as string;
    pages += 1;
  } while (token !== '');
  return { items, pages };
}

/** A service in a process of its own, on the machine's clock, which can be killed. */
export async function spawnService(
  test: Test,
  name: string,
  serviceName: string,
  file: string,
): Promise<{ client: TestClient; kill: () => Promise<void> }> {
  const entry = entryOf(name);
  const { port, kill } = await spawnProcess(test, name, dirname(file));
  const { schema, service } = schemaOf(entry, serviceName);
  const client = new TestClient(port, schema, service);
  test.teardown(() => client.close());
  return { client, kill };
}
