/** Traces with OpenTelemetry's own SDK, and a receiver that takes what its exporter sends. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { wantsTraces } from '../../lib/telemetry/index.js';
import { startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere } from '../support/serve-here.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello { rpc Say(Msg) returns (Msg) { option (google.api.http) = { get: "/v1/hello/{name}" }; } }
message Msg { string name = 1; string token = 2; }
`;

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
}

const attributesOf = ({ attributes }: Span): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

void t.test('a server span and a client span', async (t) => {
  const spans: Span[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as {
        resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
      };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.teardown(() => receiver.close());
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  Object.assign(process.env, environment);
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const folder = t.testdir({ 'a.proto': proto });
  const args = ['--proto', 'a.proto', '--upstream', service.target, '--listen', '0'];
  const here = await serveHere(args, folder, { environment });
  const trace = 'abcdef0123456789abcdef0123456789';
  const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01`, tracestate: 'vendor=1' };
  await send(here.urls[0]!, 'GET /v1/hello/Ada?token=s3cret', { headers });
  service.answer = () => ({ code: 13, details: 'boom' });
  await send(here.urls[0]!, 'GET /v1/hello/Eve');
  t.equal(await here.stop(), 0);

  const [server, client] = [2, 3].map((kind) => spans.find((span) => span.kind === kind && span.traceId === trace)!);
  t.match(server, { name: 'GET /v1/hello/{name}', parentSpanId: '00f067aa0ba902b7' });
  t.match(attributesOf(server!), {
    'http.request.method': 'GET',
    'http.route': '/v1/hello/{name}',
    'url.path': '/v1/hello/Ada',
    'url.query': 'token=[redacted]',
    'client.address': '127.0.0.1',
  });
  t.equal(Number(attributesOf(server!)['http.response.status_code']), 200);
  t.match(client, { name: 'a.v1.Hello/Say', parentSpanId: server!.spanId });
  t.match(attributesOf(client!), { 'rpc.system': 'grpc', 'rpc.service': 'a.v1.Hello', 'rpc.method': 'Say' });
  const { metadata } = service.calls[0]!;
  t.strictSame(
    metadata.get('traceparent'),
    [`00-${trace}-${client!.spanId}-01`],
    'the service hears of the client span',
  );
  t.strictSame(metadata.get('tracestate'), ['vendor=1']);
  const failed = spans.filter(({ traceId }) => traceId !== trace);
  t.equal(failed.length, 2);
  for (const span of failed) t.match(span.status, { code: 2, message: 'boom' });
});

void t.test('when spans are wanted', (t) => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a' };
  t.equal(wantsTraces('auto', {}), false);
  t.equal(wantsTraces('auto', endpoint), true);
  t.equal(wantsTraces('auto', { OTEL_TRACES_EXPORTER: 'console' }), true);
  t.equal(wantsTraces('auto', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }), false);
  t.equal(wantsTraces('auto', { ...endpoint, OTEL_SDK_DISABLED: 'true' }), false);
  t.equal(wantsTraces('otlp', {}), true);
  t.equal(wantsTraces('off', endpoint), false);
  t.end();
});
