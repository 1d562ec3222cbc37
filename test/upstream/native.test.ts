/** What the client of our own does on the wire, and with servers that misbehave there: frame by frame. */
import { type Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { Call } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import { ChannelPool, type UpstreamOptions } from '../../lib/upstream/index.js';
import type { NativeChannel } from '../../lib/upstream/native/channel.js';
import { encodeFrame, type Frame } from '../../lib/wire/index.js';
import {
  END_STREAM,
  frame,
  goAway,
  number,
  type Peer,
  peerServer,
  type PeerServer,
  settings,
} from '../support/http2-peer.js';
import { heldBytes, heldMemory } from '../support/memory.js';
import { type CallSpec, callOnce, grpcService, type Outcome, rawService } from './service.js';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const PING = 6;
const WINDOW_UPDATE = 8;

const none = Buffer.alloc(0);
const grpcHead = [':status', '200', 'content-type', 'application/grpc'];
const ok = ['grpc-status', '0'];

interface Started extends PeerServer {
  call(spec?: Partial<CallSpec>, options?: Partial<UpstreamOptions>): Promise<Outcome>;
  readonly pool: ChannelPool;
}

/** A server that sends its settings and does with each connection what a test wants; `call` calls it. */
async function start(t: Test, onPeer: (peer: Peer) => void | Promise<void>, first = settings()): Promise<Started> {
  const server = await peerServer((peer) => {
    peer.send(first);
    // A peer whose client went away has nothing more to do.
    void Promise.resolve(onPeer(peer)).catch(() => undefined);
  });
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    server.close();
  });
  return {
    ...server,
    pool,
    call: (spec = {}, options = {}) =>
      callOnce(pool.open(server.target, options), { method: 'X', send: [none], timeoutMs: 5000, ...spec }),
  };
}

/** Answers each call as soon as its head is there. */
function answering(answer: (peer: Peer, streamId: number) => readonly Buffer[]): (peer: Peer) => Promise<void> {
  return async (peer) => {
    for (let streamId = 1; ; streamId += 2) {
      await peer.seen('a call', (one) => one.type === HEADERS && one.streamId === streamId);
      peer.send(...answer(peer, streamId));
    }
  };
}

const whole = (peer: Peer, streamId: number): Buffer[] => [
  peer.headers(streamId, grpcHead),
  frame(DATA, 0, streamId, encodeFrame(Buffer.from('m'))),
  peer.headers(streamId, ok, END_STREAM),
];

void t.test('the head of a call', async (t) => {
  let seen: string[] = [];
  const server = await start(t, async (peer) => {
    for (let streamId = 1; ; streamId += 2) {
      seen = peer.fieldsOf(await peer.seen('a call', (one) => one.type === HEADERS && one.streamId === streamId));
      peer.send(...whole(peer, streamId));
    }
  });
  const fixed = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/t.T/X'],
    [':authority', server.target],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
  ].flat();
  t.match(await server.call({ timeoutMs: 1500.2 }), { code: 0, messages: [Buffer.from('m')] });
  const own = ['user-agent', 'photongate', 'grpc-timeout', '1501m', 'grpc-accept-encoding', 'identity,deflate,gzip'];
  t.strictSame(seen, [...fixed, ...own]);
  const metadata = [
    ['user-agent', 'curl/8'],
    ['user-agent', 'other/1'],
    ['x-bin', Buffer.from([255, 254])],
    ['grpc-encoding', 'gzip'],
    ['grpc-accept-encoding', 'gzip'],
  ] as const;
  await server.call({ metadata, timeoutMs: 2e8 }, { userAgent: 'photongate/1.2.3' });
  const theirs = ['user-agent', 'curl/8', 'grpc-timeout', '200000S', 'grpc-accept-encoding', 'identity,deflate,gzip'];
  t.strictSame(seen, [...fixed, ...theirs, 'x-bin', '//4']);
  await server.call({ metadata, passThrough: true, timeoutMs: 3e9 }, { userAgent: 'photongate/1.2.3' });
  t.strictSame(seen, [
    ...fixed,
    ...['user-agent', 'curl/8', 'x-bin', '//4', 'grpc-encoding', 'gzip', 'grpc-accept-encoding', 'gzip'],
  ]);
});

void t.test('a call that had to wait says how much time is left', async (t) => {
  let timeout = '';
  const server = await peerServer((peer) => {
    setTimeout(() => peer.send(settings()), 400);
    void peer
      .seen('a call', ({ type }) => type === HEADERS)
      .then((head) => {
        const fields = peer.fieldsOf(head);
        timeout = fields[fields.indexOf('grpc-timeout') + 1]!;
        peer.send(...whole(peer, 1));
      });
  });
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    server.close();
  });
  t.equal((await callOnce(pool.open(server.target), { method: 'X', send: [none], timeoutMs: 60_000 })).code, 0);
  t.ok(parseInt(timeout, 10) <= 59_600, timeout);
});

void t.test('a unary call is one HEADERS and one DATA that ends the stream', async (t) => {
  const server = await start(t, answering(whole));
  await server.call({ send: [Buffer.from('abc')] });
  const frames = server.peers[0]!.frames.filter(({ streamId }) => streamId === 1);
  t.strictSame(
    frames.map(({ type, flags }) => [type, flags]),
    [
      [HEADERS, 4],
      [DATA, END_STREAM],
    ],
  );
  t.strictSame(frames[1]!.payload, encodeFrame(Buffer.from('abc')));
});

void t.test('an upload that is given up is reset, and never ended', async (t) => {
  const server = await start(t, () => undefined);
  const outcome = await server.call({
    send: undefined as never,
    onStart: (call) => {
      call.send({ compressed: false, payload: Buffer.from('half') });
      setTimeout(() => call.cancel(), 30);
    },
  });
  t.match(outcome, { code: Code.CANCELLED, message: 'the call was cancelled' });
  const peer = server.peers[0]!;
  const reset = await peer.seen('a reset', ({ type }) => type === RST_STREAM);
  t.equal(reset.payload.readUInt32BE(), 8, 'CANCEL');
  t.strictSame(
    peer.frames.filter(({ type, flags }) => type < 2 && (flags & END_STREAM) !== 0),
    [],
  );
  t.strictSame(peer.dataOf(1), encodeFrame(Buffer.from('half')));
  // The same while the server takes nothing: what waits to be sent is dropped.
  const big = Buffer.alloc(200_000);
  const stuck = await server.call({
    send: undefined as never,
    onStart: (call) => {
      t.equal(call.send({ compressed: false, payload: big }), false);
      call.halfClose();
      setTimeout(() => call.cancel(), 30);
    },
  });
  t.equal(stuck.code, Code.CANCELLED);
  await peer.seen('a reset', ({ type, streamId }) => type === RST_STREAM && streamId === 3);
  t.notOk(peer.frames.some(({ type, flags }) => type === DATA && (flags & END_STREAM) !== 0));
  t.equal(peer.dataOf(3).length, 65_535 - 9, 'what its window allowed, less what the first call took');
});

void t.test('an answer that is complete before the request: the rest is not sent', async (t) => {
  for (const [status, code] of [
    [ok, 0],
    [['grpc-status', '9', 'grpc-message', 'enough'], 9],
  ] as const) {
    const server = await start(
      t,
      answering((peer, id) => [peer.headers(id, grpcHead), peer.headers(id, status, END_STREAM)]),
    );
    const outcome = await server.call({
      send: undefined as never,
      onStart: (call) => void call.send({ compressed: false, payload: Buffer.from('a') }),
    });
    t.equal(outcome.code, code);
    const reset = await server.peers[0]!.seen('a reset', ({ type }) => type === RST_STREAM);
    t.equal(reset.payload.readUInt32BE(), 0, 'NO_ERROR');
    t.notOk(server.peers[0]!.frames.some(({ type, flags }) => type < 2 && (flags & END_STREAM) !== 0));
    // The server's own RST_STREAM NO_ERROR behind its status changes nothing.
    server.peers[0]!.send(number(RST_STREAM, 1, 0));
  }
});

void t.test('answers that are no answers', async (t) => {
  const gzipHead = [...grpcHead, 'grpc-encoding', 'gzip'];
  const rows: readonly (readonly [
    name: string,
    answer: (peer: Peer, id: number) => readonly Buffer[],
    code: number,
    message: string,
  ])[] = [
    [
      'a message cut short before an OK',
      (peer, id) => [
        peer.headers(id, grpcHead),
        frame(DATA, 0, id, encodeFrame(Buffer.from('hello')).subarray(0, 8)),
        peer.headers(id, ok, END_STREAM),
      ],
      Code.INTERNAL,
      '% ended the call in the middle of a message',
    ],
    [
      'a head of a message cut short before an OK',
      (peer, id) => [peer.headers(id, grpcHead), frame(DATA, 0, id, '00'), peer.headers(id, ok, END_STREAM)],
      Code.INTERNAL,
      '% ended the call in the middle of a message',
    ],
    [
      'a message that starts with neither 0 nor 1',
      (peer, id) => [peer.headers(id, grpcHead), frame(DATA, 0, id, '0700000000')],
      Code.INTERNAL,
      '% sent bytes that are not a gRPC message (its first byte is neither 0 nor 1)',
    ],
    [
      'a message that is no gzip',
      (peer, id) => [peer.headers(id, gzipHead), frame(DATA, 0, id, encodeFrame(Buffer.from('plain'), true))],
      Code.INTERNAL,
      '% sent a message that is not the gzip that it should be',
    ],
    [
      'data before headers',
      (_, id) => [frame(DATA, 0, id, '00')],
      Code.INTERNAL,
      '% did not answer as a gRPC server (it sent data before headers)',
    ],
    [
      'no content type and no 200',
      (peer, id) => [peer.headers(id, [':status', '502'], END_STREAM)],
      Code.UNAVAILABLE,
      '% did not answer as a gRPC server (HTTP 502)',
    ],
    [
      'an HTTP error of a gRPC server without a status',
      (peer, id) => [
        peer.headers(id, [':status', '503', 'content-type', 'application/grpc']),
        frame(DATA, END_STREAM, id, Buffer.from('<html>')),
      ],
      Code.UNAVAILABLE,
      '% did not answer as a gRPC server (HTTP 503, application/grpc)',
    ],
    [
      'an HTTP error of a gRPC server with a status',
      (peer, id) => [
        peer.headers(id, [':status', '400', 'content-type', 'application/grpc']),
        peer.headers(id, ['grpc-status', '3', 'grpc-message', 'no'], END_STREAM),
      ],
      3,
      'no',
    ],
    [
      'a header bomb',
      (peer, id) => {
        const big = peer.headers(id, [
          ...grpcHead,
          ...Array.from({ length: 1000 }, () => ['x', 'y'.repeat(250)]).flat(),
        ]);
        const block = big.subarray(9);
        const half = block.length >> 1;
        t.ok(block.length < 16_384, 'it is small on the wire');
        return [
          frame(HEADERS, 0, id, block.subarray(0, half)),
          frame(9, 4, id, block.subarray(half)),
          frame(DATA, 0, id, encodeFrame(none)),
        ];
      },
      Code.INTERNAL,
      'the headers of the answer of the service are larger than the limit of 262144 bytes (option max_upstream_header_bytes)',
    ],
    [
      'a status in UTF-8 and percent-encoding, cut off in the middle of it',
      (peer, id) => [
        peer.headers(id, [...grpcHead, 'grpc-status', '5', 'grpc-message', '%e2%82%ac \xc3\xa9 50%, %4'], END_STREAM),
      ],
      5,
      '€ é 50%, %4',
    ],
    [
      'more than the window of its stream',
      (peer, id) => [
        peer.headers(id, grpcHead),
        frame(DATA, 0, id, '0000400000'),
        ...Array.from({ length: 16 }, () => frame(DATA, 0, id, Buffer.alloc(16_384))),
      ],
      Code.INTERNAL,
      '% did not answer as a gRPC server (it sent more than its window allows)',
    ],
  ];
  for (const [name, answer, code, message] of rows) {
    const server = await start(t, answering(answer));
    const spec = name === 'more than the window of its stream' ? { onStart: (call: Call) => call.pause() } : {};
    t.match(await server.call(spec), { code, message: message.replace(/^%/, 'the service') }, name);
    t.equal(server.peers.length, 1);
    t.notOk(server.peers[0]!.closed, 'the connection goes on');
  }
});

void t.test('servers that break the rules of HTTP/2 lose the connection; the next call gets another', async (t) => {
  const rows: readonly (readonly [bytes: Buffer, reason: string])[] = [
    [frame(DATA, 0, 0, '00'), 'sent DATA without a stream'],
    [frame(HEADERS, 4, 1, 'ff'), 'sent headers that cannot be decoded: a header that is cut short'],
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'sent a frame of 4740180 bytes, expected 16384 at most'],
    [frame(5, 4, 1, '0000000282'), 'pushed a stream, which our settings forbid'],
    [
      Buffer.concat([frame(HEADERS, 0, 1, '88'), ...Array.from({ length: 70 }, () => frame(9, 0, 1, ''))]),
      'sent headers without end: 1 bytes in 65 frames so far',
    ],
  ];
  for (const [bytes, reason] of rows) {
    const server = await start(t, async (peer) => {
      if (server.peers.length > 1) return answering(whole)(peer);
      await peer.seen('a call', ({ type }) => type === HEADERS);
      peer.send(bytes);
    });
    const both = await Promise.all([server.call(), server.call()]);
    for (const outcome of both) {
      t.match(outcome, {
        code: Code.UNAVAILABLE,
        message: `the connection to the service broke before the call ended: it ${reason}`,
      });
    }
    await server.peers[0]!.untilClosed();
    t.ok(
      server.peers[0]!.frames.some(({ type }) => type === 7),
      'it was told by GOAWAY',
    );
    t.match(await server.call(), { code: 0 });
    t.equal(server.peers.length, 2);
  }
});

void t.test(
  'GOAWAY: what the server did not look at begins again elsewhere, as new calls do; the rest goes on',
  async (t) => {
    const server = await start(t, async (peer) => {
      if (server.peers.length > 1) return answering(whole)(peer);
      await peer.seen('a second call', ({ type, streamId }) => type === HEADERS && streamId === 3);
      peer.send(goAway(0x7fffffff), goAway(1));
    });
    const first = server.call();
    t.match(await server.call({ send: [Buffer.from('again')] }), { code: 0 });
    t.strictSame(server.peers[1]!.dataOf(1), encodeFrame(Buffer.from('again')));
    t.match(await server.call(), { code: 0 }, 'on another connection');
    t.equal(server.peers.length, 2);
    const peer = server.peers[0]!;
    t.notOk(peer.closed);
    peer.send(...whole(peer, 1));
    t.match(await first, { code: 0, messages: [Buffer.from('m')] });
    await peer.untilClosed();
    t.notOk(server.peers[1]!.closed);
  },
);

void t.test('GOAWAY with an error: no call waits for a server that leaves the connection open', async (t) => {
  const server = await start(t, async (peer) => {
    if (server.peers.length > 1) return answering(whole)(peer);
    await peer.seen('a second call', ({ type, streamId }) => type === HEADERS && streamId === 3);
    peer.send(goAway(1, 9));
  });
  const broken = `the connection to the service broke before the call ended: it ended the connection (HTTP/2 COMPRESSION_ERROR)`;
  const first = server.call();
  t.match(await server.call(), { code: 0 }, 'it did not look at this one, which goes out again');
  t.match(await first, { code: Code.UNAVAILABLE, message: broken });
  await server.peers[0]!.untilClosed();
  t.match(await server.call(), { code: 0 });
  t.equal(server.peers.length, 2);
});

void t.test('calls that no server has looked at begin again, while all that was sent is held', async (t) => {
  const refuse = (_: Peer, id: number): Buffer[] => [number(RST_STREAM, id, 7)];
  /** What the first calls are answered with; `whole` from then on. */
  type Answers = readonly ((peer: Peer, id: number) => readonly Buffer[])[];
  const rows: readonly (readonly [name: string, answers: Answers, send: readonly Buffer[], code: number])[] = [
    ['refused once', [refuse], [Buffer.from('a')], 0],
    ['refused once, with several messages', [refuse], [Buffer.from('a'), Buffer.alloc(40_000, 'b'), none], 0],
    ['refused twice', [refuse, refuse], [none], Code.UNAVAILABLE],
    [
      'refused after its head',
      [(peer, id) => [peer.headers(id, grpcHead), ...refuse(peer, id)]],
      [none],
      Code.UNAVAILABLE,
    ],
    ['refused, and too large to be held', [refuse], [Buffer.alloc(1024 * 1024)], Code.UNAVAILABLE],
    ['reset, but not refused', [(_, id) => [number(RST_STREAM, id, 8)]], [none], Code.UNAVAILABLE],
  ];
  for (const [name, answers, send, code] of rows) {
    let calls = 0;
    const server = await start(
      t,
      async (peer) => {
        for (let id = 1; ; id += 2) {
          await peer.seen('a request', (one) => one.streamId === id && one.type < 2 && (one.flags & END_STREAM) !== 0);
          peer.send(...(answers[calls++] ?? whole)(peer, id));
        }
      },
      Buffer.concat([settings([4, 0x7fffffff]), number(WINDOW_UPDATE, 0, 0x7fff0000)]),
    );
    t.equal((await server.call({ send })).code, code, name);
    if (code !== 0) t.equal(calls, name === 'refused twice' ? 2 : 1, name);
    else t.strictSame(server.peers[0]!.dataOf(3), Buffer.concat(send.map((payload) => encodeFrame(payload))), name);
  }
});

void t.test('a connection that breaks before the call has left it costs no call, unless all do', async (t) => {
  for (const bad of [1, Infinity]) {
    const server = await peerServer((peer) => {
      if (server.peers.length > bad) {
        peer.send(settings());
        void answering(whole)(peer).catch(() => undefined);
      } else {
        // In one piece: it is ready and broken before anything can be sent on it.
        peer.send(settings(), frame(DATA, 0, 0, '00'));
      }
    });
    const pool = new ChannelPool();
    const outcome = await callOnce(pool.open(server.target), { method: 'X', send: [Buffer.from('a')] });
    if (bad === 1) {
      t.equal(outcome.code, 0);
      t.strictSame(server.peers[1]!.dataOf(1), encodeFrame(Buffer.from('a')));
    } else {
      t.match(outcome, {
        code: Code.UNAVAILABLE,
        message: `the connection to the service closed before the call started`,
      });
      t.equal(server.peers.length, 5);
    }
    t.notOk(server.peers[0]!.frames.some(({ type }) => type === HEADERS));
    pool.close();
    server.close();
  }
});

void t.test(
  'keepalive: a silent server is asked by PING while a call is open, and lost where it does not answer',
  async (t) => {
    const options = { upstreamKeepaliveTimeMs: 40, upstreamKeepaliveTimeoutMs: 80 };
    const dead = await start(t, (peer) => void peer.seen('a call', ({ type }) => type === HEADERS));
    const reason = 'broke before the call ended: it did not answer a PING within 0.08s';
    t.match(await dead.call({}, options), {
      code: Code.UNAVAILABLE,
      message: `the connection to the service ${reason}`,
    });
    const pings = (peer: Peer): number => peer.frames.filter(({ type, flags }) => type === PING && flags === 0).length;
    t.equal(pings(dead.peers[0]!), 1);
    const alive = await start(t, async (peer) => {
      for (let count = 1; count <= 3; count++) {
        await peer.seen('a ping', () => pings(peer) === count);
        peer.send(frame(PING, 1, 0, '0000000000000000'));
      }
      peer.send(...whole(peer, 1));
    });
    t.equal((await alive.call({}, options)).code, 0);
    await sleep(200);
    t.equal(pings(alive.peers[0]!), 3, 'without a call none is sent');
  },
);

void t.test('a server that wants fewer PINGs gets half of them, and is quoted', async (t) => {
  const server = await start(t, async (peer) => {
    await peer.seen('a call', ({ type }) => type === HEADERS);
    peer.send(frame(7, 0, 0, Buffer.concat([Buffer.from('000000010000000b', 'hex'), Buffer.from('too_many_pings')])));
  });
  const options = { upstreamKeepaliveTimeMs: 60_000 };
  t.match(await server.call({}, options), {
    code: Code.UNAVAILABLE,
    message: `the connection to the service broke before the call ended: it ended the connection (HTTP/2 ENHANCE_YOUR_CALM)`,
    diagnosis: `the connection to ${server.target} broke before the call ended: it ended the connection (HTTP/2 ENHANCE_YOUR_CALM), saying "too_many_pings"`,
  });
  t.equal((server.pool.open(server.target, options) as NativeChannel).dialOptions.keepaliveTimeMs, 120_000);
});

void t.test('headers that the server says it does not take are not sent', async (t) => {
  const server = await start(t, answering(whole), settings([6, 600]));
  t.equal((await server.call()).code, 0);
  const metadata = [
    ['x-small', 'a'],
    ['x-big', 'b'.repeat(400)],
  ] as const;
  t.match(await server.call({ metadata }), {
    code: Code.RESOURCE_EXHAUSTED,
    httpStatus: 431,
    message: new RegExp(
      `^the headers of the call are \\d+ bytes, and the service takes 600 at most; the largest is "x-big" of 437 bytes$`,
    ),
  });
  t.equal((await server.call()).code, 0);
  t.equal(server.peers.length, 1);
});

void t.test('a server that takes no call at all for now: they wait, on one connection', async (t) => {
  const server = await start(t, answering(whole), settings([3, 0]));
  const call = server.call();
  t.equal((await server.call({ timeoutMs: 100 })).code, Code.DEADLINE_EXCEEDED);
  t.equal(server.peers.length, 1);
  server.peers[0]!.send(settings([3, 1]));
  t.equal((await call).code, 0);
});

void t.test('a server without a table for headers', async (t) => {
  const seen: string[][] = [];
  const server = await start(
    t,
    async (peer) => {
      for (let id = 1; ; id += 2) {
        seen.push(peer.fieldsOf(await peer.seen('a call', (one) => one.type === HEADERS && one.streamId === id)));
        peer.send(...whole(peer, id));
      }
    },
    settings([1, 0]),
  );
  for (const value of ['a', 'a', 'b']) await server.call({ metadata: [['x-value', value]] });
  t.strictSame(
    seen.map((fields) => fields.slice(-2)),
    [
      ['x-value', 'a'],
      ['x-value', 'a'],
      ['x-value', 'b'],
    ],
  );
  t.equal(server.peers.length, 1);
});

void t.test(
  'floods of frames without content: the connection ends, its calls fail, the next call gets another',
  async (t) => {
    const rows: readonly (readonly [name: string, flood: Buffer])[] = [
      ['PING', frame(PING, 0, 0, '0000000000000000')],
      ['SETTINGS', settings()],
      ['empty DATA', frame(DATA, 0, 1, '')],
      ['RST_STREAM of a stream that is over', number(RST_STREAM, 1, 8)],
      ['WINDOW_UPDATE of a stream that is over', number(WINDOW_UPDATE, 1, 1)],
      ['PRIORITY', frame(2, 0, 1, '0000000000')],
      ['frames of an unknown type', frame(0xee, 0, 0, '')],
      ['GOAWAY', goAway(0x7fffffff)],
    ];
    for (const [name, flood] of rows) {
      const server = await start(t, async (peer) => {
        if (server.peers.length > 1) return answering(whole)(peer);
        await peer.seen('a call', ({ type }) => type === HEADERS);
        if (/that is over/.test(name)) {
          peer.send(...whole(peer, 1));
          await peer.seen('another', ({ type, streamId }) => type === HEADERS && streamId === 3);
        } else {
          peer.send(peer.headers(1, grpcHead));
        }
        for (let count = 0; count < 11 && !peer.closed; count++)
          peer.send(...Array.from({ length: 1000 }, () => flood));
      });
      if (/that is over/.test(name)) t.equal((await server.call()).code, 0);
      t.match(
        await server.call(),
        {
          code: Code.UNAVAILABLE,
          message: `the connection to the service broke before the call ended: it sent 10000 frames without content in a row`,
        },
        name,
      );
      const bye = await server.peers[0]!.seen('its end', ({ type }) => type === 7);
      t.equal(bye.payload.readUInt32BE(4), 11, 'ENHANCE_YOUR_CALM');
      await server.peers[0]!.untilClosed();
      t.equal((await server.call()).code, 0, name);
    }
  },
);

void t.test('a server that closes in between costs no call', async (t) => {
  const server = await start(t, answering(whole));
  t.equal((await server.call()).code, 0);
  server.peers[0]!.socket.end();
  await server.peers[0]!.untilClosed();
  t.equal((await server.call()).code, 0);
  t.equal(server.peers.length, 2);
});

void t.test('windows: what may be sent, frame by frame', async (t) => {
  const server = await start(t, () => undefined, settings([4, 10]));
  const message = Buffer.from(Array.from({ length: 95 }, (_, index) => index));
  let drained = 0;
  const done = server.call({ send: [message], listener: { onDrain: () => drained++ } });
  while (server.peers.length === 0) await sleep(5);
  const peer = server.peers[0]!;
  const until = async (bytes: number): Promise<void> => {
    await peer.seen('data', () => peer.dataOf(1).length >= bytes);
    await sleep(20);
    t.equal(peer.dataOf(1).length, bytes);
  };
  await until(10);
  peer.send(number(WINDOW_UPDATE, 1, 5));
  await until(15);
  // Smaller windows by settings: below zero, and up again.
  peer.send(settings([4, 0]), number(WINDOW_UPDATE, 1, 10));
  await sleep(30);
  t.equal(peer.dataOf(1).length, 15);
  peer.send(number(WINDOW_UPDATE, 1, 20));
  await until(35);
  peer.send(settings([4, 1000]));
  await until(100);
  t.strictSame(peer.dataOf(1), encodeFrame(message));
  t.equal(peer.frames.at(-1)?.type, 4, 'the settings are acknowledged');
  t.ok(peer.frames.some(({ type, flags }) => type === DATA && flags === END_STREAM));
  peer.send(...whole(peer, 1));
  t.equal((await done).code, 0);
});

void t.test('the window of the connection is shared, a frame each in turn', async (t) => {
  // Streams alone have room; the connection has 65535.
  const server = await start(t, () => undefined, settings([4, 0x7fffffff]));
  const big = Buffer.alloc(100_000);
  const calls = [server.call({ send: [big] }), server.call({ send: [big] })];
  while (server.peers.length === 0) await sleep(5);
  const peer = server.peers[0]!;
  const sent = (): number => peer.dataOf(1).length + peer.dataOf(3).length;
  await peer.seen('data', () => sent() === 65_535);
  await sleep(20);
  t.equal(sent(), 65_535);
  peer.send(number(WINDOW_UPDATE, 0, 1_000_000));
  await peer.seen('data', () => sent() === 2 * 100_005);
  const order = peer.frames.filter(({ type }) => type === DATA).map(({ streamId }) => streamId);
  t.ok(order.lastIndexOf(1) > order.indexOf(3) + 1, `in turn: ${order.join(' ')}`);
  peer.send(...whole(peer, 1), ...whole(peer, 3));
  for (const outcome of await Promise.all(calls)) t.equal(outcome.code, 0);
});

void t.test('a call that is paused holds back its own stream, and no other', async (t) => {
  const message = encodeFrame(Buffer.alloc(16_379));
  const server = await start(t, async (peer) => {
    await peer.seen('a call', ({ type }) => type === HEADERS);
    // All that its window allows.
    peer.send(peer.headers(1, grpcHead), ...Array.from({ length: 16 }, () => frame(DATA, 0, 1, message)));
    await peer.seen('another', ({ type, streamId }) => type === HEADERS && streamId === 3);
    peer.send(...whole(peer, 3));
  });
  let call!: Call;
  const paused = server.call({
    onStart: (started) => {
      call = started;
      call.pause();
    },
  });
  while (server.peers.length === 0) await sleep(5);
  const peer = server.peers[0]!;
  await sleep(50);
  t.equal((await server.call()).code, 0);
  const updates = (): number =>
    peer.frames.filter(({ type, streamId }) => type === WINDOW_UPDATE && streamId === 1).length;
  t.equal(updates(), 0);
  call.resume();
  await peer.seen('an open window', () => updates() > 0);
  peer.send(peer.headers(1, ok, END_STREAM));
  t.equal((await paused).messages.length, 16);
});

void t.test('small messages that wait hold what they are worth, not all that came with them', async (t) => {
  const junk = Buffer.concat(Array.from({ length: 2000 }, () => frame(0xee, 0, 0, Buffer.alloc(16))));
  let call!: Call;
  const server = await start(t, async (peer) => {
    await peer.seen('a call', ({ type }) => type === HEADERS);
    peer.send(peer.headers(1, grpcHead));
    for (let count = 0; count < 400; count++) {
      peer.send(frame(DATA, 0, 1, encodeFrame(Buffer.from('m'))), junk);
      // A read each.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  const outcome = server.call({ onStart: (started) => void (call = started).pause() });
  while (server.peers.length === 0) await sleep(5);
  const before = await heldBytes();
  const peer = server.peers[0]!;
  while (peer.socket.bytesWritten < 400 * junk.length) await sleep(20);
  await sleep(100);
  const held = (await heldBytes()) - before;
  t.ok(held < 3 * 1024 ** 2, `${held} bytes for 400`);
  call.resume();
  peer.send(peer.headers(1, ok, END_STREAM));
  t.equal((await outcome).messages.length, 400);
});

void t.test('many tiny messages cost what their bytes are worth, on both ways of a call that waits', async (t) => {
  const silent = await peerServer(() => undefined);
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    silent.close();
  });
  const beforeUp = await heldMemory();
  let up!: Call;
  const upload = callOnce(pool.open(silent.target), { method: 'X', onStart: (call) => (up = call) });
  for (let count = 0; count < 200_000; count++) up.send({ compressed: false, payload: none });
  const heldUp = (await heldMemory()) - beforeUp;
  t.ok(heldUp < 10 * 1024 ** 2, `${heldUp} bytes are held for 200000 messages to send`);
  up.cancel();
  await upload;

  const count = 50_000;
  let down!: Call;
  const server = await start(t, async (peer) => {
    await peer.seen('a call', ({ type }) => type === HEADERS);
    const parts = [peer.headers(1, grpcHead)];
    for (let sent = 0; sent < count; sent += 2000) parts.push(frame(DATA, 0, 1, Buffer.alloc(5 * 2000)));
    await gate;
    peer.send(...parts, frame(PING, 0, 0, Buffer.alloc(8)));
  });
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  let received = 0;
  const ended = new Promise<number>((resolve) => {
    down = server.pool
      .open(server.target)
      .start(
        { path: '/t.T/X', metadata: [], timeoutMs: undefined },
        { onHeaders: () => undefined, onMessage: () => void received++, onEnd: ({ code }) => resolve(code) },
      );
  });
  down.pause();
  while (server.peers.length === 0) await sleep(5);
  const beforeDown = await heldMemory();
  open();
  const peer = server.peers[0]!;
  await peer.seen('that all was read', ({ type, flags }) => type === PING && flags === 1);
  const heldDown = (await heldMemory()) - beforeDown;
  t.ok(heldDown < 2 * 1024 ** 2, `${heldDown} bytes are held for ${count} messages to deliver`);
  t.equal(received, 0);
  down.resume();
  peer.send(peer.headers(1, ok, END_STREAM));
  t.equal(await ended, 0);
  t.equal(received, count);
});

void t.test(
  'a message that has begun is told of once, and held back within the window where that is asked',
  async (t) => {
    const size = 400_000;
    const message = encodeFrame(Buffer.alloc(size, 'm'));
    const chunks = Array.from({ length: Math.ceil(message.length / 16_384) }, (_, index) =>
      frame(DATA, 0, 1, message.subarray(index * 16_384, (index + 1) * 16_384)),
    );
    let down!: Call;
    let refused = false;
    const server = await start(t, async (peer) => {
      await peer.seen('a call', ({ type }) => type === HEADERS);
      const isUpdate = ({ type, streamId }: { type: number; streamId: number }): boolean =>
        type === WINDOW_UPDATE && streamId === 1;
      peer.send(peer.headers(1, grpcHead), frame(DATA, 0, 1, encodeFrame(Buffer.from('whole'))), chunks[0]!);
      // The window of a stream is 256 KiB; nine more chunks would open it by half.
      peer.send(...chunks.slice(1, 12), frame(PING, 0, 0, Buffer.alloc(8)));
      await peer.seen('that all was read', ({ type, flags }) => type === PING && flags === 1);
      refused = !peer.frames.some(isUpdate);
      down.resume();
      await peer.seen('an open window', isUpdate);
      peer.send(...chunks.slice(12), frame(DATA, 0, 1, encodeFrame(Buffer.alloc(0))), peer.headers(1, ok, END_STREAM));
    });
    const begun: number[] = [];
    const outcome = await server.call({
      onStart: (call) => (down = call),
      listener: {
        onMessageStart(bytes) {
          begun.push(bytes);
          down.pause();
        },
      },
    });
    t.equal(outcome.code, 0);
    t.strictSame(
      outcome.messages.map(({ length }) => length),
      [5, size, 0],
    );
    t.strictSame(begun, [size], 'none that comes whole');
    t.ok(refused, 'a call that is paused there gets no more than its window');
  },
);

void t.test('what came before a loss is delivered before it, even to a call that was paused', async (t) => {
  const server = await start(t, async (peer) => {
    await peer.seen('a call', ({ type }) => type === HEADERS);
    peer.send(...whole(peer, 1).slice(0, 2));
    peer.socket.end();
  });
  const outcome = await server.call({
    onStart: (call) => {
      call.pause();
      setTimeout(() => call.resume(), 100);
    },
  });
  t.match(outcome, {
    code: Code.UNAVAILABLE,
    message: `the connection to the service broke before the call ended`,
    messages: [Buffer.from('m')],
  });
});

void t.test(
  'more calls than the server allows at once: other connections, and none waits behind one without end',
  async (t) => {
    const server = await start(
      t,
      async (peer) => {
        for (let streamId = 1; ; streamId += 2) await peer.seen('a call', (one) => one.streamId === streamId);
      },
      settings([3, 2]),
    );
    const running: Call[] = [];
    const calls = Array.from({ length: 5 }, () => server.call({ onStart: (call) => void running.push(call) }));
    while (server.peers.length < 3) await sleep(5);
    const last = server.peers[2]!;
    await last.seen('a call', ({ type }) => type === HEADERS);
    for (const peer of server.peers) {
      await sleep(20);
      t.ok(new Set(peer.frames.filter(({ type }) => type === HEADERS).map(({ streamId }) => streamId)).size <= 2);
    }
    // One that ends makes room for the next, on the connection that is there.
    last.send(...whole(last, 1));
    t.equal((await calls[4]!).code, 0);
    const next = server.call();
    await last.seen('a call', ({ streamId }) => streamId === 3);
    last.send(...whole(last, 3));
    t.equal((await next).code, 0);
    t.equal(server.peers.length, 3);
    running.forEach((call) => call.cancel());
    await Promise.all(calls);
  },
);

void t.test('pings are answered; a server that floods and does not read is cut off', async (t) => {
  const server = await start(t, async (peer) => {
    peer.send(frame(6, 0, 0, '0102030405060708'));
    await peer.seen('an answer', ({ type }) => type === 6);
    await answering(whole)(peer);
  });
  t.equal((await server.call()).code, 0);
  t.match(
    server.peers[0]!.frames.filter(({ type }) => type === 6),
    [{ flags: 1, payload: Buffer.from('0102030405060708', 'hex') }],
  );
  const peer = server.peers[0]!;
  peer.socket.pause();
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => frame(6, 0, 0, '0000000000000000')));
  const write = (): Promise<void> => new Promise((resolve) => peer.socket.write(flood, () => resolve()));
  while (!peer.socket.destroyed) await write();
  t.pass('cut off');
});

void t.test('messages pass through as they are, or are decoded', async (t) => {
  const encodings = { gzip: gzipSync('packed'), deflate: deflateSync('packed') };
  for (const [encoding, packed] of Object.entries(encodings)) {
    const server = await start(
      t,
      answering((peer, id) => [
        peer.headers(id, [...grpcHead, 'grpc-encoding', encoding]),
        frame(DATA, 0, id, encodeFrame(packed, true)),
        frame(DATA, 0, id, encodeFrame(Buffer.from('plain'))),
        peer.headers(id, ok, END_STREAM),
      ]),
    );
    const decoded = await server.call();
    t.strictSame(decoded.messages.map(String), ['packed', 'plain'], encoding);
    t.strictSame(decoded.headers, []);
    const frames: Frame[] = [];
    const raw = await server.call({
      passThrough: true,
      send: undefined as never,
      listener: { onMessage: (one) => void frames.push(one) },
      onStart: (call) => {
        call.send({ compressed: true, payload: packed });
        call.halfClose();
      },
    });
    t.equal(raw.code, 0);
    t.strictSame(raw.headers, [['grpc-encoding', encoding]]);
    t.strictSame(frames, [
      { compressed: true, payload: packed },
      { compressed: false, payload: Buffer.from('plain') },
    ]);
    t.strictSame(server.peers[0]!.dataOf(3), encodeFrame(packed, true));
  }
});

void t.test('binary metadata: padded or not, joined or not', async (t) => {
  const server = await start(
    t,
    answering((peer, id) => [
      peer.headers(id, [...grpcHead, 'a-bin', '//4=', 'a-bin', '//4', 'b-bin', 'AQ,Ag==, Aw', 'x', 'a,b']),
      peer.headers(id, [...ok, 'c-bin', ''], END_STREAM),
    ]),
  );
  const outcome = await server.call();
  t.strictSame(outcome.headers, [
    ['a-bin', Buffer.from([255, 254])],
    ['a-bin', Buffer.from([255, 254])],
    ['b-bin', Buffer.from([1])],
    ['b-bin', Buffer.from([2])],
    ['b-bin', Buffer.from([3])],
    ['x', 'a,b'],
  ]);
  t.strictSame(outcome.trailers, [['c-bin', none]]);
});

void t.test('several addresses: the first that answers, and another when it is gone', async (t) => {
  const dead = createServer().listen(0, '127.0.0.1');
  await once(dead, 'listening');
  const deadPort = (dead.address() as AddressInfo).port;
  dead.close();
  // One that takes connections and says nothing costs a moment, not the connect time-out.
  const silent = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const handlers = { Echo: (call: never) => (call as NodeJS.ReadWriteStream).pipe(call) };
  const [one, two] = [await grpcService(handlers as never), await grpcService(handlers as never)];
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    silent.close();
    two.server.forceShutdown();
  });
  const list = [`127.0.0.1:${deadPort}`, `127.0.0.1:${(silent.address() as AddressInfo).port}`, one.target, two.target];
  const channel = pool.open(`ipv4:${list.join(',')}`);
  const echo = (): Promise<Outcome> => callOnce(channel, { method: 'Echo', send: [Buffer.from('a')] });
  t.match(await echo(), { code: 0, messages: [Buffer.from('a')] });
  one.server.forceShutdown();
  await sleep(50);
  t.match(await echo(), { code: 0 });
  const local = pool.open(`localhost:${two.target.split(':')[1]}`);
  t.match(await callOnce(local, { method: 'Echo', send: [none] }), { code: 0 }, 'a name with addresses of both kinds');
});

void t.test('a server that is silent is tried afresh, as it may have returned since', async (t) => {
  for (const losesFirst of [false, true]) {
    const server = await peerServer((peer) => {
      if (losesFirst && server.peers.length === 2) server.peers[0]!.socket.destroy();
      if (server.peers.length < 4) return;
      peer.send(settings());
      void answering(whole)(peer).catch(() => undefined);
    });
    const pool = new ChannelPool();
    t.teardown(() => {
      pool.close();
      server.close();
    });
    const channel = pool.open(server.target, { connectTimeoutMs: 60_000 });
    t.match(await callOnce(channel, { method: 'X', send: [none] }), { code: 0 });
    const [first, second, third, last] = server.peers;
    await Promise.all([first!, second!, third!].map((peer) => peer.untilClosed()));
    t.notOk(last!.closed, 'of all attempts one connection is left');
  }
});

void t.test('a large message both ways, and many calls at once', async (t) => {
  const { target, server } = await rawService((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.pipe(stream);
  });
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    server.close();
  });
  const channel = pool.open(target);
  const large = Buffer.alloc(20 * 1024 * 1024, 'photon');
  const outcome = await callOnce(channel, { method: 'X', send: [large, none, large] });
  t.equal(outcome.code, 0);
  t.strictSame(
    outcome.messages.map((message) => message.equals(large)),
    [true, false, true],
  );
  const payloads = Array.from({ length: 500 }, (_, index) => Buffer.alloc(index * 37, index));
  const all = await Promise.all(payloads.map((payload) => callOnce(channel, { method: 'X', send: [payload] })));
  t.ok(all.every(({ code, messages }, index) => code === 0 && messages[0]!.equals(payloads[index]!)));
});

void t.test('a channel that is closed fails what waits for a connection', async (t) => {
  const silent = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const pool = new ChannelPool();
  const target = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const channel = pool.open(target);
  const waiting = callOnce(channel, { method: 'X', send: [none] });
  const late = callOnce(channel, { method: 'X', send: [none], timeoutMs: 50 });
  const connecting = channel.connect(5000);
  t.match(await late, { code: Code.DEADLINE_EXCEEDED, message: 'deadline of 0.05s exceeded' });
  pool.close();
  t.match(await waiting, { code: Code.UNAVAILABLE, message: 'the channel to the service is closed' });
  t.equal(await connecting, false);
});

void t.test('a service of grpc-js sees the metadata', async (t) => {
  let seen: Metadata | undefined;
  const server = new Server();
  const same = (bytes: Buffer): Buffer => bytes;
  const method = {
    path: '/t.T/X',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { X: method },
    {
      X: (call: { metadata: Metadata; request: Buffer }, answer: (error: null, value: Buffer) => void) => {
        seen = call.metadata;
        answer(null, call.request);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    server.forceShutdown();
  });
  const metadata = [
    ['user-agent', 'curl/8'],
    ['x-bin', Buffer.from([0, 1, 2])],
    ['x-bin', Buffer.from([255])],
    ['x', '1'],
  ] as const;
  const outcome = await callOnce(pool.open(`127.0.0.1:${port}`), { method: 'X', metadata, send: [Buffer.from('a')] });
  t.match(outcome, { code: 0, messages: [Buffer.from('a')] });
  t.strictSame(seen!.get('user-agent'), ['curl/8']);
  t.strictSame(seen!.get('x-bin'), [Buffer.from([0, 1, 2]), Buffer.from([255])]);
  t.strictSame(seen!.get('x'), ['1']);
});
