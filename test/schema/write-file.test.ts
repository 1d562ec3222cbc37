/**
 * Files that were read as text, written as FileDescriptorProtos. What they must be says protoc, by the sets that it made:
 * `protoc -I . -I ../../../annotations --include_imports -o rich.binpb rich/v1/*.proto` in test/schema/fixtures (protoc 36.2),
 * and everything.binpb, which `descriptors.test.ts` explains. protobuf-es reads both, and takes ours for a whole schema.
 */
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorSet,
} from '@bufbuild/protobuf/wkt';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  type FileDescriptor,
  loadSchema,
  type MessageDescriptor,
  type OptionValue,
  type Schema,
} from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { annotationsRoot, schemaFromText } from '../support/schema.js';
import { filesInOrder } from '../support/descriptor-set.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** The files of a folder, by their names from `root` on. */
function load(root: string, folder: string): Schema {
  const problems = new ProblemList();
  const sources = { protos: [folder], protoPaths: ['.'], descriptorSets: [], workingDirectory: root, annotationsRoot };
  const schema = loadSchema(sources, problems);
  problems.throwIfAny();
  return schema;
}

/** A file as plain data, lists of another order and lines left out: extensions that protobuf-es does not know as bytes. */
function dataOf(file: FileDescriptorProto): unknown {
  const plain = (value: unknown, key = ''): unknown => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (Array.isArray(value)) {
      const list = value.map((element) => plain(element));
      // protoc puts the entries of maps where their fields stand.
      return key === 'nestedType' || key === '$unknown' ? list.map((item) => JSON.stringify(item)).sort() : list;
    }
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).filter(([name]) => name !== 'sourceCodeInfo');
    return Object.fromEntries(
      members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, plain(inner, name)]),
    );
  };
  return plain(file);
}

const decoded = ({ encoded }: FileDescriptor): FileDescriptorProto => fromBinary(FileDescriptorProtoSchema, encoded);

/** The files as a set, each behind what it imports. */
function setOf(schema: Schema): FileDescriptorSet {
  return { $typeName: 'google.protobuf.FileDescriptorSet', file: [...filesInOrder(schema)].map(decoded) };
}

for (const [set, folder] of [
  ['rich.binpb', 'rich'],
  ['everything.binpb', 'shop'],
] as const) {
  void t.test(`${folder}: what is written is what protoc writes`, (t) => {
    const schema = load(fixtures, folder);
    const theirs = fromBinary(FileDescriptorSetSchema, readFileSync(`${fixtures}/${set}`)).file;
    const ours = new Map(schema.files.map((file) => [file.name, file]));
    t.ok(theirs.length > 3);
    for (const file of theirs) t.strictSame(dataOf(decoded(ours.get(file.name)!)), dataOf(file), file.name);
    createFileRegistry(setOf(schema));
    t.end();
  });
}

void t.test('all of protos/: a schema for protobuf-es, and the same one for us', (t) => {
  const protos = fileURLToPath(new URL('../../protos', import.meta.url));
  const schema = load(protos, '.');
  const set = setOf(schema);
  const registry = createFileRegistry(set);
  const again = schemaFromText(
    { 'all.binpb': toBinary(FileDescriptorSetSchema, set) },
    { descriptorSets: ['all.binpb'] },
  );
  const facts = (message: MessageDescriptor): unknown =>
    message.fields.map((field) => [
      ...[field.name, field.number, field.jsonName, field.oneof?.name, field.packed, field.hasPresence],
      ...[field.behaviors, field.type, field.message?.fullName, field.enum?.fullName, field.map?.value.type],
    ]);
  let fields = 0;
  for (const type of registry) {
    if (type.kind !== 'message') continue;
    const written = schema.message(type.typeName)!;
    t.strictSame(facts(again.message(type.typeName)!), facts(written), type.typeName);
    t.strictSame(
      type.fields.map(({ name, number, jsonName, oneof }) => [name, number, jsonName, oneof?.name]),
      written.fields.map(({ name, number, jsonName, oneof }) => [name, number, jsonName, oneof?.name]),
      type.typeName,
    );
    fields += type.fields.length;
  }
  t.ok(fields > 500);
  t.strictSame(rulesOf(again), rulesOf(schema));
  t.end();
});

/** Methods and what they say of HTTP. */
function rulesOf({ services }: Schema): unknown {
  const plain = (value: OptionValue | undefined): unknown =>
    typeof value === 'object' && 'fields' in value
      ? value.fields.map((field) => [field.name, plain(field.value)])
      : value;
  return services
    .flatMap(({ methods }) => methods)
    .map((method) => [
      ...[method.path, method.clientStreaming, method.serverStreaming],
      plain(method.option('google.api.http')),
    ])
    .map((method) => JSON.stringify(method))
    .sort();
}
