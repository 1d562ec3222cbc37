/**
 * Google's published Node clients (google-gax) before photongate with `preset: google`: each call is made by gRPC straight to a
 * grpc-js server, then in the client's REST mode through photongate. What the service got, what the client returned or threw, and
 * the routing header have to be the same. A client without gRPC is held against its own request.
 *
 *     node --import tsx test/clients/main.ts NODE_MODULES
 */
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import protobuf from 'protobufjs';
import { stringify } from 'yaml';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { type Call, clients, type ClientSpec } from './calls.js';
import { type ScriptedService, type Seen, startScriptedService } from './service.js';

const modules = process.argv[2]!;
const load = createRequire(join(modules, 'load.js'));

/** Of the clients: methods by name. */
type Client = Readonly<Record<string, (request: object, options?: object) => unknown>>;
type ClientClass = new (options: object) => Client;

interface Outcome {
  readonly seen: readonly Seen[];
  readonly result?: unknown;
  readonly error?: unknown;
}

const failures: string[] = [];

function check(label: string, found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return;
  failures.push(`${label}\n  found    ${shown(found)}\n  expected ${shown(expected)}`);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 3000);

// ---- clients

function classOf({ package: name, export: path }: ClientSpec): ClientClass {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], load(name)) as ClientClass;
}

function grpcClient(spec: ClientSpec, service: ScriptedService): Client {
  // Their own grpc-js: it takes no credentials of another one.
  const { credentials } = load('@grpc/grpc-js') as { credentials: { createInsecure(): object } };
  return new (classOf(spec))({
    apiEndpoint: '127.0.0.1',
    port: service.port,
    sslCreds: credentials.createInsecure(),
    authClient: authClient(),
  });
}

function restClient(spec: ClientSpec, proxy: RunningProxy): Client {
  return new (classOf(spec))({
    fallback: true,
    protocol: 'http',
    apiEndpoint: '127.0.0.1',
    port: Number(new URL(proxy.urls[0]!).port),
    authClient: authClient(),
  });
}

/** Sends no credentials; answers of any status are for google-gax to read. */
function authClient(): object {
  const { PassThroughClient } = load('google-auth-library') as { PassThroughClient: new (options: object) => object };
  return new PassThroughClient({ transporterOptions: { validateStatus: () => true } });
}

/** Waits but a moment between polls of an operation. A fresh one for each call, as the clients put their own into it. */
const quick = (): object => ({
  longrunning: {
    initialRetryDelayMillis: 5,
    retryDelayMultiplier: 1,
    maxRetryDelayMillis: 5,
    totalTimeoutMillis: 10_000,
  },
});

async function outcome(
  client: Client,
  { method, request, kind = 'unary' }: Call,
  service: ScriptedService,
): Promise<Outcome> {
  const run = client[method]!.bind(client);
  const parts: unknown[] = [];
  try {
    if (kind === 'unary') parts.push(((await run(request, quick())) as unknown[])[0]);
    else if (kind === 'operation') {
      const [operation] = (await run(request, quick())) as [
        { promise(): Promise<unknown[]>; metadata: unknown; name: string },
      ];
      const [result] = await operation.promise();
      parts.push(operation.name, operation.metadata, result);
    } else if (kind === 'stream') await collect(run(request, quick()) as NodeJS.ReadableStream, parts);
    else for await (const item of run(request, quick()) as AsyncIterable<unknown>) parts.push(item);
    return { seen: service.taken(), result: plain(parts) };
  } catch (thrown) {
    const seen = service.taken();
    // A failed stream is tried again by gRPC alone.
    return { seen: kind === 'stream' ? seen.slice(0, 1) : seen, result: plain(parts), error: told(thrown) };
  }
}

/** By events: `for await` over a stream of these clients ends without a word where the stream fails. */
function collect(stream: NodeJS.ReadableStream, into: unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', (item: unknown) => into.push(item));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
}

/** As JSON, so that classes and prototypes do not matter, but numbers that JSON does not have do. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && !Number.isFinite(inner) ? String(inner) : inner,
  );
  return text === undefined ? undefined : JSON.parse(text);
}

/** What a caller looks at. The gRPC form puts code and name before the message. */
function told(thrown: unknown): unknown {
  const error = thrown as Error & Record<string, unknown>;
  const { code, statusDetails, reason, domain, errorInfoMetadata } = error;
  const message = error.message.replace(/^\d+ [A-Z_]+: /, '');
  return plain({ code, message, statusDetails, reason, domain, errorInfoMetadata });
}

// ---- the service and photongate

function root(file: string): protobuf.Root {
  const loaded = protobuf.Root.fromJSON(load(file) as protobuf.INamespace);
  loaded.resolveAll();
  return loaded;
}

/** Descriptors in a client's package, as far as they have services; those of its mixins are in google-gax. */
function rootsOf(spec: ClientSpec): protobuf.Root[] {
  const folder = join(modules, spec.package, 'build/protos');
  const files = ['protos.json', 'v1.json'].map((name) => join(folder, name)).filter((file) => existsSync(file));
  const mixins = ['google/cloud/location/locations', 'google/iam/v1/iam_policy', 'google/longrunning/operations']
    .filter((name) => spec.protos.includes(`${name}.proto`))
    .map((name) =>
      join(modules, 'google-gax/build/protos', `${/(locations|operations)$/.exec(name)?.[0] ?? 'iam_service'}.json`),
    );
  return [...files, ...mixins].map(root);
}

async function startPhotongate(spec: ClientSpec, service: ScriptedService, folder: string): Promise<RunningProxy> {
  const rules = join(folder, 'service.yaml');
  writeFileSync(rules, stringify({ http: { rules: spec.rules ?? [] } }));
  return startProxy(
    loadConfig({
      flags: {
        proto: [...spec.protos],
        protoPath: [join(modules, spec.package, 'build/protos'), join(modules, 'google-gax/build/protos')],
        ...(spec.rules === undefined ? {} : { rules: [rules] }),
        upstreams: [`127.0.0.1:${service.port}`],
        listen: ['127.0.0.1:0'],
        options: { preset: 'google' },
      },
    }),
  );
}

/** The message as its own type reads it: what a service must see. */
function asSeen(roots: readonly protobuf.Root[], path: string, request: object): unknown {
  const [, service, name] = /^\/(.+)\/(.+)$/.exec(path)!;
  const type = roots[0]!.lookupService(service!).methods[name!]!.resolvedRequestType!;
  const message = type.decode(type.encode(type.fromObject(request)).finish());
  return type.toObject(message, { longs: String, enums: Number, bytes: String });
}

async function runClient(spec: ClientSpec, details: protobuf.Root): Promise<number> {
  const roots = rootsOf(spec);
  const folder = mkdtempSync(join(tmpdir(), 'photongate-clients-'));
  const service = await startScriptedService(roots, details);
  let proxy: RunningProxy | undefined;
  try {
    proxy = await startPhotongate(spec, service, folder);
    const rest = restClient(spec, proxy);
    const grpc = spec.restOnly === true ? undefined : grpcClient(spec, service);
    for (const call of spec.calls) {
      const label = `${spec.export}.${call.method} ${shown(call.request).slice(0, 200)}`;
      service.script = Object.fromEntries(
        Object.entries(call.script).map(([name, replies]) => [`/${name.replace(/\.(\w+)$/, '/$1')}`, replies]),
      );
      const expected = grpc === undefined ? undefined : await outcome(grpc, call, service);
      const found = await outcome(rest, call, service);
      if (found.seen.length === 0) failures.push(`${label}\n  reached no service: ${shown(found)}`);
      if (call.breaks === true) checkBroken(label, found, expected!);
      else if (expected !== undefined) check(label, found, expected);
      else
        for (const { path, request } of found.seen.slice(0, 1))
          check(label, plain(request), plain(asSeen(roots, path, call.request)));
    }
    return spec.calls.length;
  } finally {
    await proxy?.drain();
    service.close();
    rmSync(folder, { recursive: true });
  }
}

/** What came before the failure is the same. google-gax takes the element with the error for one more message. */
function checkBroken(label: string, found: Outcome, expected: Outcome): void {
  const messages = expected.result as unknown[];
  check(label, (found.result as unknown[]).slice(0, messages.length), messages);
  check(`${label}: fails`, [found.error !== undefined, expected.error !== undefined], [true, true]);
}

const details = root(join(modules, 'google-gax/build/protos/status.json'));
let count = 0;
for (const spec of clients) count += await runClient(spec, details);
for (const failure of failures) console.error(failure);
console.log(`${count} calls of ${clients.length} clients, ${failures.length} failed`);
// The clients keep their connections.
process.exit(failures.length === 0 && count > 50 ? 0 : 1);
