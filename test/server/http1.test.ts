/** HTTP/1 over real sockets: what reaches the handler, what goes out, and what is refused. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Exchange } from '../../lib/exchange.js';
import { StatusError } from '../../lib/status.js';
import { bodyOf, Client, raw, readAll, serve, text, waitFor, type Handle } from './harness.js';

const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;
const close = 'Connection: close\r\n';

const post = (path: string, lines: string, body = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\n${lines}\r\n${body}`;

void t.test('a request as the handler sees it', async (t) => {
  let seen!: Exchange;
  const show: Handle = (exchange) => {
    seen = exchange;
    text(exchange, 'ok');
  };
  const listener = await serve({ '/a%2Fb//..': show, '*': show, 'http://x.example/y': show, '/b': show });
  t.teardown(() => listener.closeNow());

  await t.test('target, headers and peer untouched', async (t) => {
    await raw(listener, get('/a%2Fb//..?q=%zz+|{}"', `X-A: 1\r\nx-a:  2 \r\nX-Empty:\r\n${close}`));
    t.equal(seen.method, 'GET');
    t.equal(seen.target, '/a%2Fb//..?q=%zz+|{}"');
    t.equal(seen.httpVersion, '1.1');
    t.strictSame(seen.headers, ['host', 'h', 'x-a', '1', 'x-a', '2', 'x-empty', '', 'connection', 'close']);
    t.equal(seen.hasBody, false);
    t.equal(seen.secure, false);
    t.equal(seen.peer.address, '127.0.0.1');
    t.type(seen.peer.port, 'number');
  });

  await t.test('other forms of target, HTTP/1.0, ignored upgrades', async (t) => {
    await raw(listener, `OPTIONS * HTTP/1.1\r\nHost: h\r\n${close}\r\n`);
    t.equal(seen.target, '*');
    await raw(listener, get('http://x.example/y', close));
    t.equal(seen.target, 'http://x.example/y');
    const old = await raw(listener, 'GET /b HTTP/1.0\r\n\r\n');
    t.equal(seen.httpVersion, '1.0');
    t.match(old, /^HTTP\/1\.1 200 OK\r\n(.|\r\n)*connection: close/i);
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const client = new Client(listener).send(get('/b', upgrade));
    t.match(await client.until(/ok$/), /^HTTP\/1\.1 200 OK/);
    client.destroy();
  });

  await t.test('hasBody', async (t) => {
    for (const [lines, expected] of [
      ['Content-Length: 0\r\n', false],
      ['Content-Length: 2\r\n', true],
      ['Transfer-Encoding: chunked\r\n', true],
    ] as const) {
      const rest = expected ? (lines.startsWith('C') ? 'ab' : '0\r\n\r\n') : '';
      await raw(listener, `POST /b HTTP/1.1\r\nHost: h\r\n${close}${lines}\r\n${rest}`);
      t.equal(seen.hasBody, expected, lines);
    }
  });
});

void t.test('answers', async (t) => {
  const listener = await serve({
    '/reason'(exchange) {
      exchange.respond({
        status: 404,
        reason: 'no such shelf',
        headers: ['content-length', '0', 'x-a', '1', 'x-a', '2'],
      });
      exchange.end();
    },
    '/stream'(exchange) {
      exchange.respond({ status: 200, headers: ['trailer', 'x-t'] });
      exchange.write(Buffer.from('one '));
      setTimeout(() => {
        exchange.write(Buffer.from('two'));
        exchange.end(undefined, ['x-t', 'yes']);
      }, 20);
    },
    '/head-first'(exchange) {
      exchange.respond({ status: 200, headers: [] });
      setTimeout(() => exchange.end(Buffer.from('late')), 100);
    },
    '/204'(exchange) {
      exchange.respond({ status: 204, headers: [] });
      exchange.end();
    },
    '/304'(exchange) {
      exchange.respond({ status: 304, headers: ['etag', '"1"'] });
      exchange.end();
    },
    '/known': (exchange) => text(exchange, 'hello'),
    '/bad-header'(exchange) {
      exchange.respond({
        status: 200,
        reason: 'a\r\nb',
        headers: ['x-bad', 'a\r\nx-evil: 1', 'x y', '1', 'x-ok', 'é', 'content-length', '0'],
      });
      exchange.end();
    },
    '/throws'() {
      throw new Error('a fault of the handler');
    },
    '/throws-late'(exchange) {
      exchange.respond({ status: 200, headers: ['content-length', '9'] });
      exchange.write(Buffer.from('some'));
      throw new Error('a fault of the handler');
    },
    '/twice'(exchange) {
      text(exchange, 'first');
      exchange.respond({ status: 500, headers: [] });
      t.equal(exchange.write(Buffer.from('x')), true);
      exchange.end(Buffer.from('x'));
      exchange.abort();
      exchange.continue();
    },
  });
  t.teardown(() => listener.closeNow());

  await t.test('status line, reason, repeated headers', async (t) => {
    const answer = await raw(listener, get('/reason', close));
    t.match(answer, /^HTTP\/1\.1 404 no such shelf\r\n/);
    t.match(answer, /x-a: 1\r\nx-a: 2\r\n/);
  });

  await t.test('a stream is chunked, flushed piece by piece, with trailers', async (t) => {
    const client = new Client(listener).send(get('/stream'));
    t.notMatch(await client.until(/one /), /two/);
    t.match(await client.until(/\r\n\r\n$/), /4\r\none \r\n3\r\ntwo\r\n0\r\nx-t: yes\r\n\r\n$/);
    client.send(get('/known'));
    t.match(await client.until(/hello$/), /hello$/, 'the connection lives on');
    client.destroy();
  });

  await t.test('a head without a body yet goes out at once', async (t) => {
    const client = new Client(listener).send(get('/head-first'));
    t.notMatch(await client.until(/\r\n\r\n/), /late/);
    await client.until(/late/);
    client.destroy();
  });

  await t.test('no body: HEAD, 204, 304', async (t) => {
    t.match(
      await raw(listener, `HEAD /known HTTP/1.1\r\nHost: h\r\n${close}\r\n`),
      /content-length: 5\r\n(.|\r\n)*\r\n\r\n$/,
    );
    t.equal(bodyOf(await raw(listener, `HEAD /stream HTTP/1.1\r\nHost: h\r\n${close}\r\n`)), '');
    for (const path of ['/204', '/304']) {
      const client = new Client(listener).send(get(path) + get('/known', close));
      await client.close();
      t.match(client.text, /\r\n\r\nHTTP\/1\.1 200 OK(.|\r\n)*hello$/, path);
    }
  });

  await t.test('HTTP/1.0: no chunks; kept open only if asked', async (t) => {
    const answer = await raw(listener, 'GET /stream HTTP/1.0\r\n\r\n');
    t.equal(bodyOf(answer), 'one two');
    t.notMatch(answer, /transfer-encoding/i);
    const client = new Client(listener).send('GET /known HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await client.until(/hello$/);
    client.send('GET /known HTTP/1.0\r\n\r\n');
    await client.close();
    t.equal(client.text.split('hello').length, 3);
  });

  await t.test('pipelined requests are answered in order', async (t) => {
    const answer = await raw(listener, get('/stream') + get('/known') + get('/reason', close));
    t.match(answer, /one (.|\r\n)*two(.|\r\n)*hello(.|\r\n)*no such shelf/);
  });

  await t.test('what cannot be written does not cost the client its answer', async (t) => {
    const answer = await raw(listener, get('/bad-header', close));
    t.match(answer, /^HTTP\/1\.1 200 OK\r\nx-ok: \xe9\r\n/);
    t.notMatch(answer, /evil/);
  });

  await t.test('a handler that throws, or speaks twice', async (t) => {
    t.match(await raw(listener, get('/throws', close)), /500 internal error\n$/);
    t.match(await raw(listener, get('/throws-late')), /\r\n\r\nsome$/);
    t.match(await raw(listener, get('/twice', close)), /\r\n\r\nfirst$/);
  });
});

void t.test('bodies', async (t) => {
  const results: unknown[] = [];
  const got = async (): Promise<unknown> => {
    await waitFor(
      () => results.length > 0,
      () => 'the end of a body',
    );
    return results.shift();
  };
  let exchange!: Exchange;
  let bytes = 0;
  let aborts = 0;
  const handles: Record<string, Handle> = {
    '/read': (current) =>
      void readAll(current).then((body) => {
        results.push(body);
        if (Buffer.isBuffer(body)) text(current, body.toString());
        else if (body instanceof StatusError) {
          current.respond({ status: body.httpStatus!, headers: ['content-length', '3'] });
          current.end(Buffer.from('408'));
        }
      }),
    '/pause'(current) {
      exchange = current;
      bytes = 0;
      current.read({
        onData(chunk) {
          bytes += chunk.length;
          if (bytes < 100_000) current.pause();
        },
        onEnd: () => text(current, String(bytes)),
        onAbort: (error) => results.push(error ?? 'gone'),
      });
    },
    '/never': (current) => {
      exchange = current;
      current.onClose(() => aborts++);
    },
    '/reject': (current) => {
      const body = Buffer.from('too large');
      current.respond({ status: 413, headers: ['content-length', String(body.length)] });
      current.end(body);
    },
    '/continue'(current) {
      exchange = current;
      setTimeout(() => {
        current.continue();
        current.continue();
        void readAll(current).then((body) => text(current, String(body)));
      }, 50);
    },
    '/bidi'(current) {
      current.respond({ status: 200, headers: [] });
      current.read({
        onData: (chunk) => current.write(chunk),
        onEnd: () => current.end(),
        onAbort: (error) => {
          results.push(error ?? 'gone');
          current.abort();
        },
      });
    },
  };
  const listener = await serve(handles);
  const hasty = await serve(handles, { idleTimeoutMs: 200 });
  t.teardown(() => [listener.closeNow(), hasty.closeNow()]);

  await t.test('by length and in chunks, in pieces; the connection lives on', async (t) => {
    const client = new Client(listener).send(post('/read', 'Content-Length: 6\r\n', 'abc'));
    await sleep(30);
    client.send('def');
    await client.until(/abcdef$/);
    client.send(post('/read', 'Transfer-Encoding: chunked\r\n', '3\r\nghi\r\n'));
    await sleep(30);
    client.send('1;ext=1\r\nj\r\n0\r\nx-trailer: 1\r\n\r\n');
    await client.until(/ghij$/);
    client.send(post('/read', close));
    await client.close();
    t.strictSame(results.splice(0).map(String), ['abcdef', 'ghij', '']);
  });

  await t.test('a client that goes away in mid-body, or ends its side there', async (t) => {
    const client = new Client(listener).send(post('/read', 'Content-Length: 6\r\n', 'abc'));
    await sleep(30);
    client.socket.resetAndDestroy();
    t.equal(await got(), 'gone');
    const halves = [
      post('/read', 'Content-Length: 6\r\n', 'abc'),
      post('/read', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'),
    ];
    for (const half of halves) {
      const reader = new Client(listener, { allowHalfOpen: true });
      reader.socket.end(half);
      t.match(await got(), { httpStatus: 400, message: /before its request was whole/ });
      await reader.close();
      t.match(reader.text, /^HTTP\/1\.1 400 /, 'it may read, and is told');
      reader.destroy();
      const gone = new Client(listener).send(half);
      await sleep(30);
      gone.socket.destroy();
      t.match(await got(), { httpStatus: 400 }, 'one that is gone does no harm');
    }
  });

  await t.test('a malformed chunk, or trailers without end: told to the one who reads, then close', async (t) => {
    const rows: readonly [chunks: string, status: number, message: RegExp][] = [
      ['3\r\nabc\r\nzz\r\n', 400, /^the chunked body is malformed \(Invalid character in chunk size\)/],
      ['3\nabc\n0\n\n', 400, /^the chunked body is malformed/],
      ['3\r\nabc0\r\n\r\n', 400, /^the chunked body is malformed/],
      [`3\r\nabc\r\n0\r\nX: ${'a'.repeat(200_000)}\r\n\r\n`, 431, /^the request headers have more than the limit/],
    ];
    for (const [chunks, httpStatus, message] of rows) {
      const client = new Client(listener).send(post('/read', 'Transfer-Encoding: chunked\r\n', chunks));
      t.match(await got(), { httpStatus, message }, JSON.stringify(chunks.slice(0, 20)));
      await client.close();
      t.match(client.text, new RegExp(`^HTTP/1\\.1 ${httpStatus} [^]*connection: close`, 'i'));
    }
  });

  await t.test('idle time-out: 408, but not while paused nor before reading', async (t) => {
    const client = new Client(hasty).send(post('/read', 'Content-Length: 6\r\n', 'a'));
    await sleep(100);
    client.send('b');
    await sleep(100);
    t.equal(results.length, 0, 'each byte starts the time anew');
    const error = (await got()) as StatusError;
    t.equal(error.httpStatus, 408);
    t.equal(error.code, 4);
    t.equal(error.message, 'no byte of the request body came for 0.2s; send it again without a pause');
    await client.close();
    t.match(client.text, /^HTTP\/1\.1 408 (.|\r\n)*connection: close(.|\r\n)*408$/i);

    const paused = new Client(hasty).send(post('/pause', 'Content-Length: 200000\r\n', 'x'.repeat(1000)));
    await waitFor(
      () => bytes > 0,
      () => 'the first bytes',
    );
    await sleep(300);
    t.equal(results.length, 0, 'paused by us');
    exchange.resume();
    t.equal(((await got()) as StatusError).httpStatus, 408, 'awaited again');
    paused.destroy();
  });

  await t.test('pause holds the client back', async (t) => {
    const client = new Client(listener);
    const size = 30_000_000;
    client.send(post('/pause', `Content-Length: ${size}\r\n${close}`));
    client.send(Buffer.alloc(size));
    await waitFor(
      () => bytes > 0,
      () => 'the first bytes',
    );
    await sleep(200);
    t.ok(bytes < 100_000, `${bytes} bytes came while paused`);
    t.ok(client.socket.writableLength > 0, 'the client waits');
    while (bytes < 100_000) {
      exchange.resume();
      await sleep(2);
    }
    await client.close();
    t.equal(bodyOf(client.text), String(size));
  });

  await t.test('early answers: the client can read them, whatever it still sends', async (t) => {
    for (const [name, lines, body] of [
      ['small', 'Content-Length: 3\r\n', 'abc'],
      ['never sent', 'Content-Length: 3\r\n', ''],
      ['over the drain limit', 'Content-Length: 20000000\r\n', 'x'.repeat(20_000_000)],
      ['chunked', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'],
      ['100-continue awaited', 'Content-Length: 3\r\nExpect: 100-continue\r\n', ''],
    ] as const) {
      const client = new Client(listener, { allowHalfOpen: true }).send(post('/reject', lines, body));
      t.match(await client.until(/too large$/), /^HTTP\/1\.1 413 (.|\r\n)*connection: close/i, name);
      const started = Date.now();
      await waitFor(
        () => client.closed !== undefined,
        () => 'the close',
      );
      t.ok(Date.now() - started < 2000, `${name}: closed after ${Date.now() - started} ms`);
      client.destroy();
    }
    const whole = new Client(listener).send(
      post('/reject', 'Content-Length: 0\r\n') + post('/reject', 'Content-Length: 0\r\n'),
    );
    await whole.until(/too large(.|\r\n)*too large$/);
    t.equal(whole.closed, undefined, 'without a body the connection lives on');
    whole.destroy();
  });

  await t.test('what a client sends after an early answer is read for 1 s and 1 MiB at most', async (t) => {
    const client = new Client(listener, { allowHalfOpen: true });
    client.send(post('/reject', 'Content-Length: 100000000\r\n'));
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    const more = (): void => {
      while (sent < 100_000_000) {
        sent += piece.length;
        if (!client.socket.write(piece)) return void client.socket.once('drain', more);
      }
    };
    more();
    await client.until(/too large$/);
    const started = Date.now();
    await waitFor(
      () => client.gone,
      () => 'the connection to be cut',
    );
    const elapsed = Date.now() - started;
    t.ok(elapsed > 500 && elapsed < 2500, `cut after ${elapsed} ms`);
    // What the system buffers on both sides is some megabytes.
    t.ok(sent < 20_000_000, `${sent} bytes were taken`);
  });

  await t.test('an unread rest is never taken for the next request', async (t) => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';
    for (const lines of [
      `Content-Length: ${smuggled.length}\r\n`,
      `Content-Length: ${smuggled.length}\r\nExpect: 100-continue\r\n`,
    ]) {
      const client = new Client(listener, { allowHalfOpen: true }).send(post('/reject', lines));
      await client.until(/too large$/);
      client.send(smuggled);
      await client.close();
      await sleep(20);
      t.notMatch(client.text, /smuggled/);
      client.destroy();
    }
  });

  await t.test('Expect: 100-continue is answered only when asked for, and once', async (t) => {
    const client = new Client(listener).send(
      post('/continue', `Content-Length: 3\r\nExpect: 100-Continue\r\n${close}`),
    );
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send('abc');
    await client.close();
    t.equal(client.text.split('100 Continue').length, 2);
    t.match(client.text, /\r\n\r\nabc$/);
    const plain = await raw(listener, post('/continue', `Content-Length: 3\r\n${close}`, 'abc'));
    t.notMatch(plain, /100 Continue/, 'nobody waits for it');
  });

  await t.test('answers may flow while the body comes', async (t) => {
    const client = new Client(listener).send(post('/bidi', 'Transfer-Encoding: chunked\r\n', '1\r\na\r\n'));
    await client.until(/a\r\n$/);
    client.send('1\r\nb\r\n');
    await client.until(/b\r\n$/);
    client.send('0\r\n\r\n');
    await client.until(/0\r\n\r\n$/);
    const broken = new Client(listener).send(post('/bidi', 'Transfer-Encoding: chunked\r\n', '1\r\na\r\n'));
    await broken.until(/a\r\n$/);
    broken.send('x\r\n');
    await broken.close();
    t.equal(((await got()) as StatusError).httpStatus, 400);
    t.notMatch(broken.text, /0\r\n\r\n$/);
    client.destroy();
  });

  await t.test('a client that ends its side after the request gets its answer', async (t) => {
    const slow = await serve({
      '/late': (current) => void setTimeout(() => text(current, 'late'), 700),
      '/stream'(current) {
        current.respond({ status: 200, headers: [] });
        current.write(Buffer.from('one'));
        setTimeout(() => current.end(Buffer.from('two')), 700);
      },
    });
    const ended = async (request: string): Promise<string> => {
      const client = new Client(slow, { allowHalfOpen: true });
      client.socket.end(request);
      t.equal(await client.close(), 'end', request);
      client.destroy();
      return client.text;
    };
    t.match(await ended(get('/a')), /^HTTP\/1\.1 200 OK[^]*GET \/a$/, 'nothing comes before a quick one');
    t.match(await ended('GET /a HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 OK[^]*GET \/a$/);
    t.match(await ended(get('/a') + get('/b')), /GET \/aHTTP[^]*GET \/b$/);
    t.match(await ended(get('/late')), /^(HTTP\/1\.1 100 Continue\r\n\r\n)*HTTP\/1\.1 200 OK[^]*late$/);
    t.match(await ended('GET /late HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 OK[^]*late$/);
    t.match(await ended(get('/stream')), /\r\n\r\n3\r\none\r\n0*3\r\ntwo\r\n0+\r\n\r\n$/);
    slow.closeNow();
  });

  await t.test('onClose when the client goes away, once', async (t) => {
    for (const how of ['destroy', 'resetAndDestroy'] as const) {
      aborts = 0;
      const client = new Client(listener).send(get('/never'));
      await sleep(30);
      client.socket[how]();
      await waitFor(
        () => aborts === 1,
        () => `onClose after ${how}`,
      );
      await sleep(20);
      t.equal(aborts, 1);
      // Whatever is done after that must not throw.
      exchange.respond({ status: 200, headers: [] });
      exchange.write(Buffer.from('x'));
      exchange.end(Buffer.from('x'), ['a', 'b']);
      exchange.abort();
      exchange.continue();
      let late = 0;
      exchange.onClose(() => late++);
      t.equal(await readAll(exchange), 'gone');
      t.equal(late, 1, 'at once where it is gone already');
    }
    aborts = 0;
    const pipelined = new Client(listener).send(get('/never') + get('/never') + get('/never'));
    await sleep(30);
    pipelined.socket.destroy();
    await waitFor(
      () => aborts === 3,
      () => 'onClose of pipelined requests',
    );
  });
});

void t.test('slow readers and breaks', async (t) => {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let wrote = 0;
  let finish = 0;
  const flood =
    (head: readonly string[], last: (exchange: Exchange) => void): Handle =>
    (exchange) => {
      wrote = 0;
      exchange.respond({ status: 200, headers: head });
      const more = (): void => {
        while (wrote < 500) {
          wrote++;
          if (!exchange.write(piece)) return;
        }
        finish++;
        last(exchange);
      };
      exchange.onDrain(more);
      more();
    };
  const listener = await serve({
    '/flood': flood([], (exchange) => exchange.end()),
    '/break': (exchange) => {
      exchange.respond({ status: 200, headers: [] });
      exchange.write(piece);
      exchange.write(Buffer.from('last words'));
      exchange.abort();
      exchange.write(Buffer.from('not sent'));
    },
    '/break-known': (exchange) => {
      exchange.respond({ status: 200, headers: ['content-length', '100'] });
      exchange.write(Buffer.from('last words'));
      exchange.abort();
    },
    '/break-head': (exchange) => {
      exchange.respond({ status: 200, headers: [] });
      exchange.abort();
    },
    '/break-nothing': (exchange) => exchange.abort(),
  });
  t.teardown(() => listener.closeNow());

  await t.test('write answers false, onDrain follows', async (t) => {
    const client = new Client(listener).send(get('/flood'));
    client.socket.pause();
    await sleep(200);
    t.ok(wrote < 200, `${wrote} of 500 pieces were taken while the client did not read`);
    client.socket.resume();
    await waitFor(
      () => client.length > 500 * piece.length && client.text.endsWith('\r\n0\r\n\r\n'),
      () => `the rest after ${client.length} bytes`,
    );
    t.equal(finish, 1);
    client.destroy();
  });

  await t.test('abort: everything written arrives, and no client takes it for whole', async (t) => {
    const client = new Client(listener).send(get('/break'));
    t.equal(await client.close(), 'end');
    t.match(client.text, /last words\r\n$/, 'no last chunk');
    const known = new Client(listener).send(get('/break-known'));
    await known.close();
    t.match(known.text, /\r\n\r\nlast words$/);
    const head = new Client(listener).send(get('/break-head'));
    await head.close();
    t.match(head.text, /\r\n\r\n$/);
    const old = new Client(listener).send('GET /break HTTP/1.0\r\n\r\n');
    t.equal(await old.close(), 'reset', 'HTTP/1.0: a mere close would look complete');
    t.match(old.text, /last words$/);
    const nothing = new Client(listener).send(get('/break-nothing'));
    await nothing.close();
    t.equal(nothing.text, '');
  });
});

void t.test('limits and what the parser refuses', async (t) => {
  const listener = await serve({}, { maxUrlBytes: 1000, maxHeaderBytes: 500, headerTimeoutMs: 200 });
  t.teardown(() => listener.closeNow());
  const utf8 = (data: string): Buffer => Buffer.from(data, 'utf8');
  const curl = "or let curl do it: curl -G --data-urlencode 'name=value' URL";
  const host = 'Host: h\r\n';
  const cases: readonly (readonly [name: string, data: string | Buffer, status: number, message: string | RegExp])[] = [
    ['raw é in a query', utf8(get('/a?q=café')), 400, `the URL has "é" in it unescaped; write %C3%A9, ${curl}`],
    [
      'raw text in a path',
      utf8(get('/ключ/x')),
      400,
      `the URL has "ключ" in it unescaped; write %D0%BA%D0%BB%D1%8E%D1%87, ${curl}`,
    ],
    [
      'Latin-1',
      Buffer.from(get('/a?q=\xe9'), 'latin1'),
      400,
      `the URL has bytes in it that are neither ASCII nor UTF-8; percent-encode them as UTF-8, ${curl}`,
    ],
    ['a cut head', `GET / HTTP/1.1\r\nHo`, 408, /head did not come whole/],
    ['a space', get('/a?q=b c'), 400, `the URL has a space in it; write it as %20, ${curl}`],
    ['a control character', get('/a\x01'), 400, `the URL has a control character in it; write it as %01, ${curl}`],
    ['no slash', get('shelves'), 400, 'the request target "shelves" does not start with a slash; write /shelves'],
    ['lower-case method', 'get / HTTP/1.1\r\n\r\n', 400, '"get" is not a method that HTTP/1 is served with; write GET'],
    [
      'unknown method',
      'FROB / HTTP/1.1\r\n\r\n',
      400,
      '"FROB" is not a method that HTTP/1 is served with; over HTTP/2 any name is',
    ],
    [
      'TLS',
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]),
      400,
      'this port speaks HTTP without TLS; write http:// instead of https://',
    ],
    [
      'noise',
      Buffer.from([0, 1, 2, 3, 4, 5]),
      400,
      'the request does not start with a method; write "GET /path HTTP/1.1"',
    ],
    ['version', 'GET / HTTP/9.9\r\n\r\n', 400, /^the request line does not end in HTTP\/1\.1/],
    [
      'HTTP/2.0 in HTTP/1 syntax',
      `GET / HTTP/2.0\r\n${host}\r\n`,
      400,
      'the request line ends in HTTP/2.0, expected HTTP/1.1',
    ],
    ['no version', 'GET /\r\n\r\n', 400, 'the request line ends in HTTP/0.9, expected HTTP/1.1'],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: h\n\n', 400, /^the request line does not end/],
    [
      'a header without a colon',
      `GET / HTTP/1.1\r\n${host}X Y\r\n\r\n`,
      400,
      /^a header is malformed \(Invalid header token\); write each as "Name: value"/,
    ],
    ['NUL in a header', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400, /^a header is malformed/],
    ['a folded header', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, 400, /^a header is malformed/],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'the request has no Host header, expected one; write "Host: name"'],
    ['two Hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400, 'the request has 2 Host headers, expected one'],
    ...[
      'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n',
    ].map(
      (lines) =>
        [
          `both lengths: ${lines}`,
          `POST / HTTP/1.1\r\n${host}${lines}\r\n0\r\n\r\n`,
          400,
          'the request has both Content-Length and Transfer-Encoding, of which only one can be meant; write one of them',
        ] as const,
    ),
    ...['gzip, chunked', 'gzip', 'identity', 'chunked;q=1', 'gzip\r\nTransfer-Encoding: chunked'].map(
      (coding) =>
        [
          `Transfer-Encoding: ${coding}`,
          `POST / HTTP/1.1\r\n${host}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
          501,
          /^Transfer-Encoding is "[^"]+", expected "chunked" alone/,
        ] as const,
    ),
    [
      'Expect with a body',
      `POST / HTTP/1.1\r\n${host}Expect: 200-ok\r\nContent-Length: 3\r\n\r\n`,
      417,
      'Expect: 200-ok is not known, expected 100-continue or no such header',
    ],
    [
      'Expect',
      get('/', 'Expect: 200-ok\r\n'),
      417,
      'Expect: 200-ok is not known, expected 100-continue or no such header',
    ],
    [
      'Content-Length',
      get('/', 'Content-Length: 1x\r\n'),
      400,
      'Content-Length is not a decimal number; write the size of the body in bytes',
    ],
    ['negative length', get('/', 'Content-Length: -1\r\n'), 400, /^Content-Length is not a decimal number/],
    [
      'two lengths',
      get('/', 'Content-Length: 1\r\nContent-Length: 2\r\n'),
      400,
      /^Content-Length stands in the request more than once/,
    ],
    [
      'length and chunks',
      get('/', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
      400,
      /^the request has both Content-Length and Transfer-Encoding/,
    ],
    [
      'chunked, gzip',
      get('/', 'Transfer-Encoding: chunked, gzip\r\n'),
      400,
      /^Transfer-Encoding is not "chunked" alone/,
    ],
    [
      'HTTP/1.0 with chunks',
      'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      /^an HTTP\/1\.0 request cannot have Transfer-Encoding/,
    ],
    [
      'CONNECT',
      'CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n',
      501,
      'CONNECT is not served here: this is not a forward proxy',
    ],
    [
      'a URL over the limit',
      get(`/${'a'.repeat(1000)}`),
      414,
      /^the URL of 1001 bytes is longer than the limit of 1000 bytes/,
    ],
    [
      'a URL far over it',
      get(`/${'a'.repeat(100_000)}`),
      414,
      /^the URL( of \d+ bytes)? is longer than the limit of 1000 bytes/,
    ],
    [
      'headers over the limit',
      get('/', `X: ${'a'.repeat(490)}\r\n`),
      431,
      /^the request headers have 504 bytes, more than the limit of 500 bytes/,
    ],
    ['headers far over it', get('/', `X: ${'a'.repeat(300_000)}\r\n`), 431, /more than the limit of 500 bytes/],
    ['many small headers', get('/', 'a:b\r\n'.repeat(3000)), 431, /^the request headers have 1800\d bytes/],
    ['a head that does not end', `GET / HTTP/1.1\r\n${host}`, 408, "the request's head did not come whole within 0.2s"],
    ['two bytes of a head', 'GE', 408, "the request's head did not come whole within 0.2s"],
  ];
  for (const [name, data, status, message] of cases) {
    const answer = Buffer.from(await raw(listener, data), 'latin1').toString('utf8');
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), `${name}: ${JSON.stringify(answer.slice(0, 60))}`);
    t.equal(answer.match(/\r\nconnection: close\r\n/gi)?.length, 1, `${name}: closes, and says so once`);
    const [, said] = new RegExp(`^${status} (.*)\n$`).exec(bodyOf(answer)) ?? [];
    if (typeof message === 'string') t.equal(said, message, name);
    else t.match(said, message, name);
  }

  await t.test('the longest that is taken', async (t) => {
    const url = `/${'a'.repeat(999)}`;
    t.match(await raw(listener, get(url, `X: ${'a'.repeat(450)}\r\n${close}`)), /^HTTP\/1\.1 200 /);
  });

  await t.test('requests before the malformed one get their answers', async (t) => {
    const answer = await raw(listener, get('/first') + 'FROB / HTTP/1.1\r\n\r\n');
    t.match(answer, /^HTTP\/1\.1 200 (.|\r\n)*GET \/first/);
  });

  await t.test('with pipelining all of them, and then what is wrong with the rest', async (t) => {
    const slow = await serve({ '/slow': (current) => void setTimeout(() => text(current, 'slow'), 100) });
    t.teardown(() => slow.closeNow());
    for (const garbage of ['FROB / HTTP/1.1\r\n\r\n', get('/a b')]) {
      const answer = await raw(slow, get('/slow') + get('/second') + garbage);
      t.match(
        answer,
        /^HTTP\/1\.1 200 [^]*slowHTTP\/1\.1 200 [^]*GET \/secondHTTP\/1\.1 400 [^]*connection: close\r\n/,
      );
    }
    const cut = new Client(slow, { allowHalfOpen: true });
    cut.socket.end(`${get('/slow')}GET /sec`);
    await cut.close();
    t.match(cut.text, /slowHTTP\/1\.1 400 [^]*before its request was whole/, 'a head that is cut short');
    cut.destroy();
  });

  await t.test('a stop answers all that are pipelined, and says close with the last', async (t) => {
    const slow = await serve({ '/slow': (current) => void setTimeout(() => text(current, 'slow'), 100) });
    const client = new Client(slow).send(get('/slow') + get('/slow'));
    await sleep(50);
    await slow.drain(3000);
    t.match(client.text, /^HTTP\/1\.1 200 [^]*keep-alive[^]*slowHTTP\/1\.1 200 [^]*connection: close[^]*slow$/);
  });

  await t.test('a connection that says nothing is closed in silence', async (t) => {
    const client = new Client(listener);
    await client.close();
    t.equal(client.text, '');
  });

  await t.test('garbage after an answered error does no harm', async (t) => {
    const client = new Client(listener, { allowHalfOpen: true }).send('FROB / HTTP/1.1\r\n\r\n');
    await client.until(/any name is/);
    client.send(Buffer.alloc(100_000));
    await client.close();
    t.match(client.text, /any name is\n$/);
    client.destroy();
  });
});

void t.test('a head that cannot be written breaks off its answer, and nothing else', async (t) => {
  const listener = await serve({
    '/none': (exchange) => exchange.respond({ status: Symbol('none') as never, headers: [] }),
  });
  t.teardown(() => listener.closeNow());
  t.equal(await raw(listener, 'GET /none HTTP/1.1\r\nhost: a\r\n\r\n'), '');
  t.match(await raw(listener, 'GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'), /200 OK[^]*GET \/x$/);
});
