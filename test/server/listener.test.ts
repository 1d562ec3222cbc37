/** The port: addresses, start-up errors, draining. And curl, where the machine has it: it is what people will use. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { Exchange } from '../../lib/exchange.js';
import { listenError } from '../../lib/server/address.js';
import { inheritedSockets, listen, parseListeners, type Listener } from '../../lib/server/index.js';
import { ConfigError } from '../../lib/status.js';
import { ask, MemoryExchange, type MemoryRequest } from '../support/exchange.js';
import { bodyOf, Client, connected, raw, readAll, serve, text, waitFor, writeError, type Handle } from './harness.js';

async function problemOf(run: () => unknown): Promise<{ code: string; text: string }> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, hint } = error.problems[0]!;
    return { code, text: `${message}; ${hint}` };
  }
  throw new Error('no ConfigError');
}

void t.test('--listen', async (t) => {
  const good: readonly (readonly [text: string, host: string, port: number])[] = [
    ['8080', '127.0.0.1', 8080],
    [':8080', '127.0.0.1', 8080],
    ['0', '127.0.0.1', 0],
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['localhost:65535', 'localhost', 65535],
    ['my-host.local:80', 'my-host.local', 80],
    ['[::1]:8080', '::1', 8080],
    ['[::]:8080', '::', 8080],
  ];
  for (const [text, host, port] of good) t.strictSame(parseListeners(text), [{ host, port }], text);
  const bad: readonly (readonly [text: string, said: string])[] = [
    ['', '"" has no port; write --listen 8080 or --listen host:8080'],
    [
      'localhost',
      '"localhost" has port "localhost", expected a number from 0 to 65535; write --listen 8080 or --listen host:8080',
    ],
    ['localhost:', '"localhost:" has no port; write --listen 8080 or --listen host:8080'],
    [
      ':65536',
      '":65536" has port "65536", expected a number from 0 to 65535; write --listen 8080 or --listen host:8080',
    ],
    ['*:8080', '"*:8080" has * as its host; write --listen 0.0.0.0:8080 to listen on every interface'],
    ['::1', '"::1" is an IPv6 address without a port; write --listen [::1]:8080'],
    ['a:b:1', '"a:b:1" has more than one colon; write an IPv6 address in brackets: --listen [::1]:8080'],
    ['[zz]:1', '"[zz]:1" has "[zz]", which is not an IPv6 address; write --listen [::1]:1'],
    ['127.1:1', '"127.1:1" has "127.1", which is not a whole IP address; write --listen 127.0.0.1:1'],
    ['a b:1', '"a b:1" has "a b" where a host name or address belongs; write --listen 127.0.0.1:1'],
    [
      'http://localhost:8080/x',
      '"http://localhost:8080/x" is a URL, expected [host:]port; write --listen localhost:8080',
    ],
  ];
  for (const [text, said] of bad) {
    t.strictSame(await problemOf(() => parseListeners(text)), { code: 'bad-listen', text: `--listen ${said}` }, text);
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9[\]:.*]{0,12}$/)), (text) => {
      try {
        return parseListeners(text).every(
          ({ host, port, fd }) =>
            fd !== undefined || (host !== '' && Number.isInteger(port) && port >= 0 && port <= 65535),
        );
      } catch (error) {
        return error instanceof ConfigError;
      }
    }),
  );
});

void t.test('opening a port', async (t) => {
  const handler = { handle: (exchange: Exchange) => text(exchange, 'ok'), writeError };
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };

  t.strictSame(await problemOf(() => listen({ host: '127.0.0.1', port }, handler)), {
    code: 'port-in-use',
    text: `port ${port} of 127.0.0.1 is in use by another process; stop that process, or write --listen with another port (0 picks a free one)`,
  });
  t.match(await problemOf(() => listen({ host: 'nohost.invalid', port: 0 }, handler)), {
    code: 'listen-address',
    text: /^the host name "nohost\.invalid" cannot be resolved; write --listen 127\.0\.0\.1:0/,
  });
  t.match(await problemOf(() => listen({ host: '192.0.2.1', port: 0 }, handler)), {
    code: 'listen-address',
    text: /^192\.0\.2\.1 is not an address of this machine; write --listen 127\.0\.0\.1:0/,
  });

  // What no test can bring about on every machine.
  for (const [code, port, problem, said] of [
    [
      'EACCES',
      80,
      'listen-permission',
      'listening on ::1 is not permitted: ports below 1024 belong to the administrator; write --listen with a port from 1024 to 65535',
    ],
    [
      'EACCES',
      8080,
      'listen-permission',
      'listening on ::1 is not permitted; write --listen with a port from 1024 to 65535',
    ],
    ['EMFILE', 80, 'listen-failed', 'cannot listen on ::1 (EMFILE); write another --listen'],
  ] as const) {
    const error = Object.assign(new Error(code), { code });
    t.strictSame(
      await problemOf(() => {
        throw listenError(error, { host: '::1', port });
      }),
      { code: problem, text: said.replace('::1', `[::1]:${port}`) },
    );
  }

  const listener = await listen({ host: '127.0.0.1', port: 0 }, handler);
  t.ok(listener.address.port > 0, 'port 0 picks one');
  t.equal(listener.url, `http://127.0.0.1:${listener.address.port}`);
  t.match(await raw(listener, 'GET / HTTP/1.0\r\n\r\n'), /ok$/);
  await listener.drain(1000);
  t.match(await problemOf(() => listen({ host: '127.0.0.1', port }, handler)), { code: 'port-in-use' });
  const again = await listen({ host: '127.0.0.1', port: listener.address.port }, handler);
  t.equal(again.address.port, listener.address.port, 'a drained port is free again');
  again.closeNow();
  again.closeNow();
  await again.drain(10);
});

void t.test('drain', async (t) => {
  let release!: () => void;
  let cancelled = 0;
  const handles: Record<string, Handle> = {
    '/slow'(exchange) {
      exchange.onClose(() => cancelled++);
      release = () => text(exchange, 'slow answer');
    },
    '/half'(exchange) {
      exchange.onClose(() => cancelled++);
      exchange.respond({ status: 200, headers: [] });
      exchange.write(Buffer.from('half '));
      release = () => exchange.end(Buffer.from('whole'));
    },
    '/upload': (exchange) => void readAll(exchange).then((body) => text(exchange, `got ${String(body).length}`)),
  };
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const refuses = async (listener: Listener): Promise<boolean> => {
    const late = new Client(listener).send(get('/'));
    await late.close();
    return late.text === '';
  };

  await t.test('idle connections are closed soon, nothing new is taken', async (t) => {
    const listener = await serve(handles);
    const silent = await connected(new Client(listener));
    const begun = new Client(listener).send('G');
    const kept = new Client(listener).send(get('/a'));
    await kept.until(/GET \/a$/);
    const http2 = connect(listener.url);
    await once(http2, 'remoteSettings');
    // Waiting for them would outlast the test.
    await listener.drain(600_000);
    await Promise.all([silent, begun, kept].map((client) => client.close()));
    await waitFor(
      () => http2.closed,
      () => 'the HTTP/2 connection to close',
    );
    t.ok(await refuses(listener));
    await listener.drain(5000);
  });

  await t.test('a connection that was just taken may bring its request', async (t) => {
    const listener = await serve(handles);
    const http1 = await connected(new Client(listener));
    await sleep(30);
    const drained = listener.drain(5000);
    http1.send(get('/a'));
    t.equal(await http1.close(), 'end');
    t.match(http1.text, /connection: close(.|\r\n)*GET \/a$/i);
    await drained;
  });

  await t.test('a kept connection may bring one more request', async (t) => {
    const listener = await serve(handles);
    const kept = new Client(listener).send(get('/a'));
    await kept.until(/GET \/a$/);
    const drained = listener.drain(5000);
    await sleep(20);
    kept.send(get('/b'));
    t.equal(await kept.close(), 'end');
    t.match(kept.text, /connection: close(.|\r\n)*GET \/b$/i);
    await drained;
  });

  await t.test('HTTP/2: a stream that crosses the GOAWAY is served', async (t) => {
    const listener = await serve(handles);
    const client = connect(listener.url);
    await once(client, 'remoteSettings');
    const stream = client.request({ ':path': '/crossing' });
    // The request is on its way.
    await new Promise((resolve) => setImmediate(resolve));
    const drained = listener.drain(5000);
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    await once(stream, 'end');
    t.match(body, /crossing/);
    await drained;
  });

  await t.test('with a delay the port serves on, and every answer closes its connection', async (t) => {
    const listener = await serve(handles);
    const kept = new Client(listener).send(get('/a'));
    await kept.until(/GET \/a$/);
    let isDone = false;
    const drained = listener.drain(5000, 300).then(() => (isDone = true));
    for (const client of [kept, new Client(listener)]) {
      client.send(get('/late'));
      t.equal(await client.close(), 'end');
      t.match(client.text, /connection: close(.|\r\n)*GET \/late$/i);
    }
    t.equal(isDone, false);
    await drained;
    t.ok(await refuses(listener));
    const cut = await serve(handles);
    const endless = cut.drain(5000, 600_000);
    cut.closeNow();
    await endless;
  });

  await t.test('answers under way complete, and close their connection', async (t) => {
    for (const [path, pattern] of [
      ['/slow', /connection: close(.|\r\n)*slow answer$/i],
      ['/half', /half (.|\r\n)*whole\r\n0\r\n\r\n$/],
    ] as const) {
      const listener = await serve(handles);
      cancelled = 0;
      const client = new Client(listener).send(get(path));
      await sleep(30);
      let done = false;
      const drained = listener.drain(5000).then(() => (done = true));
      await sleep(50);
      t.equal(done, false, 'waits');
      t.ok(await refuses(listener));
      release();
      await drained;
      await client.close();
      t.match(client.text, pattern, path);
      t.equal(cancelled, 0);
    }
  });

  await t.test('an upload under way may go on', async (t) => {
    const listener = await serve(handles);
    const client = new Client(listener).send('POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab');
    await sleep(30);
    const drained = listener.drain(5000);
    await sleep(30);
    client.send('cd');
    await drained;
    await client.until(/got 4$/);
    t.match(client.text, /connection: close/i);
  });

  await t.test('HTTP/2: GOAWAY, and streams under way complete', async (t) => {
    const listener = await serve(handles);
    cancelled = 0;
    const client = connect(listener.url);
    let goaway = 0;
    client.on('goaway', () => goaway++);
    const stream = client.request({ ':path': '/slow' });
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    await sleep(50);
    const drained = listener.drain(5000);
    await waitFor(
      () => goaway > 0,
      () => 'GOAWAY',
    );
    release();
    await drained;
    await waitFor(
      () => client.closed,
      () => 'the close',
    );
    t.equal(body, 'slow answer');
    t.equal(cancelled, 0);
  });

  await t.test('what still runs at the time-out is cancelled, and seen to be', async (t) => {
    const listener = await serve(handles);
    cancelled = 0;
    const client = new Client(listener).send(get('/half'));
    const old = new Client(listener).send('GET /half HTTP/1.0\r\n\r\n');
    await Promise.all([client.until(/half /), old.until(/half /)]);
    const http2 = connect(listener.url);
    const stream = http2.request({ ':path': '/half' });
    let ended = false;
    stream.on('data', () => undefined);
    stream.on('end', () => (ended = !stream.aborted));
    stream.on('error', () => undefined);
    await once(stream, 'response');
    await listener.drain(100);
    t.equal(cancelled, 3);
    t.equal(await old.close(), 'reset', 'HTTP/1.0 has no other way to tell');
    await client.close();
    t.notMatch(client.text, /\r\n0\r\n/);
    await waitFor(
      () => http2.destroyed,
      () => 'the HTTP/2 connection to be cut',
    );
    t.equal(ended, false);
  });
});

void t.test('keep-alive', async (t) => {
  const listener = await serve(
    { '/slow': (exchange) => void setTimeout(() => text(exchange, 'slow'), 500) },
    { keepAliveTimeoutMs: 150, headerTimeoutMs: 300 },
  );
  t.teardown(() => listener.closeNow());
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const client = new Client(listener).send(get('/slow'));
  await client.until(/slow$/);
  const started = Date.now();
  t.equal(await client.close(), 'end');
  t.ok(Date.now() - started >= 100, 'kept for a while, then closed');
  const second = new Client(listener).send(get('/a'));
  await second.until(/GET \/a$/);
  second.send('GET /b HTTP/1.1\r\n');
  await second.until(/HTTP\/1\.1 408 (.|\r\n)*did not come whole within 0\.3s/);
  await second.close();
});

void t.test('an exchange in memory answers as a served one', async (t) => {
  const handles: Record<string, Handle> = {
    '/echo': (exchange) =>
      void readAll(exchange).then((body) => text(exchange, `${exchange.method} ${exchange.hasBody} ${String(body)}`)),
    '/stream'(exchange) {
      exchange.respond({ status: 201, reason: 'made', headers: ['x-a', '1', 'x-a', '2'] });
      exchange.write(Buffer.from('one '));
      setTimeout(() => exchange.end(Buffer.from('two'), ['x-t', '1']), 1);
    },
    '/abort'(exchange) {
      exchange.respond({ status: 200, headers: [] });
      exchange.write(Buffer.from('one'));
      exchange.abort();
    },
  };
  const handler = { handle: (exchange: Exchange) => handles[exchange.target]!(exchange) };
  const listener = await serve(handles);
  t.teardown(() => listener.closeNow());
  const cases: readonly MemoryRequest[] = [
    { target: '/echo' },
    { target: '/echo', body: 'abc' },
    { target: '/echo', body: ['ab', Buffer.from('c')], method: 'PUT' },
    { target: '/echo', method: 'HEAD' },
    { target: '/stream' },
    { target: '/abort' },
  ];
  for (const request of cases) {
    const name = JSON.stringify(request);
    const exchange = new MemoryExchange(request);
    handler.handle(exchange);
    const memory = await exchange.answer;
    const socket = connect(listener.url);
    const headers = { ':path': exchange.target, ':method': exchange.method };
    const stream = socket.request(headers, { endStream: !exchange.hasBody });
    let status = 0;
    let body = '';
    let aborted = false;
    let trailers: unknown;
    stream.on('response', (fields) => (status = Number(fields[':status'])));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('trailers', (fields) => (trailers = (fields as Record<string, unknown>)['x-t']));
    stream.on('error', () => (aborted = true));
    if (exchange.hasBody) stream.end('abc');
    await once(stream, 'close').catch(() => undefined);
    t.strictSame(
      { status, body, aborted, trailers },
      {
        status: memory.status,
        body: memory.body.toString(),
        aborted: memory.aborted,
        trailers: memory.trailers?.[1],
      },
      name,
    );
    socket.destroy();
  }

  const gone = new MemoryExchange({ target: '/echo', open: true, highWater: 4 });
  const seen: string[] = [];
  gone.onClose(() => seen.push('closed'));
  gone.read({
    onData: (chunk) => {
      seen.push(chunk.toString());
      gone.pause();
    },
    onEnd: () => seen.push('end'),
    onAbort: () => seen.push('aborted'),
  });
  gone.push('a');
  gone.push('b');
  await sleep(1);
  t.strictSame(seen, ['a'], 'paused');
  gone.resume();
  await sleep(1);
  gone.respond({ status: 200, headers: [] });
  t.equal(gone.write(Buffer.from('xx')), true);
  t.equal(gone.write(Buffer.from('yy')), false, 'over its high water');
  gone.onDrain(() => seen.push('drain'));
  gone.drain();
  gone.goAway();
  gone.goAway();
  t.strictSame(seen, ['a', 'b', 'drain', 'aborted', 'closed']);
  t.equal((await ask(handler, { target: '/echo', body: '1' })).header('content-length'), '11');
});

void t.test('curl', async (t) => {
  const run = promisify(execFile);
  const curl = async (...args: string[]): Promise<{ code: number; out: string }> => {
    try {
      const { stdout } = await run('curl', ['-sS', '--max-time', '10', ...args]);
      return { code: 0, out: stdout };
    } catch (error) {
      const { code, stdout } = error as { code: number | string; stdout: string };
      return { code: typeof code === 'number' ? code : -1, out: stdout };
    }
  };
  if ((await curl('--version')).code !== 0) {
    t.pass('no curl on this machine');
    return;
  }
  const big = 'x'.repeat(5_000_000);
  const listener = await serve({
    '/reject'(exchange) {
      exchange.respond({ status: 413, headers: ['content-length', '9'] });
      exchange.end(Buffer.from('too large'));
    },
    '/echo'(exchange) {
      exchange.continue();
      void readAll(exchange).then((body) => text(exchange, String(String(body).length)));
    },
    '/break'(exchange) {
      exchange.respond({ status: 200, headers: [] });
      exchange.write(Buffer.from('last words'));
      exchange.abort();
    },
  });
  t.teardown(() => listener.closeNow());
  const url = (path: string): string => `${listener.url}${path}`;
  const upload = ['--data-binary', '@-'];
  const withInput = async (input: string, ...args: string[]): Promise<{ code: number; out: string }> => {
    const child = execFile('curl', ['-sS', '--max-time', '10', ...args]);
    let out = '';
    child.stdout!.on('data', (chunk: string) => (out += chunk));
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
    const [code] = (await once(child, 'close')) as [number];
    return { code, out };
  };

  for (const version of ['--http1.0', '--http1.1', '--http2-prior-knowledge', '--http2']) {
    t.match(await curl(version, url('/a?b=c')), { code: 0, out: 'GET /a?b=c' }, `${version}: GET`);
    t.match(
      await withInput(big, version, ...upload, url('/echo')),
      { code: 0, out: String(big.length) },
      `${version}: upload`,
    );
    const rejected = await withInput(big, version, ...upload, '-w', ' %{http_code}', url('/reject'));
    t.equal(rejected.out, 'too large 413', `${version}: an early answer is read`);
    const broken = await curl(version, url('/break'));
    t.equal(broken.out, 'last words', `${version}: all that was written arrives`);
    t.not(broken.code, 0, `${version}: a broken answer fails`);
  }
  const unescaped = await curl(url('/a?q=é'));
  t.match(unescaped.out, /^400 the URL has "é" in it unescaped; write %C3%A9/);
  t.match(await curl('-G', '--data-urlencode', 'q=é', url('/a')), { out: /^GET \/a\?q=%c3%a9$/i });
  t.match(bodyOf(await raw(listener, 'GET /ok HTTP/1.0\r\n\r\n')), 'GET /ok');
});

const environment = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:admin:web' };

void t.test('sockets that are open already', async (t) => {
  const inherited = inheritedSockets(environment, 7);
  t.strictSame(
    inherited.map(({ fd, name }) => `${fd} ${name}`),
    ['3 web', '4 admin', '5 web'],
  );
  const cases: readonly [text: string, fds: readonly number[]][] = [
    ['systemd', [3, 4, 5]],
    ['systemd:web', [3, 5]],
    ['systemd:admin', [4]],
    ['fd:9', [9]],
  ];
  for (const [text, fds] of cases) {
    t.strictSame(
      parseListeners(text, inherited).map(({ fd }) => fd),
      fds,
      text,
    );
  }
  const none: readonly NodeJS.ProcessEnv[] = [
    {},
    { ...environment, LISTEN_PID: '8' },
    { ...environment, LISTEN_FDS: '0' },
    { ...environment, LISTEN_FDS: '-1' },
    { ...environment, LISTEN_FDS: '99999' },
  ];
  for (const each of none) t.strictSame(inheritedSockets(each, 7), [], JSON.stringify(each));
  t.strictSame(inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7), [{ fd: 3, name: '' }]);
  t.strictSame(parseListeners('systemd'), [], 'not known yet');
  const bad: readonly (readonly [string, string, RegExp])[] = [
    ['systemd:none', 'no-socket', /"systemd:none"/],
    ['fd:2', 'bad-listen', /from 3 on/],
    ['fd:x', 'bad-listen', /"x"/],
    ['systemd:', 'bad-listen', /has no port/],
  ];
  for (const [text, code, words] of bad) {
    t.match(await problemOf(() => parseListeners(text, inherited)), { code, text: words }, text);
  }
  const handler = { handle: () => undefined, writeError };
  t.match(await problemOf(() => listen({ fd: 999 }, handler)), { code: 'no-socket' });
});
