/**
 * The OpenAPI document: its pieces for each form of field and rule, its validity by a public validator, and a client that
 * a public generator makes of it, type-checked and run against the proxy.
 */
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import openapiTS, { astToString } from 'openapi-typescript';
import t from 'tap';
import { parse } from 'yaml';
import { type ComponentNaming, openApiDocument, printDocument, type OpenApiOptions } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { plainOptions } from '../support/openapi-options.js';
import { startTestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const proto = `
syntax = "proto3";
package d.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "photongate/http.proto";

// Keeps books.
service Books {
  // Reads a book. By its name.
  rpc Get(GetRequest) returns (Book) {
    option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" additional_bindings { get: "/v1/books/{name=**}" } };
    option (photongate.http) = {
      headers { header: "if-none-match" field: "etag" }
      response_headers { header: "x-pages" field: "pages" }
    };
  }
  rpc Create(CreateRequest) returns (Book) {
    option (google.api.http) = { post: "/v1/{parent=shelves/*}/books" body: "book" };
    option (photongate.http) = { success_status: 201 };
  }
  rpc Update(UpdateRequest) returns (Book) { option (google.api.http) = { patch: "/v1/{book.name=shelves/*/books/*}" body: "book" }; }
  rpc Delete(GetRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = { delete: "/v1/{name=shelves/*/books/*}" };
    option (photongate.http) = { success_status: 204 };
    option deprecated = true;
  }
  rpc Burn(GetRequest) returns (Book) { option (google.api.http) = { post: "/v1/{name=shelves/*/books/*}:burn" body: "*" }; }
  rpc Titles(Query) returns (Titles) { option (google.api.http) = { get: "/v1/titles" response_body: "titles" }; }
  rpc Watch(Query) returns (stream Book) { option (google.api.http) = { get: "/v1/watch" }; }
  rpc Load(stream Book) returns (Titles) { option (google.api.http) = { post: "/v1/load" body: "*" }; }
  rpc Cover(Upload) returns (google.api.HttpBody) { option (google.api.http) = { put: "/v1/{name=shelves/*}/cover" body: "data" }; }
  rpc Any(Query) returns (Titles) { option (google.api.http) = { custom { kind: "*" path: "/v1/titles" } }; }
  rpc Purge(Query) returns (Titles) { option (google.api.http) = { custom { kind: "PURGE" path: "/v1/titles" } }; }
}
message GetRequest { string name = 1; string etag = 2; bool full = 3 [(google.api.field_behavior) = REQUIRED]; }
message CreateRequest { string parent = 1; Book book = 2 [(google.api.field_behavior) = REQUIRED]; string book_id = 3; }
message UpdateRequest { Book book = 1; google.protobuf.FieldMask update_mask = 2; }
message Upload { string name = 1; google.api.HttpBody data = 2; }
message Titles { repeated string titles = 1; }
message Query {
  Filter filter = 1;
  repeated int32 page_sizes = 2;
  map<string, string> labels = 3;
  google.protobuf.Value any = 4;
  repeated Filter filters = 5;
  string internal = 6 [(google.api.field_behavior) = OUTPUT_ONLY];
}
// What to look for.
message Filter { string title = 1; Filter inner = 2; Color color = 3; }
// A colour.
enum Color {
  // Not said.
  COLOR_UNSPECIFIED = 0;
  RED = 1;
}
message Book {
  // Its name.
  string name = 1 [(google.api.field_behavior) = OUTPUT_ONLY];
  string title = 2 [(google.api.field_behavior) = REQUIRED];
  int32 pages = 3;
  uint32 copies = 4;
  int64 sold = 5;
  fixed64 total = 6;
  double price = 7;
  float weight = 8;
  bool lent = 9;
  bytes cover = 10;
  Color color = 11;
  repeated string authors = 12;
  map<int32, Filter> by_number = 13;
  google.protobuf.Timestamp created_at = 14;
  google.protobuf.Duration read_time = 15;
  google.protobuf.Struct extra = 16;
  google.protobuf.Int64Value maybe = 17;
  google.protobuf.Any any = 18;
  oneof owner { string person = 19; string library = 20; }
  Book sequel = 21 [deprecated = true];
  string pin = 22 [(google.api.field_behavior) = INPUT_ONLY];
}
`;

const plain = plainOptions;
const photon: OpenApiOptions = { ...plain, preserveProtoFieldNames: true, envelope: 'photon', errorFormat: 'photon' };

const problems = new ProblemList();
const bindings = bindingsOf(schemaFromText(proto).services, problems);
const documentOf = (options: OpenApiOptions): unknown =>
  openApiDocument([{ prefix: '', bindings, options }], { title: 'Books', version: '1.0' });

/** The value at `a/b/c`; parts hold `/` as `~`. */
function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part.replaceAll('~', '/')], document);
}

const book = 'components/schemas/d.v1.Book/properties';
const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const rows: readonly (readonly [options: OpenApiOptions, path: string, expected: unknown])[] = [
  [plain, `${book}/name`, { type: 'string', description: 'Its name.', readOnly: true }],
  [plain, `${book}/pin`, { type: 'string', writeOnly: true }],
  [plain, `${book}/pages`, { type: 'integer', format: 'int32' }],
  [plain, `${book}/copies`, { type: 'integer', format: 'uint32', minimum: 0 }],
  [plain, `${book}/sold`, { type: 'string', format: 'int64', pattern: '^-?[0-9]+$', examples: ['1'] }],
  [{ ...plain, int64AsNumbers: true }, `${book}/sold`, { type: 'integer', format: 'int64' }],
  [plain, `${book}/total`, { type: 'string', format: 'uint64', pattern: '^[0-9]+$', examples: ['1'] }],
  [plain, `${book}/price`, { type: 'number', format: 'double' }],
  [plain, `${book}/weight`, { type: 'number', format: 'float' }],
  [plain, `${book}/lent`, { type: 'boolean' }],
  [plain, `${book}/cover`, { type: 'string', contentEncoding: 'base64' }],
  [plain, `${book}/color`, reference('d.v1.Color')],
  [plain, `${book}/authors`, { type: 'array', items: { type: 'string' } }],
  [
    plain,
    `${book}/byNumber`,
    { type: 'object', propertyNames: { pattern: '^-?[0-9]+$' }, additionalProperties: reference('d.v1.Filter') },
  ],
  [plain, `${book}/createdAt`, { type: 'string', format: 'date-time' }],
  [photon, `${book}/created_at`, { type: 'string', format: 'date-time' }],
  [plain, `${book}/extra`, { type: 'object', additionalProperties: true }],
  [plain, `${book}/maybe`, { type: ['string', 'null'], format: 'int64', pattern: '^-?[0-9]+$', examples: ['1'] }],
  [plain, `${book}/sequel`, { ...reference('d.v1.Book'), deprecated: true }],
  [plain, 'components/schemas/d.v1.Book/required', ['title']],
  [
    plain,
    'components/schemas/d.v1.Book/dependentSchemas',
    { person: { properties: { library: { not: {} } } }, library: { properties: { person: { not: {} } } } },
  ],
  [
    plain,
    'components/schemas/d.v1.Color',
    {
      type: 'string',
      description: 'A colour.\n\n- `COLOR_UNSPECIFIED`: Not said.',
      enum: ['COLOR_UNSPECIFIED', 'RED'],
    },
  ],
  [{ ...plain, alwaysPrintEnumsAsInts: true }, 'components/schemas/d.v1.Color/enum', [0, 1]],

  [plain, 'paths/~v1~shelves~{shelf}~books~{book}/get/summary', 'Reads a book.'],
  [plain, 'paths/~v1~shelves~{shelf}~books~{book}/get/description', 'By its name.'],
  [plain, 'paths/~v1~shelves~{shelf}~books~{book}/get/operationId', 'Books_Get'],
  [
    plain,
    'paths/~v1~shelves~{shelf}~books~{book}/get/parameters',
    [
      {
        name: 'shelf',
        in: 'path',
        required: true,
        description: 'A piece of `name=shelves/*/books/*`.',
        schema: { type: 'string' },
      },
      {
        name: 'book',
        in: 'path',
        required: true,
        description: 'A piece of `name=shelves/*/books/*`.',
        schema: { type: 'string' },
      },
      { name: 'if-none-match', in: 'header', schema: { type: 'string' } },
      { name: 'full', in: 'query', required: true, schema: { type: 'boolean' } },
    ],
  ],
  [
    plain,
    'paths/~v1~books~{name}/get/parameters/0',
    {
      name: 'name',
      in: 'path',
      required: true,
      description:
        'May hold slashes, as they are: of `%2F`, which generated clients send, the service gets these three characters. Where the proxy runs with `url_unescape: all_characters`, it gets a slash.',
      schema: { type: 'string' },
      example: 'my-name',
    },
  ],
  [plain, 'paths/~v1~books~{name}/get/operationId', 'Books_Get2'],
  [
    plain,
    'paths/~v1~shelves~{shelf}~books~{book}/get/responses/200/headers',
    { 'x-pages': { schema: { type: 'integer', format: 'int32' } } },
  ],
  [plain, 'paths/~v1~shelves~{shelf}~books~{book}/delete/deprecated', true],
  [plain, 'paths/~v1~shelves~{shelf}~books~{book}/delete/responses/204', { description: 'Done.' }],
  [
    plain,
    'paths/~v1~shelves~{shelf}~books~{book}:burn/post/requestBody/content/application~json/schema',
    {
      type: 'object',
      properties: { etag: { type: 'string' }, full: { type: 'boolean' } },
      required: ['full'],
    },
  ],
  [plain, 'paths/~v1~shelves~{shelf}~books/post/requestBody/content/application~json/schema', reference('d.v1.Book')],
  [plain, 'paths/~v1~shelves~{shelf}~books/post/requestBody/required', true],
  [plain, 'paths/~v1~shelves~{shelf}~books/post/responses/201/content/application~json/schema', reference('d.v1.Book')],
  [
    photon,
    'paths/~v1~shelves~{shelf}~books/post/responses/201/content/application~json/schema',
    {
      type: 'object',
      properties: { data: reference('d.v1.Book'), meta: reference('Meta') },
      required: ['data', 'meta'],
    },
  ],
  [
    plain,
    'paths/~v1~shelves~{shelf}~books~{book}/patch/requestBody/content/application~json/schema/required',
    undefined,
  ],
  [
    plain,
    'paths/~v1~titles/get/parameters',
    [
      { name: 'filter.title', in: 'query', schema: { type: 'string' } },
      { name: 'filter.color', in: 'query', schema: reference('d.v1.Color') },
      { name: 'pageSizes', in: 'query', schema: { type: 'array', items: { type: 'integer', format: 'int32' } } },
      {
        name: 'labels',
        in: 'query',
        style: 'deepObject',
        explode: true,
        schema: { type: 'object', additionalProperties: { type: 'string' } },
      },
      { name: 'any', in: 'query', content: { 'application/json': { schema: { description: 'Any JSON value.' } } } },
    ],
  ],
  [
    plain,
    'paths/~v1~titles/get/responses/200/content/application~json/schema',
    { type: 'array', items: { type: 'string' } },
  ],
  [plain, 'paths/~v1~titles/get/responses/200/content/application~json/example', ['my-titles']],
  [plain, 'paths/~v1~watch/get/responses/200/content/text~event-stream/example/name', 'my-name'],
  [plain, 'paths/~v1~watch/get/responses/200/content/text~event-stream/example/sold', '1'],
  [plain, 'paths/~v1~watch/get/responses/200/content/text~event-stream/example/pin', undefined],
  [photon, 'paths/~v1~titles/get/responses/200/content/application~json/example/data', ['my-titles']],
  [plain, 'paths/~v1~titles/put/operationId', 'Books_Any'],
  [plain, 'paths/~v1~titles/x-purge/operationId', 'Books_Purge'],
  [
    plain,
    'paths/~v1~watch/get/responses/200/content/application~x-ndjson/schema',
    {
      anyOf: [
        reference('d.v1.Book'),
        { type: 'object', properties: { error: reference('Error') }, required: ['error'] },
      ],
    },
  ],
  [
    { ...plain, errorFormat: 'aip193' },
    'paths/~v1~watch/get/responses/200/content/application~x-ndjson/schema',
    { anyOf: [reference('d.v1.Book'), reference('ErrorResponse')] },
  ],
  [
    { ...plain, errorFormat: 'aip193', closeErrorArray: true },
    'paths/~v1~watch/get/responses/200/content/application~json/schema',
    { type: 'array', items: { anyOf: [reference('d.v1.Book'), reference('ErrorResponse')] } },
  ],
  [
    { ...photon, streamFormat: 'grpc-gateway' },
    'paths/~v1~watch/get/responses/200/content/application~json/schema',
    {
      anyOf: [
        { type: 'object', properties: { result: reference('d.v1.Book') }, required: ['result'] },
        reference('ErrorEnvelope'),
      ],
    },
  ],
  [
    photon,
    'paths/~v1~watch/get/responses/200/content/application~json/schema',
    { type: 'array', items: reference('d.v1.Book') },
  ],
  [
    plain,
    'paths/~v1~load/post/requestBody/content/application~json/schema',
    { type: 'array', items: reference('d.v1.Book') },
  ],
  [plain, 'paths/~v1~shelves~{shelf}~cover/put/requestBody/content/*~*/schema/format', 'binary'],
  [plain, 'paths/~v1~shelves~{shelf}~cover/put/responses/200/content/*~*/schema/format', 'binary'],
  [
    { ...plain, errorFormat: 'problem' },
    'paths/~v1~watch/get/responses/default/content',
    { 'application/problem+json': { schema: reference('Problem') } },
  ],
  [plain, 'tags', [{ name: 'd.v1.Books', description: 'Keeps books.' }]],
];

void t.test('pieces', (t) => {
  t.strictSame(problems.errors, []);
  const documents = new Map<OpenApiOptions, unknown>();
  for (const [options, path, expected] of rows) {
    const document = documents.get(options) ?? documentOf(options);
    documents.set(options, document);
    t.strictSame(at(document, path), expected, path);
  }
  const yaml = printDocument(documentOf(plain) as never, 'yaml');
  t.strictSame(parse(yaml), JSON.parse(JSON.stringify(documentOf(plain))), 'as YAML it is the same');
  t.end();
});

void t.test('what google.api.field_behavior and field_info say', (t) => {
  const { services } = schemaFromText(`syntax = "proto3"; package f.v1; import "google/api/annotations.proto";
    import "google/api/field_behavior.proto"; import "google/api/field_info.proto";
    service S { rpc Get(Thing) returns (Thing) { option (google.api.http) = { post: "/v1" body: "*" }; } }
    message Thing {
      // Its name.
      string name = 1 [(google.api.field_behavior) = IDENTIFIER];
      string home = 2 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = IMMUTABLE];
      repeated string tags = 3 [(google.api.field_behavior) = UNORDERED_LIST];
      string size = 4 [(google.api.field_behavior) = NON_EMPTY_DEFAULT];
      string id = 5 [(google.api.field_info).format = UUID4];
      string address = 6 [(google.api.field_info).format = IPV4_OR_IPV6];
    }`);
  const part = { prefix: '', bindings: bindingsOf(services, problems), options: plain };
  t.strictSame(at(openApiDocument([part], {}), 'components/schemas/f.v1.Thing'), {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Its name.\n\nIdentifies the resource.' },
      home: { type: 'string', description: 'Cannot be changed once it is set.' },
      tags: {
        type: 'array',
        items: { type: 'string' },
        description: 'The order of the elements does not matter.',
      },
      size: { type: 'string', description: 'If it is not set, the service chooses a value.' },
      id: { type: 'string', format: 'uuid' },
      address: { type: 'string', anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] },
    },
    required: ['home'],
  });
  t.end();
});

void t.test('two parts that print differently', (t) => {
  const document = openApiDocument(
    [
      { prefix: '/a', bindings, options: plain },
      { prefix: '/b', bindings, options: photon },
    ],
    { title: 'Two', version: '1.0' },
  );
  t.ok(at(document, 'components/schemas/d.v1.Book/properties/createdAt'));
  t.ok(at(document, 'components/schemas/d.v1.Book-2/properties/created_at'));
  t.strictSame(at(document, 'paths/~b~v1~watch/get/responses/200/content/application~json/schema'), {
    type: 'array',
    items: reference('d.v1.Book-2'),
  });
  t.end();
});

/** Of one file in two packages. */
const clashing = {
  'a.proto': `syntax = "proto3"; package a.v1; import "google/api/annotations.proto"; import "b.proto";
    service A { rpc Get(b.v1.Book) returns (Book) { option (google.api.http) = { post: "/v1" body: "*" }; } }
    message Book { Page page = 1; message Page { Kind kind = 1; Error error = 2; } enum Kind { NONE = 0; } message Error {} }
    message Error { Book book = 1; Book.Error inner = 2; }`,
  'b.proto': `syntax = "proto3"; package b.v1; message Book { Only only = 1; } message Only {}`,
};

void t.test('names of components', (t) => {
  const services = schemaFromText(clashing).services;
  const names = (naming: ComponentNaming): string[] => {
    const part = { prefix: '', bindings: bindingsOf(services, problems), options: plain };
    const document = openApiDocument([part], { title: 'A', version: '1', names: naming });
    return Object.keys(at(document, 'components/schemas') as object);
  };
  t.strictSame(names('dotted'), [
    'Error',
    'a.v1.Book',
    'a.v1.Book.Error',
    'a.v1.Book.Kind',
    'a.v1.Book.Page',
    'b.v1.Book',
    'b.v1.Only',
  ]);
  t.strictSame(names('underscored'), [
    'Error',
    'a_v1_Book',
    'a_v1_Book_Error',
    'a_v1_Book_Kind',
    'a_v1_Book_Page',
    'b_v1_Book',
    'b_v1_Only',
  ]);
  t.strictSame(names('short'), ['Book_Error', 'Book_Kind', 'Book_Page', 'Error', 'Only', 'a_v1_Book', 'b_v1_Book']);
  t.end();
});

void t.test('a message of the name of our own', (t) => {
  const { services } = schemaFromText(`syntax = "proto3"; import "google/api/annotations.proto";
    service S { rpc Get(Error) returns (Meta) { option (google.api.http) = { post: "/v1" body: "*" }; } }
    message Error { string mine = 1; } message Meta { Error error = 1; }`);
  const part = { prefix: '', bindings: bindingsOf(services, problems), options: photon };
  const document = openApiDocument([part], { title: 'A', version: '1' });
  t.ok(at(document, 'components/schemas/Error/properties/mine'));
  t.strictSame(at(document, 'paths/~v1/post/responses/200/content/application~json/schema/properties'), {
    data: reference('Meta'),
    meta: reference('Meta2'),
  });
  t.end();
});

void t.test('valid OpenAPI', async (t) => {
  for (const errorFormat of ['status', 'aip193', 'problem', 'photon'] as const) {
    for (const envelope of ['none', 'photon'] as const) {
      const { valid, errors } = await new Validator().validate(
        documentOf({ ...plain, errorFormat, envelope }) as Record<string, unknown>,
      );
      t.ok(valid, `${errorFormat} ${envelope}: ${JSON.stringify(errors)}`);
    }
  }
});

const client = `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

async function main(): Promise<void> {
  const client = createClient<paths>({ baseUrl: process.argv[2]! });
  const made = await client.POST('/v1/shelves/{shelf}/books', {
    params: { path: { shelf: '7' }, query: { bookId: 'b' } },
    body: { title: 'Emma', sold: '9007199254740993', color: 'RED' },
  });
  const title: string | undefined = made.data?.title;
  const color: 'COLOR_UNSPECIFIED' | 'RED' | undefined = made.data?.color;
  const listed = await client.GET('/v1/titles', {
    params: { query: { 'filter.title': 'E', pageSizes: [1, 2], labels: { a: 'b' }, 'filter.color': 'RED' } },
  });
  const titles: string[] | undefined = listed.data;
  const bad = await client.GET('/v1/shelves/{shelf}/books/{book}', {
    // @ts-expect-error a boolean is wanted
    params: { path: { shelf: '7', book: '9' }, query: { full: 'perhaps' } },
  });
  const message: string | undefined = bad.error?.message;
  console.log(JSON.stringify({ title, color, titles, message }));
}
void main();
`;

void t.test('a generated client works', async (t) => {
  const answers = new Map([
    // The title alone, out of the book that came.
    [
      '/d.v1.Books/Create',
      (message: Buffer) => message.subarray(message.indexOf('Emma') - 2, message.indexOf('Emma') + 4),
    ],
    // Titles { titles: ["x"] }
    ['/d.v1.Books/Titles', () => Buffer.from([0x0a, 1, 0x78])],
  ]);
  const proxy = await startTestProxy(proto);
  proxy.service.answer = ({ path, message }) => ({ message: answers.get(path)?.(message) ?? message });
  const folder = mkdtempSync(join(tmpdir(), 'photongate-client-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const document = (await proxy.send('GET /openapi.json')).json;
  writeFileSync(join(folder, 'api.ts'), astToString(await openapiTS(document as never)));
  writeFileSync(join(folder, 'client.ts'), client);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { rootDir: '.', noEmit: true },
      include: ['.'],
    }),
  );
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const run = promisify(execFile);
  const types = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
  t.equal(types, '', 'the types of the client fit');
  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(folder, 'client.ts'), proxy.url], {
    cwd: root,
  });
  t.match(JSON.parse(stdout), {
    title: 'Emma',
    titles: ['x'],
    message: 'full: found "perhaps", expected true or false',
  });
  await proxy.close();
});

void t.test('pages', async (t) => {
  const proxy = await startTestProxy(proto, { openapiTitle: 'My <books>', openapiVersion: '2.1' });
  t.match((await proxy.send('GET /openapi.json')).json, { info: { title: 'My <books>', version: '2.1' } });
  const yaml = await proxy.send('GET /openapi.yaml');
  t.equal(yaml.headers['content-type'], 'application/yaml');
  t.match(parse(yaml.text), { openapi: '3.1.1' });
  const again = await proxy.send('GET /openapi.yaml', { headers: { 'if-none-match': String(yaml.headers['etag']) } });
  t.equal(again.status, 304);
  const list = await proxy.send('GET /');
  t.match(list.text, /^d\.v1\.Books\n {2}GET +\/v1\/\{name=shelves\/\*\/books\/\*\} +Reads a book\.\n/);
  const page = await proxy.send('GET /', { headers: { accept: 'text/html,*/*;q=0.8' } });
  t.match(page.headers['content-type'], 'text/html');
  t.match(page.text, '>Reads a book.</span>');
  t.match(await proxy.send('GET /docs'), { status: 200, text: /docs\/scalar\.js/ });
  t.equal((await proxy.send('GET /docs/start.js')).status, 200);
  t.equal((await proxy.send('HEAD /docs/scalar.js')).text, '');
  t.equal((await proxy.send('POST /docs')).status, 405);
  t.match((await proxy.send('GET /docs')).text, '<title>My &#60;books&#62;</title>');
  let hashes = 0;
  const { createHash } = crypto;
  crypto.createHash = (...args) => {
    hashes++;
    return createHash(...args);
  };
  syncBuiltinESMExports();
  for (const page of ['/', '/docs', '/docs/scalar.js', '/openapi.json']) await proxy.send(`GET ${page}`);
  Object.assign(crypto, { createHash });
  syncBuiltinESMExports();
  t.equal(hashes, 0, 'what stays as it is is hashed once');
  await proxy.close();
});
