/**
 * Long strings and bytes through the codec, in microseconds of CPU for each megabyte, and as a multiple of copying it. Text of
 * three kinds: plain, with an escape in each line, and of three-byte characters.
 */
import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';
import { medianRatio } from './ratio.js';

export interface LongFigure {
  readonly name: string;
  /** Our time over that of `Buffer.from`. */
  readonly ratio: number;
  /** Microseconds for one of ours. */
  readonly micros: number;
}

const MEGABYTE = 1024 * 1024;
const CALLS = 4;

const text = (part: string): string => part.repeat(MEGABYTE / Buffer.byteLength(part));

/** Runs for about three seconds. */
export function benchLong(): LongFigure[] {
  const schema = schemaFromText('syntax = "proto3"; package bench; message Long { string text = 1; bytes data = 2; }');
  const message = schema.message('bench.Long')!;
  const codec = new Codec(schema);
  const read = codec.reader(message);
  const write = codec.writer(message);
  const values = {
    'plain text': { text: text('A line of text that needs no escape at all. ') },
    'text in lines': {
      text: text('A line of text, and then the next one, as in a file of source code or a letter.\n'),
    },
    'Japanese text': { text: text('日本語テキスト') },
    bytes: { data: Buffer.alloc(MEGABYTE, 'any bytes').toString('base64') },
  };
  const out = new Writer();
  return Object.entries(values).flatMap(([name, value]) => {
    const json = Buffer.from(JSON.stringify(value));
    out.reset();
    read(json, out);
    const wire = out.take();
    const run = (step: (from: Buffer, to: Writer) => void, from: Buffer): LongFigure['ratio' | 'micros'][] => {
      const { ratio, micros } = medianRatio(
        () => {
          out.reset();
          step(from, out);
          out.take();
        },
        () => Buffer.from(json),
        CALLS,
      );
      return [ratio, micros];
    };
    const [readRatio = NaN, readMicros = NaN] = run(read, json);
    const [writeRatio = NaN, writeMicros = NaN] = run(write, wire);
    return [
      { name: `read ${name} / copy`, ratio: readRatio, micros: readMicros },
      { name: `write ${name} / copy`, ratio: writeRatio, micros: writeMicros },
    ];
  });
}
