/** Imports that are not there: what may be missing, what may not, and what is said of it. */
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import t from 'tap';
import { annotationsRoot, loadText } from '../support/schema.js';

type Files = Readonly<Record<string, string | Uint8Array>>;

const folders = `is in none of the import folders: /memory, ${annotationsRoot}`;

/** Without the folders of the files, which are listed too. */
const shortened = (message: string): string =>
  message.replace(/is in none of the import folders: [^;]*;/, `${folders};`);

/** Files below a header, and what is to be said: `E` an error, `W` a warning. */
interface Row {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly said: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: 'options of every kind of declaration',
    files: {
      'a.proto': `import "gogoproto/gogo.proto";
        option (gogoproto.on_file) = true;
        message M {
          option (gogoproto.on_message) = true;
          string a = 1 [(gogoproto.on_field) = true, (.gogoproto.on_field) = false];
          oneof o { option (gogoproto.on_oneof) = true; string b = 2 [(gogoproto.on_member).x.y = 3]; }
          message N { string c = 1 [deprecated = true, (gogoproto.inside) = { a: 1 b: [1, 2] }]; }
        }
        enum E { option (gogoproto.on_enum) = true; ZERO = 0 [(gogoproto.on_value) = "z"]; }
        service S { option (gogoproto.on_service) = true; rpc R(M) returns (M) { option (gogoproto.on_method) = { x: 1 }; } }`,
    },
    said: [
      `W import "gogoproto/gogo.proto" ${folders}; a.proto uses only options of it, which are ignored: (gogoproto.on_file), (gogoproto.on_message), (gogoproto.on_field), (gogoproto.on_member), (gogoproto.on_oneof) and 5 more`,
    ],
  },
  {
    name: 'one warning for each import, whatever number of files has it; each option with its import',
    files: {
      'a.proto': `import "validate/validate.proto"; import "cosmos_proto/cosmos.proto"; import "amino/amino.proto";
        message M { string a = 1 [(validate.rules).string.min_len = 1, (cosmos_proto.scalar) = "x"]; }`,
      'b.proto': 'import "validate/validate.proto"; message B { string a = 1 [(validate.required) = true]; }',
      'c.proto': 'import "validate/validate.proto"; message C { }',
    },
    said: [
      `W import "validate/validate.proto" ${folders}; a.proto (and 2 more) uses only options of it, which are ignored: (validate.rules), (validate.required)`,
      `W import "cosmos_proto/cosmos.proto" ${folders}; a.proto uses only options of it, which are ignored: (cosmos_proto.scalar)`,
      `W import "amino/amino.proto" ${folders}; a.proto uses nothing of it`,
    ],
  },
  {
    name: 'an import whose folder is not its package has the options that nobody else has',
    files: {
      'a.proto': `import "vendor/options.proto"; import "github.com/gogo/protobuf/gogoproto/gogo.proto";
        message M { string a = 1 [(acme.secret) = true, (gogoproto.nullable) = true]; }`,
    },
    said: [
      `W import "vendor/options.proto" ${folders}; a.proto uses only options of it, which are ignored: (acme.secret)`,
      `W import "github.com/gogo/protobuf/gogoproto/gogo.proto" ${folders}; a.proto uses only options of it, which are ignored: (gogoproto.nullable)`,
    ],
  },
  {
    name: 'the type of a field; what gives options alone is no error beside it',
    files: {
      'a.proto': `import "b/c/types.proto"; import "gogoproto/gogo.proto"; import "d/unused.proto";
        message M { string a = 1 [(gogoproto.nullable) = true]; b.c.Outer.Inner i = 2; b.c.T t = 3; }`,
    },
    said: [
      `E import "b/c/types.proto" ${folders}; it is needed for the type "b.c.Outer.Inner" of field p.M.i`,
      `W import "gogoproto/gogo.proto" ${folders}; a.proto uses only options of it, which are ignored: (gogoproto.nullable)`,
      `W import "d/unused.proto" ${folders}; a.proto uses nothing of it`,
    ],
  },
  {
    name: 'the type of a list, of a map, of an RPC and of what is extended',
    files: {
      'a.proto': 'import "b/a.proto"; message A { repeated b.T t = 1; }',
      'b.proto': 'import "c/b.proto"; message B { map<string, c.T> t = 1; }',
      'c.proto': 'import "d/c.proto"; message C {} service S { rpc R(C) returns (stream d.T); }',
      'd.proto': 'import "e/d.proto"; extend e.T { string x = 1000; }',
    },
    said: [
      `E import "b/a.proto" ${folders}; it is needed for the type "b.T" of field p.A.t`,
      `E import "c/b.proto" ${folders}; it is needed for the type "c.T" of field p.B.t`,
      `E import "d/c.proto" ${folders}; it is needed for the type "d.T" of rpc p.S.R`,
      `E import "e/d.proto" ${folders}; it is needed for the type "e.T" of extension p.x`,
    ],
  },
  {
    name: 'a type of an import whose folder is not its package',
    files: { 'a.proto': 'import "types.proto"; message M { acme.T t = 1; }' },
    said: [`E import "types.proto" ${folders}; it is needed for the type "acme.T" of field p.M.t`],
  },
  {
    name: 'a type that comes by a public import',
    files: {
      'a.proto': 'import "b.proto"; message M { x.T t = 1; }',
      'b.proto': 'import public "x/x.proto";',
    },
    said: [`E import "x/x.proto" ${folders}; it is needed for the type "x.T" of field p.M.t`],
  },
  {
    name: 'a slip beside it is a slip: what another file imports is not seen, and packages that options name are known',
    files: {
      'a.proto': 'import "b.proto"; message M { x.T t = 1; }',
      'b.proto': 'import "x/x.proto";',
      'c.proto':
        'import "gogoproto/gogo.proto"; message C { string a = 1 [(gogoproto.nullable) = true]; Strng b = 2; }',
    },
    said: [
      'E field p.M.t has the type "x.T", which no file declares',
      'E field p.C.b has the type "Strng", which no file declares',
      `W import "x/x.proto" ${folders}; b.proto uses nothing of it`,
      `W import "gogoproto/gogo.proto" ${folders}; c.proto uses only options of it, which are ignored: (gogoproto.nullable)`,
    ],
  },
  {
    name: 'a name that the missing file may declare nearer than where it was found',
    files: {
      'a.proto': 'package q.v1; import "q/v1/near.proto"; import "far.proto"; message M { T t = 1; }',
      'far.proto': 'package q; message T {}',
    },
    said: [`E import "q/v1/near.proto" ${folders}; it is needed for the type "T" of field q.v1.M.t`],
  },
  {
    name: 'a name that is found all the same',
    files: {
      'a.proto': 'package q.v1; import "q/near.proto"; import "far.proto"; message M { T t = 1; .q.v1.T u = 2; }',
      'far.proto': 'package q.v1; message T {}',
    },
    said: [`W import "q/near.proto" ${folders}; a.proto uses nothing of it`],
  },
  {
    name: 'a file that is there by another name: no type of it is said to lack an import',
    files: {
      'rpc/rpc.proto': `import "etcd/api/kv/kv.proto"; import "etcd/api/version/version.proto"; import "flow/flow.proto";
        message M { kv.KeyValue kv = 1 [(version.since) = "3.1"]; flow.Flow flow = 2; }
        service S { rpc R(M) returns (M) { option (version.method) = "3.2"; } }`,
      'kv/kv.proto': 'package kv; message KeyValue {}',
      'v1/flow/flow.proto': 'package flow; message Flow {}',
      'v2/flow/flow.proto': 'package flow2;',
      'version/version.proto':
        'package version; import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { string since = 50001; } extend google.protobuf.MethodOptions { string method = 50002; }',
    },
    said: [
      `E import "etcd/api/kv/kv.proto" ${folders}; it is needed for the type "kv.KeyValue" of field p.M.kv`,
      `E import "flow/flow.proto" ${folders}; it is needed for the type "flow.Flow" of field p.M.flow`,
      `W import "etcd/api/version/version.proto" ${folders}; rpc/rpc.proto uses only options of it, which are ignored: (version.since), (version.method)`,
    ],
  },
  {
    name: 'a file that is there and not imported, beside an import that is missing',
    files: {
      'a.proto': 'import "gone/gone.proto"; message M { b.T t = 1; }',
      'b.proto': 'package b; message T {}',
    },
    said: [
      'E field p.M.t has the type "b.T", which b.proto declares, but a.proto does not import that file',
      `W import "gone/gone.proto" ${folders}; a.proto uses nothing of it`,
    ],
  },
  {
    name: 'options that are read here are no mere options',
    files: {
      'a.proto': `import "google/api/annotation.proto"; message M {}
        service S { rpc R(M) returns (M) { option (google.api.http) = { get: "/r" }; } }`,
      'b.proto': `import "my/photongate.proto"; message B {}
        service T { rpc R(B) returns (B) { option (photongate.http) = { success_status: 201 }; } }`,
    },
    said: [
      `E import "google/api/annotation.proto" ${folders}; it is needed for the option (google.api.http) of rpc p.S.R`,
      `E import "my/photongate.proto" ${folders}; it is needed for the option (photongate.http) of rpc p.T.R`,
    ],
  },
  {
    name: 'edition 2024: an import of options',
    files: { 'a.proto': 'import option "gone/options.proto"; message M { string a = 1 [(gone.x) = true]; }' },
    said: [`W import "gone/options.proto" ${folders}; a.proto uses only options of it, which are ignored: (gone.x)`],
  },
];

for (const { name, files, said } of rows) {
  void t.test(name, (t) => {
    const head = (text: string): string =>
      text.includes('import option') ? 'edition = "2024";' : 'syntax = "proto3";';
    const whole = Object.entries(files).map(([file, text]) => {
      const inPackage = text.includes('package ') ? '' : 'package p;';
      return [file, `${head(text)} ${inPackage} ${text}`] as const;
    });
    const { problems } = loadText(Object.fromEntries(whole));
    const lines = [
      ...problems.errors.map(({ message }) => `E ${shortened(message)}`),
      ...problems.warnings.map(({ message }) => `W ${shortened(message)}`),
    ];
    t.strictSame(lines.sort(), [...said].sort());
    t.end();
  });
}

void t.test('where to get it: the folder that is there, a name that is near, else how Buf gives it', (t) => {
  const folder = 'add the folder that it is relative to with --proto-path';
  const image = '"buf build -o image.binpb" and --descriptor-set image.binpb';
  const exported = (module: string): string =>
    `${folder}, which "buf export buf.build/${module} -o DIR" writes; or, if the protos are a module of Buf, take ${image}`;
  const hints: Readonly<Record<string, string>> = {
    'google/api/annotation.proto': 'did you mean "google/api/annotations.proto"?',
    'google/ads/common.proto': exported('googleapis/googleapis'),
    'buf/validate/priv/private.proto': exported('bufbuild/protovalidate'),
    'protoc-gen-openapiv2/other/x.proto': exported('grpc-ecosystem/grpc-gateway'),
    'validate/validate.proto': exported('envoyproxy/protoc-gen-validate'),
    'gogoproto/gogo.proto': exported('cosmos/gogo-proto'),
    'cosmos_proto/cosmos.proto': exported('cosmos/cosmos-proto'),
    'amino/amino.proto': exported('cosmos/cosmos-sdk'),
    'cosmos/ics23/v1/proofs.proto': exported('cosmos/ics23'),
    'acme/options.proto': `${folder}; if Buf has it: "buf export . -o all" and --proto-path all, or ${image}`,
  };
  for (const [name, hint] of Object.entries(hints)) {
    const { problems } = loadText(`syntax = "proto3"; import "${name}";`);
    t.equal(problems.warnings[0]?.hint, hint, name);
  }
  const below = loadText(
    { 'top/a/a.proto': 'syntax = "proto3"; import "b/b.proto";', 'top/b/b.proto': '' },
    { protos: ['top/a/a.proto'] },
  );
  t.equal(below.problems.warnings[0]?.hint, 'add --proto-path top');
  const elsewhere = loadText({
    'main/a.proto': 'syntax = "proto3"; import "etcd/api/kv/kv.proto"; import "flow/flow.proto";',
    'kv/kv.proto': '',
    'v1/flow/flow.proto': '',
    'v2/flow/flow.proto': '',
  });
  t.strictSame(
    elsewhere.problems.warnings.map(({ hint }) => hint),
    [
      'the file is kv/kv.proto: put the folder that "kv/kv.proto" starts from at etcd/api below another one (a link will do), and name that with --proto-path',
      'the file is v1/flow/flow.proto: add --proto-path v1',
    ],
  );
  t.end();
});

function encodeSet(...file: Partial<FileDescriptorProto>[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: file as FileDescriptorProto[] }));
}

void t.test('a descriptor set without its imports', (t) => {
  const field = {
    name: 'a',
    number: 1,
    label: FieldDescriptorProto_Label.OPTIONAL,
    type: FieldDescriptorProto_Type.STRING,
  };
  const file = (dependency: string[], typeName?: string): Partial<FileDescriptorProto> =>
    ({
      name: 'one.proto',
      syntax: 'proto3',
      dependency,
      publicDependency: [2],
      weakDependency: [0],
      optionDependency: ['lost/options.proto'],
      messageType: [
        {
          name: 'M',
          field: [typeName === undefined ? field : { ...field, type: FieldDescriptorProto_Type.MESSAGE, typeName }],
        },
      ],
      service: [{ name: 'S', method: [{ name: 'R', inputType: '.M', outputType: '.M' }] }],
    }) as unknown as Partial<FileDescriptorProto>;
  const load = (files: Files): ReturnType<typeof loadText> => loadText(files, { descriptorSets: ['a.binpb'] });
  const dependencies = ['weak.proto', 'gone/gone.proto', 'google/protobuf/empty.proto'];
  const needed = load({ 'a.binpb': encodeSet(file(dependencies, '.gone.T')) });
  t.strictSame(
    needed.problems.errors.map(({ code, message, hint }) => [code, message, hint]),
    [
      [
        'import-not-found',
        `import "gone/gone.proto" is not in the descriptor set, and ${folders}; it is needed for the type ".gone.T" of field M.a`,
        'write a.binpb with --include_imports (buf build does so by itself)',
      ],
    ],
  );
  const { schema, problems } = load({ 'a.binpb': encodeSet(file(dependencies)) });
  t.strictSame(problems.errors, []);
  t.strictSame(
    problems.warnings.map(({ message }) => message),
    [
      `import "gone/gone.proto" is not in the descriptor set, and ${folders}; one.proto uses no type of it, and its options are ignored`,
    ],
  );
  // Who asks for the file by reflection could not have what it imports.
  const one = fromBinary(FileDescriptorProtoSchema, schema.files[0]!.encoded);
  t.strictSame(one.dependency, ['google/protobuf/empty.proto']);
  t.strictSame(one.publicDependency, [0]);
  t.strictSame(one.weakDependency, []);
  t.strictSame(one.optionDependency, []);
  t.equal(one.service[0]?.method[0]?.name, 'R');
  createFileRegistry(
    create(FileDescriptorSetSchema, {
      file: [...schema.files].reverse().map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded)),
    }),
  );
  t.end();
});
