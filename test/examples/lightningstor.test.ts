/**
 * LightningSTOR, the reference service: buckets by REST through the proxy, objects over gRPC streams; ranges, what breaks
 * off, races, and that a kill at any time leaves each acknowledged object whole and nothing else.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../examples/photoncloud/lib/clock.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { startLightningStor } from '../../examples/photoncloud/lightningstor.js';
import {
  CloudClient,
  count,
  type Loose,
  type RestCase,
  runRefusals,
  runRestCases,
  startCloud,
  startRest,
  temporaryFolder,
} from '../support/photoncloud.js';
import { refusal } from '../support/refusal.js';
import { spawnProcess } from '../support/service-process.js';
import { until } from '../support/until.js';

const storage = {
  entry: 'lightningstor',
  file: 'lightningstor/v1/lightningstor.proto',
  service: 'lightningstor.v1.LightningStorService',
};
const schema = Schema.load([storage.file]);

/** Stores an object in pieces. */
async function put(
  client: CloudClient,
  bucket: string,
  key: string,
  data: Buffer,
  type = '',
  piece = 60_000,
): Promise<Loose> {
  const { call, reply } = client.upload('PutObject');
  for (let at = 0; at === 0 || at < data.length; at += piece) {
    const body = { content_type: at === 0 ? type : '', data: data.subarray(at, at + piece) };
    const more = call.write(at === 0 ? { bucket, key, data: body } : { data: body });
    if (!more) await Promise.race([new Promise((resolve) => call.once('drain', resolve)), reply]);
  }
  call.end();
  return reply;
}

async function get(
  client: CloudClient,
  bucket: string,
  key: string,
  headers: Record<string, string> = {},
): Promise<{ data: Buffer; type: string; pieces: number[]; headers: Record<string, string> }> {
  const found = await client.stream<{ content_type: string; data: Buffer }>('GetObject', { bucket, key }, headers);
  return {
    data: Buffer.concat(found.replies.map(({ data }) => data)),
    type: found.replies[0]!.content_type,
    pieces: found.replies.map(({ data }) => data.length),
    headers: found.headers,
  };
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Names of all files of objects, whole or not. */
function filesIn(folder: string): string[] {
  return readdirSync(join(folder, 'lightningstor'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('/'),
  );
}

const buckets = '/api/v1/buckets';
const restCases: RestCase[] = [
  [`PUT ${buckets}/photos`, undefined, 200, { name: 'photos', created_at: '2026-01-01T00:00:00Z' }],
  [`PUT ${buckets}/photos`, {}, 200, { name: 'photos' }],
  [`PUT ${buckets}/videos`, undefined, 200, { name: 'videos' }],
  [`PUT ${buckets}/.hidden`, undefined, 400, { message: /^bucket: is ".hidden", expected 1 to 63/ }],
  [`PUT ${buckets}/${'b'.repeat(64)}`, undefined, 400, { code: 'INVALID_ARGUMENT' }],
  [
    `GET ${buckets}`,
    undefined,
    200,
    { buckets: [{ name: 'b' }, { name: 'photos' }, { name: 'videos' }], next_page_token: '' },
  ],
  [`GET ${buckets}?page_size=1`, undefined, 200, { buckets: [{ name: 'b' }], next_page_token: '$page' }],
  [`GET ${buckets}?page_token=:$page`, undefined, 200, { buckets: [{ name: 'photos' }, {}] }],
  [`GET ${buckets}?page_token=x`, undefined, 400, { message: /^page_token: / }],
  [`GET ${buckets}/photos`, undefined, 200, { name: 'photos' }],
  [`GET ${buckets}/none`, undefined, 404, { message: 'no bucket is named "none"' }],
  [`GET ${buckets}/b/objects`, undefined, 200, { objects: [{ key: 'a/1' }, { key: 'a/2' }, { key: 'c' }] }],
  [`GET ${buckets}/b/objects?prefix=a/`, undefined, 200, { objects: [{ key: 'a/1', size: '3' }, { key: 'a/2' }] }],
  [
    `GET ${buckets}/b/objects?prefix=a/&page_size=1`,
    undefined,
    200,
    { objects: [{ key: 'a/1' }], next_page_token: '$o' },
  ],
  [`GET ${buckets}/b/objects?prefix=a/&page_token=:$o`, undefined, 200, { objects: [{ key: 'a/2' }] }],
  [`GET ${buckets}/b/objects?page_token=:$o`, undefined, 400, { message: /^page_token: / }],
  [`GET ${buckets}/none/objects`, undefined, 404, { code: 'NOT_FOUND' }],
  [`DELETE ${buckets}/b`, undefined, 400, { code: 'FAILED_PRECONDITION', message: /is not empty/, details: [{}] }],
  [`DELETE ${buckets}/b/objects/a/1`, undefined, 200, { deleted: true }],
  [`DELETE ${buckets}/b/objects/a%2F2`, undefined, 200, { deleted: true }],
  [`DELETE ${buckets}/b/objects/c`, undefined, 200, { deleted: true }],
  [`DELETE ${buckets}/b/objects/c`, undefined, 200, { deleted: false }],
  [`DELETE ${buckets}/none/objects/c`, undefined, 404, { code: 'NOT_FOUND' }],
  [`DELETE ${buckets}/b`, undefined, 200, { deleted: true }],
  [`DELETE ${buckets}/b`, undefined, 404, { code: 'NOT_FOUND' }],
];

void t.test('by REST: buckets, lists, deletions', async (test) => {
  const { port, client, folder } = await startCloud(test, storage);
  const rest = await startRest(test, 'lightningstor', port);
  await client.call('CreateBucket', { bucket: 'b' });
  for (const key of ['a/1', 'a/2', 'c']) await put(client, 'b', key, Buffer.from('abc'));
  await runRestCases(test, rest, restCases);
  test.same(filesIn(folder), [], 'and the files are gone');
});

void t.test('objects: byte for byte, with their type, in pieces', async (test) => {
  const { client, clock, folder } = await startCloud(test, storage);
  await client.call('CreateBucket', { bucket: 'b' });
  const keys = ['a', 'a/', '/', 'a//b', 'ключ \u{1f525}', '\0', 'k'.repeat(2048)];
  for (const [index, key] of keys.entries()) {
    const data = randomBytes(index * 70_000);
    const stored = await put(client, 'b', key, data, index === 0 ? '' : 'video/mp4');
    const type = index === 0 ? 'application/octet-stream' : 'video/mp4';
    test.match(stored, { bucket: 'b', key, size: BigInt(data.length), etag: sha256(data), content_type: type });
    const found = await get(client, 'b', key);
    test.ok(
      found.data.equals(data) && found.type === type,
      `${data.length} bytes under ${JSON.stringify(key).slice(0, 20)}`,
    );
    test.ok(found.pieces.every((length) => length <= 65536));
    test.match(found.headers, {
      'x-content-length': String(data.length),
      etag: `"${sha256(data)}"`,
      'accept-ranges': 'bytes',
    });
    test.notOk('x-http-code' in found.headers);
  }
  clock.advance(1000);
  const [before] = (await client.call('ListObjects', { bucket: 'b', prefix: 'a' })).objects;
  const after = await put(client, 'b', 'a', Buffer.from('new'), 'text/plain');
  test.match(after, { created_at: before.created_at, content_type: 'text/plain', size: 3n });
  test.not(after.updated_at.seconds, before.updated_at.seconds);
  test.equal(filesIn(folder).length, keys.length, 'what was replaced is gone from the disk');
  // Messages as large as the server takes.
  const large = randomBytes(9_000_000);
  await put(client, 'b', 'large', large, '', 4_000_000);
  test.ok((await get(client, 'b', 'large')).data.equals(large));
});

void t.test('ranges', async (test) => {
  const { client } = await startCloud(test, storage);
  await client.call('CreateBucket', { bucket: 'b' });
  const { etag } = await put(client, 'b', 'k', Buffer.from('0123456789'));
  await put(client, 'b', 'empty', Buffer.alloc(0));
  const cases: [Record<string, string>, string, string | undefined][] = [
    [{ range: 'bytes=2-4' }, '234', 'bytes 2-4/10'],
    [{ range: 'bytes=7-' }, '789', 'bytes 7-9/10'],
    [{ range: 'bytes=-3' }, '789', 'bytes 7-9/10'],
    [{ range: 'bytes=0-0' }, '0', 'bytes 0-0/10'],
    [{ range: 'bytes=8-100' }, '89', 'bytes 8-9/10'],
    [{ range: 'bytes=-100' }, '0123456789', 'bytes 0-9/10'],
    [{ range: 'bytes=4-99999999999999999999' }, '456789', 'bytes 4-9/10'],
    [{ range: 'bytes=-99999999999999999999' }, '0123456789', 'bytes 0-9/10'],
    [{ range: 'bytes=4-2' }, '0123456789', undefined],
    [{ range: 'bytes=1-2,4-5' }, '0123456789', undefined],
    [{ range: 'lines=1-2' }, '0123456789', undefined],
    [{ range: 'bytes=-' }, '0123456789', undefined],
    [{ range: 'bytes=1-2', 'if-range': `"${etag}"` }, '12', 'bytes 1-2/10'],
    [{ range: 'bytes=1-2', 'if-range': '"other"' }, '0123456789', undefined],
  ];
  for (const [headers, data, range] of cases) {
    const found = await get(client, 'b', 'k', headers);
    const name = JSON.stringify(headers);
    test.equal(found.data.toString(), data, name);
    test.equal(found.headers['content-range'], range, name);
    test.equal(found.headers['x-http-code'], range === undefined ? undefined : '206', name);
    test.equal(found.headers['x-content-length'], String(data.length), name);
  }
  for (const [key, range] of [
    ['k', 'bytes=10-'],
    ['k', 'bytes=99999999999999999999-'],
    ['k', 'bytes=-0'],
    ['empty', 'bytes=0-'],
    ['empty', 'bytes=-5'],
  ] as const) {
    test.equal((await refusal(get(client, 'b', key, { range }))).code, 'OUT_OF_RANGE', `${key} ${range}`);
  }
});

void t.test('what is refused', async (test) => {
  const { client, folder } = await startCloud(test, storage);
  await client.call('CreateBucket', { bucket: 'b' });
  await runRefusals(test, client, [
    ['CreateBucket', { bucket: 'a/b' }, 'INVALID_ARGUMENT', ['bucket']],
    ['GetBucket', { bucket: '\0' }, 'NOT_FOUND', []],
    ['DeleteObject', { bucket: 'b', key: '' }, 'INVALID_ARGUMENT', ['key']],
    ['ListObjects', { bucket: 'b', prefix: 'k'.repeat(2049) }, 'INVALID_ARGUMENT', ['prefix']],
    ['ListObjects', { bucket: 'b', page_size: -1 }, 'INVALID_ARGUMENT', ['page_size']],
  ]);
  const uploads: [object[], string, string[]][] = [
    [[], 'INVALID_ARGUMENT', []],
    [[{ bucket: 'none', key: 'k' }], 'NOT_FOUND', []],
    [[{ bucket: 'b', key: '' }], 'INVALID_ARGUMENT', ['key']],
    [[{ bucket: 'b', key: 'k'.repeat(2049) }], 'INVALID_ARGUMENT', ['key']],
    [[{ bucket: 'b', key: 'k', data: { content_type: 'a\r\nb: c' } }], 'INVALID_ARGUMENT', ['data.content_type']],
    [[{ bucket: 'b', key: 'k' }, { key: 'other' }], 'INVALID_ARGUMENT', ['key']],
  ];
  for (const [messages, code, fields] of uploads) {
    const { call, reply } = client.upload('PutObject');
    for (const message of messages) call.write(message);
    call.end();
    const found = await refusal(reply);
    test.same([found.code, found.fields], [code, fields], JSON.stringify(messages).slice(0, 80));
  }
  test.equal((await refusal(get(client, 'b', 'k'))).code, 'NOT_FOUND');
  test.equal((await refusal(get(client, 'none', 'k'))).code, 'NOT_FOUND');
  test.same(filesIn(folder), []);

  const database = Database.open(join(temporaryFolder(test), 'photoncloud.db'));
  const options = { host: '127.0.0.1', port: 0, database };
  await test.rejects(startLightningStor(options), { message: /needs a folder for its objects/ });
  const small = await startLightningStor({ ...options, dataDir: temporaryFolder(test), maxObjectBytes: 10 });
  const other = new CloudClient(small.port, schema, storage.service);
  await other.call('CreateBucket', { bucket: 'b' });
  test.equal((await put(other, 'b', 'k', Buffer.alloc(10))).size, 10n);
  test.match(await refusal(put(other, 'b', 'k', Buffer.alloc(11))), {
    code: 'RESOURCE_EXHAUSTED',
    message: 'an object has at most 10 bytes',
  });
  test.equal((await get(other, 'b', 'k')).data.length, 10, 'the old one is still there');
  other.close();
  await small.close();
  database.close();
});

void t.test('an upload that breaks off leaves nothing', async (test) => {
  const { client, folder, stop } = await startCloud(test, storage);
  await client.call('CreateBucket', { bucket: 'b' });
  await put(client, 'b', 'k', Buffer.from('old'));
  for (const messages of [1, 5]) {
    const { call, reply } = client.upload('PutObject');
    const failed = refusal(reply);
    for (const n of count(messages)) {
      call.write({ ...(n === 0 && { bucket: 'b', key: 'k' }), data: { data: Buffer.alloc(50_000, 1) } });
    }
    await until(() => filesIn(folder).some((name) => name.endsWith('.part')), 'the upload to begin');
    call.cancel();
    test.equal((await failed).code, 'CANCELLED');
    await until(() => filesIn(folder).length === 1, 'its file to go');
    test.equal((await get(client, 'b', 'k')).data.toString(), 'old');
  }
  const { call, reply } = client.upload('PutObject');
  const failed = refusal(reply);
  call.write({ bucket: 'b', key: 'k', data: { data: Buffer.alloc(10) } });
  await until(() => filesIn(folder).some((name) => name.endsWith('.part')), 'the upload to begin');
  await stop();
  test.equal((await failed).code, 'UNAVAILABLE', 'nor does one that the server cannot wait for');
  const again = await startCloud(test, storage, { folder });
  test.equal((await get(again.client, 'b', 'k')).data.toString(), 'old');
  test.equal(filesIn(folder).length, 1);
});

void t.test('readers and writers of one key: each sees one object whole', async (test) => {
  const { client, folder } = await startCloud(test, storage);
  await client.call('CreateBucket', { bucket: 'b' });
  const versions = count(4).map((n) => Buffer.alloc(300_000 + n, n + 65));
  await put(client, 'b', 'k', versions[0]!);
  const write = async (n: number): Promise<void> => {
    for (const _ of count(8)) await put(client, 'b', 'k', versions[n]!);
  };
  const read = async (): Promise<void> => {
    for (const _ of count(20)) {
      const { data } = await get(client, 'b', 'k');
      if (!versions.some((version) => version.equals(data))) test.fail(`${data.length} bytes that nobody wrote`);
    }
  };
  await Promise.all([...count(4).map(write), read(), read()]);
  test.equal(filesIn(folder).length, 1);
  // A slow reader of what is deleted meanwhile gets it to the end.
  await put(client, 'b', 'big', Buffer.alloc(5_000_000, 7));
  const call = client.open<{ data: Buffer }>('GetObject', { bucket: 'b', key: 'big' });
  await new Promise((resolve) => call.once('metadata', resolve));
  await client.call('DeleteObject', { bucket: 'b', key: 'big' });
  let size = 0;
  for await (const { data } of call as AsyncIterable<{ data: Buffer }>) size += data.length;
  test.equal(size, 5_000_000);
});

void t.test(
  'killed in the midst of uploads: what was acknowledged is whole, and nothing else is on the disk',
  async (test) => {
    const folder = temporaryFolder(test);
    const acknowledged = new Map<string, string>();
    for (const round of count(2)) {
      const { port, kill } = await spawnProcess(test, storage.entry, folder);
      const client = new CloudClient(port, schema, storage.service);
      await client.call('CreateBucket', { bucket: 'b' });
      let alive = true;
      const write = async (writer: number): Promise<void> => {
        for (let n = 0; alive; n++) {
          const key = `${round}/${writer}/${n}`;
          const data = randomBytes(200_000);
          await put(client, 'b', key, data);
          acknowledged.set(key, sha256(data));
          if (n % 3 === 2) {
            acknowledged.delete(`${round}/${writer}/${n - 1}`);
            await client.call('DeleteObject', { bucket: 'b', key: `${round}/${writer}/${n - 1}` });
          }
        }
      };
      const writers = count(4).map((writer) => write(writer).catch(() => undefined));
      const before = acknowledged.size;
      await until(() => acknowledged.size > before + 5, 'some objects');
      await kill();
      alive = false;
      await Promise.all(writers);
      client.close();
    }
    test.ok(acknowledged.size > 5, `${acknowledged.size} objects`);
    const { client } = await startCloud(test, storage, { folder, clock: systemClock });
    for (const [key, hash] of acknowledged) {
      const { data } = await get(client, 'b', key);
      if (sha256(data) !== hash) test.equal(sha256(data), hash, key);
    }
    const { objects } = await client.call('ListObjects', { bucket: 'b', page_size: 1000 });
    test.equal(filesIn(folder).length, objects.length, 'a file for each object');
    for (const { key, etag } of objects as Loose[]) {
      if (sha256((await get(client, 'b', key as string)).data) !== etag) test.fail(`${key} is not what it says`);
    }
  },
);
