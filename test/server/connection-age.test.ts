/** Connections that give way to new ones when they are old: no request is lost, and what takes too long is cut. */
import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import t from 'tap';
import type { Exchange } from '../../lib/exchange.js';
import { Client, connected, serve, text, waitFor } from './harness.js';

const age = { maxConnectionAgeMs: 20 };

void t.test('HTTP/1.1: an idle connection is kept, and its next answer is the last', async (t) => {
  const listener = await serve({}, age);
  t.teardown(() => listener.closeNow());
  const client = await connected(new Client(listener));
  while (client.closed === undefined) {
    const before = client.length;
    client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(
      () => client.length > before,
      () => 'an answer',
    );
    const isLast = /connection: close/i.test(client.text);
    if (isLast) break;
  }
  t.equal(await client.close(), 'end');
  t.match(client.text, /HTTP\/1\.1 200[^]*connection: close[^]*GET \/a$/i);
});

void t.test('HTTP/1.1: a request under way is answered, for as long as it likes without a grace', async (t) => {
  const held: Exchange[] = [];
  const listener = await serve({ '/held': (exchange) => void held.push(exchange) }, age);
  t.teardown(() => listener.closeNow());
  const old = await connected(new Client(listener));
  old.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
  // Another connection of the same age has its last answer: the age of the first is over, too.
  const other = new Client(listener);
  while (!/connection: close/i.test(other.text)) {
    const before = other.length;
    other.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(
      () => other.length > before,
      () => 'an answer',
    );
  }
  t.equal(old.closed, undefined);
  text(held[0]!, 'late');
  t.equal(await old.close(), 'end');
  t.match(old.text, /late$/);
});

void t.test('HTTP/1.1: after the grace a request is cut', async (t) => {
  const listener = await serve({ '/held': () => undefined }, { ...age, maxConnectionAgeGraceMs: 20 });
  t.teardown(() => listener.closeNow());
  const client = await connected(new Client(listener));
  client.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(await client.close(), 'reset');
});

void t.test('HTTP/2: GOAWAY that refuses nothing, then one with the last stream; streams end well', async (t) => {
  const held: Exchange[] = [];
  const listener = await serve({ '/held': (exchange) => void held.push(exchange) }, age);
  t.teardown(() => listener.closeNow());
  const client = connect(listener.url);
  const lastStreams: number[] = [];
  client.on('goaway', (code: number, lastStream: number) => {
    t.equal(code, constants.NGHTTP2_NO_ERROR);
    lastStreams.push(lastStream);
  });
  const stream = client.request({ ':path': '/held' });
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  await waitFor(
    () => lastStreams.length === 2 && held.length === 1,
    () => `two frames, found ${lastStreams.length}`,
  );
  t.strictSame(lastStreams, [2 ** 31 - 1, 1]);
  t.notOk(client.destroyed);
  text(held[0]!, 'late');
  await once(client, 'close');
  t.equal(body, 'late');
});

void t.test('HTTP/2: after the grace a stream is cut', async (t) => {
  const listener = await serve({ '/held': () => undefined }, { ...age, maxConnectionAgeGraceMs: 20 });
  t.teardown(() => listener.closeNow());
  const client = connect(listener.url);
  client.on('error', () => undefined);
  const stream = client.request({ ':path': '/held' });
  stream.on('error', () => undefined);
  await waitFor(
    () => stream.closed,
    () => 'the end of the stream',
  );
  t.not(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  await waitFor(
    () => client.destroyed,
    () => 'the end of the connection',
  );
});

void t.test('without an age nothing happens', async (t) => {
  const listener = await serve({});
  t.teardown(() => listener.closeNow());
  const client = await connected(new Client(listener));
  client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until(/GET \/a$/);
  t.notMatch(client.text, /connection: close/i);
  client.destroy();
});
