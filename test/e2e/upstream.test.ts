/** Towards services: which client speaks with them, and how long they are waited for. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { settingsOf } from '../../lib/cli/flags.js';
import { packageVersion } from '../../lib/version.js';
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
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  writeFileSync(join(folder, 'test.proto'), proto);
  const settings = settingsOf({ proto: ['test.proto'], listen: ['127.0.0.1:0'], ...flags });
  const proxy = await startProxy(loadConfig({ flags: settings, workingDirectory: folder }));
  t.teardown(async () => {
    await proxy.drain();
    rmSync(folder, { recursive: true });
  });
  return send(proxy.urls[0]!, methodAndTarget);
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
      json: { code: 14, message: `no connection to ${target} within 0.15s` },
    });
  }
});

void t.test('health_timeout: the deadline of health checks', async (t) => {
  const seen: unknown[] = [];
  const { target, server } = await rawService((stream, headers) => {
    seen.push(headers['grpc-timeout']);
    if (seen.length > 1) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': 12 }, { endStream: true });
  });
  t.teardown(() => server.close());
  t.match(await ask(t, { upstream: target }, 'GET /health'), { status: 200 });
  t.match(await ask(t, { upstream: target, 'health-timeout': '150ms' }, 'GET /health'), { status: 503 });
  t.strictSame(seen, ['3000m', '150m']);
});
