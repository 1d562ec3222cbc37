/** A schema without some declarations: what goes with them, and that protobuf-es takes the files that are left. */
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import t from 'tap';
import type { Schema } from '../../lib/schema/index.js';
import { loadText, schemaFromText } from '../support/schema.js';

const text = `syntax = "proto2"; package p;
// Of M.
message M {
  optional string a = 1;
  optional N n = 2;
  map<string, N> ns = 3;
  map<string, E> es = 4;
  oneof first { string b = 5; N c = 6; }
  oneof second { string d = 7; }
  oneof third { string e = 8; }
  message Inner { optional string x = 1; enum Deep { D0 = 0; } }
  optional Inner inner = 9;
  optional Inner.Deep deep = 10;
  extensions 100 to 200;
  extend M { optional int32 nested_ext = 101; }
}
message N { optional string y = 1; extend M { optional int32 inside = 102; } }
enum E { E0 = 0; E1 = 1; E2 = 2; }
extend M { optional N ext = 100; optional int32 other = 103; }
service S { rpc A(M) returns (M); rpc B(N) returns (M); rpc C(M) returns (stream N); }
service T { rpc D(N) returns (M); }
message Holder { optional M m = 1; message N { optional int32 z = 1; } optional N own = 2; }`;

/** The schema, and the same by way of a descriptor set. */
function schemas(): readonly (readonly [string, Schema])[] {
  const own = schemaFromText(text);
  const set = create(FileDescriptorSetSchema, {
    file: own.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded)),
  });
  const { schema } = loadText(
    { 'set.binpb': toBinary(FileDescriptorSetSchema, set) },
    { protos: [], descriptorSets: ['set.binpb'] },
  );
  return [
    ['text', own],
    ['set', schema],
  ];
}

/** All names that are left, as protobuf-es sees the encoded files. */
function namesIn(schema: Schema): string[] {
  const file = schema.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded));
  const names: string[] = [];
  for (const type of createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }))) {
    if (!type.typeName.startsWith('p.')) continue;
    names.push(type.typeName);
    if (type.kind === 'message') {
      names.push(...[...type.fields, ...type.oneofs].map(({ name }) => `${type.typeName}.${name}`));
    }
    if (type.kind === 'enum') names.push(...type.values.map(({ name }) => `${type.typeName}.${name}`));
    if (type.kind === 'service') names.push(...type.methods.map(({ name }) => `${type.typeName}.${name}`));
  }
  return names;
}

const rows: readonly (readonly [hidden: readonly string[], gone: readonly string[]])[] = [
  [['p.M.a'], ['p.M.a']],
  [['p.M.d'], ['p.M.d', 'p.M.second']],
  [['p.M.b'], ['p.M.b']],
  [['p.M.ns'], ['p.M.ns']],
  [['p.N'], ['p.N', 'p.N.y', 'p.N.inside', 'p.M.n', 'p.M.ns', 'p.M.c', 'p.ext', 'p.S.B', 'p.S.C', 'p.T', 'p.T.D']],
  [['p.M.Inner'], ['p.M.Inner', 'p.M.Inner.x', 'p.M.Inner.Deep', 'p.M.Inner.Deep.D0', 'p.M.inner', 'p.M.deep']],
  [['p.E.E1'], ['p.E.E1']],
  [['p.E.E0'], ['p.E', 'p.E.E0', 'p.E.E1', 'p.E.E2', 'p.M.es']],
  [
    ['p.other', 'p.M.nested_ext'],
    ['p.other', 'p.M.nested_ext'],
  ],
  [['p.S.A'], ['p.S.A']],
  [['p.T.D'], ['p.T', 'p.T.D']],
  [['p.S'], ['p.S', 'p.S.A', 'p.S.B', 'p.S.C']],
  [['p.unknown'], []],
];

void t.test('what goes', (t) => {
  for (const [kind, schema] of schemas()) {
    const all = namesIn(schema);
    for (const [hidden, gone] of rows) {
      const part = schema.without(new Set(hidden));
      const left = namesIn(part);
      const missing = all.filter((name) => !left.includes(name));
      t.strictSame(missing.sort(), [...gone].sort(), `${kind}: ${hidden.join()}`);
      for (const name of hidden.filter((name) => name !== 'p.unknown')) {
        t.equal(part.hides(name), true);
        t.equal(part.fileOf(name.startsWith('p.E.') ? name.replace('.E.', '.') : name), undefined, name);
      }
    }
    t.equal(schema.without(new Set()), schema);
    t.equal(schema.hides('p.M'), false);
    t.strictSame(namesIn(schema), all, 'the whole is as it was');
  }
  t.end();
});

void t.test('what is hidden, by number', (t) => {
  for (const [, schema] of schemas()) {
    const part = schema.without(new Set(['p.M.a', 'p.M.ns', 'p.E.E1', 'p.other', 'p.M.nested_ext']));
    t.strictSame(
      part.message('p.M')!.hidden.map(({ name, number }) => [name, number]),
      [
        ['a', 1],
        ['ns', 3],
        ['p.M.nested_ext', 101],
        ['p.other', 103],
      ],
    );
    t.strictSame([...part.enum('p.E')!.hiddenNumbers], [1]);
    t.equal(part.message('p.M')!.oneofs.length, 3);
    const holder = part.message('p.Holder')!;
    t.equal(holder.field('m')!.message, part.message('p.M'));
    t.strictSame(schema.message('p.M')!.hidden, []);
  }
  const [, [, set]] = schemas() as [unknown, readonly [string, Schema]];
  const hidden = set.without(new Set(['p.N']));
  t.equal(hidden.message('p.Holder')!.field('own')!.message!.fullName, 'p.Holder.N', 'names mean what they meant');
  t.end();
});

void t.test('lines and comments go with what is hidden', (t) => {
  const own = schemaFromText(text);
  const [file] = own.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded));
  file!.sourceCodeInfo = { $typeName: 'google.protobuf.SourceCodeInfo', location: [] };
  file!.sourceCodeInfo.location = [
    {
      $typeName: 'google.protobuf.SourceCodeInfo.Location',
      path: [4, 0, 2, 0],
      span: [1, 1, 1],
      leadingComments: 'secret',
      trailingComments: '',
      leadingDetachedComments: [],
    },
  ];
  const bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file!] }));
  const { schema } = loadText({ 'set.binpb': bytes }, { protos: [], descriptorSets: ['set.binpb'] });
  const encoded = (part: Schema): string => part.files[0]!.encoded.toString('latin1');
  t.match(encoded(schema), /secret/);
  t.match(encoded(schema.without(new Set(['p.unknown']))), /secret/);
  t.notMatch(encoded(schema.without(new Set(['p.M.a']))), /secret/);
  t.end();
});
