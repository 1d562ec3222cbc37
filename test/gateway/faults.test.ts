/**
 * Whatever throws, a request ends: each step of each kind of run is made to throw, alone and with each step that comes after
 * it. Then the exchange has its end, or is broken off; it no longer counts as under way; a call that was open is cancelled;
 * and nothing is thrown into the code of the client's or the service's connection.
 */
import t from 'tap';
import type {
  BodySink,
  CallListener,
  CallStatus,
  Channel,
  Exchange,
  MethodPlan,
  Reply,
  SocketSink,
  StreamExchange,
} from '../../lib/exchange.js';
import { defaultGatewayOptions, errorChannel, type InternalError } from '../../lib/gateway/index.js';
import { Gateway } from '../../lib/gateway/gateway.js';
import type { GatewayParts } from '../../lib/gateway/parts.js';
import type { Page } from '../../lib/builtin/pages.js';
import { CallerRules, HeaderNames } from '../../lib/metadata/index.js';
import type { ReplyEncoder } from '../../lib/policy/index.js';
import { StatusError } from '../../lib/status.js';

const OK: CallStatus = { code: 0, message: '', trailers: [] };
const bytes: Buffer = Buffer.from('x');
const frame = { compressed: false, payload: bytes };

/** Counts the steps of a run, and throws at those that a test has chosen. */
class Steps {
  readonly names: string[] = [];

  constructor(private readonly faults: ReadonlySet<number>) {}

  take(name: string): void {
    this.names.push(name);
    if (this.faults.has(this.names.length - 1)) throw new Error(`fault in ${name}`);
  }

  /** The object with each of its functions a step. */
  watch<T extends object>(what: string, target: T): T {
    return new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          this.take(`${what}.${String(key)}`);
          return Reflect.apply(value, object, given);
        };
      },
    });
  }
}

type Kind = 'unary' | 'server' | 'client' | 'bidi' | 'socket' | 'page' | 'miss';

/** What happens from outside, one after the other. */
interface World {
  sink: BodySink | undefined;
  listener: CallListener | undefined;
  socketSink: SocketSink | undefined;
  drain: (() => void) | undefined;
  gone: (() => void) | undefined;
  isCallOpen: boolean;
  isCancelled: boolean;
  isEnded: boolean;
  /** What `write` and `send` answer. */
  takes: boolean;
}

interface Journey {
  readonly what: string;
  readonly kind: Kind;
  readonly method?: string;
  readonly body?: boolean;
  readonly encode?: ReplyEncoder;
  readonly events: readonly ((world: World) => void)[];
}

const data = (world: World): void => world.sink?.onData(bytes);
const end = (world: World): void => {
  const { sink } = world;
  world.sink = undefined;
  sink?.onEnd();
};
const broken = (world: World): void => {
  const { sink } = world;
  world.sink = undefined;
  sink?.onAbort();
};
const late = (world: World): void => {
  const { sink } = world;
  world.sink = undefined;
  sink?.onAbort(StatusError.http(408, 'too slow'));
};
const headers = (world: World): void => world.listener?.onHeaders([]);
const message = (world: World): void => void (world.isCallOpen && world.listener?.onMessage(frame));
const status =
  (code: number) =>
  (world: World): void => {
    if (!world.isCallOpen) return;
    world.isCallOpen = false;
    world.listener?.onEnd({ ...OK, code });
  };
const full = (world: World): void => void (world.takes = false);
const drained = (world: World): void => {
  world.takes = true;
  world.drain?.();
};
const callDrained = (world: World): void => {
  world.takes = true;
  world.listener?.onDrain?.();
};
const writable = (world: World): void => {
  world.takes = true;
  world.socketSink?.onWritable();
};
const gone = (world: World): void => {
  if (!world.isEnded) world.gone?.();
};
const leaves = (world: World): void => world.socketSink?.onGone();
const text = (value: string) => (world: World) => world.socketSink?.onMessage(Buffer.from(value), false);

const journeys: readonly Journey[] = [
  { what: 'an answer', kind: 'unary', events: [headers, message, status(0)] },
  { what: 'an answer to a body', kind: 'unary', body: true, events: [data, end, headers, message, status(0)] },
  { what: 'a failure', kind: 'unary', events: [status(5)] },
  { what: 'two messages', kind: 'unary', events: [message, message] },
  { what: 'no message', kind: 'unary', events: [status(0)] },
  { what: 'a slow upload', kind: 'unary', body: true, events: [data, late] },
  { what: 'a client that leaves', kind: 'unary', events: [gone] },
  { what: 'an encoded answer', kind: 'unary', encode: (_, reply) => reply, events: [message, status(0)] },
  {
    what: 'an answer that is encoded later',
    kind: 'unary',
    encode: (_, reply) => Promise.resolve(reply),
    events: [message, status(0)],
  },
  {
    what: 'an encoder that rejects',
    kind: 'unary',
    encode: () => Promise.reject(new Error('no encoder')),
    events: [message, status(0)],
  },
  { what: 'messages', kind: 'server', events: [headers, message, message, status(0)] },
  { what: 'HEAD', kind: 'server', method: 'HEAD', events: [message] },
  { what: 'a slow reader', kind: 'server', events: [message, full, message, drained, message, status(0)] },
  { what: 'a failure at once', kind: 'server', events: [status(5)] },
  { what: 'a failure later', kind: 'server', events: [message, status(5)] },
  { what: 'a client that leaves', kind: 'server', events: [message, gone] },
  { what: 'an upload', kind: 'client', body: true, events: [data, data, end, headers, message, status(0)] },
  { what: 'a full call', kind: 'client', body: true, events: [full, data, callDrained, end, message, status(0)] },
  { what: 'a slow upload', kind: 'client', body: true, events: [data, late] },
  { what: 'a failure meanwhile', kind: 'client', body: true, events: [data, status(5)] },
  { what: 'two messages', kind: 'client', body: true, events: [data, message, message] },
  { what: 'a client that leaves', kind: 'client', body: true, events: [data, broken, gone] },
  { what: 'both ways', kind: 'bidi', body: true, events: [data, headers, message, data, message, end, status(0)] },
  { what: 'a full call', kind: 'bidi', body: true, events: [full, data, callDrained, message, end, status(0)] },
  { what: 'a slow upload', kind: 'bidi', body: true, events: [data, message, late] },
  { what: 'a slow upload before any answer', kind: 'bidi', body: true, events: [data, late] },
  { what: 'a client that leaves', kind: 'bidi', body: true, events: [data, message, broken, gone] },
  { what: 'without a body', kind: 'bidi', events: [message, status(0)] },
  { what: 'a failure', kind: 'bidi', body: true, events: [status(5)] },
  { what: 'frames', kind: 'socket', events: [text('a'), message, text(''), message, status(0)] },
  { what: 'a slow reader', kind: 'socket', events: [text('a'), full, message, writable, status(0)] },
  { what: 'a full call', kind: 'socket', events: [full, text('a'), callDrained, text(''), status(0)] },
  { what: 'a failure', kind: 'socket', events: [text('a'), status(5)] },
  { what: 'too large', kind: 'socket', events: [text('a'), (w) => w.socketSink?.onTooLarge()] },
  { what: 'a stop', kind: 'socket', events: [(w) => w.socketSink?.onShutdown()] },
  { what: 'a client that leaves', kind: 'socket', events: [text('a'), leaves] },
  { what: 'a page', kind: 'page', events: [] },
  { what: '404', kind: 'miss', events: [] },
];

const reply: Reply = { status: 200, headers: [], body: bytes };
const failed: Reply = { status: 500, headers: [], body: bytes };

function planOf(kind: Kind, steps: Steps): MethodPlan {
  const shared = { metadata: [], timeoutMs: undefined };
  const up = { maxBodyBytes: 10, contentCodings: [], request: (body: Buffer) => body };
  const requests = steps.watch('requests', {
    contentCodings: [],
    push: (chunk: Buffer, send: (message: typeof frame) => void) => send({ compressed: false, payload: chunk }),
    finish: () => undefined,
  });
  const response = steps.watch('response', {
    headDelayMs: 60_000,
    keepAlive: { everyMs: 60_000, chunk: bytes },
    head: () => ({ status: 200, headers: [], chunk: bytes }),
    message: () => bytes,
    end: ({ code }: CallStatus) => ({ chunk: bytes, isBroken: code !== 0 }),
    fail: () => ({ chunk: bytes, isBroken: true }),
  });
  const stream: Record<string, object> = {
    server: { ...shared, ...up, kind: 'server', response, fail: () => failed },
    client: { ...shared, kind: 'client', requests, reply: () => reply, fail: () => failed },
    bidi: { ...shared, kind: 'bidi', requests, response, fail: () => failed },
  };
  const streams = kind !== 'unary';
  return steps.watch<MethodPlan>('plan', {
    rpc: {
      name: 'a.B.C',
      service: 'a.B',
      path: '/a.B/C',
      clientStreaming: streams && kind !== 'server',
      serverStreaming: streams && kind !== 'client',
    },
    openUnary: () => steps.watch('unary', { ...shared, ...up, reply: () => reply, fail: () => failed }),
    openStream: () => steps.watch('stream', stream[kind] as StreamExchange),
    fail: () => failed,
    socket: steps.watch('socketPlan', {
      open: () =>
        steps.watch('socketExchange', {
          ...shared,
          takesBody: true,
          request: (body: Buffer) => body,
          message: (payload: Buffer, isBinary: boolean) => ({ data: payload, isBinary }),
          error: ({ code }: CallStatus) => new StatusError(code, 'failed'),
        }),
      errorFrame: () => bytes,
    }),
  });
}

function worldOf(): World {
  return {
    sink: undefined,
    listener: undefined,
    socketSink: undefined,
    drain: undefined,
    gone: undefined,
    isCallOpen: false,
    isCancelled: false,
    isEnded: false,
    takes: true,
  };
}

function exchangeOf({ kind, method = 'GET', body = false }: Journey, world: World, steps: Steps): Exchange {
  let responded = false;
  const close = (): void => void (world.isEnded = true);
  const socket = steps.watch('socket', {
    send: () => world.takes,
    pause: () => undefined,
    resume: () => undefined,
    close,
  });
  return steps.watch<Exchange>('exchange', {
    method,
    target: kind === 'page' ? '/page' : '/x',
    httpVersion: '1.1',
    headers: [],
    peer: { address: '192.0.2.1', port: 0 },
    secure: false,
    hasBody: body,
    continue: () => undefined,
    read: (sink) => void (world.sink = sink),
    pause: () => undefined,
    resume: () => undefined,
    respond() {
      if (responded) throw new Error('respond was called twice');
      responded = true;
    },
    write() {
      if (!responded || world.isEnded) throw new Error('written out of turn');
      return world.takes;
    },
    onDrain: (listener) => void (world.drain = listener),
    expect: () => true,
    end() {
      if (!responded || world.isEnded) throw new Error('ended out of turn');
      close();
    },
    abort: close,
    onClose: (listener) => {
      world.gone = () => {
        close();
        listener();
      };
    },
    webSocket:
      kind !== 'socket'
        ? undefined
        : steps.watch('upgrade', {
            accept: (_headers: unknown, _limit: unknown, sink: SocketSink) => {
              responded = true;
              world.socketSink = sink;
              return socket;
            },
          }),
  });
}

interface Outcome {
  readonly steps: readonly string[];
  readonly world: World;
  readonly isIdle: boolean;
  /** Thrown into the code of a connection. */
  readonly escaped: readonly unknown[];
}

async function run(journey: Journey, faults: ReadonlySet<number>): Promise<Outcome> {
  const steps = new Steps(faults);
  const world = worldOf();
  const escaped: unknown[] = [];
  const channel: Channel = steps.watch('channel', {
    target: 'fake',
    start(_request: unknown, listener: CallListener) {
      world.listener = listener;
      world.isCallOpen = true;
      return steps.watch('call', {
        send: () => world.takes,
        halfClose: () => undefined,
        pause: () => undefined,
        resume: () => undefined,
        cancel() {
          world.isCancelled = true;
          status(1)(world);
        },
      });
    },
    connect: () => Promise.resolve(true),
    close: () => undefined,
  });
  const matcher = {
    match: () =>
      journey.kind === 'page' || journey.kind === 'miss'
        ? undefined
        : { value: { plan: planOf(journey.kind, steps), channel }, captures: [] },
    allowed: () => [],
  } as unknown as GatewayParts['matcher'];
  const writer = steps.watch('error', { write: () => failed });
  const page = steps.watch<{ show: Page }>('page', { show: () => Promise.resolve(reply) });
  const gateway = new Gateway({
    matcher,
    sockets: matcher,
    maxBodyBytes: 10,
    filters: [],
    policies: [],
    pages: new Map([['/page', (head) => page.show(head)]]),
    indexPath: undefined,
    writeError: () => writer.write(),
    protocols: { match: () => undefined, reaches: () => false } as unknown as GatewayParts['protocols'],
    maxConcurrentRequests: 10,
    tooMany: StatusError.http(503, 'too many'),
    encode: journey.encode && ((...given) => (steps.take('encode'), journey.encode!(...given))),
    callers: new CallerRules({ trustedProxies: [] }),
    names: new HeaderNames({ grpcGatewayNames: false, identityHeaders: [] }),
    prefix: '',
    rpcs: new Set(),
    options: defaultGatewayOptions,
  });
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      escaped.push(error);
    }
  };
  attempt(() => gateway.handle(exchangeOf(journey, world, steps)));
  for (const event of journey.events) {
    await settled();
    attempt(() => event(world));
  }
  await settled();
  let isIdle = false;
  gateway.onIdle(() => (isIdle = true));
  return { steps: steps.names, world, isIdle, escaped };
}

/** Promises of the gateway's own have gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}

/** A step that cannot be made up for: nobody can be told anything any more. */
const lastResorts = ['exchange.abort', 'socket.close', 'call.cancel'];

void t.test('whatever throws, a request ends', async (t) => {
  const causes: unknown[] = [];
  const log = (event: unknown): void => {
    const { cause, client } = event as InternalError;
    causes.push(client === '192.0.2.1' ? cause : 'without its client');
  };
  errorChannel.subscribe(log);
  t.teardown(() => errorChannel.unsubscribe(log));
  for (const journey of journeys) {
    const name = `${journey.kind}: ${journey.what}`;
    const clean = await run(journey, new Set());
    t.strictSame([clean.world.isEnded || journey.events.includes(leaves), clean.escaped], [true, []], name);
    const wrong: string[] = [];
    const check = (faults: readonly number[], outcome: Outcome): void => {
      const failing = faults.map((index) => outcome.steps[index]);
      const { isEnded, isCallOpen, isCancelled } = outcome.world;
      const isLast = failing.some((step) => lastResorts.includes(step!));
      const report = (problem: string): void => void wrong.push(`${problem}: ${failing.join(' and ')}`);
      if (!isEnded && !isLast) report('no end');
      if (!outcome.isIdle) report('still counts');
      if (isCallOpen && !isCancelled && !isLast && isEnded) report('the call goes on');
      if (outcome.escaped.length > 0) report(`thrown on (${String(outcome.escaped[0])})`);
    };
    for (let first = 0; first < clean.steps.length; first++) {
      // What throws before the request is known here is for the server to answer.
      if (clean.steps[first] === 'exchange.onClose') continue;
      causes.length = 0;
      const outcome = await run(journey, new Set([first]));
      check([first], outcome);
      t.match(causes.map(String).join(), /fault in/, `${name}: ${clean.steps[first]} is told of`);
      for (let second = first + 1; second < outcome.steps.length; second++) {
        check([first, second], await run(journey, new Set([first, second])));
      }
    }
    t.strictSame(wrong, [], name);
  }
});
