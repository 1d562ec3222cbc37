/** `photongate check --upstream`: where schema and service differ; and the forms of the report. */
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import t, { type Test } from 'tap';
import { runMain } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { startReflectionServer } from '../support/reflection.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Buy(Order) returns (Receipt) { option (google.api.http) = { post: "/v1/buy" body: "*" }; }
  rpc Watch(Order) returns (stream Receipt) { option (google.api.http) = { get: "/v1/watch" }; }
}
message Order { string name = 1; repeated int32 counts = 2; map<string, Item> items = 3; }
message Item { Color color = 1; }
enum Color { RED = 0; BLUE = 1; }
message Receipt { string id = 1; }
`;

/** What `check --upstream` says of a server whose schema is another one. */
async function compare(t: Test, theirs: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const files = schemaFromText(theirs).files.map(({ encoded }) => fromBinary(FileDescriptorProtoSchema, encoded));
  const server = await startReflectionServer({ files });
  t.teardown(() => server.close());
  const folder = t.testdir({ 'shop.proto': proto });
  return runMain(['check', '--proto', 'shop.proto', '--upstream', `127.0.0.1:${server.port}`, '--upstream'], folder);
}

const differences: readonly (readonly [
  name: string,
  change: (text: string) => string,
  code: number,
  words: readonly RegExp[],
])[] = [
  ['nothing', (text) => text, 0, [/^ok: 2 routes, 0 warnings$/m]],
  [
    'a service',
    (text) => text.replace('service Shop', 'service Store'),
    4,
    [/error\[upstream-service\]: \S+ does not have the service shop\.v1\.Shop\n {2}at shop\.proto:4/],
  ],
  [
    'a method',
    (text) => text.replace('rpc Watch', 'rpc Look'),
    4,
    [/error\[upstream-method\]: \S+ does not have the method shop\.v1\.Shop\.Watch/],
  ],
  [
    'a stream',
    (text) => text.replace('stream Receipt', 'Receipt'),
    4,
    [
      /error\[upstream-method\].*says shop\.v1\.Order → stream shop\.v1\.Receipt, the server shop\.v1\.Order → shop\.v1\.Receipt/,
    ],
  ],
  [
    'a type of a message',
    (text) => text.replace('Buy(Order)', 'Buy(Item)'),
    4,
    [/error\[upstream-method\].*Order → shop\.v1\.Receipt, the server shop\.v1\.Item →/],
  ],
  [
    'the type of a field',
    (text) => text.replace('string id = 1', 'int64 id = 1'),
    4,
    [/error\[upstream-field\].*shop\.v1\.Receipt\.id \(1\): the schema says string, the server int64/],
  ],
  [
    'a list that is none',
    (text) => text.replace('repeated int32 counts', 'int32 counts'),
    4,
    [/error\[upstream-field\].*the schema says repeated int32, the server int32/],
  ],
  [
    'a map that is a list',
    (text) => text.replace('map<string, Item> items', 'repeated Item items'),
    4,
    [/error\[upstream-field\].*the schema says map<string, shop\.v1\.Item>, the server repeated shop\.v1\.Item/],
  ],
  [
    'fields of either side, the name of one, a value of an enum in a map',
    (text) =>
      text
        .replace('string id = 1;', 'string number = 1; string note = 7;')
        .replace('repeated int32 counts = 2;', '')
        .replace('BLUE = 1;', 'BLUE = 1; GREEN = 2;'),
    0,
    [
      /warning\[upstream-field\]: \S+ calls the field shop\.v1\.Receipt\.id \(1\) number/,
      /warning\[upstream-field\]: \S+ has the field shop\.v1\.Receipt\.note \(7\), which the schema lacks/,
      /warning\[upstream-field\]: \S+ does not have the field shop\.v1\.Order\.counts \(2\)/,
      /warning\[upstream-field\]: \S+ has the value GREEN \(2\) of shop\.v1\.Color/,
      /^ok: 2 routes, 4 warnings$/m,
    ],
  ],
];

void t.test('differences', async (t) => {
  for (const [name, change, code, words] of differences) {
    const result = await compare(t, change(proto));
    t.equal(result.code, code, name);
    for (const each of words) t.match(result.stdout + result.stderr, each, name);
  }
});

void t.test('a server without reflection, one that does not serve, one that is down, none', async (t) => {
  const health = `syntax = "proto3"; package grpc.health.v1;
    service Health { rpc Check(Request) returns (Request); } message Request { string service = 1; }`;
  const service = await startEchoService(schemaFromText(health));
  t.teardown(() => service.close());
  const folder = t.testdir({ 'shop.proto': proto });
  const args = ['check', '--proto', 'shop.proto', '--upstream'];
  service.answer = () => ({ message: Buffer.from([8, 1]) });
  const serving = await runMain([...args, service.target, '--live'], folder);
  t.equal(serving.code, 0);
  t.match(serving.stderr, /warning\[reflection-unsupported\]/);
  service.answer = () => ({ message: Buffer.from([8, 2]) });
  const notServing = await runMain([...args, service.target, '--live'], folder);
  t.equal(notServing.code, 4);
  t.match(notServing.stderr, /error\[upstream-health\]: \S+ reports that shop\.v1\.Shop is NOT_SERVING/);
  const down = await runMain([...args, '127.0.0.1:1', '--live'], folder);
  t.equal(down.code, 4);
  t.match(down.stderr, /error\[reflection-unavailable\]/);
  const none = await runMain([...args], folder);
  t.equal(none.code, 1);
  t.match(none.stderr, /error\[no-upstream\]/);
  t.equal((await runMain([...args, '127.0.0.1:1'], folder)).code, 0, 'nobody is asked without it');
});

const bad = proto.replace('post: "/v1/buy"', 'post: "/v1/<{nam}&\\""').replace('get: "/v1/watch"', 'get: "v1"');

void t.test('the forms of the report', async (t) => {
  const folder = t.testdir({ 'shop.proto': proto, 'bad.proto': bad, 'a b.proto': proto.replace('rpc Watch(Order) returns (stream Receipt) { option (google.api.http) = { get: "/v1/watch" }; }', 'rpc Watch(Order) returns (Receipt);') }); // prettier-ignore
  const run = (file: string, format: string): ReturnType<typeof runMain> =>
    runMain(['check', '--proto', file, '--format', format], folder);

  const good = await run('shop.proto', 'json');
  t.strictSame([good.code, JSON.parse(good.stdout)], [0, { ok: true, routes: 2, problems: [] }]);
  const failed = await run('bad.proto', 'json');
  t.equal(failed.code, 1);
  t.equal(failed.stderr, '');
  t.match(JSON.parse(failed.stdout), {
    ok: false,
    routes: null,
    problems: [
      { severity: 'error', rpc: 'shop.v1.Shop.Buy', file: 'bad.proto', line: 5 },
      { severity: 'error', line: 6 },
    ],
  });

  const junit = await run('bad.proto', 'junit');
  t.equal(junit.code, 1);
  t.match(junit.stdout, '<testsuite name="photongate check" tests="2" failures="2" errors="0" skipped="0">');
  t.match(junit.stdout, /<testcase classname="[a-z-]+" name="shop\.v1\.Shop\.Buy: [^"<]*" file="bad\.proto" line="5">/);
  t.notMatch(junit.stdout.replace(/<\/?[a-z?][^<>]*>/g, ''), /[<>]|&(?!(?:amp|lt|gt|quot);)/, 'all is escaped');
  t.match(
    (await run('shop.proto', 'junit')).stdout,
    /tests="1" failures="0"[^]*<testcase classname="photongate" name="check"\/>/,
  );
  const warned = await run('a b.proto', 'junit');
  t.equal(warned.code, 0);
  t.match(warned.stdout, /tests="1" failures="0"[^]*<system-out>warning\[unannotated-method\]/);

  const sarif = JSON.parse((await run('bad.proto', 'sarif')).stdout) as { runs: [{ results: object[] }] };
  t.match(sarif, { version: '2.1.0', runs: [{ tool: { driver: { name: 'photongate' } } }] });
  t.match(sarif.runs[0].results[0], {
    level: 'error',
    locations: [{ physicalLocation: { artifactLocation: { uri: 'bad.proto' }, region: { startLine: 5 } } }],
  });
  t.match(JSON.parse((await run('a b.proto', 'sarif')).stdout), {
    runs: [
      {
        results: [
          { level: 'warning', locations: [{ physicalLocation: { artifactLocation: { uri: 'a%20b.proto' } } }] },
        ],
      },
    ],
  });
  t.equal((await run('shop.proto', 'xml')).code, 2);
});
