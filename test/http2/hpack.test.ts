/** Field blocks: the examples of RFC 7541, Node's own implementation as the other side, and bytes that are none. */
import fc from 'fast-check';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import t from 'tap';
import { Connection, ConnectionError, ErrorCode } from '../../lib/http2/index.js';
import { FieldDecoder } from '../../lib/http2/hpack-decoder.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';
import { decodeHuffman } from '../../lib/http2/huffman.js';
import { Writer } from '../../lib/wire/index.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

function decodeAll(decoder: FieldDecoder, block: Buffer): string[] {
  return decoder.decode(block, 0, block.length);
}

function problemOf(block: string, decoder = new FieldDecoder(1000)): string {
  try {
    return JSON.stringify(decodeAll(decoder, hex(block)));
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    t.equal(error.code, ErrorCode.COMPRESSION_ERROR);
    return error.message;
  }
}

void t.test('the examples of RFC 7541, appendix C.4 and C.6', (t) => {
  const requests = new FieldDecoder(1000);
  const get = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
  const blocks: readonly (readonly [block: string, fields: readonly string[]])[] = [
    ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', get],
    ['8286 84be 5886 a8eb 1064 9cbf', [...get, 'cache-control', 'no-cache']],
    [
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      [
        ':method',
        'GET',
        ':scheme',
        'https',
        ':path',
        '/index.html',
        ':authority',
        'www.example.com',
        'custom-key',
        'custom-value',
      ],
    ],
  ];
  for (const [block, fields] of blocks) t.strictSame(decodeAll(requests, hex(block)), fields);

  // A table of 256 bytes, so that entries are evicted.
  const responses = new FieldDecoder(1000, new Set(), 256);
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const location = ['location', 'https://www.example.com'];
  t.strictSame(
    decodeAll(
      responses,
      hex(
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      ),
    ),
    [':status', '302', 'cache-control', 'private', 'date', date, ...location],
  );
  t.strictSame(decodeAll(responses, hex('4883 640e ffc1 c0bf')), [
    ':status',
    '307',
    'cache-control',
    'private',
    'date',
    date,
    ...location,
  ]);
  t.strictSame(
    decodeAll(
      responses,
      hex(
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ),
    ),
    [
      ':status',
      '200',
      'cache-control',
      'private',
      'date',
      'Mon, 21 Oct 2013 20:13:22 GMT',
      ...location,
      'content-encoding',
      'gzip',
      'set-cookie',
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ],
  );
  t.end();
});

void t.test('blocks that cannot be decoded', (t) => {
  const prefix = 'sent headers that cannot be decoded: ';
  const cases: readonly (readonly [block: string, problem: string])[] = [
    ['80', `${prefix}index 0`],
    ['be', `${prefix}index 62, which its table does not have`],
    ['ff8001', `${prefix}index 255, which its table does not have`],
    ['ffffffffff0f', `${prefix}a number beyond all limits`],
    ['ff80808080808080808000', `${prefix}a number beyond all limits`],
    ['ff', `${prefix}a header that is cut short`],
    ['40', `${prefix}a header that is cut short`],
    ['400161', `${prefix}a header that is cut short`],
    ['4003616161047a', `${prefix}a header that is cut short`],
    ['40ff', `${prefix}a header that is cut short`],
    ['407fffffff7f', `${prefix}a name of 268435582 bytes`],
    ['4001617fffffff7f', `${prefix}a header that is cut short`],
    ['3fe21f', `${prefix}a table of 4097 bytes, expected 4096 at most`],
    ['823f00', `${prefix}a change of table size after a header`],
    // Huffman: padding of zeros, of more than seven bits, and the end of string itself.
    ['4001618118', 'sent a header whose Huffman code is cut short'],
    ['40016182 1fff', 'sent a header whose Huffman code is cut short'],
    ['40016184 ffffffff', 'sent a header with an end of string in it'],
  ];
  for (const [block, problem] of cases) t.equal(problemOf(block), problem, block);
  t.equal(problemOf('4001618107'), '["a","0"]', 'with the padding that belongs there');
  t.end();
});

void t.test('a list over its limit is decoded for the table, and not kept', (t) => {
  const decoder = new FieldDecoder(200);
  // An entry of 100 bytes, then a bomb of indices to it.
  const value = 'v'.repeat(60);
  const first = Buffer.concat([hex('400161 3c'), Buffer.from(value)]);
  t.strictSame(decodeAll(decoder, first), ['a', value]);
  t.equal(decoder.overflow, false);
  const bomb = Buffer.alloc(100_000, 0xbe);
  t.equal(decodeAll(decoder, bomb).length, 4, 'two entries of 93');
  t.equal(decoder.overflow, true);
  t.strictSame(decodeAll(decoder, hex('be')), ['a', value], 'the table goes on');
  t.equal(decoder.overflow, false);
  t.end();
});

void t.test('essential fields of a list over its limit are kept wherever they stand, once', (t) => {
  const encoder = new FieldEncoder();
  const decoder = new FieldDecoder(300, new Set(['grpc-status', 'grpc-message']));
  const decoded = (...fields: string[]): string[] => decodeAll(decoder, Buffer.from(encoder.encode(fields)));
  const big = ['x-big', 'v'.repeat(200)];
  const status = ['grpc-status', '5'];
  // 237 bytes, and 44 and 45 each.
  t.strictSame(decoded(...big, ...status), [...big, ...status]);
  t.equal(decoder.overflow, false);
  const lists: readonly (readonly [sent: string[], kept: string[]])[] = [
    [
      [...big, ...big, ...status],
      [...big, ...status],
    ],
    [
      [...big, 'x', 'a'.repeat(30), ...status, 'grpc-message', 'no'],
      [...big, 'x', 'a'.repeat(30), ...status, 'grpc-message', 'no'],
    ],
    [
      [...big, 'x', 'a'.repeat(30), ...status, ...status, 'y', ''],
      [...big, 'x', 'a'.repeat(30), ...status],
    ],
    // Alone over the limit: 32 + 12 + 256 is not, one more is.
    [
      [...big, 'grpc-message', 'm'.repeat(256), ...status],
      [...big, 'grpc-message', 'm'.repeat(256), ...status],
    ],
    [
      [...big, 'grpc-message', 'm'.repeat(257), ...status],
      [...big, ...status],
    ],
    // What is smaller than what did not fit is kept.
    [
      ['x', 'v'.repeat(300), 'y', '1'],
      ['y', '1'],
    ],
  ];
  for (const [sent, kept] of lists) {
    t.strictSame(decoded(...sent), kept);
    t.equal(decoder.overflow, true);
  }
  t.strictSame(decoded('y', '1'), ['y', '1']);
  t.equal(decoder.overflow, false);
  t.end();
});

/** Decodes a block in parts of these sizes, the last of which is repeated. */
function decodeParts(decoder: FieldDecoder, block: Buffer, sizes: readonly number[]): string[] {
  decoder.begin();
  for (let pos = 0, turn = 0; pos < block.length; turn++) {
    const size = sizes[Math.min(turn, sizes.length - 1)]!;
    const part = Buffer.from(block.subarray(pos, pos + size));
    decoder.push(part);
    part.fill(0xaa);
    pos += size;
  }
  return decoder.finish();
}

void t.test('a block in parts is the same list, and leaves the same table', (t) => {
  const text = fc.oneof(
    fc.stringMatching(/^[!-~]{0,30}$/),
    fc.integer({ min: 0, max: 20_000 }).map((size) => 'v'.repeat(size)),
  );
  const fields = fc.array(fc.tuple(fc.constantFrom('x-a', 'x-b', ':path', 'cookie', 'te'), text), { maxLength: 8 });
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5000 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fields, sizes), { maxLength: 5 }), fc.constantFrom(500, 1e6), (blocks, limit) => {
      const encoder = new FieldEncoder();
      const [whole, parts] = [new FieldDecoder(limit), new FieldDecoder(limit)];
      for (const [pairs, sizes] of blocks) {
        const block = Buffer.from(encoder.encode(pairs.flat()));
        const expected = decodeAll(whole, block);
        if (JSON.stringify(decodeParts(parts, block, sizes)) !== JSON.stringify(expected)) return false;
        if (parts.overflow !== whole.overflow) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** A header as a literal, its value in plain octets. */
function literal(prefix: number, name: string, value: Buffer): Buffer {
  const out = new Writer();
  out.byte(prefix);
  out.byte(name.length);
  out.ascii(name);
  if (value.length < 127) out.byte(value.length);
  else {
    out.byte(127);
    out.uint32(value.length - 127);
  }
  out.raw(value);
  return out.take();
}

void t.test('a value of any size costs its own list, and is not held', (t) => {
  // 65 536 is what is held of a value with a limit of 1000 and a table of 4096 at most, and some more.
  for (const size of [4097, 16_383, 16_384, 16_385, 65_536, 5_000_000]) {
    const value = Buffer.alloc(size, 'v');
    for (const [prefix, isIndexed] of [
      [0x40, true],
      [0x00, false],
      [0x10, false],
    ] as const) {
      const decoder = new FieldDecoder(1000);
      t.strictSame(decodeAll(decoder, literal(0x40, 'a', Buffer.from('1'))), ['a', '1']);
      t.strictSame(decodeAll(decoder, hex('be')), ['a', '1'], 'in the table');
      const block = Buffer.concat([literal(prefix, 'x', value), literal(0, 'grpc-status', Buffer.from('5'))]);
      decoder.begin();
      let most = 0;
      for (let pos = 0; pos < block.length; pos += 1000) {
        decoder.push(block.subarray(pos, pos + 1000));
        most = Math.max(most, (decoder as unknown as { held: { length: number } }).held.length);
      }
      t.strictSame(decoder.finish(), ['grpc-status', '5']);
      t.equal(decoder.overflow, true);
      t.ok(most <= 4 * 4096 + 1000, `${most} bytes were held of ${size}`);
      // As every decoder has it: an entry larger than the table leaves it empty.
      if (isIndexed) t.throws(() => decodeAll(decoder, hex('be')), { message: /index 62/ });
      else t.strictSame(decodeAll(decoder, hex('be')), ['a', '1']);
    }
  }
  t.end();
});

void t.test('a block whose end is missing', (t) => {
  for (const parts of [['4001'], ['40016105', '31'], ['400161', '7fffffff7f', '3131']]) {
    const decoder = new FieldDecoder(1000);
    decoder.begin();
    for (const part of parts) decoder.push(hex(part));
    t.throws(() => decoder.finish(), { message: 'sent headers that cannot be decoded: a header that is cut short' });
  }
  t.end();
});

void t.test('any bytes are a list or a ConnectionError', (t) => {
  const block = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Mostly valid: literals, indices near the end of the table, changes of size.
    fc
      .array(
        fc.constantFrom(
          '82',
          'be',
          'bf',
          'c0',
          '400161',
          '0162',
          '0183ffffff',
          '20',
          '3fe11f',
          '4001610161',
          '10826164',
        ),
        { maxLength: 30 },
      )
      .map((parts) => hex(parts.join(''))),
  );
  fc.assert(
    fc.property(fc.array(block, { maxLength: 5 }), (blocks) => {
      const decoder = new FieldDecoder(300);
      try {
        for (const each of blocks) {
          const fields = decodeAll(decoder, Buffer.from(each));
          const bytes = fields.reduce((sum, text, index) => sum + text.length + (index % 2) * 32, 0);
          if (bytes > 300) return false;
        }
        return true;
      } catch (error) {
        return error instanceof ConnectionError;
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        return decodeHuffman(Buffer.from(bytes), 0, bytes.length).length <= bytes.length * 1.6;
      } catch (error) {
        return error instanceof ConnectionError;
      }
    }),
    { numRuns: 2000 },
  );
  t.end();
});

const name = fc.oneof(
  fc.constantFrom('authorization', 'x-request-id', 'traceparent', 'accept', 'cookie', 'x-a', 'x-b', 'data-bin', 'etag'),
  fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/),
);
const value = fc.oneof(fc.constantFrom('', '1', 'same', 'x'.repeat(2000)), fc.stringMatching(/^[!-~]{0,30}$/));
const list = fc.array(fc.tuple(name, value), { maxLength: 20 }).map((pairs) => pairs.flat());

void t.test('what is encoded is decoded, whatever size the table has in between', (t) => {
  const step = fc.record({ fields: list, tableBytes: fc.option(fc.constantFrom(0, 64, 100, 1000, 4096, 100_000)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const encoder = new FieldEncoder();
      const decoder = new FieldDecoder(1e6);
      for (const { fields, tableBytes } of steps) {
        if (tableBytes !== null) encoder.setMaxTableBytes(tableBytes);
        const decoded = decodeAll(decoder, Buffer.from(encoder.encode(fields)));
        if (JSON.stringify(decoded) !== JSON.stringify(fields)) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.end();
});

void t.test('of several table sizes the smallest is announced, and then the one that holds', (t) => {
  const cases: readonly (readonly [sizes: number[], block: string])[] = [
    [[100], '3f45'],
    [[0, 4096], '203fe11f'],
    [[10, 100], '2a3f45'],
    [[100, 10], '2a'],
    [[100, 10, 50], '2a3f13'],
    [[4096], ''],
  ];
  for (const [sizes, block] of cases) {
    const encoder = new FieldEncoder();
    for (const size of sizes) encoder.setMaxTableBytes(size);
    t.equal(encoder.encode([]).toString('hex'), block, sizes.join());
    t.equal(encoder.encode([]).length, 0, 'once');
  }
  t.end();
});

void t.test('what repeats costs a byte, what varies stays out of the table, secrets are never indexed', (t) => {
  const encoder = new FieldEncoder();
  const size = (...fields: string[]): number => encoder.encode(fields).length;
  const first = (...fields: string[]): number => encoder.encode(fields)[0]!;
  t.ok(size(':path', '/a.B/C') > 3);
  t.equal(size(':path', '/a.B/C'), 1);
  size('x-id', 'one');
  t.equal(size('x-id', 'two'), 6, 'the name is indexed');
  t.equal(first('x-id', 'three') & 0xf0, 0, 'a value that was not there before is no entry');
  t.equal(first('x-id', 'three') & 0xc0, 0x40, 'one that comes again is');
  t.equal(size('x-id', 'three'), 1);
  for (const secret of ['authorization', 'cookie', 'token-bin']) {
    for (let time = 0; time < 3; time++) t.equal(first(secret, 'abc') & 0xf0, 0x10, secret);
  }
  t.end();
});

void t.test('Node as the other side: our lists arrive, and what it sends is read', async (t) => {
  const server = createServer({ maxHeaderListPairs: 2000 });
  let seen: IncomingHttpHeaders = {};
  server.on('stream', (stream, headers) => {
    seen = headers;
    const echoed = Object.entries(headers).filter(([key]) => !key.startsWith(':'));
    stream.respond({ ':status': 200, ...Object.fromEntries(echoed) }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ready: (() => void)[] = [];
  const nothing = (): void => undefined;
  const listener = {
    onReady: () => ready.forEach((run) => run()),
    onRoom: nothing,
    onDraining: nothing,
    onTooManyPings: nothing,
    onClose: nothing,
  };
  const socket = connectTcp(port, '127.0.0.1');
  const connection = new Connection(socket, listener);
  socket.on('data', (chunk: Buffer) => connection.receive(chunk));
  t.teardown(() => {
    connection.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => ready.push(resolve));
  const ask = (fields: readonly string[]): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const all = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a', ...fields];
      const stream = connection.open(all, {
        onHeaders: (_status, answer) => resolve([...answer]),
        onData: nothing,
        onTrailers: nothing,
        onEnd: nothing,
        onDrain: nothing,
        onFail: (failure) => reject(new Error(JSON.stringify(failure))),
      });
      stream.end();
    });
  // Every octet that Node lets into a value: long runs of one character make it choose Huffman.
  const octets = Array.from({ length: 256 }, (_, code) => code).filter((code) => code >= 32 && code !== 127);
  for (const code of octets) {
    const text = `a${String.fromCharCode(code)}${'a'.repeat(40)}`;
    const fields = ['x-octet', text];
    const answer = await ask(fields);
    t.equal(answer[answer.indexOf('x-octet') + 1], text, `octet ${code}`);
  }
  // Names of their own, as Node joins or drops what is given twice.
  const lists = fc.sample(
    fc.uniqueArray(fc.tuple(fc.stringMatching(/^x-[a-z]{1,9}$/), value), { selector: ([key]) => key, maxLength: 9 }),
    150,
  );
  for (const pairs of lists) {
    const answer = await ask(pairs.flat());
    for (const [key, text] of pairs) {
      if (seen[key] !== text || answer[answer.indexOf(key) + 1] !== text) t.fail(JSON.stringify(pairs));
    }
  }
  t.pass();
});
