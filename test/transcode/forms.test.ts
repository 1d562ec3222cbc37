/**
 * Queries, forms and multipart forms under random and hostile input: never a crash, what was written is what is read, and
 * the work grows with the input and no faster, told by counted steps.
 */
import { Busboy } from '@fastify/busboy';
import fc from 'fast-check';
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../lib/schema/types.js';
import { StatusError, type FieldViolation } from '../../lib/status.js';
import { type FormPart, parseMultipart } from '../../lib/transcode/request/multipart.js';
import { defaultTranscodeOptions, type TranscodeOptions } from '../../lib/transcode/options.js';
import { bindParts } from '../../lib/transcode/request/form-parts.js';
import { ParameterResolver } from '../../lib/transcode/request/parameter-resolver.js';
import { QueryBinder } from '../../lib/transcode/request/query.js';
import { MessageNode, type MergeContext } from '../../lib/transcode/request/merge.js';
import { Writer } from '../../lib/wire/index.js';
import { valuesProto } from '../cases/values.js';
import { schemaFromText } from '../support/schema.js';
import { watchCalls } from '../support/watch-calls.js';

const schema = schemaFromText(valuesProto);
const All = schema.message('values.v1.All')!;
const codec = new Codec(schema);

/** No limit but those of the input. */
const options: TranscodeOptions = { ...defaultTranscodeOptions, maxFormParts: 1_000_000 };

function resolver(root: MessageDescriptor = All, of = codec): ParameterResolver {
  return new ParameterResolver('form field', root, [], of, options);
}

function binder(root: MessageDescriptor = All, of = codec): QueryBinder {
  return new QueryBinder(resolver(root, of), options);
}

/** Binds and writes; returns what was wrong. */
function bind(query: string, by = binder()): { readonly wire: Buffer; readonly violations: readonly FieldViolation[] } {
  const node = new MessageNode();
  const violations: FieldViolation[] = [];
  by.bind(query, node, violations);
  const out = new Writer();
  node.write(out, contextOf(violations));
  return { wire: out.take(), violations };
}

function contextOf(violations: FieldViolation[]): MergeContext {
  return { violations, scratch: new Writer(), overwritePathFields: false, bodyWins: false };
}

function jsonOf(wire: Buffer): unknown {
  const out = new Writer();
  codec.writer(All)(wire, out);
  return JSON.parse(out.take().toString('utf8'));
}

// ------------------------------------------------------------------------------------------------ queries and forms

const pieces = [
  ...[
    'name',
    'inner',
    'items',
    'labels',
    'by_id',
    'byId',
    'texts',
    'value',
    'struct',
    'third',
    'first',
    'data',
    'time',
  ],
  ...[
    '.',
    '[',
    ']',
    '[0]',
    '[1].',
    '[',
    '=',
    '&',
    '+',
    '%',
    '%2',
    '%41',
    '%ff',
    '%5B',
    '"',
    '{',
    '}',
    'é',
    '\ud800',
    '1',
    '-',
  ],
  ...['__proto__', 'constructor', 'id', 'count', ',', '?', '#', ' ', '\0', '\n'],
];
const chaos = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''));

void t.test('a query never crashes, and its errors stay short', (t) => {
  fc.assert(
    fc.property(fc.oneof(chaos, fc.string({ unit: 'binary' })), (query) => {
      const { wire, violations } = bind(query);
      if (violations.length === 0) jsonOf(wire);
      for (const { field, description } of violations) {
        if (field.length + description.length > 2000) throw new Error(`${field}: ${description}`);
      }
    }),
    { numRuns: 3000 },
  );
  t.end();
});

void t.test('a map with any keys and values comes through, in both spellings', (t) => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(text, text), { selector: ([key]) => key }), fc.boolean(), (entries, dots) => {
      const write = ([key, value]: readonly [string, string]): string => {
        const name = dots ? `labels.${key}` : `labels[${key}]`;
        return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
      };
      const { wire, violations } = bind(entries.map(write).join('&'));
      if (violations.length > 0) throw new Error(JSON.stringify(violations));
      const { labels = {} } = jsonOf(wire) as { labels?: Record<string, string> };
      for (const [key, value] of entries) if (labels[key] !== value) throw new Error(JSON.stringify(labels));
      if (Object.keys(labels).length !== entries.length) throw new Error(JSON.stringify(labels));
    }),
  );
  t.end();
});

void t.test('a form of many gaps gets a short answer', (t) => {
  const lists = schemaFromText(
    'syntax = "proto3"; package l.v1; message R { map<string, R> m = 1; repeated R l = 2; string s = 3; }',
  );
  const root = lists.message('l.v1.R')!;
  const by = binder(root, new Codec(lists));
  const query = Array.from({ length: 1000 }, (_, index) => `m[${index}].l[1].s=x`).join('&');
  t.equal(bind(query, by).violations.length, 20);
  t.end();
});

// -------------------------------------------------------------------------------------------------------- multipart

const BOUNDARY = 'bound';

interface Written {
  readonly name: string;
  readonly fileName: string | undefined;
  readonly type: string | undefined;
  readonly data: Uint8Array;
}

function writeParts(parts: readonly Written[]): Buffer {
  const chunks = parts.flatMap(({ name, fileName, type, data }) => [
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"` +
        (fileName === undefined ? '' : `; filename="${fileName}"`) +
        (type === undefined ? '' : `\r\nContent-Type: ${type}`) +
        '\r\n\r\n',
    ),
    data,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...chunks, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

const nameText = fc.stringMatching(/^[\w.[\] é€-]{1,12}$/);
/** Bytes with many line ends and beginnings of delimiters, but no delimiter. */
const content = fc
  .array(
    fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', '--', '\r\n--', '\r\n--boun', 'bound', 'a'),
      fc.uint8Array({ maxLength: 4 }),
    ),
    {
      maxLength: 20,
    },
  )
  .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part as string))))
  .filter((data) => !`\r\n${data.toString('latin1')}\r\n--`.slice(0, -2).includes(`\r\n--${BOUNDARY}`));
const written: fc.Arbitrary<Written> = fc.record({
  name: nameText,
  fileName: fc.option(nameText, { nil: undefined }),
  type: fc.constantFrom(undefined, 'text/plain', 'image/png', 'application/octet-stream'),
  data: content,
});

const view = ({ name, isFile, contentType, data }: FormPart): object => ({
  name,
  isFile,
  contentType,
  data: data.toString('hex'),
});

void t.test('parts come back as they were written', (t) => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 6 }), (parts) => {
      const found = parseMultipart(writeParts(parts), BOUNDARY, 100).map(view);
      const expected = parts.map(({ name, fileName, type, data }) => ({
        name,
        isFile: fileName !== undefined || type === 'application/octet-stream',
        contentType: type ?? '',
        data: Buffer.from(data).toString('hex'),
      }));
      if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(JSON.stringify({ found, expected }));
    }),
    { numRuns: 500 },
  );
  t.end();
});

/** What another parser finds in a body. */
async function byBusboy(body: Buffer): Promise<object[]> {
  const busboy = new Busboy({
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    preservePath: true,
  });
  const found: Record<string, unknown>[] = [];
  busboy.on('field', (name, value) => found.push({ name, isFile: false, data: Buffer.from(value).toString('hex') }));
  busboy.on('file', (name, stream) => {
    const entry: Record<string, unknown> = { name, isFile: true };
    found.push(entry);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => (entry['data'] = Buffer.concat(chunks).toString('hex')));
  });
  await new Promise((resolve, reject) => {
    busboy.on('finish', resolve).on('error', reject);
    busboy.end(body);
  });
  return found;
}

void t.test('another parser finds the same parts', async (t) => {
  const utf8 = written.map((part) => ({
    ...part,
    data: Buffer.from(Buffer.from(part.data).toString('utf8').toWellFormed()),
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(utf8, { minLength: 1, maxLength: 5 }), async (parts) => {
      const body = writeParts(parts);
      const sort = (list: readonly object[]): string => JSON.stringify(list.map((part) => JSON.stringify(part)).sort());
      const ours = parseMultipart(body, BOUNDARY, 100).map(({ name, isFile, data }) => ({
        name,
        isFile,
        data: data.toString('hex'),
      }));
      const theirs = await byBusboy(body);
      if (sort(ours) !== sort(theirs)) throw new Error(`${sort(ours)} and ${sort(theirs)}`);
    }),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('a broken multipart body is a StatusError, nothing else', (t) => {
  const tokens = [
    `--${BOUNDARY}`,
    `--${BOUNDARY}--`,
    '\r\n',
    '\r',
    '\n',
    'Content-Disposition: form-data; name="',
    '"',
    ';',
    'filename=',
    ':',
    'a',
    '\xff',
    ' ',
  ];
  const chaosBody = fc
    .array(fc.constantFrom(...tokens), { maxLength: 40 })
    .map((parts) => Buffer.from(parts.join(''), 'latin1'));
  const damaged = fc
    .tuple(fc.array(written, { maxLength: 3 }), fc.nat(), fc.nat(), content)
    .map(([parts, from, length, data]) => {
      const body = writeParts(parts);
      const at = from % (body.length + 1);
      return Buffer.concat([body.subarray(0, at), data, body.subarray(at + (length % 40))]);
    });
  fc.assert(
    fc.property(fc.oneof(chaosBody, damaged), (body) => {
      try {
        const parts = parseMultipart(body, BOUNDARY, 100);
        const node = new MessageNode();
        const violations: FieldViolation[] = [];
        bindParts(parts, resolver(), node, violations);
        node.write(new Writer(), contextOf(violations));
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== 3 || error.message.length > 600) throw error;
      }
    }),
    { numRuns: 3000 },
  );
  t.end();
});

// ------------------------------------------------------------------------------------------------------------ steps

/** Counts the bytes that searches in a buffer pass. */
function searchSteps(body: Buffer): number {
  let steps = 0;
  const search = body.indexOf.bind(body);
  body.indexOf = ((value: Buffer, from: number): number => {
    const found = search(value, from);
    steps += (found < 0 ? body.length : found) - from + 1;
    return found;
  }) as typeof body.indexOf;
  try {
    parseMultipart(body, BOUNDARY, 1_000_000);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  }
  return steps;
}

void t.test('multipart: each byte is searched once', (t) => {
  const size = 200_000;
  const part = '\r\n--bound\r\ncontent-disposition: form-data; name="texts"\r\n\r\n';
  for (const [name, unit] of [
    ['parts', `${part}x`],
    ['lines that begin like delimiters', '\r\n--boundx'],
    ['delimiters without an end', `\r\n--bound${' '.repeat(100)}`],
    ['line ends', '\r\n'],
    ['half delimiters', '\r\n--boun'],
    ['heads without an end', '\r\n--bound\r\nx: y'],
  ] as const) {
    for (const start of ['', part.slice(2)]) {
      const body = Buffer.from(start + unit.repeat(Math.ceil(size / unit.length)));
      const steps = searchSteps(body);
      t.ok(steps <= 2 * body.length + 100, `${name}: ${steps} steps for ${body.length} bytes`);
    }
  }
  t.end();
});

/** A message type that counts the characters of the names that are looked up in it. */
function counting(message: MessageDescriptor, count: { steps: number }): MessageDescriptor {
  return new Proxy(message, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (key !== 'field') return value;
      return (name: string): FieldDescriptor | undefined => {
        count.steps += name.length + 1;
        return target.field(name);
      };
    },
  });
}

/** Characters looked up and nodes asked for while a query is bound. */
function bindSteps(query: string): number {
  const count = { steps: 0 };
  class CountingNode extends MessageNode {
    override child(...args: Parameters<MessageNode['child']>): MessageNode {
      count.steps++;
      return super.child(...args);
    }
  }
  binder(counting(All, count)).bind(query, new CountingNode(), []);
  return count.steps;
}

void t.test('queries: twice the pairs, twice the steps', (t) => {
  for (const [name, pair] of [
    ['elements of a list', (index: number) => `items[${index}].id=x`],
    ['elements, the last first', (index: number) => `items[${100_000 - index}].id=x`],
    ['entries of a map', (index: number) => `labels.${index}=x`],
    ['entries with fields', (index: number) => `by_id[${index}].inner.id=x`],
    ['values of one list', () => 'texts=x'],
    ['one name over and over', () => 'inner.inner.inner.tags=x'],
  ] as const) {
    const stepsOf = (count: number): number =>
      bindSteps(Array.from({ length: count }, (_, index) => pair(index)).join('&'));
    const [half, whole] = [stepsOf(2000), stepsOf(4000)];
    t.ok(whole <= 2.2 * half + 100, `${name}: ${half}, then ${whole} steps`);
  }
  t.end();
});

/** Characters of the strings that are looked up in maps while a query is bound: hashing is native, and no step of ours. */
function lookedUp(query: string, by: QueryBinder): number {
  let characters = 0;
  const look = (_: unknown, [key]: readonly unknown[]): void => {
    if (typeof key === 'string') characters += key.length;
  };
  const work = (): void => by.bind(query, new MessageNode(), []);
  const set = (): void => watchCalls(Map.prototype, 'set', look, work);
  const has = (): void => watchCalls(Map.prototype, 'has', look, set);
  watchCalls(Map.prototype, 'get', look, has);
  return characters;
}

void t.test('names are hashed about once, however deep they lead', (t) => {
  const key = 'k'.repeat(20);
  const names: readonly (readonly [name: string, nameOf: (depth: number, index: number) => string])[] = [
    ['entries of maps', (depth, index) => `by_id[${index}].${'tree[a].'.repeat(depth / 2)}id`],
    ['long keys', (depth, index) => `by_id[${index}].${`tree[${key}].`.repeat(depth / 2)}id`],
    ['elements of lists', (depth, index) => `items[${index}].${'list[0].'.repeat(depth)}id`],
    ['messages', (depth, index) => `items[${index}].${'inner.'.repeat(depth)}id`],
  ];
  const root = schemaFromText(
    'syntax = "proto3"; package n.v1; message R { map<int32, R> by_id = 1; repeated R items = 2; map<string, R> tree = 3; repeated R list = 4; R inner = 5; string id = 6; oneof o { R first = 7; } }',
  ).message('n.v1.R')!;
  for (const [name, nameOf] of names) {
    for (const depth of [8, 80]) {
      const query = Array.from({ length: 50 }, (_, index) => `${nameOf(depth, index)}=x`).join('&');
      const characters = lookedUp(query, binder(root));
      t.ok(
        characters < 6 * query.length,
        `${name}: ${characters} characters of names for ${query.length}, ${depth} deep`,
      );
    }
  }
  t.end();
});

void t.test('names that are kept do not keep the body that they came in', (t) => {
  const by = binder();
  const kept: string[] = [];
  const look = (_: unknown, [key]: readonly unknown[]): void => {
    if (typeof key === 'string' && key.includes('inner.inner')) kept.push(key);
  };
  const query = `inner.inner.inner.id=x&name=${'y'.repeat(1000)}`;
  watchCalls(Map.prototype, 'set', look, () => by.bind(query, new MessageNode(), []));
  t.strictSame(kept, ['inner.inner.inner.id']);
  const long = `${'inner.'.repeat(60)}id=x`;
  watchCalls(Map.prototype, 'set', look, () => by.bind(long, new MessageNode(), []));
  t.equal(kept.length, 1, 'and long ones are not kept');
  t.end();
});

void t.test('weaving: the body’s fields times the bound values is not what it costs', (t) => {
  const texts = All.field('texts')!;
  const labels = All.field('labels')!;
  let looks = 0;
  const node = new MessageNode();
  const values = 3000;
  for (let index = 0; index < values; index++) {
    node.add({
      get field() {
        looks++;
        return texts;
      },
      read: codec.textReader(texts)!,
      text: 'x',
      label: 'header x',
      source: 'the header x',
    });
    node.child(labels, `=${index}`, Buffer.from([0x0a, 0x00])).add({
      field: labels.map!.value,
      read: codec.textReader(labels.map!.value)!,
      text: 'y',
      label: 'labels',
      source: 'form field',
    });
  }
  const entries = 3000;
  // Empty `items`, then `texts` with another value than the header's.
  node.bodyPart = Buffer.concat([
    Buffer.from('6a00'.repeat(entries), 'hex'),
    Buffer.from('5a00'.repeat(entries), 'hex'),
  ]);
  const violations: FieldViolation[] = [];
  node.write(new Writer(), contextOf(violations));
  t.ok(looks <= 4 * (values + entries), `${looks} looks`);
  t.equal(violations.length, 20, 'and no more is said than fits into an answer');
  t.end();
});
