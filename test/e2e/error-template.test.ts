/** `error_template`: what its commands become, in each place where an error can stand, and what the document says of it. */
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { loadConfig } from '../../lib/config/index.js';
import type { ErrorTemplate } from '../../lib/commands.js';
import { ConfigError } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package errors.v1;
import "google/api/annotations.proto";
service Errors {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{id}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
}
message Message { int32 id = 1; string name = 2; }
`;

const errorTemplate: ErrorTemplate = {
  status: '%RESPONSE_CODE%',
  code: '%GRPC_STATUS(SNAKE_STRING)%',
  number: '%GRPC_STATUS_NUMBER%',
  text: '%GRPC_STATUS% at %REQ(:path)%: %MESSAGE% 100%%',
  trace: '%REQ(x-trace)%',
  id: '%REQ(x-request-id)%',
  list: ['%REQ(x-none)%', 7, null, true],
  inner: { details: '%DETAILS%', fields: '%VIOLATIONS%' },
};

type Options = NonNullable<Parameters<typeof startTestProxy>[1]>;

async function withProxy(t: Test, options: Options): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options);
  t.teardown(() => proxy.close());
  return proxy;
}

/** google.rpc.Status with a BadRequest. */
function badRequest(field: string, description: string): Buffer {
  const fields = (...values: readonly (readonly [tag: number, value: string | Buffer])[]): Buffer => {
    const out = new Writer();
    for (const [tag, value] of values) {
      out.uint32(tag);
      out.bytes(Buffer.from(value as string));
    }
    return out.take();
  };
  const violation = fields([0x0a, field], [0x12, description]);
  const detail = fields([0x0a, 'type.googleapis.com/google.rpc.BadRequest'], [0x12, fields([0x0a, violation])]);
  return fields([0x12, 'm'], [0x1a, detail]);
}

void t.test('a body of every kind of value', async (t) => {
  const proxy = await withProxy(t, { errorTemplate, errorContentType: 'application/vnd.acme+json' });
  const none = await proxy.send('GET /nothing/here', { headers: { 'x-trace': 'a"b', 'x-request-id': 'r-1' } });
  t.equal(none.status, 404);
  t.equal(none.headers['content-type'], 'application/vnd.acme+json');
  const { text, ...rest } = none.json as { text: string };
  t.match(text, /^NotFound at \/nothing\/here: no route for GET.* 100%$/s);
  t.strictSame(rest, {
    status: 404,
    code: 'NOT_FOUND',
    number: 5,
    trace: 'a"b',
    id: 'r-1',
    list: [null, 7, null, true],
    inner: { details: [], fields: [] },
  });

  proxy.service.answer = () => ({
    code: 3,
    details: 'm',
    trailers: { 'grpc-status-details-bin': badRequest('name', 'too short') },
  });
  const called = (await proxy.send('GET /v1/1')).json as Record<string, unknown>;
  t.match(called, { status: 400, code: 'INVALID_ARGUMENT', text: 'InvalidArgument at /v1/1: m 100%', id: /./ });
  t.notOk('trace' in called, 'a member without a value is left out');
  t.strictSame(called['inner'], {
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ field: 'name', description: 'too short' }],
      },
    ],
    fields: [{ field: 'name', description: 'too short' }],
  });

  const own = (await proxy.send('GET /v1/x')).json as { inner: { fields: readonly { field: string }[] } };
  t.equal(own.inner.fields[0]!.field, 'id', 'what the proxy itself finds');
});

void t.test('limits, what the parser refuses, and pages', async (t) => {
  const proxy = await withProxy(t, { errorTemplate: { oops: '%RESPONSE_CODE%' }, maxBodyBytes: 10 });
  const large = await proxy.send('PUT /v1', { body: JSON.stringify({ name: 'much too long' }) });
  t.strictSame([large.status, large.json], [413, { oops: 413 }]);
  t.strictSame((await proxy.send('POST /v1/1')).json, { oops: 405 });
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1').end('GET / HTTP/1.1\r\nhost\r\n\r\n');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  t.match(answer, /^HTTP\/1.1 400 [^]*\{"oops":400\}$/);
  const page = await proxy.send('GET /nothing/here', { headers: { accept: 'text/html' } });
  t.match(page.text, /<h1>404 Not Found/);
  t.match((await proxy.send('HEAD /nothing/here')).headers, { 'content-type': 'application/json' });
});

void t.test('error_format, presets and white space', async (t) => {
  for (const options of [{ errorFormat: 'text' }, { preset: 'grpc-gateway' }, { envelope: 'photon' }] as const) {
    const proxy = await withProxy(t, { ...options, errorTemplate: { m: '%MESSAGE%' } });
    proxy.service.answer = () => ({ code: 9, details: 'no' });
    t.equal((await proxy.send('GET /v1/1')).text, '{"m":"no"}', JSON.stringify(options));
  }
  const spaced = await withProxy(t, { errorTemplate: { m: { n: 1 } }, addWhitespace: true });
  t.match((await spaced.send('GET /none/x')).text, /^\{\n +"m": \{\n/);
});

void t.test('the element that ends a stream', async (t) => {
  const message = Buffer.from([0x08, 1]);
  const rows: readonly (readonly [template: ErrorTemplate, last: string])[] = [
    [{ why: '%MESSAGE%', path: '%REQ(:path)%' }, '{"error":{"why":"no more","path":"/watch"}}'],
    [{ error: '%MESSAGE%' }, '{"error":"no more"}'],
  ];
  for (const [template, last] of rows) {
    const proxy = await withProxy(t, { errorTemplate: template, streamFormat: 'ndjson' });
    proxy.service.answer = () => ({ messages: [message], code: 9, details: 'no more' });
    t.equal((await proxy.send('GET /watch')).text, `{"id":1}\n${last}\n`);
  }
  const lines = await withProxy(t, { errorTemplate: { why: '%MESSAGE%' }, streamFormat: 'grpc-gateway' });
  lines.service.answer = () => ({ messages: [], code: 9, details: 'at once' });
  const first = await lines.send('GET /watch');
  t.strictSame([first.status, first.text], [400, '{"error":{"why":"at once"}}\n']);
});

void t.test('the document says what comes', async (t) => {
  const proxy = await withProxy(t, { errorTemplate: { ...errorTemplate, kind: 'oops' }, errorContentType: 'a/b+json' });
  const document = (await proxy.send('GET /openapi.json')).json as {
    paths: Record<string, { get: { responses: { default: { content: unknown } } } }>;
    components: { schemas: { Error: { properties: Record<string, unknown>; required: unknown } } };
  };
  const content = { 'a/b+json': { schema: { $ref: '#/components/schemas/Error' } } };
  t.strictSame(document.paths['/v1/{id}']!.get.responses.default.content, content);
  const { properties, required } = document.components.schemas.Error;
  t.strictSame(required, ['status', 'code', 'number', 'text', 'list', 'inner', 'kind'], 'all but headers');
  t.match(properties, {
    status: { type: 'integer' },
    code: { type: 'string' },
    number: { type: 'integer' },
    text: { type: 'string' },
    trace: { type: 'string' },
    list: { type: 'array' },
    inner: { type: 'object', properties: { details: { type: 'array' }, fields: { type: 'array' } } },
    kind: { type: 'string', const: 'oops' },
  });
});

void t.test('a template that says what nobody knows ends the start', (t) => {
  const rows: readonly (readonly [template: object, message: RegExp])[] = [
    [{ a: { b: ['%NOPE%'] } }, /%NOPE% is not known; known are %REQ\(name\)%, %RESPONSE_CODE%/],
    [{ a: '%DURATION%' }, /%DURATION% is not known/],
    [{ a: '50% off' }, /single %; write %% for the sign itself/],
    [{ a: 'all: %DETAILS%' }, /%DETAILS% is a list, and stands alone/],
    [{ a: '%DETAILS:3%' }, /%DETAILS% is a list, which cannot be cut/],
    [['%MESSAGE%'], /expected .*a map such as/],
  ];
  const problemOf = (template: unknown): string => {
    try {
      loadConfig({ flags: { proto: ['a.proto'], options: { errorTemplate: template as ErrorTemplate } } });
      return 'none';
    } catch (error) {
      return error instanceof ConfigError ? error.message : String(error);
    }
  };
  for (const [template, message] of rows) t.match(problemOf(template), message, JSON.stringify(template));
  t.equal(problemOf({ a: '%MESSAGE%', b: 1 }), 'none');
  t.end();
});
