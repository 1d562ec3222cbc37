/** Curl lines: as text, for each form of a rule; and run, against ChainFire. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { services } from '../../examples/photoncloud/services.js';
import { loadConfig, startProxy } from '../../lib/index.js';
import { curlLine } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';

const proto = (rule: string): string => `
syntax = "proto3";
package c.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/timestamp.proto";
service C { rpc Call(Request) returns (Request) { option (google.api.http) = { ${rule} }; } }
enum Color { NONE = 0; RED = 1; }
message Inner { string id = 1; Color color = 2; string made_at = 3 [(google.api.field_behavior) = OUTPUT_ONLY]; }
message Request {
  string name = 1;
  // Where it is reached, for example \`10.0.0.2:80\`.
  string address = 2;
  int64 count = 3;
  Inner inner = 4;
  repeated string tags = 5;
  map<string, int32> labels = 6;
  google.protobuf.Timestamp at = 7;
  optional string note = 8;
  oneof one { string left = 9; string right = 10; }
  string request_id = 11;
  string it = 12;
}
`;

const all = {
  address: '10.0.0.2:80',
  count: '1',
  inner: { id: 'my-id', color: 'RED' },
  tags: ['my-tags'],
  labels: { 'my-key': 1 },
  at: '2026-01-31T12:00:00Z',
  left: 'my-left',
  it: 'my-it',
};

const lines: readonly [rule: string, line: string][] = [
  ['get: "/v1/{name}"', "curl 'http://h/v1/my-name?address=10.0.0.2%3A80'"],
  ['get: "/v1/{name=a/*/b/**}"', "curl 'http://h/v1/a/a/b/a/b?address=10.0.0.2%3A80'"],
  ['get: "/v1/{at}/{count}/{inner.color}:go"', "curl 'http://h/v1/2026-01-31T12%3A00%3A00Z/1/RED:go?name=my-name'"],
  ['post: "/v1/{name}" body: "*"', `curl http://h/v1/my-name -d '${JSON.stringify(all)}'`],
  [
    'post: "/v1/{inner.id}" body: "*"',
    `curl http://h/v1/my-id -d '${JSON.stringify({ name: 'my-name', ...all, inner: { color: 'RED' } })}'`,
  ],
  ['patch: "/v1/{name}" body: "inner"', `curl -X PATCH http://h/v1/my-name -d '{"id":"my-id","color":"RED"}'`],
  ['put: "/v1" body: "tags"', `curl -X PUT http://h/v1 -d '["my-tags"]'`],
  ['delete: "/v1/{name}"', "curl -X DELETE 'http://h/v1/my-name?address=10.0.0.2%3A80'"],
  ['custom { kind: "HEAD" path: "/v1" }', "curl -I 'http://h/v1?name=my-name'"],
  [
    'custom { kind: "PURGE" path: "/v1" } body: "*"',
    `curl -X PURGE http://h/v1 -d '${JSON.stringify({ name: 'my-name', ...all })}'`,
  ],
];

for (const [rule, line] of lines) {
  const [binding] = bindingsOf(schemaFromText(proto(rule)).services, new ProblemList());
  t.equal(curlLine(binding!, 'http://h'), line, rule);
}

/** The words of a line, as a POSIX shell cuts it. */
function words(line: string): string[] {
  return [...line.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(
    (match) => match[1]?.replaceAll("'\\''", "'") ?? match[2]!,
  );
}

void t.test('each line runs against ChainFire', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-curl-'));
  const database = Database.open(join(folder, 'photoncloud.db'));
  const running = await services[0]!.start({ host: '127.0.0.1', port: 0, database });
  const file = fileURLToPath(new URL('../../examples/photoncloud/photongate.yaml', import.meta.url));
  const config = loadConfig({ file, flags: { upstreams: [parseUpstream(`127.0.0.1:${running.port}`)] } });
  const proxy = await startProxy({
    ...config,
    listeners: config.listeners.map((listener) => ({ ...listener, port: 0 })),
  });
  t.teardown(async () => {
    await proxy.drain();
    await running.close();
    database.close();
    rmSync(folder, { recursive: true });
  });
  for (const [index, { parts }] of proxy.prepared.listeners.entries()) {
    const url = proxy.urls[index]!;
    for (const { config: mount, bindings } of parts) {
      if (!mount.services?.includes('chainfire.v1')) continue;
      for (const binding of bindings) {
        const line = curlLine(binding, `${url}${mount.prefix}`);
        const [, ...args] = words(line);
        const target = args.find((arg) => arg.startsWith('http'))!.replace(/^http:\/\/[^/]+/, '');
        const body = args[args.indexOf('-d') + 1]!;
        const hasBody = args.includes('-d');
        const method = args.includes('-X') ? args[args.indexOf('-X') + 1]! : hasBody ? 'POST' : 'GET';
        if (binding.method.serverStreaming) {
          // A watch has no end: its head will do.
          const hangUp = new AbortController();
          const { status } = await fetch(url + target, { method, signal: hangUp.signal });
          hangUp.abort();
          t.equal(status, 200, line);
          continue;
        }
        const response = await send(url, `${method} ${target}`, hasBody ? { body } : {});
        // It reaches its method, which finds nothing to object to but that there is no such key or member, or one already.
        t.ok([200, 201, 404, 409].includes(response.status), `${line}: ${response.status} ${response.text}`);
      }
    }
  }
});
