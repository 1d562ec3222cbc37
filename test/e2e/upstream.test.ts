/** Towards services: which client speaks with them, and how long they are waited for. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { settingsOf } from '../../lib/cli/flags.js';
import { packageVersion } from '../../lib/installation.js';
import { peerServer, settings } from '../support/http2-peer.js';
import { send, startTestProxy, type TestResponse } from '../support/proxy.js';
import { upstreamClients } from '../support/upstream-client.js';
import { rawService } from '../upstream/service.js';

const proto = `
syntax = "proto3";
package u.v1;
import "google/api/annotations.proto";
service U { rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; } }
message Message { string name = 1; }
`;

/** A proxy with flags of its own in front of any target. */
async function ask(t: Test, flags: Record<string, string>, methodAndTarget: string): Promise<TestResponse> {
  return send((await serve(t, flags)).urls[0]!, methodAndTarget);
}

async function serve(t: Test, flags: Record<string, string>): Promise<RunningProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  writeFileSync(join(folder, 'test.proto'), proto);
  const given = settingsOf({ proto: ['test.proto'], listen: ['127.0.0.1:0'], ...flags });
  const proxy = await startProxy(loadConfig({ flags: given, workingDirectory: folder }));
  t.teardown(async () => {
    await proxy.drain();
    rmSync(folder, { recursive: true });
  });
  return proxy;
}

void t.test('upstream_client: the same answers, and who the service takes us for', async (t) => {
  for (const client of upstreamClients) {
    const proxy = await startTestProxy(proto, settingsOf({ 'upstream-client': client }).options);
    t.teardown(() => proxy.close());
    const agentOf = async (headers: Record<string, string>): Promise<unknown> => {
      t.match(await proxy.send('GET /v1/a', { headers }), { status: 200, json: { name: 'a' } });
      return proxy.service.calls.at(-1)!.metadata.get('user-agent')[0];
    };
    const [own, bare] = [await agentOf({ 'user-agent': 'curl/8.5.0' }), await agentOf({})];
    if (client === 'native') t.strictSame([own, bare], ['curl/8.5.0', `photongate/${packageVersion()}`]);
    else t.match([own, bare], [/^photongate\/\S+ grpc-node-js/, /^photongate\/\S+ grpc-node-js/]);
  }
});

void t.test('connect_timeout: a service that takes the connection and says nothing', async (t) => {
  const taken: Socket[] = [];
  const silent = createServer((socket) => taken.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => {
    for (const socket of taken) socket.destroy();
    silent.close();
  });
  const target = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  for (const client of upstreamClients) {
    const flags = { upstream: target, 'upstream-client': client, 'connect-timeout': '150ms' };
    t.match(await ask(t, flags, 'GET /v1/a'), {
      status: 503,
      json: { code: 14, message: 'no connection to the service within 0.15s' },
    });
  }
});

void t.test('health_timeout: the deadline of health checks', async (t) => {
  const seen: unknown[] = [];
  const { target, server } = await rawService((stream, headers) => {
    if (headers[':path'] === '/grpc.health.v1.Health/Check') seen.push(headers['grpc-timeout']);
    if (seen.length > 1) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 12 }, { endStream: true });
  });
  t.teardown(() => server.close());
  t.match(await ask(t, { upstream: target }, 'GET /health'), { status: 200 });
  t.match(await ask(t, { upstream: target, 'health-timeout': '150ms' }, 'GET /health'), { status: 503 });
  t.strictSame(seen, ['3000m', '150m']);
});

void t.test('load_balancing_policy: round_robin calls all addresses of a target', async (t) => {
  const seen: number[] = [];
  const targets: string[] = [];
  for (const index of [0, 1]) {
    const { target, server } = await rawService((stream) => {
      seen.push(index);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 5 }, { endStream: true });
    });
    targets.push(target);
    t.teardown(() => server.close());
  }
  for (const [policy, count] of [
    ['pick_first', 1],
    ['round_robin', 2],
  ] as const) {
    const flags = { upstream: `ipv4:${targets.join()}`, 'load-balancing-policy': policy };
    const proxy = await serve(t, flags);
    t.match(await send(proxy.urls[0]!, 'GET /v1/a'), { status: 404 });
    seen.length = 0;
    // The second address may still be on its way.
    for (let calls = 0; calls < 200 && new Set(seen).size < 2; calls++) await send(proxy.urls[0]!, 'GET /v1/a');
    t.equal(new Set(seen).size, count, policy);
  }
});

void t.test('upstream_keepalive_time, upstream_keepalive_timeout: a service that is stopped is noticed', async (t) => {
  // It takes the call and never says a word again.
  const silent = await peerServer((peer) => peer.send(settings()));
  t.teardown(() => silent.close());
  const flags = { upstream: silent.target, 'upstream-keepalive-time': '50ms', 'upstream-keepalive-timeout': '100ms' };
  const reason = 'broke before the call ended: it did not answer a PING within 0.1s';
  t.match(await ask(t, flags, 'GET /v1/a'), {
    status: 503,
    json: { code: 14, message: `the connection to the service ${reason}` },
  });
});

void t.test(
  'initial_reconnect_backoff, max_reconnect_backoff: calls in between fail at once, with the reason',
  async (t) => {
    for (const client of upstreamClients) {
      const gone = createServer().listen(0, '127.0.0.1');
      await once(gone, 'listening');
      const { port } = gone.address() as AddressInfo;
      gone.close();
      const backoff = { 'initial-reconnect-backoff': '1h', 'max-reconnect-backoff': '1h' };
      const flags = { upstream: `127.0.0.1:${port}`, 'upstream-client': client };
      const message = 'cannot connect to the service: connection refused';
      const [long, short] = [await serve(t, { ...flags, ...backoff }), await serve(t, flags)];
      for (const { urls } of [long, short])
        t.match(await send(urls[0]!, 'GET /v1/a'), { status: 503, json: { message } });
      const { server } = await rawService((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 5 }, { endStream: true });
      }, port);
      t.teardown(() => server.close());
      while ((await send(short.urls[0]!, 'GET /v1/a')).status === 503);
      t.match(await send(long.urls[0]!, 'GET /v1/a'), { status: 503, json: { message } });
    }
  },
);

void t.test('headers that a service does not take are 431', async (t) => {
  const { target, server } = await rawService((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 5 }, { endStream: true });
  });
  server.updateSettings({ maxHeaderListSize: 2000 });
  t.teardown(() => server.close());
  const proxy = await serve(t, { upstream: target });
  const response = await send(proxy.urls[0]!, 'GET /v1/a', { headers: { 'x-big': 'b'.repeat(3000) } });
  t.match(response, {
    status: 431,
    json: { code: 8, message: /takes 2000 at most; the largest is "x-big" of 3037 bytes/ },
  });
  t.match(await send(proxy.urls[0]!, 'GET /v1/a'), { status: 404 });
});
