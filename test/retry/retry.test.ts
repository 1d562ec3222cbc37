/** Calls in several attempts, over both clients, before a server that fails as each case says. */
import type { ServerHttp2Stream } from 'node:http2';
import t from 'tap';
import type { Call, CallListener, CallStatus, Channel } from '../../lib/exchange.js';
import { RetryBudget, retryingChannel, RetryPolicy, type RetrySettings } from '../../lib/retry/index.js';
import { Code } from '../../lib/status.js';
import { encodeFrame } from '../../lib/wire/index.js';
import { until } from '../support/until.js';
import { callOnce, type CallSpec, ClientPool, rawService, testClients } from '../upstream/service.js';

const type = { ':status': 200, 'content-type': 'application/grpc+proto' };

/** What the server does with an attempt once it has the whole request. */
type Act = (stream: ServerHttp2Stream) => void;

const ok: Act = (stream) => {
  stream.respond(type, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(encodeFrame(Buffer.from('done'), false));
};
const fails =
  (code: number, pushback?: string): Act =>
  (stream) => {
    const said = pushback === undefined ? {} : { 'grpc-retry-pushback-ms': pushback };
    stream.respond({ ...type, 'grpc-status': String(code), 'grpc-message': 'no', ...said }, { endStream: true });
  };
const failsAfterHeaders: Act = (stream) => {
  stream.respond(type, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '14' }));
  stream.end();
};
const answers =
  (status: number): Act =>
  (stream) =>
    stream.respond({ ':status': status, 'content-type': 'text/html' }, { endStream: true });
const breaks: Act = (stream) => void stream.session?.destroy();
const resets: Act = (stream) => stream.close(8);
const hangs: Act = () => undefined;

interface Server {
  readonly target: string;
  /** Of each attempt: the name that it was given by its position, and what came. */
  readonly attempts: { readonly previous: string | undefined; readonly body: string }[];
  close(): void;
}

/** @param acts of the attempts, in order; the last one of all further ones */
async function startServer(acts: readonly Act[]): Promise<Server> {
  const attempts: Server['attempts'] = [];
  const sessions = new Set<ServerHttp2Stream['session']>();
  const { target, server } = await rawService((stream, headers) => {
    sessions.add(stream.session);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const previous = headers['grpc-previous-rpc-attempts'] as string | undefined;
      attempts.push({ previous, body: Buffer.concat(chunks).toString('latin1') });
      (acts[attempts.length - 1] ?? acts.at(-1) ?? hangs)(stream);
    });
  });
  return {
    target,
    attempts,
    close() {
      for (const session of sessions) session?.destroy();
      server.close();
    },
  };
}

const fast: RetrySettings = { initialBackoffMs: 1, maxBackoffMs: 2 };

interface Case {
  readonly name: string;
  readonly acts: readonly Act[];
  readonly settings?: RetrySettings;
  /** The schema says that the RPC may be repeated. */
  readonly isIdempotent?: boolean;
  readonly spec?: Partial<CallSpec>;
  readonly attempts: number;
  readonly code: number;
}

const cases: readonly Case[] = [
  { name: 'UNAVAILABLE is sent again', acts: [fails(14), fails(14), ok], attempts: 3, code: Code.OK },
  { name: 'no more often than attempts', acts: [fails(14)], attempts: 3, code: Code.UNAVAILABLE },
  { name: 'attempts: 2', acts: [fails(14)], settings: { attempts: 2 }, attempts: 2, code: Code.UNAVAILABLE },
  { name: 'other codes are final', acts: [fails(8), ok], attempts: 1, code: Code.RESOURCE_EXHAUSTED },
  {
    name: 'codes, of an RPC that may be repeated',
    acts: [fails(8), fails(10), ok],
    settings: { codes: [8, 10] },
    isIdempotent: true,
    attempts: 3,
    code: Code.OK,
  },
  {
    name: 'codes, of an RPC that may not be repeated',
    acts: [fails(8), ok],
    settings: { codes: [8, 14] },
    attempts: 1,
    code: Code.RESOURCE_EXHAUSTED,
  },
  {
    name: 'idempotent: true of the settings',
    acts: [fails(8), ok],
    settings: { codes: [8], idempotent: true },
    attempts: 2,
    code: Code.OK,
  },
  { name: 'an answer that has begun is final', acts: [failsAfterHeaders, ok], attempts: 1, code: Code.UNAVAILABLE },
  { name: 'a broken connection is final', acts: [breaks, ok], attempts: 1, code: Code.UNAVAILABLE },
  { name: 'but for an RPC that may be repeated', acts: [breaks, ok], isIdempotent: true, attempts: 2, code: Code.OK },
  { name: 'a reset is final', acts: [resets, ok], attempts: 1, code: Code.UNAVAILABLE },
  { name: 'but for an RPC that may be repeated', acts: [resets, ok], isIdempotent: true, attempts: 2, code: Code.OK },
  {
    name: 'failures without reset',
    acts: [resets, ok],
    settings: { failures: ['unconnected', 'refused'] },
    isIdempotent: true,
    attempts: 1,
    code: Code.UNAVAILABLE,
  },
  { name: '503 of a server that is no gRPC', acts: [answers(503), ok], attempts: 2, code: Code.OK },
  { name: '504, of which nobody knows', acts: [answers(504), ok], attempts: 1, code: Code.UNAVAILABLE },
  {
    name: '504, of an RPC that may be repeated',
    acts: [answers(504), ok],
    isIdempotent: true,
    attempts: 2,
    code: Code.OK,
  },
  {
    name: 'http_statuses',
    acts: [answers(500), answers(503), ok],
    settings: { httpStatuses: [500] },
    isIdempotent: true,
    attempts: 2,
    code: Code.UNAVAILABLE,
  },
  {
    name: 'http_statuses: 5xx',
    acts: [answers(500), answers(403), ok],
    settings: { httpStatuses: ['5xx'] },
    isIdempotent: true,
    attempts: 2,
    code: Code.PERMISSION_DENIED,
  },
  { name: 'pushback in milliseconds', acts: [fails(14, '1'), ok], attempts: 2, code: Code.OK },
  { name: 'pushback: never', acts: [fails(14, '-1'), ok], attempts: 1, code: Code.UNAVAILABLE },
  { name: 'pushback that is no number', acts: [fails(14, 'soon'), ok], attempts: 1, code: Code.UNAVAILABLE },
  {
    name: 'pushback beyond the deadline: the failure is told at once',
    acts: [fails(14, '999999'), ok],
    spec: { timeoutMs: 600_000 },
    attempts: 1,
    code: Code.UNAVAILABLE,
  },
  {
    name: 'a request larger than what is held',
    acts: [fails(14), ok],
    settings: { maxBufferedBytes: 20 },
    attempts: 1,
    code: Code.UNAVAILABLE,
  },
  {
    name: 'per_try_timeout',
    acts: [hangs, ok],
    settings: { perTryTimeoutMs: 500 },
    isIdempotent: true,
    attempts: 2,
    code: Code.OK,
  },
  {
    name: 'per_try_timeout, in the last attempt too',
    acts: [hangs],
    settings: { perTryTimeoutMs: 500, attempts: 2 },
    isIdempotent: true,
    attempts: 2,
    code: Code.DEADLINE_EXCEEDED,
  },
];

function retrying(channel: Channel, settings: RetrySettings = {}, isIdempotent = false, onRetry?: () => void): Channel {
  return retryingChannel(channel, {
    policy: new RetryPolicy({ ...fast, ...settings }, isIdempotent),
    budget: undefined,
    onRetry,
  });
}

testClients('cases', async (t, client) => {
  for (const { name, acts, settings, isIdempotent, spec, attempts, code } of cases) {
    const pool = new ClientPool(client);
    const server = await startServer(acts);
    let retries = 0;
    const channel = retrying(pool.open(server.target), settings, isIdempotent, () => retries++);
    const send = [Buffer.from('one'), Buffer.from('two')];
    const outcome = await callOnce(channel, { method: 'Call', send, ...spec });
    t.equal(outcome.code, code, `${name}: ${outcome.message}`);
    t.strictSame(
      server.attempts,
      Array.from({ length: attempts }, (_, index) => ({
        previous: index === 0 ? undefined : String(index),
        body: '\0\0\0\0\x03one\0\0\0\0\x03two',
      })),
      `${name}: each attempt has the whole request`,
    );
    t.equal(retries, attempts - 1, `${name}: onRetry`);
    t.strictSame(outcome.messages.map(String), code === Code.OK ? ['done'] : [], name);
    pool.close();
    server.close();
  }
});

testClients('a server that is not there, and then is', async (t, client) => {
  const { target, server: first } = await rawService(ok);
  first.close();
  const pool = new ClientPool(client);
  const open = pool.open(target, { initialReconnectBackoffMs: 1, maxReconnectBackoffMs: 1 });
  const gone = await callOnce(retrying(open), { method: 'Call', send: [] });
  t.match(gone, { code: Code.UNAVAILABLE, failure: 'unconnected' });
  let started: ReturnType<typeof rawService> | undefined;
  const start = (): void => void (started ??= rawService(ok, Number(target.split(':')[1])));
  const patient = { attempts: 100, maxBackoffMs: 100 };
  t.equal((await callOnce(retrying(open, patient, false, start), { method: 'Call', send: [] })).code, Code.OK);
  pool.close();
  (await started)?.server.close();
});

testClients('cancelled during a pause', async (t, client) => {
  const pool = new ClientPool(client);
  const server = await startServer([fails(14, '600000'), ok]);
  let call: Call | undefined;
  const outcome = callOnce(retrying(pool.open(server.target)), {
    method: 'Call',
    send: [Buffer.from('x')],
    onStart: (started) => (call = started),
  });
  await until(() => server.attempts.length === 1 && isWaiting(call), 'a pause');
  call?.cancel();
  t.equal((await outcome).code, Code.CANCELLED);
  t.equal(server.attempts.length, 1);
  pool.close();
  server.close();
});

testClients('messages that come during a pause go out with the next attempt', async (t, client) => {
  const pool = new ClientPool(client);
  const attempts: string[] = [];
  const { target, server } = await rawService((stream) => {
    attempts.push('');
    const index = attempts.length - 1;
    if (index === 0) return fails(14, '50')(stream);
    stream.on('data', (chunk: Buffer) => (attempts[index] += chunk.toString('latin1')));
    stream.on('end', () => ok(stream));
  });
  let call: Call | undefined;
  const outcome = callOnce(retrying(pool.open(target)), { method: 'Call', onStart: (started) => (call = started) });
  await until(() => isWaiting(call), 'a pause');
  call?.send({ compressed: false, payload: Buffer.from('late') });
  call?.halfClose();
  t.equal((await outcome).code, Code.OK);
  t.strictSame(attempts, ['', '\0\0\0\0\x04late']);
  pool.close();
  server.close();
});

testClients('a budget stops what fails most of the time, and comes back with successes', async (t, client) => {
  const pool = new ClientPool(client);
  let act = fails(14);
  const server = await startServer([(stream) => act(stream)]);
  const budget = new RetryBudget({ maxTokens: 4, tokenRatio: 1 });
  const policy = new RetryPolicy({ ...fast, attempts: 2 }, false);
  const channel = retryingChannel(pool.open(server.target), { policy, budget });
  const attemptsOf = async (): Promise<number> => {
    const before = server.attempts.length;
    await callOnce(channel, { method: 'Call', send: [] });
    return server.attempts.length - before;
  };
  t.equal(await attemptsOf(), 2, '4 tokens, then 3 and 2');
  t.equal(await attemptsOf(), 1, 'not more than half of them');
  act = ok;
  t.equal(await attemptsOf(), 1);
  t.equal(await attemptsOf(), 1);
  t.equal(await attemptsOf(), 1, '4 again');
  act = fails(14);
  t.equal(await attemptsOf(), 2);
  pool.close();
  server.close();
});

testClients('the channel says how many calls may be sent again at once', async (t, client) => {
  const pool = new ClientPool(client);
  const server = await startServer([fails(14)]);
  const open = pool.open(server.target);
  const log: string[] = [];
  let isFree = true;
  const limited: Channel = {
    target: open.target,
    start: (request, listener) => open.start(request, listener),
    connect: (time) => open.connect(time),
    close: () => open.close(),
    retryLimit: {
      take() {
        log.push(isFree ? 'take' : 'refuse');
        return isFree;
      },
      release: () => void log.push('release'),
    },
  };
  await callOnce(retrying(limited), { method: 'Call', send: [] });
  t.strictSame(log.splice(0), ['take', 'release', 'take', 'release'], 'each pause and attempt');
  isFree = false;
  t.equal((await callOnce(retrying(limited), { method: 'Call', send: [] })).code, Code.UNAVAILABLE);
  t.strictSame(log, ['refuse']);
  t.equal(server.attempts.length, 4);
  pool.close();
  server.close();
});

/** A channel whose attempts a test drives: what is sent finds room or not, as it says. */
function drivenChannel(hasRoom: readonly boolean[]): { channel: Channel; attempts: CallListener[]; sent: number[] } {
  const attempts: CallListener[] = [];
  const sent: number[] = [];
  const channel: Channel = {
    target: 'driven',
    start(_request, listener) {
      const index = attempts.push(listener) - 1;
      sent.push(0);
      return {
        send() {
          sent[index]!++;
          return hasRoom[index] ?? true;
        },
        halfClose() {},
        pause() {},
        resume() {},
        cancel: () => listener.onEnd({ code: Code.CANCELLED, message: 'cancelled', trailers: [] }),
      };
    },
    connect: () => Promise.resolve(true),
    close() {},
  };
  return { channel, attempts, sent };
}

const lost: CallStatus = { code: Code.UNAVAILABLE, message: 'gone', trailers: [], failure: 'unconnected' };

for (const [what, hasRoom, isDrained] of [
  ['that has room', [false, true], true],
  ['that has none yet', [false, false], false],
] as const) {
  void t.test(`a client that waits for room is told by an attempt ${what}`, async (t) => {
    const { channel, attempts, sent } = drivenChannel(hasRoom);
    let drains = 0;
    const listener = { onHeaders() {}, onMessage() {}, onEnd() {}, onDrain: () => void drains++ };
    const call = retrying(channel).start({ path: '/s.S/Call', metadata: [], timeoutMs: undefined }, listener);
    t.equal(call.send({ compressed: false, payload: Buffer.from('x') }), false);
    attempts[0]?.onEnd(lost);
    await until(() => attempts.length === 2, 'the second attempt');
    t.same(sent, [1, 1]);
    t.equal(drains, isDrained ? 1 : 0);
    if (!isDrained) attempts[1]?.onDrain?.();
    t.equal(drains, 1, 'once in any case');
  });
}

void t.test('a request that is too large to be held has the time of its attempt', async (t) => {
  const { channel, attempts } = drivenChannel([]);
  const policy = { maxBufferedBytes: 10, perTryTimeoutMs: 1 };
  const ended = new Promise<CallStatus>((resolve) => {
    const listener = { onHeaders() {}, onMessage() {}, onEnd: resolve };
    const call = retrying(channel, policy, true).start(
      { path: '/s.S/Call', metadata: [], timeoutMs: undefined },
      listener,
    );
    call.send({ compressed: false, payload: Buffer.alloc(100) });
    call.halfClose();
  });
  t.equal((await ended).code, Code.DEADLINE_EXCEEDED);
  t.equal(attempts.length, 1, 'and no other one');
});

void t.test('pauses grow up to a limit, by a fifth more or less', (t) => {
  const policy = new RetryPolicy({ initialBackoffMs: 100, maxBackoffMs: 300, backoffMultiplier: 2 }, false);
  t.strictSame(
    [0, 1, 2, 50].map((retries) => policy.backoffMs(retries, 0.5)),
    [100, 200, 300, 300],
  );
  t.strictSame(
    [0, 1].map((random) => Math.round(policy.backoffMs(0, random))),
    [80, 120],
  );
  t.end();
});

/** True while a call has no attempt: `send` then only keeps what it gets. */
function isWaiting(call: Call | undefined): boolean {
  return call !== undefined && 'timer' in call && call.timer !== undefined;
}
