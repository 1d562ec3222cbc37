/** OpenAPI 3.2: what its documents say more than those of 3.1, valid by its official schema. */
import { Validator } from '@seriousme/openapi-schema-validator';
import t from 'tap';
import { openApiDocument, type OpenApiOptions, type SpecVersion } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { DocumentSchemas, type JsonObject } from '../support/openapi.js';
import { plainOptions } from '../support/openapi-options.js';
import { schemaFromText } from '../support/schema.js';

const problems = new ProblemList();
const { services } = schemaFromText(`
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
// All books.
service Books {
  rpc Watch(Book) returns (stream Book) { option (google.api.http) = { get: "/watch" }; }
  rpc Load(stream Book) returns (Book) { option (google.api.http) = { post: "/load" body: "*" }; }
  rpc Search(Book) returns (Book) {
    option (google.api.http) = { custom { kind: "QUERY" path: "/books" } body: "*"
      additional_bindings { custom { kind: "PURGE" path: "/books" } } };
  }
}
message Book { string name = 1; }
`);
const bindings = bindingsOf(services, problems);

function documentOf(spec: SpecVersion, more: Partial<OpenApiOptions> = {}): JsonObject {
  const part = { prefix: '', bindings, options: { ...plainOptions, ...more } };
  const document = openApiDocument([part], { spec, self: 'https://example.com/openapi.json' });
  return JSON.parse(JSON.stringify(document)) as JsonObject;
}

/** The value at `a/b/c`; parts hold `/` as `~`. */
function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part.replaceAll('~', '/')], document);
}

const answer = 'paths/~watch/get/responses/200/content';
const upload = 'paths/~load/post/requestBody/content';
const book = { $ref: '#/components/schemas/s.v1.Book' };
const error = { type: 'object', properties: { error: { $ref: '#/components/schemas/Error' } }, required: ['error'] };

const rows: readonly (readonly [path: string, in31: unknown, in32: unknown])[] = [
  ['openapi', '3.1.1', '3.2.0'],
  ['$self', undefined, 'https://example.com/openapi.json'],
  [`${answer}/application~json/schema`, { type: 'array', items: book }, { type: 'array', items: book }],
  [`${answer}/application~x-ndjson/schema`, { anyOf: [book, error] }, undefined],
  [`${answer}/application~x-ndjson/itemSchema`, undefined, { anyOf: [book, error] }],
  [`${answer}/application~json-seq/itemSchema`, undefined, { anyOf: [book, error] }],
  [
    `${answer}/text~event-stream/itemSchema/anyOf/0/properties/data`,
    undefined,
    { type: 'string', contentMediaType: 'application/json', contentSchema: book },
  ],
  [`${answer}/text~event-stream/itemSchema/anyOf/1/properties/event`, undefined, { const: 'error' }],
  [
    `${upload}/application~json`,
    { schema: { type: 'array', items: book } },
    { schema: { type: 'array', items: book } },
  ],
  [`${upload}/application~x-ndjson`, { schema: book }, { itemSchema: book }],
  ['paths/~books/x-query/operationId', 'Books_Search', undefined],
  ['paths/~books/query/operationId', undefined, 'Books_Search'],
  ['paths/~books/x-purge/operationId', 'Books_Search2', undefined],
  ['paths/~books/additionalOperations/PURGE/operationId', undefined, 'Books_Search2'],
  [
    'tags',
    [{ name: 's.v1.Books', description: 'All books.' }],
    [{ name: 's.v1.Books', summary: 'Books', kind: 'nav', description: 'All books.' }],
  ],
];

void t.test('pieces', (t) => {
  t.strictSame(problems.errors, []);
  const [in31, in32] = [documentOf('3.1'), documentOf('3.2')];
  for (const [path, old, now] of rows) {
    t.strictSame(at(in31, path), old, `${path} in 3.1`);
    t.strictSame(at(in32, path), now, `${path} in 3.2`);
  }
  const lines = documentOf('3.2', { streamFormat: 'grpc-gateway' });
  t.match(at(lines, `${answer}/application~json/itemSchema/anyOf/0`), { required: ['result'] });
  t.end();
});

void t.test('valid by the official schema, and so are the examples of streams', async (t) => {
  for (const envelope of ['none', 'photon'] as const) {
    for (const streamFormat of ['array', 'grpc-gateway'] as const) {
      const document = documentOf('3.2', { envelope, streamFormat });
      const { valid, errors } = await new Validator().validate(document);
      t.ok(valid, JSON.stringify(errors));
      const schemas = new DocumentSchemas(document);
      let examples = 0;
      for (const media of Object.values(at(document, answer) as Record<string, JsonObject>)) {
        const { itemSchema, examples: given } = media as { itemSchema: JsonObject; examples?: unknown };
        for (const item of (at(given, 'first/dataValue') ?? []) as JsonObject[]) {
          t.equal(schemas.problem(itemSchema, item), undefined);
          examples++;
        }
      }
      t.equal(examples, 3);
    }
  }
});
