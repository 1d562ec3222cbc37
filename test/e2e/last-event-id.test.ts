/** Last-Event-ID: a stream of events is cut, and the standard client goes on where it was, without a gap. */
import { EventSource } from 'eventsource';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ConfigError } from '../../lib/status.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = (sse: string) => `
syntax = "proto3";
package l.v1;
import "google/api/annotations.proto";
import "photongate/http.proto";
service L {
  rpc Watch(WatchRequest) returns (stream Event) {
    option (google.api.http) = { get: "/watch/{name}" additional_bindings { post: "/watch/{name}" body: "*" } };
    option (photongate.http) = { sse { ${sse} } };
  }
}
message WatchRequest {
  string name = 1;
  int64 start_revision = 2;
  string token = 3;
  oneof from { Create create = 4; string cursor = 5; }
}
message Create { int64 start = 1; }
message Event { int64 revision = 1; string token = 2; }
`;

async function withProxy(t: Test, sse: string, options: Parameters<typeof startTestProxy>[1] = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto(sse), options);
  t.teardown(() => proxy.close());
  return proxy;
}

/** What stands between client and proxy, for a test to cut. */
async function startRelay(t: Test, port: number): Promise<{ readonly url: string; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => sockets.forEach((socket) => socket.resetAndDestroy());
  t.teardown(() => {
    server.close();
    cut();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}

/** The fields 1 and 2 of a message, if they are numbers below 128 and short texts. */
const event = (revision: number): Buffer => Buffer.from([8, revision]);

void t.test('an EventSource that is cut three times sees each event once', async (t) => {
  const proxy = await withProxy(t, 'id: "revision" last_event_id: "start_revision" next: true', { sseRetryMs: 5 });
  const relay = await startRelay(t, proxy.port);
  const starts: number[] = [];
  // Sends four events from where the client asks, and then waits.
  proxy.service.answer = ({ message }) => {
    const at = message.lastIndexOf(0x10);
    const start = at < 0 ? 1 : message[at + 1]!;
    starts.push(start);
    return {
      drive: (call) => {
        for (let revision = start; revision < start + 4 && revision <= 16; revision++) call.write(event(revision));
      },
    };
  };
  const seen: number[] = [];
  const source = new EventSource(`${relay.url}/watch/a?start_revision=1`);
  t.teardown(() => source.close());
  await new Promise<void>((resolve) => {
    source.addEventListener('message', ({ data, lastEventId }) => {
      const { revision } = JSON.parse(data as string) as { revision: string };
      if (revision !== lastEventId) t.fail('the id is the revision');
      seen.push(Number(revision));
      if (seen.length === 16) resolve();
      else if (seen.length % 4 === 0) relay.cut();
    });
  });
  t.strictSame(
    seen,
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  t.strictSame(starts, [1, 5, 9, 13]);
});

void t.test('what the service gets', async (t) => {
  const numbers = await withProxy(t, 'id: "revision" last_event_id: "start_revision" next: true');
  const texts = await withProxy(t, 'id: "token" last_event_id: "token"');
  const inner = await withProxy(t, 'id: "revision" last_event_id: "create.start"');
  const sent = async (proxy: TestProxy, request: string, id: string | undefined, body?: string) => {
    const before = proxy.service.calls.length;
    const headers = {
      accept: 'text/event-stream',
      ...(id === undefined ? {} : { 'last-event-id': id }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await proxy.send(request, { headers, ...(body === undefined ? {} : { body }) });
    const call = proxy.service.calls[before];
    return call === undefined
      ? `${answer.status} ${(answer.json as { message: string }).message}`
      : call.message.toString('latin1');
  };
  const rows: readonly [proxy: TestProxy, request: string, id: string | undefined, expected: string, body?: string][] =
    [
      [numbers, 'GET /watch/a', '7', '\x0a\x01a\x10\x08'],
      [numbers, 'GET /watch/a?start_revision=1', '7', '\x0a\x01a\x10\x08'],
      [numbers, 'GET /watch/a?start_revision=1', '', '\x0a\x01a\x10\x01'],
      [numbers, 'GET /watch/a?start_revision=1', undefined, '\x0a\x01a\x10\x01'],
      [numbers, 'POST /watch/a', '7', '\x0a\x01a\x10\x08', '{"start_revision":1}'],
      [numbers, 'POST /watch/a', '7', '\x1a\x01z\x0a\x01a\x10\x08', '{"token":"z"}'],
      [numbers, 'GET /watch/a', 'x', '400 header last-event-id: found "x", expected the id of an event, a number'],
      [numbers, 'GET /watch/a', '9223372036854775807', '400 header last-event-id: '],
      [texts, 'GET /watch/a?token=old', 'new id', '\x0a\x01a\x1a\x06new id'],
      [inner, 'GET /watch/a?create.start=1', '7', '\x0a\x01a"\x02\x08\x07'],
      [inner, 'POST /watch/a', '7', '\x0a\x01a"\x02\x08\x07', '{"create":{"start":1}}'],
      [inner, 'GET /watch/a?cursor=c', '7', '400 cursor: '],
      [inner, 'POST /watch/a', '7', '400 header last-event-id: sets the oneof "from"', '{"cursor":"c"}'],
    ];
  for (const [proxy, request, id, expected, body] of rows) {
    const found = await sent(proxy, request, id, body);
    t.equal(found.slice(0, expected.length), expected, `${request} ${id} ${body ?? ''}: ${found}`);
  }
});

void t.test('sse_retry', async (t) => {
  const proxy = await withProxy(t, 'id: "revision"', { sseRetryMs: 1500 });
  const get = async (accept: string) => (await proxy.send('GET /watch/a', { headers: { accept } })).text;
  t.match(await get('text/event-stream'), /^retry: 1500\n\n.*data: /s);
  t.notMatch(await get('application/x-ndjson'), /retry/);
  t.notMatch(
    await (
      await withProxy(t, 'id: "revision"')
    )
      .send('GET /watch/a', { headers: { accept: 'text/event-stream' } })
      .then(({ text }) => text),
    /retry/,
  );
});

void t.test('what cannot work is an error at the start', async (t) => {
  for (const [sse, message] of [
    ['id: "revision" last_event_id: "nope"', /sse.last_event_id: .* has no field "nope"/],
    ['id: "revision" last_event_id: "name"', /"name" is bound by the path/],
    ['id: "revision" last_event_id: "token" next: true', /"token" of type string, expected an integer/],
    ['id: "revision" next: true', /sse.next is given without last_event_id/],
    ['last_event_id: "token"', /events have no id/],
  ] as const) {
    const error: unknown = await startTestProxy(proto(sse)).catch((thrown: unknown) => thrown);
    t.ok(error instanceof ConfigError && message.test(error.message), `${sse}: ${String(error)}`);
  }
});
