/**
 * Streaming calls without sockets: a request in memory on one side, a call that the test plays on the other. What must
 * happen in which order, and what must never.
 */
import { mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Call, CallListener, CallRequest, CallStatus, Channel } from '../../lib/exchange.js';
import { buildGateway, defaultGatewayOptions, type Gateway, type GatewayOptions } from '../../lib/gateway/index.js';
import { RuleFiles } from '../../lib/rule/index.js';
import { ProblemList, StatusError } from '../../lib/status.js';
import { MemoryExchange, type MemoryRequest } from '../support/exchange.js';
import { schemaFromText } from '../support/schema.js';

const proto = `
syntax = "proto3";
package m.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service M {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/get" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" additional_bindings { post: "/watch" body: "*" } }; }
  rpc Put(stream Message) returns (Message) { option (google.api.http) = { post: "/put" body: "*" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
  rpc File(Message) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/file" }; }
  rpc Raw(stream google.api.HttpBody) returns (Message) { option (google.api.http) = { post: "/raw" body: "*" }; }
}
message Message { string name = 1; }
`;

const named = (name: string): Buffer => Buffer.from([0x0a, name.length, ...Buffer.from(name)]);
const OK: CallStatus = { code: 0, message: '', trailers: [] };

/** A call whose service is the test. Everything that is done to it is one line of `log`. */
class FakeCall implements Call {
  readonly log: string[] = [];
  /** What `send` answers. */
  takes = true;

  constructor(
    readonly request: CallRequest,
    readonly listener: CallListener,
  ) {}

  send({ payload }: { readonly payload: Buffer }): boolean {
    this.log.push(`send ${payload.length > 40 ? payload.length : payload.subarray(2).toString()}`);
    return this.takes;
  }
  halfClose(): void {
    this.log.push('halfClose');
  }
  pause(): void {
    this.log.push('pause');
  }
  resume(): void {
    this.log.push('resume');
  }
  cancel(): void {
    this.log.push('cancel');
    queueMicrotask(() => this.listener.onEnd({ code: 1, message: 'cancelled', trailers: [] }));
  }

  message(payload: Buffer): void {
    this.listener.onMessage({ compressed: false, payload });
  }
  end(status: Partial<CallStatus> = {}): void {
    this.listener.onEnd({ ...OK, ...status });
  }
}

interface Started {
  readonly exchange: MemoryExchange;
  /** The call, once it was started. */
  readonly call: () => FakeCall;
  readonly calls: readonly FakeCall[];
}

const schema = schemaFromText(proto);

function gateway(options: Partial<GatewayOptions>, channel: Channel): Gateway {
  const problems = new ProblemList();
  const built = buildGateway(
    {
      schema,
      rules: new RuleFiles(schema, '/', problems).ruleSet([]),
      types: schema,
      channelFor: () => channel,
      prefix: '',
      listenHost: '0.0.0.0',
      thorough: false,
    },
    { ...defaultGatewayOptions, streamHeadDelayMs: 60_000, ...options },
    problems,
  );
  problems.throwIfAny();
  return built.gateway;
}

/** Starts one request, and lets what is in memory settle. */
async function start(request: MemoryRequest, options: Partial<GatewayOptions> = {}): Promise<Started> {
  const calls: FakeCall[] = [];
  const channel: Channel = {
    target: 'fake',
    start(callRequest, listener) {
      const call = new FakeCall(callRequest, listener);
      calls.push(call);
      return call;
    },
    connect: () => Promise.resolve(true),
    close: () => undefined,
  };
  const exchange = new MemoryExchange(request);
  gateway(options, channel).handle(exchange);
  await sleep(1);
  return { exchange, calls, call: () => calls[0]! };
}

const text = (exchange: MemoryExchange): string => exchange.soFar.toString();

void t.test('a server stream from its first message to its end', async (t) => {
  const { exchange, call } = await start({ target: '/watch?name=q' });
  t.strictSame(call().log, ['send q', 'halfClose']);
  t.equal(exchange.sentHead, undefined, 'the head waits');
  call().listener.onHeaders([['x-a', 'b']]);
  t.equal(exchange.sentHead, undefined, 'headers alone are no event');
  call().message(named('a'));
  t.equal(exchange.sentHead!.status, 200);
  t.ok(exchange.sentHead!.headers.includes('x-a'));
  t.equal(text(exchange), '[{"name":"a"}');
  call().message(named('b'));
  t.equal(text(exchange), '[{"name":"a"},{"name":"b"}');
  call().end();
  const answer = await exchange.answer;
  t.match([answer.body.toString(), answer.aborted], ['[{"name":"a"},{"name":"b"}]', false]);
});

void t.test('back-pressure downwards: paused once, resumed once', async (t) => {
  const { exchange, call } = await start({ target: '/watch', highWater: 10 });
  call().log.length = 0;
  call().message(named('a'));
  call().message(named('b'));
  t.strictSame(call().log, ['pause'], 'what was on its way is taken without another word');
  exchange.drain();
  t.strictSame(call().log, ['pause', 'resume']);
  exchange.drain();
  t.strictSame(call().log, ['pause', 'resume']);
  call().message(named('c'));
  call().end();
  t.equal((await exchange.answer).body.toString(), '[{"name":"a"},{"name":"b"},{"name":"c"}]');
});

void t.test('the SSE keep-alive is written while the reader keeps up, and not while it is behind', async (t) => {
  const headers = ['host', 'localhost', 'accept', 'text/event-stream'];
  const { exchange, call } = await start({ target: '/watch', headers, highWater: 20 }, { sseKeepAliveMs: 1000 });
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  call().message(named('first'));
  exchange.drain();
  const comments = (): number =>
    text(exchange)
      .split('\n')
      .filter((line) => line.startsWith(':')).length;
  mock.timers.tick(1000);
  t.equal(comments(), 1, 'while it keeps up');
  call().message(named('a message that is over the mark'));
  const before = exchange.soFar.length;
  mock.timers.tick(5000);
  t.equal(exchange.soFar.length, before, 'nothing is added to what it has not read');
  exchange.drain();
  mock.timers.tick(1000);
  t.equal(comments(), 2, 'once it has caught up');
  exchange.goAway();
  mock.timers.tick(5000);
  t.equal(comments(), 2, 'and never to one that is gone');
});

void t.test('a message that begins waits for room at its client', async (t) => {
  for (const [request, head] of [
    [{ target: '/get' }, []],
    [{ target: '/put', method: 'POST', body: '{}' }, []],
    [{ target: '/watch' }, [named('a')]],
    [{ target: '/chat', method: 'POST', body: '{}' }, [named('a')]],
  ] as const) {
    const { exchange, call } = await start({ ...request, room: 1000 });
    const { listener, log } = call();
    for (const first of head) call().message(first);
    log.length = 0;
    listener.onMessageStart!(1000);
    t.strictSame(log, [], `${request.target}: there is room`);
    if (head.length > 0) call().message(named('b'));
    listener.onMessageStart!(1001);
    t.strictSame(log, ['pause'], 'there is none');
    t.equal(exchange.isHolding, true);
    exchange.makeRoom();
    t.strictSame(log, ['pause', 'resume']);
    call().message(named('c'));
    call().end();
    t.match((await exchange.answer).body.toString(), /"c"/);
  }
});

void t.test('a reader that is behind and a message without room: both must go before the call goes on', async (t) => {
  for (const isRoomFirst of [true, false]) {
    const { exchange, call } = await start({ target: '/watch', highWater: 10, room: 10 });
    const { listener, log } = call();
    log.length = 0;
    call().message(named('a'));
    listener.onMessageStart!(11);
    t.strictSame(log, ['pause', 'pause']);
    const [first, second] = [(): void => exchange.makeRoom(), (): void => exchange.drain()];
    if (isRoomFirst) first();
    else second();
    t.strictSame(log, ['pause', 'pause'], 'one is not enough');
    if (isRoomFirst) second();
    else first();
    t.strictSame(log, ['pause', 'pause', 'resume']);
    exchange.goAway();
  }
});

void t.test('room that comes too late harms nobody', async (t) => {
  for (const target of ['/get', '/watch']) {
    const { exchange, call } = await start({ target, room: 10 });
    call().listener.onMessageStart!(11);
    const { log } = call();
    log.length = 0;
    exchange.goAway();
    exchange.makeRoom();
    await sleep(1);
    t.strictSame(
      log.filter((line) => line !== 'resume'),
      ['cancel'],
      target,
    );
    call().end();
    exchange.makeRoom();
    t.equal(log.filter((line) => line === 'cancel').length, 1);
  }
});

void t.test('back-pressure upwards', async (t) => {
  for (const target of ['/put', '/chat', '/raw']) {
    const { exchange, call } = await start({ target, method: 'POST', open: true });
    exchange.push('{}');
    call().takes = false;
    exchange.push('{}{}{}{}');
    t.equal(exchange.paused, true, target);
    const sent = call().log.length;
    exchange.push('{}{}');
    await sleep(1);
    t.equal(call().log.length, sent, 'nothing more is read');
    call().takes = true;
    call().listener.onDrain!();
    await sleep(1);
    t.equal(exchange.paused, false);
    t.ok(call().log.length > sent);
    exchange.finishBody();
    await sleep(1);
    t.equal(call().log.at(-1), 'halfClose');
    call().end({ code: 5 });
  }
});

interface Row {
  readonly what: string;
  readonly target: string;
  readonly body: readonly string[];
  /** Then this happens to the exchange. */
  readonly then?: (exchange: MemoryExchange) => void;
  readonly log: readonly string[];
  readonly status: number;
}

void t.test('what is not whole is never half-closed', async (t) => {
  const gone = (exchange: MemoryExchange): void => exchange.goAway();
  const slow = (exchange: MemoryExchange): void => exchange.breakBody(StatusError.http(408, 'too slow'));
  const end = (exchange: MemoryExchange): void => exchange.finishBody();
  const rows: readonly Row[] = [
    { what: 'gone', target: '/put', body: ['{"name":"a"}{'], then: gone, log: ['send a', 'cancel'], status: 0 },
    { what: 'gone', target: '/chat', body: ['{"name":"a"}{'], then: gone, log: ['send a', 'cancel'], status: 0 },
    {
      what: 'gone between messages',
      target: '/raw',
      body: ['x'],
      then: gone,
      log: ['send application/octet-stream\x12\x01x', 'cancel'],
      status: 0,
    },
    { what: 'time-out', target: '/put', body: ['{"name":"a"}'], then: slow, log: ['send a', 'cancel'], status: 408 },
    { what: 'time-out', target: '/chat', body: [], then: slow, log: ['cancel'], status: 408 },
    { what: 'malformed', target: '/put', body: ['{"name":"a"}{"name":}'], log: ['send a', 'cancel'], status: 400 },
    { what: 'malformed', target: '/chat', body: ['[{"name":"a"},,'], log: ['send a', 'cancel'], status: 400 },
    { what: 'cut short', target: '/put', body: ['[{"name":"a"}'], then: end, log: ['send a', 'cancel'], status: 400 },
    {
      what: 'cut short',
      target: '/put',
      body: ['{"name":"a"} {"na'],
      then: end,
      log: ['send a', 'cancel'],
      status: 400,
    },
  ];
  for (const { what, target, body, then, log, status } of rows) {
    const { exchange, call } = await start({ target, method: 'POST', body, open: true });
    then?.(exchange);
    await sleep(1);
    t.strictSame(call().log, log, `${what} ${target}`);
    if (status !== 0) t.equal((await exchange.answer).status, status, `${what} ${target}`);
    else t.equal(exchange.sentHead, undefined);
  }
});

void t.test('a client stream that fails before its first message makes no call', async (t) => {
  const { exchange, calls } = await start({ target: '/put', method: 'POST', body: ['{"name":'], open: true });
  exchange.goAway();
  await sleep(1);
  t.strictSame(calls, []);
});

void t.test('the continue comes with the body, and not for what the head forbids', async (t) => {
  for (const target of ['/put', '/chat']) {
    const { exchange } = await start({ target, method: 'POST', open: true });
    t.equal(exchange.continued, true);
    exchange.goAway();
  }
  const refused = await start({
    target: '/put',
    method: 'POST',
    headers: ['host', 'a', 'content-type', 'text/plain'],
    open: true,
  });
  t.equal((await refused.exchange.answer).status, 415);
  t.equal(refused.exchange.continued, false);
});

void t.test('ends of a call', async (t) => {
  const failure = { code: 14, message: 'broke' };
  const early = await start({ target: '/watch' });
  early.call().end(failure);
  t.equal((await early.exchange.answer).status, 503);

  const file = await start({ target: '/file' });
  file.call().message(Buffer.from([0x12, 1, 0x61]));
  file.call().end(failure);
  t.match(await file.exchange.answer, { status: 200, aborted: true, body: Buffer.from('a') });

  const unread = await start({ target: '/watch' });
  unread.call().message(Buffer.from([0x0a, 9]));
  t.equal((await unread.exchange.answer).status, 500, 'a first message that is none');
  t.equal(unread.call().log.at(-1), 'cancel');

  const later = await start({ target: '/watch' });
  later.call().message(named('a'));
  later.call().message(Buffer.from([0x0a, 9]));
  const answer = await later.exchange.answer;
  t.match(answer, { status: 200, aborted: true });
  t.match(answer.body.toString(), /^\[\{"name":"a"\},\{"error":\{"code":13,/);
  later.call().message(named('b'));
  later.call().end();

  const none = await start({ target: '/put', method: 'POST', body: '{}' });
  none.call().end();
  t.equal((await none.exchange.answer).status, 500, 'an OK without a message');
  const many = await start({ target: '/put', method: 'POST', body: '{}' });
  many.call().message(named('a'));
  many.call().message(named('b'));
  t.equal((await many.exchange.answer).status, 500);
  t.equal(many.call().log.at(-1), 'cancel');
});

void t.test('a bidi call that ends while the body still comes', async (t) => {
  const { exchange, call } = await start({ target: '/chat', method: 'POST', open: true, body: ['{"name":"a"}'] });
  call().message(named('b'));
  call().end();
  t.equal((await exchange.answer).body.toString(), '[{"name":"b"}]');
  const { length } = call().log;
  exchange.push('{"name":"c"}');
  exchange.goAway();
  await sleep(1);
  t.equal(call().log.length, length, 'nothing happens to it any more');
});

void t.test('requests under way are counted to their end', async (t) => {
  const calls: FakeCall[] = [];
  const channel: Channel = {
    target: 'fake',
    start(request, listener) {
      calls.push(new FakeCall(request, listener));
      return calls.at(-1)!;
    },
    connect: () => Promise.resolve(true),
    close: () => undefined,
  };
  const busy = gateway({ maxConcurrentRequests: 1 }, channel);
  const ask = (target: string): MemoryExchange => {
    const exchange = new MemoryExchange({ target });
    busy.handle(exchange);
    return exchange;
  };
  const first = ask('/watch');
  await sleep(1);
  calls[0]!.message(named('a'));
  t.equal((await ask('/watch').answer).status, 503);
  calls[0]!.end({ code: 5 });
  t.equal((await first.answer).aborted, true);
  const second = ask('/watch');
  await sleep(1);
  second.goAway();
  const third = ask('/watch');
  await sleep(1);
  calls[2]!.end();
  t.equal((await third.answer).status, 200);
});
