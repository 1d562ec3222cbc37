/** `policies.addresses` over real sockets: in each protocol, behind a proxy, by level; and how lists may be written. */
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { parseConfigFile } from '../../lib/config/file.js';
import { ProblemList } from '../../lib/status.js';
import { type RequestOptions, startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service A {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message M { string name = 1; }
`;

async function listed(t: Test, addresses: object | false, more: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, {}, JSON.stringify({ policies: { addresses }, ...more }));
  t.teardown(() => proxy.close());
  return proxy;
}

const refusal = { code: 7, message: 'requests from your address are not allowed (policies.addresses.deny)' };

void t.test('in each protocol, before anything else', async (t) => {
  const proxy = await listed(t, { deny: ['127.0.0.0/8'] });
  for (const target of ['GET /v1/x', 'GET /nowhere', 'GET /health', 'OPTIONS /v1/x']) {
    const { status, json } = await proxy.send(target);
    t.match({ status, json }, { status: 403, json: refusal }, target);
  }
  const connect = await proxy.send('POST /a.v1.A/Get', {
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: '{}',
  });
  t.match(connect, { status: 403, json: { code: 'permission_denied', message: refusal.message } });
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  const error = await new Promise<ServiceError | null>((resolve) => {
    const same = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest('/a.v1.A/Get', same, same, Buffer.alloc(0), (failed) => resolve(failed));
  });
  client.close();
  t.match(error, { code: 7, details: refusal.message });
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`);
  const status = await new Promise((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('open', () => resolve('open'));
  });
  t.equal(status, 403);
  t.strictSame(proxy.service.calls, []);
});

void t.test('the client behind a trusted proxy counts', async (t) => {
  const lists = { allow: ['203.0.113.0/24', '2001:db8::/32'], deny: ['203.0.113.66'] };
  const trusting = await listed(t, lists, { trusted_proxies: ['127.0.0.1'] });
  const distrusting = await listed(t, lists);
  const rows: readonly [TestProxy, forwardedFor: string, number][] = [
    [trusting, '203.0.113.7', 200],
    [trusting, '203.0.113.66', 403],
    [trusting, '203.0.113.66, 203.0.113.7', 200],
    [trusting, '203.0.113.7, 203.0.113.66', 403],
    [trusting, '198.51.100.1', 403],
    [trusting, '::ffff:203.0.113.7', 200],
    [trusting, '::ffff:203.0.113.66', 403],
    [trusting, '[2001:db8::1]:443', 200],
    [trusting, 'nonsense', 403],
    [distrusting, '203.0.113.7', 403],
  ];
  for (const [proxy, forwardedFor, expected] of rows) {
    const options: RequestOptions = { headers: { 'x-forwarded-for': forwardedFor } };
    t.equal((await proxy.send('GET /v1/x', options)).status, expected, forwardedFor);
  }
});

void t.test('by level: an inner one replaces the outer one', async (t) => {
  const own = { path: '/own', policies: { addresses: { allow: ['127.0.0.1'] } } };
  const mounts = [{ path: '/open', policies: { addresses: false } }, own, { path: '/same' }];
  const proxy = await listed(t, { deny: ['127.0.0.1'] }, { listeners: [{ listen: '127.0.0.1:0', mounts }] });
  for (const [path, expected] of [
    ['/v1/x', 403],
    ['/open/v1/x', 200],
    ['/own/v1/x', 200],
    ['/same/v1/x', 403],
  ] as const) {
    t.equal((await proxy.send(`GET ${path}`)).status, expected, path);
  }
});

void t.test('what is no list is an error of the start', (t) => {
  const many = Array.from({ length: 1001 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  const rows: readonly [value: unknown, message: RegExp][] = [
    [true, /^"addresses" is false or a map such as \{ allow: \[10\.0\.0\.0\/8\] \}/],
    [{}, /^"addresses" has an address in allow or deny; write false/],
    [{ allow: [] }, /^"addresses" has an address in allow or deny/],
    [{ allow: [], deny: ['10.0.0.1'] }, /^"addresses" has an address in allow or deny/],
    [{ allow: ['10.0.0.0/33'] }, /allow: found "10\.0\.0\.0\/33", expected addresses and blocks of them/],
    [{ deny: ['fd00::/129'] }, /deny: found "fd00::\/129"/],
    [{ deny: ['10.0.0.256'] }, /found "10\.0\.0\.256"/],
    [{ deny: ['example.com'] }, /found "example\.com"/],
    [{ block: ['10.0.0.1'] }, /there is no key "block" here; "addresses" has: allow, deny/],
    [{ deny: many }, /^a list has 1001 addresses and blocks, expected at most 1000/],
  ];
  for (const [addresses, message] of rows) {
    const problems = new ProblemList();
    parseConfigFile('c.yaml', JSON.stringify({ policies: { addresses } }), '/', problems);
    t.match(problems.errors[0]?.message, message, JSON.stringify(addresses).slice(0, 60));
  }
  t.end();
});
