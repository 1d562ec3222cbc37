/** What few files have: numbers of message sets, imports for options alone. */
import t from 'tap';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { fromBinary } from '@bufbuild/protobuf';
import { schemaFromText } from '../support/schema.js';

const set = (options: string, number: number): string => `syntax = "proto2"; package s;
  message Set { extensions 4 to max; ${options} }
  message M { extend Set { optional M m = ${number}; } }`;

void t.test('extensions of a message set have numbers up to 2^31-2', (t) => {
  const option = 'option message_set_wire_format = true;';
  for (const number of [2 ** 29 - 1, 2 ** 29, 2 ** 31 - 2]) {
    const schema = schemaFromText({ 's.proto': set(option, number) });
    const file = fromBinary(FileDescriptorProtoSchema, schema.files[0]!.encoded);
    t.equal(file.messageType[0]!.extensionRange[0]!.end, 2 ** 31 - 1);
    t.equal(file.messageType[1]!.extension[0]!.number, number);
    // What has no tag is no field of any message here.
    t.equal(schema.message('s.Set')!.extensions.length, number < 2 ** 29 ? 1 : 0);
  }
  t.throws(
    () => schemaFromText({ 's.proto': set(option, 2 ** 31 - 1) }),
    /has number 2147483647; expected 1 to 2147483646/,
  );
  t.throws(() => schemaFromText({ 's.proto': set('', 2 ** 29) }), /has number 536870912; expected 1 to 536870911/);
  t.throws(
    () => schemaFromText({ 's.proto': set(option.replace('true', 'false'), 2 ** 29) }),
    /expected 1 to 536870911/,
  );
  t.end();
});

void t.test('an import for options is a dependency of options in the descriptor', (t) => {
  const schema = schemaFromText({
    'a.proto': 'syntax = "proto3"; package a; message A { }',
    'b.proto': 'syntax = "proto3"; package b; message B { }',
    'o.proto':
      'syntax = "proto2"; package o; import "google/protobuf/descriptor.proto"; extend google.protobuf.FileOptions { optional string x = 50000; }',
    'e.proto':
      'edition = "2024"; package e; import "a.proto"; import option "o.proto"; import public "b.proto"; option (o.x) = "y"; message M { a.A a = 1; }',
  });
  const file = fromBinary(FileDescriptorProtoSchema, schema.files.find(({ name }) => name === 'e.proto')!.encoded);
  t.strictSame(file.dependency, ['a.proto', 'b.proto']);
  t.strictSame(file.publicDependency, [1]);
  t.strictSame(file.weakDependency, []);
  t.strictSame(file.optionDependency, ['o.proto']);
  t.end();
});
