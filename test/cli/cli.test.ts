/** The command line as its users meet it: exit codes, words, the configuration file, signals. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { main } from '../../lib/cli/main.js';
import { runCli, runMain, serveCli } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';

const greeter = `syntax = "proto3";
package greeter.v1;
import "google/api/annotations.proto";
service Greeter {
  rpc SayHello(Hello) returns (Hello) {
    option (google.api.http) = { get: "/v1/hello/{name}" };
  }
  rpc Silent(Hello) returns (Hello);
}
message Hello { string name = 1; int32 times = 2; }
`;

function folderWith(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = t.testdir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const rule = (option: string, fields = 'string name = 1;'): string => `syntax = "proto3";
package bad.v1;
import "google/api/annotations.proto";
service Bad {
  rpc Call(Request) returns (Request) {
    option (google.api.http) = { ${option} };
  }
}
message Request { ${fields} }
`;

interface Failure {
  readonly name: string;
  readonly args: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly code: number;
  /** All must stand in standard error. */
  readonly words: readonly (string | RegExp)[];
}

const upstream = ['--upstream', '127.0.0.1:1'];
const serveBad = ['--proto', 'bad.proto', ...upstream, '--listen', '0'];

const failures: readonly Failure[] = [
  { name: 'nothing to serve', args: [], code: 2, words: ['no-schema', '--proto'] },
  { name: 'unknown flag', args: ['--protos', 'x'], code: 2, words: ['unknown flag --protos', 'did you mean --proto?'] },
  { name: 'unknown flag without a like', args: ['--such'], code: 2, words: ['unknown flag --such\n'] },
  { name: 'unknown flag with a value', args: ['--such=1'], code: 2, words: ['unknown flag --such\n'] },
  { name: 'unknown negation', args: ['--no-such-option'], code: 2, words: ['unknown flag --no-such-option\n'] },
  {
    name: 'misspelt negation',
    args: ['--no-check-orign'],
    code: 2,
    words: ['unknown flag --no-check-orign; did you mean --no-check-origin?'],
  },
  { name: 'negation of what is no switch', args: ['--no-proto'], code: 2, words: ['--proto cannot be switched off'] },
  { name: 'flag of another command', args: ['--no-json'], code: 2, words: ['unknown flag --no-json'] },
  { name: 'unknown short flag', args: ['-x'], code: 2, words: ['unknown flag -x\n'] },
  { name: 'unknown command', args: ['rootes'], code: 2, words: ['"rootes"', 'did you mean routes?'] },
  { name: 'flag without value', args: ['--proto'], code: 2, words: ['proto'] },
  {
    name: 'not a number',
    args: ['--proto', 'a', '--max-json-depth', 'abc'],
    code: 2,
    words: ['--max-json-depth', 'found "abc"', 'whole number'],
  },
  {
    name: 'given twice',
    args: ['--max-json-depth', '1', '--max-json-depth', '2'],
    code: 2,
    words: ['--max-json-depth', 'given 2 times'],
  },
  { name: 'not a size', args: ['--max-body-bytes', '4 megs'], code: 2, words: ['--max-body-bytes', '4MiB'] },
  { name: 'half a byte', args: ['--max-body-bytes', '1.5'], code: 2, words: ['--max-body-bytes', 'found "1.5"'] },
  {
    name: 'an origin for a host',
    args: ['--allowed-hosts', 'http://dev.example.com'],
    code: 2,
    words: ['--allowed-hosts', 'found "http://dev.example.com"', '*.example.com'],
  },
  {
    name: 'not the name of a header',
    args: ['--identity-headers', 'x-user,x user'],
    code: 2,
    words: ['--identity-headers', 'found "x user"', 'x-user-*'],
  },
  { name: 'not a time', args: ['--drain-timeout', '10'], code: 2, words: ['--drain-timeout', '1.5s'] },
  {
    name: 'not one of',
    args: ['--error-format', 'stat'],
    code: 2,
    words: ['--error-format', 'status, aip193, problem, photon'],
  },
  { name: 'not a switch value', args: ['--strict-slash=maybe'], code: 2, words: ['--strict-slash', '"maybe"'] },
  { name: 'bad status map', args: ['--status-map', '5=200'], code: 2, words: ['--status-map', '5=410'] },
  { name: 'bad listen', args: ['--proto', 'a', '--listen', 'localhost:http'], code: 2, words: ['listen', 'http'] },
  { name: 'bad upstream', args: ['--proto', 'a', '--upstream', 'no-port'], code: 2, words: ['--upstream', 'no-port'] },
  {
    name: 'no such file',
    args: ['--proto', 'greter.proto', ...upstream],
    files: { 'greeter.proto': greeter },
    code: 1,
    words: ['file-not-found', 'greter.proto', 'did you mean greeter.proto?'],
  },
  {
    name: 'no upstream',
    args: ['--proto', 'greeter.proto'],
    files: { 'greeter.proto': greeter },
    code: 1,
    words: ['no-upstream', 'greeter.v1.Greeter', '--upstream'],
  },
  {
    name: 'no such service',
    args: ['--proto', 'greeter.proto', '--service', 'greeter.v1.Greter', ...upstream],
    files: { 'greeter.proto': greeter },
    code: 1,
    words: ['unknown-service', 'did you mean greeter.v1.Greeter?'],
  },
  {
    name: 'an alias without its anchor',
    args: ['--config', 'a.yaml'],
    files: { 'a.yaml': 'proto: [greeter.proto]\nupstreams: { default: *none }\n', 'greeter.proto': greeter },
    code: 1,
    words: ['config-syntax', 'a.yaml:2:', 'none'],
  },
  { name: 'no such configuration', args: ['--config', 'none.yaml'], code: 1, words: ['config-file', 'none.yaml'] },
  {
    name: 'unknown field in a path',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/v1/{nam}"') },
    code: 1,
    words: ['bad.proto:6:', 'rpc bad.v1.Bad.Call', '/v1/{nam}', 'did you mean', 'name'],
  },
  {
    name: 'template without slash',
    args: serveBad,
    files: { 'bad.proto': rule('get: "v1"') },
    code: 1,
    words: ['bad.proto:6:', 'rpc bad.v1.Bad.Call', '/v1'],
  },
  {
    name: 'variable in a variable',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/{name=a/{name}}"') },
    code: 1,
    words: ['bad.proto:6:', '/{name=a/{name}}'],
  },
  {
    name: 'repeated field in a path',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/{name}"', 'repeated string name = 1;') },
    code: 1,
    words: ['bad.proto:6:', 'repeated'],
  },
  {
    name: 'map in a path',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/{name}"', 'map<string, string> name = 1;') },
    code: 1,
    words: ['bad.proto:6:', 'map'],
  },
  {
    name: 'message in a path',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/{name}"', 'Request name = 1;') },
    code: 1,
    words: ['bad.proto:6:', '{name}', 'bad.v1.Request'],
  },
  {
    name: 'unknown body field',
    args: serveBad,
    files: { 'bad.proto': rule('post: "/a" body: "nam"') },
    code: 1,
    words: ['bad.proto:6:', 'nam', 'name'],
  },
  {
    name: 'unknown response_body field',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/a" response_body: "nam"') },
    code: 1,
    words: ['bad.proto:6:', 'nam', 'name'],
  },
  {
    name: 'two patterns',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/a" post: "/b"') },
    code: 1,
    words: ['bad.proto:6:', 'GET', 'POST'],
  },
  {
    name: 'nested additional_bindings',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }') },
    code: 1,
    words: ['bad.proto:6:', 'additional_bindings'],
  },
  {
    name: 'CONNECT',
    args: serveBad,
    files: { 'bad.proto': rule('custom { kind: "CONNECT" path: "/a" }') },
    code: 1,
    words: ['bad.proto:6:', 'CONNECT'],
  },
  {
    name: 'two rules of one shape',
    args: serveBad,
    files: { 'bad.proto': rule('get: "/a/{name}" additional_bindings { get: "/a/{name=*}" }') },
    code: 1,
    words: ['duplicate-route', '/a/{name}', 'bad.v1.Bad.Call', 'on_duplicate'],
  },
  {
    name: 'broken syntax',
    args: serveBad,
    files: { 'bad.proto': 'syntax = "proto3";\nmessage A {\n  string = 1;\n}\n' },
    code: 1,
    words: ['bad.proto:3:'],
  },
  {
    name: 'missing import',
    args: serveBad,
    files: { 'bad.proto': 'syntax = "proto3";\nimport "other/x.proto";\nmessage A { other.X x = 1; }\n' },
    code: 1,
    words: ['bad.proto:2', 'other/x.proto', '--proto-path'],
  },
  {
    name: 'unknown type',
    args: serveBad,
    files: { 'bad.proto': 'syntax = "proto3";\nmessage A {\n  Bee b = 1;\n}\nmessage Bees {}' },
    code: 1,
    words: ['bad.proto:3', 'Bee'],
  },
  {
    name: 'all problems at once',
    args: ['--proto', 'bad.proto', '--proto', 'other.proto', ...upstream],
    files: { 'bad.proto': rule('get: "/{nam}"'), 'other.proto': rule('get: "v1"').replaceAll('bad.v1', 'other.v1') },
    code: 1,
    words: ['bad.proto:6:', 'other.proto:6:', '2 problems'],
  },
  {
    name: 'unknown key',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'proto: [a.proto]\nmax_body_byte: 1\n' },
    code: 1,
    words: ['p.yaml:2:1', 'max_body_byte', 'did you mean max_body_bytes?'],
  },
  {
    name: 'key in camelCase',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'maxBodyBytes: 1\n' },
    code: 1,
    words: ['p.yaml:1:1', 'did you mean max_body_bytes?'],
  },
  {
    name: 'bad value in a file',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'proto: a\nidle_timeout: 5\n' },
    code: 1,
    words: ['p.yaml:2:15', 'idle_timeout', '1.5s'],
  },
  {
    name: 'broken YAML',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'proto: [a\n' },
    code: 1,
    words: ['config-syntax', /p\.yaml:[12]/],
  },
  {
    name: 'duplicate key',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'proto: a\nproto: b\n' },
    code: 1,
    words: ['p.yaml:2:1'],
  },
  {
    name: 'listener without address',
    args: ['--config', 'p.yaml'],
    files: { 'p.yaml': 'proto: a\nlisteners:\n  - services: [x]\n' },
    code: 1,
    words: ['p.yaml:3:5', 'listen'],
  },
  {
    name: 'check fails',
    args: ['check', '--proto', 'bad.proto'],
    files: { 'bad.proto': rule('get: "/{nam}"') },
    code: 1,
    words: ['bad.proto:6:'],
  },
];

void t.test('what cannot start says why', async (t) => {
  for (const { name, args, files = {}, code, words } of failures) {
    const finished = await runMain(args, folderWith(t, files));
    t.equal(finished.code, code, `${name}: ${finished.stderr}`);
    for (const word of words) t.match(finished.stderr, word, name);
    t.notMatch(finished.stderr, / at .*\.js:/, `${name}: no stack`);
  }
});

void t.test('as a process: the exit code and the words', async (t) => {
  const finished = await runCli(['--protos', 'x'], t.testdir());
  t.equal(finished.code, 2);
  t.match(finished.stderr, 'did you mean --proto?');
  t.equal(finished.stdout, '');
});

void t.test('help and version', async (t) => {
  const help = await runCli(['--help'], t.testdir());
  t.equal(help.code, 0);
  for (const flag of ['--proto', '--proto-path', '-I', '--upstream', '--listen', '--max-body-bytes', '--config']) {
    t.match(help.stdout, flag);
  }
  const version = await runCli(['--version'], t.testdir());
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

void t.test('routes and check', async (t) => {
  const folder = folderWith(t, { 'protos/greeter.proto': greeter });
  const table = await runCli(['routes', '--proto', 'protos'], folder);
  t.equal(table.code, 0, table.stderr);
  t.match(
    table.stdout,
    /METHOD +PATH +BODY +RPC +KIND\nGET +\/v1\/hello\/\{name\} +- +greeter\.v1\.Greeter\.SayHello +unary\n/,
  );
  const json = await runCli(['routes', '--json', '--proto', 'protos'], folder);
  t.match(JSON.parse(json.stdout), [
    { http_method: 'GET', path: '/v1/hello/{name}', rpc: 'greeter.v1.Greeter.SayHello', body: null, line: 6 },
  ]);
  const check = await runCli(['check', '--proto', 'protos'], folder);
  t.equal(check.code, 0, check.stderr);
  t.match(check.stdout, 'ok: 1 route, 1 warning');
  t.match(check.stderr, 'warning[unannotated-method]: greeter.v1.Greeter.Silent');
});

void t.test('check tells of slashes that generated clients escape', async (t) => {
  const folder = folderWith(t, { 'greeter.proto': greeter.replace('{name}', '{name=**}') });
  const check = (...flags: string[]): ReturnType<typeof runMain> =>
    runMain(['check', '--proto', 'greeter.proto', ...flags], folder);
  t.match(
    (await check()).stderr,
    /warning\[escaped-slashes\][^]*%2F[^]*greeter\.v1\.Greeter\.SayHello[^]*url_unescape/,
  );
  t.notMatch((await check('--url-unescape', 'all_characters')).stderr, 'escaped-slashes');
  t.notMatch((await check('--no-openapi')).stderr, 'escaped-slashes');
});

void t.test('a rule goes before a page of our own, and check says so', async (t) => {
  const health = greeter.replace('/v1/hello/{name}', '/health');
  const folder = folderWith(t, { 'greeter.proto': health });
  const check = await runMain(['check', '--proto', 'greeter.proto'], folder);
  t.equal(check.code, 0, check.stderr);
  t.match(check.stderr, 'warning[hidden-page]: GET /health is answered by greeter.v1.Greeter.SayHello');
  const service = await startEchoService(schemaFromText(health));
  t.teardown(() => service.close());
  const proxy = await serveCli(['--proto', 'greeter.proto', '--upstream', service.target, '--listen', '0'], folder);
  t.strictSame((await send(proxy.urls[0]!, 'GET /health?name=Ada')).json, { name: 'Ada' });
  proxy.child.kill('SIGTERM');
  t.match((await proxy.finished).stderr, 'hidden-page');
});

void t.test('serves, by flags and by a file', async (t) => {
  const folder = folderWith(t, { 'protos/greeter.proto': greeter });
  const service = await startEchoService(schemaFromText(greeter));
  t.teardown(() => service.close());
  const args = [
    '--proto',
    'greeter.proto',
    '--proto-path',
    'protos',
    '--upstream',
    service.target,
    '--listen',
    '127.0.0.1:0',
  ];
  const proxy = await serveCli(args, folder);
  const response = await send(proxy.urls[0]!, 'GET /v1/hello/Ada?times=2');
  t.strictSame(response.json, { name: 'Ada', times: 2 });
  proxy.child.kill('SIGTERM');
  t.equal((await proxy.finished).code, 0);

  const config = `
proto: [protos]
upstreams: { default: "${service.target}" }
always_print_primitive_fields: true
listeners:
  - listen: 127.0.0.1:0
    services: [greeter.v1]
  - listen: 127.0.0.1:0
    services: [greeter.v1.Greeter]
    always_print_primitive_fields: false
    envelope: photon
`;
  writeFileSync(join(folder, 'photongate.yaml'), config);
  // Paths are those of the file, wherever the command runs.
  const byFile = await serveCli(['--config', join(folder, 'photongate.yaml')], tmpdir(), 2);
  t.strictSame((await send(byFile.urls[0]!, 'GET /v1/hello/Ada')).json, { name: 'Ada', times: 0 });
  t.match((await send(byFile.urls[1]!, 'GET /v1/hello/Ada')).json, { data: { name: 'Ada' }, meta: {} });
  t.match((await send(byFile.urls[1]!, 'GET /no')).json, { error: { code: 'NOT_FOUND' } });
  byFile.child.kill('SIGINT');
  t.equal((await byFile.finished).code, 0);
});

void t.test('the environment, the effective configuration, completion', async (t) => {
  const folder = folderWith(t, {
    'protos/greeter.proto': greeter,
    'p.yaml': 'proto: protos\nadd_whitespace: true\nmax_body_bytes: 1MiB\n',
  });
  const environment = {
    PHOTONGATE_CONFIG: 'p.yaml',
    PHOTONGATE_MAX_BODY_BYTES: '2MiB',
    PHOTONGATE_CHECK_ORIGIN: 'false',
    PHOTONGATE_STATUS_MAP: 'ALREADY_EXISTS=410,NOT_FOUND=411',
    PHOTONGATE_UPSTREAM: 'greeter.v1=127.0.0.1:1,127.0.0.1:2',
    PHOTONGATE_LISTEN: '127.0.0.1:7000',
    // What a cluster sets for a service named photongate.
    PHOTONGATE_SERVICE_HOST: '10.0.0.1',
    PHOTONGATE_PORT: 'tcp://10.0.0.1:80',
  };
  const printed = await runMain(['print-config', '--idle-timeout', '90s'], folder, environment);
  t.equal(printed.code, 0, printed.stderr);
  for (const line of [
    'add_whitespace: true',
    'max_body_bytes: 2MiB',
    'check_origin: false',
    'idle_timeout: 90s',
    'listen: 127.0.0.1:7000',
    'greeter.v1: 127.0.0.1:1',
    'default: 127.0.0.1:2',
    '"5": 411',
  ]) {
    t.match(printed.stdout, line);
  }
  writeFileSync(join(folder, 'again.yaml'), printed.stdout);
  const again = await runMain(['print-config', '--config', 'again.yaml'], folder);
  t.equal(again.stdout, printed.stdout, 'what is printed can be used');
  const bad = await runMain(['print-config', '--proto', 'protos'], folder, { PHOTONGATE_MAX_BODY_BYTES: 'lots' });
  t.equal(bad.code, 2);
  t.match(bad.stderr, 'PHOTONGATE_MAX_BODY_BYTES');

  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await runMain(['completion', shell], folder);
    t.equal(script.code, 0, script.stderr);
    for (const word of ['max-body-bytes', 'print-config', 'all_characters_except_slash'])
      t.match(script.stdout, word, shell);
  }
  t.equal((await runMain(['completion', 'tcsh'], folder)).code, 2);
  const bash = spawnSync('bash', ['-n'], { input: (await runMain(['completion', 'bash'], folder)).stdout });
  if (bash.error === undefined) t.equal(bash.status, 0, bash.stderr.toString());
});

void t.test('mounts and hosts', async (t) => {
  const other = greeter.replaceAll('greeter.v1', 'other.v1');
  const folder = folderWith(t, { 'protos/greeter.proto': greeter, 'protos/other.proto': other });
  const [first, second] = await Promise.all([greeter, other].map((text) => startEchoService(schemaFromText(text))));
  t.teardown(() => [first, second].forEach((service) => service!.close()));
  writeFileSync(
    join(folder, 'p.yaml'),
    `
proto: [protos]
proto_path: [protos]
upstreams: { default: "${first!.target}" }
listeners:
  - listen: 127.0.0.1:0
    mounts:
      - { path: /greeter, services: [greeter.v1], always_print_primitive_fields: true }
      - { path: /a/b, services: [other.v1.Greeter], upstreams: { other.v1: "${second!.target}" } }
      - { path: /, host: [greet.example, "*.wild.example"], services: [greeter.v1.*], envelope: photon }
      - { path: /greeter, host: x.wild.example, services: [other.v1] }
  - listen: 127.0.0.1:0
    services: [other.v1]
    mounts:
      /sub: { services: [greeter.v1] }
`,
  );
  const proxy = await serveCli(['--config', 'p.yaml'], folder, 2);
  const [one, two] = proxy.urls;
  const rows: readonly [string, string, number, unknown, string?][] = [
    [one!, 'GET /greeter/v1/hello/Ada', 200, { name: 'Ada', times: 0 }],
    [one!, 'GET /gre%65ter/v1/hello/Ada', 200, { name: 'Ada', times: 0 }],
    [one!, 'GET /a/b/v1/hello/Ada', 200, { name: 'Ada' }],
    [one!, 'GET /a/bc/v1/hello/Ada', 404, { code: 5 }],
    [one!, 'GET /greeter', 200, undefined],
    [one!, 'GET /greeters', 404, { code: 5 }],
    [one!, 'GET /greeter/openapi.json', 200, { servers: [{ url: '/greeter' }], paths: { '/v1/hello/{name}': {} } }],
    [one!, 'GET /openapi.json', 200, { paths: { '/greeter/v1/hello/{name}': {} } }],
    [one!, 'GET /v1/hello/Ada', 404, { code: 5 }],
    [one!, 'POST /greeter/v1/hello/Ada', 405, { code: 12 }],
    [one!, 'GET /greeter/health', 200, { services: { 'greeter.v1.Greeter': 'SERVING' } }],
    [one!, 'GET /health', 200, { services: { 'greeter.v1.Greeter': 'SERVING', 'other.v1.Greeter': 'SERVING' } }],
    [one!, 'GET /v1/hello/Ada', 200, { data: { name: 'Ada' } }, 'greet.example'],
    [one!, 'GET /v1/hello/Ada', 200, { data: { name: 'Ada' } }, 'GREET.example:80'],
    [one!, 'GET /v1/hello/Ada', 200, { data: { name: 'Ada' } }, 'y.wild.example'],
    // The default upstream, which has no such service: the exact host won.
    [one!, 'GET /greeter/v1/hello/Ada', 501, { code: 12 }, 'x.wild.example'],
    [one!, 'GET /greeter/v1/hello/Ada', 404, { error: { code: 'NOT_FOUND' } }, 'greet.example'],
    [one!, 'GET /v1/hello/Ada', 403, { code: 7 }, 'wild.example'],
    [two!, 'GET /v1/hello/Ada', 501, { code: 12 }],
    [two!, 'GET /sub/v1/hello/Ada', 200, { name: 'Ada' }],
  ];
  for (const [url, request, status, json, host] of rows) {
    const response = await send(url, request, host === undefined ? {} : { headers: { host } });
    t.equal(response.status, status, `${request} ${host ?? ''}: ${response.text}`);
    t.match(response.json, json, `${request} ${host ?? ''}`);
  }
  t.equal(second!.calls.length, 1, 'the upstream of the mount');
  proxy.child.kill('SIGTERM');
  t.equal((await proxy.finished).code, 0);

  const listed = await runMain(['routes', '--config', 'p.yaml'], folder);
  t.match(listed.stdout, /GET +\/greeter\/v1\/hello\/\{name\} +- +greeter\.v1\.Greeter\.SayHello/);
  const curl = await runMain(['routes', '--curl', '--proto', 'protos/greeter.proto'], folder);
  t.equal(curl.stdout, "curl 'http://127.0.0.1:8080/v1/hello/my-name?times=1'\n");

  for (const [text, words] of [
    ['mounts: {greeter: {}}', 'such as /chainfire'],
    ['mounts: {/a/: {}}', 'no slash at its end'],
    ['mounts: {/a: {max_url_bytes: 1KiB}}', 'write it on the listener'],
    ['mounts: {/a: {servces: [x]}}', 'did you mean services?'],
    ['mounts: {/a: {host: "a:80"}}', 'host name'],
    ['mounts: [5]', 'is a map'],
    ['mounts: 5', 'map of path prefixes'],
  ] as const) {
    writeFileSync(join(folder, 'bad.yaml'), `proto: protos\nlisteners:\n  - listen: 0\n    ${text}\n`);
    const bad = await runMain(['check', '--config', 'bad.yaml'], folder);
    t.equal(bad.code, 1, text);
    t.match(bad.stderr, words, text);
    t.match(bad.stderr, 'bad.yaml:4:', text);
  }
});

void t.test('a signal that comes with the line "listening on" is one that was waited for', async (t) => {
  const folder = folderWith(t, { 'greeter.proto': greeter });
  let stop: ((signal: NodeJS.Signals) => void) | undefined;
  let hangUp: (() => void) | undefined;
  let order = '';
  const code = await main(['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen', '0'], {
    output(text) {
      if (!text.includes('listening on')) return;
      order += hangUp === undefined ? 'too early ' : 'hangup ';
      order += stop === undefined ? 'too early ' : 'stop ';
      stop!('SIGTERM');
    },
    error: () => undefined,
    color: false,
    columns: 100,
    workingDirectory: folder,
    environment: {},
    interactive: false,
    onSignal(listener) {
      stop = listener;
      return () => undefined;
    },
    onHangup: (listener) => void (hangUp = listener),
    onRestart: () => undefined,
    exit: () => undefined,
  });
  t.equal(order, 'hangup stop ');
  t.equal(code, 0);
});

void t.test('SIGHUP reads the configuration again', async (t) => {
  const folder = folderWith(t, { 'greeter.proto': greeter });
  const args = ['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen', '0'];
  const { child, urls, finished } = await serveCli(args, folder);
  let errors = '';
  child.stderr!.on('data', (text: string) => (errors += text));
  writeFileSync(join(folder, 'greeter.proto'), greeter.replace('/v1/hello', '/v2/hello'));
  child.kill('SIGHUP');
  await until(() => errors.includes('"reloaded"'));
  t.equal((await send(urls[0]!, 'GET /v2/hello/Ada')).status, 503, 'the new route');
  writeFileSync(join(folder, 'greeter.proto'), 'syntax = ');
  child.kill('SIGHUP');
  await until(() => errors.includes('not reloaded'));
  t.equal((await send(urls[0]!, 'GET /v2/hello/Ada')).status, 503, 'what is broken changes nothing');
  child.kill('SIGTERM');
  t.equal((await finished).code, 0);
});

void t.test('what is in flight at SIGTERM ends well; a second signal ends at once', async (t) => {
  const folder = folderWith(t, { 'greeter.proto': greeter });
  const service = await startEchoService(schemaFromText(greeter));
  t.teardown(() => service.close());
  service.answer = () => ({ delayMs: 700 });
  const args = ['--proto', 'greeter.proto', '--upstream', service.target, '--listen', '0'];
  const proxy = await serveCli(args, folder);
  const answer = send(proxy.urls[0]!, 'GET /v1/hello/Ada');
  while (service.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  proxy.child.kill('SIGTERM');
  t.equal((await answer).status, 200);
  t.equal((await proxy.finished).code, 0);

  const impatient = await serveCli(args, folder);
  const lost = send(impatient.urls[0]!, 'GET /v1/hello/Ada').catch(() => 'lost');
  while (service.calls.length === 1) await new Promise((resolve) => setTimeout(resolve, 10));
  impatient.child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 100));
  impatient.child.kill('SIGTERM');
  t.equal((await impatient.finished).code, 143);
  t.equal(await lost, 'lost');
});

void t.test('a busy port, and upstreams that are down', async (t) => {
  const folder = folderWith(t, { 'greeter.proto': greeter });
  const busy = createServer().listen(0, '127.0.0.1');
  t.teardown(() => busy.close());
  await once(busy, 'listening');
  const { port } = busy.address() as AddressInfo;
  const args = ['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen'];
  const failed = await runCli([...args, `127.0.0.1:${port}`], folder);
  t.equal(failed.code, 1);
  t.match(failed.stderr, String(port));
  t.match(failed.stderr, '--listen');
  const proxy = await serveCli([...args, '0'], folder);
  t.equal((await send(proxy.urls[0]!, 'GET /v1/hello/Ada')).status, 503);
  proxy.child.kill('SIGTERM');
  t.equal((await proxy.finished).code, 0);
});

void t.test('asyncapi', async (t) => {
  const streaming = greeter.replace(/returns \((\w+)\)/, 'returns (stream $1)');
  const folder = folderWith(t, { 'greeter.proto': streaming });
  const json = await runMain(
    ['asyncapi', '--proto', 'greeter.proto', '--format', 'json', '--server', 'https://a.example/x'],
    folder,
  );
  t.match(JSON.parse(json.stdout), {
    asyncapi: '3.0.0',
    servers: { websocket: { host: 'a.example', pathname: '/x', protocol: 'wss' } },
    channels: { [/Greeter_\w+/.exec(json.stdout)![0]]: {} },
  });
});

void t.test('openapi', async (t) => {
  const folder = folderWith(t, {
    'greeter.proto': greeter,
    'two.yaml': 'proto: [greeter.proto]\nlisteners: [{ listen: 8081 }, { listen: 8082, openapi_title: Second }]\n',
  });
  const yaml = await runMain(['openapi', '--proto', 'greeter.proto'], folder);
  t.match(yaml, { code: 0, stdout: /^openapi: 3\.1\.1\ninfo:\n {2}title: Greeter\n/ });
  const json = await runMain(
    ['openapi', '--proto', 'greeter.proto', '--format', 'json', '--server', 'https://a.example/x'],
    folder,
  );
  t.match(JSON.parse(json.stdout), { servers: [{ url: 'https://a.example/x' }] });
  const file = await runMain(['openapi', '--proto', 'greeter.proto', '-o', 'api.json'], folder);
  t.match(file, { code: 0, stdout: '' });
  t.match(JSON.parse(readFileSync(join(folder, 'api.json'), 'utf8')), { openapi: '3.1.1' });
  t.match(await runMain(['openapi', '--proto', 'greeter.proto', '-o', 'none/api.json'], folder), {
    code: 1,
    stderr: /output-file[^]*a folder that exists/,
  });
  t.match(await runMain(['openapi', '--config', 'two.yaml'], folder), {
    code: 1,
    stderr: /which-listener[^]*2 listeners[^]*--listener: 8081, 8082/,
  });
  const second = await runMain(['openapi', '--config', 'two.yaml', '--listener', '8082'], folder);
  t.match(second.stdout, 'title: Second\n');
});
