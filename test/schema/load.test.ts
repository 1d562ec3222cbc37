/** From arguments to files: what is found where, what is served, and every problem with its sentence. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import t from 'tap';
import { diskFiles, loadSchema, memoryFiles, type FileReader } from '../../lib/schema/index.js';
import { ProblemList, type Problem } from '../../lib/status.js';
import { annotationsRoot, loadText, schemaFromText, type SchemaTextOptions } from '../support/schema.js';

type Files = Readonly<Record<string, string | Uint8Array>>;

const service = (name: string, imports = ''): string =>
  `syntax = "proto3"; ${imports} service ${name} { rpc M(${name}T) returns (${name}T); } message ${name}T {}`;

const served = (files: Files, options: SchemaTextOptions): string[] =>
  schemaFromText(files, options).services.map(({ fullName }) => fullName);

const brief = ({ code, message, place, hint, rpc }: Problem): unknown => {
  const where =
    place === undefined ? '' : [place.file, place.line, place.column].filter((part) => part !== undefined).join(':');
  return [code, where, message, hint ?? '', ...(rpc === undefined ? [] : [rpc])];
};

void t.test('which files are named, and in which order', (t) => {
  const files = {
    'protos/b/two.proto': service('Two'),
    'protos/a/one.proto': service('One'),
    'protos/.hidden/no.proto': service('Hidden'),
    'protos/node_modules/x/no.proto': service('Module'),
    'protos/readme.md': '#',
    'other/three.proto': service('Three', 'import "a/one.proto";'),
  };
  const cases: readonly (readonly [name: string, options: SchemaTextOptions, services: readonly string[]])[] = [
    ['a folder, sorted', { protos: ['protos'] }, ['One', 'Two']],
    ['a folder by its absolute path', { protos: ['/memory/protos/'] }, ['One', 'Two']],
    ['files in the order of the arguments', { protos: ['protos/b/two.proto', 'protos/a/one.proto'] }, ['Two', 'One']],
    ['imports are not served', { protos: ['other/three.proto'], protoPaths: ['protos'] }, ['Three']],
    ['a named folder is an import root', { protos: ['other', 'protos'] }, ['Three', 'One', 'Two']],
    ['named twice is once', { protos: ['protos/b/two.proto', 'protos', './protos/a/one.proto'] }, ['Two', 'One']],
    ['below a proto path', { protos: ['a/one.proto'], protoPaths: ['protos'] }, ['One']],
    ['glob over folders', { protos: ['protos/**/*.proto'] }, ['One', 'Two']],
    ['glob in a folder', { protos: ['protos/*/t*.proto'] }, ['Two']],
    ['glob of one character', { protos: ['protos/?/*.proto'] }, ['One', 'Two']],
    ['glob of a set', { protos: ['protos/[!a]/*'] }, ['Two']],
    ['glob of alternatives', { protos: ['{protos/b,protos/a}/{one,two}.proto'] }, ['One', 'Two']],
    ['glob with all below', { protos: ['protos/**'] }, ['One', 'Two']],
    ['glob that starts with all', { protos: ['**/one.proto'] }, ['One']],
  ];
  for (const [name, options, services] of cases) t.strictSame(served(files, options), services, name);
  t.end();
});

void t.test('where imports are found', (t) => {
  const main = 'syntax = "proto3"; import "x/y.proto"; service S { rpc M(T) returns (T); }';
  const marked = (field: string): string => `syntax = "proto3"; message T { int32 ${field} = 1; }`;
  const found = (files: Files, options: SchemaTextOptions): string | undefined =>
    schemaFromText(files, options).message('T')?.fields[0]?.name;
  const everywhere = {
    'p1/x/y.proto': marked('p1'),
    'p2/x/y.proto': marked('p2'),
    'named/x/y.proto': marked('named'),
    'x/y.proto': marked('cwd'),
    'deep/own/main.proto': main,
    'deep/own/x/y.proto': marked('own'),
  };
  const without = (...names: string[]): Files =>
    Object.fromEntries(Object.entries(everywhere).filter(([name]) => !names.includes(name)));
  const protos = ['deep/own/main.proto', 'named'];
  t.equal(
    found(everywhere, { protos: ['deep/own/main.proto'], protoPaths: ['p1', 'p2'] }),
    'p1',
    'proto paths, in order',
  );
  t.equal(found(everywhere, { protos: ['deep/own/main.proto'], protoPaths: ['p2', 'p1'] }), 'p2');
  t.equal(found(everywhere, { protos }), 'named', 'then named folders');
  t.equal(found(everywhere, { protos: ['deep/own/main.proto'] }), 'cwd', 'then the working directory');
  t.equal(found(without('x/y.proto'), { protos: ['deep/own/main.proto'] }), 'own', 'then the folder of a named file');
  const lonely = without('x/y.proto', 'deep/own/x/y.proto');
  t.equal(
    found(lonely, { protos: ['named/x/y.proto', 'deep/own/main.proto'] }),
    'named',
    'then a named file whose path ends so',
  );
  const two = loadText(lonely, { protos: ['named/x/y.proto', 'p1/x/y.proto', 'deep/own/main.proto'] });
  t.match(two.problems.errors, [{ code: 'duplicate-type' }, { code: 'import-not-found' }], 'not if there are two');
  const names = (files: Files, options: SchemaTextOptions): string[] =>
    schemaFromText(files, options).files.map(({ name }) => name);
  t.strictSame(names(everywhere, { protos: ['deep/own/main.proto'], protoPaths: ['deep'] }), [
    'own/main.proto',
    'x/y.proto',
  ]);
  t.end();
});

void t.test('a file is one file, whatever names lead to it', (t) => {
  const files = {
    'protos/a.proto': service('A', 'import "b.proto";'),
    'protos/b.proto': service('B'),
    'c.proto': service('C', 'import "protos/a.proto";'),
  };
  const schema = schemaFromText(files, { protos: ['c.proto', 'protos'], protoPaths: ['.'] });
  t.strictSame(
    schema.files.map(({ name, order }) => [name, order]),
    [
      ['c.proto', 0],
      ['protos/a.proto', 1],
      ['protos/b.proto', 2],
    ],
  );
  t.end();
});

void t.test('one number of two options is a warning: text names the one that is meant', (t) => {
  const extension = (name: string): string =>
    `syntax = "proto3"; import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { string ${name} = 50000; }`;
  const { problems } = loadText({ 'a.proto': extension('a'), 'b.proto': extension('b') });
  t.strictSame(problems.errors, []);
  t.strictSame(problems.warnings.map(brief), [
    [
      'duplicate-number',
      'b.proto:1:101',
      'extensions a and b of google.protobuf.FieldOptions have one number, 50000',
      'give one of them another number',
    ],
  ]);
  t.end();
});

void t.test('the first proto path wins', (t) => {
  const files = { 'p1/a.proto': service('First'), 'p2/a.proto': service('Second'), 'p2/b.proto': service('Third') };
  const { schema, problems } = loadText(files, { protos: ['p1', 'p2'] });
  t.strictSame(
    schema.services.map(({ fullName }) => fullName),
    ['First', 'Third'],
  );
  t.strictSame(problems.errors, []);
  t.strictSame(problems.warnings.map(brief), [
    [
      'shadowed-file',
      '',
      'p2/a.proto (named by "p2") is ignored: imports of "a.proto" find p1/a.proto first',
      'remove one of them, or change the order of --proto-path',
    ],
  ]);
  // Two files that no proto path holds are two, though each is called the same in its folder.
  const outside = { '/x/a.proto': service('First'), '/y/a.proto': service('Second') };
  t.strictSame(served(outside, { protos: ['/x/a.proto', '/y/a.proto'] }), ['First', 'Second']);
  t.end();
});

void t.test("a user's own google files come before ours", (t) => {
  const schema = schemaFromText(
    {
      'a.proto':
        'syntax = "proto3"; import "google/rpc/status.proto"; service S { rpc M(google.rpc.Status) returns (google.rpc.Status); }',
      'third_party/google/rpc/status.proto':
        'syntax = "proto3"; package google.rpc; message Status { int32 mine = 1; }',
    },
    { protos: ['a.proto'], protoPaths: ['third_party'] },
  );
  t.equal(schema.message('google.rpc.Status')!.fields[0]!.name, 'mine');
  t.end();
});

void t.test("a tree that is named as a whole, the user's copies of google files in it", (t) => {
  const files = {
    'protos/a/v1/a.proto': service('A', 'import "b/b.proto"; import "google/rpc/status.proto";'),
    'protos/b/b.proto': 'syntax = "proto3"; import "google/rpc/status.proto"; message B { google.rpc.Status s = 1; }',
    'third_party/google/rpc/status.proto': 'syntax = "proto3"; package google.rpc; message Status { int32 mine = 1; }',
  };
  const schema = schemaFromText(files, { protos: ['.'] });
  t.strictSame(
    schema.files.map(({ name }) => name),
    Object.keys(files),
    'each once',
  );
  t.equal(schema.message('google.rpc.Status')!.fields[0]!.name, 'mine');
  t.end();
});

void t.test('problems: what was found, what was expected, what to write', (t) => {
  const head = 'syntax = "proto3"; package p;\n';
  const cases: readonly (readonly [files: Files, options: SchemaTextOptions, problems: readonly unknown[]])[] = [
    [
      { 'protos/orders.proto': head },
      { protos: ['protos/order.proto'] },
      [
        [
          'file-not-found',
          '',
          'no file or folder "protos/order.proto"; looked at /memory/protos/order.proto',
          'did you mean protos/orders.proto?',
        ],
      ],
    ],
    [
      { 'a/x.proto': head },
      { protos: ['nowhere.proto'], protoPaths: ['a'] },
      [
        [
          'file-not-found',
          '',
          'no file or folder "nowhere.proto"; looked at /memory/nowhere.proto, /memory/a/nowhere.proto',
          'check the path, or add its root with --proto-path',
        ],
      ],
    ],
    [
      { 'protos/readme.md': '' },
      { protos: ['protos'] },
      [
        [
          'no-proto-files',
          '',
          'folder "protos" holds no .proto file, at any depth',
          'name a folder or file that does; hidden folders and node_modules are not searched',
        ],
      ],
    ],
    [
      { 'protos/a/x.proto': head },
      { protos: ['protos/*.proto'] },
      [
        [
          'no-proto-files',
          '',
          '"protos/*.proto" matches no .proto file below /memory',
          '"*" stays within a folder, "**" crosses them: "protos/**/*.proto"',
        ],
      ],
    ],
    [
      { 'a.proto': head },
      { protos: ['a.proto'], protoPaths: ['nope'] },
      [
        [
          'proto-path',
          '',
          '--proto-path nope is not a folder; looked at /memory/nope',
          'name the folder that the import names start from',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}import "b/missing.proto";\nmessage M { b.T t = 1; }` },
      { protoPaths: ['inc'] },
      [
        [
          'proto-path',
          '',
          '--proto-path inc is not a folder; looked at /memory/inc',
          'name the folder that the import names start from',
        ],
        [
          'import-not-found',
          'a.proto:2:8',
          `import "b/missing.proto" is in none of the import folders: /memory/inc, /memory, ${annotationsRoot}; it is needed for the type "b.T" of field p.M.t`,
          'add the folder that it is relative to with --proto-path; if Buf has it: "buf export . -o all" and --proto-path all, or "buf build -o image.binpb" and --descriptor-set image.binpb',
        ],
      ],
    ],
    [
      {
        'top/in/v1/a.proto': `${head}import "in/v1/b.proto";\nmessage M { in.v1.T t = 1; }`,
        'top/in/v1/b.proto': head,
      },
      { protos: ['top/in/v1/a.proto'] },
      [
        [
          'import-not-found',
          'top/in/v1/a.proto:2:8',
          `import "in/v1/b.proto" is in none of the import folders: /memory, /memory/top/in/v1, ${annotationsRoot}; it is needed for the type "in.v1.T" of field p.M.t`,
          'add --proto-path top',
        ],
      ],
    ],
    [
      {
        'a.proto': `${head}import "google/api/annotation.proto";\nmessage M {} service S { rpc R(M) returns (M) { option (google.api.http) = { get: "/r" }; } }`,
      },
      {},
      [
        [
          'import-not-found',
          'a.proto:2:8',
          `import "google/api/annotation.proto" is in none of the import folders: /memory, ${annotationsRoot}; it is needed for the option (google.api.http) of rpc p.S.R`,
          'did you mean "google/api/annotations.proto"?',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}import "../b.proto";` },
      {},
      [
        [
          'import-name',
          'a.proto:2:8',
          'import "../b.proto" is not a valid import name: "..", ".", empty parts and backslashes are not allowed',
          'write the path from an import folder on, with "/" between its parts',
        ],
      ],
    ],
    [
      { 'a.proto': Buffer.from([0x0a, 0xff, 0xfe, 0x00]) },
      {},
      [
        [
          'proto-syntax',
          'a.proto',
          'a.proto is not UTF-8 text',
          'convert it to UTF-8; a compiled descriptor set is given with --descriptor-set',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}message Shelf {}\nmessage M { Shelv s = 1; }` },
      {},
      [
        [
          'unresolved-type',
          'a.proto:3:13',
          'field p.M.s has the type "Shelv", which no file declares',
          'did you mean p.Shelf?',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}service S {\n  rpc Get(Nothing) returns (stream google.protobuf.Empty);\n}` },
      {},
      [
        [
          'unresolved-type',
          'a.proto:3:3',
          'the request of rpc p.S.Get is of type "Nothing", which no file declares',
          'declare it, or import the file that does',
          'p.S.Get',
        ],
        [
          'unresolved-type',
          'a.proto:3:3',
          'the response of rpc p.S.Get is of type "google.protobuf.Empty", which no file declares',
          'add: import "google/protobuf/empty.proto";',
          'p.S.Get',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}enum E { Z = 0; }\nservice S { rpc Get(E) returns (E); }` },
      {},
      [
        [
          'unresolved-type',
          'a.proto:3:13',
          'the request of rpc p.S.Get is of type "E", which is an enum; expected a message',
          'name a message',
          'p.S.Get',
        ],
        [
          'unresolved-type',
          'a.proto:3:13',
          'the response of rpc p.S.Get is of type "E", which is an enum; expected a message',
          'name a message',
          'p.S.Get',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}message M { T t = 1; map<string, T> m = 2; }`, 'b.proto': `${head}message T {}` },
      {},
      [
        [
          'unresolved-type',
          'a.proto:2:13',
          'field p.M.t has the type "T", which b.proto declares, but a.proto does not import that file',
          'add: import "b.proto";',
        ],
        [
          'unresolved-type',
          'a.proto:2:22',
          'field p.M.m has the type "T", which b.proto declares, but a.proto does not import that file',
          'add: import "b.proto";',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}message M {}\nextend M2 { optional int32 x = 100; }` },
      {},
      [['unresolved-type', 'a.proto:3:13', 'extension p.x extends "M2", which no file declares', 'did you mean p.M?']],
    ],
    [
      { 'a.proto': `${head}message M {}`, 'b.proto': `${head}enum M { Z = 0; }` },
      {},
      [
        [
          'duplicate-type',
          'b.proto:2:1',
          'enum p.M is declared in b.proto, but a.proto:2 declares it already',
          'where both are copies of one file, give its import root once with --proto-path; else rename one of them',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}message M {}\nmessage M {}` },
      {},
      [
        [
          'duplicate-type',
          'a.proto:3:1',
          'message p.M is declared in a.proto, but a.proto:2 declares it already',
          'rename or remove one of them',
        ],
      ],
    ],
    [
      {
        'a.proto': `${head}message M {}\nservice S { rpc Get(M) returns (M) { option (google.api.http) = { get: "/" }; } }`,
      },
      {},
      [
        [
          'unknown-option',
          'a.proto:3:45',
          'option (google.api.http) of rpc p.S.Get is declared by no file that a.proto imports',
          'add: import "google/api/annotations.proto";',
          'p.S.Get',
        ],
      ],
    ],
    [
      {
        'a.proto': `${head}import "google/api/annotations.proto";\nmessage M {}\nservice S { rpc Get(M) returns (M) { option (google.api.http) = "/"; } }`,
      },
      {},
      [
        [
          'option-value',
          'a.proto:4:45',
          'option (google.api.http) of rpc p.S.Get is a google.api.HttpRule, found a single value',
          'write option (google.api.http) = { … };',
          'p.S.Get',
        ],
      ],
    ],
    [
      {
        'a.proto': `${head}message M { int32 a = 1; int32 a = 2; int32 b = 1; }\nservice S { rpc G(M) returns (M); rpc G(M) returns (M); }`,
      },
      {},
      [
        ['duplicate-name', 'a.proto:2:26', 'field p.M.a is declared in line 2 already', 'rename or remove one of them'],
        [
          'duplicate-number',
          'a.proto:2:39',
          'field p.M.b has number 1, which a has already',
          'give it a number of its own',
        ],
        ['duplicate-name', 'a.proto:3:35', 'rpc p.S.G is declared in line 3 already', 'rename or remove one of them'],
      ],
    ],
    [
      {
        'a.proto': `${head}message M { int32 a = 0; int32 b = 19000; int32 c = 536870912; reserved 5 to 7; reserved "d"; int32 e = 6; int32 d = 8; }`,
      },
      {},
      [
        [
          'field-number',
          'a.proto:2:13',
          'field p.M.a has number 0; expected 1 to 536870911 without 19000 to 19999',
          '',
        ],
        [
          'field-number',
          'a.proto:2:26',
          'field p.M.b has number 19000; expected 1 to 536870911 without 19000 to 19999',
          '',
        ],
        [
          'field-number',
          'a.proto:2:43',
          'field p.M.c has number 536870912; expected 1 to 536870911 without 19000 to 19999',
          '',
        ],
        ['reserved', 'a.proto:2:95', 'field p.M.e has a reserved number 6', 'take another one'],
        ['reserved', 'a.proto:2:108', 'field p.M.d has a reserved name', 'take another one'],
      ],
    ],
    [
      {
        'a.proto': `${head}message M { int32 foo_bar = 1; int32 fooBar = 2; int32 x = 3 [json_name = "y"]; int32 y = 4; }`,
      },
      {},
      [
        [
          'json-name',
          'a.proto:2:32',
          'fields foo_bar and fooBar of p.M have one JSON name, "fooBar"',
          'rename one of them, or give it a [json_name = "…"]',
        ],
        [
          'json-name',
          'a.proto:2:81',
          'fields x and y of p.M have one JSON name, "y"',
          'rename one of them, or give it a [json_name = "…"]',
        ],
      ],
    ],
    [
      { 'a.proto': `${head}enum A { X = 1; }\nenum B { Y = 0; Z = 0; }\nenum C {}` },
      {},
      [
        [
          'proto-rule',
          'a.proto:2:10',
          'the first value of enum p.A is X = 1; expected 0',
          'put a value with number 0 first',
        ],
        [
          'duplicate-number',
          'a.proto:3:17',
          'enum values Y and Z of p.B have one number, 0',
          'renumber one, or set option allow_alias = true; in the enum',
        ],
        ['proto-rule', 'a.proto:4:1', 'enum p.C has no value; expected at least one', ''],
      ],
    ],
    [
      { 'a.proto': 'message M { string a = 1; }' },
      {},
      [
        [
          'proto-rule',
          'a.proto:1:13',
          'field M.a has no label; in proto2 it is optional, required or repeated',
          'proto3 is meant? Start the file with: syntax = "proto3";',
        ],
      ],
    ],
    [
      {
        'a.proto': `${head}message M { required string a = 1; optional group G = 2 {} }`,
        'b.proto': 'edition = "2023"; message N { optional string a = 1; }',
      },
      {},
      [
        ['proto-rule', 'a.proto:2:13', 'field p.M.a is required, which proto3 has not', 'remove it'],
        ['proto-rule', 'a.proto:2:36', 'field p.M.g is a group, which only proto2 has', 'declare a message'],
        [
          'proto-rule',
          'b.proto:1:31',
          'field N.a is optional, which edition 2023 has not',
          'remove it; features.field_presence says EXPLICIT or LEGACY_REQUIRED instead',
        ],
      ],
    ],
    [
      {
        'a.proto':
          'syntax = "proto2"; message M { extensions 1 to max; } extend M { optional int32 a = 5; optional int32 b = 5; }',
      },
      {},
      [
        [
          'duplicate-number',
          'a.proto:1:88',
          'extensions a and b of M have one number, 5',
          'give one of them another number',
        ],
      ],
    ],
    [
      { 'a.binpb': Buffer.from('not a set') },
      { descriptorSets: ['a.binpb', 'b.binpb'] },
      [
        [
          'descriptor-set',
          'a.binpb',
          '"a.binpb" is not a FileDescriptorSet: unexpected wire type 6 of field 13',
          'make one with protoc --include_imports --include_source_info -o FILE, or with buf build -o FILE.binpb',
        ],
        ['file-not-found', '', 'no file or folder "b.binpb"; looked at /memory/b.binpb', 'did you mean a.binpb?'],
      ],
    ],
    [
      { 'a.proto': head, 'b.binpb': Buffer.alloc(0) },
      { protos: [], descriptorSets: ['a.proto', 'b.binpb'] },
      [
        [
          'descriptor-set',
          'a.proto',
          '"a.proto" is not a FileDescriptorSet: unexpected wire type 7 of field 13',
          'give .proto files with --proto',
        ],
        [
          'descriptor-set',
          'b.binpb',
          '"b.binpb" is not a FileDescriptorSet: it holds no file',
          'make one with protoc --include_imports --include_source_info -o FILE, or with buf build -o FILE.binpb',
        ],
      ],
    ],
  ];
  for (const [files, options, expected] of cases) {
    t.strictSame(
      loadText(files, options).problems.errors.map(brief),
      expected,
      JSON.stringify(options) + Object.values(files).join(),
    );
  }
  t.end();
});

void t.test('a slip in an option that changes the bytes is no option', (t) => {
  const slips: readonly (readonly [text: string, message: string, hint?: string])[] = [
    [
      '[features.field_presense = IMPLICIT]',
      'features.field_presense is no feature',
      'did you mean features.field_presence?',
    ],
    ['[features.field_presence = IMPLICT]', 'features.field_presence is one of EXPLICIT, IMPLICIT, LEGACY_REQUIRED'],
    ['[features.utf8_validation = 2]', 'features.utf8_validation is one of VERIFY, NONE'],
    ['[features = { message_encoding: DELIMITTED }]', 'features.message_encoding is one of LENGTH_PREFIXED, DELIMITED'],
    ['[features = IMPLICIT]', 'option features is a message', 'write { field_presence: IMPLICIT }'],
    ['[json_name = x]', 'option json_name is a string', 'put it in quotes'],
    ['[packed = "true"]', 'option packed is true or false'],
    ['[deprecated = 1]', 'option deprecated is true or false'],
  ];
  for (const [option, message, hint] of slips) {
    const { problems } = loadText(`edition = "2023"; message M { int32 a = 1 ${option}; }`);
    t.strictSame(problems.errors.map(brief), [['proto-rule', 'test.proto:1:44', message, hint ?? '']], option);
  }
  const places = [
    'option features.x = Y;',
    'message M { option features.x = Y; }',
    'message M { oneof o { option features.x = Y; int32 a = 1; } }',
  ];
  for (const text of [
    ...places,
    'enum E { option features.x = Y; A = 0; }',
    'message M { extensions 1; } extend M { int32 a = 1 [features.x = Y]; }',
  ]) {
    t.strictSame(
      loadText(`edition = "2023"; ${text}`).problems.errors.map(({ message }) => message),
      ['features.x is no feature'],
      text,
    );
  }
  t.strictSame(
    loadText('syntax = "proto3"; message M { int32 a = 1 [features.field_presence = EXPLICIT]; }').problems.errors.map(
      ({ message }) => message,
    ),
    ['features are for editions, the file is proto3'],
  );
  const fine =
    '[features.json_format = ALLOW, features.(pb.go).api_level = API_OPAQUE, features = { [pb.go] {} }, jstype = JS_STRING]';
  t.strictSame(loadText(`edition = "2023"; message M { int64 a = 1 ${fine}; }`).problems.errors, []);
  t.end();
});

void t.test('one missing import is one problem, not one for each name in it', (t) => {
  const { schema, problems } = loadText({
    'a.proto': `syntax = "proto3"; import "gone.proto"; import "broken.proto";
      service S { rpc A(gone.T) returns (B); rpc C(D) returns (D) { option (gone.o) = {}; } } message D { gone.T t = 1; int32 i = 2; }`,
    'broken.proto': 'syntax = "proto3"; message B { int32 x 1; } message E {',
  });
  t.strictSame(
    problems.errors.map(({ code }) => code),
    ['proto-syntax', 'proto-syntax', 'import-not-found'],
  );
  t.strictSame(
    schema.services[0]!.methods.map(({ name }) => name),
    ['C'],
    'what is whole is there',
  );
  t.strictSame(
    schema.message('D')!.fields.map(({ name }) => name),
    ['i'],
  );
  t.end();
});

void t.test('weak imports may be missing', (t) => {
  t.strictSame(served({ 'a.proto': service('A', 'import weak "gone.proto";') }, {}), ['A']);
  t.end();
});

// ---- descriptor sets

function encodeSet(...file: Partial<FileDescriptorProto>[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: file as FileDescriptorProto[] }));
}

const setFile = (name: string, dependency: string[] = []): Partial<FileDescriptorProto> =>
  ({
    name: `${name}.proto`,
    package: 'p',
    syntax: 'proto3',
    dependency,
    messageType: [{ name: `${name}T` }],
    service: [{ name, method: [{ name: 'M', inputType: `.p.${name}T`, outputType: `.p.${name}T` }] }],
  }) as unknown as Partial<FileDescriptorProto>;

void t.test('all of a descriptor set is served', (t) => {
  const files = {
    'one.binpb': encodeSet(setFile('Dep'), setFile('One', ['Dep.proto', 'google/api/annotations.proto'])),
    'two.binpb': encodeSet(setFile('Dep'), setFile('Two', ['Dep.proto'])),
    'text.proto': service('Text'),
  };
  const schema = schemaFromText(files, { descriptorSets: ['one.binpb', 'two.binpb'] });
  t.strictSame(
    schema.services.map(({ fullName, file }) => [fullName, file.name, file.order]),
    [
      ['Text', 'text.proto', 0],
      ['p.Dep', 'Dep.proto', 1],
      ['p.One', 'One.proto', 2],
      ['p.Two', 'Two.proto', 3],
    ],
  );
  t.strictSame(schema.services[1]!.methods[0]!.place, { file: 'Dep.proto' });
  t.equal(schema.services[1]!.methods[0]!.comment, '');
  t.end();
});

void t.test('imports that lead back to their file are refused, and the way is named', (t) => {
  const importing = (...names: readonly string[]): string =>
    `syntax = "proto3"; ${names.map((name) => `import public "${name}.proto";`).join(' ')}`;
  const row = 5000;
  const chain = (last: string): Files =>
    Object.fromEntries(
      Array.from({ length: row }, (_, at) => [`f${at}.proto`, importing(at === row - 1 ? last : `f${at + 1}`)]),
    );
  const rows: readonly [files: Files, ways: readonly string[]][] = [
    [{ 'a.proto': importing('a') }, ['a.proto imports itself: a.proto → a.proto']],
    [{ 'a.proto': importing('b'), 'b.proto': importing('a') }, ['a.proto imports itself: a.proto → b.proto → a.proto']],
    [
      {
        'a.proto': importing('b'),
        'b.proto': importing('c'),
        'c.proto': importing('d', 'b'),
        'd.proto': importing('c'),
      },
      ['c.proto imports itself: c.proto → d.proto → c.proto', 'b.proto imports itself: b.proto → c.proto → b.proto'],
    ],
    [
      { 'a.proto': importing('b', 'c'), 'b.proto': importing('d'), 'c.proto': importing('d'), 'd.proto': importing() },
      [],
    ],
    [
      chain('f0'),
      [
        `f0.proto imports itself: f0.proto → f1.proto → f2.proto → f3.proto → f4.proto → … → f${row - 4}.proto → f${row - 3}.proto → f${row - 2}.proto → f${row - 1}.proto → f0.proto`,
      ],
    ],
  ];
  for (const [files, ways] of rows) {
    const { problems } = loadText(files);
    const found = problems.errors.filter(({ code }) => code === 'import-cycle');
    t.strictSame(
      found.map(({ message }) => message),
      ways,
      ways.join().slice(0, 60),
    );
    for (const { place } of found) t.equal(place?.line, 1);
    t.equal(problems.errors.length, found.length);
  }
  const sets = { 's.binpb': encodeSet(setFile('A', ['B.proto']), setFile('B', ['A.proto'])) };
  t.match(loadText(sets, { descriptorSets: ['s.binpb'] }).problems.errors, [
    { code: 'import-cycle', message: 'A.proto imports itself: A.proto → B.proto → A.proto' },
  ]);
  t.end();
});

void t.test('two sets with different files of one name are refused, and both are named', (t) => {
  const dep = (type: number): Partial<FileDescriptorProto> =>
    ({
      name: 'Dep.proto',
      syntax: 'proto3',
      messageType: [{ name: 'Dep', field: [{ name: 'x', number: 1, label: 1, type, jsonName: 'x' }] }],
    }) as unknown as Partial<FileDescriptorProto>;
  const text = (type: string): string => `syntax = "proto3"; message Dep { ${type} x = 1; }`;
  const both = (where: string): string => `two files are named "Dep.proto" and declare different things: ${where}`;
  const STRING = 9;
  const INT32 = 5;
  const rows: readonly [files: Files, message: string | undefined][] = [
    [
      { 'one.binpb': encodeSet(dep(STRING)), 'two.binpb': encodeSet(dep(INT32)) },
      both('in one.binpb and in two.binpb'),
    ],
    [{ 'one.binpb': encodeSet(dep(STRING)), 'two.binpb': encodeSet(dep(STRING)) }, undefined],
    [{ 'one.binpb': encodeSet(dep(STRING), dep(INT32)) }, both('both in one.binpb')],
    // Comments, and options for a compiler, make no other file of it.
    [
      {
        'one.binpb': encodeSet(dep(STRING)),
        'two.binpb': encodeSet({
          ...dep(STRING),
          options: { goPackage: 'x' },
        } as unknown as Partial<FileDescriptorProto>),
      },
      undefined,
    ],
    [{ 'Dep.proto': text('string'), 'one.binpb': encodeSet(dep(STRING)) }, undefined],
    [{ 'Dep.proto': text('int32'), 'one.binpb': encodeSet(dep(STRING)) }, both('in Dep.proto and in one.binpb')],
  ];
  for (const [files, message] of rows) {
    const { problems } = loadText(files, {
      descriptorSets: Object.keys(files).filter((name) => name.endsWith('.binpb')),
    });
    t.strictSame(
      problems.errors.map((problem) => problem.message),
      message === undefined ? [] : [message],
    );
  }
  t.end();
});

void t.test('a set of an edition to come', (t) => {
  const future = { ...setFile('One'), syntax: 'editions', edition: 9999 } as Partial<FileDescriptorProto>;
  const { problems } = loadText({ 'a.binpb': encodeSet(future) }, { descriptorSets: ['a.binpb'] });
  t.strictSame(
    problems.errors.map(({ code }) => code),
    ['edition'],
  );
  t.end();
});

void t.test('broken sets are refused, never half taken', (t) => {
  const whole = Buffer.from(encodeSet(setFile('Dep'), setFile('One', ['Dep.proto'])));
  for (let length = 0; length < whole.length; length++) {
    const { schema, problems } = loadText({ 'a.binpb': whole.subarray(0, length) }, { descriptorSets: ['a.binpb'] });
    if (problems.errors.length === 0)
      t.strictSame(
        schema.services.map(({ name }) => name),
        ['Dep'],
        'cut between two files',
      );
    else
      t.strictSame(
        problems.errors.map(({ code }) => code),
        ['descriptor-set'],
      );
  }
  for (let at = 0; at < whole.length; at++) {
    const broken = Buffer.from(whole);
    broken[at]! ^= 0x55;
    const { schema } = loadText({ 'a.binpb': broken }, { descriptorSets: ['a.binpb'] });
    for (const { methods } of schema.services)
      void methods.map((method) => [method.option('google.api.http'), method.input.fields]);
  }
  t.end();
});

void t.test('options that cannot be read', (t) => {
  const raw = create(FileDescriptorSetSchema, {
    file: [setFile('One', ['google/api/annotations.proto']) as FileDescriptorProto],
  });
  raw.file[0]!.service[0]!.method[0]!.options = {
    $typeName: 'google.protobuf.MethodOptions',
    // A google.api.http of one byte: a tag without its value.
    $unknown: [{ no: 72295728, wireType: 2, data: Buffer.of(1, 0x0a) }],
    deprecated: false,
    idempotencyLevel: 0,
    uninterpretedOption: [],
  } as never;
  const { schema, problems } = loadText(
    { 'a.binpb': toBinary(FileDescriptorSetSchema, raw) },
    { descriptorSets: ['a.binpb'] },
  );
  t.strictSame(
    problems.errors.map(({ code, rpc }) => [code, rpc]),
    [['option-value', 'p.One.M']],
  );
  t.equal(schema.services[0]!.methods[0]!.option('google.api.http'), undefined);
  t.end();
});

// ---- readers

void t.test('the disk: links, circles, and what cannot be read', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schema-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, '..data/real'), { recursive: true });
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, '..data/real/a.proto'), service('A'));
  writeFileSync(join(folder, 'sub/b.proto'), service('B'));
  symlinkSync('..data/real/a.proto', join(folder, 'a.proto'));
  symlinkSync('..', join(folder, 'sub/up'));
  symlinkSync('nothing', join(folder, 'dangling.proto'));
  const problems = new ProblemList();
  const sources = { protos: ['.'], protoPaths: [], descriptorSets: [], workingDirectory: folder, annotationsRoot };
  const schema = loadSchema(sources, problems);
  t.strictSame(problems.errors, []);
  t.strictSame(
    schema.services.map(({ name }) => name),
    ['A', 'B'],
  );

  const refused: FileReader = {
    ...diskFiles,
    read: (path) => {
      if (path === join(folder, 'sub/b.proto')) throw new Error('EACCES: permission denied');
      return diskFiles.read(path);
    },
  };
  loadSchema(sources, problems, refused);
  t.strictSame(problems.errors.map(brief), [
    [
      'file-unreadable',
      '',
      `cannot read "${join(folder, 'sub/b.proto')}": EACCES: permission denied`,
      'check its permissions',
    ],
  ]);
  t.end();
});

void t.test('memory files are listed as folders are', (t) => {
  const files = memoryFiles({ 'a/b/c.proto': 'x', 'a/d.proto': 'y' }, '/root');
  t.strictSame(files.list('/root/a'), [
    { name: 'b', folder: true },
    { name: 'd.proto', folder: false },
  ]);
  t.equal(files.list('/root/a/d.proto'), undefined);
  t.equal(files.read('/root/a/b'), undefined);
  t.equal(files.read('/root/a/d.proto')?.toString(), 'y');
  t.end();
});
