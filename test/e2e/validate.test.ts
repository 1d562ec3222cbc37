/** Requests that break rules of buf.validate are refused before the service is called, by every protocol. */
import { once } from 'node:events';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import t from 'tap';
import { WebSocket } from 'ws';
import { parseStatusDetails } from '../../lib/metadata/index.js';
import { ConfigError } from '../../lib/status.js';
import { startTestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package r.v1;
import "google/api/annotations.proto";
import "buf/validate/validate.proto";
service R {
  rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/things/{display_name}" }; }
  rpc Make(Thing) returns (Thing) { option (google.api.http) = { post: "/things" body: "*" }; }
  rpc Send(stream Thing) returns (Thing) { option (google.api.http) = { post: "/send" body: "*" }; }
}
message Thing {
  string display_name = 1 [(buf.validate.field).string.min_len = 2];
  repeated Part parts = 2;
}
message Part { int32 size = 1 [(buf.validate.field).int32.gt = 0]; }
`;

const json = { 'content-type': 'application/json' };
const connectJson = { ...json, 'connect-protocol-version': '1' };

void t.test('REST', async (t) => {
  const proxy = await startTestProxy(proto, { validate: 'rest' });
  t.teardown(() => proxy.close());
  t.match(await proxy.send('GET /things/ab'), { status: 200, json: { displayName: 'ab' } });
  t.match(await proxy.send('GET /things/a'), {
    status: 400,
    json: {
      code: 3,
      message: 'displayName: must be at least 2 characters',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [
            { field: 'displayName', description: 'must be at least 2 characters', reason: 'string.min_len' },
          ],
        },
      ],
    },
  });
  const body = JSON.stringify({ displayName: 'ab', parts: [{ size: 1 }, {}] });
  t.match(await proxy.send('POST /things', { headers: json, body }), {
    status: 400,
    json: { message: 'parts[1].size: must be greater than 0' },
  });
  t.equal(proxy.service.calls.length, 1, 'what is refused calls nobody');
  const connect = await proxy.send('POST /r.v1.R/Make', { headers: connectJson, body });
  t.equal(connect.status, 200, 'rest: Connect passes');
});

void t.test('tools of agents', async (t) => {
  const proxy = await startTestProxy(proto, { validate: 'rest', mcp: true });
  t.teardown(() => proxy.close());
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call' };
  for (const [displayName, isError] of [
    ['a', true],
    ['ab', undefined],
  ] as const) {
    const params = { name: 'R_Make', arguments: { displayName } };
    const answer = await proxy.send('POST /mcp', {
      headers: { ...json, accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
      body: JSON.stringify({ ...call, params }),
    });
    t.match(answer.json, { result: isError === true ? { isError } : { structuredContent: { displayName } } });
  }
  t.equal(proxy.service.calls.length, 1);
});

void t.test('off: nothing is checked', async (t) => {
  const proxy = await startTestProxy(proto);
  t.teardown(() => proxy.close());
  t.equal((await proxy.send('GET /things/a')).status, 200);
});

/** `{"displayName":"a"}` and `{"displayName":"ab"}`. */
const bad = Buffer.from('0a0161', 'hex');
const good = Buffer.from('0a026162', 'hex');

void t.test('all: Connect, gRPC-Web and gRPC', async (t) => {
  const proxy = await startTestProxy(proto, { validate: 'all' });
  t.teardown(() => proxy.close());
  const connect = await proxy.send('POST /r.v1.R/Make', {
    headers: connectJson,
    body: '{"displayName":"a"}',
  });
  t.match(connect, {
    status: 400,
    json: { code: 'invalid_argument', details: [{ type: 'buf.validate.Violations' }, {}] },
  });
  const frame = (message: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  const web = await proxy.send('POST /r.v1.R/Make', {
    headers: { 'content-type': 'application/grpc-web' },
    body: frame(bad),
  });
  t.match(web.headers['grpc-status'] ?? web.text, /3/);
  t.match(web.headers['grpc-message'] ?? web.text, /displayName: must be at least 2 characters/);
  t.equal(proxy.service.calls.length, 0);

  const call = (message: Buffer, gzip: boolean): Promise<Buffer | ServiceError> =>
    new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes;
      const options = gzip ? { 'grpc.default_compression_algorithm': 2 } : {};
      const own = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure(), options);
      own.makeUnaryRequest('/r.v1.R/Make', same, same, message, (error, answer) => {
        own.close();
        resolve(error ?? answer ?? Buffer.alloc(0));
      });
    });
  for (const gzip of [false, true]) {
    const refused = await call(bad, gzip);
    t.match(refused, { code: 3, details: 'displayName: must be at least 2 characters' }, `gzip: ${gzip}`);
    if (refused instanceof Error) {
      const [status] = refused.metadata.get('grpc-status-details-bin');
      const types = parseStatusDetails(status as Buffer).map(({ typeUrl }) => typeUrl.split('/')[1]);
      t.same(types, ['buf.validate.Violations', 'google.rpc.BadRequest']);
    }
    t.same(await call(good, gzip), good, `gzip: ${gzip}`);
  }
  t.equal(proxy.service.calls.length, 2, 'what is refused calls nobody');
});

void t.test('each message of a stream, and of a WebSocket', async (t) => {
  const proxy = await startTestProxy(proto, { validate: 'rest' });
  t.teardown(() => proxy.close());
  const lines = { 'content-type': 'application/x-ndjson' };
  const stream = await proxy.send('POST /send', {
    headers: lines,
    body: '{"displayName":"ab"}\n{"displayName":"a"}\n',
  });
  t.match(stream, { status: 400, json: { message: 'message 2: displayName: must be at least 2 characters' } });
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/send`);
  await once(socket, 'open');
  socket.send('{"displayName":"a"}');
  const [data] = (await once(socket, 'message')) as [Buffer];
  t.match(JSON.parse(data.toString()), { error: { code: 3, message: 'displayName: must be at least 2 characters' } });
  await once(socket, 'close');
});

void t.test('a rule that cannot be applied stops the start, with its place', async (t) => {
  const wrong = proto.replace('int32.gt = 0', 'string.min_len = 1');
  const problems = await startTestProxy(wrong, { validate: 'rest' }).then(
    () => [],
    (error: unknown) => (error instanceof ConfigError ? error.problems : [error]),
  );
  const message = /^r\.v1\.Part\.size: the rules of string do not fit/;
  t.match(problems, [{ code: 'validation-rule', message, place: { line: 15 } }]);
  const proxy = await startTestProxy(wrong);
  await proxy.close();
});
