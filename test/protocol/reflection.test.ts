/**
 * grpc.reflection that the proxy answers itself, asked by grpc-js: what is listed, which files come and in which order, what
 * is hidden, and how it keeps to policies, limits and the pace of its client.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import t, { type Test } from 'tap';
import { Codec } from '../../lib/codec/index.js';
import type { Channel } from '../../lib/exchange.js';
import { reflectionTargets } from '../../lib/builtin/reflection.js';
import { type Config, loadConfig, startProxy } from '../../lib/index.js';
import type { LibrarySettings } from '../../lib/config/index.js';
import { Code } from '../../lib/status.js';
import { encodeFrame, Writer } from '../../lib/wire/index.js';
import { finish } from '../support/echo-service.js';
import { send, startTestProxy } from '../support/proxy.js';
import { annotationsRoot, schemaFromText } from '../support/schema.js';
import { jwksOf, signed, testKey } from '../support/tokens.js';

const books = `syntax = "proto3";
package books.v1;
import "google/api/annotations.proto";
import "types.proto";
service Books {
  rpc Get(GetRequest) returns (types.v1.Book) { option (google.api.http) = { get: "/v1/{name=books/*}" }; }
  rpc Watch(GetRequest) returns (stream types.v1.Book) { option (google.api.http) = { get: "/v1/watch" }; }
  rpc Bare(GetRequest) returns (GetRequest);
}
service Unmapped { rpc Call(GetRequest) returns (GetRequest); }
message GetRequest { string name = 1; oneof by { string author = 2; int32 year = 3; } }
`;
const types = `syntax = "proto2";
package types.v1;
message Book { optional Kind kind = 1; message Page { enum Paper { THIN = 1; } } extensions 100 to 200; }
enum Kind { NOVEL = 1; }
`;
const files = {
  'books.proto': books,
  'types.proto': types,
  // Nothing imports it: a type for google.protobuf.Any, and an extension.
  'loose.proto':
    'syntax = "proto2"; package loose.v1; import "types.proto"; message L {} extend types.v1.Book { optional L l = 150; optional int32 n = 120; }',
  'admin.proto': `syntax = "proto3"; package admin.v1; import "google/api/annotations.proto"; message Secret {}
    service Admin { rpc Get(Secret) returns (Secret) { option (google.api.http) = { get: "/admin" }; } }`,
  'above.proto':
    'syntax = "proto3"; package above.v1; import "admin.proto"; message Above { admin.v1.Secret secret = 1; }',
};

const own = schemaFromText(
  {},
  {
    protos: ['v1', 'v1alpha'].map((version) => `grpc/reflection/${version}/reflection.proto`),
    protoPaths: [annotationsRoot],
  },
);
const codec = new Codec(own);
const infoPath = (version: string): string => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;

/** JSON of a ServerReflectionRequest → its bytes. */
function requestOf(json: unknown): Buffer {
  const out = new Writer();
  codec.reader(own.message('grpc.reflection.v1.ServerReflectionRequest')!)(Buffer.from(JSON.stringify(json)), out);
  return out.take();
}

interface Answer {
  readonly originalRequest?: unknown;
  readonly validHost?: string;
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly string[] };
  readonly allExtensionNumbersResponse?: unknown;
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly errorResponse?: { readonly errorCode: number; readonly errorMessage: string };
}

function answerOf(bytes: Buffer): Answer {
  const out = new Writer();
  codec.writer(own.message('grpc.reflection.v1.ServerReflectionResponse')!)(bytes, out);
  return JSON.parse(out.take().toString()) as Answer;
}

/** Files by name, in the order of the answer; of another answer what it is. */
function shown(answer: Answer): unknown {
  const { originalRequest: _, fileDescriptorResponse, listServicesResponse, ...rest } = answer;
  if (fileDescriptorResponse !== undefined) {
    return fileDescriptorResponse.fileDescriptorProto.map(
      (file) => fromBinary(FileDescriptorProtoSchema, Buffer.from(file, 'base64')).name,
    );
  }
  if (listServicesResponse !== undefined) return listServicesResponse.service.map(({ name }) => name);
  return rest;
}

interface Asked {
  readonly answers: readonly Answer[];
  readonly status: Pick<StatusObject, 'code' | 'details'>;
}

/** One call: sends all requests, and reads to the end. */
function ask(
  url: string,
  requests: readonly (object | Buffer)[],
  version = 'v1',
  metadata = new Metadata(),
): Promise<Asked> {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest(infoPath(version), same, same, metadata, { deadline: Date.now() + 20_000 });
  const answers: Answer[] = [];
  call.on('data', (bytes: Buffer) => answers.push(answerOf(bytes)));
  call.on('error', () => undefined);
  for (const request of requests) call.write(Buffer.isBuffer(request) ? request : requestOf(request));
  call.end();
  return new Promise((resolve) => {
    call.on('status', (status) => {
      client.close();
      resolve({ answers, status });
    });
  });
}

const list = { listServices: '*' };
const reflection = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

async function listed(url: string, version?: string): Promise<unknown> {
  const { answers, status } = await ask(url, [list], version);
  return answers.length === 1 ? shown(answers[0]!) : status.code;
}

/** A proxy for these files, with nothing behind it. */
async function start(
  t: Test,
  settings: LibrarySettings['options'] & { services?: readonly string[] } = {},
  texts: Record<string, string> = files,
) {
  const folder = t.testdir(texts);
  const { services, ...options } = settings;
  const load = (): Config =>
    loadConfig({
      flags: {
        proto: ['.'],
        upstreams: ['127.0.0.1:1'],
        listen: ['127.0.0.1:0'],
        options,
        ...(services && { services }),
      },
      workingDirectory: folder,
    });
  const proxy = await startProxy(load());
  t.teardown(() => proxy.drain());
  return { url: proxy.urls[0]!, proxy, folder, load };
}

void t.test('the services that native gRPC reaches', async (t) => {
  for (const [settings, expected] of [
    [{}, ['admin.v1.Admin', 'books.v1.Books', ...reflection]],
    [{ passThrough: 'all' }, ['admin.v1.Admin', 'books.v1.Books', 'books.v1.Unmapped', ...reflection]],
    [{ services: ['books.v1.*'] }, ['books.v1.Books', ...reflection]],
    [{ autoMapping: true, services: ['books.v1.Unmapped'] }, ['books.v1.Unmapped', ...reflection]],
    [{ passThrough: 'off' }, Code.UNIMPLEMENTED],
    [{ grpcReflection: false }, Code.UNIMPLEMENTED],
  ] as const) {
    const { url } = await start(t, settings);
    t.strictSame(await listed(url), expected, JSON.stringify(settings));
    t.strictSame(await listed(url, 'v1alpha'), expected, `v1alpha, ${JSON.stringify(settings)}`);
  }
});

const annotations = ['google/api/annotations.proto', 'google/api/http.proto', 'google/protobuf/descriptor.proto'];
const ofBooks = ['books.proto', annotations[0], 'types.proto', ...annotations.slice(1)];
const unknown = (message: string): object => ({ errorResponse: { errorCode: Code.NOT_FOUND, errorMessage: message } });

void t.test('what is asked, and what comes', async (t) => {
  const { url } = await start(t, { services: ['books.v1.*'] });
  for (const [request, expected] of [
    [{ fileByFilename: 'books.proto' }, ofBooks],
    [{ fileByFilename: 'types.proto' }, ['types.proto']],
    [{ fileByFilename: 'nope.proto' }, unknown('the file "nope.proto" is not known here')],
    [{ fileContainingSymbol: 'books.v1.Books' }, ofBooks],
    [{ fileContainingSymbol: 'books.v1.Books.Watch' }, ofBooks],
    [{ fileContainingSymbol: 'books.v1.Books.Nope' }, unknown('"books.v1.Books.Nope" is not known here')],
    [{ fileContainingSymbol: '.books.v1.GetRequest' }, ofBooks],
    [{ fileContainingSymbol: 'books.v1.GetRequest.name' }, ofBooks],
    [{ fileContainingSymbol: 'books.v1.GetRequest.by' }, ofBooks],
    [{ fileContainingSymbol: 'books.v1.GetRequest.nope' }, unknown('"books.v1.GetRequest.nope" is not known here')],
    [{ fileContainingSymbol: 'types.v1.Book.Page' }, ['types.proto']],
    [{ fileContainingSymbol: 'types.v1.Kind' }, ['types.proto']],
    [{ fileContainingSymbol: 'types.v1.NOVEL' }, ['types.proto']],
    [{ fileContainingSymbol: 'types.v1.Book.Page.THIN' }, ['types.proto']],
    [{ fileContainingSymbol: 'loose.v1.l' }, ['loose.proto', 'types.proto']],
    [{ fileContainingSymbol: 'loose.v1.L' }, ['loose.proto', 'types.proto']],
    [{ fileContainingSymbol: 'books.v1' }, unknown('"books.v1" is not known here')],
    [{ fileContainingSymbol: '' }, unknown('"" is not known here')],
    [{ fileContainingSymbol: 'grpc.reflection.v1.ServerReflection' }, ['grpc/reflection/v1/reflection.proto']],
    [
      { fileContainingExtension: { containingType: 'types.v1.Book', extensionNumber: 150 } },
      ['loose.proto', 'types.proto'],
    ],
    [
      { fileContainingExtension: { containingType: 'types.v1.Book', extensionNumber: 151 } },
      unknown('extension 151 of "types.v1.Book" is not known here'),
    ],
    [{ fileContainingExtension: {} }, unknown('extension 0 of "" is not known here')],
    [
      { allExtensionNumbersOfType: 'types.v1.Book' },
      { allExtensionNumbersResponse: { baseTypeName: 'types.v1.Book', extensionNumber: [120, 150] } },
    ],
    [
      { allExtensionNumbersOfType: 'books.v1.GetRequest' },
      { allExtensionNumbersResponse: { baseTypeName: 'books.v1.GetRequest' } },
    ],
    [{ allExtensionNumbersOfType: 'no.Such' }, unknown('the message "no.Such" is not known here')],
    [
      { host: 'here', fileContainingSymbol: 'no' },
      { validHost: 'here', ...unknown('"no" is not known here') },
    ],
    // Services that are not served here, and files that show them.
    [{ fileByFilename: 'admin.proto' }, unknown('the file "admin.proto" is not known here')],
    [{ fileContainingSymbol: 'admin.v1.Secret' }, unknown('"admin.v1.Secret" is not known here')],
    [{ fileContainingSymbol: 'above.v1.Above' }, unknown('"above.v1.Above" is not known here')],
    [{ allExtensionNumbersOfType: 'admin.v1.Secret' }, unknown('the message "admin.v1.Secret" is not known here')],
  ] as const) {
    for (const version of ['v1', 'v1alpha']) {
      const { answers, status } = await ask(url, [request], version);
      const name = `${version} ${JSON.stringify(request)}`;
      t.strictSame([answers.map(shown), status.code], [[expected], Code.OK], name);
      t.strictSame(answers[0]!.originalRequest, request, name);
    }
  }
  for (const [bytes, message] of [
    [Buffer.alloc(0), /asks for nothing/],
    [Buffer.from([0x1a, 0x05, 0x61]), /not a ServerReflectionRequest/],
  ] as const) {
    const { answers, status } = await ask(url, [list, bytes, list]);
    t.strictSame([answers.length, status.code], [1, Code.INVALID_ARGUMENT]);
    t.match(status.details, message);
  }
});

void t.test('one stream: imports come once, what is asked for always', async (t) => {
  const { url } = await start(t);
  const symbol = { fileContainingSymbol: 'books.v1.Books' };
  const { answers } = await ask(url, [
    { fileByFilename: 'types.proto' },
    symbol,
    symbol,
    { fileByFilename: 'types.proto' },
  ]);
  const rest = ['books.proto', ...annotations];
  t.strictSame(answers.map(shown), [['types.proto'], rest, ['books.proto'], ['types.proto']]);
});

void t.test('imports beyond two megabytes are to be asked for', async (t) => {
  const large = (name: string): string =>
    `syntax = "proto3"; package ${name}; option java_package = "${'x'.repeat(1_200_000)}"; message M {}`;
  const { url } = await start(
    t,
    { passThrough: 'all' },
    {
      'a.proto': large('a'),
      'b.proto': large('b'),
      's.proto':
        'syntax = "proto3"; package s; import "a.proto"; import "b.proto"; service S { rpc A(a.M) returns (b.M); }',
    },
  );
  const { answers } = await ask(url, [{ fileContainingSymbol: 's.S' }, { fileByFilename: 'b.proto' }]);
  t.strictSame(answers.map(shown), [['s.proto', 'a.proto'], ['b.proto']]);
});

void t.test('gRPC-Web and Connect', async (t) => {
  const { url } = await start(t);
  const web = await send(url, `POST ${infoPath('v1')}`, {
    headers: { 'content-type': 'application/grpc-web+proto' },
    body: encodeFrame(requestOf(list)),
  });
  const end = web.bytes.readUInt32BE(1) + 5;
  t.match(shown(answerOf(web.bytes.subarray(5, end))), ['admin.v1.Admin']);
  t.match(web.bytes.subarray(end).toString(), /grpc-status: ?0/);
  const connect = await send(url, `POST ${infoPath('v1')}`, {
    headers: { 'content-type': 'application/connect+json' },
    body: encodeFrame(Buffer.from(JSON.stringify(list))),
  });
  t.match(connect.text, /"listServicesResponse":\{"service":\[\{"name":"admin\.v1\.Admin"\}/);
});

void t.test('a reflection service among those served answers for itself', async (t) => {
  const service = `syntax = "proto3"; package grpc.reflection.v1; import "google/api/annotations.proto";
    service ServerReflection { rpc ServerReflectionInfo(stream M) returns (stream M) { option (google.api.http) = { post: "/r" body: "*" }; } }
    message M { string name = 7; }`;
  const proxy = await startTestProxy(service);
  t.teardown(() => proxy.close());
  proxy.service.answer = () => ({ drive: (call) => finish(call, { code: Code.DATA_LOSS, details: 'from behind' }) });
  t.match((await ask(proxy.url, [list])).status, { code: Code.DATA_LOSS, details: 'from behind' });
  t.equal(proxy.service.calls.length, 1);
  t.strictSame(await listed(proxy.url, 'v1alpha'), reflection);
  t.equal(proxy.service.calls.length, 1);
});

void t.test('tokens, origins and limits are those of all calls', async (t) => {
  const key = await testKey('one');
  const yaml = (except: string): string =>
    `policies: { jwt: { issuer: issuer, audiences: [api], jwks: ${jwksOf(key)}, except: [${except}] } }`;
  const guarded = async (except: string): Promise<string> => {
    const proxy = await startTestProxy(
      books.replace('import "types.proto";', 'message Book {}').replaceAll('types.v1.', ''),
      {},
      yaml(except),
    );
    t.teardown(() => proxy.close());
    return proxy.url;
  };
  const shut = await guarded('');
  t.equal(await listed(shut), Code.UNAUTHENTICATED);
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${await signed(key)}`);
  t.strictSame(shown((await ask(shut, [list], 'v1', metadata)).answers[0]!), ['books.v1.Books', ...reflection]);
  const open = await guarded('grpc.reflection.v1.*');
  t.strictSame(await listed(open), ['books.v1.Books', ...reflection]);
  t.equal(await listed(open, 'v1alpha'), Code.UNAUTHENTICATED);
  const { url } = await start(t, { maxBodyBytes: 100 });
  const large = await ask(url, [{ fileByFilename: 'x'.repeat(200) }]);
  t.equal(large.status.code, Code.RESOURCE_EXHAUSTED);
  const origin = await send(url, `POST ${infoPath('v1')}`, {
    headers: { 'content-type': 'application/grpc-web+proto', origin: 'https://evil.example' },
    body: encodeFrame(requestOf(list)),
  });
  t.match(origin.text, `grpc-status: ${Code.PERMISSION_DENIED}\r\n`);
});

void t.test('after a reload the new schema answers', async (t) => {
  const { url, proxy, folder, load } = await start(t);
  t.strictSame(
    shown((await ask(url, [{ fileContainingSymbol: 'books.v1.Added' }])).answers[0]!),
    unknown('"books.v1.Added" is not known here'),
  );
  writeFileSync(join(folder, 'books.proto'), `${books}message Added {}\n`);
  await proxy.reload(load());
  t.strictSame(shown((await ask(url, [{ fileContainingSymbol: 'books.v1.Added' }])).answers[0]!), ofBooks);
});

void t.test('photongate behind photongate: the same routes', async (t) => {
  const inner = await startTestProxy(
    books.replace('import "types.proto";', 'message Book {}').replaceAll('types.v1.', ''),
  );
  t.teardown(() => inner.close());
  const flags = { reflection: true, upstreams: [`127.0.0.1:${inner.port}`], listen: ['127.0.0.1:0'] } as const;
  const outer = await startProxy(loadConfig({ flags, workingDirectory: t.testdir({}) }));
  t.teardown(() => outer.drain());
  inner.service.answer = () => ({ message: Buffer.alloc(0) });
  t.strictSame((await send(outer.urls[0]!, 'GET /v1/books/7')).text, '{}');
  t.equal(inner.service.calls.at(-1)!.messages[0]!.toString(), '\n\x07books/7');
  t.strictSame(await listed(outer.urls[0]!), ['books.v1.Books', ...reflection]);
});

// ---------------------------------------------------------------------------------------- the call, without a network

const schema = schemaFromText('syntax = "proto3"; package u; service S { rpc A(M) returns (M); } message M {}');
const nowhere: Channel = {
  target: 'none',
  start: () => t.fail('a call'),
  connect: () => Promise.resolve(false),
  close() {},
} as unknown as Channel;
const targets = schema.services.flatMap(({ methods }) => methods.map((method) => ({ method, channel: nowhere })));
const { channel } = reflectionTargets(schema, targets, own, 1000)[0]!;

interface Heard {
  readonly events: string[];
  readonly call: ReturnType<Channel['start']>;
}

function startCall(encoding?: string, timeoutMs?: number): Heard {
  const events: string[] = [];
  const metadata = encoding === undefined ? [] : [['grpc-encoding', encoding] as const];
  const call = channel.start(
    { path: infoPath('v1'), metadata, timeoutMs, passThrough: true },
    {
      onHeaders: () => events.push('headers'),
      onMessage: ({ payload }) => events.push(`message ${String(shown(answerOf(payload)))}`),
      onEnd: ({ code }) => events.push(`end ${code}`),
      onDrain: () => events.push('drain'),
    },
  );
  return { events, call };
}

const frame = { compressed: false, payload: requestOf(list) };
const message = `message ${[...reflection, 'u.S'].join()}`;

void t.test('a client that does not read leaves requests waiting', async (t) => {
  const { events, call } = startCall();
  t.equal(call.send(frame), true);
  call.pause();
  t.equal(call.send(frame), false);
  t.equal(call.send(frame), false);
  call.halfClose();
  t.strictSame(events, ['headers', message]);
  call.resume();
  t.strictSame(events, ['headers', message, message, message, 'end 0']);
  const other = startCall();
  other.call.pause();
  other.call.send(frame);
  other.call.resume();
  t.strictSame(other.events, ['headers', message, 'drain']);
  other.call.cancel();
  t.equal(other.events.length, 3, 'who cancels is not told at once');
  await Promise.resolve();
  t.equal(other.events.at(-1), `end ${Code.CANCELLED}`);
  t.equal(other.call.send(frame), true, 'what comes after the end is let go');
  t.equal(other.events.length, 4);
});

void t.test('compressed requests, and the deadline', async (t) => {
  const compressed = (payload: Buffer): object => ({ compressed: true, payload });
  for (const [encoding, sent, ...expected] of [
    ['gzip', compressed(gzipSync(frame.payload)), 'headers', message],
    ['gzip', frame, 'headers', message],
    ['gzip', compressed(frame.payload), `end ${Code.INVALID_ARGUMENT}`],
    ['gzip', compressed(gzipSync(Buffer.alloc(2000))), `end ${Code.INVALID_ARGUMENT}`],
    ['snappy', compressed(frame.payload), `end ${Code.UNIMPLEMENTED}`],
    [undefined, compressed(frame.payload), `end ${Code.UNIMPLEMENTED}`],
  ] as const) {
    const { events, call } = startCall(encoding);
    call.send(sent as typeof frame);
    t.strictSame(events, expected);
    call.cancel();
  }
  const { events } = startCall(undefined, 1);
  while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.strictSame(events, [`end ${Code.DEADLINE_EXCEEDED}`]);
  const patient = startCall(undefined, 2 ** 31);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.strictSame(patient.events, [], 'a time that no timer takes is none');
  patient.call.cancel();
});
