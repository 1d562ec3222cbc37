/**
 * Command-line clients that are not curl, against the whole proxy: BusyBox wget, which small containers have, and grpcurl on
 * the same port. One that is not installed is left out, with a word about it.
 *
 *   node --import tsx test/tools/main.ts
 *
 * grpcurl: `go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest`, then have it on the PATH.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { type Answer, finish } from '../support/echo-service.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package t.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service T {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" additional_bindings { post: "/v1" body: "*" } additional_bindings { put: "/v1/{name}" body: "*" } }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc Put(stream Message) returns (Message) { option (google.api.http) = { post: "/put" body: "*" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
  rpc Download(Message) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/file" }; }
  rpc Upload(stream google.api.HttpBody) returns (Message) { option (google.api.http) = { post: "/file" body: "*" }; }
}
message Message { string name = 1; int64 number = 2; }
`;

const schema = schemaFromText(proto);
const codec = new Codec(schema);

/** JSON → message bytes. */
function wire(json: object, type = 't.v1.Message'): Buffer {
  const out = new Writer();
  codec.reader(schema.message(type)!)(Buffer.from(JSON.stringify(json)), out);
  return out.take();
}

// BusyBox takes a NUL for the end of a file that it sends.
const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => 1 + ((index * 7919) % 251)));
const piece = wire({ contentType: 'application/x-test', data: large.toString('base64') }, 'google.api.HttpBody');
const two: Answer = { messages: [wire({ name: 'a' }), wire({ name: 'b', number: '9007199254740993' })] };
const broken: Answer = {
  drive(call) {
    call.write(two.messages![0]!);
    setTimeout(() => finish(call, { code: 13, details: 'broken' }), 100);
  },
};

interface Row {
  readonly name: string;
  /** `URL`, `HOST`, `PROTO` and `FOLDER` stand for where things are. */
  readonly args: readonly string[];
  readonly answer?: Answer;
  readonly fails?: true;
  /** What the command says, on either of its outputs. */
  readonly says?: RegExp | ((text: string) => boolean);
  /** What else must hold afterwards. */
  readonly then?: (proxy: TestProxy, folder: string) => boolean;
}

const lines = '--header=Accept: application/x-ndjson';

const wget: readonly Row[] = [
  { name: 'a unary GET', args: ['URL/v1/Ada?number=3'], says: /^\{"name":"Ada","number":"3"\}$/ },
  { name: 'POST', args: ['--post-data', '{"name":"Ada"}', 'URL/v1'], says: /^\{"name":"Ada"\}$/ },
  {
    name: 'another method, by X-HTTP-Method-Override',
    args: ['--header=X-HTTP-Method-Override: PUT', '--post-data', '{"number":4}', 'URL/v1/Ada'],
    says: /^\{"name":"Ada","number":"4"\}$/,
  },
  {
    name: 'an error of the service',
    args: ['URL/v1/x'],
    answer: { code: 5, details: 'no such book' },
    fails: true,
    says: /404 no such book/,
  },
  {
    name: 'an error of ours',
    args: ['URL/v1/x?nmber=1'],
    fails: true,
    says: /400 nmber: unknown query parameter, did you mean "number"\?/,
  },
  { name: 'no route', args: ['URL/nowhere'], fails: true, says: /404 / },
  {
    name: 'a stream as an array',
    args: ['URL/watch'],
    answer: two,
    says: /^\[\{"name":"a"\},\{"name":"b","number":"9007199254740993"\}\]$/,
  },
  {
    name: 'a stream as lines',
    args: [lines, 'URL/watch'],
    answer: two,
    says: /^\{"name":"a"\}\n\{"name":"b","number":"9007199254740993"\}$/,
  },
  {
    name: 'a stream of lines that breaks: marked',
    args: [lines, 'URL/watch'],
    answer: broken,
    says: /^\{"name":"a"\}\n\{"error":\{"code":13,"message":"broken"\}\}$/,
  },
  {
    name: 'a stream as events',
    args: ['--header=Accept: text/event-stream', 'URL/watch'],
    answer: two,
    says: /^data: \{"name":"a"\}\n\ndata: /,
  },
  {
    name: 'a client stream of lines',
    args: ['--post-data', '{"name":"a"}\n{"number":2}\n', 'URL/put'],
    says: /^\{"name":"a","number":"2"\}$/,
  },
  {
    name: 'a large file down',
    args: ['-O', 'FOLDER/down', 'URL/file'],
    answer: { messages: [piece, piece] },
    then: (_, folder) => readFileSync(join(folder, 'down')).equals(Buffer.concat([large, large])),
  },
  {
    name: 'a large file up',
    args: ['--post-file', 'FOLDER/up', 'URL/file'],
    answer: { message: wire({ name: 'taken' }) },
    says: /^\{"name":"taken"\}$/,
    then: ({ service }) => service.calls.at(-1)!.messages.reduce((sum, { length }) => sum + length, 0) > large.length,
  },
  { name: 'HEAD', args: ['--spider', 'URL/v1/Ada'] },
  { name: 'HEAD of nothing', args: ['--spider', 'URL/nowhere'], fails: true },
];

const grpc = ['-plaintext', '-import-path', 'FOLDER', '-import-path', 'ANNOTATIONS', '-proto', 'test.proto'];
const T = 't.v1.T';

const grpcurl: readonly Row[] = [
  { name: 'list', args: ['-plaintext', 'HOST', 'list'], says: /^grpc\.reflection[^]*^t\.v1\.T$/m },
  {
    name: 'describe',
    args: ['-plaintext', 'HOST', 'describe', T],
    says: /rpc Put \( stream \.t\.v1\.Message \) returns \( \.t\.v1\.Message \) \{\n *option \(\.google\.api\.http\) = \{ post: "\/put", body: "\*" \}/,
  },
  {
    name: 'describe nothing',
    args: ['-plaintext', 'HOST', 'describe', 't.v1.No'],
    fails: true,
    says: /not found: t\.v1\.No/,
  },
  {
    name: 'unary, without files',
    args: ['-plaintext', '-d', '{"name":"Ada","number":"9007199254740993"}', 'HOST', `${T}/Get`],
    says: /"name": "Ada",\s*"number": "9007199254740993"/,
  },
  {
    name: 'both ways, without files',
    args: ['-plaintext', '-d', '{"name":"a"} {"name":"b"}', 'HOST', `${T}/Chat`],
    says: /"a"[^]*"b"/,
  },
  { name: 'unary', args: [...grpc, '-d', '{"name":"Ada"}', 'HOST', `${T}/Get`], says: /"name": "Ada"/ },
  {
    name: 'headers',
    args: [...grpc, '-H', 'x-tenant: blue', '-H', 'x-raw-bin: AQI=', 'HOST', `${T}/Get`],
    then: ({ service }) => {
      const { metadata } = service.calls.at(-1)!;
      return (
        metadata.get('x-tenant')[0] === 'blue' && Buffer.from([1, 2]).equals(metadata.get('x-raw-bin')[0] as Buffer)
      );
    },
  },
  {
    name: 'an error',
    args: [...grpc, 'HOST', `${T}/Get`],
    answer: { code: 9, details: 'not yet: 5 % left' },
    fails: true,
    says: /FailedPrecondition[^]*not yet: 5 % left/,
  },
  {
    name: 'a server stream',
    args: [...grpc, '-d', '{}', 'HOST', `${T}/Watch`],
    answer: two,
    says: /"a"[^]*"9007199254740993"/,
  },
  {
    name: 'a server stream that fails',
    args: [...grpc, '-d', '{}', 'HOST', `${T}/Watch`],
    answer: broken,
    fails: true,
    says: /"a"[^]*Internal[^]*broken/,
  },
  {
    name: 'a client stream',
    args: [...grpc, '-d', '{"name":"a"}{"number":"2"}', 'HOST', `${T}/Put`],
    says: /"a"[^]*"2"/,
  },
  { name: 'bidi', args: [...grpc, '-d', '{"name":"a"}{"name":"b"}', 'HOST', `${T}/Chat`], says: /"a"[^]*"b"/ },
  {
    name: 'a deadline',
    args: [...grpc, '-max-time', '1', '-d', '{}', 'HOST', `${T}/Watch`],
    answer: { drive: () => undefined },
    fails: true,
    says: /DeadlineExceeded/,
    then: ({ service }) => Number(service.calls.at(-1)!.deadline) < Date.now() + 1000,
  },
  {
    name: 'a large message',
    args: [...grpc, '-d', `{"name":"${'x'.repeat(100_000)}"}`, 'HOST', `${T}/Get`],
    says: (text) => text.length > 100_000,
  },
  {
    name: 'a method that is not served',
    args: [...grpc, '-d', '{}', 'HOST', 'grpc.health.v1.Health/Check'],
    fails: true,
  },
];

interface Finished {
  readonly code: number | null;
  readonly text: string;
}

/** Runs a command to its end; undefined where there is none of that name. */
function run(command: string, args: readonly string[]): Promise<Finished | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve({ code, text: text.trim() }));
  });
}

function holds({ fails, says, then }: Row, { code, text }: Finished, proxy: TestProxy, folder: string): boolean {
  if ((code !== 0) !== (fails ?? false)) return false;
  if (says !== undefined && !(says instanceof RegExp ? says.test(text) : says(text))) return false;
  return then?.(proxy, folder) ?? true;
}

const folder = mkdtempSync(join(tmpdir(), 'photongate-tools-'));
writeFileSync(join(folder, 'test.proto'), proto);
writeFileSync(join(folder, 'up'), large);
const proxy = await startTestProxy(proto, { methodOverride: true });
const places: Readonly<Record<string, string>> = {
  URL: proxy.url,
  HOST: `127.0.0.1:${proxy.port}`,
  FOLDER: folder,
  ANNOTATIONS: fileURLToPath(new URL('../../annotations', import.meta.url)),
};
const placed = (arg: string): string => arg.replace(/^(URL|HOST|FOLDER|ANNOTATIONS)\b/, (name) => places[name]!);

let passed = 0;
let failed = 0;
for (const [command, before, rows] of [
  ['busybox', ['wget', '-q', '-O', '-'], wget],
  ['grpcurl', [], grpcurl],
] as const) {
  if ((await run(command, ['--help'])) === undefined) {
    console.log(`${command} is not here: left out`);
    continue;
  }
  for (const row of rows) {
    proxy.service.answer = () => row.answer ?? {};
    const finished = await run(command, [...before, ...row.args.map(placed)]);
    if (holds(row, finished!, proxy, folder)) {
      passed++;
    } else {
      failed++;
      console.error(`${command}: ${row.name}: exit code ${finished?.code}, ${finished?.text.slice(0, 1000)}`);
    }
  }
}
await proxy.close();
rmSync(folder, { recursive: true });
console.log(`command-line clients: ${passed} as expected, ${failed} not`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
