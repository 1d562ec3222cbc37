/**
 * The codec against what Node itself does with the same JSON text: reading as a multiple of JSON.parse, printing as a
 * multiple of JSON.stringify. Both of those know no schema, lose 64-bit digits and duplicate keys, and leave the wire
 * format to others, so 1 is not expected; the ratio shows whether a change made the codec slower.
 */
import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';
import { medianRatio } from './ratio.js';

/** One line of the report: `ratio` is our time over the other's. */
export interface CodecBenchResult {
  readonly name: string;
  readonly ratio: number;
  /** Microseconds of one of our operations. */
  readonly micros: number;
}

const proto = `
  syntax = "proto3";
  package bench;
  import "google/protobuf/timestamp.proto";
  enum State { STATE_UNSPECIFIED = 0; RUNNING = 1; STOPPED = 2; }
  message Disk { string name = 1; int64 size_bytes = 2; bool boot = 3; }
  message Item {
    string name = 1;
    string display_name = 2;
    int32 cpu_count = 3;
    int64 memory_bytes = 4;
    State state = 5;
    double load = 6;
    bool enabled = 7;
    google.protobuf.Timestamp create_time = 8;
    repeated string tags = 9;
    map<string, string> labels = 10;
    Disk disk = 11;
    repeated int32 ports = 12;
  }
  message List { repeated Item items = 1; }
  message Values { repeated int32 small = 1; repeated int64 large = 2; repeated double decimals = 3; repeated string words = 4; }
`;

const item = {
  name: 'projects/demo/vms/web-1',
  displayName: 'Web server 1',
  cpuCount: 8,
  memoryBytes: '17179869184',
  state: 'RUNNING',
  load: 0.75,
  enabled: true,
  createTime: '2026-01-31T10:00:00.500Z',
  tags: ['prod', 'eu-west'],
  labels: { team: 'storage', tier: 'front' },
  disk: { name: 'root', sizeBytes: '107374182400', boot: true },
  ports: [80, 443, 8080],
};

function benchOne(label: string, codec: Codec, typeName: string, value: object, rounds: number): CodecBenchResult[] {
  const message = schema.message(typeName)!;
  const text = JSON.stringify(value);
  const json = Buffer.from(text);
  const read = codec.reader(message);
  const write = codec.writer(message);
  const out = new Writer(json.length * 2);
  read(json, out);
  const wire = out.take();
  write(wire, out);
  if (!out.take().equals(json)) throw new Error(`${label}: the text does not come back as it was`);
  const reading = medianRatio(
    () => {
      out.reset();
      read(json, out);
    },
    () => JSON.parse(text) as unknown,
    rounds,
  );
  const writing = medianRatio(
    () => {
      out.reset();
      write(wire, out);
    },
    () => JSON.stringify(value),
    rounds,
  );
  return [
    { name: `read ${label} (${json.length} B) / JSON.parse`, ...reading },
    { name: `write ${label} (${json.length} B) / JSON.stringify`, ...writing },
  ];
}

function thousand<T>(make: (index: number) => T): T[] {
  return Array.from({ length: 1000 }, (_, index) => make(index + 1));
}

const schema = schemaFromText(proto);

/** Runs for about three seconds. The first two lines are what the product promises; the rest shows single types. */
export function benchCodec(): CodecBenchResult[] {
  const codec = new Codec(schema);
  return [
    ...benchOne('item', codec, 'bench.Item', item, 2000),
    ...benchOne('list of 100', codec, 'bench.List', { items: new Array(100).fill(item) }, 20),
    ...benchOne('1000 int32', codec, 'bench.Values', { small: thousand((index) => index * 131) }, 30),
    ...benchOne('1000 int64', codec, 'bench.Values', { large: thousand((index) => String(index * 1e9)) }, 30),
    ...benchOne('1000 doubles', codec, 'bench.Values', { decimals: thousand((index) => index * 7.25) }, 30),
    ...benchOne('1000 Japanese words', codec, 'bench.Values', { words: thousand(() => '日本語テキスト') }, 30),
  ];
}
