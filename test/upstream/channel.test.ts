/** `Channel` and `Call` on grpc-js, against a real service and against servers that break off. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Call, Channel, Metadata } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import type { UpstreamOptions } from '../../lib/upstream/index.js';
import { encodeFrame } from '../../lib/wire/index.js';
import { callOnce, ClientPool, grpcMetadata, grpcService, rawService, testClients, type BytesCall } from './service.js';

const none = Buffer.alloc(0);
const big = Buffer.alloc(16 * 1024, 1);

/** What the service saw. */
const seen = { cancelled: 0, ended: 0, written: 0, received: 0 };

function echo(call: BytesCall): void {
  call.on('data', (bytes: Buffer) => call.write(bytes));
  call.on('end', () => call.end());
}

function flood(call: BytesCall): void {
  call.on('cancelled', () => seen.cancelled++);
  let left = 2000;
  seen.written = 0;
  const more = (): void => {
    while (left > 0) {
      left--;
      seen.written++;
      if (!call.write(big)) return void call.once('drain', more);
    }
    call.end();
  };
  more();
}

const handlers: Record<string, (call: BytesCall) => void> = {
  Echo: echo,
  Flood: flood,
  Mirror(call) {
    const trailers = call.metadata.clone();
    call.sendMetadata(call.metadata);
    call.end(trailers);
    call.resume();
  },
  Fail(call) {
    const metadata = grpcMetadata(
      ['grpc-status-details-bin', Buffer.from([8, 5])],
      ['x-reason', 'a'],
      ['x-reason', 'b'],
    );
    call.emit('error', { code: 5, details: 'no shelf "é" %', metadata });
  },
  FailBare: (call) => void call.emit('error', { code: 1, details: 'the service gave up' }),
  Hang(call) {
    call.on('cancelled', () => seen.cancelled++);
    call.on('end', () => seen.ended++);
    call.resume();
  },
  SlowRead(call) {
    seen.received = 0;
    call.on('cancelled', () => seen.cancelled++);
    call.once('readable', () => undefined);
    setTimeout(() => {
      call.on('data', () => seen.received++);
      call.on('end', () => call.end());
    }, 300);
  },
};

testClients('calls to a service', async (t, client) => {
  const { target, server } = await grpcService(handlers);
  const pool = new ClientPool(client);
  t.teardown(() => {
    pool.close();
    server.forceShutdown();
  });
  const channel = pool.open(target);
  t.equal(await channel.connect(2000), true, 'connect');

  await t.test('unary: headers, one message, OK', async (t) => {
    const outcome = await callOnce(channel, { method: 'Echo', send: [Buffer.from('hello')] });
    t.match(outcome, { code: 0, headers: [], messages: [Buffer.from('hello')], trailers: [] });
  });

  await t.test('many messages keep their order, empty ones too', async (t) => {
    const send = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 40, index));
    t.strictSame((await callOnce(channel, { method: 'Echo', send })).messages, send);
  });

  await t.test('metadata in both directions', async (t) => {
    const outcome = await callOnce(channel, {
      method: 'Mirror',
      metadata: [
        ['x-a', '1'],
        ['x-a', '2'],
        ['x-empty', ''],
        ['x-bytes-bin', Buffer.from([0, 255, 44])],
        ['x-bytes-bin', Buffer.from([1])],
        ['authorization', 'Bearer x'],
        // What metadata cannot carry, or what belongs to the transport, is dropped.
        [':path', '/other'],
        ['x y', '1'],
        ['x:y', '1'],
        ['content-length', '3'],
        ['connection', 'close'],
        ['te', 'gzip'],
        ['host', 'h'],
        ['grpc-timeout', '1n'],
      ],
      send: [],
    });
    // HTTP/2 joins the values of a name that is given twice.
    const expected = [
      ['authorization', 'Bearer x'],
      ['x-a', '1, 2'],
      ['x-bytes-bin', Buffer.from([0, 255, 44])],
      ['x-bytes-bin', Buffer.from([1])],
      ['x-empty', ''],
    ];
    const own = (entries: Metadata) =>
      entries
        .filter(([name]) => name !== 'user-agent' && name !== 'accept-encoding')
        .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    t.equal(outcome.code, 0);
    t.strictSame(own(outcome.headers!), expected);
    t.strictSame(own(outcome.trailers), expected);
    t.ok(outcome.headers!.every(([name, value]) => name.endsWith('-bin') === Buffer.isBuffer(value)));
  });

  await t.test('values that metadata cannot carry fail that call alone', async (t) => {
    let other!: Call;
    const hanging = callOnce(channel, { method: 'Echo', onStart: (call) => (other = call) });
    const cases: readonly (readonly [name: string, value: string | Buffer, message: string])[] = [
      ['x', 'é', 'metadata "x" has the value "é", expected printable ASCII; use a name ending in -bin for more'],
      [
        'x',
        'a\r\nb: c',
        'metadata "x" has the value "a\\r\\nb: c", expected printable ASCII; use a name ending in -bin for more',
      ],
      ['x-bin', 'text', 'metadata "x-bin" has text as its value, expected bytes'],
      ['x', none, 'metadata "x" has bytes as its value, which only a name ending in -bin may have'],
    ];
    for (const [name, value, message] of cases) {
      const outcome = await callOnce(channel, { method: 'Echo', metadata: [[name, value]], send: [none] });
      t.match(outcome, { code: Code.INVALID_ARGUMENT, message }, message);
    }
    // Each name twice: refused by us, or harmless, but never the end of the shared connection.
    const names =
      'accept authorization age cookie content-encoding content-language content-location content-md5 content-range content-type ' +
      'date dnt etag expires from host if-match if-none-match if-modified-since if-unmodified-since if-range last-modified ' +
      'location max-forwards proxy-authorization range referer retry-after tk upgrade upgrade-insecure-requests user-agent ' +
      'x-content-type-options access-control-allow-credentials access-control-max-age access-control-request-method ' +
      'keep-alive transfer-encoding proxy-connection http2-settings trailer set-cookie link via x-forwarded-for';
    for (const name of names.split(' ')) {
      const outcome = await callOnce(channel, {
        method: 'Echo',
        metadata: [
          [name, '1'],
          [name, '2'],
        ],
        send: [none],
      });
      t.ok(outcome.code === 0 || outcome.message.includes('is given more than once'), `${name}: ${outcome.message}`);
    }
    other.send({ compressed: false, payload: Buffer.from('alive') });
    other.halfClose();
    t.match(await hanging, { code: 0, messages: [Buffer.from('alive')] }, 'the other call went on');
  });

  await t.test('a failed call: code, message, details in the trailers', async (t) => {
    const outcome = await callOnce(channel, { method: 'Fail', send: [none] });
    t.match(outcome, { code: 5, message: 'no shelf "é" %', messages: [] });
    t.strictSame(
      outcome.trailers.filter(([name]) => name === 'grpc-status-details-bin'),
      [['grpc-status-details-bin', Buffer.from([8, 5])]],
    );
    t.match(
      await callOnce(channel, { method: 'FailBare', send: [none] }),
      { code: 1, message: 'the service gave up' },
      'CANCELLED by the service stays what it is',
    );
    t.match(await callOnce(channel, { method: 'Nope', send: [none] }), { code: Code.UNIMPLEMENTED });
  });

  await t.test('deadline: plain text, seen by the service', async (t) => {
    seen.cancelled = 0;
    const outcome = await callOnce(channel, { method: 'Hang', timeoutMs: 150, send: [none] });
    // grpc-js tells the service a little less than it waits itself, so that the service's own words may come first.
    const message = client === 'native' ? 'deadline of 0.15s exceeded' : /^(deadline of 0.15s|Deadline) exceeded$/;
    t.match(outcome, { code: Code.DEADLINE_EXCEEDED, message });
    await sleep(50);
    t.equal(seen.cancelled, 1);
    t.match(await callOnce(channel, { method: 'Echo', timeoutMs: 0, send: [none] }), { code: Code.DEADLINE_EXCEEDED });
    for (const timeoutMs of [2 ** 31, 3.6e14, Number.MAX_SAFE_INTEGER, Infinity]) {
      t.match(await callOnce(channel, { method: 'Echo', timeoutMs, send: [none] }), { code: 0 }, `${timeoutMs} ms`);
    }
  });

  await t.test('cancel: CANCELLED here, seen by the service', async (t) => {
    seen.cancelled = 0;
    const outcome = await callOnce(channel, {
      method: 'Hang',
      send: [none],
      onStart: (call) => setTimeout(() => [call.cancel(), call.cancel()], 50),
    });
    t.match(outcome, { code: Code.CANCELLED, message: 'the call was cancelled' });
    await sleep(50);
    t.equal(seen.cancelled, 1);
    const atOnce = await callOnce(channel, { method: 'Echo', send: [none], onStart: (call) => call.cancel() });
    t.match(atOnce, { code: Code.CANCELLED, messages: [] }, 'cancelled before it went out');
  });

  await t.test('pause holds the service back, resume brings the rest', async (t) => {
    let call!: Call;
    let count = 0;
    const done = callOnce(channel, {
      method: 'Flood',
      send: [none],
      onStart: (started) => (call = started),
      listener: { onMessage: () => void (++count === 3 && call.pause()) },
    });
    await sleep(400);
    t.ok(count >= 3 && count <= 4, `${count} messages came while paused`);
    t.ok(seen.written < 200, `the service wrote ${seen.written} of 2000`);
    call.resume();
    const outcome = await done;
    t.match(outcome, { code: 0 });
    t.equal(outcome.messages.length, 2000);
  });

  await t.test('pause and cancel: the end comes all the same', async (t) => {
    const outcome = await callOnce(channel, {
      method: 'Flood',
      send: [none],
      onStart: (call) => {
        call.pause();
        setTimeout(() => call.cancel(), 50);
      },
    });
    t.match(outcome, { code: Code.CANCELLED });
  });

  await t.test('send answers false while the service does not read, onDrain follows', async (t) => {
    let call!: Call;
    let sent = 0;
    let drains = 0;
    const more = (): void => {
      while (sent < 200) {
        sent++;
        if (!call.send({ compressed: false, payload: big })) return;
      }
      call.halfClose();
    };
    const done = callOnce(channel, {
      method: 'SlowRead',
      onStart: (started) => {
        call = started;
        more();
      },
      listener: {
        onDrain() {
          drains++;
          more();
        },
      },
    });
    await sleep(200);
    t.ok(sent < 50, `${sent} of 200 messages were taken while the service did not read`);
    t.match(await done, { code: 0 });
    t.equal(seen.received, 200);
    t.ok(drains > 3);
  });

  await t.test('compressed frames are refused, not sent as they are', async (t) => {
    const outcome = await callOnce(channel, {
      method: 'Echo',
      onStart: (call) => void call.send({ compressed: true, payload: none }),
    });
    t.match(outcome, { code: Code.INTERNAL, message: 'a compressed message cannot be sent on this channel' });
  });

  await t.test('a message over the limit is INTERNAL and names the limit', async (t) => {
    const narrow = pool.open(target, { maxReceiveBytes: 1000 });
    t.match(await callOnce(narrow, { method: 'Echo', send: [Buffer.alloc(1000)] }), { code: 0 });
    t.match(await callOnce(narrow, { method: 'Echo', send: [Buffer.alloc(1001)] }), {
      code: Code.INTERNAL,
      message: `a message of 1001 bytes from the service is larger than the limit of 1000 bytes (option max_receive_bytes)`,
      diagnosis: `a message of 1001 bytes from ${target} is larger than the limit of 1000 bytes (option max_receive_bytes)`,
    });
    const large = Buffer.alloc(6 * 1024 * 1024, 7);
    t.ok(
      (await callOnce(channel, { method: 'Echo', send: [large] })).messages[0]?.equals(large),
      'the default takes 6 MiB',
    );
  });

  await t.test('after close a call fails with UNAVAILABLE, one in flight goes on', async (t) => {
    const own = new ClientPool(client);
    const closing = own.open(target);
    let running!: Call;
    const inFlight = callOnce(closing, { method: 'Echo', onStart: (call) => (running = call) });
    await closing.connect(1000);
    running.send({ compressed: false, payload: Buffer.from('a') });
    await sleep(50);
    own.close();
    closing.close();
    t.match(await callOnce(closing, { method: 'Echo', send: [none] }), {
      code: Code.UNAVAILABLE,
      message: `the channel to the service is closed`,
      diagnosis: `the channel to ${target} is closed`,
    });
    t.equal(await closing.connect(100), false);
    running.halfClose();
    t.match(await inFlight, { code: 0, messages: [Buffer.from('a')] });
    running.send({ compressed: false, payload: none });
    running.resume();
    running.cancel();
  });
});

testClients('unix socket', async (t, client) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-'));
  const path = join(folder, 's.sock');
  const { server } = await grpcService({ Echo: echo }, `unix:${path}`);
  const pool = new ClientPool(client);
  t.teardown(() => {
    pool.close();
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  });
  for (const target of [`unix:${path}`, `unix://${path}`]) {
    t.match(await callOnce(pool.open(target), { method: 'Echo', send: [none] }), { code: 0 }, target);
  }
  t.match(await callOnce(pool.open(`${`unix:${path}`}x`), { method: 'Echo', send: [none] }), {
    code: Code.UNAVAILABLE,
    message: `cannot connect to the service: there is no such socket`,
    diagnosis: `cannot connect to unix:${path}x: there is no such socket`,
  });
});

testClients('no service there', async (t, client) => {
  const pool = new ClientPool(client);
  const reserved = createTcpServer().listen(0, '127.0.0.1');
  await once(reserved, 'listening');
  const { port } = reserved.address() as AddressInfo;
  reserved.close();
  t.teardown(() => pool.close());

  await t.test('nothing listens: UNAVAILABLE at once; found as soon as it starts', async (t) => {
    const channel = pool.open(`127.0.0.1:${port}`);
    const started = Date.now();
    t.equal(await channel.connect(100), false);
    for (let attempt = 0; attempt < 3; attempt++) {
      t.match(await callOnce(channel, { method: 'Echo', send: [none] }), {
        code: Code.UNAVAILABLE,
        message: `cannot connect to the service: connection refused`,
        diagnosis: `cannot connect to 127.0.0.1:${port}: connection refused`,
      });
    }
    t.ok(Date.now() - started < 1500);
    const { server } = await grpcService({ Echo: echo }, `127.0.0.1:${port}`);
    t.teardown(() => server.forceShutdown());
    t.equal(await channel.connect(5000), true);
    t.match(await callOnce(channel, { method: 'Echo', send: [none] }), { code: 0 });
  });

  await t.test('an unknown host name', async (t) => {
    t.match(await callOnce(pool.open('nohost.invalid:1'), { method: 'Echo', send: [none], timeoutMs: 5000 }), {
      code: Code.UNAVAILABLE,
      message: 'cannot connect to the service: the host name cannot be resolved',
      diagnosis: 'cannot connect to nohost.invalid:1: the host name cannot be resolved',
    });
  });

  await t.test('an HTTP/1 server', async (t) => {
    const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.match(await callOnce(pool.open(target), { method: 'Echo', send: [none], timeoutMs: 5000 }), {
      code: Code.UNAVAILABLE,
      message: `cannot connect to the service: it does not speak gRPC without TLS (HTTP/2 in cleartext)`,
      diagnosis: `cannot connect to ${target}: it does not speak gRPC without TLS (HTTP/2 in cleartext)`,
    });
  });

  await t.test('a server that takes the connection and says nothing', async (t) => {
    const taken: Socket[] = [];
    const server = createTcpServer((socket) => taken.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const own = new ClientPool(client);
    t.teardown(() => {
      own.close();
      server.close();
      for (const socket of taken) socket.destroy();
    });
    t.match(await callOnce(own.open(target, { connectTimeoutMs: 100 }), { method: 'Echo', send: [none] }), {
      code: Code.UNAVAILABLE,
      message: `no connection to the service within 0.1s`,
      diagnosis: `no connection to ${target} within 0.1s`,
    });
  });
});

testClients('a service that breaks off is a failure, never an end', async (t, client) => {
  const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };
  let act: Parameters<typeof rawService>[0] = () => undefined;
  const { target, server } = await rawService((stream, headers) => act(stream, headers));
  const pool = new ClientPool(client);
  t.teardown(() => {
    pool.close();
    server.close();
  });
  const options: Partial<UpstreamOptions> = { maxReceiveBytes: 1000 };
  const cases: readonly (readonly [name: string, act: typeof act, code: number, message: string])[] = [
    ['reset with CANCEL', (s) => s.close(8), Code.UNAVAILABLE, '% reset the call (HTTP/2 CANCEL)'],
    ['reset with INTERNAL_ERROR', (s) => s.close(2), Code.INTERNAL, '% reset the call (HTTP/2 INTERNAL_ERROR)'],
    ['reset with PROTOCOL_ERROR', (s) => s.close(1), Code.INTERNAL, '% reset the call (HTTP/2 PROTOCOL_ERROR)'],
    ['reset with REFUSED_STREAM', (s) => s.close(7), Code.UNAVAILABLE, '% refused the call'],
    [
      'reset with ENHANCE_YOUR_CALM',
      (s) => s.close(11),
      Code.UNAVAILABLE,
      '% reset the call (HTTP/2 ENHANCE_YOUR_CALM)',
    ],
    [
      'reset with INADEQUATE_SECURITY',
      (s) => s.close(12),
      Code.INTERNAL,
      '% reset the call (HTTP/2 INADEQUATE_SECURITY)',
    ],
    [
      'reset after headers',
      (s) => {
        s.respond(grpcHead);
        setTimeout(() => s.destroy(new Error('broken')), 20);
      },
      Code.INTERNAL,
      '% reset the call (HTTP/2 INTERNAL_ERROR)',
    ],
    [
      'connection cut after headers',
      (s) => {
        s.respond(grpcHead);
        setTimeout(() => s.session!.destroy(), 20);
      },
      Code.UNAVAILABLE,
      'the connection to % broke before the call ended',
    ],
    [
      'connection cut before headers',
      (s) => s.session!.destroy(),
      Code.UNAVAILABLE,
      'the connection to % broke before the call ended',
    ],
    [
      'an end without a status',
      (s) => {
        s.respond(grpcHead);
        s.end(encodeFrame(none));
      },
      Code.INTERNAL,
      '% ended the call without a status',
    ],
    [
      'headers that end the stream without a status',
      (s) => s.respond(grpcHead, { endStream: true }),
      Code.INTERNAL,
      '% ended the call without a status',
    ],
    [
      'an error page',
      (s) => {
        s.respond({ ':status': 200, 'content-type': 'text/html' });
        s.end('<html>hello</html>'.repeat(9));
      },
      Code.UNKNOWN,
      '% did not answer as a gRPC server (text/html)',
    ],
    [
      'another answer whose bytes look like a message',
      (s) => {
        s.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
        s.write(encodeFrame(Buffer.from('x')));
      },
      Code.UNKNOWN,
      '% did not answer as a gRPC server (application/octet-stream)',
    ],
    [
      'an error page of a load balancer',
      (s) => {
        s.respond({ ':status': 503, 'content-type': 'text/html' });
        s.end();
      },
      Code.UNAVAILABLE,
      '% did not answer as a gRPC server (HTTP 503, text/html)',
    ],
    [
      '404 without a body',
      (s) => s.respond({ ':status': 404, server: 'x' }, { endStream: true }),
      Code.UNIMPLEMENTED,
      '% did not answer as a gRPC server (HTTP 404)',
    ],
    [
      'a message over the limit',
      (s) => {
        s.respond(grpcHead);
        s.write(Buffer.from([0, 255, 255, 255, 255, 1]));
      },
      Code.INTERNAL,
      'a message of 4294967295 bytes from % is larger than the limit of 1000 bytes (option max_receive_bytes)',
    ],
    [
      'a compressed message over the limit',
      (s) => {
        s.respond({ ...grpcHead, 'grpc-encoding': 'gzip' });
        s.write(encodeFrame(gzipSync(Buffer.alloc(100_000)), true));
      },
      Code.INTERNAL,
      'a compressed message from % is larger than the limit of 1000 bytes (option max_receive_bytes)',
    ],
    [
      'a compression that was not announced',
      (s) => {
        s.respond(grpcHead);
        s.write(encodeFrame(none, true));
      },
      Code.INTERNAL,
      '% sent a message in a compression that is not known',
    ],
    [
      'a status that gRPC does not define',
      (s) => s.respond({ ...grpcHead, 'grpc-status': '99', 'grpc-message': 'odd' }, { endStream: true }),
      99,
      'odd',
    ],
    [
      "a service's own limit",
      (s) =>
        s.respond(
          { ...grpcHead, 'grpc-status': '8', 'grpc-message': 'Received message larger than max (5 vs 4)' },
          { endStream: true },
        ),
      Code.RESOURCE_EXHAUSTED,
      'Received message larger than max (5 vs 4)',
    ],
  ];
  for (const [name, behave, code, message] of cases) {
    act = behave;
    const outcome = await callOnce(pool.open(target, options), { method: 'X', send: [none], timeoutMs: 5000 });
    t.match(outcome, { code, message: message.replace('%', 'the service') }, name);
    t.equal(outcome.diagnosis, message.includes('%') ? message.replace('%', target) : undefined, name);
  }
  act = (stream) => {
    stream.respond({ ...grpcHead, 'grpc-encoding': 'gzip' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(encodeFrame(gzipSync('plain'), true));
  };
  const inflated: Channel = pool.open(target, options);
  t.match(await callOnce(inflated, { method: 'X', send: [none] }), { code: 0, messages: [Buffer.from('plain')] });
});
