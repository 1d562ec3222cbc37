/**
 * The work of every parser grows linearly with its input: twice the input, about twice the steps. The inputs are those
 * that invite more: long names and keys, deep nesting, many errors, many equal things.
 */
import t from 'tap';
import { buildGateway, defaultGatewayOptions, type Gateway } from '../../lib/gateway/index.js';
import { Codec } from '../../lib/codec/index.js';
import { RuleFiles } from '../../lib/rule/index.js';
import { parseTemplate } from '../../lib/rule/template.js';
import { ProblemList } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { MemoryExchange } from '../support/exchange.js';
import { loadText, schemaFromText } from '../support/schema.js';
import { StepCounter } from './steps.js';

const proto = `syntax = "proto3";
package l.v1;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
service L {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name=**}" }; }
  rpc Set(Message) returns (Message) { option (google.api.http) = { post: "/v1" body: "*" }; }
}
message Message {
  string name = 1; repeated int32 numbers = 2; map<string, string> map = 3; repeated Message list = 4; Message inner = 5;
  google.protobuf.Struct any = 6; bytes data = 7; double ratio = 8; map<string, Message> tree = 9; repeated int64 longs = 10;
  google.protobuf.FieldMask mask = 11;
}
`;
const schema = schemaFromText(proto);
const codec = new Codec(schema);
const message = schema.message('l.v1.Message')!;
const gateway = gatewayOf();

function gatewayOf(): Gateway {
  const problems = new ProblemList();
  const channel = {
    target: 'none',
    start: () => never(),
    connect: () => Promise.resolve(false),
    close: () => undefined,
  };
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
    // No limit but those of the input.
    { ...defaultGatewayOptions, maxFormParts: 1_000_000 },
    problems,
  );
  problems.throwIfAny();
  return built.gateway;
}

function never(): never {
  throw new Error('each of these requests is wrong, so no call is made');
}

async function ask(target: string, body?: string): Promise<void> {
  const exchange = new MemoryExchange(body === undefined ? { target } : { target, body, ...formType });
  gateway.handle(exchange);
  await exchange.answer;
}

const form = (n: number, pair: (index: number) => string): Promise<void> =>
  ask('/v1', `nope=1&${range(n).map(pair).join('&')}`);

const formType = { headers: ['host', 'localhost', 'content-type', 'application/x-www-form-urlencoded'] };

const attempt = (run: () => unknown): void => {
  try {
    run();
  } catch {
    // Wrong inputs are among them; which errors may be thrown is the fuzzer's matter.
  }
};
const readJson = (text: string): void => attempt(() => codec.reader(message)(Buffer.from(text), new Writer()));
const printWire = (bytes: Buffer): void => attempt(() => codec.writer(message)(bytes, new Writer()));
const range = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

/** What is done with an input of size n, and the n. */
const cases: readonly [name: string, n: number, run: (n: number) => unknown][] = [
  ['template: segments', 200, (n) => attempt(() => parseTemplate('/a/*'.repeat(n)))],
  [
    'template: variables',
    100,
    (n) =>
      attempt(() =>
        parseTemplate(
          range(n)
            .map((i) => `/{v${i}}`)
            .join(''),
        ),
      ),
  ],
  ['template: braces', 1000, (n) => attempt(() => parseTemplate(`/${'{'.repeat(n)}`))],
  ['path: segments', 2000, (n) => ask(`/v1${'/a'.repeat(n)}?nope`)],
  ['path: escapes', 2000, (n) => ask(`/v1/${'%41'.repeat(n)}?nope`)],
  ['path: colons', 2000, (n) => ask(`/v1/${':'.repeat(n)}?nope`)],
  ['query: one name many times', 1000, (n) => ask(`/v1/a?nope&${'numbers=1&'.repeat(n)}`)],
  [
    'query: indices',
    300,
    (n) =>
      ask(
        `/v1/a?nope&${range(n)
          .map((i) => `list[${i}].ratio=1`)
          .join('&')}`,
      ),
  ],
  [
    'query: map keys',
    300,
    (n) =>
      ask(
        `/v1/a?nope&${range(n)
          .map((i) => `map[k${i}]=v`)
          .join('&')}`,
      ),
  ],
  ['query: deep names', 20, (n) => ask(`/v1/a?nope&${'inner.'.repeat(n)}ratio=1`)],
  ['query: ampersands', 3000, (n) => ask(`/v1/a?nope${'&'.repeat(n)}`)],
  ['query: a long value', 3000, (n) => ask(`/v1/a?nope&data=${'%41'.repeat(n)}`)],
  ['form: pairs', 1000, (n) => ask('/v1', `nope=1&${'numbers=1&'.repeat(n)}`)],
  ['form: indices, the last first', 300, (n) => form(n, (i) => `list[${n - 1 - i}].ratio=1`)],
  ['form: entries of a map of messages', 300, (n) => form(n, (i) => `tree[${i}].ratio=1`)],
  ['form: deep names of maps', 6, (n) => form(40, (i) => `${`tree[${i}].`.repeat(n)}ratio=1`)],
  ['form: deep names of lists', 12, (n) => form(40, (i) => `${'list[0].'.repeat(n)}list[${i}].ratio=1`)],
  ['form: deep names of messages', 12, (n) => form(40, (i) => `${'inner.'.repeat(n)}map[${i}]=1`)],
  ['form: long keys', 1000, (n) => form(40, (i) => `map[${i}${'k'.repeat(n)}]=1`)],
  ['form: brackets', 1000, (n) => form(40, (i) => `tree[${i}${'['.repeat(n)}${']'.repeat(n)}].ratio=1`)],
  ['form: a mask', 1000, (n) => form(1, () => `mask=${'aB,'.repeat(n)}c`)],
  ['form: a whole mask of capitals', 3000, (n) => form(1, () => `mask=${'A'.repeat(n)}`)],
  [
    'JSON: numbers in rare spellings',
    500,
    (n) =>
      readJson(
        `{"numbers":[${range(n)
          .map(() => '1.0e0')
          .join()}]}`,
      ),
  ],
  ['JSON: one integer with many digits', 3000, (n) => readJson(`{"longs":[1.${'0'.repeat(n)}]}`)],
  ['JSON: one integer with a long exponent', 3000, (n) => readJson(`{"longs":[1e-${'9'.repeat(n)}]}`)],
  ['JSON: one integer with a large exponent', 500, (n) => readJson(`{"longs":[1e${n * 1000}]}`)],
  ['JSON: a quoted double', 3000, (n) => readJson(`{"ratio":"1.${'0'.repeat(n)}"}`)],
  ['JSON: a mask', 3000, (n) => readJson(`{"mask":"${'aB.c,'.repeat(n)}d"}`)],
  ['JSON: numbers', 1000, (n) => readJson(`{"numbers":[${range(n).join()}]}`)],
  ['JSON: a long number', 3000, (n) => readJson(`{"ratio":${'1'.repeat(n)}}`)],
  ['JSON: a long string', 3000, (n) => readJson(`{"name":"${'a\\n'.repeat(n)}"}`)],
  [
    'JSON: map keys',
    300,
    (n) =>
      readJson(
        `{"map":{${range(n)
          .map((i) => `"k${i}":"v"`)
          .join()}}}`,
      ),
  ],
  [
    'JSON: keys of a Struct',
    300,
    (n) =>
      readJson(
        `{"any":{${range(n)
          .map((i) => `"k${i}":[${i}]`)
          .join()}}}`,
      ),
  ],
  [
    'JSON: messages',
    300,
    (n) =>
      readJson(
        `{"list":[${range(n)
          .map(() => '{"inner":{"name":"x"}}')
          .join()}]}`,
      ),
  ],
  ['JSON: deep', 20, (n) => readJson('{"inner":'.repeat(n) + '{}' + '}'.repeat(n))],
  ['JSON: white space', 3000, (n) => readJson(`{${' \n'.repeat(n)}}`)],
  [
    'JSON: unknown keys',
    300,
    (n) =>
      readJson(
        `{${range(n)
          .map((i) => `"x${i}":1`)
          .join()}}`,
      ),
  ],
  ['JSON: open brackets', 400, (n) => readJson(`{"any":{"a":${'['.repeat(n)}`)],
  ['wire: packed', 1000, (n) => printWire(Buffer.from([0x12, ...varint(n), ...range(n).map(() => 1)]))],
  ['wire: fields', 1000, (n) => printWire(Buffer.concat(range(n).map(() => Buffer.from([0x10, 1]))))],
  [
    'wire: one field again and again',
    1000,
    (n) => printWire(Buffer.concat(range(n).map(() => Buffer.from([0x2a, 2, 0x10, 1])))),
  ],
  ['wire: map entries', 300, (n) => printWire(Buffer.concat(range(n).map((i) => entry(`k${i}`))))],
  [
    'wire: unknown groups',
    20,
    (n) => printWire(Buffer.from([...range(n).map(() => 0x7b), ...range(n).map(() => 0x7c)])),
  ],
  [
    '.proto: fields',
    200,
    (n) =>
      loadText(
        message3(
          range(n)
            .map((i) => `string f${i} = ${i + 1};`)
            .join(' '),
        ),
      ),
  ],
  [
    '.proto: messages',
    200,
    (n) =>
      loadText(
        `${syntax}${range(n)
          .map((i) => `message M${i} { M${i} m = 1; }`)
          .join('\n')}`,
      ),
  ],
  [
    '.proto: unknown types',
    200,
    (n) =>
      loadText(
        message3(
          range(n)
            .map((i) => `Nope f${i} = ${i + 1};`)
            .join(' '),
        ),
      ),
  ],
  ['.proto: comments', 1000, (n) => loadText(syntax + '// a\n/* b */\n;'.repeat(n))],
  ['.proto: quotes', 1000, (n) => loadText(`${syntax}option x = ${'"'.repeat(n)}`)],
  ['.proto: braces', 1000, (n) => loadText(syntax + '{'.repeat(n))],
  ['.proto: closing braces', 1000, (n) => loadText(syntax + '}'.repeat(n))],
  ['.proto: nothing known', 1000, (n) => loadText(`${syntax}${'foo '.repeat(n)}`)],
  [
    '.proto: options in brackets',
    500,
    (n) => loadText(message3(`string s = 1 [${'deprecated = true, '.repeat(n)}deprecated = true];`)),
  ],
  [
    '.proto: options by paths',
    200,
    (n) =>
      loadText(
        `${syntax}import "google/api/annotations.proto"; message M {} service S { rpc A(M) returns (M) { ${range(n)
          .map((i) => `option (google.api.http).a${i}.b = 1;`)
          .join(' ')} } }`,
      ),
  ],
  ['.proto: a deep option', 20, (n) => loadText(`${syntax}option (a) = ${'{ a: '.repeat(n)}1${'}'.repeat(n)};`)],
];

const syntax = 'syntax = "proto3";\n';
const message3 = (body: string): string => `${syntax}message M { ${body} }`;
const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)]);
const entry = (key: string): Buffer =>
  Buffer.concat([Buffer.from([0x1a, key.length + 2, 0x0a, key.length]), Buffer.from(key)]);

void t.test('twice the input, about twice the steps', async (t) => {
  const counter = new StepCounter();
  await counter.start();
  t.teardown(() => counter.stop());
  for (const [name, n, run] of cases) {
    // What is made once and kept is made here.
    await run(n);
    const [once, twice, four] = [
      await counter.count(() => run(n)),
      await counter.count(() => run(2 * n)),
      await counter.count(() => run(4 * n)),
    ];
    // From 2n to 4n as many steps as from n to 2n, doubled; what is quadratic would need four times as many.
    const growth = (four - twice) / Math.max(1, twice - once);
    t.ok(growth < 2.6, `${name}: ${once}, ${twice}, ${four} steps`);
  }
});
