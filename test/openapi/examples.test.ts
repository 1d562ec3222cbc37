/**
 * What a document offers, the proxy takes: each example fits its own schema, and no request that follows the document is
 * refused. Checked without a service: what gets as far as the call is answered 503.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Config, loadConfig, type Settings } from '../../lib/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { openApiForms as proto } from '../cases/openapi-forms.js';
import { MemoryExchange } from '../support/exchange.js';
import { followDocument, type JsonObject } from '../support/openapi.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function check(t: Test, name: string, config: Config): Promise<void> {
  for (const { handler, config: listener } of prepareProxy(config, { offline: true }).listeners) {
    const { examples, requests, faults } = await followDocument(handler);
    t.ok(examples > 0 && requests > 0);
    t.strictSame(faults.slice(0, 20), [], `${name} ${listener.listen}: ${examples} examples, ${requests} requests`);
  }
}

/** The document of the listener. */
async function documentOf(config: Config): Promise<JsonObject> {
  const page = new MemoryExchange({ target: '/openapi.json' });
  prepareProxy(config, { offline: true }).listeners[0]!.handler.handle(page);
  return JSON.parse((await page.answer).body.toString()) as JsonObject;
}

type Options = NonNullable<Settings['options']>;
const variants: Readonly<Record<string, Options>> = {
  'as it is': {},
  'names of the .proto': { preserveProtoFieldNames: true },
  numbers: { int64AsNumbers: true, alwaysPrintEnumsAsInts: true },
  'grpc-gateway': { preset: 'grpc-gateway' },
  envoy: { preset: 'envoy', openapi: true, checkOrigin: false },
  google: { preset: 'google' },
  'escapes undone, underscores': { urlUnescape: 'all_characters', openapiNames: 'underscored' },
  'short names': { openapiNames: 'short', strictSlash: true },
};

void t.test('all forms of fields and rules', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-examples-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'e.proto');
  writeFileSync(file, proto);
  for (const [name, options] of Object.entries(variants)) {
    await check(
      t,
      name,
      loadConfig({ flags: { proto: [file], listen: ['127.0.0.1:0'], options }, workingDirectory: folder }),
    );
  }
});

interface DocumentedOperation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: JsonObject }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Record<string, { readonly schema: JsonObject; readonly example: unknown }>;
  };
}

/** By operation: the query parameters, then the body as it is for JSON; undefined where there is none. */
const offers: readonly (readonly [operation: string, query: readonly string[], body?: object])[] = [
  ['get /v2/articles/{slug}', ['lang']],
  [
    'post /v2/articles/{slug}:touch',
    [],
    { schema: { type: 'object', properties: { lang: { type: 'string' } } }, example: { lang: 'my-lang' } },
  ],
  ['get /v2/ids/{hex}', ['id.kindOf', 'lang']],
  ['put /v2/ids', ['lang'], { example: { hex: 'my-hex', kindOf: 'my-kind-of' } }],
  [
    'put /v2/ids/{hex}',
    ['lang'],
    { schema: { type: 'object', properties: { kindOf: { type: 'string' } } }, example: { kindOf: 'my-kind-of' } },
  ],
  [
    'post /v1/identity/{type}/cancel',
    [],
    {
      schema: {
        required: ['identity', 'reasonText'],
        properties: { identity: { type: 'object', required: ['id'], properties: { id: {}, deep: {} } } },
      },
      example: { identity: { id: 'my-id', deep: { one: 'my-one' } }, reasonText: 'my-reason-text' },
    },
  ],
  [
    'post /v1/identity/{one}/{type}/part',
    ['reasonText'],
    {
      schema: { required: ['id', 'deep'], properties: { deep: { required: ['a'], properties: { a: {}, b: {} } } } },
      example: { id: 'my-id', deep: { a: 'my-a', b: 'my-b' } },
    },
  ],
  ['get /v1/identity/{two}', ['identity.type', 'identity.id', 'identity.deep.a', 'identity.deep.b', 'reasonText']],
  // Of a rule for every method, GET has no body.
  ['get /v1/any', ['reasonText']],
  ['post /v1/any', ['reasonText'], { example: { type: 'my-type' } }],
  ['get /v1/any/{id}', []],
  ['delete /v1/any/{id}', [], { example: { identity: { type: 'my-type' } } }],
];

void t.test('what a document offers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-examples-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'e.proto');
  writeFileSync(file, proto);
  const document = await documentOf(loadConfig({ flags: { proto: [file], options: {} } }));
  const paths = document['paths'] as unknown as Record<string, Record<string, DocumentedOperation>>;
  const operation = (name: string): DocumentedOperation => {
    const [method, path] = name.split(' ') as [string, string];
    return paths[path]![method]!;
  };
  for (const [name, query, body] of offers) {
    const { parameters = [], requestBody } = operation(name);
    t.strictSame(
      parameters.filter((one) => one.in === 'query').map((one) => one.name),
      query,
      `${name}: query`,
    );
    if (body === undefined) t.equal(requestBody, undefined, `${name}: no body`);
    else t.match(requestBody!.content['application/json'], body, `${name}: body`);
  }
  // Members that may not be given are not there, and a match does not see them.
  const cancel = operation('post /v1/identity/{type}/cancel').requestBody!.content['application/json']!.schema;
  t.notMatch(cancel, { properties: { identity: { properties: { type: {} } } } });
  const part = operation('post /v1/identity/{one}/{type}/part').requestBody!;
  t.equal(part.required, true, 'what the path leaves of a message is needed');
  t.strictSame(Object.keys(part.content['application/json']!.schema['properties']!), ['id', 'deep']);

  const schemas = new Map(operation('get /v1/s').parameters!.map((one) => [one.name, one.schema]));
  t.strictSame(schemas.get('wrappedText'), { type: 'string' }, 'a query has no null');
  t.strictSame(schemas.get('wrappedFlags'), { type: 'array', items: { type: 'boolean' } });
  t.strictSame(schemas.get('nothing'), { type: 'string', enum: ['NULL_VALUE'] });
  const sink = (document['components'] as { schemas: Record<string, { properties: JsonObject }> }).schemas[
    'e.v1.Sink'
  ]!;
  t.strictSame(sink.properties['wrappedText'], { type: ['string', 'null'] });
  t.strictSame(sink.properties['wrappedFlags'], { type: 'array', items: { type: 'boolean' } }, 'nor has a list');
  const typed = operation('get /v1/t/{int}/{flag}/{long}/{color}/{price}/{wrapped_int}/{time}/{nothing}');
  t.strictSame(
    typed.parameters!.filter((one) => one.in === 'path').map((one) => (one as { example?: unknown }).example),
    [1, true, '1', 'RED', 1.5, 1, '2026-01-31T12:00:00Z', 'NULL_VALUE'],
    'examples of parameters have their type',
  );
});

void t.test('examples', async (t) => {
  for (const name of ['photoncloud', 'chat']) {
    await check(t, name, loadConfig({ file: join(root, 'examples', name, 'photongate.yaml'), flags: {} }));
  }
  await check(
    t,
    'greeter',
    loadConfig({ flags: { proto: [join(root, 'examples/embed/greeter.proto')], options: {} } }),
  );
});
