/** `policies: { api_keys: … }` over real sockets: which keys are good, which RPC takes which, alone and beside tokens. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { RequestRecord } from '../../lib/telemetry/index.js';
import { ConfigError, loadConfig, startProxy } from '../../lib/index.js';
import { digestOf } from '../../lib/policy/api-key-file.js';
import { SilentObserver } from '../../lib/telemetry/record.js';
import { startEchoService } from '../support/echo-service.js';
import { send, type RequestOptions, startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { waitFor } from '../support/stream-client.js';
import { now, signed, startJwksServer, testKey } from '../support/tokens.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Open {
  rpc Login(M) returns (M) { option (google.api.http) = { post: "/login" body: "*" }; }
}
service Shut {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(M) returns (M) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message M { string name = 1; }
`;

const gold = 'gold-key-0123456789';
const plain = 'plain-key-0123456789';
const keyFile = (extra = ''): string => `
keys:
  - { name: mobile, sha256: ${digestOf(gold)}, metadata: { plan: gold } }
  - { name: batch, key: ${plain} }
${extra}`;

/** @param policy YAML of what stands in `api_keys` besides the file, one key a line */
async function guarded(t: Test, policy: readonly string[] = [], more = '', options: object = {}): Promise<TestProxy> {
  const folder = t.testdir({ 'keys.yaml': keyFile() });
  const lines = [`file: ${join(folder, 'keys.yaml')}`, ...policy];
  const yaml = `policies:\n${more}  api_keys:\n${lines.map((line) => `    ${line}\n`).join('')}`;
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

void t.test('which keys are good, and where they stand', async (t) => {
  const own = await guarded(t, ['query_parameter: key', 'max_key_bytes: 100']);
  const scheme = await guarded(t, ['header: authorization']);
  const rows: readonly [
    TestProxy,
    what: string,
    target: string,
    headers: RequestOptions['headers'],
    number,
    RegExp?,
  ][] = [
    [own, 'none', '/v1/x', {}, 401, /this needs an API key; expected the header \\"x-api-key: KEY\\", or \?key=KEY/],
    [own, 'one by its digest', '/v1/x', { 'x-api-key': gold }, 200],
    [own, 'one by itself', '/v1/x', { 'X-API-Key': ` ${plain} ` }, 200],
    [own, 'its digest is no key', '/v1/x', { 'x-api-key': digestOf(gold) }, 401, /the API key is not known/],
    [own, 'in capitals', '/v1/x', { 'x-api-key': gold.toUpperCase() }, 401, /not known/],
    [own, 'a part of it', '/v1/x', { 'x-api-key': gold.slice(0, -1) }, 401, /not known/],
    [own, 'empty', '/v1/x', { 'x-api-key': '' }, 401, /this needs an API key/],
    [own, 'too long', '/v1/x', { 'x-api-key': 'x'.repeat(101) }, 401, /limit of 100 bytes \(policies\.api_keys/],
    [own, 'twice', '/v1/x', { 'x-api-key': [gold, plain] }, 400, /more than one/],
    [own, 'in two places', `/v1/x?key=${gold}`, { 'x-api-key': gold }, 400, /more than one API key/],
    [own, 'in the query', `/v1/x?key=${gold}`, {}, 200],
    [own, 'in the query, escaped', `/v1/x?%6bey=${gold.replace('g', '%67')}`, {}, 200],
    [own, 'in the query twice', `/v1/x?key=${gold}&key=${gold}`, {}, 400, /more than one/],
    [own, 'a scheme that is another', '/v1/x', { authorization: `ApiKey ${gold}` }, 401],
    [scheme, 'by scheme', '/v1/x', { authorization: `aPIkEY  ${gold}` }, 200],
    [scheme, 'another scheme', '/v1/x', { authorization: `Bearer ${gold}` }, 401, /Authorization: ApiKey KEY/],
    [scheme, 'another header', '/v1/x', { 'x-api-key': gold }, 401],
  ];
  for (const [proxy, what, target, headers, status, text] of rows) {
    const answer = await proxy.send(`GET ${target}`, { headers: headers ?? {} });
    t.equal(answer.status, status, `${what}: ${answer.text}`);
    if (text !== undefined) t.match(answer.text, text, what);
    if (status !== 401) continue;
    t.equal((answer.json as { code: number }).code, 16, what);
    t.equal(answer.headers['www-authenticate'], 'ApiKey realm="photongate"', what);
    t.notMatch(answer.text, gold, what);
  }
  for (const { service } of [own, scheme]) {
    for (const { metadata } of service.calls) {
      t.strictSame([metadata.get('x-api-key'), metadata.get('authorization')], [[], []], 'services do not see keys');
    }
  }
  const forwarding = await guarded(t, ['forward_key: true']);
  await forwarding.send('GET /v1/x', { headers: { 'x-api-key': gold } });
  t.strictSame(forwarding.service.calls[0]!.metadata.get('x-api-key'), [gold]);
});

void t.test('what keys may do, what services are told, and what stays open', async (t) => {
  const proxy = await guarded(
    t,
    [
      'except: [a.v1.Open.*]',
      'require: { a.v1.Shut.Put: { plan: [gold, silver] }, a.v1.Shut.Watch: { name: batch } }',
      'forward: { name: X-Client, plan: x-plan }',
    ],
    '',
    { passThrough: 'all' },
  );
  const spoof = { 'x-client': 'eve', x_client: 'eve', 'x-plan': 'gold', 'grpc-metadata-x-client': 'eve' };
  const told = (): unknown[] => {
    const { metadata } = proxy.service.calls.at(-1)!;
    return [metadata.get('x-client'), metadata.get('x_client'), metadata.get('x-plan')];
  };
  const put = (key: string): ReturnType<TestProxy['send']> =>
    proxy.send('PUT /v1/x', { headers: { ...spoof, 'x-api-key': key }, body: '{}' });
  t.equal((await put(gold)).status, 200);
  t.strictSame(told(), [['mobile'], [], ['gold']]);
  const refused = await put(plain);
  t.match(refused, {
    status: 403,
    json: {
      code: 7,
      message:
        /^a\.v1\.Shut\.Put needs an API key whose entry "plan" has "gold" or "silver"; this one has no such entry$/,
    },
  });
  t.equal((await proxy.send('GET /watch/x', { headers: { 'x-api-key': gold } })).status, 403);
  t.equal((await proxy.send('GET /watch/x', { headers: { ...spoof, 'x-api-key': plain } })).status, 200);
  t.strictSame(told(), [['batch'], [], []]);
  const open = await proxy.send('POST /login', { headers: { ...spoof, 'x-api-key': 'nonsense' }, body: '{}' });
  t.equal(open.status, 200, open.text);
  t.strictSame(told(), [[], [], []], 'nobody is somebody');
  t.strictSame(proxy.service.calls.at(-1)!.metadata.get('x-api-key'), []);
  for (const [target, status] of [
    ['GET /health', 200],
    ['GET /livez', 200],
    ['GET /docs', 200],
    ['GET /none', 404],
    ['OPTIONS /v1/x', 204],
    ['HEAD /v1/x', 401],
  ] as const) {
    t.equal((await proxy.send(target)).status, status, target);
  }
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (key: string): Promise<ServiceError | null> => {
    const metadata = new Metadata();
    metadata.set('x-api-key', key);
    return new Promise((resolve) =>
      client.makeUnaryRequest('/a.v1.Shut/Get', same, same, Buffer.alloc(0), metadata, (error) => resolve(error)),
    );
  };
  t.equal(await call(gold), null);
  t.equal((await call('no'))?.code, 16);
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`, { headers: { 'x-api-key': plain } });
  const frames: string[] = [];
  socket.on('message', (data: Buffer) => frames.push(data.toString()));
  let code = 0;
  socket.on('close', (closed) => (code = closed));
  await waitFor(
    () => code !== 0,
    () => 'the end of the socket',
  );
  t.strictSame([code, frames], [1000, ['{"name":"x"}']]);
});

void t.test('limits of rate know the key', async (t) => {
  const proxy = await guarded(t, [], '  rate_limits: { own: { key: "claim:api_key.name", requests: 1, per: 1h } }\n');
  const get = async (key: string): Promise<number> =>
    (await proxy.send('GET /v1/x', { headers: { 'x-api-key': key } })).status;
  t.strictSame([await get(gold), await get(gold), await get(plain)], [200, 429, 200]);
});

void t.test('a key or a token', async (t) => {
  const key = await testKey('one');
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const jwt = `  jwt: { jwks: '${jwks.url}', issuer: issuer, forward_claims: { sub: x-user }, except: [a.v1.Shut.Watch, a.v1.Open.*], require: { a.v1.Shut.Put: { roles: admin } } }\n`;
  const proxy = await guarded(
    t,
    ['forward: { name: x-client }', 'except: [a.v1.Open.*]', 'require: { a.v1.Shut.Put: { plan: gold } }'],
    jwt,
  );
  const bearer = async (claims = {}): Promise<object> => ({ authorization: `Bearer ${await signed(key, claims)}` });
  const rows: readonly [what: string, target: string, headers: object, status: number, seen?: unknown[]][] = [
    ['none', 'GET /v1/x', {}, 401],
    ['a token', 'GET /v1/x', await bearer(), 200, [['ada'], []]],
    ['a key', 'GET /v1/x', { 'x-api-key': gold }, 200, [[], ['mobile']]],
    ['both', 'GET /v1/x', { ...(await bearer()), 'x-api-key': gold }, 200, [['ada'], ['mobile']]],
    ['a bad key beside a token', 'GET /v1/x', { ...(await bearer()), 'x-api-key': 'bad' }, 401],
    ['a bad token beside a key', 'GET /v1/x', { ...(await bearer({ exp: now() - 999 })), 'x-api-key': gold }, 401],
    ['another scheme beside a key', 'GET /v1/x', { authorization: 'Basic YTpi', 'x-api-key': gold }, 200],
    ['a key that does not permit it', 'PUT /v1/x', { 'x-api-key': plain }, 403],
    ['a token that does not', 'PUT /v1/x', await bearer(), 403],
    ['one of them does', 'PUT /v1/x', { ...(await bearer()), 'x-api-key': gold }, 200, [['ada'], ['mobile']]],
    ['the other does', 'PUT /v1/x', { ...(await bearer({ roles: 'admin' })), 'x-api-key': plain }, 200],
    ['an RPC that takes no tokens', 'GET /watch/x', await bearer(), 401],
    ['but keys', 'GET /watch/x', { 'x-api-key': plain }, 200, [[], ['batch']]],
    ['an open one', 'POST /login', {}, 200, [[], []]],
  ];
  for (const [what, target, headers, status, seen] of rows) {
    const body = target.startsWith('GET') ? {} : { body: '{}' };
    const answer = await proxy.send(target, { headers: headers as Record<string, string>, ...body });
    t.equal(answer.status, status, `${what}: ${answer.text}`);
    if (seen === undefined) continue;
    const { metadata } = proxy.service.calls.at(-1)!;
    t.strictSame([metadata.get('x-user'), metadata.get('x-client')], seen, what);
  }
  const none = await proxy.send('GET /v1/x');
  t.match(
    none.text,
    /this needs a token or an API key; expected the header .*Bearer TOKEN\\", or the header .*x-api-key/,
  );
  t.equal(none.headers['www-authenticate'], 'Bearer realm="photongate", ApiKey realm="photongate"');
  const { components, paths } = (await proxy.send('GET /openapi.json')).json as {
    components: { securitySchemes: object };
    paths: Record<string, Record<string, { security?: object; 'x-codeSamples': { source: string }[] }>>;
  };
  t.match(components.securitySchemes, {
    token: { type: 'http', scheme: 'bearer' },
    apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  });
  t.strictSame(paths['/v1/{name}']!['get']!.security, [{ token: [] }, { apiKey: [] }]);
  t.strictSame(paths['/watch/{name}']!['get']!.security, [{ apiKey: [] }]);
  t.match(paths['/watch/{name}']!['get']!['x-codeSamples'][0]!.source, /-H "x-api-key: \$API_KEY"$/);
  t.equal(paths['/login']!['post']!.security, undefined);
  const both = guarded(t, ['header: x-token'], jwt.replace('{ jwks', '{ header: x-token, jwks'));
  const refused: unknown = await both.catch((error: unknown) => error);
  t.match(refused, { problems: [{ code: 'config-conflict', message: /both read the header x-token/ }] });
});

void t.test('the file is read again when it changes, and a bad one changes nothing', async (t) => {
  const folder = t.testdir({ 'a.proto': proto, 'keys.yaml': keyFile() });
  const file = join(folder, 'keys.yaml');
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const names: (string | undefined)[] = [];
  class Names extends SilentObserver {
    override onEnd({ apiKey }: RequestRecord): void {
      names.push(apiKey);
    }
  }
  const config = {
    flags: { proto: ['a.proto'], listen: ['127.0.0.1:0'], options: {} },
    workingDirectory: folder,
  };
  writeFileSync(
    join(folder, 'gate.yaml'),
    `upstreams: { a.v1: '${service.target}' }\npolicies: { api_keys: { file: keys.yaml } }\n`,
  );
  const proxy = await startProxy(loadConfig({ ...config, file: 'gate.yaml' }), { observerFor: () => new Names() });
  const get = async (key: string): Promise<number> =>
    (await send(proxy.urls[0]!, 'GET /v1/x', { headers: { 'x-api-key': key } })).status;
  const events: { outcome: string }[] = [];
  const onEvent = (event: unknown): void => void events.push(event as { outcome: string });
  subscribe('photongate:api-keys', onEvent);
  t.teardown(() => unsubscribe('photongate:api-keys', onEvent));
  const until = (count: number): Promise<void> =>
    waitFor(
      () => events.length === count,
      () => JSON.stringify(events),
    );
  const added = 'added-key-0123456789';
  t.strictSame([await get(gold), await get(added)], [200, 401]);
  writeFileSync(join(folder, 'next.yaml'), `keys: [{ name: new, key: ${added} }]`);
  renameSync(join(folder, 'next.yaml'), file);
  await until(1);
  t.match(events[0], { outcome: 'renewed', keys: 1, problems: [] });
  t.strictSame([await get(gold), await get(added)], [401, 200]);
  writeFileSync(file, `keys: [{ name: new, sha256: ${added} }]`);
  await until(2);
  t.match(events[1], { outcome: 'kept', keys: 1, problems: [{ message: /64 hexadecimal digits/ }] });
  t.notMatch(JSON.stringify(events), added);
  t.equal(await get(added), 200);
  t.equal(proxy.connectionCounts.apiKeyFiles, 1);
  writeFileSync(join(folder, 'gate.yaml'), `upstreams: { a.v1: '${service.target}' }\npolicies: { api_keys: false }\n`);
  await proxy.reload(loadConfig({ ...config, file: 'gate.yaml' }));
  t.equal(await get('none'), 200);
  await waitFor(
    () => proxy.connectionCounts.apiKeyFiles === 0,
    () => 'the file to be let go',
  );
  t.strictSame(new Set(names), new Set(['mobile', 'new', undefined]), 'access logs know the name');
  await proxy.drain();
  writeFileSync(
    join(folder, 'gate.yaml'),
    `upstreams: { a.v1: '${service.target}' }\npolicies: { api_keys: { file: none.yaml } }\n`,
  );
  const failed = await startProxy(loadConfig({ ...config, file: 'gate.yaml' })).catch((error: unknown) => error);
  t.ok(failed instanceof ConfigError);
  t.match(failed, { problems: [{ code: 'api-key-file', message: /none\.yaml is not there/ }] });
});
