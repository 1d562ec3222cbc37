/** Options of protoc-gen-openapiv2 in documents: each part, what configuration sets in their place, and what is not followed. */
import t from 'tap';
import { openApiDocument, SchemaNotes, type DocumentInfo, type JsonObject } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { plainOptions } from '../support/openapi-options.js';
import { type JsonObject as TestObject, DocumentSchemas } from '../support/openapi.js';
import { schemaFromText } from '../support/schema.js';

const proto = `
syntax = "proto3";
package n.v1;
import "google/api/annotations.proto";
import "protoc-gen-openapiv2/options/annotations.proto";
option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = {
  info { title: "Library" version: "2.1" description: "Keeps." terms_of_service: "https://example.com/terms"
    contact { name: "Ada" } license { name: "MIT" } extensions { key: "x-logo" value { string_value: "l.png" } }
    extensions { key: "logo" value { string_value: "not x-" } } }
  host: "api.example.com" base_path: "/lib" schemes: HTTPS schemes: HTTP
  consumes: "application/xml"
  security_definitions {
    security { key: "untyped" value { description: "Nothing." } }
    security { key: "basic" value { type: TYPE_BASIC description: "Old." } }
    security { key: "key" value { type: TYPE_API_KEY in: IN_QUERY name: "key" } }
    security { key: "oauth" value { type: TYPE_OAUTH2 flow: FLOW_APPLICATION token_url: "https://example.com/token"
      scopes { scope { key: "read" value: "Reads." } } } }
  }
  security { security_requirement { key: "oauth" value { scope: "read" } } }
  responses { key: "403" value { description: "Not allowed." } }
  tags { name: "extra" description: "More." }
  external_docs { url: "https://example.com/docs" }
  extensions { key: "x-any" value { list_value { values { number_value: 1 } } } }
};
// Comment of the service.
service Books {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_tag) = { name: "books" description: "All books." };
  // Comment. More.
  rpc Get(Book) returns (Book) {
    option (google.api.http) = { get: "/v1/{name}" additional_bindings { get: "/v2/{name}" } };
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = {
      summary: "Gets it" description: "By name." operation_id: "getBook" tags: "extra" deprecated: true
      external_docs { url: "https://example.com/get" } security {} produces: "text/xml"
      responses { key: "200" value { description: "The book." examples { key: "application/json" value: '{"name":"a"}' } headers { key: "x-rate" value { type: "integer" } } } }
      responses { key: "404" value { schema { json_schema { ref: ".n.v1.Problem" } } extensions { key: "x-n" value { bool_value: true } } } }
      responses { key: "410" value { schema { json_schema { type: UNKNOWN type: STRING } } } }
      responses { key: "409" value { schema { json_schema { ref: ".n.v1.None" } } } }
      extensions { key: "x-op" value { string_value: "y" } }
      parameters { headers { name: "X-Tenant" type: INTEGER required: true description: "Who." } }
    };
  }
  rpc Put(Book) returns (Book) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
}
message Problem { string why = 1; }
// Comment of the book.
message Book {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_schema) = {
    json_schema { title: "A book" required: ["pages"] extensions { key: "x-kind" value { string_value: "m" } } }
    example: '{"name": "n", "pages": 3}'
    external_docs { url: "https://example.com/book" }
  };
  string name = 1 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = { example: '"Dune"' }];
  int32 pages = 2 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = { description: "Count." minimum: 1 maximum: 9 exclusive_maximum: true default: "2" }];
  repeated string tags = 3 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = { pattern: "^[a-z]+$" max_items: 4 title: "Tags" }];
  int64 size = 4 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = { example: "12" type: STRING required: ["size"] }];
  Color color = 5;
  string isbn = 6 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = { example: "12" max_length: 13 format: "isbn" read_only: true }];
}
enum Color {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_enum) = { title: "Colour" example: "RED" default: "NONE" };
  NONE = 0;
  RED = 1;
}
`;

const schema = schemaFromText(proto);
const problems = new ProblemList();
const bindings = bindingsOf(schema.services, problems);
const notes = SchemaNotes.of(schema)!;
const documentOf = (info: DocumentInfo = {}): JsonObject =>
  openApiDocument([{ prefix: '', bindings, options: { ...plainOptions, notes } }], info);

/** The value at `a/b/c`; parts hold `/` as `~`. */
function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part.replaceAll('~', '/')], document);
}

const get = 'paths/~v1~{name}/get';
const put = 'paths/~v1~{name}/put';
const book = 'components/schemas/n.v1.Book';

const rows: readonly (readonly [path: string, expected: unknown])[] = [
  [
    'info',
    {
      title: 'Library',
      version: '2.1',
      description: 'Keeps.',
      termsOfService: 'https://example.com/terms',
      contact: { name: 'Ada' },
      license: { name: 'MIT' },
      'x-logo': 'l.png',
    },
  ],
  ['servers', [{ url: 'https://api.example.com/lib' }, { url: 'http://api.example.com/lib' }]],
  ['security', [{ oauth: ['read'] }]],
  [
    'components/securitySchemes',
    {
      basic: { type: 'http', scheme: 'basic', description: 'Old.' },
      key: { type: 'apiKey', in: 'query', name: 'key' },
      oauth: {
        type: 'oauth2',
        flows: { clientCredentials: { tokenUrl: 'https://example.com/token', scopes: { read: 'Reads.' } } },
      },
    },
  ],
  [
    'tags',
    [
      { name: 'extra', description: 'More.' },
      { name: 'books', description: 'All books.' },
    ],
  ],
  ['externalDocs', { url: 'https://example.com/docs' }],
  ['x-any', [1]],
  [`${get}/summary`, 'Gets it'],
  [`${get}/description`, 'By name.'],
  [`${get}/operationId`, 'getBook'],
  ['paths/~v2~{name}/get/operationId', 'getBook2'],
  [`${get}/tags`, ['extra']],
  [`${get}/deprecated`, true],
  [`${get}/security`, []],
  [`${get}/x-op`, 'y'],
  [`${get}/externalDocs`, { url: 'https://example.com/get' }],
  [
    `${get}/parameters/1`,
    {
      name: 'pages',
      in: 'query',
      description: 'Count.',
      schema: { type: 'integer', format: 'int32', exclusiveMaximum: 9, minimum: 1, default: 2 },
    },
  ],
  [
    `${get}/parameters/6`,
    { name: 'X-Tenant', in: 'header', description: 'Who.', required: true, schema: { type: 'integer' } },
  ],
  [`${get}/responses/200/description`, 'The book.'],
  [`${get}/responses/200/headers`, { 'x-rate': { schema: { type: 'integer' } } }],
  [
    `${get}/responses/200/content/application~json`,
    { schema: { $ref: '#/components/schemas/n.v1.Book' }, example: { name: 'a' } },
  ],
  [`${get}/responses/403`, { description: 'Not allowed.' }],
  [
    `${get}/responses/404`,
    {
      description: 'Not Found',
      'x-n': true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/n.v1.Problem' } } },
    },
  ],
  [`${get}/responses/409/content`, { 'application/json': { schema: {} } }],
  [`${get}/responses/410/content`, { 'application/json': { schema: { type: 'string' } } }],
  [`${put}/tags`, ['books']],
  [`${put}/summary`, 'Put'],
  [`${put}/security`, undefined],
  [`${put}/responses/403/description`, 'Not allowed.'],
  [`${put}/requestBody/content/application~json/schema/examples`, undefined],
  [`${book}/title`, 'A book'],
  [`${book}/description`, 'Comment of the book.'],
  [`${book}/x-kind`, 'm'],
  [`${book}/required`, ['pages', 'size']],
  [`${book}/examples`, [{ name: 'n', pages: 3 }]],
  [
    `${book}/properties/tags`,
    { type: 'array', items: { type: 'string', pattern: '^[a-z]+$' }, title: 'Tags', maxItems: 4 },
  ],
  [`${book}/properties/name/examples`, ['Dune']],
  [`${book}/properties/size/examples`, ['12']],
  [`${book}/properties/isbn`, { type: 'string', readOnly: true, format: 'isbn', examples: ['12'], maxLength: 13 }],
  ['components/schemas/n.v1.Color/title', 'Colour'],
  ['components/schemas/n.v1.Color/examples', ['RED']],
];

void t.test('what options say', (t) => {
  t.strictSame(problems.errors, []);
  const document = JSON.parse(JSON.stringify(documentOf())) as TestObject;
  for (const [path, expected] of rows) t.strictSame(at(document, path), expected, path);
  const judge = new DocumentSchemas(document);
  t.equal(judge.problem({ $ref: '#/components/schemas/n.v1.Book' }, { pages: 3, size: '1' }), undefined);
  t.ok(judge.problem({ $ref: '#/components/schemas/n.v1.Book' }, { pages: 9, size: '1' }));
  t.end();
});

void t.test('what is configured counts', (t) => {
  const document = documentOf({ title: 'Mine', version: '3', server: 'http://here', isServerGiven: true });
  t.match(document, {
    info: { title: 'Mine', version: '3', description: 'Keeps.' },
    servers: [{ url: 'http://here' }],
  });
  const credential = { kind: 'token', header: 'authorization', claims: new Map<string, readonly string[]>() } as const;
  const access = { credentialsFor: () => [credential] };
  const guarded = openApiDocument([{ prefix: '', bindings, options: { ...plainOptions, notes }, access }], {});
  t.strictSame(at(guarded, `${get}/security`), [{ token: [] }], 'the proxy asks for a token whatever options say');
  t.end();
});

void t.test('what is not followed is named', (t) => {
  t.strictSame(notes.ignored(schema.services[0]!.file), [
    'openapiv2_swagger.consumes',
    'openapiv2_field.type',
    'openapiv2_operation.produces',
  ]);
  t.equal(SchemaNotes.of(schemaFromText('syntax = "proto3"; message A {}')), undefined, 'nothing to read');
  t.end();
});
