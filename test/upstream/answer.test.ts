/**
 * What the header lists of an answer say, the same over both clients: large ones, HTTP answers that are none of gRPC, statuses
 * that are none. Whatever comes, other calls on the connection never notice.
 */
import type { Test } from 'tap';
import { FrameWriter } from '../../lib/http2/index.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';
import { Code } from '../../lib/status.js';
import type { Metadata } from '../../lib/exchange.js';
import type { UpstreamClient, UpstreamOptions } from '../../lib/upstream/index.js';
import { encodeFrame } from '../../lib/wire/index.js';
import { END_STREAM, frame, number, type Peer, peerServer, settings } from '../support/http2-peer.js';
import { callOnce, ClientPool, type Outcome, testClients } from './service.js';

const DATA = 0;
const HEADERS = 1;

const grpcHead = [':status', '200', 'content-type', 'application/grpc'];
const ok = ['grpc-status', '0'];
const message = encodeFrame(Buffer.from('m'));

/** Makes the frames of an answer. */
class Answer {
  private readonly encoder = new FieldEncoder();
  private readonly writer = new FrameWriter();

  constructor(readonly id: number) {
    this.encoder.setMaxTableBytes(0);
  }

  /** A header list of any size, in as many frames as it takes. */
  list(fields: readonly string[], last = false): Buffer {
    this.writer.headers(this.id, Buffer.from(this.encoder.encode(fields)), last);
    return Buffer.concat(this.writer.take());
  }

  data(payload: Buffer, last = false): Buffer {
    return frame(DATA, last ? END_STREAM : 0, this.id, payload);
  }
}

interface Service {
  /** Calls the service, which answers with these frames; beside a call that goes on all the while. */
  readonly ask: (answer: (to: Answer) => readonly Buffer[]) => Promise<Outcome>;
  /** Ends the call beside, which must have noticed nothing. */
  readonly end: () => Promise<void>;
}

async function service(t: Test, client: UpstreamClient, options: Partial<UpstreamOptions> = {}): Promise<Service> {
  let answer: (to: Answer) => readonly Buffer[] = () => [];
  const server = await peerServer((peer: Peer) => {
    peer.send(settings());
    void (async () => {
      for (let id = 1; ; id += 2) {
        await peer.seen('a call', ({ type, streamId }) => type === HEADERS && streamId === id);
        const to = new Answer(id);
        // The first call of a connection is the neighbour: it has had a message, and gets the next ones later.
        if (id === 1) peer.send(to.list(grpcHead), to.data(message));
        else peer.send(...answer(to));
      }
    })().catch(() => undefined);
  });
  const pool = new ClientPool(client);
  const channel = pool.open(server.target, options);
  let received = 0;
  let onMessage: () => void = () => undefined;
  const neighbour = callOnce(channel, {
    method: 'Neighbour',
    send: [Buffer.alloc(0)],
    listener: {
      onMessage: () => {
        received++;
        onMessage();
      },
    },
  });
  const nextMessage = (count: number): Promise<void> =>
    new Promise((resolve) => {
      onMessage = () => received >= count && resolve();
      onMessage();
    });
  await nextMessage(1);
  t.teardown(() => {
    pool.close();
    server.close();
  });
  return {
    async end() {
      server.peers[0]!.send(new Answer(1).list(ok, true));
      t.match(await neighbour, { code: 0 }, 'the neighbour');
      t.equal(server.peers.length, 1, 'one connection did it all');
    },
    async ask(next) {
      answer = next;
      const outcome = await callOnce(channel, { method: 'X', send: [Buffer.alloc(0)], timeoutMs: 5000 });
      const before = received;
      server.peers[0]!.send(new Answer(1).data(message));
      await nextMessage(before + 1);
      return outcome;
    },
  };
}

const names = (entries: Metadata): string[] => entries.map(([name]) => name);

/** So many bytes of details as a `-bin` header has them. */
const details = (bytes: number): string => Buffer.alloc(bytes, 'd').toString('base64').replace(/=+$/, '');

testClients('errors with large details', async (t, client) => {
  const { ask, end } = await service(t, client);
  for (const size of [10, 49_000, 70_000, 190_000]) {
    const outcome = await ask((to) => [
      to.list(
        [...grpcHead, 'grpc-status', '5', 'grpc-message', 'no shelf', 'grpc-status-details-bin', details(size)],
        true,
      ),
    ]);
    t.match(outcome, { code: 5, message: 'no shelf', diagnosis: undefined });
    t.strictSame(outcome.trailers, [['grpc-status-details-bin', Buffer.alloc(size, 'd')]], `${size} bytes`);
  }
  const limit = 'limit of 262144 bytes, option max_upstream_header_bytes)';
  for (const size of [200_000, 1_000_000, 8_000_000]) {
    const status = ['grpc-status', '5', 'grpc-message', 'no shelf', 'x-small', '1'];
    const large = ['grpc-status-details-bin', details(size)];
    const lists: readonly (readonly [name: string, frames: (to: Answer) => Buffer[]])[] = [
      ['behind the status', (to) => [to.list([...grpcHead, ...status, ...large], true)]],
      ['in front of it', (to) => [to.list([...grpcHead, ...large, ...status], true)]],
      ['in trailers', (to) => [to.list(grpcHead), to.data(message), to.list([...large, ...status], true)]],
    ];
    for (const [name, frames] of lists) {
      const outcome = await ask(frames);
      t.match(outcome, { code: 5 }, `${size} bytes ${name}`);
      t.equal(outcome.message, `no shelf (details are left out: its headers are larger than the ${limit}`);
      t.strictSame(outcome.trailers, [['x-small', '1']]);
      t.match(outcome.diagnosis, /^the headers of 127\.0\.0\.1:\d+ are larger than the limit of 262144 bytes/);
    }
  }
  await end();
});

testClients('what is over the limit is left out, and nothing else', async (t, client) => {
  const { ask, end } = await service(t, client, { maxUpstreamHeaderBytes: 1000 });
  const limit = 'limit of 1000 bytes, option max_upstream_header_bytes)';
  // 43 + 32 bytes for the status, 32 + 1 for the name of each.
  const status = ['grpc-status', '7'];
  const many = (count: number): string[] => Array.from({ length: count }, () => ['x', 'v'.repeat(67)]).flat();
  const left = 1000 - 44;
  const exact = await ask((to) => [to.list(grpcHead), to.list([...status, 'y', 'v'.repeat(left - 33)], true)]);
  t.match(exact, { code: 7, message: '', trailers: [['y', 'v'.repeat(left - 33)]] });
  const more = await ask((to) => [to.list(grpcHead), to.list([...status, 'y', 'v'.repeat(left - 32)], true)]);
  t.match(more, {
    code: 7,
    message: `the service sent no message (details are left out: its headers are larger than the ${limit}`,
  });
  t.strictSame(more.trailers, []);

  const cut = await ask((to) => [to.list([...grpcHead, ...many(1000), ...status, 'grpc-message', 'no'], true)]);
  t.equal(cut.code, 7);
  t.equal(cut.message, `no (details are left out: its headers are larger than the ${limit}`);
  t.strictSame(
    names(cut.trailers),
    Array.from({ length: 8 }, () => 'x'),
  );

  const longMessage = await ask((to) => [to.list([...grpcHead, ...status, 'grpc-message', 'm'.repeat(2000)], true)]);
  t.equal(longMessage.code, 7, 'the code stays, though the message alone is over the limit');

  const success = await ask((to) => [to.list(grpcHead), to.data(message), to.list([...ok, ...many(20)], true)]);
  t.match(success, { code: 0, message: '', messages: [Buffer.from('m')] });
  t.equal(success.trailers.length, 9);
  t.match(success.diagnosis, /a part of them is left out/);

  const tooLarge =
    'the headers of the answer of the service are larger than the limit of 1000 bytes (option max_upstream_header_bytes)';
  const head = [...grpcHead, ...many(20)];
  t.match(await ask((to) => [to.list(head), to.data(message)]), {
    code: Code.INTERNAL,
    message: tooLarge,
    messages: [],
  });
  t.match(await ask((to) => [to.list(head), to.list(ok, true)]), { code: Code.INTERNAL, message: tooLarge });
  t.match(await ask((to) => [to.list(head), to.list([...status, 'grpc-message', 'no'], true)]), {
    code: 7,
    message: `no (details are left out: its headers are larger than the ${limit}`,
    headers: undefined,
  });
  const noStatus = await ask((to) => [to.list(grpcHead), to.list(many(20), true)]);
  t.match(noStatus, { code: Code.INTERNAL, message: tooLarge });
  await end();
});

testClients('HTTP answers without a gRPC status', async (t, client) => {
  const { ask, end } = await service(t, client);
  const codes: readonly (readonly [http: number, code: number])[] = [
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [502, 14],
    [503, 14],
    [504, 14],
    [200, 2],
    [204, 2],
    [302, 2],
    [402, 2],
    [418, 2],
    [500, 2],
    [501, 2],
    [999, 2],
  ];
  for (const [http, code] of codes) {
    const said = http === 200 ? '' : `HTTP ${http}, `;
    const html = [':status', String(http), 'content-type', 'text/html', 'x-secret', 'words of the service'];
    const login = ['www-authenticate', 'Bearer realm="a"', 'www-authenticate', 'Basic', 'retry-after', '7'];
    const answers: readonly ((to: Answer) => Buffer[])[] = [
      (to) => [to.list([...html, ...login], true)],
      (to) => [to.list([...html, ...login]), to.data(Buffer.from('<h1>words of the service</h1>'), true)],
      // A page without end.
      (to) => [to.list([...html, ...login]), to.data(Buffer.alloc(16_000, 'a'))],
      (to) => [to.list([...html, ...login]), to.list(['x-trailer', '1'], true)],
    ];
    for (const answer of answers) {
      const outcome = await ask(answer);
      t.match(outcome, {
        code,
        message: `the service did not answer as a gRPC server (${said}text/html)`,
        messages: [],
      });
      t.strictSame([outcome.headers, outcome.trailers], [undefined, []], 'nothing of it is metadata');
      t.strictSame(outcome.httpHeaders, [
        'www-authenticate',
        'Bearer realm="a"',
        'www-authenticate',
        'Basic',
        'retry-after',
        '7',
      ]);
      t.match(outcome.diagnosis, /^127\.0\.0\.1:\d+ did not answer as a gRPC server/);
    }
  }
  await end();
});

testClients('another HTTP status than 200 is no success, whatever else it says', async (t, client) => {
  const { ask, end } = await service(t, client);
  const head = [':status', '503', 'content-type', 'application/grpc'];
  const http = {
    code: Code.UNAVAILABLE,
    message: 'the service did not answer as a gRPC server (HTTP 503, application/grpc)',
  };
  const endless = Array.from({ length: 9 }, () => Buffer.alloc(16_000));
  const rows: (readonly [name: string, answer: (to: Answer) => Buffer[], expected: object])[] = [
    ['OK in the head', (to) => [to.list([...head, ...ok], true)], http],
    ['messages and OK', (to) => [to.list(head), to.data(message), to.data(message), to.list(ok, true)], http],
    ['messages and no status', (to) => [to.list(head), to.data(message, true)], http],
    ['messages and a reset', (to) => [to.list(head), to.data(message), number(3, to.id, 8)], http],
    [
      'an error',
      (to) => [to.list([...head, 'grpc-status', '9', 'grpc-message', 'no'], true)],
      { code: 9, message: 'no' },
    ],
    [
      'messages and an error',
      (to) => [to.list(head), to.data(message), to.list(['grpc-status', '9', 'grpc-message', 'no'], true)],
      { code: 9, message: 'no' },
    ],
    [
      'an error page with a status',
      (to) => [
        to.list([':status', '403', 'content-type', 'text/plain', 'grpc-status', '16', 'grpc-message', 'who?'], true),
      ],
      { code: 16, message: 'who?' },
    ],
    [
      'OK as a page',
      (to) => [to.list([':status', '200', 'content-type', 'text/plain', ...ok], true)],
      { code: Code.UNKNOWN, message: 'the service did not answer as a gRPC server (text/plain)' },
    ],
    [
      'a type in capitals is the same type',
      (to) => [
        to.list([':status', '200', 'content-type', 'Application/gRPC+proto']),
        to.data(message),
        to.list(ok, true),
      ],
      { code: 0, messages: [Buffer.from('m')] },
    ],
  ];
  // It is more than the window that grpc-js announces; what Node makes of that differs from line to line.
  if (client === 'native') {
    rows.push([
      'messages without end',
      (to) => [to.list(head), ...endless.map((part) => to.data(encodeFrame(part)))],
      http,
    ]);
  }
  for (const [name, answer, expected] of rows) {
    const outcome = await ask(answer);
    t.match(outcome, { messages: [], ...expected }, name);
  }
  await end();
});

testClients('statuses that are none', async (t, client) => {
  const { ask, end } = await service(t, client);
  const none = (found: string): object => ({
    code: Code.UNKNOWN,
    message: `the service ended the call with a status that is none: grpc-status "${found}" is no number`,
  });
  for (const found of ['00', '05', '+5', '-1', '5.0', '1e1', '0x5', ' 5', 'NOT_FOUND', '5, 5', '', '12345678901']) {
    const status = ['grpc-status', found];
    t.match(await ask((to) => [to.list([...grpcHead, ...status], true)]), none(found), JSON.stringify(found));
    const trailers = await ask((to) => [to.list(grpcHead), to.data(message), to.list(status, true)]);
    t.match(trailers, { ...none(found), messages: [Buffer.from('m')] });
    const said = await ask((to) => [to.list([...grpcHead, ...status, 'grpc-message', 'no shelf', 'x', '1'], true)]);
    t.match(said, { code: 2, message: `no shelf (grpc-status "${found}" is no number)`, trailers: [['x', '1']] });
  }
  for (const [found, code] of [
    ['0', 0],
    ['1', 1],
    ['17', 17],
    ['5002', 5002],
    ['123456789', 123_456_789],
  ] as const) {
    t.match(await ask((to) => [to.list([...grpcHead, 'grpc-status', found, 'grpc-message', 'a'], true)]), {
      code,
      message: 'a',
    });
  }
  const twice = ['grpc-status', '5', 'grpc-message', 'a', 'grpc-status', '0', 'grpc-message', 'b'];
  t.match(
    await ask((to) => [to.list([...grpcHead, ...twice], true)]),
    { code: 5, message: 'a' },
    'the first one counts',
  );
  const odd = await ask((to) => [to.list([...grpcHead, 'grpc-status', '5', 'X-Upper', '1'], true)]);
  t.match(odd, { code: Code.INTERNAL }, 'a list that is none');
  await end();
});
