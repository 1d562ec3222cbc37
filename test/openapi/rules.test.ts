/**
 * Rules of buf.validate in schemas: what each becomes; that whatever the proxy takes is valid by the schema; and that the samples of a
 * document keep the rules.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { loadConfig } from '../../lib/index.js';
import { ComponentNames, Constraints, type OpenApiOptions, SchemaBuilder } from '../../lib/openapi/index.js';
import { type PreparedListener, prepareProxy } from '../../lib/proxy/index.js';
import type { Schema } from '../../lib/schema/index.js';
import { Validator } from '../../lib/validate/index.js';
import { Writer } from '../../lib/wire/index.js';
import { ask } from '../support/exchange.js';
import { DocumentSchemas, type JsonObject } from '../support/openapi.js';
import { plainOptions } from '../support/openapi-options.js';
import { schemaFromText } from '../support/schema.js';

const head = `
syntax = "proto3";
package v;
import "buf/validate/validate.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Color { option allow_alias = true; NONE = 0; RED = 1; ROUGE = 1; BLUE = 2; }
message Inner { string id = 1; }
`;

const field = (type: string, rules: string): string => `${type} f = 1 [(buf.validate.field).${rules}];`;
const text = (schema: object): object => ({ type: 'string', ...schema });
const int = (schema: object): object => ({ type: 'integer', format: 'int32', ...schema });
const long = (schema: object): object => ({ type: 'string', format: 'int64', pattern: '^-?[0-9]+$', ...schema });
const list = (schema: object, items: object = { type: 'string' }): object => ({ type: 'array', items, ...schema });
const color = { $ref: '#/components/schemas/v.Color' };

interface Row {
  readonly declaration: string;
  /** Of the field `f`. */
  readonly schema: object;
  readonly required?: boolean;
  readonly good: readonly unknown[];
  /** Refused by rules and schema alike. */
  readonly bad?: readonly unknown[];
  readonly options?: Partial<OpenApiOptions>;
}

const row = (
  declaration: string,
  schema: object,
  good: readonly unknown[],
  bad: readonly unknown[] = [],
  more: Pick<Row, 'required' | 'options'> = {},
): Row => ({ declaration, schema, good, bad, ...more });
const needed = { required: true };

const rows: readonly Row[] = [
  // Strings: a string that cannot be empty cannot be left out, as the two are the same.
  row(field('string', 'string.min_len = 2'), text({ minLength: 2 }), ['ab', '😀😀'], ['a', '😀'], needed),
  row(field('optional string', 'string.min_len = 2'), text({ minLength: 2 }), ['ab'], ['']),
  row(field('string', 'string.max_len = 2'), text({ maxLength: 2 }), ['', 'ab'], ['abc']),
  row(field('string', 'string.len = 2'), text({ minLength: 2, maxLength: 2 }), ['ab'], ['a', 'abc'], needed),
  row(
    field('string', 'string.max_bytes = 3'),
    text({ maxLength: 3, description: 'Must be at most 3 bytes.' }),
    ['', 'abc'],
    ['abcd'],
  ),
  row(field('string', 'string.pattern = "^a+$"'), text({ pattern: '^a+$' }), ['aa'], ['ab'], needed),
  row(
    field('string', 'string.pattern = "(?i)^a$|^$"'),
    text({ description: 'Must match the pattern (RE2) `(?i)^a$|^$`.' }),
    ['A', ''],
  ),
  row(
    field('string', 'string = { prefix: "a." suffix: "z" }'),
    text({ pattern: '^a\\.', allOf: [{ pattern: 'z$' }] }),
    ['a.z'],
    ['abz', 'a.'],
    needed,
  ),
  row(field('string', 'string.not_contains = "a"'), text({ not: { pattern: 'a' } }), ['', 'b'], ['cab']),
  row(field('string', 'string = { in: ["a", "b"] }'), text({ enum: ['a', 'b'] }), ['a'], ['c'], needed),
  row(field('string', 'string = { not_in: ["a"] }'), text({ not: { enum: ['a'] } }), ['b'], ['a']),
  row(field('string', 'string.const = "a"'), text({ const: 'a' }), ['a'], ['b'], needed),
  row(field('string', 'string.email = true'), text({ format: 'email' }), ['a@example.com'], ['a'], needed),
  row(
    field('string', 'string.ip = true'),
    text({ anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] }),
    ['::1', '192.0.2.1'],
    ['a'],
    needed,
  ),
  row(
    field('string', 'string.uuid = true'),
    text({ format: 'uuid' }),
    ['123e4567-e89b-12d3-a456-426614174000'],
    ['a'],
    needed,
  ),
  row(
    field('string', 'string.host_and_port = true'),
    text({ description: 'Must be a valid host (hostname or IP address) and port pair.' }),
    ['a:1'],
    [],
    needed,
  ),
  row(field('string', 'required = true'), text({ minLength: 1 }), ['a'], [''], needed),
  row(
    field('string', 'ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).string.min_len = 2'),
    text({ anyOf: [{ const: '' }, { minLength: 2 }] }),
    ['', 'ab'],
    ['a'],
  ),
  row(field('string', 'ignore = IGNORE_ALWAYS, (buf.validate.field).string.min_len = 2'), text({}), ['', 'a']),
  row(
    field('google.protobuf.StringValue', 'string.min_len = 2'),
    { type: ['string', 'null'], minLength: 2 },
    ['ab', null],
    ['a'],
  ),
  row(
    field('google.protobuf.StringValue', 'string = { in: ["a"] }'),
    { type: ['string', 'null'], enum: ['a', null] },
    ['a', null],
    ['b'],
  ),
  row(
    field('google.protobuf.StringValue', 'required = true'),
    { type: 'string' },
    ['', 'a'],
    // A client's null sets nothing.
    [null],
    needed,
  ),
  // Bytes, in base64.
  row(
    field('bytes', 'bytes.min_len = 2'),
    text({ contentEncoding: 'base64', minLength: 3 }),
    ['aGk=', 'aGk'],
    [''],
    needed,
  ),
  row(
    field('bytes', 'bytes.max_len = 2'),
    text({ contentEncoding: 'base64', maxLength: 4 }),
    ['', 'aGk='],
    ['aGVsbG8='],
  ),
  // Numbers.
  row(field('int32', 'int32 = { gte: 1 lt: 10 }'), int({ minimum: 1, exclusiveMaximum: 10 }), [1, 9], [0, 10], needed),
  row(
    field('int32', 'int32 = { lt: -5 gt: 5 }'),
    int({ anyOf: [{ exclusiveMaximum: -5 }, { exclusiveMinimum: 5 }] }),
    [-6, 6],
    [5, -5],
    needed,
  ),
  row(field('int32', 'int32 = { in: [1, 2] }'), int({ enum: [1, 2] }), [1], [3], needed),
  row(field('int32', 'required = true'), int({ not: { const: 0 } }), [1, -1], [0], needed),
  row(field('float', 'float.gte = 0.1'), { type: 'number', format: 'float', minimum: 0.1 }, [0.1], [0], needed),
  row(field('double', 'double.finite = true'), { type: 'number', format: 'double' }, [0, 1.5]),
  row(field('bool', 'bool.const = true'), { type: 'boolean', const: true }, [true], [false], needed),
  // Digits in a string: their sign, and the rest in words.
  row(
    field('int64', 'int64.gte = 5'),
    long({ pattern: '^[1-9][0-9]*$', description: 'Must be greater than or equal to 5.', examples: ['5'] }),
    ['5'],
    ['-5'],
    needed,
  ),
  row(field('int64', 'int64.gt = 0'), long({ pattern: '^[1-9][0-9]*$', examples: ['1'] }), ['1'], ['0', '-1'], needed),
  row(field('int64', 'int64.gte = 0'), long({ pattern: '^[0-9]+$', examples: ['1'] }), ['0'], ['-1']),
  row(
    field('int64', 'int64 = { in: [7, 9007199254740993] }'),
    long({ enum: ['7', '9007199254740993'], examples: ['7'] }),
    ['7', '9007199254740993'],
    ['8'],
    needed,
  ),
  row(
    field('int64', 'int64 = { gte: 1 lte: 5 }'),
    { type: 'integer', format: 'int64', minimum: 1, maximum: 5 },
    [1, 5],
    [6],
    { ...needed, options: { int64AsNumbers: true } },
  ),
  row(
    field('int64', 'int64.lte = 9007199254740993'),
    { type: 'integer', format: 'int64', description: 'Must be less than or equal to 9007199254740993.' },
    [0],
    [],
    { options: { int64AsNumbers: true } },
  ),
  row(
    field('google.protobuf.Duration', 'duration = { gte: { seconds: 1 } }'),
    {
      type: 'string',
      pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$',
      examples: ['1.5s'],
      description: 'Must be greater than or equal to 1s.',
    },
    ['1s'],
  ),
  // Enums: a number may have several names.
  row(field('Color', 'enum.const = 1'), { ...color, enum: ['RED', 'ROUGE'] }, ['RED', 'ROUGE'], ['BLUE'], needed),
  row(field('Color', 'enum = { not_in: [0] }'), { ...color, not: { enum: ['NONE'] } }, ['RED'], ['NONE'], needed),
  row(field('Color', 'enum.defined_only = true'), color, ['NONE', 'BLUE']),
  row(field('Color', 'enum = { in: [2] }'), { ...color, const: 2 }, [2], [1], {
    ...needed,
    options: { alwaysPrintEnumsAsInts: true },
  }),
  // Lists and maps.
  row(
    field('repeated string', 'repeated = { min_items: 1 max_items: 2 }'),
    list({ minItems: 1, maxItems: 2 }),
    [['']],
    [[], ['', '', '']],
    needed,
  ),
  row(field('repeated string', 'repeated.unique = true'), list({ uniqueItems: true }), [['a', 'b']], [['a', 'a']]),
  row(
    field('repeated string', 'repeated.items.string.min_len = 1'),
    list({}, text({ minLength: 1 })),
    [['a'], []],
    [['']],
  ),
  row(field('repeated string', 'required = true'), list({ minItems: 1 }), [['']], [[]], needed),
  row(
    field('map<string, int32>', 'map = { min_pairs: 1 keys: { string: { max_len: 1 } } values: { int32: { gt: 0 } } }'),
    {
      type: 'object',
      minProperties: 1,
      propertyNames: { maxLength: 1 },
      additionalProperties: int({ exclusiveMinimum: 0 }),
    },
    [{ a: 1 }],
    [{}, { ab: 1 }, { a: 0 }],
    needed,
  ),
  // Messages.
  row(field('Inner', 'required = true'), { $ref: '#/components/schemas/v.Inner' }, [{}], [], needed),
  row(field('string', 'cel_expression = "this != \'a\'"'), text({}), ['b']),
  row('oneof o { option (buf.validate.oneof).required = true; string f = 1; string g = 2; }', text({}), ['a']),
];

function wireOf(schema: Schema, json: unknown): Buffer {
  const out = new Writer();
  new Codec(schema).reader(schema.message('v.M')!)(Buffer.from(JSON.stringify(json)), out);
  return Buffer.from(out.take());
}

void t.test('each rule', (t) => {
  for (const { declaration, schema: expected, required, good, bad = [], options } of rows) {
    const schema = schemaFromText(`${head}message M { ${declaration} }`);
    const type = schema.message('v.M')!;
    const schemas = new SchemaBuilder(new ComponentNames([], 'dotted'));
    schemas.message(type, { ...plainOptions, ...options, constraints: new Constraints(schema) });
    const document = { components: { schemas: schemas.components } } as unknown as JsonObject;
    const made = schemas.components['v.M'] as JsonObject;
    t.strictSame((made['properties'] as JsonObject)['f'], expected, declaration);
    t.equal(made['required'] !== undefined, required ?? false, `${declaration}: required`);
    const judge = new DocumentSchemas(document);
    const check = new Validator(schema, Infinity).checkOf(type);
    const isTaken = (json: unknown): boolean => check === undefined || check(wireOf(schema, json)).length === 0;
    const isValid = (json: unknown): boolean => judge.problem({ $ref: '#/components/schemas/v.M' }, json) === undefined;
    for (const json of good.map((f) => ({ f }))) {
      t.ok(isTaken(json), `${declaration}: the proxy takes ${JSON.stringify(json)}`);
      t.ok(isValid(json), `${declaration}: ${JSON.stringify(json)} is valid`);
    }
    for (const json of bad.map((f) => ({ f }))) {
      t.notOk(isTaken(json), `${declaration}: the proxy refuses ${JSON.stringify(json)}`);
      t.notOk(isValid(json), `${declaration}: ${JSON.stringify(json)} is not valid`);
    }
    const isOneof = declaration.startsWith('oneof');
    t.equal(isTaken({}), required !== true && !isOneof, `${declaration}: whether nothing is taken`);
    t.equal(isValid({}), required !== true && !isOneof, `${declaration}: whether nothing is valid`);
  }
  t.end();
});

void t.test('rules of answers that nobody checks may be wrong', (t) => {
  const schema = schemaFromText(`${head}message M { ${field('string', 'int32.gt = 1')} }`);
  const schemas = new SchemaBuilder(new ComponentNames([], 'dotted'));
  schemas.message(schema.message('v.M')!, { ...plainOptions, constraints: new Constraints(schema) });
  t.strictSame(schemas.components['v.M'], { type: 'object', properties: { f: { type: 'string' } } });
  t.end();
});

const service = `
syntax = "proto3";
package s;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/wrappers.proto";
service Users {
  rpc Add(User) returns (User) { option (google.api.http) = { post: "/users" body: "*" }; }
  rpc Find(Find) returns (User) { option (google.api.http) = { get: "/users/{id}" }; }
  rpc Change(Change) returns (User) { option (google.api.http) = { patch: "/users/{id}" body: "user" }; }
}
message Find {
  string id = 1 [(buf.validate.field).string.uuid = true];
  int32 page_size = 2 [(buf.validate.field).int32 = { gte: 10 lte: 50 }];
  repeated string tags = 3 [(buf.validate.field).repeated = { max_items: 3 items: { string: { min_len: 12 } } }];
  optional string filter = 4 [(buf.validate.field).string.min_len = 30];
}
message Change { string id = 1 [(buf.validate.field).string.max_len = 3]; User user = 2 [(buf.validate.field).required = true]; }
message User {
  string name = 1 [(buf.validate.field).string = { min_len: 20 max_len: 30 }];
  string email = 2 [(buf.validate.field).string.email = true];
  uint64 size = 3 [(buf.validate.field).uint64 = { gt: 100 }];
  double share = 4 [(buf.validate.field).double = { gt: 0 lt: 1 example: 0.25 }];
  map<string, string> hosts = 5 [(buf.validate.field).map = { min_pairs: 1 keys: { string: { email: true } } values: { string: { ip: true } } }];
  repeated int32 ports = 6 [(buf.validate.field).repeated = { min_items: 2 items: { int32: { in: [80, 443] } } }];
  google.protobuf.Int32Value age = 7 [(buf.validate.field).int32.gte = 18];
  bool agreed = 8 [(buf.validate.field).bool.const = true];
}
`;

/** The request of a curl line of the document. */
const curlForm = /^curl (?:-X ([A-Z]+) )?'?http:\/\/[^/]+([^' ]+)'?(?: -d '([^']*)')?$/;

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly required?: boolean }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: JsonObject; readonly example: JsonObject }>;
  };
  readonly 'x-codeSamples': readonly { readonly source: string }[];
}

void t.test('samples keep the rules, and demands are told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-rules-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 's.proto'), service);
  const handlerWith = (validate: 'off' | 'rest'): PreparedListener['handler'] => {
    const flags = { proto: [join(folder, 's.proto')], listen: ['127.0.0.1:0'], options: { validate, mcp: true } };
    return prepareProxy(loadConfig({ flags, workingDirectory: folder }), { offline: true }).listeners[0]!.handler;
  };
  const handler = handlerWith('rest');
  const documentText = async (of: typeof handler): Promise<string> =>
    (await ask(of, { target: '/openapi.json' })).body.toString();
  const paths = (JSON.parse(await documentText(handler)) as { paths: Record<string, Record<string, Operation>> }).paths;
  const [users, one] = [paths['/users']!, paths['/users/{id}']!];
  const json = ({ requestBody }: Operation): { schema: JsonObject; example: JsonObject } =>
    requestBody!.content['application/json']!;
  t.match(json(users['post']!).example, {
    ...{ name: 'my-name-example-exam', email: 'user@example.com', size: '101', share: 0.25 },
    ...{ hosts: { 'user@example.com': '192.0.2.1' }, ports: [80, 80], age: 18, agreed: true },
  });
  for (const operation of [users['post']!, one['get']!, one['patch']!]) {
    const { source } = operation['x-codeSamples'][0]!;
    const [, method, target, body] = curlForm.exec(source) ?? [];
    const { status, body: answer } = await ask(
      handler,
      body === undefined ? { target: target! } : { method: method ?? 'POST', target: target!, body },
    );
    t.equal(status, 503, `${source} gets as far as the call: ${answer.toString()}`);
  }
  t.strictSame(
    one['get']!.parameters?.map(({ name, required }) => [name, required]),
    [
      ['id', true],
      ['pageSize', true],
      ['tags', undefined],
      ['filter', undefined],
    ],
  );
  const required = ['name', 'email', 'size', 'share', 'hosts', 'ports', 'agreed'];
  t.strictSame(json(one['patch']!).schema['required'], required, 'the rules of a message hold for a PATCH too');
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  const agent = {
    method: 'POST',
    target: '/mcp',
    headers: ['content-type', 'application/json'],
    body: JSON.stringify(list),
  };
  const { result } = JSON.parse((await ask(handler, agent)).body.toString()) as {
    result: { tools: { name: string; inputSchema: object; outputSchema: object }[] };
  };
  const tool = result.tools.find(({ name }) => name === 'Users_Add')!;
  t.match(tool.inputSchema, { properties: { name: { minLength: 20 } }, required });
  t.notMatch(JSON.stringify(tool.outputSchema), /minLength/, 'nobody checks the result of a tool');
  t.notMatch(await documentText(handlerWith('off')), /minLength/, 'without validate there are none');
});
