/** The contract of `Exchange`: the same tests run over all implementations, most of them over real sockets. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { BodySink, Exchange } from '../../lib/exchange.js';
import type { ListenerOptions, ServedExchange } from '../../lib/server/index.js';
import type { StatusError } from '../../lib/status.js';
import { type Ask, type ClientRequest, type Kind, kinds } from './exchange-clients.js';
import { waitFor } from './harness.js';

/** One request that has reached its handler. */
interface Meeting {
  readonly kind: Kind;
  readonly exchange: Exchange;
  readonly client: ClientRequest;
  /** What listeners and sinks were told, in order. */
  readonly log: string[];
  readonly logged: (entry: string) => Promise<void>;
}

interface Contract extends Ask {
  readonly options?: Partial<ListenerOptions>;
  readonly run: (t: Test, meeting: Meeting) => Promise<void>;
}

const KiB = 1024;
const ok = { status: 200, headers: ['x-a', '1'] };

function sinkTo(log: string[]): BodySink {
  return {
    onData: (chunk) => log.push(`data ${chunk.toString('latin1', 0, 10)}`),
    onEnd: () => log.push('end'),
    onAbort: (error?: StatusError) => log.push(`abort ${error?.httpStatus ?? 'without error'}`),
  };
}

/** Writes until it is asked to wait. */
function fill(exchange: Exchange): number {
  let bytes = 0;
  for (let hasRoom = true; hasRoom; bytes += 64 * KiB) {
    if (bytes > 256 * KiB * KiB) throw new Error('write never returns false');
    hasRoom = exchange.write(Buffer.alloc(64 * KiB, 'x'));
  }
  return bytes;
}

const contracts: Record<string, Contract> = {
  'respond, write, end': {
    async run(t, { exchange, client }) {
      exchange.respond(ok);
      t.equal(exchange.write(Buffer.from('a')), true);
      exchange.write(Buffer.from('b'));
      exchange.end(Buffer.from('c'));
      const head = await client.head;
      t.strictSame([head.status, head.header('x-a')], [200, '1']);
      t.match(await client.body(), { text: 'abc', isWhole: true });
    },
  },
  'a head goes out before the body': {
    async run(t, { exchange, client }) {
      exchange.respond(ok);
      t.equal((await client.head).status, 200);
      exchange.end(Buffer.from('later'));
      t.match(await client.body(), { text: 'later', isWhole: true });
    },
  },
  'bytes before the head are a fault of the caller': {
    async run(t, { exchange, client }) {
      t.throws(() => exchange.write(Buffer.from('a')), TypeError);
      t.throws(() => exchange.end(), TypeError);
      exchange.respond(ok);
      exchange.end(Buffer.from('b'));
      t.match(await client.body(), { text: 'b', isWhole: true });
    },
  },
  'after the end nothing counts': {
    async run(t, { exchange, client, log }) {
      exchange.onClose(() => log.push('close'));
      exchange.respond(ok);
      exchange.respond({ status: 500, headers: [] });
      exchange.end(Buffer.from('first'));
      exchange.end(Buffer.from('second'));
      t.equal(exchange.write(Buffer.from('third')), true);
      exchange.abort();
      exchange.continue();
      exchange.read(sinkTo(log));
      t.equal((await client.head).status, 200);
      t.match(await client.body(), { text: 'first', isWhole: true });
      t.strictSame(log, ['abort without error']);
    },
  },
  'abort: the client sees that the response is incomplete': {
    async run(t, { exchange, client, log }) {
      exchange.onClose(() => log.push('close'));
      exchange.respond(ok);
      exchange.write(Buffer.from('some'));
      exchange.abort();
      exchange.abort();
      t.equal(exchange.write(Buffer.from('more')), true);
      exchange.end(Buffer.from('end'));
      t.match(await client.body(), { text: 'some', isWhole: false });
      t.strictSame(log, []);
    },
  },
  'abort before the head: there is no response': {
    async run(t, { exchange, client }) {
      exchange.abort();
      exchange.respond(ok);
      await t.rejects(client.head);
    },
  },
  'a body that is attached late': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      client.send(Buffer.from('abc'));
      client.finish();
      await sleep(30);
      exchange.read(sinkTo(log));
      await logged('end');
      t.strictSame(log, ['data abc', 'end']);
    },
  },
  'an empty body whose end comes alone, attached late': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      client.finish();
      await sleep(30);
      exchange.read(sinkTo(log));
      await logged('end');
      t.strictSame(log, ['end']);
    },
  },
  'no body': {
    async run(t, { exchange, log, logged }) {
      t.equal(exchange.hasBody, false);
      exchange.read(sinkTo(log));
      t.strictSame(log, [], 'never within the call');
      await logged('end');
    },
  },
  'a body that failed before it is attached': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close'));
      client.send(Buffer.from('abc'));
      client.leave();
      await logged('close');
      exchange.read(sinkTo(log));
      await logged('abort without error');
      t.strictSame(log, ['close', 'abort without error']);
    },
  },
  'the client leaves before the response': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close 1'));
      exchange.onClose(() => log.push('close 2'));
      exchange.read(sinkTo(log));
      client.send(Buffer.from('abc'));
      await logged('data abc');
      client.leave();
      await logged('close 2');
      exchange.onClose(() => log.push('close 3'));
      exchange.respond(ok);
      t.equal(exchange.write(Buffer.from('a')), true);
      exchange.end();
      exchange.abort();
      await logged('close 3');
      t.strictSame(log, ['data abc', 'abort without error', 'close 1', 'close 2', 'close 3']);
    },
  },
  'the client leaves in the middle of the response': {
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close'));
      exchange.respond(ok);
      exchange.write(Buffer.from('a'));
      await client.head;
      client.leave();
      await logged('close');
      exchange.end();
      t.strictSame(log, ['close']);
    },
  },
  'the client leaves after the response': {
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close'));
      (exchange as ServedExchange).onSettled(() => log.push('settled'));
      exchange.respond(ok);
      exchange.end(Buffer.from('a'));
      await client.body();
      client.close();
      await logged('settled');
      t.strictSame(log, ['settled']);
    },
  },
  'pause holds the body back, resume lets it go on': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      const total = 8 * KiB * KiB;
      let received = 0;
      exchange.read({
        onData(chunk) {
          if (received === 0) exchange.pause();
          received += chunk.length;
        },
        onEnd: () => log.push('end'),
        onAbort: () => log.push('abort'),
      });
      for (let sent = 0; sent < total; sent += 64 * KiB) client.send(Buffer.alloc(64 * KiB));
      client.finish();
      await waitFor(
        () => received > 0,
        () => 'the first bytes',
      );
      await sleep(50);
      t.ok(received < total / 2, `${received} bytes came while paused`);
      exchange.resume();
      await logged('end');
      t.equal(received, total);
    },
  },
  'back-pressure: false, then drain': {
    async run(t, { exchange, client, log, logged }) {
      exchange.onDrain(() => log.push('drain 1'));
      exchange.onDrain(() => log.push('drain 2'));
      exchange.respond(ok);
      const bytes = fill(exchange);
      const body = client.body();
      await logged('drain 2');
      exchange.end(Buffer.from('e'));
      t.match(await body, { length: bytes + 1, isWhole: true });
      t.strictSame(log.slice(0, 2), ['drain 1', 'drain 2']);
    },
  },
  'a client that leaves while the response waits for it': {
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close'));
      exchange.onDrain(() => log.push('drain'));
      exchange.respond(ok);
      fill(exchange);
      await client.head;
      client.leave();
      await logged('close');
      t.equal(log.at(-1), 'close', 'no drain for a client that is gone');
    },
  },
  trailers: {
    async run(t, { exchange, client, kind }) {
      exchange.respond(ok);
      exchange.write(Buffer.from('a'));
      exchange.end(Buffer.from('b'), ['x-trailer', 'yes']);
      t.match(await client.body(), { text: 'ab', isWhole: true, trailer: kind.hasTrailers ? 'yes' : undefined });
    },
  },
  'trailers of a response without a body': {
    async run(t, { exchange, client, kind }) {
      exchange.respond(ok);
      exchange.end(undefined, ['x-trailer', 'yes']);
      t.match(await client.body(), { length: 0, isWhole: true, trailer: kind.hasTrailers ? 'yes' : undefined });
    },
  },
  'HEAD has no body': { method: 'HEAD', run: hasNoBody(200) },
  '204 has no body': { run: hasNoBody(204) },
  '304 has no body': { run: hasNoBody(304) },
  'a time-out of the body': {
    method: 'POST',
    hasBody: true,
    options: { idleTimeoutMs: 40 },
    async run(t, { exchange, client, log, logged }) {
      exchange.read(sinkTo(log));
      await logged('abort 408');
      exchange.respond({ status: 408, headers: [] });
      exchange.end();
      t.equal((await client.head).status, 408);
    },
  },
  'a client that reads nothing for write_timeout is disconnected': {
    options: { writeTimeoutMs: 40 },
    async run(t, { exchange, client, log, logged }) {
      exchange.onClose(() => log.push('close'));
      exchange.respond(ok);
      // More than the buffers of the system hold.
      for (let count = 0; count < 512; count++) exchange.write(Buffer.alloc(64 * KiB));
      await client.head;
      await logged('close');
      t.equal((await client.body()).isWhole, false);
    },
  },
  'a sink that throws ends its request only': {
    method: 'POST',
    hasBody: true,
    async run(t, { exchange, client, log, logged }) {
      exchange.respond(ok);
      exchange.write(Buffer.from('a'));
      exchange.read({
        onData() {
          log.push('data');
          throw new Error('a fault of the sink');
        },
        onEnd: () => log.push('end'),
        onAbort: () => log.push('abort'),
      });
      const body = client.body();
      client.send(Buffer.from('abc'));
      await logged('data');
      t.equal((await body).isWhole, false);
      t.strictSame(log, ['data']);
    },
  },
  'a listener of drain that throws breaks the response off': {
    async run(t, { exchange, client }) {
      exchange.onDrain(() => {
        throw new Error('a fault of the listener');
      });
      exchange.respond(ok);
      fill(exchange);
      t.equal((await client.body()).isWhole, false);
    },
  },
  'a listener of close that throws does not keep the others from theirs': {
    async run(_, { exchange, client, logged, log }) {
      exchange.onClose(() => {
        throw new Error('a fault of the listener');
      });
      exchange.onClose(() => log.push('close'));
      (exchange as ServedExchange).onSettled(() => log.push('settled'));
      client.leave();
      await logged('close');
      await logged('settled');
    },
  },
};

function hasNoBody(status: number): Contract['run'] {
  return async (t, { exchange, client }) => {
    exchange.respond({ status, headers: [] });
    t.equal(exchange.write(Buffer.from('a')), true);
    exchange.end(Buffer.from('b'));
    t.equal((await client.head).status, status);
    t.match(await client.body(), { length: 0, isWhole: true });
  };
}

for (const kind of kinds) {
  void t.test(kind.name, async (t) => {
    for (const [name, contract] of Object.entries(contracts)) {
      await t.test(name, async (t) => {
        let exchange: Exchange | undefined;
        const server = await kind.open((given) => (exchange = given), contract.options ?? {});
        t.teardown(() => server.close());
        const client = server.ask(contract);
        t.teardown(() => client.close());
        await waitFor(
          () => exchange !== undefined,
          () => 'the request',
        );
        const log: string[] = [];
        const logged = (entry: string): Promise<void> =>
          waitFor(
            () => log.includes(entry),
            () => `"${entry}" in ${log.join(', ')}`,
          );
        await contract.run(t, { kind, exchange: exchange!, client, log, logged });
      });
    }
  });
}

/** Sends requests at once and returns what comes until the server closes, or until the pattern is there. */
async function pipelined(port: number, requests: string, pattern?: RegExp): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined).on('close', () => (isClosed = true));
  socket.write(requests);
  await waitFor(
    () => isClosed || pattern?.test(text) === true,
    () => `the end of ${JSON.stringify(text)}`,
  );
  socket.destroy();
  return text;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

function answer(exchange: Exchange, headers: readonly string[] = []): void {
  const body = Buffer.from(`<${exchange.target}>`);
  exchange.respond({ status: 200, headers: ['content-length', String(body.length), ...headers] });
  exchange.end(body);
}

for (const kind of kinds.filter(({ isHttp1 }) => isHttp1)) {
  void t.test(`${kind.name}: pipelining`, async (t) => {
    await t.test('responses keep the order of their requests', async (t) => {
      const waiting: Exchange[] = [];
      const server = await kind.open((exchange) => {
        waiting.push(exchange);
        if (waiting.length === 3) for (const one of [...waiting].reverse()) answer(one);
      }, {});
      t.teardown(() => server.close());
      const text = await pipelined(server.port, get('/1') + get('/2') + get('/3'), /<\/3>/);
      t.strictSame(text.match(/<[^>]*>/g), ['</1>', '</2>', '</3>']);
    });
    await t.test('max_connection_requests: further requests wait for their turn', async (t) => {
      const started: Exchange[] = [];
      const server = await kind.open((exchange) => void started.push(exchange), { maxConnectionRequests: 1 });
      t.teardown(() => server.close());
      const all = pipelined(server.port, get('/1') + get('/2'), /<\/2>/);
      for (const count of [1, 2]) {
        await waitFor(
          () => started.length === count,
          () => `${count} requests`,
        );
        await sleep(20);
        t.equal(started.length, count);
        started.slice(-1).forEach((exchange) => answer(exchange));
      }
      t.strictSame((await all).match(/<[^>]*>/g), ['</1>', '</2>']);
    });
    await t.test('after a response with "connection: close" nothing is answered', async (t) => {
      const targets: string[] = [];
      const server = await kind.open((exchange) => {
        targets.push(exchange.target);
        answer(exchange, exchange.target === '/2' ? ['connection', 'close'] : []);
      }, {});
      t.teardown(() => server.close());
      const text = await pipelined(server.port, get('/1') + get('/2') + get('/3'));
      t.strictSame(text.match(/<[^>]*>/g), ['</1>', '</2>']);
      t.strictSame(targets, ['/1', '/2']);
    });
    await t.test('a client that leaves: all requests under way are told', async (t) => {
      const closed: string[] = [];
      let count = 0;
      const server = await kind.open((exchange) => {
        count++;
        exchange.onClose(() => closed.push(exchange.target));
      }, {});
      t.teardown(() => server.close());
      const socket = connect({ port: server.port, host: '127.0.0.1' });
      socket.write(get('/1') + get('/2'));
      await waitFor(
        () => count === 2,
        () => 'two requests',
      );
      socket.resetAndDestroy();
      await waitFor(
        () => closed.length === 2,
        () => `two closes: ${closed.join(', ')}`,
      );
      t.strictSame(closed, ['/1', '/2']);
    });
  });
}
