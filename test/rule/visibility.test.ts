/** google.api.visibility is ignored: one warning lists what is served all the same. */
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import t from 'tap';
import { Restrictions, warnOfVisibility } from '../../lib/rule/index.js';
import type { Schema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { runMain } from '../support/cli.js';
import { loadText, schemaFromText } from '../support/schema.js';

const rule = (path: string): string => `option (google.api.http) = { get: "${path}" };`;

const files = {
  'a.proto': `syntax = "proto3"; package p;
import "google/api/annotations.proto";
import "google/api/visibility.proto";
import "types.proto";
service S {
  rpc Open(M) returns (M) { ${rule('/open')} }
  rpc Hidden(M) returns (M) { option (google.api.method_visibility).restriction = "INTERNAL, PREVIEW"; ${rule('/hidden')} }
  rpc Empty(M) returns (M) { option (google.api.method_visibility) = { restriction: "" }; ${rule('/empty')} }
  rpc Selected(M) returns (M) { option (google.api.method_visibility) = { selector: "x" }; ${rule('/selected')} }
}
service Secret {
  option (google.api.api_visibility) = { restriction: "INTERNAL" };
  rpc A(M) returns (M) { ${rule('/a')} option (google.api.method_visibility).restriction = "TRUSTED"; }
  rpc B(M) returns (M) { ${rule('/b')} }
  rpc Unannotated(M) returns (M);
}`,
  'types.proto': `syntax = "proto3"; package p;
import "google/api/visibility.proto";
message M {
  option (google.api.message_visibility).restriction = "M1";
  string open = 1;
  string field = 2 [(google.api.field_visibility).restriction = "F1"];
  message N { string inner = 1 [deprecated = true, (google.api.field_visibility) = { restriction: "F1" }]; }
}
enum E { option (google.api.enum_visibility).restriction = "E1"; ZERO = 0 [(google.api.value_visibility).restriction = "E2"]; }`,
  'other.proto': `syntax = "proto3"; package q; import "google/api/visibility.proto";
message Other { string x = 1 [(google.api.field_visibility).restriction = "UNRELATED"]; }`,
};

/** The schema of the files, and the same by way of a descriptor set. */
function schemas(): readonly Schema[] {
  const text = schemaFromText(files);
  const set = create(FileDescriptorSetSchema, {
    file: text.files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded)),
  });
  const { schema } = loadText(
    { 'set.binpb': toBinary(FileDescriptorSetSchema, set) },
    { protos: [], descriptorSets: ['set.binpb'] },
  );
  return [text, schema];
}

void t.test('what is counted, and named, is what is served', (t) => {
  const all = ['S.Open', 'S.Hidden', 'S.Empty', 'S.Selected', 'Secret.A', 'Secret.B'];
  const said = (counts: string, labels: string, names: string): string =>
    `google.api.visibility is ignored: ${counts} marked ${labels}, but served to everybody: ${names}`;
  const types = 'p.M, p.M.field, p.M.N.inner, p.E, p.E.ZERO';
  const rows: readonly (readonly [served: readonly string[], message: string | undefined])[] = [
    [
      all,
      said(
        '3 RPCs, 2 fields, 1 message, 1 enum and 1 enum value are',
        'E1, E2, F1, INTERNAL, M1, PREVIEW',
        'p.S.Hidden, p.Secret, p.M, p.M.field, p.M.N.inner and 2 more',
      ),
    ],
    [
      ['S.Hidden'],
      said(
        '1 RPC, 2 fields, 1 message, 1 enum and 1 enum value are',
        'E1, E2, F1, INTERNAL, M1, PREVIEW',
        'p.S.Hidden, p.M, p.M.field, p.M.N.inner, p.E and 1 more',
      ),
    ],
    [['S.Open'], said('2 fields, 1 message, 1 enum and 1 enum value are', 'E1, E2, F1, M1', types)],
    [[], undefined],
  ];
  for (const schema of schemas()) {
    const methods = schema.services.flatMap((service) => service.methods);
    for (const [names, message] of rows) {
      const problems = new ProblemList();
      const served = methods.filter(({ fullName }) => names.includes(fullName.replace('p.', '')));
      warnOfVisibility(schema, new Restrictions(schema), served, problems);
      t.strictSame(
        problems.warnings.map((problem) => [problem.code, problem.message]),
        message === undefined ? [] : [['visibility-ignored', message]],
      );
    }
  }
  t.end();
});

void t.test('one is one', (t) => {
  const schema = schemaFromText(
    `syntax = "proto3"; import "google/api/visibility.proto"; message M {}
    service S { rpc R(M) returns (M) { option (google.api.method_visibility).restriction = "X"; } }`,
  );
  const problems = new ProblemList();
  warnOfVisibility(schema, new Restrictions(schema), schema.services[0]!.methods, problems);
  t.match(problems.warnings, [{ message: /: 1 RPC is marked X, but served to everybody: S\.R$/ }]);
  t.match(problems.warnings, [{ place: { line: 2 }, hint: /visibility: none/ }]);
  t.end();
});

void t.test('photongate check: once, for what has a rule or is reached by native gRPC', async (t) => {
  const folder = t.testdir(files);
  const check = async (...flags: string[]): Promise<string> => {
    const listen = ['--listen', '127.0.0.1:0', '--listen', '127.0.0.1:0'];
    const { stderr } = await runMain(['check', '--proto', join(folder, 'a.proto'), ...listen, ...flags], folder);
    return stderr;
  };
  const lines = (text: string): string[] => text.split('\n').filter((line) => line.includes('visibility-ignored'));
  t.match(lines(await check()), [/3 RPCs, 2 fields/]);
  t.match(lines(await check('--pass-through', 'all')), [/4 RPCs, 2 fields/]);
  t.match(lines(await check('--service', 'p.S')), [/1 RPC, 2 fields/]);
});

void t.test('service configs: their rules replace annotations, and name what is there', async (t) => {
  const folder = t.testdir({
    ...files,
    'rules.yaml': `type: google.api.Service
visibility:
  rules:
    - { selector: p.S.Open, restriction: INTERNAL }
    - { selector: "p.Secret.*", restriction: PREVIEW }
    - { selector: p.Secret, restriction: "" }
    - { selector: p.Secret.B }
    - { selector: p.M, restriction: "" }
    - { selector: p.E.ZERO, restriction: "" }
`,
    'wrong.yaml': 'visibility: { rules: [ { selector: p.S.Opn, restriction: X } ] }',
    'shape.yaml': 'visibility: { rules: [ { selector: p.S.Open, restrictions: X } ] }',
  });
  const run = (command: string, ...flags: string[]): Promise<{ stdout: string; stderr: string }> =>
    runMain([command, '--proto', join(folder, 'a.proto'), ...flags], folder);
  const routes = async (...flags: string[]): Promise<string[]> => {
    const { stdout } = await run('routes', '--rules', 'rules.yaml', ...flags);
    return [...stdout.matchAll(/GET +(\/\w+)/g)].map(([, path]) => path!);
  };
  t.strictSame(await routes(), ['/open', '/hidden', '/empty', '/selected', '/a', '/b']);
  t.strictSame(await routes('--visibility', 'none'), ['/empty', '/selected', '/b']);
  t.strictSame(await routes('--visibility', 'INTERNAL'), ['/open', '/hidden', '/empty', '/selected', '/b']);
  t.strictSame(await routes('--visibility', 'INTERNAL,PREVIEW'), await routes());
  t.match(
    (await run('check', '--rules', 'wrong.yaml', '--visibility', 'none')).stderr,
    /nothing is named "p.S.Opn"[^]*did you mean p.S.Open/,
  );
  t.notMatch((await run('check', '--rules', 'wrong.yaml')).stderr, /p\.S\.Opn/);
  t.match(
    (await run('check', '--rules', 'shape.yaml')).stderr,
    /google.api.VisibilityRule has no member "restrictions"/,
  );
  t.match((await run('check', '--visibility', 'PREVEIW')).stderr, /unused-label[^]*did you mean PREVIEW/);
});
