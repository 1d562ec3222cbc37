/** What a WebSocket's run does to its call, seen at the seam: no real service can tell a cancel from what follows it. */
import t from 'tap';
import type { CallListener, Channel, SocketPlan, SocketSink } from '../../lib/exchange.js';
import { SocketRun } from '../../lib/gateway/socket.js';
import { StatusError } from '../../lib/status.js';

function runOf(clientStreaming: boolean) {
  const did: string[] = [];
  let sink!: SocketSink;
  let listener!: CallListener;
  const channel: Channel = {
    target: 'none',
    start(_request, given) {
      listener = given;
      did.push('start');
      return {
        send: () => did.push('send') < 4,
        halfClose: () => void did.push('half-close'),
        pause: () => void did.push('pause call'),
        resume: () => void did.push('resume call'),
        cancel: () => void did.push('cancel'),
      };
    },
    connect: () => Promise.resolve(true),
    close: () => undefined,
  };
  const socket: SocketPlan = {
    open: () => ({
      metadata: [],
      timeoutMs: undefined,
      takesBody: true,
      request(data) {
        if (data.toString() === 'bad') throw StatusError.http(400, 'bad frame');
        return data;
      },
      message: (data, isBinary) => ({ data, isBinary }),
      error: ({ code, message }) => new StatusError(code, message),
    }),
    errorFrame: (error) => Buffer.from(error.message),
  };
  const rpc = { name: 'a.B.C', service: 'a.B', path: '/a.B/C', clientStreaming, serverStreaming: true };
  const run = new SocketRun({
    upgrade: {
      accept(_headers, _limit, given) {
        sink = given;
        return {
          send: (data) => did.push(`frame ${data.toString()}`) < 0,
          pause: () => void did.push('pause socket'),
          resume: () => void did.push('resume socket'),
          close: (code) => void did.push(`close ${code}`),
        };
      },
    },
    rpc,
    plan: socket,
    channel,
    head: {
      method: 'GET',
      path: '/',
      query: undefined,
      headers: [],
      httpVersion: '1.1',
      hasBody: false,
      requestId: 'r',
      caller: { address: '127.0.0.1', forwarded: [] },
    },
    captures: [],
    maxMessageBytes: 10,
    outcome: { onCallFailed: () => undefined, onStreamed: () => void did.push('done'), report: () => undefined },
  });
  run.start();
  return { did, sink, listener: () => listener };
}

const text = (value: string): Buffer => Buffer.from(value);

void t.test('whatever ends a call early cancels and never half-closes it', (t) => {
  const ends: readonly [what: string, end: (sink: SocketSink) => void, then: readonly string[]][] = [
    ['gone', (sink) => sink.onGone(), ['cancel', 'done']],
    ['too large', (sink) => sink.onTooLarge(), ['cancel', 'frame a message', 'close 4008', 'done']],
    ['a stop', (sink) => sink.onShutdown(), ['cancel', 'frame the proxy', 'close 4014', 'done']],
    ['a bad frame', (sink) => sink.onMessage(text('bad'), false), ['cancel', 'frame bad frame', 'close 4003', 'done']],
  ];
  for (const [what, end, then] of ends) {
    const { did, sink } = runOf(true);
    sink.onMessage(text('x'), false);
    end(sink);
    // Nothing counts any more.
    sink.onMessage(text(''), false);
    sink.onGone();
    const short = did.map((step) => step.split(' ').slice(0, 3).join(' '));
    t.strictSame(short.slice(0, 2), ['start', 'send'], what);
    t.strictSame(short.slice(2), then, what);
  }
  t.end();
});

void t.test('a full call pauses the socket, a full socket the call', (t) => {
  const { did, sink, listener } = runOf(true);
  for (const value of ['a', 'b', 'c']) sink.onMessage(text(value), false);
  listener().onDrain!();
  listener().onMessage({ compressed: false, payload: text('m') });
  sink.onWritable();
  t.strictSame(did, [
    'start',
    'send',
    'send',
    'send',
    'pause socket',
    'resume socket',
    'frame m',
    'pause call',
    'resume call',
  ]);
  listener().onEnd({ code: 0, message: '', trailers: [] });
  t.strictSame(did.slice(-2), ['close 1000', 'done']);
  t.end();
});

void t.test('close codes stay within what there is', (t) => {
  for (const [code, closed] of [
    [5, 4005],
    [99, 4099],
    [1000, 4002],
    [-1, 4002],
  ] as const) {
    const { did, sink, listener } = runOf(false);
    sink.onMessage(text('x'), true);
    t.strictSame(did, ['start', 'send', 'half-close']);
    listener().onEnd({ code, message: 'm', trailers: [] });
    t.equal(did.at(-2), `close ${closed}`);
  }
  t.end();
});
