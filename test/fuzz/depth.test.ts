/**
 * Nesting adds to the work and does not multiply it: the same content costs about the same, however deep it stands. Steps are
 * counted, and the bytes that are copied, which native code does in one step.
 */
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';
import { watchCalls } from '../support/watch-calls.js';
import { StepCounter } from './steps.js';

const schema = schemaFromText({
  'd.proto': `syntax = "proto3"; package d; import "google/protobuf/any.proto"; import "google/protobuf/struct.proto";
    message Node { Node node = 1; repeated int32 numbers = 2 [packed = false]; string text = 3; google.protobuf.Any any = 4;
      google.protobuf.Value value = 5; map<string, Node> map = 6; repeated Node list = 7; }`,
  'g.proto': `edition = "2023"; package g; option features.message_encoding = DELIMITED;
    message Node { Node node = 1; repeated int32 numbers = 2 [features.repeated_field_encoding = EXPANDED]; string text = 3; }
    message Needs { Needs node = 1; repeated int32 numbers = 2 [features.repeated_field_encoding = EXPANDED];
      string id = 4 [features.field_presence = LEGACY_REQUIRED]; }`,
});
const codec = new Codec(schema);
const Node = schema.message('d.Node')!;
const Group = schema.message('g.Node')!;

const out = new Writer();
const readJson = (text: string): void => {
  out.reset();
  codec.reader(Node)(Buffer.from(text), out);
};
const print = (type: typeof Node, wire: Buffer): void => {
  out.reset();
  codec.writer(type)(wire, out);
};

const ones = (n: number): string => new Array(n).fill(1).join();
const nest = (depth: number, open: string, core: string, close: string): string =>
  open.repeat(depth) + core + close.repeat(depth);

/** A message in `depth` messages, by the tags around it. */
function nestWire(depth: number, tag: number, core: Buffer, behind: Buffer, endTag?: number): Buffer {
  let wire = core;
  for (let level = 0; level < depth; level++) {
    const writer = new Writer(wire.length + 16);
    writer.byte(tag);
    if (endTag === undefined) writer.bytes(wire);
    else writer.raw(wire);
    if (endTag !== undefined) writer.byte(endTag);
    writer.raw(behind);
    wire = writer.take();
  }
  return wire;
}

const numbers = (n: number): Buffer => Buffer.from('1001'.repeat(n), 'hex');
const nothing = Buffer.alloc(0);

/** What is made of content of size `n` at a depth. */
const cases: readonly (readonly [name: string, make: (depth: number, n: number) => () => void])[] = [
  [
    'Any in Any, `@type` last',
    (depth, n) => {
      const core = `{"numbers":[${ones(n)}],"@type":"t/d.Node"}`;
      const text = `{"any":${nest(depth, '{"value":', core, ',"@type":"t/google.protobuf.Any"}')}}`;
      return () => readJson(text);
    },
  ],
  [
    'Any in messages in Any, `@type` last',
    (depth, n) => {
      const core = `{"numbers":[${ones(n)}],"@type":"t/d.Node"}`;
      const text = `{"any":${nest(depth / 2, '{"node":{"any":', core, '},"@type":"t/d.Node"}')}}`;
      return () => readJson(text);
    },
  ],
  [
    'Any in Any, `@type` in the middle',
    (depth, n) => {
      const core = `{"numbers":[${ones(n)}],"@type":"t/d.Node","list":[{"numbers":[${ones(n)}]}]}`;
      const text = `{"any":${nest(depth / 2, '{"numbers":[1],"@type":"t/d.Node","any":', core, ',"text":""}')}}`;
      return () => readJson(text);
    },
  ],
  [
    'lists in a Value',
    (depth, n) => {
      const text = `{"value":${nest(depth, '[', ones(n), ']')}}`;
      return () => readJson(text);
    },
  ],
  [
    'messages',
    (depth, n) => {
      const text = nest(depth, '{"node":', `{"numbers":[${ones(n)}]}`, '}');
      return () => readJson(text);
    },
  ],
  [
    'maps of messages',
    (depth, n) => {
      const text = nest(depth / 2, '{"map":{"k":', `{"numbers":[${ones(n)}]}`, '}}');
      return () => readJson(text);
    },
  ],
  [
    'groups printed',
    (depth, n) => {
      const wire = nestWire(depth, 0x0b, numbers(n), nothing, 0x0c);
      return () => print(Group, wire);
    },
  ],
  [
    'required fields looked for',
    (depth, n) => {
      const wire = nestWire(depth, 0x0b, numbers(n), Buffer.from('220161', 'hex'), 0x0c);
      return () => void codec.missing(schema.message('g.Needs')!, wire);
    },
  ],
  [
    'messages printed',
    (depth, n) => {
      const wire = nestWire(depth, 0x0a, numbers(n), nothing);
      return () => print(Node, wire);
    },
  ],
];

/** Runs `work` and gives the bytes that were copied within buffers or between them. */
function countCopies(work: () => void): number {
  const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
  let copied = 0;
  const moved = (self: unknown, [, start, end]: readonly unknown[]): void => {
    copied += ((end as number | undefined) ?? (self as Uint8Array).length) - (start as number);
  };
  const set = (_: unknown, [source]: readonly unknown[]): void => {
    copied += (source as Uint8Array).length;
  };
  watchCalls(prototype, 'copyWithin', moved, () => watchCalls(prototype, 'set', set, work));
  return copied;
}

void t.test('twenty times the depth, about the same work', async (t) => {
  const counter = new StepCounter();
  await counter.start();
  t.teardown(() => counter.stop());
  const [shallow, deep, n] = [4, 80, 4000];
  for (const [name, make] of cases) {
    const [few, many] = [make(shallow, n), make(deep, n)];
    // What is made once and kept is made here.
    many();
    const [expected, found] = [await counter.count(few), await counter.count(many)];
    t.ok(found < 2 * expected, `${name}: ${expected} steps at depth ${shallow}, ${found} at ${deep}`);
    const [copied, copiedDeep] = [countCopies(few), countCopies(many)];
    t.ok(copiedDeep < 2 * copied + n, `${name}: ${copied} bytes copied at depth ${shallow}, ${copiedDeep} at ${deep}`);
  }
});
