/** CORS over sockets, as browsers use it: preflight, then the request itself; and what a configuration may say of it. */
import t from 'tap';
import { parseConfigFile } from '../../lib/config/file.js';
import type { CorsOptions } from '../../lib/cors/index.js';
import { ProblemList } from '../../lib/status.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package cors.v1;
import "google/api/annotations.proto";
service Cors {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
}
message Message { string name = 1; }
`;

const page = 'https://console.example.com';

function corsHeaders({ headers }: TestResponse): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => name.startsWith('access-control-') || name === 'vary' || name === 'allow',
    ),
  );
}

function preflight(
  proxy: TestProxy,
  path: string,
  origin: string,
  method: string,
  asked?: string,
): Promise<TestResponse> {
  return proxy.send(`OPTIONS ${path}`, {
    headers: {
      origin,
      'access-control-request-method': method,
      ...(asked === undefined ? {} : { 'access-control-request-headers': asked }),
    },
  });
}

async function withCors(cors: CorsOptions, run: (proxy: TestProxy) => Promise<void>): Promise<void> {
  const proxy = await startTestProxy(proto, { cors });
  try {
    await run(proxy);
  } finally {
    await proxy.close();
  }
}

const preflightVary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

void t.test('what a browser does', async (t) => {
  await withCors({ origins: [page], expose: ['x-request-id'], credentials: true, maxAgeMs: 600_000 }, async (proxy) => {
    const asked = await preflight(proxy, '/v1/a', page, 'PUT', 'content-type, Authorization');
    t.equal(asked.status, 204);
    t.equal(asked.text, '');
    t.strictSame(corsHeaders(asked), {
      allow: 'GET, HEAD, OPTIONS, PUT',
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS, PUT',
      'access-control-allow-headers': 'content-type, authorization',
      'access-control-max-age': '600',
      vary: preflightVary,
    });
    const readable = {
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-request-id',
      vary: 'Origin',
    };
    const json = { origin: page, 'content-type': 'application/json' };
    for (const [request, status, more] of [
      ['PUT /v1/a', 200, {}],
      ['GET /v1/a', 200, {}],
      ['GET /none', 404, {}],
      ['PATCH /v1/a', 405, { allow: 'GET, HEAD, OPTIONS, PUT' }],
      ['GET /v1/a?nope=1', 400, {}],
      ['GET /health', 200, {}],
    ] as const) {
      const response = await proxy.send(request, { headers: json, ...(request.startsWith('P') ? { body: '{}' } : {}) });
      t.equal(response.status, status, `${request}: ${response.text}`);
      t.strictSame(corsHeaders(response), { ...more, ...readable }, request);
    }
  });
});

void t.test('who is not allowed', async (t) => {
  await withCors({ origins: [page] }, async (proxy) => {
    for (const origin of [
      'https://evil.example',
      'http://console.example.com',
      `${page}:8443`,
      'null',
      `${page}.evil`,
    ]) {
      const asked = await preflight(proxy, '/v1/a', origin, 'PUT');
      t.equal(asked.status, 204, origin);
      t.equal(asked.headers['access-control-allow-origin'], undefined, origin);
      t.match(asked.headers.vary, /Origin/);
      const put = await proxy.send('PUT /v1/a', { headers: { origin }, body: '{}' });
      t.equal(put.status, 403, origin);
      t.match(put.text, /policies\.cors\.origins/);
      const get = await proxy.send('GET /v1/a', { headers: { origin } });
      t.equal(get.status, 200, origin);
      t.strictSame(corsHeaders(get), { vary: 'Origin' }, origin);
    }
    t.equal(proxy.service.calls.length, 5, 'none of the writes arrived');
    t.strictSame(corsHeaders(await proxy.send('GET /v1/a')), { vary: 'Origin' }, 'no origin: caches are told');
    const unknown = await preflight(proxy, '/none', page, 'PUT');
    t.equal(unknown.status, 404, 'a preflight for what is not there');
    const plain = await proxy.send('OPTIONS /v1/a', { headers: { origin: page } });
    t.equal(plain.status, 204, 'OPTIONS without the asked method is no preflight');
    t.equal(plain.headers['access-control-allow-methods'], undefined);
    const upgrade = await proxy.send('GET /v1/a', {
      headers: {
        origin: 'https://evil.example',
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    });
    t.equal(upgrade.status, 403, 'a WebSocket of a foreign page');
  });
});

void t.test('forms of origins', async (t) => {
  const rows: readonly [origins: string[], origin: string, allowed: string | undefined][] = [
    [['*'], 'https://any.example', '*'],
    [['*'], 'null', '*'],
    [['https://*.example.com'], 'https://a.b.example.com', 'https://a.b.example.com'],
    [['https://*.example.com'], 'https://example.com', undefined],
    [['https://*.example.com'], 'https://.example.com', undefined],
    [['https://*.example.com'], 'https://evilexample.com', undefined],
    [['https://*.example.com'], 'http://a.example.com', undefined],
    [['https://*.example.com'], 'https://*.example.com', undefined],
    [['https://*.example.com:8443'], 'https://a.example.com:8443', 'https://a.example.com:8443'],
    [['https://*.example.com:8443'], 'https://a.example.com', undefined],
    [['http://localhost:3000'], 'http://localhost:3000', 'http://localhost:3000'],
    [['http://[::1]:3000'], 'http://[::1]:3000', 'http://[::1]:3000'],
    [['https://A.example:443'], 'https://a.example', 'https://a.example'],
  ];
  for (const [origins, origin, allowed] of rows) {
    await withCors({ origins }, async (proxy) => {
      const response = await proxy.send('GET /v1/a', { headers: { origin } });
      t.equal(response.headers['access-control-allow-origin'], allowed, `${origins[0]!} ${origin}`);
      t.equal(response.headers.vary, origins[0] === '*' ? undefined : 'Origin');
      const write = await proxy.send('PUT /v1/a', { headers: { origin }, body: '{}' });
      t.equal(write.status, allowed === undefined || origin === 'null' ? 403 : 200, `${origins[0]!} ${origin}`);
    });
  }
});

void t.test('methods and headers that are named', async (t) => {
  await withCors({ origins: ['*'], methods: ['GET', 'PUT'], headers: ['content-type'] }, async (proxy) => {
    t.match(corsHeaders(await preflight(proxy, '/v1/a', page, 'DELETE', 'x-other')), {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'content-type',
    });
  });
});

void t.test('a service has no say in it', async (t) => {
  await withCors({ origins: [page] }, async (proxy) => {
    proxy.service.answer = () => ({ headers: { 'access-control-allow-origin': '*', 'x-own': '1' } });
    const response = await proxy.send('GET /v1/a', { headers: { origin: page } });
    t.equal(response.headers['access-control-allow-origin'], page);
    t.equal(response.headers['x-own'], '1');
  });
  const proxy = await startTestProxy(proto);
  proxy.service.answer = () => ({ headers: { 'access-control-allow-origin': '*' } });
  const response = await proxy.send('GET /v1/a', { headers: { origin: page } });
  t.equal(response.headers['access-control-allow-origin'], '*', 'without cors in the configuration it has');
  await proxy.close();
});

void t.test('in a configuration', (t) => {
  const parse = (cors: string): { options: unknown; errors: readonly string[] } => {
    const problems = new ProblemList();
    const { options } = parseConfigFile('p.yaml', `policies:\n  cors: ${cors}\n`, '/', problems);
    const errors = problems.errors.map(({ message, place }) => `${place!.line}:${place!.column} ${message}`);
    return { options: (options as { cors?: unknown }).cors, errors };
  };
  t.strictSame(
    parse(
      '{ origins: ["https://A.example:443", "*.x"], methods: PUT, headers: [X-A], expose: x-b, credentials: true, max_age: 10m }',
    ),
    {
      options: {
        origins: ['https://a.example'],
        methods: ['PUT'],
        headers: ['x-a'],
        expose: ['x-b'],
        credentials: true,
        maxAgeMs: 600_000,
      },
      errors: ['2:46 found "*.x", expected an origin such as https://console.example.com, https://*.example.com or *'],
    },
  );
  t.strictSame(parse('false'), { options: undefined, errors: [] });
  for (const [cors, error] of [
    ['1', '2:9 "cors" is false or a map such as { origins: ["https://console.example.com"] }'],
    ['{}', '2:9 "cors" has no "origins": the pages that may call, such as https://console.example.com'],
    [
      '{ origins: "*", nope: 1 }',
      '2:25 there is no key "nope" here; "cors" has: origins, methods, headers, expose, credentials, max_age',
    ],
    [
      '{ origins: "*", credentials: true }',
      '2:25 credentials for every origin would let any page act as its visitor; name the origins in the place of *',
    ],
    ['{ origins: "*", credentials: 1 }', '2:38 credentials: found "1", expected true or false'],
    [
      '{ origins: "*", max_age: 5 }',
      '2:34 max_age: found "5", expected 0s or a time such as 250ms, 1.5s, 2m or 1h, from 1ms to 596h',
    ],
    [
      '{ origins: "https://a.example/x" }',
      '2:20 found "https://a.example/x", expected an origin such as https://console.example.com, https://*.example.com or *',
    ],
    ['{ origins: "*", methods: ["P T"] }', '2:35 found "P T", expected a method such as PUT'],
  ] as const) {
    t.strictSame(parse(cors).errors, [error], cors);
  }
  t.end();
});
