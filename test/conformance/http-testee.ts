/**
 * The whole proxy as a conformance testee, as `testee.ts` is the codec: JSON goes in as the body of a POST to an echo
 * method, and is read as the bytes that the gRPC server behind it got; wire goes in as what that server answers, and is
 * read as the body of the HTTP answer. The proxy is the command itself, on real sockets.
 *
 *     node --import tsx test/conformance/http-testee.ts PROTO_DIR
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { serveCli } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';

interface Question {
  readonly id: number;
  readonly type: string;
  readonly in: { readonly json?: string; readonly jsonBase64?: string; readonly wireBase64?: string };
  readonly out: 'json' | 'wire';
  readonly ignoreUnknownFields?: boolean;
}

const paths: Readonly<Record<string, string>> = {
  'protobuf_test_messages.proto3.TestAllTypesProto3': '/proto3',
  'protobuf_test_messages.proto2.TestAllTypesProto2': '/proto2',
};

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: http-testee.ts PROTO_DIR');
const protos = resolve(folder);
const rule = (path: string): string => `option (google.api.http) = { post: "${path}" body: "*" };`;
const [proto3, proto2] = Object.keys(paths);
const echo = `syntax = "proto3";
package echo;
import "google/api/annotations.proto";
import "google/protobuf/test_messages_proto3.proto";
import "google/protobuf/test_messages_proto2.proto";
service Echo {
  rpc Proto3(.${proto3}) returns (.${proto3}) { ${rule(paths[proto3!]!)} }
  rpc Proto2(.${proto2}) returns (.${proto2}) { ${rule(paths[proto2!]!)} }
}
`;

const work = mkdtempSync(join(tmpdir(), 'photongate-conformance-'));
writeFileSync(join(work, 'echo.proto'), echo);
const service = await startEchoService(
  schemaFromText({ 'echo.proto': echo }, { protoPaths: [protos], protos: ['echo.proto'] }),
);
const config = join(work, 'photongate.yaml');
const options = { proto: ['echo.proto'], proto_path: [protos], upstreams: { default: service.target } };
writeFileSync(
  config,
  JSON.stringify({
    ...options,
    listeners: [{ listen: '127.0.0.1:0' }, { listen: '127.0.0.1:0', ignore_unknown_fields: true }],
  }),
);
const proxy = await serveCli(['--config', config], work, 2);
const [strict, lenient] = proxy.urls as [string, string];

async function answer(question: Question): Promise<object> {
  const path = paths[question.type];
  if (path === undefined) return { skipped: `no type ${question.type}` };
  const { json, jsonBase64, wireBase64 } = question.in;
  const body =
    wireBase64 !== undefined ? '{}' : json !== undefined ? Buffer.from(json) : Buffer.from(jsonBase64!, 'base64');
  service.calls.length = 0;
  service.answer = () => (wireBase64 === undefined ? {} : { message: Buffer.from(wireBase64, 'base64') });
  const url = question.ignoreUnknownFields === true ? lenient : strict;
  const headers = { 'content-type': 'application/json' };
  const { status, text } = await send(url, `POST ${path}`, { body, headers });
  if (status === 400) return { error: text, stage: 'parse' };
  // Whatever else fails is the answer's fault; 500 is what the client is to see then.
  if (status !== 200) return { error: `${status} ${text}`, stage: status === 500 ? 'serialize' : 'other' };
  if (question.out === 'json') return { json: text };
  return {
    wireBase64: (wireBase64 === undefined ? service.calls[0]!.message : Buffer.from(wireBase64, 'base64')).toString(
      'base64',
    ),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as Question;
  process.stdout.write(`${JSON.stringify({ id: question.id, ...(await answer(question)) })}\n`);
}
proxy.child.kill();
service.close();
await proxy.finished;
rmSync(work, { recursive: true });
