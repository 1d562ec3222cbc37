/**
 * `filters: [{ ext_authz: … }]` with a real authorizer over real sockets: what it is asked, what it changes and denies in each
 * protocol, and what happens if it is slow, wrong or gone.
 */
import { once } from 'node:events';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { allow, type Authorizer, deny, headerOption, startAuthorizer } from '../support/authorizer.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message Message { string name = 1; string text = 2; }
`;

/** @param lines members of `ext_authz`, one each */
async function guarded(t: Test, ...lines: readonly string[]): Promise<[TestProxy, Authorizer]> {
  const authorizer = await startAuthorizer();
  t.teardown(() => authorizer.close());
  // Time that no machine takes for an answer.
  const timeout = lines.some((line) => line.startsWith('timeout')) ? [] : ['timeout: 60s'];
  const members = [`target: ${authorizer.target}`, ...timeout, ...lines];
  const yaml = `
allowed_hosts: ['*']
listeners:
  - listen: 127.0.0.1:0
    filters:
      - ext_authz:
${members.map((line) => `          ${line}\n`).join('')}`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  return [proxy, authorizer];
}

const forbidden = 'the request could not be authorized; try again';

void t.test('what it is asked', async (t) => {
  const [proxy, authorizer] = await guarded(t, 'context_extensions: { team: blue }', 'include_rpc: true');
  const headers = { host: 'shop.test', 'x-a': ['1', '2'], 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6' };
  t.equal((await proxy.send('GET /v1/%78?text=y', { headers })).status, 200);
  const [asked] = authorizer.asked;
  t.match(asked, { method: 'GET', path: '/v1/x?text=y', host: 'shop.test', scheme: 'http', protocol: 'HTTP/1.1' });
  t.match(asked, { source: '127.0.0.1', extensions: { team: 'blue', rpc: 'a.v1.Shop.Get' }, body: '' });
  t.match(asked?.headers, { ':path': '/v1/x?text=y', ':method': 'GET', ':authority': 'shop.test', 'x-a': '1,2' });
  t.match(
    asked?.headers,
    { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': undefined },
    'a client does not say who it is',
  );
});

void t.test('it lets a request pass, changed', async (t) => {
  const [proxy, authorizer] = await guarded(t);
  authorizer.answer = () =>
    allow({
      headers: [headerOption('x-user', 'ada'), headerOption('x-list', '3', true), headerOption('x-new', '1', true)],
      headersToRemove: ['X-Secret', 'host'],
      responseHeadersToAdd: [headerOption('x-answer', 'a'), headerOption('content-length', '1')],
      queryParametersToSet: [{ key: 'text', value: 'set & done' }],
      queryParametersToRemove: ['nope'],
    });
  const headers = { 'x-user': 'eve', x_user: 'eve', 'x-list': ['1', '2'], 'x-secret': 's' };
  const answer = await proxy.send('GET /v1/x?text=mine&n%6Fpe=1', { headers });
  t.match(answer, { status: 200, json: { name: 'x', text: 'set & done' }, headers: { 'x-answer': 'a' } });
  const metadata = proxy.service.calls[0]?.metadata;
  const seen = ['x-user', 'x_user', 'x-list', 'x-new', 'x-secret'].map((name) => metadata?.get(name));
  t.same(seen, [['ada'], [], ['1, 2, 3'], [], []]);
});

void t.test('it denies, in each protocol', async (t) => {
  const [proxy, authorizer] = await guarded(t);
  authorizer.answer = () => deny(429, 'slow down', [headerOption('x-why', 'quota')]);
  const rest = await proxy.send('GET /v1/x');
  t.match(rest, { status: 429, text: 'slow down', headers: { 'content-type': 'text/plain', 'x-why': 'quota' } });
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/a.v1.Shop/Get', same, same, Buffer.alloc(0), new Metadata(), resolve);
  });
  t.same([error?.code, error?.details], [8, 'slow down'], 'gRPC');
  const web = { headers: { 'content-type': 'application/grpc-web+proto' }, body: Buffer.alloc(5) };
  const { headers, text } = await proxy.send('POST /a.v1.Shop/Get', web);
  t.match(`${JSON.stringify(headers)}${text}`, /grpc-status"?:\s?"?8/, 'gRPC-Web');
  const connect = { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' };
  const refused = await proxy.send('POST /a.v1.Shop/Get', connect);
  t.match(refused, { status: 429, json: { code: 'resource_exhausted', message: 'slow down' } }, 'Connect');
  const open = once(new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`), 'open');
  t.equal(await open.catch((thrown: Error) => thrown.message), 'Unexpected server response: 429', 'WebSocket');
  t.equal(proxy.service.calls.length, 0, 'the service hears nothing');
  authorizer.answer = () => ({ status: { code: 16 } });
  t.match(await proxy.send('GET /v1/x'), { status: 403, text: '' }, 'without any answer for the client');
  authorizer.answer = () => deny(302, '', [headerOption('location', 'https://login.test/')]);
  t.match(await proxy.send('GET /v1/x'), { status: 302, headers: { location: 'https://login.test/' } });
  authorizer.answer = () => allow();
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`);
  const [message] = (await once(socket, 'message')) as [Buffer];
  t.same(JSON.parse(message.toString()), { name: 'x' });
  socket.terminate();
});

void t.test('slow, wrong or gone', async (t) => {
  const wrong: readonly [what: string, answer: Authorizer['answer']][] = [
    ['silent', () => undefined],
    ['bytes that are no message', () => Buffer.from([0xff, 0xff])],
    ['a failed call', () => 14],
    ['a status that no answer has', () => deny(42)],
    ['a header that none is', () => allow({ headers: [headerOption('x-a', 'b\nc')] })],
    ['a name that none is', () => allow({ headers: [headerOption('x a', 'b')] })],
  ];
  const [strict, first] = await guarded(t, 'timeout: 1s');
  const [lax, second] = await guarded(t, 'timeout: 1s', 'failure_mode_allow: true', 'failure_mode_allow_header: true');
  const [other, third] = await guarded(t, 'timeout: 1s', 'status_on_error: 503');
  for (const [what, answer] of wrong) {
    for (const authorizer of [first, second, third]) authorizer.answer = answer;
    t.match(await strict.send('GET /v1/x'), { status: 403, json: { message: forbidden } }, what);
    t.equal(
      (await lax.send('GET /v1/x', { headers: { 'x-envoy-auth-failure-mode-allowed': 'no' } })).status,
      200,
      what,
    );
    const told = lax.service.calls.at(-1)?.metadata.get('x-envoy-auth-failure-mode-allowed');
    t.same(told, ['true'], what);
    t.equal((await other.send('GET /v1/x')).status, 503, what);
  }
  for (const authorizer of [first, second]) authorizer.close();
  t.match(await strict.send('GET /v1/x'), { status: 403, json: { message: forbidden } }, 'gone');
  t.equal((await lax.send('GET /v1/x')).status, 200, 'gone');
  t.equal(strict.service.calls.length, 0);
});

void t.test('it gets the body, and so does the service', async (t) => {
  const [proxy, authorizer] = await guarded(t, 'with_request_body: { max_bytes: 20 }');
  const body = '{"text":"a"}';
  t.match(await proxy.send('PUT /v1/x', { body }), { status: 200, json: { name: 'x', text: 'a' } });
  t.match(authorizer.asked[0], { body, size: body.length, headers: { 'x-envoy-auth-partial-body': 'false' } });
  const long = `{"text":"${'a'.repeat(100)}"}`;
  t.equal((await proxy.send('PUT /v1/x', { body: long })).status, 413);
  t.equal(authorizer.asked.length, 1, 'nobody is asked of a body that is too long');
  t.match(await proxy.send('GET /v1/x'), { status: 200 }, 'a request without a body');

  const [partial, second] = await guarded(
    t,
    'with_request_body: { max_bytes: 20, allow_partial: true, as_bytes: true }',
  );
  const huge = JSON.stringify({ text: 'b'.repeat(2 ** 20) });
  const answer = await partial.send('PUT /v1/x', { body: huge });
  t.equal(answer.status, 200);
  t.equal((answer.json as { text: string }).text.length, 2 ** 20, 'the service gets all of it');
  t.same(second.asked[0]?.rawBody, Buffer.from(huge.slice(0, 20)));
  t.match(second.asked[0], { body: '', headers: { 'x-envoy-auth-partial-body': 'true' } });
});

void t.test('headers that it gets', async (t) => {
  const [proxy, authorizer] = await guarded(
    t,
    'allowed_headers: [{ prefix: x-a }]',
    'disallowed_headers: [{ exact: x-ab }]',
  );
  await proxy.send('GET /v1/x', { headers: { 'x-aa': '1', 'x-ab': '2', 'x-b': '3', authorization: 'Basic x' } });
  const names = Object.keys(authorizer.asked[0]?.headers ?? {}).sort();
  t.same(names, ['x-aa']);
});
