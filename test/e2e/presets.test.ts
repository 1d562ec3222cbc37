/** Presets: their options are those of docs/presets.md, what is given wins at whatever level, and some requests show it. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { environmentName } from '../../lib/cli/flags.js';
import { parseConfigFile } from '../../lib/config/file.js';
import {
  flagName,
  libraryName,
  loadConfig,
  optionSpecs,
  presets,
  printConfig,
  type PresetName,
} from '../../lib/config/index.js';
import type { Options } from '../../lib/config/options.js';
import { ProblemList } from '../../lib/status.js';
import { runMain } from '../support/cli.js';
import type { Answer } from '../support/echo-service.js';
import { type RequestOptions, startTestProxy } from '../support/proxy.js';

const page = readFileSync(new URL('../../docs/presets.md', import.meta.url), 'utf8');

/** The cells of a column of docs/presets.md, by the name of the option. */
function documented(preset: PresetName): ReadonlyMap<string, string> {
  const rows = page.matchAll(/^\| `([a-z_0-9]+)` ?[^|]*\| ([^|]*) \| ([^|]*) \| ([^|]*) \|/gm);
  const column = ['envoy', 'grpc-gateway', 'google'].indexOf(preset);
  return new Map(
    [...rows].flatMap(([, option, ...cells]) => {
      const cell = cells[column]?.trim().replace(/`/g, '') ?? '';
      return cell === '' ? [] : [[option!, cell] as const];
    }),
  );
}

const allPresets: readonly PresetName[] = ['none', 'envoy', 'grpc-gateway', 'google'];
const specOf = (name: string) => optionSpecs.find((spec) => spec.name === name);

/** All options as they hold, by their names; what is documented for a preset and a default for the rest. */
function expectedOptions(preset: PresetName): Record<string, unknown> {
  const cells = documented(preset);
  const named = optionSpecs.map(({ name, kind, defaultValue }) => {
    const cell = name === 'preset' ? preset : cells.get(name);
    return [name, kind.print(cell === undefined ? defaultValue : kind.read(cell))] as const;
  });
  return Object.fromEntries(named);
}

type Given = Readonly<Record<string, string>>;

/** Options by name → those that hold, each by the way in which it is given. */
const ways = ['flag', 'environment', 'file', 'library'] as const;
type Way = (typeof ways)[number];

/** Values are texts, as a flag has them. */
async function effective(
  folder: string,
  given: Readonly<Partial<Record<Way, Given>>>,
): Promise<Record<string, unknown>> {
  const { flag = {}, environment = {}, file: settings = {}, library } = given;
  writeFileSync(join(folder, 'p.yaml'), stringify({ ...settings, descriptor_set: 'x', listen: 1 }));
  let printed: string;
  if (library === undefined) {
    const flags = Object.entries(flag).map(([name, text]) => `--${flagName(name)}=${text}`);
    const variables = Object.entries(environment).map(
      ([name, text]) => [environmentName(flagName(name)), text] as const,
    );
    const run = await runMain(['print-config', '--config', 'p.yaml', ...flags], folder, Object.fromEntries(variables));
    if (run.code !== 0) throw new Error(run.stderr);
    printed = run.stdout;
  } else {
    const options = Object.fromEntries(Object.entries(library).map(([name, text]) => [libraryName(name), text]));
    printed = printConfig(loadConfig({ file: 'p.yaml', flags: { options }, workingDirectory: folder }));
  }
  const file = parse(printed) as Record<string, unknown> & { listeners: [Record<string, unknown>] };
  const [listener] = file.listeners;
  return Object.fromEntries(
    optionSpecs.map(({ name, processOnly }) => [name, processOnly ? file[name] : listener[name]]),
  );
}

void t.test('docs/presets.md: each cell holds, however the preset is given', async (t) => {
  const folder = t.testdir();
  for (const preset of allPresets) {
    for (const way of ways) {
      t.strictSame(await effective(folder, { [way]: { preset } }), expectedOptions(preset), `${preset} by ${way}`);
    }
  }
});

void t.test('docs/presets.md: the options without a name', (t) => {
  for (const preset of allPresets) {
    const { root } = loadConfig({ flags: { descriptorSet: ['x'], options: { preset } } }).listeners[0]!;
    const unnamed = [...documented(preset)].filter(([name]) => specOf(name) === undefined);
    for (const [name, cell] of unnamed) {
      t.equal(JSON.stringify(root.options[libraryName(name) as keyof Options]), cell, `${preset}: ${name}`);
    }
    const known = new Set(optionSpecs.map(({ key }) => key as string));
    t.equal(Object.keys(presets[preset]).filter((key) => !known.has(key)).length, unnamed.length, preset);
  }
  t.end();
});

/** Whoever gives an option where it counts less than the preset means it all the same. */
const pairs: readonly (readonly [presetBy: Way, optionBy: Way])[] = [
  ['flag', 'file'],
  ['flag', 'environment'],
  ['environment', 'file'],
  ['file', 'library'],
  ...ways.map((way) => [way, way] as const),
];

void t.test('docs/presets.md: an option that is given wins over each cell, in each way', async (t) => {
  const folder = t.testdir();
  for (const preset of allPresets) {
    const named = [...documented(preset).keys()].flatMap((name) => specOf(name) ?? []);
    const usual = named.map(({ name, kind, defaultValue }) => [name, kind.print(defaultValue as never)] as const);
    const given = Object.fromEntries(
      usual.map(([name, value]) => [name, String(value as string | boolean | readonly string[])]),
    );
    if (given['allowed_hosts'] === '') given['allowed_hosts'] = 'a.example';
    for (const [presetBy, optionBy] of pairs) {
      const way = `preset ${preset} by ${presetBy}, options by ${optionBy}`;
      const both = { ...given, preset };
      const input = presetBy === optionBy ? { [presetBy]: both } : { [presetBy]: { preset }, [optionBy]: given };
      const found = await effective(folder, input);
      for (const { name, kind } of named) {
        t.strictSame(found[name], kind.print(kind.read(given[name]!)), `${name}: ${way}`);
      }
    }
  }
});

/** A default that is said twice holds once. */
void t.test('what is given by one name is not taken back by another', async (t) => {
  const folder = t.testdir();
  const rows: readonly [given: Readonly<Partial<Record<Way, Given>>>, option: string, expected: unknown][] = [
    [{ flag: { preset: 'grpc-gateway', stream_sse_style_delimited: 'true' } }, 'stream_format', 'sse'],
    [{ flag: { preset: 'grpc-gateway', stream_newline_delimited: 'true' } }, 'stream_format', 'ndjson'],
    [{ flag: { preset: 'grpc-gateway', stream_newline_delimited: 'false' } }, 'stream_format', 'grpc-gateway'],
    [{ flag: { stream_format: 'array', stream_newline_delimited: 'true' } }, 'stream_format', 'array'],
    [{ file: { stream_format: 'sse' }, flag: { stream_newline_delimited: 'true' } }, 'stream_format', 'ndjson'],
    [{ environment: { stream_format: 'sse' }, flag: { stream_newline_delimited: 'true' } }, 'stream_format', 'ndjson'],
    [{ file: { stream_format: 'sse' }, library: { stream_newline_delimited: 'true' } }, 'stream_format', 'ndjson'],
    [{ file: { stream_newline_delimited: 'true' }, flag: { stream_format: 'array' } }, 'stream_format', 'array'],
    [
      { file: { stream_newline_delimited: 'true' }, flag: { stream_newline_delimited: 'false' } },
      'stream_format',
      'array',
    ],
    [{ file: { preset: 'google' }, flag: { envelope: 'photon' } }, 'error_format', 'photon'],
    [{ file: { preset: 'google', envelope: 'photon' }, flag: { envelope: 'none' } }, 'error_format', 'aip193'],
    [{ file: { error_format: 'problem' }, flag: { envelope: 'photon' } }, 'error_format', 'problem'],
    [{ file: { tls_client_ca: 'a' } }, 'tls_client_cert', 'require'],
    [{ file: { tls_client_ca: 'a' }, flag: { tls_client_ca: 'none' } }, 'tls_client_cert', 'none'],
    [{ file: { tls_client_ca: 'a', tls_client_cert: 'request' } }, 'tls_client_cert', 'request'],
  ];
  for (const [given, option, expected] of rows) {
    t.equal((await effective(folder, given))[option], expected, `${option}: ${JSON.stringify(given)}`);
  }
});

void t.test('an option that a program leaves undefined is as if it were left out', (t) => {
  const names = optionSpecs.flatMap(({ name, key, defaultValue }) => [
    libraryName(name),
    ...(defaultValue === undefined ? [key] : []),
  ]);
  const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
  const usual = loadConfig({ flags: { descriptorSet: ['x'] } }).listeners[0]!.root.options;
  t.strictSame(loadConfig({ flags: { descriptorSet: ['x'], options: nothing } }).listeners[0]!.root.options, usual);
  for (const { name, key, kind, defaultValue, defaultText } of optionSpecs) {
    t.strictSame(usual[key], defaultValue, name);
    if (kind.placeholder === undefined) t.equal(String(defaultValue), defaultText, `${name}: what --help says`);
  }
  t.end();
});

const proto = `
syntax = "proto3";
package preset.v1;
import "google/api/annotations.proto";
service Preset {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Deep(Message) returns (Message) { option (google.api.http) = { get: "/deep/{name=**}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
}
message Message { string name = 1; bool flag = 2; int64 big = 3; }
`;

const foreign = { headers: { origin: 'https://evil.example' }, body: '{}' };
const named = { headers: { host: 'api.example' } };

/** What each preset gives: none, envoy, grpc-gateway, google. A number is the status, a text a part of the body. */
const rows: readonly [request: string, send: RequestOptions, answers: readonly (number | string)[]][] = [
  ['GET /v1/a?nope=1', {}, [400, 400, 200, 400]],
  ['PUT /v1/a', { body: '{"nope":1}' }, [400, 200, 200, 200]],
  ['GET /v1/a', { body: 'text' }, [400, 200, 200, 400]],
  ['PUT /v1/a', { body: '{"name":"b"}' }, [400, 400, '"name":"a"', 400]],
  ['GET /v1/a+b%2B?flag', {}, ['a+b+', 'a+b+', 'a+b+', 'a+b+']],
  ['GET /deep/a%2Fb%23', {}, ['a%2Fb#', 'a%2Fb%23', 'a/b#', 'a%2Fb#']],
  ['GET /v1/a?flag=1', {}, [400, 400, '"flag":true', 400]],
  ['GET /v1/a/', {}, [200, 200, 404, 200]],
  ['GET /v1/a', {}, ['{"name":"a"}', '{"name":"a"}', '{"name":"a","flag":false,"big":"0"}', '{"name":"a"}']],
  ['GET /none', {}, ['{"code":5', '{"code":5', '{"code":5', '{"error":{"code":404']],
  ['GET /health', {}, [200, 404, 200, 200]],
  ['POST /v1/a', { body: '{}', headers: { 'x-http-method-override': 'PUT' } }, [405, 405, 405, 200]],
  ['PUT /v1/a', foreign, [403, 200, 403, 403]],
  ['GET /v1/a', named, [403, 200, 403, 403]],
];

void t.test('what requests get', async (t) => {
  for (const [column, preset] of allPresets.entries()) {
    const proxy = await startTestProxy(proto, { preset });
    for (const [request, send, answers] of rows) {
      const expected = answers[column]!;
      const response = await proxy.send(request, send);
      if (typeof expected === 'number') t.equal(response.status, expected, `${preset}: ${request} ${response.text}`);
      else t.ok(response.text.includes(expected), `${preset}: ${request} ${response.text}`);
    }
    await proxy.close();
  }
});

const gatewayProto = `
syntax = "proto3";
package gateway.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service Gateway {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{inner.name}" body: "inner" }; }
  rpc Create(Message) returns (Message) { option (google.api.http) = { post: "/v1" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc Collect(stream Message) returns (Message) { option (google.api.http) = { post: "/collect" body: "*" }; }
}
message Inner { string name = 1; Inner inner = 2; }
message Message {
  string name = 1;
  bool flag = 2;
  google.protobuf.Duration since = 3;
  google.protobuf.Int32Value page_size = 4;
  google.protobuf.Timestamp at = 5;
  google.protobuf.FieldMask mask = 6;
  google.protobuf.Value value = 7;
  repeated google.protobuf.Duration list = 8;
  Inner inner = 9;
}
`;

void t.test('grpc-gateway: what its runtime takes in a query reaches the service', async (t) => {
  const proxy = await startTestProxy(gatewayProto, {
    preset: 'grpc-gateway',
    alwaysPrintAllFields: false,
    alwaysPrintPrimitiveFields: false,
  });
  t.teardown(() => proxy.close());
  const rows: readonly [query: string, json: object | number][] = [
    ['since=1h&flag=T', { since: '3600s', flag: true }],
    ['since=-1h1m1.5s', { since: '-3661.500s' }],
    ['page_size.value=1&pageSize.unknown=x', { pageSize: 1 }],
    ['pageSize.value=+0', 400],
    ['page_size.value=0', { pageSize: 0 }],
    ['page_size=5', { pageSize: 5 }],
    ['page_size=5&page_size.value=6', 400],
    ['at.seconds=1&at.nanos=500000000', { at: '1970-01-01T00:00:01.500Z' }],
    ['since.seconds=5', { since: '5s' }],
    ['mask.paths=a&mask.paths=b.c', { mask: 'a,b.c' }],
    ['value.string_value=x', { value: 'x' }],
    ['value.number_value=1&value.bool_value=true', 400],
    ['list=1h&list=2s', { list: ['3600s', '2s'] }],
    ['list.seconds=1', 400],
    ['page_size.value=x', 400],
    ['since=1d', 400],
    // What the path gives is skipped, whatever it says.
    ['name=b&name=c&name[x]=1', {}],
  ];
  for (const [query, expected] of rows) {
    const { status, json } = await proxy.send(`GET /v1/a?${query}`);
    if (typeof expected === 'number') t.equal(status, expected, query);
    else t.strictSame([status, json], [200, { name: 'a', ...expected }], query);
  }
  const put = await proxy.send('PUT /v1/a?inner.inner.name=c&inner=1&inner[x]=1&flag=f', {
    body: '{"inner":{"name":"b"}}',
  });
  t.strictSame(put.json, { inner: { name: 'a', inner: { name: 'b' } } });
  const plain = await startTestProxy(gatewayProto);
  t.teardown(() => plain.close());
  for (const query of ['since=1h', 'page_size.value=1', 'name=a', 'flag=T', 'at.seconds=1']) {
    t.equal((await plain.send(`GET /v1/a?${query}`)).status, 400, `not by default: ${query}`);
  }
});

void t.test('grpc-gateway: text/plain is JSON', async (t) => {
  const proxy = await startTestProxy(gatewayProto, {
    preset: 'grpc-gateway',
    alwaysPrintAllFields: false,
    alwaysPrintPrimitiveFields: false,
  });
  t.teardown(() => proxy.close());
  for (const type of ['text/plain', 'text/plain;charset=UTF-8', 'Text/Plain']) {
    const headers = { 'content-type': type };
    const answer = await proxy.send('POST /v1', { headers, body: '{"name":"a"}' });
    t.strictSame([answer.status, answer.json], [200, { name: 'a' }], type);
    t.equal((await proxy.send('POST /v1', { headers, body: 'name' })).status, 400, type);
    proxy.service.calls.length = 0;
    await proxy.send('POST /collect', { headers, body: '{"name":"a"}{"name":"b"}' });
    t.equal(proxy.service.calls[0]?.messages.length, 2, `each message of a client stream: ${type}`);
  }
  const latin = { 'content-type': 'text/plain; charset=latin1' };
  t.equal((await proxy.send('POST /v1', { headers: latin, body: '{}' })).status, 415);
  const evil = { 'content-type': 'text/plain', origin: 'https://evil.example' };
  t.equal(
    (await proxy.send('POST /v1', { headers: evil, body: '{}' })).status,
    403,
    'no way round the check of origins',
  );
  const off = await startTestProxy(gatewayProto, { preset: 'grpc-gateway', textPlainJson: false });
  t.teardown(() => off.close());
  t.equal((await off.send('POST /v1', { headers: { 'content-type': 'text/plain' }, body: '{}' })).status, 415);
});

void t.test(
  'grpc-gateway: errors are printed as messages are, and as lines where a stream would have begun',
  async (t) => {
    const proxy = await startTestProxy(gatewayProto, { preset: 'grpc-gateway' });
    t.teardown(() => proxy.close());
    const plain = '{"code":5,"message":"no \\"a\\"","details":[]}';
    const failed: Answer = { code: 5, details: 'no "a"', messages: [] };
    proxy.service.answer = () => failed;
    const unary = await proxy.send('GET /v1/a');
    t.strictSame([unary.status, unary.text], [404, plain]);
    t.match((await proxy.send('GET /nowhere/at/all')).json, { code: 5, details: [] });
    const early = await proxy.send('GET /watch');
    t.strictSame([early.status, early.text], [404, `{"error":${plain}}\n`]);
    t.match(early.headers, { 'content-type': 'application/json', 'content-length': String(early.text.length) });
    t.equal((await proxy.send('HEAD /watch')).status, 404);
    const events = await proxy.send('GET /watch', { headers: { accept: 'text/event-stream' } });
    t.strictSame([events.status, events.text], [404, plain], 'another framing was asked for');
    const bad = await proxy.send('GET /watch?since=x');
    t.strictSame(
      [bad.status, (bad.json as { code: number }).code],
      [400, 3],
      'what is wrong with a request is no stream',
    );
    proxy.service.answer = () => ({ ...failed, messages: [Buffer.alloc(0)] });
    const late = await proxy.send('GET /watch');
    t.strictSame([late.status, late.text.split('\n').slice(1)], [200, [`{"error":${plain}}`, '']]);
    const marked = await startTestProxy(gatewayProto, { preset: 'grpc-gateway', errorFormat: 'aip193' });
    t.teardown(() => marked.close());
    marked.service.answer = () => failed;
    const once = await marked.send('GET /watch');
    t.strictSame(once.json, { error: { code: 404, message: 'no "a"', status: 'NOT_FOUND' } }, 'marked once');
  },
);

void t.test('what is given wins, at whatever level', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-preset-'));
  const file = join(folder, 'p.yaml');
  const load = (text: string, options: object = {}) => {
    writeFileSync(file, text);
    return loadConfig({ file, flags: { descriptorSet: ['x'], options }, workingDirectory: folder });
  };
  const optionsOf = (text: string, options: object = {}): Options => load(text, options).listeners[0]!.root.options;
  t.match(optionsOf('preset: envoy'), { literalPlus: true, allowedHosts: ['*'] });
  t.match(optionsOf('preset: envoy\nliteral_plus: false'), { literalPlus: false, checkOrigin: false });
  t.match(optionsOf('', { preset: 'envoy' }), { literalPlus: true });
  t.match(optionsOf('literal_plus: false', { preset: 'envoy' }), { literalPlus: false });
  t.match(optionsOf('preset: envoy', { literalPlus: false }), { literalPlus: false });
  t.match(optionsOf('preset: envoy', { preset: 'google' }), { literalPlus: false, errorFormat: 'aip193' });
  t.match(optionsOf('preset: google', { preset: 'none' }), { errorFormat: 'status' });
  t.match(optionsOf('preset: google\nenvelope: photon'), { errorFormat: 'photon' });
  t.match(optionsOf('preset: google\nenvelope: photon\nerror_format: problem'), { errorFormat: 'problem' });
  const text =
    'health: true\nlisteners: [{ listen: 1, preset: google, mounts: { /a: { preset: envoy }, /b: {}, /c: { preset: none, literal_plus: true } } }]';
  const config = load(text);
  const [{ root, mounts }] = config.listeners as [(typeof config.listeners)[0]];
  t.match(root.options, { preset: 'google', errorFormat: 'aip193' });
  t.match(mounts[0]!.options, { preset: 'envoy', errorFormat: 'status', health: true, literalPlus: true });
  t.match(mounts[1]!.options, { preset: 'google', errorFormat: 'aip193' });
  t.match(mounts[2]!.options, { preset: 'none', errorFormat: 'status', literalPlus: true, ignoreUnknownFields: false });
  const printed = printConfig(config);
  t.match(printed, /preset: google[^]*error_format: aip193[^]*preset: envoy[^]*literal_plus: true/, 'effective values');
  t.strictSame(printConfig(load(printed)), printed, 'and as a file it is the same again');
  const problems = new ProblemList();
  parseConfigFile('p.yaml', 'preset: envoi', '/', problems);
  t.match(problems.errors, [{ message: /^preset: found "envoi", expected one of none, envoy.*did you mean envoy\?/ }]);
  t.end();
});
