/**
 * Fuzzes every parser for a while: `FUZZ_SECONDS` (default 60) divided among them, `FUZZ_SEED` to repeat a run. What is
 * found is printed with the input that did it. A parser may refuse whatever it likes, but only by its documented errors;
 * a request may be answered by whatever its client did wrong, but never by an internal error.
 *
 *     FUZZ_SECONDS=600 node --import tsx test/fuzz/main.ts
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Codec, JsonSyntaxError } from '../../lib/codec/index.js';
import { loadConfig } from '../../lib/config/index.js';
import { buildGateway, defaultGatewayOptions, errorChannel, type InternalError } from '../../lib/gateway/index.js';
import { bindingsOf, RuleFiles } from '../../lib/rule/index.js';
import { parseTemplate, TemplateError } from '../../lib/rule/template.js';
import { memoryFiles } from '../../lib/schema/index.js';
import { ConfigError, ProblemList, StatusError } from '../../lib/status.js';
import { WireError, Writer } from '../../lib/wire/index.js';
import type { Channel } from '../../lib/exchange.js';
import { MemoryExchange } from '../support/exchange.js';
import { Random } from '../support/random.js';
import { loadText, schemaFromText } from '../support/schema.js';
import { mutate } from './mutate.js';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);

const proto = `syntax = "proto3";
package f.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/wrappers.proto";
// A service.
service F {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name=a/*/b/**}" additional_bindings { get: "/v1/{id}/{at}:go" } }; }
  rpc Set(M) returns (M) { option (google.api.http) = { post: "/v1/{name}" body: "*" additional_bindings { patch: "/v1/{m.name=x/**}" body: "m" response_body: "m" } }; }
}
enum E { NONE = 0; RED = 1 [deprecated = true]; }
/* A message. */
message M {
  string name = 1; int64 id = 2; google.protobuf.Timestamp at = 3; M m = 4; repeated M list = 5; map<string, M> map = 6;
  map<int32, string> names = 7; repeated E colors = 8; bytes data = 9; double ratio = 10; optional bool on = 11;
  oneof one { uint32 left = 12; string right = 13; google.protobuf.StringValue boxed = 14; }
  google.protobuf.Struct any = 15; google.protobuf.Any packed = 16; google.protobuf.Duration wait = 17;
  google.protobuf.FieldMask update_mask = 18; google.protobuf.ListValue values = 19; float small = 20; sint32 zigzag = 21;
  fixed64 big = 22 [json_name = "BIG"]; reserved 30 to 40, 50; reserved "gone";
}
`;
const schema = schemaFromText(proto);
const codec = new Codec(schema);
const message = schema.message('f.v1.M')!;

const json = [
  '{"name":"a\\u00e9\\ud83d\\ude00","id":"-9223372036854775808","at":"2020-02-29T23:59:59.5Z","m":{"on":true},"list":[{},{"ratio":1e-7}]}',
  '{"map":{"k":{"names":{"1":"x"}}},"colors":["RED",0],"data":"AAEC_-8=","left":4294967295,"any":{"a":[null,true,{"b":1.5}]}}',
  '{"packed":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"-1.5s"},"updateMask":"a.bC,d","wait":"3s","values":[[],{}],"small":"NaN","BIG":18446744073709551615}',
];
const wires = json.map((text) => {
  const out = new Writer();
  codec.reader(message)(Buffer.from(text), out);
  return out.take();
});

const everything = readFileSync(fileURLToPath(new URL('../schema/fixtures/everything.binpb', import.meta.url)));
const rules = `type: google.api.Service
http:
  rules:
    - selector: f.v1.F.Get
      get: "/v2/{name=a/*}"
      additional_bindings:
        - { post: /v2, body: "*" }
    - { selector: f.v1.*, custom: { kind: PURGE, path: "/v3" } }
`;
const configuration = `proto: [x.proto]
upstreams: { default: "127.0.0.1:1" }
error_format: photon
listeners:
  - { listen: 8081, services: [f.v1.F], max_body_bytes: 4MiB }
  - listen: 127.0.0.1:8080
    mounts: { /a: { services: [f.v1.F], hosts: [a.example] } }
`;

let cause: unknown;
errorChannel.subscribe((event) => (cause = (event as InternalError).cause));

const channel: Channel = {
  target: 'memory',
  start: (_request, listener) => ({
    send: ({ payload }) => {
      queueMicrotask(() => {
        listener.onHeaders([]);
        listener.onMessage({ compressed: false, payload });
        listener.onEnd({ code: 0, message: '', trailers: [] });
      });
      return true;
    },
    halfClose() {},
    pause() {},
    resume() {},
    cancel() {},
  }),
  connect: () => Promise.resolve(true),
  close() {},
};

function gateway(options: Partial<typeof defaultGatewayOptions>) {
  const problems = new ProblemList();
  const built = buildGateway(
    {
      schema,
      rules: new RuleFiles(schema, '/', problems).ruleSet([]),
      types: schema,
      channelFor: () => channel,
      listenHost: '127.0.0.1',
      prefix: '',
      thorough: false,
    },
    { ...defaultGatewayOptions, ...options },
    problems,
  );
  problems.throwIfAny();
  return built.gateway;
}

const gateways = [
  gateway({}),
  gateway({ envelope: 'photon', errorFormat: 'problem', commaLists: true, lenientBools: true, literalPlus: true }),
  gateway({ ignoreUnknownFields: true, ignoreUnknownQuery: true, addWhitespace: true, overwritePathFields: true }),
];

const requests = [
  'GET /v1/a/x/b/c/d%2Fe?id=5&at=2020-01-01T00:00:00+09:00&m.name=x&list[0].on&map[k].ratio=1.5&names.7=x&colors=RED&colors=1',
  'GET /v1/12/2020-01-01T00%3A00%3A00Z:go?data=AAEC&any=%7B%22a%22:1%7D&wait=1.5s&update_mask=a.b,c_d&boxed=&one=1',
  `POST /v1/x ${json[0]}`,
  `POST /v1/x ${json[1]}`,
  `PATCH /v1/x/a/b?name=y&left=1 ${json[2]}`,
  'POST /v1/x name=1&id=5&m.on=true&list[1].id=1&list[0].id=2',
];

interface Target {
  readonly name: string;
  readonly seeds: readonly (string | Buffer)[];
  run(input: Buffer): unknown;
  readonly allowed: readonly (new (...args: never[]) => Error)[];
}

const folder = mkdtempSync(join(tmpdir(), 'photongate-fuzz-'));

const targets: readonly Target[] = [
  {
    name: 'template',
    seeds: ['/v1/{name=shelves/*/books/**}:verb', '/{a}/{b.c=*}/x%20y/**', '/'],
    run(input) {
      const template = parseTemplate(input.toString());
      if (parseTemplate(template.toString()).shape !== template.shape)
        throw new Error('printed, it is another template');
    },
    allowed: [TemplateError],
  },
  {
    name: 'request',
    seeds: requests,
    async run(input) {
      const [, method = 'GET', target = '/', body] = /^([A-Z]*) ?(\S*) ?([^]*)$/.exec(input.toString())!;
      const headers = [
        'host',
        'localhost',
        ...(random.one(2) ? ['content-type', 'application/x-www-form-urlencoded'] : []),
      ];
      const exchange = new MemoryExchange({ method, target, headers, ...(body ? { body } : {}) });
      random.pick(gateways).handle(exchange);
      const { status, body: answer, aborted, headers: fields } = await exchange.answer;
      // What the service answers, its own request, may be no JSON.
      if (/has no JSON form/.test(answer.toString())) return;
      if (status >= 500 && status !== 501) throw new Error(`answered ${status} ${answer.toString()}`, { cause });
      if (aborted) throw new Error('broken off');
      if (method !== 'HEAD' && answer.length > 0 && fields.some((field) => /json$/.test(field)))
        JSON.parse(answer.toString());
    },
    allowed: [],
  },
  {
    name: 'JSON',
    seeds: json,
    run(input) {
      const out = new Writer();
      codec.reader(message)(input, out);
      const wire = out.take();
      const printed = new Writer();
      codec.writer(message)(wire, printed);
      JSON.parse(printed.take().toString());
    },
    allowed: [StatusError, JsonSyntaxError],
  },
  {
    name: 'wire',
    seeds: wires,
    run(input) {
      const out = new Writer();
      codec.writer(message)(input, out);
      JSON.parse(out.take().toString());
    },
    allowed: [WireError, StatusError],
  },
  {
    name: '.proto',
    seeds: [proto, readFileSync(new URL('../schema/fixtures/shop/v1/old.proto', import.meta.url), 'utf8')],
    run(input) {
      const loaded = loadText({ 'x.proto': input });
      walk(loaded.schema, loaded.problems);
    },
    allowed: [],
  },
  {
    name: 'descriptor set',
    seeds: [everything.subarray(0, 6000), everything],
    run(input) {
      const loaded = loadText({ 'x.binpb': input }, { protos: [], descriptorSets: ['x.binpb'] });
      walk(loaded.schema, loaded.problems);
    },
    allowed: [],
  },
  {
    name: 'service config',
    seeds: [rules],
    run(input) {
      const problems = new ProblemList();
      const files = new RuleFiles(schema, '/', problems, memoryFiles({ 'r.yaml': input }));
      bindingsOf(schema.services, problems, { rules: files.ruleSet(['r.yaml']) });
    },
    allowed: [],
  },
  {
    name: 'configuration',
    seeds: [configuration],
    run(input) {
      writeFileSync(join(folder, 'c.yaml'), input);
      loadConfig({ file: 'c.yaml', workingDirectory: folder });
    },
    allowed: [ConfigError],
  },
];

/** Everything that a start reads of a schema, whatever was wrong with the files. */
function walk(loaded: typeof schema, problems: ProblemList): void {
  for (const { methods } of loaded.services) {
    for (const method of methods)
      for (const field of method.input.fields) void [field.message?.fields, field.comment, field.behaviors];
  }
  bindingsOf(loaded.services, problems);
}

const dictionary = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '\\u',
  '\\ud800',
  ':',
  ',',
  '/',
  '//',
  '/*',
  '*/',
  '**',
  '*',
  '=',
  '%',
  '%2F',
  '%00',
  '%FF',
  '&',
  '?',
  '+',
  'null',
  'true',
  'NaN',
  '1e999',
  '-0',
  '99999999999999999999',
  '__proto__',
  'constructor',
  'message ',
  'oneof ',
  'map<',
  'option ',
  'extend ',
  'group ',
  'reserved ',
  'import "x.proto";',
  'syntax = "proto2";',
  'edition = "2023";',
  '@type',
  '\0',
  '\ufeff',
  'é',
  '😀',
  '\n',
  '- ',
  ': ',
  '&a ',
  '*a ',
  '<<: ',
  '!!',
  '|',
  '>',
];

let failed = 0;
for (const target of targets) {
  const end = performance.now() + (seconds * 1000) / targets.length;
  let runs = 0;
  while (performance.now() < end && failed < 20) {
    const input = mutate(target.seeds, random, dictionary);
    runs++;
    try {
      await target.run(input);
    } catch (error) {
      if (target.allowed.some((kind) => error instanceof kind)) continue;
      failed++;
      console.error(
        `${target.name}, seed ${seed}: ${(error as Error).stack} ${((error as Error).cause as Error | undefined)?.stack ?? ''}\n  ${JSON.stringify(input.toString('latin1').slice(0, 2000))}`,
      );
    }
  }
  console.log(`${target.name}: ${runs} inputs`);
}
rmSync(folder, { recursive: true });
console.log(`seed ${seed}: ${failed} failures`);
process.exitCode = failed === 0 ? 0 : 1;
