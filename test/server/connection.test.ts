/** What one connection may have: requests under way, requests behind its last answer, trailers. Over real sockets. */
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import t, { type Test } from 'tap';
import type { Exchange } from '../../lib/exchange.js';
import type { Listener, ListenerOptions } from '../../lib/server/index.js';
import { StatusError } from '../../lib/status.js';
import { until } from '../support/until.js';
import { Client, connected, readAll, serve, text } from './harness.js';

const get = (path: string, lines = ''): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${lines}\r\n`;

/** A listener whose requests are answered by the test. */
async function holding(
  t: Test,
  options: Partial<ListenerOptions>,
  maxConcurrentRequests?: number,
): Promise<{ listener: Listener; seen: Exchange[]; left: string[] }> {
  const seen: Exchange[] = [];
  const left: string[] = [];
  const hold = (exchange: Exchange): void => {
    seen.push(exchange);
    exchange.onClose(() => left.push(exchange.target));
  };
  const listener = await serve({ '/hold': hold }, options, maxConcurrentRequests);
  t.teardown(() => listener.closeNow());
  return { listener, seen, left };
}

const pipelined = (count: number): string =>
  Array.from({ length: count }, (_, index) => get(`/hold?${index}`)).join('');

const targets = (exchanges: readonly Exchange[]): string[] => exchanges.map(({ target }) => target);
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `/hold?${from + index}`);

void t.test('pipelined requests over max_connection_requests wait, and get their answers in order', async (t) => {
  const { listener, seen } = await holding(t, { maxConnectionRequests: 3 });
  const client = new Client(listener).send(pipelined(10));
  for (let answered = 0; answered < 10; answered++) {
    await until(() => seen.length >= Math.min(10, answered + 3), 'a request');
    await new Promise(setImmediate);
    t.strictSame(targets(seen), numbered(0, Math.min(10, answered + 3)), `${answered} are answered`);
    text(seen[answered]!, `answer ${answered}`);
    await client.until(new RegExp(`answer ${answered}$`));
  }
  client.destroy();
});

void t.test('what waits is not read, and the rest of the connection goes on when it was', async (t) => {
  const { listener, seen } = await holding(t, { maxConnectionRequests: 2 });
  const client = await connected(new Client(listener));
  // More than the buffers of the system hold.
  const count = 300_000;
  client.send(pipelined(count));
  await until(() => seen.length === 2, 'the first requests');
  let answered = 0;
  for (; answered < 1500; answered++) {
    await until(() => seen.length > answered, 'the next request');
    text(seen[answered]!, '');
  }
  await until(() => client.text.split('HTTP/1.1 200').length > 1500, 'the answers');
  t.ok(client.socket.writableLength > 0, 'there are bytes that have not left the client');
  t.ok(seen.length <= answered + 2, `${seen.length} were looked at, ${answered} answered`);
  client.destroy();
});

void t.test('a body behind waiting requests, and one that waits itself', async (t) => {
  const bodies: string[] = [];
  const { listener, seen } = await holding(t, { maxConnectionRequests: 1 });
  const post = `POST /hold?post HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const client = new Client(listener).send(`${get('/hold?0')}${post}`);
  for (let piece = 0; piece < 50; piece++) client.send('3e8\r\n' + 'x'.repeat(1000) + '\r\n');
  client.send('0\r\n\r\n' + get('/hold?2'));
  await until(() => seen.length === 1, 'the first');
  text(seen[0]!, 'first');
  await until(() => seen.length === 2, 'the second');
  void readAll(seen[1]!).then((body) => {
    bodies.push(String((body as Buffer).length));
    text(seen[1]!, 'second');
  });
  await until(() => seen.length === 3, 'the third');
  text(seen[2]!, 'third');
  t.match(await client.until(/third$/), /first[^]*second[^]*third$/);
  t.strictSame(bodies, ['50000']);
  client.destroy();
});

void t.test('a client that leaves ends its calls, also while its connection is not read', async (t) => {
  for (const how of ['close', 'reset', 'half a head']) {
    const { listener, seen, left } = await holding(t, { maxConnectionRequests: 3 });
    const client = await connected(new Client(listener));
    client.send(pipelined(how === 'half a head' ? 2 : 20_000));
    await until(() => seen.length === (how === 'half a head' ? 2 : 3), 'the requests');
    if (how === 'reset') client.socket.resetAndDestroy();
    else client.send('GET /h').destroy();
    await until(() => left.length === seen.length, `the end of ${seen.length} requests (${how})`);
    t.strictSame(left.sort(), numbered(0, seen.length), how);
  }
});

void t.test('a client that leaves while its upload is not read', async (t) => {
  const { listener, seen, left } = await holding(t, {});
  const client = await connected(new Client(listener));
  client.send('POST /hold HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n');
  client.send(Buffer.alloc(20_000_000));
  await until(() => seen.length === 1, 'the request');
  let aborted = false;
  seen[0]!.read({ onData: () => seen[0]!.pause(), onEnd: () => undefined, onAbort: () => (aborted = true) });
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.destroy();
  await until(() => left.length === 1, 'the end of the request');
  t.ok(aborted, 'and of its body');
});

void t.test('a client that did not ask for 100 Continue gets none while its upload waits', async (t) => {
  const { listener, seen } = await holding(t, {});
  const client = await connected(new Client(listener));
  client.send('POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n');
  client.send(Buffer.alloc(20_000_000));
  await until(() => seen.length === 1, 'the request');
  seen[0]!.read({ onData: () => seen[0]!.pause(), onEnd: () => undefined, onAbort: () => undefined });
  // Three looks at the connection.
  await new Promise((resolve) => setTimeout(resolve, 1600));
  t.equal(client.text, '', "Node's fetch takes an unasked one for an error");
  client.destroy();
});

void t.test('one connection cannot take all that a listener serves', async (t) => {
  const { listener, seen } = await holding(t, {}, 10);
  const greedy = new Client(listener).send(pipelined(50));
  await until(() => seen.length === 5, 'the share of one connection');
  const others = [0, 1, 2].map((index) => new Client(listener).send(get(`/hold?other${index}`)));
  await until(() => seen.length === 8, 'the requests of others');
  t.strictSame(targets(seen).slice(5).sort(), ['/hold?other0', '/hold?other1', '/hold?other2']);
  const session = connect(listener.url);
  for (let stream = 0; stream < 10; stream++) {
    session.request({ ':path': `/hold?h2-${stream}` }).on('error', () => undefined);
  }
  await until(() => seen.length === 9, 'one stream of HTTP/2');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(seen.length, 9, 'and no more: one is left for others');
  greedy.destroy();
  await until(() => seen.length > 9, 'more of them when there is room');
  t.match(targets(seen).at(-1), /h2/);
  session.destroy();
  for (const client of others) client.destroy();
});

async function sessionTo(t: Test, listener: Listener): Promise<ClientHttp2Session> {
  const session = connect(listener.url);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

void t.test('HTTP/2: the limit is announced, and held', async (t) => {
  const { listener, seen, left } = await holding(t, { maxConnectionRequests: 3 });
  const session = await sessionTo(t, listener);
  t.equal(session.remoteSettings.maxConcurrentStreams, 3);
  const ended: string[] = [];
  for (let stream = 0; stream < 6; stream++) {
    const request = session.request({ ':path': `/hold?${stream}` });
    request.on('error', () => undefined);
    request.on('end', () => ended.push(String(stream))).resume();
  }
  await until(() => seen.length === 3, 'the first streams');
  text(seen[1]!, 'x');
  await until(() => seen.length === 4, 'the next');
  t.strictSame(ended, ['1']);
  session.destroy();
  await until(() => left.length === seen.length - 1, 'the end of what was under way');
});

void t.test('nothing is looked at behind an answer with "connection: close"', async (t) => {
  const seen: string[] = [];
  const counted = (exchange: Exchange): void => {
    seen.push(exchange.target);
    text(exchange, 'counted');
  };
  const refuse = (status: number) => (exchange: Exchange) => {
    exchange.respond({ status, headers: ['content-length', '2'] });
    exchange.end(Buffer.from('no'));
  };
  const listener = await serve(
    {
      '/counted': counted,
      '/404': refuse(404),
      '/401-late': (exchange) => void setTimeout(() => refuse(401)(exchange), 30),
      '/closes': (exchange) => text(exchange, 'last', ['connection', 'close']),
      '/throws': () => {
        throw new Error('a fault');
      },
      '/breaks': (exchange) => {
        exchange.respond({ status: 200, headers: [] });
        exchange.write(Buffer.from('half'));
        exchange.abort();
      },
    },
    { maxUrlBytes: 100, maxHeaderBytes: 300, maxConnectionRequests: 4 },
  );
  t.teardown(() => listener.closeNow());
  const post = (path: string, lines: string, body = ''): string =>
    `POST ${path} HTTP/1.1\r\nHost: h\r\n${lines}\r\n${body}`;
  // What closes because of its body does so only where that has not come by then.
  const rows: readonly (readonly [what: string, first: string, status: number, isByBody?: true])[] = [
    ['404 before the body', post('/404', 'Content-Length: 5\r\n', 'hello'), 404, true],
    [
      '404 before a body in chunks',
      post('/404', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
      404,
      true,
    ],
    ['400', get('/x', 'Host: other\r\n'), 400],
    ['400 for a fragment', get('/x#y'), 400],
    ['414', get(`/${'x'.repeat(200)}`), 414],
    ['415', post('/404', 'Content-Type: x/y\r\nContent-Length: 2\r\n', '{}'), 404, true],
    ['417', get('/x', 'Expect: 200-ok\r\n'), 417],
    ['431', get('/x', `X: ${'x'.repeat(400)}\r\n`), 431],
    ['501', post('/x', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501],
    ['501 for CONNECT', 'CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n', 501],
    ['400 of the parser', 'GET x HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['a fault', get('/throws'), 500],
    ['an answer that says so', get('/closes'), 200],
    ['a request that says so', get('/x', 'Connection: close\r\n'), 200],
    ['HTTP/1.0', 'GET /x HTTP/1.0\r\nHost: h\r\n\r\n', 200],
    ['a break', get('/breaks'), 200],
  ];
  const behind = get('/counted') + post('/counted', 'Content-Length: 3\r\n', 'abc') + get('/counted');
  for (const [what, first, status, isByBody] of rows) {
    // In one piece, behind others that are answered, behind more than are served at once, and piece by piece.
    for (const before of ['', get('/x'), ...(isByBody ? [] : [get('/x').repeat(10)])]) {
      const client = new Client(listener);
      client.send(before + first + behind.repeat(20));
      await client.close();
      client.destroy();
      const statuses = [...client.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
      const expected = [...Array.from({ length: before.length / get('/x').length }, () => 200), status];
      t.strictSame(statuses, expected, `${what}: the answers`);
    }
    const slow = new Client(listener).send(first);
    await slow.until(/^HTTP\/1\.1 \d{3}/);
    slow.send(behind);
    t.equal(await slow.close(), 'end', `${what}: no reset takes the answer away`);
    slow.destroy();
  }
  t.strictSame(seen, [], 'nothing was looked at');
});

void t.test('what was read before an answer that closes is served', async (t) => {
  const seen: Exchange[] = [];
  const listener = await serve({ '/hold': (exchange) => void seen.push(exchange) });
  t.teardown(() => listener.closeNow());
  const client = new Client(listener).send(`${get('/hold')}${get('/x', 'Expect: no\r\n')}${get('/hold')}`);
  await until(() => seen.length === 1, 'the request before');
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(client.length, 0, 'its answer comes first');
  text(seen[0]!, 'first');
  await client.close();
  t.match(client.text, /^HTTP\/1\.1 200 [^]*firstHTTP\/1\.1 417 /);
  t.equal(seen.length, 1);
});

void t.test('an answer that breaks off behind others lets them end first', async (t) => {
  const seen: Exchange[] = [];
  const listener = await serve({
    '/hold': (exchange) => void seen.push(exchange),
    '/breaks': (exchange) => {
      exchange.respond({ status: 200, headers: [] });
      exchange.write(Buffer.from('half'));
      exchange.abort();
    },
    '/gives-up': (exchange) => exchange.abort(),
  });
  t.teardown(() => listener.closeNow());
  for (const path of ['/breaks', '/gives-up']) {
    const client = new Client(listener).send(`${get('/hold')}${get(path)}`);
    await until(() => seen.length === 1, 'the request before');
    text(seen.pop()!, 'first');
    await client.close();
    t.match(client.text, /^HTTP\/1\.1 200 [^]*first/);
    t.notMatch(client.text, /0\r\n\r\n$/);
  }
});

void t.test('a last answer is not taken away by what the client still sends, nor is that read for ever', async (t) => {
  const listener = await serve({});
  t.teardown(() => listener.closeNow());
  const client = await connected(new Client(listener, { allowHalfOpen: true }));
  client.send(get('/x', 'Expect: no\r\n'));
  const flood = (): void => {
    while (!client.socket.destroyed && client.socket.write(get('/y').repeat(1000)));
  };
  client.socket.on('drain', flood);
  flood();
  await client.until(/^HTTP\/1\.1 417 /);
  await until(() => client.gone || client.socket.writableNeedDrain, 'an end of reading');
  client.destroy();
  t.pass();
});

void t.test('trailers obey the limit of headers', async (t) => {
  const bodies: unknown[] = [];
  const listener = await serve(
    { '/read': (exchange) => void readAll(exchange).then((body) => bodies.push(body)) },
    { maxHeaderBytes: 1000 },
  );
  t.teardown(() => listener.closeNow());
  // Name, value and 4 for the line; up to three times the limit the parsers themselves take.
  for (const [bytes, expected] of [
    [1000, 'taken'],
    [1001, 431],
    [2500, 431],
  ] as const) {
    const value = 'v'.repeat(bytes - 'x-t'.length - 4);
    const client = new Client(listener);
    client.send('POST /read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n');
    client.send(`1\r\na\r\n0\r\nx-t: ${value}\r\n\r\n`);
    const session = await sessionTo(t, listener);
    const stream = session.request({ ':path': '/read', ':method': 'POST' }, { waitForTrailers: true });
    stream.on('error', () => undefined);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-t': value }));
    stream.end('a');
    await until(() => bodies.length === 2, 'both bodies');
    for (const body of bodies.splice(0)) {
      t.equal(body instanceof StatusError ? body.httpStatus : 'taken', expected, `${bytes} bytes`);
      if (body instanceof StatusError) t.match(body.message, /trailers have \d+ bytes.*max_header_bytes/);
    }
    session.destroy();
    client.destroy();
  }
});

void t.test('a fragment in a target is refused, with what to write', async (t) => {
  const listener = await serve({});
  t.teardown(() => listener.closeNow());
  const client = connectTcp(listener.address.port, '127.0.0.1');
  client.write('GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n');
  const [answer] = (await once(client, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 400 [^]*write %23/);
  const session = await sessionTo(t, listener);
  for (const path of ['/a#b', '/a?b=#', '/#']) {
    const stream = session.request({ ':path': path });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    t.equal(headers[':status'], 400, path);
    stream.close(constants.NGHTTP2_CANCEL);
  }
  client.destroy();
});
