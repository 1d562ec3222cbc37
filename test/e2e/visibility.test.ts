/**
 * google.api.visibility: one proto and one service behind listeners and mounts, of which some show what is unrestricted alone,
 * over every protocol, in both directions, in documents and reflection. Messages are made and read by protobuf-es.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { createFileRegistry, create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseStatusDetails, statusBytes } from '../../lib/metadata/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { connectClient } from '../mcp/client.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send, type TestResponse } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package v.v1;
import "google/api/annotations.proto";
import "google/api/visibility.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
service Shop {
  rpc Get(Item) returns (Item) { option (google.api.http) = { get: "/v1/items/{name}" }; }
  rpc Put(Item) returns (Item) { option (google.api.http) = { put: "/v1/items/{name}" body: "*" }; }
  rpc Patch(PatchRequest) returns (Item) { option (google.api.http) = { patch: "/v1/items" body: "item" }; }
  rpc Watch(Item) returns (stream Item) { option (google.api.http) = { get: "/v1/watch" }; }
  rpc Chat(stream Item) returns (stream Item) { option (google.api.http) = { post: "/v1/chat" body: "*" }; }
  rpc Cost(Item) returns (Item) {
    option (google.api.http) = { get: "/v1/costs/{name}" };
    option (google.api.method_visibility).restriction = "INTERNAL, PREVIEW";
  }
  rpc Other(Item) returns (Item) { option (google.api.http) = { get: "/v1/other/{cost}" additional_bindings { get: "/v1/by-name/{name}" } }; }
  rpc Audit(Audit_) returns (Item) { option (google.api.http) = { get: "/v1/audit" }; }
}
service Admin {
  option (google.api.api_visibility).restriction = "INTERNAL";
  rpc Wipe(Item) returns (Item) { option (google.api.http) = { post: "/v1/wipe" body: "*" }; }
}
message Audit_ { option (google.api.message_visibility).restriction = "INTERNAL"; string who = 1; }
message PatchRequest { Item item = 1; google.protobuf.FieldMask update_mask = 2; }
enum State {
  UNKNOWN = 0;
  ON_SALE = 1;
  RECALLED = 2 [(google.api.value_visibility).restriction = "INTERNAL"];
}
message Item {
  string name = 1;
  int64 cost = 2 [(google.api.field_visibility).restriction = "INTERNAL"];
  State state = 3;
  repeated State history = 4;
  map<string, State> states = 5;
  repeated Item parts = 6;
  map<string, Item> index = 7;
  Audit_ audit = 8;
  google.protobuf.Any extra = 9;
  oneof price { int64 fixed = 10; int64 secret_price = 11 [(google.api.field_visibility).restriction = "INTERNAL"]; }
  optional string note = 12 [(google.api.field_visibility).restriction = "PREVIEW"];
}
`;

const whole = schemaFromText(proto);
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: whole.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded)).reverse(),
  }),
);

function bytesOf(json: JsonValue, type = 'v.v1.Item'): Buffer {
  const schema = registry.getMessage(type)!;
  return Buffer.from(toBinary(schema, fromJson(schema, json, { registry })));
}

function jsonOf(bytes: Uint8Array, type = 'v.v1.Item'): JsonValue {
  const schema = registry.getMessage(type)!;
  return toJson(schema, fromBinary(schema, bytes), { registry });
}

const audit = { '@type': 'type.googleapis.com/v.v1.Audit_', who: 'me' };

/** What the service has, and what of it strangers see. */
const all = {
  name: 'n',
  cost: '7',
  state: 'RECALLED',
  history: ['ON_SALE', 'RECALLED', 'ON_SALE'],
  states: { a: 'ON_SALE', b: 'RECALLED' },
  parts: [{ name: 'p', cost: '1', extra: { '@type': 'type.googleapis.com/v.v1.Item', name: 'q', cost: '2' } }],
  index: { k: { name: 'i', cost: '3' } },
  audit: { who: 'me' },
  extra: audit,
  secretPrice: '5',
  note: 'n',
};
const shown = {
  name: 'n',
  history: ['ON_SALE', 'ON_SALE'],
  states: { a: 'ON_SALE' },
  parts: [{ name: 'p', extra: { '@type': 'type.googleapis.com/v.v1.Item', name: 'q' } }],
  index: { k: { name: 'i' } },
  extra: {},
};

interface Started {
  readonly service: EchoService;
  /** By what their callers may see. */
  readonly urls: {
    readonly open: string;
    readonly internal: string;
    readonly outside: string;
    readonly preview: string;
  };
}

const yaml = `
mcp: true
pass_through: all
listeners:
  - listen: 127.0.0.1:0
  - { listen: 127.0.0.1:0, visibility: [INTERNAL, PREVIEW] }
  - listen: 127.0.0.1:0
    visibility: []
    services: [v.v1.*]
    mounts:
      - { path: /inside, visibility: [INTERNAL] }
      - { path: /outside, visibility: none }
  - { listen: 127.0.0.1:0, visibility: PREVIEW }
`;

async function start(t: Test, more: Readonly<Record<string, string>> = {}): Promise<Started> {
  const service = await startEchoService(whole);
  const folder = t.testdir({ 'shop.proto': proto, 'photongate.yaml': yaml, ...more });
  const flags = { proto: ['shop.proto'], upstreams: [parseUpstream(service.target)] };
  const proxy = await startProxy(loadConfig({ flags, file: 'photongate.yaml', workingDirectory: folder }));
  t.teardown(async () => {
    await proxy.drain();
    service.close();
  });
  const [open = '', internal = '', outside = '', preview = ''] = proxy.urls;
  return { service, urls: { open, internal, outside, preview } };
}

const json = { 'content-type': 'application/json' };
const put = (url: string, body: JsonValue): Promise<TestResponse> =>
  send(url, 'PUT /v1/items/n', { headers: json, body: JSON.stringify(body) });

void t.test('REST: routes, queries, bodies and answers', async (t) => {
  const { service, urls } = await start(t);
  service.answer = () => ({ message: bytesOf(all) });
  t.strictSame((await send(urls.outside, 'GET /v1/items/n')).json, shown);
  t.strictSame((await send(urls.outside, 'GET /outside/v1/items/n')).json, shown);
  for (const url of [urls.open, urls.internal]) t.strictSame((await send(url, 'GET /v1/items/n')).json, all);
  t.strictSame((await send(urls.preview, 'GET /v1/items/n')).json, { ...shown, note: 'n' });
  const inside = (await send(urls.outside, 'GET /inside/v1/items/n')).json as typeof all;
  t.strictSame([inside.cost, inside.note], ['7', undefined]);

  const wire = { accept: 'application/x-protobuf' };
  t.strictSame(jsonOf((await send(urls.outside, 'GET /v1/items/n', { headers: wire })).bytes), shown);
  t.strictSame(jsonOf((await send(urls.open, 'GET /v1/items/n', { headers: wire })).bytes), all);

  service.answer = () => ({});
  const rows: readonly (readonly [target: string, body: JsonValue | undefined, open: number, outside: number])[] = [
    ['GET /v1/costs/n', undefined, 200, 404],
    ['POST /v1/wipe', {}, 200, 404],
    ['GET /v1/audit', undefined, 200, 404],
    ['GET /v1/other/3', undefined, 200, 404],
    ['GET /v1/by-name/n', undefined, 200, 200],
    ['GET /v1/items/n?cost=3', undefined, 200, 400],
    ['GET /v1/items/n?secretPrice=3', undefined, 200, 400],
    ['GET /v1/items/n?audit.who=3', undefined, 200, 400],
    ['GET /v1/items/n?state=RECALLED', undefined, 200, 400],
    ['GET /v1/items/n?state=2', undefined, 200, 400],
    ['GET /v1/items/n?state=77', undefined, 200, 200],
    ['GET /v1/items/n?state=ON_SALE', undefined, 200, 200],
    ['GET /v1/items/n?$fields=cost', undefined, 200, 400],
    ['PUT /v1/items/n', { cost: '1' }, 200, 400],
    ['PUT /v1/items/n', { parts: [{ parts: [{ cost: '1' }] }] }, 200, 400],
    ['PUT /v1/items/n', { history: [2] }, 200, 400],
    ['PUT /v1/items/n', { states: { a: 2 } }, 200, 400],
    ['PUT /v1/items/n', { extra: audit }, 200, 400],
    ['PUT /v1/items/n', { extra: { '@type': audit['@type'], value: 'CgE=' } }, 400, 400],
    ['PUT /v1/items/n', { extra: { '@type': 'type.googleapis.com/v.v1.Item', name: 'a' } }, 200, 200],
    ['PATCH /v1/items?updateMask=name', { name: 'a' }, 200, 200],
    ['PATCH /v1/items?updateMask=cost', { name: 'a' }, 200, 400],
    ['PATCH /v1/items?updateMask=name,audit.who', { name: 'a' }, 200, 400],
    ['PATCH /v1/items?updateMask=parts.cost', { name: 'a' }, 200, 400],
  ];
  for (const [target, body, open, outside] of rows) {
    const options = body === undefined ? {} : { headers: json, body: JSON.stringify(body) };
    const [seen, hidden] = [await send(urls.open, target, options), await send(urls.outside, target, options)];
    t.equal(seen.status, open, `open: ${target} ${JSON.stringify(body)} ${seen.text}`);
    t.equal(hidden.status, outside, `outside: ${target} ${JSON.stringify(body)} ${hidden.text}`);
    t.notMatch(hidden.text, /did you mean[^"]*(cost|audit|RECALLED|secret)/i);
  }
  t.equal((await send(urls.preview, 'GET /v1/costs/n')).status, 200, 'one of its labels is enough');
  const { json: refused } = await put(urls.outside, { cost: '1' });
  t.match(refused, { code: 3, message: /cost: / });
  const wireBody = { headers: { 'content-type': 'application/x-protobuf' }, body: bytesOf({ cost: '1' }) };
  t.match((await send(urls.outside, 'PUT /v1/items/n', wireBody)).json, { message: 'v.v1.Item has no field 2' });
  t.equal((await send(urls.open, 'PUT /v1/items/n', wireBody)).status, 200);
});

void t.test('errors: details of hidden types', async (t) => {
  const { service, urls } = await start(t);
  const value = bytesOf({ name: 'd', cost: '1' });
  const details = [
    { typeUrl: 'type.googleapis.com/v.v1.Audit_', value: bytesOf({ who: 'me' }, 'v.v1.Audit_') },
    { typeUrl: 'type.googleapis.com/v.v1.Item', value },
  ];
  service.answer = () => ({
    code: 9,
    details: 'no',
    trailers: { 'grpc-status-details-bin': statusBytes(9, 'no', details) },
  });
  const item = { '@type': 'type.googleapis.com/v.v1.Item', name: 'd' };
  t.strictSame((await send(urls.outside, 'GET /v1/items/n')).json, { code: 9, message: 'no', details: [item] });
  t.strictSame((await send(urls.open, 'GET /v1/items/n')).json, {
    code: 9,
    message: 'no',
    details: [audit, { ...item, cost: '1' }],
  });
  const error = await grpc(urls.outside, 'Get', Buffer.alloc(0)).catch((error: unknown) => error as ServiceError);
  const [bytes] = (error as ServiceError).metadata.get('grpc-status-details-bin') as Buffer[];
  t.strictSame(
    parseStatusDetails(bytes!).map((detail) => jsonOf(detail.value)),
    [{ name: 'd' }],
  );
});

function grpc(url: string, rpc: string, message: Buffer, metadata = new Metadata()): Promise<Buffer> {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const path = rpc.startsWith('/') ? rpc : `/v.v1.Shop/${rpc}`;
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, message, metadata, (error, answer) => {
      client.close();
      if (error) reject(error);
      else resolve(answer!);
    });
  });
}

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 0,
    (error: unknown) => (error as ServiceError).code,
  );

void t.test('native gRPC, Connect, WebSocket and streams', async (t) => {
  const { service, urls } = await start(t);
  service.answer = () => ({ message: bytesOf(all), messages: [bytesOf(all)] });
  t.strictSame(jsonOf(await grpc(urls.outside, 'Get', Buffer.alloc(0))), shown);
  t.strictSame(jsonOf(await grpc(urls.open, 'Get', Buffer.alloc(0))), all);
  for (const [path, open, outside] of [
    ['/v.v1.Shop/Cost', 0, 12],
    ['/v.v1.Admin/Wipe', 0, 12],
    ['/v.v1.Shop/Audit', 0, 12],
    ['/v.v1.Shop/Other', 0, 0],
  ] as const) {
    t.equal(await codeOf(grpc(urls.open, path, Buffer.alloc(0))), open, path);
    t.equal(await codeOf(grpc(urls.outside, path, Buffer.alloc(0))), outside, path);
  }
  service.calls.length = 0;
  for (const message of [{ cost: '1' }, { state: 'RECALLED' }, { extra: audit }, { note: 'x' }]) {
    t.equal(await codeOf(grpc(urls.outside, 'Get', bytesOf(message))), 3, JSON.stringify(message));
  }
  t.equal(service.calls.length, 0, 'nothing of it reached the service');
  const pieces = Buffer.concat([
    Buffer.from('4a0412021001', 'hex'),
    bytesOf({ extra: { '@type': 'type.googleapis.com/v.v1.Item' } }),
  ]);
  t.strictSame(jsonOf(pieces), { extra: { '@type': 'type.googleapis.com/v.v1.Item', cost: '1' } });
  t.equal(await codeOf(grpc(urls.outside, 'Get', pieces)), 3, 'an Any in pieces');

  const connect = { 'content-type': 'application/json', 'connect-protocol-version': '1' };
  const called = await send(urls.outside, 'POST /v.v1.Shop/Get', { headers: connect, body: '{}' });
  t.strictSame(called.json, shown);
  t.match(await send(urls.outside, 'POST /v.v1.Shop/Cost', { headers: connect, body: '{}' }), { status: 404 });
  const gzipped = { ...connect, 'content-type': 'application/proto', 'content-encoding': 'gzip' };
  const body = gzipSync(bytesOf({ cost: '1' }));
  t.match(await send(urls.outside, 'POST /v.v1.Shop/Get', { headers: gzipped, body }), { status: 400 });

  t.strictSame((await send(urls.outside, 'GET /v1/watch')).json, [shown]);
  t.strictSame((await send(urls.open, 'GET /v1/watch')).json, [all]);
  service.answer = () => ({});
  const chat = await send(urls.outside, 'POST /v1/chat', { headers: json, body: '{"name":"a"}{"state":2}' });
  t.match(chat.text, /message 2/);

  const socket = new WebSocket(`${urls.outside.replace('http', 'ws')}/v1/watch?state=2`);
  const [frame] = (await once(socket, 'message')) as [Buffer];
  t.match(frame.toString(), /"code":3/);
});

void t.test('compressed messages of native gRPC', async (t) => {
  const { service, urls } = await start(t);
  service.answer = () => ({ message: bytesOf(all) });
  const call = (message: Buffer, encoding: string): Promise<unknown> => {
    const metadata = new Metadata();
    metadata.set('grpc-encoding', encoding);
    return grpc(urls.outside, 'Get', message, metadata);
  };
  const client = new Client(new URL(urls.outside).host, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': 2,
  });
  t.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const compressed = (message: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest('/v.v1.Shop/Get', same, same, message, (error, answer) =>
        error ? reject(error) : resolve(answer!),
      );
    });
  t.strictSame(jsonOf(await compressed(bytesOf({ name: 'x'.repeat(2000) }))), shown);
  t.equal(service.calls.at(-1)!.message.length, bytesOf({ name: 'x'.repeat(2000) }).length);
  t.equal(await codeOf(compressed(bytesOf({ name: 'x'.repeat(2000), cost: '1' }))), 3);
  t.equal(await codeOf(call(Buffer.alloc(0), 'identity')), 0);
});

void t.test('documents, pages, reflection and tools', async (t) => {
  const { service, urls } = await start(t);
  const secrets = /cost|Audit|RECALLED|secret|Admin|wipe|inside/i;
  for (const path of ['/openapi.json', '/', '/health', '/none', '/outside/openapi.json']) {
    const { text } = await send(urls.outside, `GET ${path}`, { headers: { accept: 'application/json' } });
    t.notMatch(text, secrets, path);
  }
  for (const path of ['/openapi.json', '/']) {
    t.match((await send(urls.internal, `GET ${path}`)).text, secrets, path);
    t.match((await send(urls.outside, `GET /inside${path}`)).text, secrets, path);
  }
  t.match((await send(urls.outside, 'GET /openapi.json')).json, { paths: { '/outside/v1/items/{name}': {} } });

  const tools = async (url: string): Promise<string> => {
    const client = await connectClient(url, '2025-11-25');
    const { tools: listed } = await client.listTools();
    const called = await client.callTool({
      name: listed.find(({ name }) => /Get/.test(name))!.name,
      arguments: { name: 'n' },
    });
    await client.close();
    return JSON.stringify([listed, called]);
  };
  service.answer = () => ({ message: bytesOf(all) });
  const outside = await tools(urls.outside);
  t.notMatch(outside, secrets);
  t.match(outside, /ON_SALE/);
  t.match(await tools(urls.internal), /RECALLED/);

  const asked = await reflected(urls.outside, ['v.v1.Shop', 'v.v1.Admin', 'v.v1.Audit_', 'v.v1.Item.cost']);
  t.strictSame(asked.missing, ['v.v1.Admin', 'v.v1.Audit_', 'v.v1.Item.cost']);
  // The annotations of what may be seen stay as they were written, so only declarations are looked at.
  t.notMatch(asked.text, /Audit_|RECALLED|secret_price|Admin|Wipe/);
  const known = createFileRegistry(
    create(FileDescriptorSetSchema, {
      file: asked.files.map((file) => fromBinary(FileDescriptorProtoSchema, file)).reverse(),
    }),
  );
  const item = known.getMessage('v.v1.Item')!;
  t.strictSame(
    item.fields.map(({ name }) => name),
    ['name', 'state', 'history', 'states', 'parts', 'index', 'extra', 'fixed'],
  );
  t.strictSame(
    item.oneofs.map(({ name }) => name),
    ['price'],
  );
});

/** Asks grpc.reflection for the files of symbols: all files in order, and the symbols that it does not know. */
function reflected(
  url: string,
  symbols: readonly string[],
): Promise<{ files: Buffer[]; text: string; missing: string[] }> {
  const types = schemaFromText('syntax = "proto3"; import "grpc/reflection/v1/reflection.proto";');
  const reflection = createFileRegistry(
    create(FileDescriptorSetSchema, {
      file: types.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded)).reverse(),
    }),
  );
  const request = reflection.getMessage('grpc.reflection.v1.ServerReflectionRequest')!;
  const response = reflection.getMessage('grpc.reflection.v1.ServerReflectionResponse')!;
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const call = client.makeBidiStreamRequest(path, same, same);
  const found = { files: [] as Buffer[], text: '', missing: [] as string[] };
  return new Promise((resolve, reject) => {
    call.on('error', reject);
    call.on('data', (bytes: Buffer) => {
      const answer = toJson(response, fromBinary(response, bytes)) as {
        originalRequest: { fileContainingSymbol?: string };
        errorResponse?: object;
        fileDescriptorResponse?: { fileDescriptorProto: string[] };
      };
      if (answer.errorResponse !== undefined) found.missing.push(answer.originalRequest.fileContainingSymbol!);
      for (const file of answer.fileDescriptorResponse?.fileDescriptorProto ?? []) {
        const content = Buffer.from(file, 'base64');
        found.files.push(content);
        found.text += content.toString('latin1');
      }
    });
    call.on('end', () => {
      client.close();
      resolve(found);
    });
    for (const symbol of symbols) {
      call.write(Buffer.from(toBinary(request, fromJson(request, { fileContainingSymbol: symbol }))));
    }
    call.end();
  });
}

void t.test('one schema for all that hide the same; none of virtual hosts', (t) => {
  const folder = t.testdir({
    'shop.proto': proto,
    'hosts.yaml': `visibility: none
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts: [{ domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c } }] }]
clusters: { c: { endpoints: 127.0.0.1:1 } }
`,
    'same.yaml': `listeners:
  - { listen: 127.0.0.1:0, visibility: none }
  - { listen: 127.0.0.1:0, visibility: [] }
  - { listen: 127.0.0.1:0, visibility: [INTERNAL] }
`,
  });
  const load = (file: string): ReturnType<typeof prepareProxy> =>
    prepareProxy(
      loadConfig({
        flags: { proto: ['shop.proto'], upstreams: [parseUpstream('127.0.0.1:1')] },
        file,
        workingDirectory: folder,
      }),
    );
  const { listeners, warnings } = load('same.yaml');
  const [first, second, third] = listeners.map(({ parts }) => parts[0]!.bindings[0]!.method);
  t.equal(first, second);
  t.not(first, third);
  t.match(
    warnings.map(({ code }) => code),
    ['hidden-field'],
  );
  t.throws(() => load('hosts.yaml'), { message: /virtual_hosts pass on what no rule takes/ });
  t.end();
});

void t.test('the page of the documentation', async (t) => {
  const page = readFileSync(new URL('../../docs/visibility.md', import.meta.url), 'utf8');
  const [, declarations = ''] = /```proto\n([^]*?)```/.exec(page)!;
  const [config = '', rules = ''] = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text!);
  const service = await startEchoService(whole);
  const folder = t.testdir({
    'shop.proto': `${declarations}
      service Admin { rpc Wipe(Item) returns (Item) { option (google.api.http) = { post: "/v1/wipe" body: "*" }; } }`,
    'photongate.yaml': config.replace(/listen: [\d.:]+/g, 'listen: 127.0.0.1:0'),
    'rules.yaml': rules,
  });
  const start = async (files: readonly string[]): Promise<readonly string[]> => {
    const flags = { proto: ['shop.proto'], rules: files, upstreams: [parseUpstream(service.target)] };
    const proxy = await startProxy(loadConfig({ flags, file: 'photongate.yaml', workingDirectory: folder }));
    t.teardown(() => proxy.drain());
    return proxy.urls;
  };
  t.teardown(() => service.close());
  const statuses = async (urls: readonly string[], target: string): Promise<number[]> =>
    Promise.all(urls.map(async (url) => (await send(url, target, { headers: json })).status));
  const urls = await start([]);
  // The service behind knows none of these: a call that reaches it is 501.
  t.strictSame(await statuses(urls, 'GET /v1/items/1'), [501, 501]);
  t.strictSame(await statuses(urls, 'POST /v1/items/1:recall'), [405, 501]);
  t.strictSame(await statuses(urls, 'POST /v1/wipe'), [501, 501]);
  const ruled = await start(['rules.yaml']);
  t.strictSame(await statuses(ruled, 'POST /v1/items/1:recall'), [501, 501]);
  t.strictSame(await statuses(ruled, 'POST /v1/wipe'), [404, 501]);
});
