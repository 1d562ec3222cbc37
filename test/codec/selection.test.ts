/** Masks of answers: what is printed is what is left of the whole JSON, and the same is left on the wire. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { Codec, parseSelection, SelectionError, selectWire } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';

const schema = schemaFromText(`
syntax = "proto3";
package m;
message M {
  string a = 1;
  M b = 2;
  repeated M list = 3;
  map<string, M> by_key = 4;
  map<int64, string> plain = 5;
  oneof pick { string left = 6; M right = 7; }
  repeated int32 numbers = 8;
  string long_name = 2000;
}
`);
const M = schema.message('m.M')!;
const names = ['a', 'b', 'list', 'by_key', 'plain', 'left', 'right', 'numbers', 'long_name'] as const;
const jsonNames: Readonly<Record<string, string>> = { by_key: 'byKey', long_name: 'longName' };

type Json = Record<string, unknown>;
const keys = ['k', 'x y', 'é"\\', ''];

/** Messages inside messages, `depth` levels of them. */
function messageOf(depth: number): fc.Arbitrary<Json> {
  const inner = depth === 0 ? fc.constant<Json>({ a: 'end' }) : messageOf(depth - 1);
  return fc
    .record(
      {
        a: fc.constantFrom('v', 'w'),
        b: inner,
        list: fc.array(inner, { minLength: 1, maxLength: 2 }),
        byKey: fc.dictionary(fc.constantFrom(...keys), inner, { minKeys: 1, maxKeys: 2 }),
        plain: fc.dictionary(fc.constantFrom('1', '-7', '9007199254740993'), fc.constant('p'), {
          minKeys: 1,
          maxKeys: 2,
        }),
        pick: fc.oneof(fc.record({ left: fc.constant('l') }), fc.record({ right: inner })),
        numbers: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 3 }),
        longName: fc.constant('n'),
      },
      { requiredKeys: [] },
    )
    .map(({ pick: chosen, ...rest }) => ({ ...rest, ...chosen }));
}
const message = messageOf(2);

/** A path as its steps: names, and keys of maps. */
type Path = readonly (readonly ['field' | 'key', string])[];

const path: fc.Arbitrary<Path> = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).chain((chosen) => {
  const steps: fc.Arbitrary<Path>[] = [];
  for (const name of chosen) {
    const field = ['field', name] as const;
    if (name === 'by_key') {
      steps.push(fc.constantFrom(...keys.filter((key) => key !== '')).map((key) => [field, ['key', key] as const]));
    } else {
      steps.push(fc.constant([field]));
      if (name === 'plain') steps.push(fc.constantFrom([], [['key', '1'] as const]));
      if (!['b', 'list', 'right'].includes(name)) break;
    }
  }
  return fc.tuple(...steps).map((parts) => parts.flat());
});

function textOf(steps: Path, jsonSpelling: boolean): string {
  return steps
    .map(([kind, text], index) => {
      const name = jsonSpelling ? (jsonNames[text] ?? text) : text;
      return kind === 'key' ? `[${text}]` : index === 0 ? name : `.${name}`;
    })
    .join('');
}

/** What the paths leave of a value: the plain way. */
function pick(value: unknown, paths: readonly Path[]): unknown {
  if (paths.some((rest) => rest.length === 0)) return value;
  if (Array.isArray(value)) return value.map((element) => pick(element, paths));
  const left: Json = {};
  for (const [name, inner] of Object.entries(value as Json)) {
    const rests = paths.filter(([step]) => (jsonNames[step![1]] ?? step![1]) === name).map((rest) => rest.slice(1));
    if (rests.length === 0) continue;
    const part = pick(inner, rests);
    const isEmptyMap = (name === 'byKey' || name === 'plain') && Object.keys(part as Json).length === 0;
    if (!isEmptyMap) left[name] = part;
  }
  return left;
}

void t.test('a mask leaves what it names, as JSON and on the wire', (t) => {
  const codec = new Codec(schema);
  const print = (wire: Buffer): unknown => {
    const out = new Writer();
    codec.writer(M)(wire, out);
    return JSON.parse(out.take().toString());
  };
  fc.assert(
    fc.property(message, fc.array(path, { minLength: 1, maxLength: 4 }), fc.boolean(), (json, paths, jsonSpelling) => {
      const out = new Writer();
      codec.reader(M)(Buffer.from(JSON.stringify(json)), out);
      const wire = out.take();
      const selection = parseSelection(M, paths.map((steps) => textOf(steps, jsonSpelling)).join(','));
      codec.selectedWriter(M, selection)(wire, out);
      const expected = pick(print(wire), paths);
      const masked: unknown = JSON.parse(out.take().toString());
      if (!isDeepStrictEqual(masked, expected))
        throw new Error(`printed ${JSON.stringify(masked)}, expected ${JSON.stringify(expected)}`);
      selectWire(M, selection, wire, out);
      const rest = print(out.take());
      if (!isDeepStrictEqual(rest, expected))
        throw new Error(`on the wire ${JSON.stringify(rest)}, expected ${JSON.stringify(expected)}`);
    }),
    { numRuns: 200 },
  );
  t.pass('held');
  t.end();
});

void t.test('any text is a selection or an error in words', (t) => {
  const token = fc.constantFrom(
    ...names,
    'byKey',
    '.',
    '[',
    ']',
    ',',
    '*',
    ' ',
    'zz',
    '__proto__',
    'constructor',
    '\u4e2d',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      try {
        parseSelection(M, tokens.join(''));
      } catch (error) {
        if (!(error instanceof SelectionError) || error.message === '') throw error;
      }
    }),
    { numRuns: 500 },
  );
  t.pass('held');
  t.end();
});
