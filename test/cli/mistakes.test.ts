/** What people type wrong at first, and what the command answers. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageVersion } from '../../lib/installation.js';
import { runMain } from '../support/cli.js';

const proto = (imported: string): string => `syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
import "${imported}";
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc A(M) returns (M);
  rpc B(M) returns (M);
}
service T { rpc C(M) returns (M); }
message M { string name = 1; common.X x = 2; }
`;
const common = 'syntax = "proto3"; package common; message X { string a = 1; }';
const files = { 'a.proto': proto('common/x.proto'), deep: { proto: { common: { 'x.proto': common } } } };

const usage: readonly [args: string, message: string][] = [
  ['a.proto', 'unknown argument "a.proto"; did you mean --proto a.proto?'],
  ['chek', 'unknown argument "chek"; did you mean check?'],
  ['--protoo a.proto', 'unknown flag --protoo; did you mean --proto?'],
  ['--grpc_api_configuration=x.yaml', 'unknown flag --grpc_api_configuration; here it is --rules'],
  ['--proto_path=x', 'unknown flag --proto_path; here it is --proto-path (-I)'],
  ['--backend localhost:1', 'unknown flag --backend; here it is --upstream host:port'],
  ['check --format json --json', '--json and --format exclude each other; write one'],
  ['openapi --proto a.proto --format xml', '--format: found "xml", expected one of yaml, json'],
  ['completion tcsh', 'the shell: found "tcsh", expected one of bash, zsh, fish'],
  ['routes --strict', '--strict is a flag of another command; "photongate COMMAND --help" lists those of each'],
];

void t.test('wrong usage', async (t) => {
  const folder = t.testdir(files);
  for (const [args, message] of usage) {
    const { code, stderr } = await runMain(args.split(' '), folder);
    t.same([code, stderr.split('\n')[0]], [2, `photongate: ${message}`], args);
  }
});

void t.test('an import that lies below: the folder to name', async (t) => {
  const folder = t.testdir(files);
  const { code, stderr } = await runMain(['check', '--proto', 'a.proto'], folder);
  t.equal(code, 1);
  t.match(stderr, 'hint: did you mean --proto-path deep/proto? It has common/x.proto');
  t.ok(stderr.indexOf('error[') < stderr.indexOf('warning['), 'errors come first');
});

void t.test("Buf's files name the folders of imports", async (t) => {
  const layouts: readonly [what: string, file: string, text: string][] = [
    ['version 2', 'buf.yaml', 'version: v2\nmodules: [{ path: . }, { path: deep/proto }]\n'],
    ['a workspace of version 1', 'buf.work.yaml', 'version: v1\ndirectories: [deep/proto]\n'],
    ['a module of version 1 beta', 'buf.yaml', 'version: v1beta1\nbuild: { roots: [deep/proto] }\n'],
  ];
  for (const [what, file, text] of layouts) {
    const { stdout } = await runMain(['check', '--proto', 'a.proto'], t.testdir({ ...files, [file]: text }));
    t.match(stdout, /^ok: 1 route, /, what);
  }
  const own = { 'buf.yaml': 'version: v1\n', common: { 'x.proto': common }, api: { 'a.proto': files['a.proto'] } };
  const work = { mod: own, else: {} };
  t.match((await runMain(['check', '--proto', '../mod/api'], join(t.testdir(work), 'else'))).stdout, /^ok: 1 route, /);
  for (const bad of [
    'modules: [{ path: ../../deep }]',
    'modules: 7',
    ': [',
    '&a [*a]',
    'version: v2\nmodules: [7, null]',
  ]) {
    const { stderr } = await runMain(['check', '--proto', 'a.proto'], t.testdir({ ...files, 'buf.yaml': bad }));
    t.match(stderr, 'error[import-not-found]', bad);
  }
});

void t.test('methods without a rule are one line for each service', async (t) => {
  const args = ['--proto', 'a.proto', '-I', 'deep/proto'];
  const folder = t.testdir(files);
  const { stderr, stdout } = await runMain(['check', ...args], folder);
  t.match(stderr, 'warning[unannotated-method]: 2 methods of s.v1.S have no google.api.http option');
  t.match(stderr, ': A, B\n');
  t.match(stderr, 'warning[unannotated-method]: s.v1.T.C has no google.api.http option');
  t.equal(stdout, 'ok: 1 route, 2 warnings\n');
  const json = await runMain(['check', '--json', ...args], folder);
  const { problems } = JSON.parse(json.stdout) as { problems: { rpc: string }[] };
  t.same(
    problems.map(({ rpc }) => rpc),
    ['s.v1.S.A', 's.v1.S.B', 's.v1.T.C'],
    'programs get each',
  );
  const strict = await runMain(['check', '--strict', ...args], folder);
  t.same([strict.code, strict.stdout], [1, 'failed: 0 problems, 2 warnings (--strict)\n']);
  t.equal((await runMain(['check', '--strict', '--service', 's.v1.T', '--auto-mapping', ...args], folder)).code, 0);
});

void t.test('no route at all is said', async (t) => {
  const { stderr } = await runMain(
    ['check', '--proto', 'a.proto', '-I', 'deep/proto', '--service', 's.v1.T'],
    t.testdir(files),
  );
  t.match(stderr, 'warning[no-routes]: no route is served: none of the methods of s.v1.T has a google.api.http rule');
});

void t.test('misspelt variables of the environment', async (t) => {
  const environment = {
    PHOTONGATE_UPSTRAEM: '127.0.0.1:1',
    PHOTONGATE_PORT: 'tcp://10.0.0.1:8080',
    PHOTONGATE_PORT_8080_TCP_PORT: '8080',
    PHOTONGATE_SERVICE_HOST: '10.0.0.1',
    PHOTONGATE_SOMETHING_ELSE_ENTIRELY: 'x',
  };
  const args = ['check', '--proto', 'a.proto', '-I', 'deep/proto'];
  const { stderr } = await runMain(args, t.testdir(files), environment);
  t.same(stderr.match(/variable \w+/g), ['variable PHOTONGATE_UPSTRAEM']);
  t.match(stderr, 'hint: did you mean PHOTONGATE_UPSTREAM?');
});

void t.test('the version, and a Node that is too old, need nothing loaded', (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'bin'));
  cpSync('bin/photongate', join(folder, 'bin/photongate.mjs'));
  const run = (node: string): string => {
    const text = JSON.stringify({ version: packageVersion(), engines: { node } });
    writeFileSync(join(folder, 'package.json'), text);
    const args = [join(folder, 'bin/photongate.mjs'), '--version'];
    return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  t.equal(run('>=20.19'), `${packageVersion()}\n`);
  t.throws(() => run('>=99.1'), /photongate needs Node\.js 99\.1 or newer, and this is \d+\.\d+\.\d+\n/);
  t.end();
});
