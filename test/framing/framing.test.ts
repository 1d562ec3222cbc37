/** Stream framings: any chunking of any stream gives the same messages; what is written is what readers expect. */
import fc from 'fast-check';
import t from 'tap';
import { type EventFields, type FramingName, framings, JsonStreamReader } from '../../lib/framing/index.js';
import { StatusError } from '../../lib/status.js';

/** Messages of a body in pieces, or the error. */
function read(chunks: readonly Buffer[], options: { limit?: number; arrays?: boolean } = {}): string[] | string {
  const messages: string[] = [];
  const reader = new JsonStreamReader(
    { maxMessageBytes: options.limit ?? 1 << 20, arrays: options.arrays ?? true },
    (json) => messages.push(json.toString()),
  );
  try {
    for (const chunk of chunks) reader.push(chunk);
    reader.end();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return `${error.httpStatus ?? error.code} ${error.message}`;
  }
  return messages;
}

const bytewise = (text: string): Buffer[] => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));

const cases: readonly (readonly [body: string, expected: readonly string[] | string])[] = [
  ['', []],
  [' \r\n\t', []],
  ['\ufeff {"a":1}', ['{"a":1}']],
  ['{"a":1}', ['{"a":1}']],
  ['{"a":1}\n{"a":2}\r\n', ['{"a":1}', '{"a":2}']],
  ['{"a":1}{"a":2} {}', ['{"a":1}', '{"a":2}', '{}']],
  ['1 2\n"x""y"true', ['1', '2', '"x"', '"y"', 'true']],
  ['[]', []],
  [' [ ] ', []],
  ['[{"a":"]},\\"["} , [1,[2]],\n-1.5e3 ,null]\n', ['{"a":"]},\\"["}', '[1,[2]]', '-1.5e3', 'null']],
  ['["\\\\","\\\\\\""]', ['"\\\\"', '"\\\\\\""']],
  ['[1,]', '3 invalid JSON at line 1, column 4: found "]" after message 1, expected a value'],
  ['[,1]', '3 invalid JSON at line 1, column 2: found ",", expected a value'],
  ['[{}\n{}]', '3 invalid JSON at line 2, column 1: found "{" after message 1, expected "," or "]"'],
  [
    '[{}] {}',
    '3 invalid JSON at line 1, column 6: found "{" after message 1, expected the end of the body behind the array of messages',
  ],
  [
    '{},{}',
    '3 invalid JSON at line 1, column 3: found "," after message 1, expected a value; put the messages into an array, or on lines of their own',
  ],
  ['{}}', '3 invalid JSON at line 1, column 3: found "}" after message 1, expected a value'],
  ['{"a":\n1', '3 invalid JSON at line 2, column 2: the body ends inside message 1'],
  ['"x', '3 invalid JSON at line 1, column 3: the body ends inside message 1'],
  ['[1', '3 invalid JSON at line 1, column 3: the body ends inside the array of messages, expected "," or "]"'],
  ['[1,', '3 invalid JSON at line 1, column 4: the body ends inside the array of messages, expected "," or "]"'],
  ['[', '3 invalid JSON at line 1, column 2: the body ends inside the array of messages, expected "," or "]"'],
];

void t.test('bodies and their messages, whole and byte by byte', (t) => {
  for (const [body, expected] of cases) {
    t.strictSame(read([Buffer.from(body)]), expected, body);
    t.strictSame(read(bytewise(body)), expected, `${body}, byte by byte`);
  }
  t.strictSame(read([Buffer.from('[1] [2]')], { arrays: false }), ['[1]', '[2]'], 'lines that are arrays');
  t.strictSame(read([Buffer.from([0xef, 0xbb]), Buffer.from('1')]), read([Buffer.from([0xef, 0xbb, 0x31])]));
  t.match(read([Buffer.from([0xef, 0xbb, 0x31])]), /^3 .*found "1", expected a value/, 'half a byte order mark');
  t.end();
});

void t.test('where messages start, in lines and characters, whole and byte by byte', (t) => {
  const bodies: readonly (readonly [body: string, places: readonly string[]])[] = [
    ['{}{}', ['1:1', '1:3']],
    ['\ufeff {}', ['1:2']],
    ['[{"a":"é日😀"}, {"b":"\\"é"} ,1,{}]', ['1:2', '1:15', '1:28', '1:30']],
    ['[{"a":\n"é"}, 1,\r\n "é",\n\n2]', ['1:2', '2:7', '3:2', '5:1']],
    ['{"é":1}\n {"é":2}\n\n3', ['1:1', '2:2', '4:1']],
  ];
  for (const [body, expected] of bodies) {
    for (const chunks of [[Buffer.from(body)], bytewise(body)]) {
      const places: string[] = [];
      const reader = new JsonStreamReader({ maxMessageBytes: 100, arrays: true }, (_, { line, column }) =>
        places.push(`${line}:${column}`),
      );
      for (const chunk of chunks) reader.push(chunk);
      reader.end();
      t.strictSame(places, expected, `${body}, ${chunks.length} chunks`);
    }
  }
  t.strictSame(
    read([Buffer.from('["é" 1]')]),
    '3 invalid JSON at line 1, column 6: found "1" after message 1, expected "," or "]"',
  );
  t.end();
});

void t.test('the limit is that of one message', (t) => {
  const ten = '{"a":1234}';
  t.strictSame(read([Buffer.from(`[${ten},${ten}]`)], { limit: 10 }), [ten, ten]);
  for (const chunks of [[Buffer.from(`${ten}${ten.replace('1', '10')}`)], bytewise(`${ten}{"a":123456`)]) {
    t.match(read(chunks, { limit: 10 }), /^413 message 2 of the body is larger than the limit of 10 bytes/);
  }
  t.end();
});

/** Cuts a buffer at the given places. */
function cut(body: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (body.length + 1)).sort((a, b) => a - b), body.length];
  return sorted.slice(1).map((end, index) => body.subarray(sorted[index], end));
}

void t.test('any chunking gives the same messages', (t) => {
  const space = fc.constantFrom('', ' ', '\n', ' \r\n\t');
  const value = fc.oneof(
    fc.json(),
    fc.jsonValue().map((any) => JSON.stringify(any, null, 1)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(space, value, space)), fc.boolean(), fc.array(fc.nat()), (parts, isArray, places) => {
      const texts = parts.map(([, text]) => text);
      const body = isArray
        ? `[${parts.map((part) => part.join('')).join(',')}]`
        : parts.map(([before, text, after]) => `${before}${text}${after}\n`).join('');
      // A sequence that starts with [ is an array of messages.
      const options = { arrays: isArray };
      const expected = read([Buffer.from(body)], options);
      t.strictSame(expected, texts);
      t.strictSame(read(cut(Buffer.from(body), places), options), texts);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...'[]{},:" \n\\1at')), fc.array(fc.nat()), (chars, places) => {
      const body = Buffer.from(chars.join(''));
      t.strictSame(read(cut(body, places)), read([body]), 'hostile bodies too');
    }),
  );
  t.end();
});

void t.test('what is held is one message, and no byte is looked at twice', (t) => {
  const reader = new JsonStreamReader({ maxMessageBytes: 1 << 20, arrays: true }, () => undefined);
  const held = (reader as unknown as { held: { pos: number; buf: Buffer } }).held;
  let most = 0;
  reader.push(Buffer.from('['));
  for (let index = 0; index < 20_000; index++) {
    reader.push(Buffer.from(`${index === 0 ? '' : ','}{"data":"`));
    reader.push(Buffer.from(`${'x'.repeat(50)}"}`));
    most = Math.max(most, held.buf.length);
  }
  reader.push(Buffer.from(']'));
  reader.end();
  t.equal(reader.count, 20_000);
  t.ok(most <= 4096, `${most} bytes held`);
  t.end();
});

void t.test('frames', (t) => {
  const rows: readonly (readonly [FramingName, readonly string[], string])[] = [
    ['array', [], '[]'],
    ['array', ['{}', '{"a":1}'], '[{},{"a":1}]'],
    ['ndjson', ['{}', '1'], '{}\n1\n'],
    ['sse', ['{}', '{\n "a": 1\n}'], 'data: {}\n\ndata: {\ndata:  "a": 1\ndata: }\n\n'],
    ['json-seq', [], ''],
    ['json-seq', ['{}', '{\n "a": 1\n}'], '\x1e{}\n\x1e{\n "a": 1\n}\n'],
    ['grpc-gateway', ['{}', '1'], '{"result":{}}\n{"result":1}\n'],
  ];
  for (const [name, messages, expected] of rows) {
    const framing = framings[name];
    const frames = messages.map((json, index) => framing.frame(Buffer.from(json), index === 0));
    t.equal(Buffer.concat([framing.head, ...frames, framing.tail]).toString(), expected, name);
  }
  const error = Buffer.from('{"error":{}}');
  t.equal(framings.array.error(error, true).toString(), '{"error":{}}');
  t.equal(framings.array.error(error, false).toString(), ',{"error":{}}');
  t.equal(framings.ndjson.error(error, false).toString(), '{"error":{}}\n');
  t.equal(framings['json-seq'].error(error, false).toString(), '\x1e{"error":{}}\n');
  t.equal(framings['grpc-gateway'].error(error, false).toString(), '{"error":{}}\n');
  t.equal(framings.sse.error(error, false).toString(), 'event: error\ndata: {"error":{}}\n\n');
  const fields: readonly (readonly [EventFields, string])[] = [
    [{}, ''],
    [{ id: '7', event: 'put' }, 'event: put\nid: 7\n'],
    [{ id: '', event: 'a\ndata: b' }, ''],
    [{ id: '7', event: 'a\rb' }, 'id: 7\n'],
    [{ id: '1\x002', event: 'put' }, 'event: put\n'],
  ];
  for (const [event, head] of fields) {
    t.equal(framings.sse.frame(Buffer.from('{}'), true, event).toString(), `${head}data: {}\n\n`);
  }
  t.end();
});
