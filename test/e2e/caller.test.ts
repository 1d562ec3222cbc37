/** Who calls, by the proxies that are trusted: the address that we go by, and what services are told over each protocol. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { createGateway, loadConfig } from '../../lib/index.js';
import { CallerRules } from '../../lib/metadata/index.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send, startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { streamRequest } from '../support/stream-client.js';

interface Row {
  readonly trusted: readonly string[];
  readonly peer: string;
  /** Lines of `x-forwarded-for`. */
  readonly chain?: readonly string[];
  readonly address: string;
  /** What services get; undefined: no such header. */
  readonly told: string | undefined;
}

const ten = ['10.0.0.0/8'];

const rows: readonly Row[] = [
  { trusted: [], peer: '203.0.113.7', address: '203.0.113.7', told: '203.0.113.7' },
  { trusted: [], peer: '10.0.0.1', chain: ['6.6.6.6'], address: '10.0.0.1', told: '10.0.0.1' },
  { trusted: ten, peer: '203.0.113.7', chain: ['6.6.6.6'], address: '203.0.113.7', told: '203.0.113.7' },
  { trusted: ten, peer: '10.0.0.1', address: '10.0.0.1', told: '10.0.0.1' },
  { trusted: ten, peer: '10.0.0.1', chain: ['203.0.113.7'], address: '203.0.113.7', told: '203.0.113.7, 10.0.0.1' },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['6.6.6.6, 203.0.113.7', '10.0.0.2'],
    address: '203.0.113.7',
    told: '6.6.6.6, 203.0.113.7, 10.0.0.2, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['10.0.0.3', '10.0.0.2'],
    address: '10.0.0.3',
    told: '10.0.0.3, 10.0.0.2, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7, unknown'],
    address: 'unknown',
    told: '203.0.113.7, unknown, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7, <script>'],
    address: 'unknown',
    told: '203.0.113.7, <script>, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7, \u00e9'],
    address: 'unknown',
    told: '203.0.113.7, ?, 10.0.0.1',
  },
  { trusted: ten, peer: '10.0.0.1', chain: ['203.0.113.7,,'], address: '203.0.113.7', told: '203.0.113.7,,, 10.0.0.1' },
  { trusted: ten, peer: '10.0.0.1', chain: [' '], address: '10.0.0.1', told: '10.0.0.1' },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7:4711'],
    address: '203.0.113.7',
    told: '203.0.113.7:4711, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['[2001:DB8::1]:4711'],
    address: '2001:db8::1',
    told: '[2001:DB8::1]:4711, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['"[2001:db8::1]"'],
    address: '2001:db8::1',
    told: '"[2001:db8::1]", 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['2001:db8:0:0::1'],
    address: '2001:db8::1',
    told: '2001:db8:0:0::1, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7, ::ffff:10.1.2.3'],
    address: '203.0.113.7',
    told: '203.0.113.7, ::ffff:10.1.2.3, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '10.0.0.1',
    chain: ['203.0.113.7, ::ffff:a01:203'],
    address: '203.0.113.7',
    told: '203.0.113.7, ::ffff:a01:203, 10.0.0.1',
  },
  {
    trusted: ten,
    peer: '::ffff:10.1.2.3',
    chain: ['203.0.113.7'],
    address: '203.0.113.7',
    told: '203.0.113.7, ::ffff:10.1.2.3',
  },
  { trusted: ten, peer: '10.0.0.1', chain: ['010.0.0.1'], address: 'unknown', told: '010.0.0.1, 10.0.0.1' },
  { trusted: ten, peer: '10.0.0.1', chain: ['1.2.3'], address: 'unknown', told: '1.2.3, 10.0.0.1' },
  {
    trusted: ['fd00::/8', 'fe80::/10'],
    peer: 'fd12::1',
    chain: ['203.0.113.7, fe80::1%eth0'],
    address: '203.0.113.7',
    told: '203.0.113.7, fe80::1%eth0, fd12::1',
  },
  {
    trusted: ['::ffff:10.0.0.0/104'],
    peer: '10.9.9.9',
    chain: ['203.0.113.7'],
    address: '203.0.113.7',
    told: '203.0.113.7, 10.9.9.9',
  },
  { trusted: ['10.0.0.1'], peer: '10.0.0.2', chain: ['203.0.113.7'], address: '10.0.0.2', told: '10.0.0.2' },
  {
    trusted: ['10.9.9.9/8'],
    peer: '10.0.0.2',
    chain: ['203.0.113.7'],
    address: '203.0.113.7',
    told: '203.0.113.7, 10.0.0.2',
  },
  { trusted: ['0.0.0.0/0'], peer: '10.0.0.1', chain: ['1.1.1.1, ::1'], address: '::1', told: '1.1.1.1, ::1, 10.0.0.1' },
  { trusted: ['unix'], peer: 'unix', chain: ['203.0.113.7'], address: '203.0.113.7', told: '203.0.113.7, unix' },
  { trusted: ['unix'], peer: '10.0.0.1', chain: ['203.0.113.7'], address: '10.0.0.1', told: '10.0.0.1' },
  { trusted: ten, peer: 'unix', chain: ['203.0.113.7'], address: 'unix', told: 'unix' },
  {
    trusted: ['0.0.0.0/0', '::/0', 'unix'],
    peer: 'unknown',
    chain: ['203.0.113.7'],
    address: 'unknown',
    told: undefined,
  },
];

void t.test('from right to left, the first that is not trusted', (t) => {
  for (const { trusted, peer, chain = [], address, told } of rows) {
    const rules = new CallerRules({ trustedProxies: trusted });
    const headers = chain.flatMap((line) => ['x-forwarded-for', line]);
    const caller = rules.callerOf({ peer: { address: peer, port: 1 }, secure: false, headers });
    const what = JSON.stringify([trusted, peer, chain]);
    t.equal(caller.address, address, what);
    const forwarded = told === undefined ? [] : ['x-forwarded-for', told];
    t.strictSame(caller.forwarded, [...forwarded, 'x-forwarded-proto', 'http'], what);
  }
  t.end();
});

void t.test('protocol and host are those of the connection, or what a trusted proxy says', (t) => {
  const said = ['host', 'inner:1', 'x-forwarded-proto', 'https', 'x-forwarded-host', 'outer.example'];
  const silent = ['host', 'inner:1'];
  const told = (trusted: readonly string[], headers: readonly string[], secure: boolean): readonly string[] =>
    new CallerRules({ trustedProxies: trusted })
      .callerOf({ peer: { address: '10.0.0.1', port: 1 }, secure, headers })
      .forwarded.filter((_, index) => index % 2 === 1);
  t.strictSame(told([], said, false), ['10.0.0.1', 'http', 'inner:1']);
  t.strictSame(told([], said, true), ['10.0.0.1', 'https', 'inner:1']);
  t.strictSame(told(ten, said, false), ['10.0.0.1', 'https', 'outer.example']);
  t.strictSame(told(ten, silent, false), ['10.0.0.1', 'http', 'inner:1']);
  t.strictSame(told(ten, ['host', 'b\u00fccher'], true), ['10.0.0.1', 'https', 'b?cher'], 'what metadata can carry');
  t.end();
});

void t.test('what may be trusted', (t) => {
  const read = (trustedProxies: readonly string[] | string): readonly string[] =>
    loadConfig({ flags: { descriptorSet: ['x'], upstreams: ['127.0.0.1:1'], options: { trustedProxies } } })
      .listeners[0]!.root.options.trustedProxies;
  const good = ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '0.0.0.0/0', 'unix'];
  t.strictSame(read(good), good);
  for (const bad of [
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '10.0.0.1/',
    '*',
    '10.0.0.1:80',
    '[::1]',
    '-1',
  ]) {
    t.throws(() => read([bad]), { message: /^trustedProxies: found .*, expected none, or addresses and blocks/ }, bad);
  }
  t.end();
});

const proto = `
syntax = "proto3";
package caller.v1;
import "google/api/annotations.proto";
service Caller {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message Message { string name = 1; }
`;

/** What a client may not say of itself. */
const claims = {
  forwarded: 'for=6.6.6.6',
  'x-forwarded-for': '6.6.6.6',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-port': '1',
  'x-forwarded-client-cert': 'By=x',
  'x-real-ip': '6.6.6.6',
  'true-client-ip': '6.6.6.6',
  'x-client-ip': '6.6.6.6',
  'x-envoy-external-address': '6.6.6.6',
  'x-envoy-original-path': '/evil',
  'x-envoy-original-dst-host': 'evil',
  x_real_ip: '6.6.6.6',
  x_forwarded_for: '6.6.6.6',
};

/** Names in lower case, of those above that a service got, and their values. */
function heard(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.keys(claims)
      .filter((name) => fields[name] !== undefined)
      // Node's clients have two names for one host.
      .map((name) => [name, String(fields[name]).replace('127.0.0.1:', 'localhost:')]),
  );
}

const message = Buffer.from([0x0a, 1, 0x61]);
const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);

/** One request in each protocol, and how it goes out. */
const protocols: Readonly<Record<string, (proxy: TestProxy, headers: Record<string, string>) => Promise<unknown>>> = {
  REST: (proxy, headers) => proxy.send('GET /v1/a', { headers }),
  'a REST stream over HTTP/2': (proxy, headers) => over2(proxy, 'GET /watch/a', { headers }),
  gRPC: (proxy, headers) =>
    over2(proxy, 'POST /caller.v1.Caller/Get', {
      headers: { ...headers, 'content-type': 'application/grpc', te: 'trailers' },
      body: framed,
    }),
  'gRPC-Web': (proxy, headers) =>
    proxy.send('POST /caller.v1.Caller/Get', {
      headers: { ...headers, 'content-type': 'application/grpc-web+proto' },
      body: framed,
    }),
  Connect: (proxy, headers) =>
    proxy.send('POST /caller.v1.Caller/Get', {
      headers: { ...headers, 'content-type': 'application/proto', 'connect-protocol-version': '1' },
      body: message,
    }),
  'a Connect stream': (proxy, headers) =>
    over2(proxy, 'POST /caller.v1.Caller/Watch', {
      headers: { ...headers, 'content-type': 'application/connect+proto' },
      body: framed,
    }),
  WebSocket: async (proxy, headers) => {
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/watch/a`, { headers });
    await once(socket, 'close');
  },
};

async function over2(proxy: TestProxy, line: string, request: Parameters<typeof streamRequest>[2]): Promise<void> {
  const client = streamRequest(proxy.port, line, { version: '2', ...request });
  await client.done();
  client.destroy();
}

void t.test('services are told over every protocol', async (t) => {
  for (const trustedProxies of [[], ['127.0.0.0/8']]) {
    const proxy = await startTestProxy(proto, { trustedProxies });
    t.teardown(() => proxy.close());
    for (const [name, call] of Object.entries(protocols)) {
      proxy.service.calls.length = 0;
      await call(proxy, claims);
      t.equal(proxy.service.calls.length, 1, name);
      const expected =
        trustedProxies.length === 0
          ? {
              'x-forwarded-for': '127.0.0.1',
              'x-forwarded-proto': 'http',
              'x-forwarded-host': `localhost:${proxy.port}`,
            }
          : {
              'x-forwarded-for': '6.6.6.6, 127.0.0.1',
              'x-forwarded-proto': 'gopher',
              'x-forwarded-host': 'evil.example',
            };
      const got = heard(proxy.service.calls[0]!.metadata.getMap());
      t.strictSame(got, expected, `${name}, trusted: ${trustedProxies.join()}`);
    }
  }
});

void t.test('with the names of grpc-gateway, too', async (t) => {
  const proxy = await startTestProxy(proto, { preset: 'grpc-gateway' });
  t.teardown(() => proxy.close());
  const prefixed = Object.fromEntries(Object.entries(claims).map(([name, value]) => [`grpc-metadata-${name}`, value]));
  await proxy.send('GET /v1/a', { headers: { ...claims, ...prefixed } });
  t.strictSame(heard(proxy.service.calls[0]!.metadata.getMap()), {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': `localhost:${proxy.port}`,
  });
});

void t.test('a fallback is told the same', async (t) => {
  const seen: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const fallback = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const trustedProxies of [[], ['127.0.0.1']]) {
    const proxy = await startTestProxy(proto, { fallback, trustedProxies });
    t.teardown(() => proxy.close());
    await proxy.send('GET /else/where', { headers: { ...claims, host: 'localhost:7' } });
    t.strictSame(
      heard(seen.pop()!),
      trustedProxies.length === 0
        ? { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'localhost:7' }
        : {
            'x-forwarded-for': '6.6.6.6, 127.0.0.1',
            'x-forwarded-proto': 'gopher',
            'x-forwarded-host': 'evil.example',
          },
    );
  }
});

const greeter = fileURLToPath(new URL('../../examples/embed/greeter.proto', import.meta.url));

async function greeterService(t: Test): Promise<EchoService> {
  const service = await startEchoService(schemaFromText(readFileSync(greeter, 'utf8')));
  t.teardown(() => service.close());
  return service;
}

void t.test('embedded, the socket of the application is the peer', async (t) => {
  const service = await greeterService(t);
  const gateway = createGateway({ proto: greeter, upstreams: service.target, trustedProxies: 'unix' });
  t.teardown(() => gateway.close());
  const told = (): Record<string, string> => heard(service.calls.pop()!.metadata.getMap());
  const http = createServer(gateway.node);
  http.listen(0, '127.0.0.1');
  const http2 = createHttp2Server(gateway.node);
  http2.listen(0, '127.0.0.1');
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  const path = join(folder, 'socket');
  const unix = createServer(gateway.node);
  unix.listen(path);
  for (const server of [http, http2, unix]) if (!server.listening) await once(server, 'listening');
  t.teardown(() => {
    for (const server of [http, http2, unix]) server.close();
    rmSync(folder, { recursive: true });
  });
  const port = (http.address() as AddressInfo).port;
  await send(`http://127.0.0.1:${port}`, 'GET /v1/hello/a', { headers: claims });
  t.strictSame(told(), {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': `localhost:${port}`,
  });
  const port2 = (http2.address() as AddressInfo).port;
  const client = streamRequest(port2, 'GET /v1/hello/a', { version: '2', headers: claims });
  await client.done();
  client.destroy();
  t.match(told(), { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': `localhost:${port2}` });
  const over = httpRequest({ socketPath: path, path: '/v1/hello/a', headers: { ...claims, host: 'localhost' } });
  over.end();
  const [response] = (await once(over, 'response')) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, 'end');
  t.strictSame(told(), {
    'x-forwarded-for': '6.6.6.6, unix',
    'x-forwarded-proto': 'gopher',
    'x-forwarded-host': 'evil.example',
  });
  gateway.attach(http);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/count/3`, { headers: claims });
  await once(socket, 'close');
  t.match(told(), { 'x-forwarded-for': '127.0.0.1' });
});

void t.test('fetch is told who calls', async (t) => {
  const service = await greeterService(t);
  const gateway = createGateway({ proto: greeter, upstreams: service.target, trustedProxies: ['10.0.0.0/8'] });
  t.teardown(() => gateway.close());
  const ask = async (options?: Parameters<typeof gateway.fetch>[1]): Promise<string | undefined> => {
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    const response = await gateway.fetch(new Request('https://api.example/v1/hello/a', { headers }), options);
    await response.text();
    const told = heard(service.calls.pop()!.metadata.getMap());
    t.match(told, { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example' });
    return told['x-forwarded-for'];
  };
  t.equal(await ask(), undefined, 'nobody has said');
  t.equal(await ask({ clientAddress: '198.51.100.1' }), '198.51.100.1');
  t.equal(await ask({ clientAddress: '198.51.100.1:4711' }), '198.51.100.1');
  t.equal(await ask({ clientAddress: '::ffff:198.51.100.1' }), '198.51.100.1');
  t.equal(await ask({ clientAddress: '10.0.0.1' }), '203.0.113.7, 10.0.0.1');
  t.equal(await ask({ clientAddress: 'nonsense' }), undefined);
  t.equal(await ask({ clientAddress: null }), undefined);
  t.equal(await ask({ remoteAddr: { hostname: '1.1.1.1' } } as object), undefined, 'what other runtimes hand over');
  const next = (): Response => new Response('next');
  const elsewhere = new Request('https://api.example/elsewhere');
  t.equal(await (await gateway.fetch(elsewhere, { clientAddress: '10.0.0.1', next })).text(), 'next');
  t.equal(await (await gateway.fetch(elsewhere, next)).text(), 'next');
  t.equal((await gateway.fetch(elsewhere, {})).status, 404);
});
