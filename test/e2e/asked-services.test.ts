/**
 * The services that are asked before a request passes, an authorizer and one that counts limits of rate, when they are not what
 * they ought to be: a wrong program, half an answer, too much of one. Nothing of it lets a request pass that is not to, and
 * nothing of it stays behind.
 */
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { Agent, get } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { CheckResponse } from '../../lib/routes/authz-messages.js';
import { RateLimitResponse } from '../../lib/routes/ratelimit/messages.js';
import { encodeFrame, WireError } from '../../lib/wire/index.js';
import { allow, deny } from '../support/authorizer.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { until } from '../support/until.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service A { rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; }
`;

const all: Socket[] = [];

/** The address of a server that answers each call as `answer` does. */
async function listening(t: Test, server: Server): Promise<string> {
  server.on('connection', (socket: Socket) => all.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of all.splice(0)) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Answering = (stream: ServerHttp2Stream) => void;

function grpcServer(t: Test, answer: Answering): Promise<string> {
  const server = createHttp2();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.resume().on('end', () => answer(stream));
  });
  return listening(t, server);
}

const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };

/** Sends messages, and then a status. */
function sends(messages: readonly Uint8Array[], status = '0'): Answering {
  return (stream) => {
    stream.respond(grpcHead, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    for (const message of messages) stream.write(encodeFrame(Buffer.from(message), false));
    stream.end();
  };
}

/** Of both services, what would let a request pass if it were whole. */
const passing = { authz: CheckResponse.encode(allow()), rate: RateLimitResponse.encode({ overallCode: 1 }) };
const nonsense = Buffer.from('0801120568656c6c6f1a0568656c6c6f', 'hex');

type Bad = (pass: Buffer, kind: keyof typeof passing) => Answering;

const bad: Readonly<Record<string, Bad>> = {
  'another status than OK behind a good message': (pass) => sends([pass], '13'),
  'two messages': (pass) => sends([pass, pass]),
  'no message': () => sends([]),
  'bytes of another message': (_pass, kind) => sends([kind === 'authz' ? nonsense : nonsense.subarray(2)]),
  'half of a message': (pass) => (stream) => {
    stream.respond(grpcHead);
    stream.end(encodeFrame(pass, false).subarray(0, -1));
  },
  'a message without a status': (pass) => (stream) => {
    stream.respond(grpcHead);
    stream.end(encodeFrame(pass, false));
  },
  'a message that says to be compressed': (pass) => (stream) => {
    stream.respond(grpcHead, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(encodeFrame(pass, true));
  },
  'a page': () => (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/html' });
    stream.end('<p>welcome</p>');
  },
  'a redirect': () => (stream) => stream.respond({ ':status': 302, location: '/login' }, { endStream: true }),
  'a stream that is reset': () => (stream) => stream.close(2),
  'a connection that ends': () => (stream) => stream.session!.destroy(),
};

const badAuthorizer: Readonly<Record<string, Answering>> = {
  'a refusal whose status is OK': sends([CheckResponse.encode({ ...deny(403), status: { code: 0 } })]),
  'a refusal without a status': sends([CheckResponse.encode({ ...deny(403), status: undefined })]),
};

const badCounter: Readonly<Record<string, Answering>> = {
  'an empty answer': sends([Buffer.alloc(0)]),
  'a code that is none': sends([RateLimitResponse.encode({ overallCode: 3 })]),
};

function policies(kind: keyof typeof passing, target: string, isStrict: boolean, timeout = '60s'): object {
  if (kind === 'authz') {
    const ext_authz = { target, timeout, failure_mode_allow: !isStrict };
    return { listeners: [{ listen: '127.0.0.1:0', filters: [{ ext_authz }] }] };
  }
  const rate_limit_service = { target, timeout, domain: 'd', failure_mode_deny: isStrict };
  return { policies: { rate_limit_service, rate_limits: { all: { key: 'header:x-key', service: true } } } };
}

async function asking(t: Test, kind: keyof typeof passing, target: string, isStrict: boolean): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, {}, JSON.stringify(policies(kind, target, isStrict)));
  t.teardown(() => proxy.close());
  return proxy;
}

for (const kind of ['authz', 'rate'] as const) {
  const refused = kind === 'authz' ? 403 : 503;
  const check = async (t: Test, what: string, target: string): Promise<void> => {
    const strict = await asking(t, kind, target, true);
    const answer = await strict.send('GET /v1/x');
    t.equal(answer.status, refused, `${what}: ${answer.text}`);
    t.equal(strict.service.calls.length, 0, what);
    const lax = await asking(t, kind, target, false);
    t.equal((await lax.send('GET /v1/x')).status, 200, what);
  };

  void t.test(`${kind}: one that is whole lets pass`, async (t) => {
    const strict = await asking(t, kind, await grpcServer(t, sends([passing[kind]])), true);
    t.equal((await strict.send('GET /v1/x')).status, 200);
  });

  for (const [what, answer] of Object.entries(bad)) {
    void t.test(`${kind}: ${what}`, async (t) => check(t, what, await grpcServer(t, answer(passing[kind], kind))));
  }

  for (const [what, answer] of Object.entries(kind === 'authz' ? badAuthorizer : badCounter)) {
    void t.test(`${kind}: ${what}`, async (t) => check(t, what, await grpcServer(t, answer)));
  }

  void t.test(`${kind}: a server of HTTP/1.1`, async (t) => {
    await check(
      t,
      'HTTP/1.1',
      await listening(
        t,
        createHttp1((_request, response) => void response.end('hello')),
      ),
    );
  });

  void t.test(`${kind}: a server that hangs up`, async (t) => {
    await check(
      t,
      'hangs up',
      await listening(
        t,
        createTcp((socket) => socket.destroy()),
      ),
    );
  });

  void t.test(`${kind}: a thousand clients at once, and a service that never answers`, async (t) => {
    const calls = { open: 0, seen: 0 };
    const target = await grpcServer(t, (stream) => {
      calls.open++;
      calls.seen++;
      stream.on('close', () => calls.open--);
    });
    const proxy = await startTestProxy(proto, {}, JSON.stringify(policies(kind, target, true, '100ms')));
    t.teardown(() => proxy.close());
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    t.teardown(() => agent.destroy());
    const statuses = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => statusOf(proxy, agent, `key-${index}`)),
    );
    t.strictSame([...new Set(statuses)], [refused]);
    t.ok(calls.seen > 0);
    await until(() => calls.open === 0, 'the end of all checks');
    t.equal(proxy.service.calls.length, 0);
  });
}

for (const kind of ['authz', 'rate'] as const) {
  void t.test(`${kind}: a client that goes away leaves no check behind`, async (t) => {
    const calls = { open: 0, seen: 0 };
    const target = await grpcServer(t, (stream) => {
      calls.open++;
      calls.seen++;
      stream.on('close', () => calls.open--);
    });
    const proxy = await asking(t, kind, target, true);
    const request = get({ host: '127.0.0.1', port: proxy.port, path: '/v1/x', agent: false });
    request.on('error', () => undefined);
    await until(() => calls.open === 1, 'a check');
    request.destroy();
    await until(() => calls.open === 0, 'its end, long before its time-out');
    t.equal(calls.seen, 1);
  });
}

function statusOf({ port }: TestProxy, agent: Agent, key: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/v1/x', agent, headers: { 'x-key': key } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
}

void t.test('bytes of any kind are a message, or an error that is expected', (t) => {
  const whole = [
    CheckResponse.encode({ ...allow(), ...deny(401, 'no') }),
    RateLimitResponse.encode({
      overallCode: 2,
      responseHeadersToAdd: [{ key: 'a', value: 'b', rawValue: Buffer.of(1) }],
    }),
  ];
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .tuple(fc.constantFrom(...whole), fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }), fc.nat(100))
      .map(([message, changes, length]) => {
        const changed = Buffer.from(message);
        for (const [at, value] of changes) changed[at % changed.length] = value;
        return changed.subarray(0, Math.max(1, changed.length - (length % changed.length)));
      }),
  );
  for (const type of [CheckResponse, RateLimitResponse]) {
    fc.assert(
      fc.property(bytes, (given) => {
        try {
          type.decode(given);
        } catch (error) {
          return error instanceof WireError;
        }
        return true;
      }),
      { numRuns: 2000 },
    );
  }
  t.end();
});
