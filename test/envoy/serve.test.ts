/** A bootstrap runs: transcoded calls, what no rule takes, routes, and the configuration that it is printed as. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { printConfig } from '../../lib/config/index.js';
import { deny, startAuthorizer } from '../support/authorizer.js';
import { descriptorSetOf } from '../support/descriptor-set.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { jwksOf, signed, testKey } from '../support/tokens.js';
import { type BootstrapParts, bootstrapOf, clusterOf } from './bootstrap.js';

const schema = schemaFromText(`
  syntax = "proto3";
  package echo.v1;
  import "google/api/annotations.proto";
  service Echo {
    rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things/{name}" }; }
    rpc Put(Thing) returns (Thing) { option (google.api.http) = { put: "/v1/things/{name}" body: "*" }; }
    rpc Bare(Thing) returns (Thing);
  }
  message Thing { string name = 1; int32 count = 2; }
`);

interface Running {
  readonly url: string;
  readonly service: EchoService;
}

/** Runs a bootstrap, and then the configuration that it is printed as. */
function served(name: string, parts: BootstrapParts, check: (t: Test, running: Running) => Promise<void>): void {
  void t.test(name, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-'));
    writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
    const service = await startEchoService(schema);
    const text = bootstrapOf({ ...parts, port: 0, servicePort: Number(service.target.split(':')[1]) });
    const envoy = { sources: [{ name: 'envoy.yaml', text }], lenient: false };
    const config = loadConfig({ envoy, workingDirectory: folder });
    writeFileSync(join(folder, 'native.yaml'), printConfig(config));
    const native = loadConfig({ file: 'native.yaml', workingDirectory: folder });
    for (const [how, one] of [
      ['as a bootstrap', config],
      ['as it is printed', native],
    ] as const) {
      const proxy: RunningProxy = await startProxy(one);
      await t.test(how, (t) => check(t, { url: proxy.urls[0]!, service }));
      await proxy.drain();
    }
    service.close();
    rmSync(folder, { recursive: true });
  });
}

served('a call, and what no rule takes', {}, async (t, { url, service }) => {
  const call = await send(url, 'GET /v1/things/a?count=2', { headers: { host: 'example.com' } });
  t.same([call.status, call.json], [200, { name: 'a', count: 2 }]);
  t.equal(call.headers['server'], 'envoy');
  const { metadata } = service.calls.at(-1)!;
  t.same(metadata.get('x-envoy-original-path'), ['/v1/things/a?count=2']);
  t.same(metadata.get('x-envoy-original-method'), ['GET']);
  // grpc-js refuses what is not gRPC.
  const other = await send(url, 'GET /nope');
  t.equal(other.status, 415);
});

served(
  'routes are sought by the path of the call',
  { match: 'prefix: /echo.v1.Echo/Get, headers: [{ name: x-a, string_match: { exact: "1" } }]' },
  async (t, { url }) => {
    t.equal((await send(url, 'GET /v1/things/a', { headers: { 'x-a': '1' } })).status, 200);
    const without = await send(url, 'GET /v1/things/a');
    t.same([without.status, without.text], [404, '']);
    t.equal((await send(url, 'PUT /v1/things/a', { headers: { 'x-a': '1' }, body: '{}' })).status, 404);
  },
);

served(
  'redirects, direct responses, and headers',
  {
    hosts: `- name: all
              domains: ["*"]
              response_headers_to_add: [{ header: { key: x-host, value: "all" } }]
              routes:
              - match: { path: /ok }
                direct_response: { status: 200, body: { inline_string: fine } }
              - match: { prefix: /old }
                redirect: { host_redirect: new.test }
              - match: { prefix: / }
                route: { cluster: grpc, timeout: 0s }
                request_headers_to_add: [{ header: { key: x-made, value: "%REQ(x-given?:method)%" } }]
                request_headers_to_remove: [x-secret]
                response_headers_to_add: [{ header: { key: x-cluster, value: "%UPSTREAM_CLUSTER%" } }]`,
  },
  async (t, { url, service }) => {
    const ok = await send(url, 'GET /ok');
    t.same([ok.status, ok.text, ok.headers['content-type'], ok.headers['x-host']], [200, 'fine', 'text/plain', 'all']);
    const moved = await send(url, 'GET /old/x?y=1', { headers: { host: 'a.test' } });
    t.same([moved.status, moved.headers['location']], [301, 'http://new.test/old/x?y=1']);
    const call = await send(url, 'GET /v1/things/a', { headers: { 'x-given': 'g', 'x-secret': 's' } });
    t.same([call.headers['x-cluster'], call.headers['x-host']], ['grpc', 'all']);
    const { metadata } = service.calls.at(-1)!;
    t.same([metadata.get('x-made'), metadata.get('x-secret')], [['g'], []]);
    await send(url, 'GET /v1/things/a');
    t.same(service.calls.at(-1)!.metadata.get('x-made'), ['POST']);
  },
);

served(
  'a header of a name that every object has',
  { route: 'request_headers_to_add: [{ header: { key: x-made, value: "%REQ(constructor)%%REQ(toString?x-b)%" } }]' },
  async (t, { url, service }) => {
    t.equal((await send(url, 'GET /v1/things/a', { headers: { 'x-b': 'b' } })).status, 200);
    t.same(service.calls.at(-1)!.metadata.get('x-made'), ['b']);
    t.equal((await send(url, 'GET /v1/things/a', { headers: { constructor: 'c' } })).status, 200);
    t.same(service.calls.at(-1)!.metadata.get('x-made'), ['c']);
    t.equal((await send(url, 'GET /passed/on', { headers: { constructor: 'c', toString: 's' } })).status, 415);
  },
);

const cors =
  '- { name: cors, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }';
const corsOf = (origin: string): string =>
  `typed_per_filter_config: { cors: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, allow_origin_string_match: [{ exact: "${origin}" }], allow_methods: PUT } }`;
served(
  'each virtual host has its CORS policy',
  {
    filters: cors,
    hosts: `- name: a
              domains: [a.test]
              ${corsOf('https://a.test')}
              routes:
              - { match: { prefix: /v1/other }, direct_response: { status: 200 }, ${corsOf('https://o.test')} }
              - { match: { prefix: / }, route: { cluster: grpc } }
            - name: b
              domains: [b.test]
              ${corsOf('https://b.test')}
              routes: [{ match: { prefix: / }, route: { cluster: grpc } }]
            - name: c
              domains: ["*"]
              routes: [{ match: { prefix: / }, route: { cluster: grpc } }]`,
  },
  async (t, { url }) => {
    const allowed = async (host: string, origin: string, path = '/v1/things/a'): Promise<unknown[]> => {
      const asked = { 'access-control-request-method': 'PUT' };
      const plain = await send(url, `GET ${path}`, { headers: { host, origin } });
      const preflight = await send(url, `OPTIONS ${path}`, { headers: { host, origin, ...asked } });
      return [plain, preflight].map(({ headers }) => headers['access-control-allow-origin']);
    };
    const [a, b, o] = ['https://a.test', 'https://b.test', 'https://o.test'] as const;
    t.same(await allowed('a.test', a), [a, a]);
    t.same(await allowed('a.test', b), [undefined, undefined]);
    t.same(await allowed('b.test', b), [b, b]);
    t.same(await allowed('b.test', a), [undefined, undefined]);
    t.same(await allowed('c.test', a), [undefined, undefined]);
    t.same(await allowed('a.test', o, '/v1/other'), [o, o], 'a route');
    t.same(await allowed('a.test', a, '/v1/other'), [undefined, undefined]);
    t.same(await allowed('a.test', a, '/passed/on'), [a, a], 'what no rule takes');
  },
);

served('a route has its time', { action: 'timeout: 0.05s' }, async (t, { url, service }) => {
  service.answer = () => ({ delayMs: 5000 });
  t.equal((await send(url, 'GET /v1/things/a')).status, 504);
});

const strict = 'request_validation_options: { reject_unknown_method: true }';
served('reject_unknown_method', { transcoder: strict }, async (t, { url }) => {
  t.equal((await send(url, 'GET /nope')).status, 404);
});

served(
  'match_incoming_request_route',
  { match: 'prefix: /v1/', transcoder: 'match_incoming_request_route: true' },
  async (t, { url }) => {
    t.equal((await send(url, 'GET /v1/things/a')).status, 200);
  },
);

const paths = `normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD`;
served('paths in one form', { manager: paths }, async (t, { url }) => {
  for (const path of [
    '/v1//things/a',
    '/v1/x/../things/a',
    '/v1%2fthings/a',
    '/%76%31/things/a',
    '/x\\..\\v1/things/a',
  ]) {
    t.same((await send(url, `GET ${path}`)).json, { name: 'a' }, path);
  }
});

served('escaped slashes', { manager: 'path_with_escaped_slashes_action: REJECT_REQUEST' }, async (t, { url }) => {
  t.equal((await send(url, 'GET /v1/things/a%2Fb')).status, 400);
  t.equal((await send(url, 'GET /v1//things/a')).status, 415);
});

const redirected = 'path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT';
served('a redirect for escaped slashes', { manager: redirected }, async (t, { url }) => {
  const { status, headers } = await send(url, 'GET /v1%2Fthings/a?x=1');
  t.same([status, headers['location']], [307, '/v1/things/a?x=1']);
});

served('gRPC-Web needs its filter', {}, async (t, { url }) => {
  const headers = { 'content-type': 'application/grpc-web+proto' };
  const answer = await send(url, 'POST /echo.v1.Echo/Bare', { headers, body: '\0\0\0\0\0' });
  t.equal(answer.headers['content-type'], 'application/grpc+proto', 'what the service says');
});

const web =
  '- { name: web, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb } }';
served('gRPC-Web', { filters: web }, async (t, { url }) => {
  const headers = { 'content-type': 'application/grpc-web+proto' };
  const answer = await send(url, 'POST /echo.v1.Echo/Bare', { headers, body: '\0\0\0\0\0' });
  t.match(answer.headers['content-type'], /^application\/grpc-web/);
});

served("Envoy's answers", {}, async (t, { url, service }) => {
  const ok = await send(url, 'GET /v1/things/a', { headers: { accept: 'text/plain' } });
  t.same([ok.json, ok.headers['grpc-status']], [{ name: 'a' }, '0']);
  const bad = await send(url, 'GET /v1/things/a?count=x');
  t.same([bad.status, bad.headers['content-type']], [400, 'text/plain']);
  t.equal((await send(url, 'GET /v1/things/a?nope=1')).status, 415, 'passed on');
  service.answer = () => ({ code: 5, details: 'none: €' });
  const failed = await send(url, 'GET /v1/things/a');
  const { 'grpc-status': code, 'grpc-message': message } = failed.headers;
  t.same([failed.status, failed.text, code, message], [404, '', '5', 'none: %E2%82%AC']);
  service.answer = () => ({});
});

served('a status that is converted', { transcoder: 'convert_grpc_status: true' }, async (t, { url, service }) => {
  service.answer = () => ({ code: 5, details: 'none' });
  const failed = await send(url, 'GET /v1/things/a');
  t.same([failed.status, failed.json, failed.headers['grpc-status']], [404, { code: 5, message: 'none' }, undefined]);
  service.answer = () => ({});
});

served('the body wins over the query, and that over the path', {}, async (t, { url }) => {
  t.same((await send(url, 'GET /v1/things/a?name=b')).json, { name: 'b' });
  t.same((await send(url, 'GET /v1/things/a?count=1&count=2&flag')).json, { name: 'a', count: 2 });
  t.same((await send(url, 'PUT /v1/things/a?count=3', { body: '{"name":"c","count":4}' })).json, {
    name: 'c',
    count: 4,
  });
  t.same((await send(url, 'PUT /v1/things/a?count=3', { body: '{}' })).json, { name: 'a', count: 3 });
});

const collisions = 'request_validation_options: { reject_binding_body_field_collisions: true }';
served('collisions of body and path are refused', { transcoder: collisions }, async (t, { url }) => {
  t.equal((await send(url, 'PUT /v1/things/a', { body: '{"name":"c"}' })).status, 400);
  t.equal((await send(url, 'PUT /v1/things/a', { body: '{"name":"a"}' })).status, 200);
});

const health =
  '- { name: health, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck, pass_through_mode: false, headers: [{ name: ":path", string_match: { exact: /healthz } }] } }';
served('a health check', { filters: health }, async (t, { url }) => {
  t.equal((await send(url, 'GET /healthz')).status, 200);
  t.equal((await send(url, 'GET /healthy')).status, 415);
});

const replies = `local_reply_config:
            mappers:
            - filter: { status_code_filter: { comparison: { op: EQ, value: { default_value: 410 } } } }
              status_code: 404
              body: { inline_string: it was here }
              headers_to_add: [{ header: { key: x-mapped, value: "%RESPONSE_CODE%" } }]
            - filter: { header_filter: { header: { name: x-plain, present_match: true } } }
              body_format_override: { text_format_source: { inline_string: "%RESPONSE_CODE% %LOCAL_REPLY_BODY%" }, content_type: text/x-own }
            body_format: { json_format: { code: "%RESPONSE_CODE%", message: "%LOCAL_REPLY_BODY%", path: "%REQ(:path)%" } }`;
served(
  'answers of the proxy itself have their own form',
  {
    manager: replies,
    transcoder: `convert_grpc_status: true
              request_validation_options: { reject_unknown_query_parameters: true }`,
    hosts: `- name: all
              domains: [a.test]
              routes:
              - { match: { prefix: /gone }, direct_response: { status: 410, body: { inline_string: gone } } }
              - { match: { prefix: / }, route: { cluster: grpc } }`,
  },
  async (t, { url, service }) => {
    const get = (path: string, more = {}, host = 'a.test'): ReturnType<typeof send> =>
      send(url, `GET ${path}`, { headers: { host, ...more } });
    const bad = await get('/v1/things/a?count=x');
    t.match([bad.status, bad.headers['content-type']], [400, 'application/json']);
    t.match(bad.json, { code: 400, message: /count/, path: '/v1/things/a?count=x' });
    const plain = await get('/v1/things/a?count=x', { 'x-plain': '1' });
    t.match([plain.status, plain.headers['content-type'], plain.text], [400, 'text/x-own', /^400 .*count/]);
    const gone = await get('/gone');
    t.same([gone.status, gone.headers['x-mapped']], [404, '410']);
    t.same(gone.json, { code: 404, message: 'it was here', path: '/gone' });
    const none = await get('/v1/things/a', {}, 'b.test');
    t.same([none.status, none.json], [404, { code: 404, message: '', path: '/echo.v1.Echo/Get' }]);
    service.answer = () => ({ code: 5, details: 'none' });
    t.same((await get('/v1/things/a')).json, { code: 5, message: 'none' }, 'what the service says is its own');
    service.answer = () => ({});
    t.same((await get('/v1/things/a')).json, { name: 'a' });
    const head = await send(url, 'HEAD /gone', { headers: { host: 'a.test' } });
    t.equal(head.status, 404);
  },
);

const buffer =
  '- { name: buffer, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 20 } }';
served('the buffer filter limits bodies', { filters: buffer }, async (t, { url }) => {
  const put = (body: string, path = '/v1/things/a'): ReturnType<typeof send> => send(url, `PUT ${path}`, { body });
  t.equal((await put('{"count":1}')).status, 200);
  t.equal((await put('{"count":1          }')).status, 413);
  t.equal((await put('{"count":1          }', '/passed/on')).status, 413, 'what no rule takes');
  const chunked = await fetch(`${url}/v1/things/a`, {
    method: 'PUT',
    body: new ReadableStream({
      start(stream) {
        for (const text of ['{"count":', '1', '          ', '}']) stream.enqueue(new TextEncoder().encode(text));
        stream.close();
      },
    }),
    duplex: 'half',
  });
  t.equal(chunked.status, 413, 'of no announced length');
});

const compressor = (library: string, more = ''): string =>
  `- { name: ${library}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor, compressor_library: { name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.compression.${library} } }, response_direction_config: { common_config: { min_content_length: 40${more} } } } }`;
const both = `${compressor('gzip.compressor.v3.Gzip')}\n          ${compressor('brotli.compressor.v3.Brotli')}`;
const encodingOf = async (url: string, length: number, accept: string): Promise<string | null> => {
  const headers = { 'accept-encoding': accept };
  const answer = await fetch(`${url}/v1/things/${'a'.repeat(length)}`, { headers });
  await answer.text();
  return answer.headers.get('content-encoding');
};
served('compressors encode answers', { filters: both }, async (t, { url }) => {
  t.equal(await encodingOf(url, 100, 'gzip, br'), 'gzip');
  t.equal(await encodingOf(url, 100, 'br'), 'br');
  t.equal(await encodingOf(url, 100, 'identity'), null);
  t.equal(await encodingOf(url, 1, 'gzip'), null, 'it is short');
});
const ofHtml = compressor('gzip.compressor.v3.Gzip', ', content_type: [text/html]');
served('compressors for certain types', { filters: ofHtml }, async (t, { url }) => {
  t.equal(await encodingOf(url, 100, 'gzip'), null);
});

const httpFilter = (type: string, config: string): string =>
  `- { name: f, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.${type}, ${config} } }`;
const all = '{ default_value: { numerator: 100 } }';

const limit = httpFilter(
  'local_ratelimit.v3.LocalRateLimit',
  `stat_prefix: x, token_bucket: { max_tokens: 2, tokens_per_fill: 1, fill_interval: 3600s }, filter_enabled: ${all}, filter_enforced: ${all}, response_headers_to_add: [{ header: { key: x-limited, value: "yes" } }]`,
);
served('local_ratelimit, behind a health check', { filters: `${health}\n          ${limit}` }, async (t, { url }) => {
  for (let index = 0; index < 3; index++) t.equal((await send(url, 'GET /healthz')).status, 200);
  t.equal((await send(url, 'GET /v1/things/a')).status, 200);
  t.equal((await send(url, 'GET /passed/on')).status, 415);
  const over = await send(url, 'GET /v1/things/a');
  t.same([over.status, over.text, over.headers['x-limited']], [429, 'local_rate_limited', 'yes']);
});

const off = httpFilter('local_ratelimit.v3.LocalRateLimit', 'token_bucket: { max_tokens: 1, fill_interval: 3600s }');
served('local_ratelimit that is not enabled', { filters: off }, async (t, { url }) => {
  for (let index = 0; index < 3; index++) t.equal((await send(url, 'GET /v1/things/a')).status, 200);
});

const faults = httpFilter(
  'fault.v3.HTTPFault',
  'abort: { http_status: 503, percentage: { numerator: 100 } }, delay: { fixed_delay: 0.01s, percentage: { numerator: 100 } }, headers: [{ name: x-fail, string_match: { exact: "1" } }]',
);
served('fault', { filters: faults }, async (t, { url }) => {
  t.equal((await send(url, 'GET /v1/things/a')).status, 200);
  const failed = await send(url, 'GET /v1/things/a', { headers: { 'x-fail': '1' } });
  t.same([failed.status, failed.text], [503, 'fault filter abort']);
});

const slow = httpFilter(
  'fault.v3.HTTPFault',
  'delay: { fixed_delay: 0.05s, percentage: { numerator: 1000000, denominator: MILLION } }',
);
served('fault that only waits, and a client that does not', { filters: slow }, async (t, { url }) => {
  t.equal((await send(url, 'GET /v1/things/a')).status, 200);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /v1/things/b HTTP/1.1\r\nhost: a\r\n\r\n', () => setImmediate(() => socket.resetAndDestroy()));
  await once(socket, 'close');
  t.equal((await send(url, 'GET /v1/things/a')).status, 200);
});

const rbac = httpFilter(
  'rbac.v3.RBAC',
  `rules: { action: DENY, policies: { admins: { permissions: [{ and_rules: { rules: [{ url_path: { path: { prefix: /v1/ } } }, { not_rule: { header: { name: ":method", string_match: { exact: GET } } } }] } }], principals: [{ not_id: { header: { name: x-user, string_match: { exact: root } } } }] } } }`,
);
served('rbac', { filters: rbac }, async (t, { url }) => {
  t.equal((await send(url, 'GET /v1/things/a')).status, 200);
  const refused = await send(url, 'PUT /v1/things/a', { body: '{}' });
  t.same([refused.status, refused.text], [403, 'RBAC: access denied']);
  t.equal((await send(url, 'PUT /v1/things/a', { body: '{}', headers: { 'x-user': 'root' } })).status, 200);
});

const local = httpFilter(
  'rbac.v3.RBAC',
  'rules: { policies: { p: { permissions: [{ any: true }], principals: [{ direct_remote_ip: { address_prefix: 10.0.0.0, prefix_len: 8 } }] } } }',
);
served('rbac by address', { filters: local }, async (t, { url }) => {
  const headers = { 'x-forwarded-for': '10.0.0.1' };
  t.equal((await send(url, 'GET /v1/things/a', { headers })).status, 403);
  const grpc = await send(url, 'POST /echo.v1.Echo/Bare', {
    headers: { 'content-type': 'application/grpc' },
    body: '\0\0\0\0\0',
  });
  t.equal(grpc.headers['grpc-status'], '7');
});

const tokenKey = await testKey('one');
const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';

served(
  'tokens by path, and what routes say of filters',
  {
    filters: `- { name: jwt, typed_config: { "@type": ${FILTERS}.jwt_authn.v3.JwtAuthentication, providers: { p: { issuer: issuer, local_jwks: { inline_string: '${jwksOf(tokenKey)}' }, claim_to_headers: [{ header_name: x-sub, claim_name: sub }] } }, rules: [{ match: { prefix: / }, requires: { provider_name: p } }], requirement_map: { lax: { allow_missing: {} } } } }
          - { name: limit, typed_config: { "@type": ${FILTERS}.local_ratelimit.v3.LocalRateLimit, stat_prefix: x } }
          - { name: rbac, typed_config: { "@type": ${FILTERS}.rbac.v3.RBAC } }`,
    hosts: `- name: all
              domains: ["*"]
              routes:
              - match: { path: /v1/things/off }
                route: { cluster: grpc }
                typed_per_filter_config: { jwt: { "@type": ${FILTERS}.jwt_authn.v3.PerRouteConfig, disabled: true } }
              - match: { path: /v1/things/lax }
                route: { cluster: grpc }
                typed_per_filter_config: { jwt: { "@type": ${FILTERS}.jwt_authn.v3.PerRouteConfig, requirement_name: lax } }
              - match: { path: /v1/things/few }
                route: { cluster: grpc }
                typed_per_filter_config:
                  jwt: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }
                  limit: { "@type": ${FILTERS}.local_ratelimit.v3.LocalRateLimit, stat_prefix: x, token_bucket: { max_tokens: 1, fill_interval: 3600s }, filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } } }
              - match: { path: /v1/things/shut }
                route: { cluster: grpc }
                typed_per_filter_config:
                  jwt: { "@type": ${FILTERS}.jwt_authn.v3.PerRouteConfig, disabled: true }
                  rbac: { "@type": ${FILTERS}.rbac.v3.RBACPerRoute, rbac: { rules: { action: DENY, policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } } } } }
              - match: { prefix: / }
                route: { cluster: grpc }`,
  },
  async (t, { url, service }) => {
    const good = { authorization: `Bearer ${await signed(tokenKey)}` };
    const bad = { authorization: `Bearer ${await signed(tokenKey, { iss: 'evil' })}` };
    const rows: readonly [path: string, headers: Record<string, string>, status: number][] = [
      ['/v1/things/a', {}, 401],
      ['/v1/things/a', bad, 401],
      ['/v1/things/a', good, 200],
      ['/v1/things/off', bad, 200],
      // The router takes it for /v1/things/off/, and a slash at the end may be nothing.
      ['/v1/things/off/', {}, 401],
      ['/v1/things/o%66f', {}, 401],
      ['/v1/things/lax', {}, 200],
      ['/v1/things/lax', bad, 401],
      ['/v1/things/l%61x', {}, 400],
      ['/v1/things/few', {}, 200],
      ['/v1/things/few', {}, 429],
      ['/v1/things/shut', {}, 403],
    ];
    for (const [path, headers, status] of rows) {
      t.equal((await send(url, `GET ${path}`, { headers })).status, status, `${path} ${JSON.stringify(headers)}`);
    }
    const told = service.calls.map(({ metadata }) => metadata.get('x-sub')).filter((values) => values.length > 0);
    t.same(told.at(-1), ['ada']);
  },
);

const authorizer = await startAuthorizer();
t.teardown(() => authorizer.close());
const authzRoute = (more: string): string =>
  `typed_per_filter_config: { authz: { "@type": ${FILTERS}.ext_authz.v3.ExtAuthzPerRoute, ${more} } }`;

served(
  'an authorizer, and what routes say of it',
  {
    filters: `- { name: authz, typed_config: { "@type": ${FILTERS}.ext_authz.v3.ExtAuthz, grpc_service: { envoy_grpc: { cluster_name: authz }, timeout: 60s } } }`,
    clusters: clusterOf('authz', authorizer.target.split(':')[1] ?? ''),
    hosts: `- name: all
              domains: ["*"]
              ${authzRoute('check_settings: { context_extensions: { host: all, team: none } }')}
              routes:
              - match: { path: /v1/things/off }
                route: { cluster: grpc }
                ${authzRoute('disabled: true')}
              - match: { path: /v1/things/team }
                route: { cluster: grpc }
                ${authzRoute('check_settings: { context_extensions: { team: blue } }')}
              - match: { prefix: / }
                route: { cluster: grpc }`,
  },
  async (t, { url }) => {
    authorizer.asked.length = 0;
    authorizer.answer = () => deny(402, 'pay');
    const statuses: unknown[] = [];
    for (const path of ['off', 'team', 'else']) {
      const { status, text } = await send(url, `GET /v1/things/${path}`);
      statuses.push(status === 402 ? text : status);
    }
    t.same(statuses, [200, 'pay', 'pay']);
    const told = authorizer.asked.map(({ extensions }) => extensions);
    t.same(told, [
      { host: 'all', team: 'blue' },
      { host: 'all', team: 'none' },
    ]);
  },
);

served(
  'calls that are sent again',
  {
    action:
      'retry_policy: { retry_on: "unavailable, connect-failure,reset", num_retries: 3, per_try_timeout: 20s, retry_back_off: { base_interval: 0.001s } }',
  },
  async (t, { url, service }) => {
    const attempts = async (...codes: number[]): Promise<readonly [status: number, attempts: number]> => {
      service.calls.length = 0;
      service.answer = () => {
        const code = codes[service.calls.length - 1];
        return code === undefined ? {} : { code };
      };
      const { status } = await send(url, 'PUT /v1/things/a', { body: '{"count":1}', headers: { host: 'test' } });
      return [status, service.calls.length];
    };
    t.same(await attempts(14, 14, 14), [200, 4], 'a PUT too: the file says so');
    t.same(await attempts(14, 14, 14, 14), [503, 4]);
    t.same(await attempts(8), [429, 1]);
  },
);

const TRANSCODER = 'envoy.filters.http.grpc_json_transcoder';
const transcoderOf = (more: string): string =>
  `typed_per_filter_config: { ${TRANSCODER}: { "@type": ${FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder, proto_descriptor: echo.pb, ${more} } }`;

served(
  'routes that transcode otherwise, or not at all',
  {
    transcoder: 'convert_grpc_status: true',
    hosts: `- name: all
              domains: ["*"]
              routes:
              - match: { path: /v1/things/raw }
                route: { cluster: grpc }
                ${transcoderOf('services: []')}
              - match: { prefix: /echo.v1.Echo/Bare }
                route: { cluster: grpc }
                ${transcoderOf('services: [echo.v1.Echo], auto_mapping: true, match_incoming_request_route: true')}
              - match: { prefix: /v1/things/small }
                route: { cluster: grpc }
                ${transcoderOf('services: [echo.v1.Echo], max_request_body_size: 10, print_options: { add_whitespace: true }')}
              - match: { prefix: / }
                route: { cluster: grpc }`,
  },
  async (t, { url, service }) => {
    t.equal((await send(url, 'GET /v1/things/a')).text, '{"name":"a"}');
    // grpc-js refuses what is not gRPC.
    t.equal((await send(url, 'GET /v1/things/raw')).status, 415);
    t.match((await send(url, 'GET /v1/things/small')).text, /^\{\n +"name": "small"\n\}/);
    t.equal((await send(url, 'PUT /v1/things/small', { body: '{"count": 12345}' })).status, 413);
    t.equal((await send(url, 'PUT /v1/things/large', { body: '{"count": 12345}' })).status, 200);
    t.equal((await send(url, 'POST /echo.v1.Echo/Bare', { body: '{"name":"b"}' })).text, '{"name":"b"}');
    t.equal(service.calls.at(-1)!.path, '/echo.v1.Echo/Bare');
    t.equal((await send(url, 'POST /echo.v1.Echo/Get', { body: '{"name":"b"}' })).status, 415);
  },
);

served(
  'a filter that is off until a route switches it on',
  {
    filters: `- name: limit
            disabled: true
            typed_config: { "@type": ${FILTERS}.fault.v3.HTTPFault, abort: { http_status: 503, percentage: { numerator: 100 } } }
          - name: unused
            disabled: true
            typed_config: { "@type": ${FILTERS}.buffer.v3.Buffer, max_request_bytes: 1 }`,
    hosts: `- name: all
              domains: ["*"]
              routes:
              - match: { path: /v1/things/on }
                route: { cluster: grpc }
                typed_per_filter_config: { limit: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {} } }
              - match: { prefix: / }
                route: { cluster: grpc }`,
  },
  async (t, { url }) => {
    t.equal((await send(url, 'GET /v1/things/on')).status, 503);
    t.equal((await send(url, 'PUT /v1/things/a', { body: '{"count":1}' })).status, 200);
  },
);

served(
  'headers that become metadata, which nothing reads, and go',
  {
    filters: `- name: f
            typed_config:
              "@type": ${FILTERS}.header_to_metadata.v3.Config
              request_rules:
              - { header: X-Version, on_header_present: { metadata_namespace: envoy.lb, key: version, type: STRING }, remove: true }
              - { header: x-kept, on_header_present: { key: kept }, on_header_missing: { key: kept, value: none } }
              - { cookie: session, on_header_present: { key: session } }
              response_rules:
              - { header: x-secret, on_header_present: { key: secret }, remove: true }`,
    route: 'request_headers_to_add: [{ header: { key: x-added, value: a } }]',
  },
  async (t, { url, service }) => {
    service.answer = () => ({ headers: { 'x-secret': 's', 'x-open': 'o' } });
    const headers = { 'x-version': '2', 'x-kept': 'k', cookie: 'session=s' };
    const answer = await send(url, 'GET /v1/things/a', { headers });
    t.same([answer.status, answer.headers['x-secret'], answer.headers['x-open']], [200, undefined, 'o']);
    const { metadata } = service.calls.at(-1)!;
    const names = ['x-version', 'x-kept', 'cookie', 'x-added'];
    t.same(
      names.map((name) => metadata.get(name)),
      [[], ['k'], ['session=s'], ['a']],
    );
  },
);

void t.test('a service at a Unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-'));
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const service = await startEchoService(schema);
  const path = join(folder, 's.sock');
  const port = Number(service.target.split(':')[1]);
  const relay = createServer((socket) => {
    const inner = connect(port, '127.0.0.1');
    socket.pipe(inner).pipe(socket);
    for (const one of [socket, inner]) one.on('error', () => undefined);
  }).listen(path);
  await once(relay, 'listening');
  const text = bootstrapOf({
    port: 0,
    endpoints: `- { lb_endpoints: [{ endpoint: { address: { pipe: { path: ${path} } } } }] }`,
  });
  const envoy = { sources: [{ name: 'envoy.yaml', text }], lenient: false };
  const proxy = await startProxy(loadConfig({ envoy, workingDirectory: folder }));
  t.equal((await send(proxy.urls[0]!, 'GET /v1/things/a')).text, '{"name":"a"}');
  await proxy.drain();
  relay.close();
  service.close();
  rmSync(folder, { recursive: true });
});
