/** The AsyncAPI document of streams: its pieces, and its validity by the official schema. */
import { createRequire } from 'node:module';
import t from 'tap';
import { asyncApiDocument, type DocumentedPart, type OpenApiOptions } from '../../lib/openapi/index.js';
import { bindingsOf, type Binding } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { DocumentSchemas, type JsonObject } from '../support/openapi.js';
import { plainOptions } from '../support/openapi-options.js';
import { schemaFromText } from '../support/schema.js';

const load = createRequire(import.meta.url);
const { schemas: specifications } = load('@asyncapi/specs') as { schemas: Record<string, object> };
const inner = createRequire(load.resolve('@seriousme/openapi-schema-validator'));
interface Validate {
  (value: unknown): boolean;
  readonly errors?: unknown;
}
const { default: Ajv } = inner('ajv') as { default: new (options: object) => { compile(schema: object): Validate } };
const { default: addFormats } = inner('ajv-formats') as { default: (ajv: object) => void };
// It brings the schema of schemas along.
const ajv = new Ajv({ strict: false, logger: false, unicodeRegExp: false, meta: false, validateSchema: false });
addFormats(ajv);
const isAsyncApi = ajv.compile(specifications['3.0.0']!);

const { services } = schemaFromText(`
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "photongate/http.proto";
// All books.
service Books {
  // Watches books. For ever.
  rpc Watch(Query) returns (stream Book) {
    option (google.api.http) = { get: "/{shelf}/watch" additional_bindings { custom { kind: "QUERY" path: "/{shelf}/watch" } body: "*" } };
    option (photongate.http) = { headers { header: "x-since" field: "since" } };
  }
  rpc Load(stream Book) returns (Query) { option (google.api.http) = { post: "/load" body: "*" }; }
  rpc Talk(stream Book) returns (stream Book) { option (google.api.http) = { get: "/talk/{name}" additional_bindings { custom { kind: "TALK" path: "/also" } body: "*" } }; }
  rpc Scan(Scanned) returns (stream Book) { option (google.api.http) = { post: "/scan/{query.shelf}" body: "query" }; }
  rpc Bytes(Query) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/bytes" }; }
  rpc Get(Query) returns (Alone) { option (google.api.http) = { get: "/get" }; }
}
message Query { string shelf = 1; int32 since = 2; Book like = 3; }
message Scanned { Query query = 1; }
message Book { string name = 1; int64 pages = 2; }
message Alone {}
`);
const problems = new ProblemList();
const bindings = bindingsOf(services, problems);

function documentOf(more: Partial<OpenApiOptions> = {}, server = 'https://example.com/api', part = {}): JsonObject {
  const whole: DocumentedPart<Binding> = { prefix: '/p', bindings, options: { ...plainOptions, ...more }, ...part };
  return JSON.parse(JSON.stringify(asyncApiDocument([whole], { title: 'Books', server }))) as JsonObject;
}

/** The value at `a/b/c`; parts hold `/` as `~`. */
function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part.replaceAll('~', '/')], document);
}

const book = { $ref: '#/components/schemas/s.v1.Book' };
const ref = (path: string): object => ({ $ref: `#/channels/${path}` });

const rows: readonly (readonly [path: string, expected: unknown])[] = [
  ['asyncapi', '3.0.0'],
  ['info/title', 'Books'],
  ['info/tags', [{ name: 's.v1.Books', description: 'All books.' }]],
  ['servers/http', { host: 'example.com', pathname: '/api', protocol: 'https' }],
  ['servers/websocket', { host: 'example.com', pathname: '/api', protocol: 'wss' }],
  ['channels/Books_Watch/address', '/p/{shelf}/watch'],
  ['channels/Books_Watch/parameters', { shelf: { examples: ['my-shelf'] } }],
  ['channels/Books_Watch/messages/request', undefined],
  ['channels/Books_Watch/messages/answer/payload', book],
  ['channels/Books_Watch/messages/answer/examples', [{ payload: { name: 'my-name', pages: '1' } }]],
  ['channels/Books_Watch/messages/error/payload/required', ['error']],
  ['channels/Books_Watch/bindings/ws/query/properties/like.name', { type: 'string' }],
  ['channels/Books_Watch/bindings/ws/headers/properties/x-since', { type: 'integer', format: 'int32' }],
  ['operations/Books_Watch_receive', undefined],
  ['operations/Books_Watch_send/action', 'send'],
  ['operations/Books_Watch_send/channel', ref('Books_Watch')],
  ['operations/Books_Watch_send/summary', 'Watches books.'],
  ['operations/Books_Watch_send/description', 'For ever.'],
  ['operations/Books_Watch_send/bindings/http/method', 'GET'],
  ['operations/Books_Watch_send/messages', [ref('Books_Watch/messages/answer'), ref('Books_Watch/messages/error')]],
  ['channels/Books_Load/messages/request/payload', book],
  ['operations/Books_Load_receive/action', 'receive'],
  ['operations/Books_Load_receive/messages', [ref('Books_Load/messages/request')]],
  [
    'channels/Books_Talk/messages/request/payload/properties',
    { pages: at(documentOf(), 'components/schemas/s.v1.Book/properties/pages') },
  ],
  ['channels/Books_Talk2/messages/request/payload', book],
  ['operations/Books_Talk2_send/bindings', undefined],
  ['channels/Books_Scan/messages/request/payload/properties/shelf', undefined],
  ['channels/Books_Scan/messages/request/payload/properties/like', book],
  ['channels/Books_Bytes/messages/answer/payload', { $ref: '#/components/schemas/google.api.HttpBody' }],
  ['channels/Books_Get', undefined],
  ['channels/Books_Watch2', undefined],
  ['components/schemas/s.v1.Alone', undefined],
];

void t.test('pieces', (t) => {
  t.strictSame(problems.errors, []);
  const document = documentOf();
  for (const [path, expected] of rows) t.strictSame(at(document, path), expected, path);
  const photon = documentOf({ envelope: 'photon' });
  t.strictSame(at(photon, 'channels/Books_Watch/messages/answer/payload/properties/data'), book);
  t.match(at(photon, 'channels/Books_Watch/description'), 'without the envelope');
  t.equal(documentOf({}, '/')['servers'], undefined, 'a relative address is none');
  t.end();
});

void t.test('who may call', (t) => {
  const access = {
    credentialsFor: (rpc: string) =>
      rpc === 's.v1.Books.Watch'
        ? [
            { kind: 'token' as const, header: 'authorization', claims: new Map<string, readonly string[]>() },
            { kind: 'api_key' as const, header: 'x-key', claims: new Map<string, readonly string[]>() },
          ]
        : [],
  };
  const document = documentOf({}, 'http://127.0.0.1:8080', { access });
  t.ok(isAsyncApi(document), JSON.stringify(isAsyncApi.errors));
  t.match(at(document, 'components/securitySchemes'), {
    token: { type: 'http', scheme: 'bearer' },
    apiKey: { type: 'httpApiKey', in: 'header', name: 'x-key' },
  });
  t.strictSame(at(document, 'operations/Books_Watch_send/security'), [
    { $ref: '#/components/securitySchemes/token' },
    { $ref: '#/components/securitySchemes/apiKey' },
  ]);
  t.equal(at(document, 'operations/Books_Load_send/security'), undefined);
  t.end();
});

void t.test('valid by the official schema, and so are the examples', (t) => {
  for (const errorFormat of ['status', 'aip193', 'problem', 'photon', 'text'] as const) {
    for (const envelope of ['none', 'photon'] as const) {
      const document = documentOf({ errorFormat, envelope });
      t.ok(isAsyncApi(document), JSON.stringify(isAsyncApi.errors));
      const schemas = new DocumentSchemas(document);
      for (const channel of Object.values(document['channels'] as Record<string, JsonObject>)) {
        for (const { payload, examples } of Object.values(channel['messages'] as Record<string, JsonObject>)) {
          for (const example of (examples ?? []) as JsonObject[]) {
            t.equal(schemas.problem(payload!, example['payload']), undefined);
          }
        }
      }
    }
  }
  t.end();
});
