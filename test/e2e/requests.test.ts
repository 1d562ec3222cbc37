/** The tables of test/cases/requests.ts through the whole proxy, and the content codings that bodies may have. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import t from 'tap';
import {
  multipartBody,
  multipartCases,
  patchCases,
  protobufCases,
  rawCases,
  requestsProto,
} from '../cases/requests.js';
import { valuesProto } from '../cases/values.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { runCase } from '../support/run-case.js';

void t.test('requests', async (t) => {
  const proxy = await startTestProxy(requestsProto);
  t.teardown(() => proxy.close());
  for (const [name, rows] of Object.entries({ multipartCases, protobufCases, rawCases, patchCases })) {
    await t.test(name, async (t) => {
      for (const row of rows) await runCase(t, proxy, row);
    });
  }
});

void t.test('update_masks off, and on for a method', async (t) => {
  const on = requestsProto.replace('update_mask: false', 'update_mask: true');
  const proxy = await startTestProxy(on, { updateMasks: false });
  t.teardown(() => proxy.close());
  const thing = { id: '1', color: 'RED' };
  t.strictSame((await proxy.send('PATCH /things/1', { body: '{"color":1}' })).json, { thing });
  t.strictSame((await proxy.send('PATCH /off/1', { body: '{"color":1}' })).json, { thing, updateMask: 'color' });
});

void t.test('an ignored name or enum name is not in the mask', async (t) => {
  const proxy = await startTestProxy(requestsProto, { ignoreUnknownFields: true });
  t.teardown(() => proxy.close());
  const response = await proxy.send('PATCH /things/1', {
    body: '{"nope":{"a":[1]},"color":"BLUE","part":{"x":1},"tags":["a"]}',
  });
  t.strictSame(response.json, { thing: { id: '1', part: {}, tags: ['a'] }, updateMask: 'tags' });
});

void t.test('comma_lists leave JSON text and field masks whole', async (t) => {
  const proxy = await startTestProxy(requestsProto, { commaLists: true });
  t.teardown(() => proxy.close());
  const response = await proxy.send('GET /upload?values=[1,2]&masks=a,b&masks=c&numbers=1,2');
  t.strictSame(response.json, { numbers: [1, 2], values: [[1, 2]], masks: ['a,b', 'c'] });
});

void t.test('max_form_parts', async (t) => {
  const proxy = await startTestProxy(requestsProto, { maxFormParts: 3 });
  t.teardown(() => proxy.close());
  const send = (count: number): Promise<TestResponse> =>
    proxy.send('POST /upload', {
      body: multipartBody(
        Array.from({ length: count }, () => ['content-disposition: form-data; name="numbers"', '1'] as const),
      ),
      headers: { 'content-type': 'multipart/form-data; boundary=x-boundary' },
    });
  t.equal((await send(3)).status, 200);
  const refused = await send(4);
  t.equal(refused.status, 400);
  t.match(refused.text, 'more than 3 parts');
  const pairs = (count: number): string => `&${'numbers=1&&'.repeat(count)}`;
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  t.equal((await proxy.send('POST /upload', { body: pairs(3), headers: form })).status, 200);
  t.match(await proxy.send('POST /upload', { body: pairs(4), headers: form }), {
    status: 400,
    text: /more than 3 form fields; send fewer, or raise --max-form-parts/,
  });
  t.equal((await proxy.send(`GET /upload?${pairs(3)}`)).status, 200);
  t.match(await proxy.send(`GET /upload?${pairs(4)}`), { status: 400, text: /more than 3 query parameters/ });
});

void t.test('a thousand parameters or form fields by default', async (t) => {
  const proxy = await startTestProxy(requestsProto);
  t.teardown(() => proxy.close());
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const [count, status] of [
    [1000, 200],
    [1001, 400],
  ] as const) {
    const pairs = new Array(count).fill('numbers=1').join('&');
    t.equal((await proxy.send(`GET /upload?${pairs}`)).status, status);
    t.equal((await proxy.send('POST /upload', { body: pairs, headers })).status, status);
  }
});

void t.test('what Google’s own clients send', async (t) => {
  const google = await startTestProxy(valuesProto, { emptyStringBodies: true, snakeCaseFieldMasks: true });
  const strict = await startTestProxy(valuesProto);
  t.teardown(() => Promise.all([google.close(), strict.close()]));
  for (const [target, body, json] of [
    ['POST /inner', '""', {}],
    ['POST /inner', ' ""\n', {}],
    ['POST /inner?name=a', '""', { name: 'a' }],
    ['POST /list', '""', {}],
    ['GET /get?name=a', ' "" ', { name: 'a' }],
    ['POST /post', '{"mask":"foo_bar,bazQux.a_b"}', { mask: 'fooBar,bazQux.aB' }],
  ] as const) {
    t.strictSame((await google.send(target, { body })).json, json, `${target} ${body}`);
    t.equal((await strict.send(target, { body })).status, 400, `${target} ${body}`);
  }
  for (const [target, body] of [
    ['POST /inner', '"x"'],
    ['POST /inner', '"" ""'],
    ['POST /post', '""'],
    ['GET /get', '"x"'],
    ['GET /get', '"" {}'],
  ] as const) {
    t.equal((await google.send(target, { body })).status, 400, `${target} ${body}`);
  }
});

// ------------------------------------------------------------------------------------------------------ codings

const text = JSON.stringify({ name: 'a'.repeat(1000) });
const coders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;

function sendCoded(proxy: TestProxy, coding: string | readonly string[], body: Buffer): Promise<TestResponse> {
  return proxy.send('POST /upload', { body, headers: { 'content-encoding': coding } });
}

void t.test('request_compression', async (t) => {
  const proxy = await startTestProxy(requestsProto, { requestCompression: ['gzip', 'deflate', 'br'] });
  t.teardown(() => proxy.close());
  for (const [name, coding, body] of [
    ['gzip', 'gzip', gzipSync(text)],
    ['its old name, in any case', 'X-GZip', gzipSync(text)],
    ['deflate', 'deflate', deflateSync(text)],
    ['deflate without a head', 'deflate', deflateRawSync(text)],
    ['br', 'br', brotliCompressSync(text)],
    ['identity', 'identity', Buffer.from(text)],
    ['identity among others', 'identity, gzip ,identity', gzipSync(text)],
    ['two members', 'gzip', Buffer.concat([gzipSync(text.slice(0, 10)), gzipSync(text.slice(10))])],
    ['several, the first applied first', 'gzip, br, deflate', deflateSync(brotliCompressSync(gzipSync(text)))],
    ['several lines', ['gzip', 'br'], brotliCompressSync(gzipSync(text))],
  ] as const) {
    const response = await sendCoded(proxy, coding, body);
    t.strictSame([response.status, response.text], [200, text], name);
  }
  t.strictSame((await sendCoded(proxy, 'gzip', Buffer.alloc(0))).json, {}, 'an empty body');
  t.strictSame(
    (
      await proxy.send('POST /raw', {
        body: gzipSync('a'),
        headers: { 'content-encoding': 'gzip', 'content-type': 'a/b' },
      })
    ).json,
    { contentType: 'a/b', data: 'YQ==' },
    'an HttpBody gets what was coded',
  );
  for (const [name, coding, body, words] of [
    ['cut off', 'gzip', gzipSync(text).subarray(0, -4), 'unexpected end'],
    ['no gzip', 'gzip', Buffer.from(text), 'incorrect header'],
    ['a wrong checksum', 'gzip', Buffer.concat([gzipSync(text).subarray(0, -8), Buffer.alloc(8, 1)]), 'incorrect'],
    ['bytes behind gzip', 'gzip', Buffer.concat([gzipSync(text), Buffer.from('x')]), 'gzip says'],
    ['bytes behind deflate', 'deflate', Buffer.concat([deflateSync(text), Buffer.from('x')]), 'behind the end'],
    ['bytes behind br', 'br', Buffer.concat([brotliCompressSync(text), Buffer.from('x')]), 'behind the end'],
    ['no br', 'br', Buffer.from(text), 'br says'],
    ['the inner one broken', 'gzip, br', brotliCompressSync(text), 'gzip says'],
  ] as const) {
    const response = await sendCoded(proxy, coding, body);
    t.equal(response.status, 400, `${name}: ${response.text}`);
    t.match(response.text, words, name);
  }
  for (const coding of ['zstd', 'gzip, zstd', 'compress', 'gzip, gzip, gzip, gzip']) {
    const response = await sendCoded(proxy, coding, gzipSync(text));
    t.strictSame([response.status, response.headers['accept-encoding']], [415, 'gzip, deflate, br'], coding);
  }
  t.equal(proxy.service.calls.length, 12, 'what is broken reaches no service');
});

void t.test('codings that are not configured', async (t) => {
  const proxy = await startTestProxy(requestsProto, { requestCompression: ['br'] });
  t.teardown(() => proxy.close());
  t.equal((await sendCoded(proxy, 'br', brotliCompressSync(text))).status, 200);
  const refused = await sendCoded(proxy, 'gzip', gzipSync(text));
  t.strictSame([refused.status, refused.headers['accept-encoding']], [415, 'br']);
  const plain = await startTestProxy(requestsProto);
  t.teardown(() => plain.close());
  for (const [coding, code] of Object.entries(coders)) {
    const response = await sendCoded(plain, coding, code(text));
    t.strictSame([response.status, response.headers['accept-encoding']], [415, 'identity'], coding);
  }
});

void t.test('the body limit is that of the decoded size, and a bomb stops at it', async (t) => {
  const limit = 100_000;
  const proxy = await startTestProxy(requestsProto, {
    requestCompression: ['gzip', 'deflate', 'br'],
    maxBodyBytes: limit,
  });
  t.teardown(() => proxy.close());
  const json = (size: number): string => `{"name":"${'a'.repeat(size - 11)}"}`;
  for (const [coding, code] of Object.entries(coders)) {
    t.equal((await sendCoded(proxy, coding, code(json(limit)))).status, 200, coding);
    t.equal((await sendCoded(proxy, coding, code(json(limit + 1)))).status, 413, coding);
  }
  // 256 MiB of spaces, coded once, twice and three times.
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, 0x20));
  for (const [coding, body] of [
    ['gzip', bomb.subarray(0, limit)],
    ['gzip, gzip', gzipSync(bomb)],
    ['gzip, gzip, br', brotliCompressSync(gzipSync(bomb))],
  ] as const) {
    const before = process.memoryUsage().arrayBuffers;
    const response = await sendCoded(proxy, coding, body);
    t.equal(response.status, 413, `${coding}: ${response.text}`);
    const grown = process.memoryUsage().arrayBuffers - before;
    t.ok(grown < 16 * 1024 * 1024, `${coding}: ${grown} bytes more in memory`);
  }
});
