/** Options of gnostic and of protoc-gen-openapiv3 in documents: each part, what several families say, and what is not followed. */
import { Validator } from '@seriousme/openapi-schema-validator';
import t from 'tap';
import { openApiDocument, SchemaNotes } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import type { Schema } from '../../lib/schema/types.js';
import { ProblemList } from '../../lib/status.js';
import type { JsonObject } from '../support/openapi.js';
import { plainOptions } from '../support/openapi-options.js';
import { schemaFromText } from '../support/schema.js';

/** @param file which file has the options, and `o` the package that they are in */
const gnosticProto = (file: string, o: string): string => `
syntax = "proto3";
package g.v1;
import "google/api/annotations.proto";
import "${file}";
option (${o}.document) = {
  openapi: "3.0.3"
  info { title: "Library" version: "2.1" description: "Keeps." summary: "Short." terms_of_service: "https://example.com/terms"
    contact { name: "Ada" specification_extension { name: "x-at" value { yaml: "noon" } } } license { name: "MIT" }
    specification_extension { name: "x-logo" value { yaml: "url: l.png" } } }
  servers { url: "https://{zone}.example.com" description: "All."
    variables { additional_properties { name: "zone" value { default: "eu" enum: ["eu", "us"] } } } }
  tags { name: "extra" description: "More." external_docs { url: "https://example.com/tag" } }
  external_docs { url: "https://example.com/docs" }
  security { additional_properties { name: "oauth" value { value: "read" } } }
  paths { path { name: "/none" value { summary: "Not served." } } }
  components {
    security_schemes { additional_properties { name: "basic" value { security_scheme { type: "http" scheme: "basic" } } }
      additional_properties { name: "oauth" value { security_scheme { type: "oauth2" flows { client_credentials {
        token_url: "https://example.com/token" scopes { additional_properties { name: "read" value: "Reads." } } } } } } } }
    schemas { additional_properties { name: "Reason" value { schema { type: "object" nullable: true properties {
      additional_properties { name: "book" value { reference { _ref: "#/components/schemas/Book" } } }
      additional_properties { name: "tags" value { schema { type: "array" items { schema_or_reference { schema { type: "string" } } } } } } } } } } }
    responses { additional_properties { name: "Gone" value { response { description: "It is gone." } } } }
    examples { additional_properties { name: "one" value { example { summary: "One." value { yaml: "{name: a}" } } } } }
    headers { additional_properties { name: "Rate" value { header { description: "Per hour." schema { schema { type: "integer" } } } } } }
    links { additional_properties { name: "next" value { link { operation_id: "x" } } } }
  }
  specification_extension { name: "x-any" value { yaml: "[1]" } }
  specification_extension { name: "any" value { yaml: "1" } }
};
// Comment of the service.
service Books {
  // Comment. More.
  rpc Get(Book) returns (Book) {
    option (google.api.http) = { get: "/v1/{name}" };
    option (${o}.operation) = {
      summary: "Gets it" description: "By name." operation_id: "getBook" tags: "extra" deprecated: true
      external_docs { url: "https://example.com/get" } security {} servers { url: "https://get.example.com" }
      parameters { parameter { name: "pages" in: "query" description: "How many." example { yaml: "3" } } }
      parameters { parameter { name: "none" in: "query" description: "Not known." } }
      parameters { parameter { name: "X-Tenant" in: "header" required: true schema { schema { type: "string" enum { yaml: "a" } } } } }
      responses {
        default { response { description: "It failed." } }
        response_or_reference { name: "200" value { response { description: "The book."
          headers { additional_properties { name: "x-rate" value { reference { _ref: "#/components/headers/Rate" } } } }
          content { additional_properties { name: "application/json" value {
            examples { additional_properties { name: "one" value { reference { _ref: "#/components/examples/one" } } } } } } } } } }
        response_or_reference { name: "404" value { response { description: "None." content {
          additional_properties { name: "application/json" value { schema { reference { _ref: "#/components/schemas/Reason" } } } }
          additional_properties { name: "text/plain" value { schema { schema { type: "string" } } } } } } } }
        response_or_reference { name: "409" value { response { description: "Another." content { additional_properties {
          name: "application/json" value { schema { reference { _ref: "#/components/schemas/Unknown" } } } } } } } }
        response_or_reference { name: "410" value { reference { _ref: "#/components/responses/Gone" } } }
      }
      callbacks { additional_properties { name: "c" value { callback { } } } }
      specification_extension { name: "x-op" value { yaml: "y" } }
    };
  }
  rpc Put(Book) returns (Book) {
    option (google.api.http) = { put: "/v1/{name}" body: "*" };
    option (${o}.operation) = { request_body { request_body { description: "All of it." content { additional_properties {
      name: "application/json" value { example { yaml: "{pages: 7}" } } } } } } };
  }
}
// Comment of the book.
message Book {
  option (${o}.schema) = { title: "A book" required: ["pages", "longName"] type: "object" example { yaml: "name: n" }
    external_docs { url: "https://example.com/book" } specification_extension { name: "x-kind" value { yaml: "m" } } };
  string name = 1 [(${o}.property) = { example { yaml: "12" } max_length: 13 pattern: "^[a-z0-9]+$" format: "isbn" read_only: true }];
  int32 pages = 2 [(${o}.property) = { description: "Count." minimum: 1 maximum: 9 exclusive_maximum: true default { number: 2 } example { yaml: "4" } }];
  repeated string tags = 3 [(${o}.property) = { title: "Tags" max_items: 4 type: "array" items { schema_or_reference { schema { min_length: 2 } } } }];
  string long_name = 4 [(${o}.property) = { deprecated: true write_only: true enum { yaml: "a" } enum { yaml: "1" } }];
}
`;

const openapiv3Proto = `
syntax = "proto3";
package h.v1;
import "google/api/annotations.proto";
import "protoc-gen-openapiv2/options/annotations.proto";
import "protoc-gen-openapiv3/options/annotations.proto";
option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = { info { title: "Old" version: "1.9" } };
option (grpc.gateway.protoc_gen_openapiv3.options.openapiv3_document) = {
  info { title: "Widgets" summary: "Short." version: "2.0" license { name: "MIT" identifier: "MIT" }
    extensions { key: "x-logo" value { string_value: "l.png" } } }
  servers { url: "https://example.com" }
  tags { name: "extra" description: "More." }
  external_docs { url: "https://example.com/docs" }
  components { security_schemes { key: "key" value { type: TYPE_API_KEY in: IN_COOKIE name: "key" } }
    security_schemes { key: "oauth" value { type: TYPE_OAUTH2 flows { client_credentials { token_url: "https://example.com/token" } } } } }
  security { schemes { key: "oauth" value { scopes: "read" } } }
  security {}
  extensions { key: "x-any" value { number_value: 1 } }
  extensions { key: "any" value { number_value: 1 } }
};
service Widgets {
  option (grpc.gateway.protoc_gen_openapiv3.options.openapiv3_tag) = { name: "widgets" description: "All." extensions { key: "x-t" value { bool_value: true } } };
  rpc Get(Widget) returns (Widget) {
    option (google.api.http) = { get: "/w/{id}" };
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = { summary: "Old" extensions { key: "x-old" value { number_value: 2 } } };
    option (grpc.gateway.protoc_gen_openapiv3.options.openapiv3_operation) = { summary: "Gets" description: "By id." operation_id: "getWidget"
      deprecated: true servers { url: "https://w.example.com" } security {} extensions { key: "x-op" value { string_value: "y" } } };
  }
}
message Widget {
  option (grpc.gateway.protoc_gen_openapiv3.options.openapiv3_schema) = { title: "A widget" description: "Turns." deprecated: true };
  string id = 1 [(grpc.gateway.protoc_gen_openapiv3.options.openapiv3_field) = { title: "Id" description: "Its name." extensions { key: "x-f" value { number_value: 3 } } }];
}
`;

function documentOf(schema: Schema): JsonObject {
  const problems = new ProblemList();
  const bindings = bindingsOf(schema.services, problems);
  t.strictSame(problems.errors, []);
  const options = { ...plainOptions, notes: SchemaNotes.of(schema) };
  return JSON.parse(JSON.stringify(openApiDocument([{ prefix: '', bindings, options }], {}))) as JsonObject;
}

/** The value at `a/b/c`; parts hold `/` as `~`. */
function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part.replaceAll('~', '/')], document);
}

const get = 'paths/~v1~{name}/get';
const body = 'paths/~v1~{name}/put/requestBody';
const book = 'components/schemas/g.v1.Book';
const component = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const gnosticRows: readonly (readonly [path: string, expected: unknown])[] = [
  [
    'info',
    {
      title: 'Library',
      version: '2.1',
      description: 'Keeps.',
      summary: 'Short.',
      termsOfService: 'https://example.com/terms',
      contact: { name: 'Ada', 'x-at': 'noon' },
      license: { name: 'MIT' },
      'x-logo': { url: 'l.png' },
    },
  ],
  [
    'servers',
    [
      {
        url: 'https://{zone}.example.com',
        description: 'All.',
        variables: { zone: { enum: ['eu', 'us'], default: 'eu' } },
      },
    ],
  ],
  [
    'tags',
    [
      { name: 'extra', description: 'More.', externalDocs: { url: 'https://example.com/tag' } },
      { name: 'g.v1.Books', description: 'Comment of the service.' },
    ],
  ],
  ['externalDocs', { url: 'https://example.com/docs' }],
  ['security', [{ oauth: ['read'] }]],
  ['x-any', [1]],
  ['any', undefined],
  ['paths/~none', undefined],
  [
    'components/securitySchemes',
    {
      basic: { type: 'http', scheme: 'basic' },
      oauth: {
        type: 'oauth2',
        flows: { clientCredentials: { tokenUrl: 'https://example.com/token', scopes: { read: 'Reads.' } } },
      },
    },
  ],
  [
    'components/schemas/Reason',
    {
      type: ['object', 'null'],
      properties: { book: component('g.v1.Book'), tags: { type: 'array', items: { type: 'string' } } },
    },
  ],
  ['components/examples/one', { summary: 'One.', value: { name: 'a' } }],
  ['components/links', undefined],
  [`${get}/summary`, 'Gets it'],
  [`${get}/description`, 'By name.'],
  [`${get}/operationId`, 'getBook'],
  [`${get}/tags`, ['extra']],
  [`${get}/deprecated`, true],
  [`${get}/externalDocs`, { url: 'https://example.com/get' }],
  [`${get}/security`, [{}]],
  [`${get}/servers`, [{ url: 'https://get.example.com' }]],
  [`${get}/x-op`, 'y'],
  [`${get}/callbacks`, undefined],
  [`${get}/parameters/1/description`, 'How many.'],
  [`${get}/parameters/1/example`, 3],
  [`${get}/parameters/4`, { name: 'X-Tenant', in: 'header', required: true, schema: { type: 'string', enum: ['a'] } }],
  [`${get}/parameters/5`, undefined],
  [`${get}/responses/default/description`, 'It failed.'],
  [`${get}/responses/default/content/application~json/schema`, component('Error')],
  [`${get}/responses/200/headers`, { 'x-rate': { $ref: '#/components/headers/Rate' } }],
  [
    `${get}/responses/200/content`,
    {
      'application/json': { schema: component('g.v1.Book'), examples: { one: { $ref: '#/components/examples/one' } } },
    },
  ],
  [
    `${get}/responses/404`,
    {
      description: 'None.',
      content: { 'application/json': { schema: component('Reason') }, 'text/plain': { schema: { type: 'string' } } },
    },
  ],
  [`${get}/responses/409/content/application~json/schema`, {}],
  [`${get}/responses/410`, { $ref: '#/components/responses/Gone' }],
  [`${body}/description`, 'All of it.'],
  [`${body}/content/application~json/example`, { pages: 7 }],
  [`${book}/title`, 'A book'],
  [`${book}/description`, 'Comment of the book.'],
  [`${book}/required`, ['pages', 'longName']],
  [`${book}/examples`, [{ name: 'n' }]],
  [`${book}/externalDocs`, { url: 'https://example.com/book' }],
  [`${book}/x-kind`, 'm'],
  [
    `${book}/properties/name`,
    { type: 'string', readOnly: true, pattern: '^[a-z0-9]+$', format: 'isbn', examples: ['12'], maxLength: 13 },
  ],
  [
    `${book}/properties/pages`,
    {
      type: 'integer',
      format: 'int32',
      description: 'Count.',
      default: 2,
      examples: [4],
      exclusiveMaximum: 9,
      minimum: 1,
    },
  ],
  [`${book}/properties/tags`, { type: 'array', items: { type: 'string', minLength: 2 }, title: 'Tags', maxItems: 4 }],
  [`${book}/properties/longName`, { type: 'string', writeOnly: true, deprecated: true, enum: ['a', '1'] }],
];

const widget = 'components/schemas/h.v1.Widget';

const openapiv3Rows: readonly (readonly [path: string, expected: unknown])[] = [
  [
    'info',
    {
      title: 'Widgets',
      version: '2.0',
      summary: 'Short.',
      license: { name: 'MIT', identifier: 'MIT' },
      'x-logo': 'l.png',
    },
  ],
  ['servers', [{ url: 'https://example.com' }]],
  [
    'tags',
    [
      { name: 'extra', description: 'More.' },
      { name: 'widgets', description: 'All.', 'x-t': true },
    ],
  ],
  ['externalDocs', { url: 'https://example.com/docs' }],
  ['security', [{ oauth: ['read'] }, {}]],
  [
    'components/securitySchemes',
    {
      key: { type: 'apiKey', name: 'key', in: 'cookie' },
      oauth: { type: 'oauth2', flows: { clientCredentials: { scopes: {}, tokenUrl: 'https://example.com/token' } } },
    },
  ],
  ['x-any', 1],
  ['any', undefined],
  ['paths/~w~{id}/get/summary', 'Gets'],
  ['paths/~w~{id}/get/description', 'By id.'],
  ['paths/~w~{id}/get/operationId', 'getWidget'],
  ['paths/~w~{id}/get/tags', ['widgets']],
  ['paths/~w~{id}/get/deprecated', true],
  ['paths/~w~{id}/get/servers', [{ url: 'https://w.example.com' }]],
  ['paths/~w~{id}/get/security', [{}]],
  ['paths/~w~{id}/get/x-op', 'y'],
  ['paths/~w~{id}/get/x-old', 2],
  [`${widget}/title`, 'A widget'],
  [`${widget}/description`, 'Turns.'],
  [`${widget}/deprecated`, true],
  [`${widget}/properties/id`, { type: 'string', description: 'Its name.', title: 'Id', 'x-f': 3 }],
];

const gnosticFiles = [
  ['openapiv3/annotations.proto', 'openapi.v3'],
  ['gnostic/openapi/v3/annotations.proto', 'gnostic.openapi.v3'],
] as const;

for (const [file, prefix] of gnosticFiles) {
  void t.test(prefix, async (t) => {
    const schema = schemaFromText(gnosticProto(file, prefix));
    const document = documentOf(schema);
    for (const [path, expected] of gnosticRows) t.strictSame(at(document, path), expected, path);
    const { valid, errors } = await new Validator().validate(document);
    t.ok(valid, JSON.stringify(errors));
    t.strictSame(
      SchemaNotes.of(schema)!.ignored(schema.services[0]!.file),
      [
        ...['document.openapi', 'document.paths', 'document.components.links', 'schema.type', 'property.type'],
        'operation.callbacks',
      ].map((name) => `${prefix}.${name}`),
    );
  });
}

void t.test('protoc-gen-openapiv3, before protoc-gen-openapiv2', async (t) => {
  const schema = schemaFromText(openapiv3Proto);
  const document = documentOf(schema);
  for (const [path, expected] of openapiv3Rows) t.strictSame(at(document, path), expected, path);
  const { valid, errors } = await new Validator().validate(document);
  t.ok(valid, JSON.stringify(errors));
  t.strictSame(SchemaNotes.of(schema)!.ignored(schema.services[0]!.file), []);
});
