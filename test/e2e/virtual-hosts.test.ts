/**
 * `virtual_hosts` before an HTTP/2 server that does what a test tells it: what passes as it is, what ends how, which endpoint
 * is asked, and which token a request needs.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttp1Server } from 'node:http';
import {
  connect as connectHttp2,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { FrameType } from '../../lib/http2/frame.js';
import { type Config, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { send } from '../support/proxy.js';
import { jwksOf, signed, testKey } from '../support/tokens.js';
import { END_STREAM, peerServer, type SeenFrame, settings } from '../support/http2-peer.js';
import { waitFor } from '../support/stream-client.js';

const proto = `
syntax = "proto3";
package e.v1;
import "google/api/annotations.proto";
service Echo {
  rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things/{name}" }; }
  rpc Bare(Thing) returns (Thing);
}
message Thing { string name = 1; }
`;

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Promise<Buffer>) => void;

/** An HTTP/2 server without TLS; `on` is what it does with each request. */
class Peer {
  on: Handler = (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  };
  readonly seen: IncomingHttpHeaders[] = [];
  sessions = 0;

  private constructor(private readonly server: Http2Server) {
    server.on('session', (session) => {
      this.sessions++;
      session.on('error', () => undefined);
    });
    server.on('stream', (stream, headers) => {
      this.seen.push(headers);
      stream.on('error', () => undefined);
      const chunks: Buffer[] = [];
      const body = new Promise<Buffer>((resolve) => {
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => resolve(Buffer.concat(chunks)));
      });
      this.on(stream, headers, body);
    });
  }

  static async start(t: Test): Promise<Peer> {
    const server = createServer({ settings: { maxConcurrentStreams: 1000 } });
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return new Peer(server);
  }

  get target(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

interface Setup {
  /** Endpoints of the cluster `c`. */
  readonly endpoints: readonly string[];
  /** More of the cluster, a line each. */
  readonly cluster?: readonly string[];
  /** YAML of the routes; default: one for everything. */
  readonly routes?: string;
  /** Default: all. */
  readonly domains?: string;
  /** More of the file. */
  readonly more?: string;
}

const everything = '- { match: { prefix: / }, route: { cluster: c } }';

async function serve(
  t: Test,
  { endpoints, cluster = [], routes = everything, domains = "['*']", more = '' }: Setup,
): Promise<RunningProxy> {
  const list = endpoints.map((endpoint) => `{ target: '${endpoint}' }`).join(', ');
  const workingDirectory = t.testdir({
    'e.proto': proto,
    'p.yaml': `
proto: e.proto
${more}
clusters:
  c:
    endpoints: [${list}]
${cluster.map((line) => `    ${line}\n`).join('')}
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - domains: ${domains}
        routes:
${routes.replace(/^/gm, '          ')}
`,
  });
  const proxy = await startProxy(loadConfig({ file: 'p.yaml', workingDirectory }));
  t.teardown(() => proxy.drain());
  return proxy;
}

/** A request whose connection is the test's; resolves with all that came before its end. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  let came = '';
  socket.on('data', (chunk: Buffer) => (came += chunk.toString('latin1')));
  socket.write(text);
  await once(socket, 'close');
  return came;
}

const get = (target: string, ...headers: string[]): string =>
  `GET ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`;

void t.test('an answer that breaks off is never whole', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  const ends: readonly [what: string, end: (stream: ServerHttp2Stream) => void][] = [
    ['reset with NO_ERROR', (stream) => stream.close(0)],
    ['reset with CANCEL', (stream) => stream.close(8)],
    ['reset with INTERNAL_ERROR', (stream) => stream.close(2)],
    ['the connection is cut', (stream) => stream.session!.destroy()],
  ];
  for (const [what, end] of ends) {
    peer.on = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      // Not `stream.close` at once: it would send END_STREAM first.
      setTimeout(() => {
        Object.defineProperty(stream, 'end', { value: () => stream });
        end(stream);
      }, 20);
    };
    const came = await raw(proxy.urls[0]!, get('/x'));
    t.match(came, /^HTTP\/1\.1 200 /, what);
    t.notMatch(came, /\r\n0\r\n\r\n$/, `${what}: no last chunk`);
  }
});

void t.test('an upload that breaks off is never whole', async (t) => {
  const server = await peerServer((one) => one.send(settings()));
  t.teardown(() => server.close());
  const proxy = await serve(t, { endpoints: [`127.0.0.1:${server.port}`] });
  const { port } = new URL(proxy.urls[0]!);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf');
  const frames = (type: number): SeenFrame[] =>
    server.peers.flatMap((peer) => peer.frames).filter((one) => one.type === type && one.streamId > 0);
  await waitFor(
    () => frames(FrameType.DATA).length > 0,
    () => 'the body',
  );
  socket.destroy();
  await waitFor(
    () => frames(FrameType.RST_STREAM).length > 0,
    () => 'the reset',
  );
  t.same(
    frames(FrameType.DATA).filter(({ flags }) => (flags & END_STREAM) !== 0),
    [],
  );
  t.equal(frames(FrameType.RST_STREAM)[0]!.payload.readUInt32BE(), 8);
});

void t.test('an answer before the end of the upload ends both', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  let closed = false;
  peer.on = (stream) => {
    stream.on('close', () => (closed = true));
    stream.respond({ ':status': 403 });
    stream.end('no');
  };
  const { port } = new URL(proxy.urls[0]!);
  const socket = connect(Number(port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  let came = '';
  socket.on('data', (chunk: Buffer) => (came += chunk.toString()));
  socket.write('POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\nhalf');
  await waitFor(
    () => closed && came.includes('no'),
    () => `both ends: ${came}`,
  );
  t.match(came, /^HTTP\/1\.1 403 /);
});

void t.test('large bodies both ways, each side held back by the other', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  const size = 24 * 1024 * 1024;
  let written = 0;
  let isStuck = false;
  peer.on = (stream) => {
    stream.respond({ ':status': 200 });
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const more = (): void => {
      while (written < size) {
        written += chunk.length;
        if (!stream.write(chunk)) {
          isStuck = true;
          stream.once('drain', () => ((isStuck = false), more()));
          return;
        }
      }
      stream.end();
    };
    more();
  };
  const { port } = new URL(proxy.urls[0]!);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(get('/x'));
  socket.pause();
  let before = -1;
  let same = 0;
  await waitFor(
    () => {
      same = isStuck && written === before ? same + 1 : 0;
      before = written;
      return same > 20;
    },
    () => `the server to be held back after ${written} bytes`,
  );
  t.ok(written < size / 2, `${written} bytes were taken`);
  let received = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  socket.resume();
  await once(socket, 'close');
  t.ok(received > size);
  const body = Buffer.alloc(8 * 1024 * 1024, 'y');
  peer.on = (stream, _headers, whole) => {
    void whole.then((bytes) => {
      stream.respond({ ':status': 200 });
      stream.end(String(bytes.length));
    });
  };
  t.equal((await send(proxy.urls[0]!, 'POST /x', { body })).text, String(body.length));
});

void t.test('headers and trailers as they are', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  peer.on = (stream) => {
    stream.respond(
      { ':status': 200, 'x-two': ['a', 'b'], constructor: 'c', 'x-request-id': 'theirs' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 't', __proto__x: 'p' }));
    stream.end('ok');
  };
  const came = await raw(
    proxy.urls[0]!,
    get(
      '/x',
      'te: trailers',
      'constructor: mine',
      'toString: s',
      'x-two: a',
      'x-two: b',
      'referer: a',
      'x-request-id: me',
    ),
  );
  t.match(came, /\r\nx-two: a\r\n/);
  t.match(came, /\r\nx-two: b\r\n/);
  t.match(came, /\r\nconstructor: c\r\n/);
  t.match(came, /\r\nx-request-id: theirs\r\n/);
  t.match(came, /\r\nx-trailer: t\r\n/);
  const [seen] = peer.seen;
  t.match(seen, {
    constructor: 'mine',
    tostring: 's',
    'x-two': 'a, b',
    'x-request-id': 'me',
    ':authority': 'localhost',
  });
  peer.on = (stream) => {
    stream.respond({ ':status': 204 });
    stream.end();
  };
  const bare = await send(proxy.urls[0]!, 'GET /x', { headers: { 'x-request-id': 'me' } });
  t.same([bare.status, bare.headers['x-request-id']], [204, 'me']);
  // Node's own HTTP/2 client refuses a second one of these.
  const doubled = await raw(proxy.urls[0]!, get('/x', 'referer: a', 'referer: b'));
  t.match(doubled, /^HTTP\/1\.1 204 /);
});

void t.test('what a route says goes on, whatever a client may say; the transcoder does not see it', async (t) => {
  const peer = await Peer.start(t);
  const headers = `[{ name: x-real-ip, value: '1.2.3.4' }, { name: x-forwarded-proto, value: https, action: overwrite_if_exists_or_add }, { name: x-http-method-override, value: DELETE }, { remove: x-secret }]`;
  const proxy = await serve(t, {
    endpoints: [peer.target],
    routes: `- { match: { prefix: / }, route: { cluster: c }, request_headers: ${headers} }`,
  });
  peer.on = (stream, headers) => {
    const isCall = headers['content-type'] === 'application/grpc';
    const status = isCall ? { 'content-type': 'application/grpc', 'grpc-status': '5' } : {};
    stream.respond({ ':status': 200, ...status }, { endStream: true });
  };
  const client = { headers: { 'x-real-ip': '6.6.6.6', 'x-secret': 's', 'x-mine': 'm' } };
  t.equal((await send(proxy.urls[0]!, 'GET /other', client)).status, 200);
  t.equal((await send(proxy.urls[0]!, 'GET /v1/things/a', client)).status, 404);
  t.equal(peer.seen.length, 2);
  for (const seen of peer.seen) {
    t.match(seen, { 'x-real-ip': '1.2.3.4', 'x-forwarded-proto': 'https', 'x-mine': 'm' }, String(seen[':path']));
    t.equal(seen['x-secret'], undefined);
  }
});

void t.test('a route that was left changes no answer', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, {
    endpoints: [peer.target],
    more: 'pass_unknown_query: true',
    routes: `- { match: { prefix: /e.v1.Echo/ }, route: { cluster: c }, response_headers: [{ name: x-first, value: '1' }] }
- { match: { prefix: / }, route: { cluster: c } }`,
  });
  const { headers, text } = await send(proxy.urls[0]!, 'GET /v1/things/a?nope=1');
  t.same([text, headers['x-first']], ['ok', undefined]);
});

void t.test(
  'a route with cors: false lets no page of another origin write, though the listener names it',
  async (t) => {
    const peer = await Peer.start(t);
    const proxy = await serve(t, {
      endpoints: [peer.target],
      more: "policies: { cors: { origins: ['https://a.test'] } }",
      routes:
        '- { match: { prefix: /shut }, route: { cluster: c }, cors: false }\n- { match: { prefix: / }, route: { cluster: c } }',
    });
    for (const [path, status] of [
      ['/shut', 403],
      ['/open', 200],
    ] as const) {
      const answer = await send(proxy.urls[0]!, `POST ${path}`, { headers: { origin: 'https://a.test' }, body: 'x' });
      t.equal(answer.status, status, path);
    }
    t.equal(peer.seen.length, 1);
  },
);

void t.test('an endpoint that is down gets nothing if others are up', async (t) => {
  const [up, dead] = [await Peer.start(t), createTcpServer()];
  dead.listen(0, '127.0.0.1');
  await once(dead, 'listening');
  const { port } = dead.address() as AddressInfo;
  dead.close();
  await once(dead, 'close');
  for (const policy of ['round_robin', 'least_request', 'random']) {
    const proxy = await serve(t, {
      endpoints: [up.target, `127.0.0.1:${port}`],
      cluster: [`load_balancing_policy: ${policy}`, 'connect_timeout: 5s'],
    });
    const url = proxy.urls[0]!;
    // Until both are known, either may be asked.
    for (let tries = 0; tries < 20 && (await send(url, 'GET /x')).status !== 200; tries++);
    const statuses = new Set<number>();
    for (let count = 0; count < 20; count++) statuses.add((await send(url, 'GET /x')).status);
    t.same([...statuses], [200], policy);
  }
});

void t.test('an HTTP/1 endpoint that is down rests', async (t) => {
  const server = createHttp1Server((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
  const dead = createTcpServer().listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(dead, 'listening')]);
  t.teardown(() => server.close());
  const ports = [server, dead].map((one) => (one.address() as AddressInfo).port);
  dead.close();
  await once(dead, 'close');
  const proxy = await serve(t, {
    endpoints: ports.map((port) => `127.0.0.1:${port}`),
    cluster: ['protocol: http1'],
  });
  const statuses: number[] = [];
  for (let count = 0; count < 12; count++) statuses.push((await send(proxy.urls[0]!, 'GET /x')).status);
  t.equal(statuses.filter((status) => status !== 200).length, 1, String(statuses));
});

void t.test('a server that is not there, and one that is slow', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, {
    endpoints: [peer.target],
    routes: '- { match: { prefix: / }, route: { cluster: c, timeout: 50ms } }',
  });
  peer.on = () => undefined;
  const url = proxy.urls[0]!;
  t.equal((await send(url, 'GET /x')).status, 504);
  const call = await send(url, 'POST /other.v1.Service/Get', {
    headers: { 'content-type': 'application/grpc' },
    body: '\0\0\0\0\0',
  });
  t.match(call, { status: 200, headers: { 'content-type': 'application/grpc', 'grpc-status': '4' } }, 'in gRPC');
  const gone = await serve(t, { endpoints: ['127.0.0.1:1'] });
  t.equal((await send(gone.urls[0]!, 'GET /x')).status, 503);
});

void t.test('the limits of the listener hold for routes', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target], more: 'max_deadline: 60ms' });
  peer.on = () => undefined;
  t.equal((await send(proxy.urls[0]!, 'GET /v1/things/a')).status, 504);
  const asks = await serve(t, { endpoints: [peer.target] });
  const headers = { 'x-request-timeout': '60ms' };
  t.equal((await send(asks.urls[0]!, 'GET /v1/things/a', { headers })).status, 504);
});

void t.test('a request that comes back is refused', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  const url = new URL(proxy.urls[0]!);
  // The server sends what it gets back to the proxy.
  peer.on = (stream, headers) => {
    const again = { via: headers.via as string, host: 'localhost' };
    void send(url.href, 'GET /x', { headers: again }).then(({ status }) => {
      stream.respond({ ':status': status });
      stream.end();
    });
  };
  t.equal((await send(url.href, 'GET /x')).status, 508);
  t.equal(peer.seen.length, 1);
});

const normal = 'normalize_path: true\npath_with_escaped_slashes_action: unescape_and_redirect';
void t.test('paths in one form, whatever the form of the target', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, {
    endpoints: [peer.target],
    more: normal,
    routes: `- { match: { prefix: /shut }, direct_response: { status: 403 } }
${everything}`,
  });
  const url = proxy.urls[0]!;
  for (const target of [
    '/a/../shut/x',
    'http://localhost/a/../shut/x',
    'HTTP://localhost/./shut',
    '/%73hut/x',
    '/a\\..\\shut',
  ]) {
    t.match(await raw(url, get(target)), /^HTTP\/1\.1 403 /, target);
  }
  const redirects: readonly [target: string, location: string][] = [
    ['/a%2Fb?x=%2F', '/a/b?x=%2F'],
    ['/%2Fevil.test/x', '/.//evil.test/x'],
    ['/%5Cevil.test', '/.//evil.test'],
    ['http://localhost/%2fevil.test', '/.//evil.test'],
  ];
  for (const [target, location] of redirects) {
    const came = await raw(url, get(target));
    t.match(came, /^HTTP\/1\.1 307 /, target);
    t.equal(/\r\nlocation: (.*)\r\n/.exec(came)?.[1], location, target);
  }
  t.equal(peer.seen.length, 0);
});

void t.test('the domains are names that the listener answers to', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, {
    endpoints: [peer.target],
    domains: "['*', 'a.test', 'b.test:1234', '*.c.test']",
  });
  const rows: readonly [host: string, status: number][] = [
    ['localhost', 200],
    ['a.test:80', 200],
    ['b.test:1234', 200],
    ['x.c.test', 200],
    ['evil.test', 403],
  ];
  for (const [host, status] of rows) {
    t.equal((await send(proxy.urls[0]!, 'GET /x', { headers: { host } })).status, status, host);
  }
});

void t.test('a request without a Host gets that of the endpoint', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  t.match(await raw(proxy.urls[0]!, 'GET /x HTTP/1.0\r\n\r\n'), / 200 /);
  t.equal(peer.seen[0]![':authority'], peer.target);
});

void t.test('every host, for those who ask without one', async (t) => {
  const peer = await Peer.start(t);
  peer.on = (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
  };
  const proxy = await serve(t, { endpoints: [peer.target] });
  await send(proxy.urls[0]!, 'GET /health');
  t.match(peer.seen[0], { ':path': '/grpc.health.v1.Health/Check' });
});

void t.test('native calls of served RPCs need what the RPC needs, however they are spelt', async (t) => {
  const peer = await Peer.start(t);
  const key = await testKey('one');
  const policy = `policies:
  jwt:
    jwks: keys.json
    issuer: issuer
    audiences: [api]
    require: { e.v1.Echo.Bare: { roles: [admin] } }`;
  const rows: readonly [passThrough: string, target: string, contentType: string][] = [
    ['all', '/e.v1.Echo/Bare', 'application/grpc'],
    ['all', '/e.v1.Echo/Bare', 'application/grpc+proto+x'],
    ['all', '/e.v1.Echo/Bare', 'application/grpcx'],
    ['all', '/e.v1.Echo/%42are', 'application/grpc'],
    ['all', '//e.v1.Echo/Bare', 'application/grpc'],
    ['all', '/e.v1.Echo/x/../Bare', 'application/grpc'],
    ['all', '/e.v1.Echo/Bare?x=1', 'application/grpc'],
    ['all', '/p/e.v1.Echo/Bare', 'application/octet-stream'],
    ['mapped', '/e.v1.Echo/Bare', 'application/grpc'],
    ['mapped', '/e.v1.Echo/Bare', 'application/grpcx'],
    ['mapped', '/p/e.v1.Echo/Bare', 'application/grpcx'],
    ['off', '/e.v1.Echo/Bare', 'application/grpc'],
    ['off', '/e.v1.Echo/Get', 'application/grpc+proto'],
  ];
  const good = await signed(key, { roles: ['admin'] });
  const weak = await signed(key, { roles: ['viewer'] });
  for (const passThrough of ['all', 'mapped', 'off']) {
    const folder = t.testdir({ 'keys.json': jwksOf(key) });
    const more = `pass_through: ${passThrough}\n${policy.replace('keys.json', `${folder}/keys.json`)}`;
    const workingProxy = await serveIn(folder, more);
    t.teardown(() => workingProxy.drain());
    const url = workingProxy.urls[0]!;
    for (const [, target, contentType] of rows.filter(([for_]) => for_ === passThrough)) {
      const what = `${passThrough} ${contentType} ${target}`;
      const ask = async (token: string): Promise<string> => {
        const headers = { 'content-type': contentType, te: 'trailers', authorization: `Bearer ${token}` };
        const { status, headers: answered, text } = await send(url, `POST ${target}`, { headers, body: '\0\0\0\0\0' });
        return [status, answered['grpc-status'], text].join(' ');
      };
      const seen = peer.seen.length;
      t.match(await ask(weak), passThrough === 'all' ? /^(403|200 7)/ : /^(501|200 12|200 7|403)/, what);
      t.equal(peer.seen.length, seen, `${what}: the server hears nothing`);
      const withGood = await ask(good);
      if (passThrough === 'all') t.match(withGood, /ok$|^200/, `${what}, with the claim: ${withGood}`);
      else t.equal(peer.seen.length, seen, `${what}: with no token at all`);
    }
  }

  async function serveIn(folder: string, more: string): Promise<RunningProxy> {
    writeFileSync(`${folder}/e.proto`, proto);
    writeFileSync(
      `${folder}/p.yaml`,
      `proto: e.proto
${more}
clusters: { c: { endpoints: ['${peer.target}'] } }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - domains: ['*']
        routes:
          - { match: { prefix: /p/ }, route: { cluster: c, prefix_rewrite: / } }
          ${everything}
`,
    );
    return await startProxy(loadConfig({ file: 'p.yaml', workingDirectory: folder }));
  }
});

void t.test('over HTTP/2, with trailers and without a Host', async (t) => {
  const peer = await Peer.start(t);
  const proxy = await serve(t, { endpoints: [peer.target] });
  peer.on = (stream, _headers, body) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
    void body.then((bytes) => stream.end(bytes));
  };
  const session = connectHttp2(proxy.urls[0]!);
  t.teardown(() => session.close());
  const request = session.request({
    ':method': 'POST',
    ':path': '/other.v1.S/M',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  request.end('\0\0\0\0\0');
  let trailers: IncomingHttpHeaders = {};
  let text = '';
  request.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fields));
  request.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await once(request, 'close');
  t.same([text, trailers['grpc-status'], trailers['grpc-message']], ['\0\0\0\0\0', '0', 'fine']);
  t.equal(peer.seen[0]!.te, 'trailers');
});

void t.test('routes with a transcoder of their own, and what is wrong with some', (t) => {
  const folder = t.testdir({ 'e.proto': proto });
  const load = (transcoders: string, route: string, hosts = 'virtual_hosts'): Config => {
    const routes = `${hosts}: [{ domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c }${route} }] }]`;
    const listener = `  - listen: 127.0.0.1:0\n    transcoders: ${transcoders}\n    ${routes}`;
    writeFileSync(
      `${folder}/p.yaml`,
      `proto: e.proto\nclusters: { c: { endpoints: 'h:1' } }\nlisteners:\n${listener}\n`,
    );
    return loadConfig({ file: 'p.yaml', workingDirectory: folder });
  };
  const config = load('{ a: { services: [e.v1.Echo], envelope: photon } }', ', transcoder: a');
  t.equal(config.listeners[0]!.routes?.transcoders[0]?.mount.options.envelope, 'photon');
  t.equal(config.listeners[0]!.root.options.envelope, 'none');
  const wrong: readonly (readonly [transcoders: string, route: string, message: RegExp])[] = [
    ['{ a: {} }', ', transcoder: b', /a route names the transcoder "b", and there is none of that name/],
    ['{ a: { idle_timeout: 1s } }', ', transcoder: a', /"idle_timeout" is no matter of a transcoder/],
    ['{ a: { nope: 1 } }', ', transcoder: a', /there is no key "nope" here/],
    ['[]', '', /"transcoders" is a map of names/],
  ];
  for (const [transcoders, route, message] of wrong) t.throws(() => load(transcoders, route), { message });
  t.throws(() => load('{ a: {} }', '', '# none'), { message: /a listener has transcoders, and no virtual_hosts/ });
  t.end();
});
