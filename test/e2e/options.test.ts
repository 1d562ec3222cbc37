/**
 * Every option of the table, off and on: a request, what it gives by default, and what with the option as a flag. An option
 * without a row here fails, unless it is named among those that other tests hold.
 */
import { connect } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { settingsOf } from '../../lib/cli/flags.js';
import { flagName, optionSpecs } from '../../lib/config/index.js';
import { runMain } from '../support/cli.js';
import type { Answer } from '../support/echo-service.js';
import { type RequestOptions, startTestProxy, type TestResponse } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package o.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/field_info.proto";
import "google/api/visibility.proto";
import "google/protobuf/field_mask.proto";
import "buf/validate/validate.proto";
service O {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Deep(Message) returns (Message) { option (google.api.http) = { get: "/deep/{name=**}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Patch(Message) returns (Message) { option (google.api.http) = { patch: "/v1" body: "inner" }; }
  rpc Secret(Message) returns (Message) {
    option (google.api.http) = { get: "/secret/{name}" };
    option (google.api.method_visibility).restriction = "INTERNAL";
  }
  rpc Ruled(Ruled) returns (Message) { option (google.api.http) = { get: "/ruled" }; }
  rpc Marked(Marked) returns (Message) { option (google.api.http) = { get: "/marked" }; }
  rpc Tagged(Tagged) returns (Tagged) { option (google.api.http) = { get: "/tagged" }; }
  rpc Slash(Message) returns (Message) { option (google.api.http) = { get: "/slash" }; }
  rpc Bare(Message) returns (Message);
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
}
message Ruled { string name = 1 [(buf.validate.field).string.min_len = 2]; }
message Marked {
  string id = 1 [(google.api.field_behavior) = REQUIRED];
  string address = 2 [(google.api.field_info).format = IPV4];
}
message Tagged { string name = 1; string etag = 2; }
enum Color { NONE = 0; RED = 1; }
message Message {
  string name = 1; int64 big = 2; bool flag = 3; Color color = 4; string snake_case = 5; repeated string list = 6; Message inner = 7;
  google.protobuf.FieldMask mask = 8;
}
`;

interface Row {
  readonly option: string;
  /** The flag's value; of a switch true or false. */
  readonly value: string | boolean;
  readonly request: string;
  readonly send?: RequestOptions;
  /** `echo`: the name of a metadata entry, whose value is the answer's name. */
  readonly answer?: Answer & { readonly echo?: string };
  /** Status and, where it matters, a part of the answer's text. */
  readonly off: readonly [number, string?];
  readonly on: readonly [number, string?];
}

const body = (text: string): RequestOptions => ({ body: text });
const agent = (text: string): RequestOptions => ({ body: text, headers: { 'content-type': 'application/json' } });
const header = (name: string, value: string): RequestOptions => ({ headers: { [name]: value } });

const rows: readonly Row[] = [
  {
    option: 'auto_mapping',
    value: true,
    request: 'POST /o.v1.O/Bare',
    send: body('{"name":"x"}'),
    off: [404],
    on: [200, '{"name":"x"}'],
  },
  { option: 'visibility', value: 'none', request: 'GET /secret/x', off: [200], on: [404] },
  { option: 'validate', value: 'rest', request: 'GET /ruled?name=a', off: [200], on: [400, 'at least 2 characters'] },
  { option: 'validate', value: 'rest', request: 'GET /openapi.json', off: [200], on: [200, '"minLength": 2'] },
  { option: 'validate_required', value: true, request: 'GET /marked', off: [200], on: [400, 'id: value is required'] },
  {
    option: 'validate_formats',
    value: true,
    request: 'GET /marked?address=1.2.3',
    off: [200],
    on: [400, 'address: must be a valid IPv4 address'],
  },
  {
    option: 'conditional_requests',
    value: 'quoted',
    request: 'GET /tagged?etag=%22x%22',
    send: header('if-none-match', '"x"'),
    off: [200, '"etag":"\\"x\\""'],
    on: [304],
  },
  {
    option: 'query_methods',
    value: true,
    request: 'QUERY /v1/x',
    send: agent('{"snake_case":"y"}'),
    off: [405],
    on: [200, '"snakeCase":"y"'],
  },
  { option: 'strict_slash', value: true, request: 'GET /slash/', off: [200], on: [404] },
  {
    option: 'mcp',
    value: true,
    request: 'POST /mcp',
    send: agent('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
    off: [404],
    on: [200, '"name":"O_Get"'],
  },
  { option: 'health', value: false, request: 'GET /health', off: [200, 'SERVING'], on: [404] },
  {
    option: 'pass_through',
    value: 'all',
    request: 'POST /o.v1.O/Bare',
    send: { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{"name":"x"}' },
    off: [404],
    on: [200, '{"name":"x"}'],
  },
  {
    option: 'pass_through',
    value: 'off',
    request: 'POST /o.v1.O/Get',
    send: { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{"name":"x"}' },
    off: [200, '{"name":"x"}'],
    on: [404],
  },
  { option: 'openapi', value: false, request: 'GET /openapi.json', off: [200, '"openapi": "3.1'], on: [404] },
  { option: 'asyncapi', value: false, request: 'GET /asyncapi.json', off: [200, '"asyncapi": "3.0.0"'], on: [404] },
  {
    option: 'openapi_title',
    value: 'Colours',
    request: 'GET /openapi.yaml',
    off: [200, 'title: O\n'],
    on: [200, 'title: Colours\n'],
  },
  {
    option: 'openapi_version',
    value: '2.7',
    request: 'GET /openapi.json',
    off: [200, '"version": "1.0"'],
    on: [200, '"version": "2.7"'],
  },
  {
    option: 'openapi_names',
    value: 'short',
    request: 'GET /openapi.json',
    off: [200, '"#/components/schemas/o.v1.Message"'],
    on: [200, '"#/components/schemas/Message"'],
  },
  {
    option: 'openapi_spec',
    value: '3.2',
    request: 'GET /openapi.json',
    off: [200, '"openapi": "3.1.1"'],
    on: [200, '"openapi": "3.2.0"'],
  },
  { option: 'docs', value: false, request: 'GET /docs', off: [200, 'docs/scalar.js'], on: [404] },
  {
    option: 'error_pages',
    value: false,
    request: 'GET /none',
    send: header('accept', 'text/html'),
    off: [404, '<h1>404 Not Found</h1>'],
    on: [404, '{"code":5,'],
  },
  { option: 'index', value: false, request: 'GET /', off: [200, 'o.v1.O'], on: [404] },
  {
    option: 'grpc_reflection',
    value: false,
    request: 'POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    send: { headers: { 'content-type': 'application/connect+json' }, body: '\0\0\0\0\x14{"listServices":"*"}' },
    off: [200, '"name":"o.v1.O"'],
    on: [404],
  },
  {
    option: 'url_unescape',
    value: 'all_characters',
    request: 'GET /deep/a%2Fb%23',
    off: [200, '"a%2Fb#"'],
    on: [200, '"a/b#"'],
  },
  {
    option: 'url_unescape',
    value: 'all_characters_except_reserved',
    request: 'GET /deep/a%2Fb%23%20',
    off: [200, '"a%2Fb# "'],
    on: [200, '"a%2Fb%23 "'],
  },
  { option: 'bracket_query', value: true, request: 'GET /slash?list[]=a', off: [400, 'list'], on: [200, '["a"]'] },
  { option: 'comma_lists', value: true, request: 'GET /slash?list=a,b', off: [200, '["a,b"]'], on: [200, '["a","b"]'] },
  {
    option: 'lenient_bools',
    value: true,
    request: 'GET /slash?flag=TRUE',
    off: [400, 'flag'],
    on: [200, '"flag":true'],
  },
  {
    option: 'case_insensitive_enums',
    value: true,
    request: 'GET /slash?color=red',
    off: [400, 'color'],
    on: [200, '"RED"'],
  },
  {
    option: 'lenient_json',
    value: true,
    request: 'PUT /v1/a',
    send: body(`{'color':'1',list:'x',}`),
    off: [400, 'invalid JSON'],
    on: [200, '"list":["x"]'],
  },
  { option: 'envoy_values', value: true, request: 'GET /slash?flag=yes', off: [400, 'flag'], on: [200, '"flag":true'] },
  {
    option: 'ignore_content_type',
    value: true,
    request: 'PUT /v1/a',
    send: { body: '{"flag":true}', headers: { 'content-type': 'application/xml' } },
    off: [415],
    on: [200, '"flag":true'],
  },
  { option: 'literal_plus', value: true, request: 'GET /slash?name=a+b', off: [200, '"a b"'], on: [200, '"a+b"'] },
  { option: 'ignore_query', value: 'utm_,fb*', request: 'GET /slash?utm_x=1&fbclid=2', off: [400, 'utm_x'], on: [200] },
  { option: 'ignore_unknown_query', value: true, request: 'GET /slash?nope=1', off: [400, 'nope'], on: [200] },
  {
    option: 'ignore_unknown_fields',
    value: true,
    request: 'PUT /v1/a',
    send: body('{"nope":1,"color":"BLUE"}'),
    off: [400, 'nope'],
    on: [200, '{"name":"a"}'],
  },
  {
    option: 'ignore_unexpected_body',
    value: true,
    request: 'GET /slash',
    send: body('x'),
    off: [400, 'takes no body'],
    on: [200],
  },
  {
    option: 'overwrite_path_fields',
    value: true,
    request: 'PUT /v1/a',
    send: body('{"name":"b"}'),
    off: [400, 'another value'],
    on: [200, '{"name":"a"}'],
  },
  {
    option: 'request_compression',
    value: 'deflate,gzip',
    request: 'PUT /v1/a',
    send: { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{"big":"1"}') },
    off: [415, 'send the body uncompressed"'],
    on: [200, '{"name":"a","big":"1"}'],
  },
  {
    option: 'text_plain_json',
    value: true,
    request: 'PUT /v1/a',
    send: { headers: { 'content-type': 'text/plain' }, body: '{"big":"1"}' },
    off: [415, 'text/plain'],
    on: [200, '{"name":"a","big":"1"}'],
  },
  {
    option: 'update_masks',
    value: false,
    request: 'PATCH /v1',
    send: body('{"snakeCase":"x"}'),
    off: [200, '{"inner":{"snakeCase":"x"},"mask":"snakeCase"}'],
    on: [200, '{"inner":{"snakeCase":"x"}}'],
  },
  {
    option: 'method_override',
    value: true,
    request: 'POST /v1/a',
    send: header('x-http-method-override', 'PUT'),
    off: [405],
    on: [200],
  },
  {
    option: 'preserve_proto_field_names',
    value: true,
    request: 'GET /slash?snake_case=x',
    off: [200, '"snakeCase"'],
    on: [200, '"snake_case"'],
  },
  {
    option: 'preserve_proto_field_names',
    value: true,
    request: 'PUT /v1/a',
    send: body('{"quality":"x"}'),
    off: [400, 'snakeCase, list'],
    on: [400, 'snake_case, list'],
  },
  {
    option: 'always_print_all_fields',
    value: true,
    request: 'GET /slash',
    off: [200, '{}'],
    on: [200, '{"name":"","big":"0","flag":false,"color":"NONE","snakeCase":"","list":[],"inner":null,"mask":null}'],
  },
  {
    option: 'always_print_primitive_fields',
    value: true,
    request: 'GET /slash',
    off: [200, '{}'],
    on: [200, '{"name":"","big":"0","flag":false,"color":"NONE","snakeCase":"","list":[]}'],
  },
  {
    option: 'always_print_enums_as_ints',
    value: true,
    request: 'GET /slash?color=RED',
    off: [200, '"RED"'],
    on: [200, '"color":1'],
  },
  {
    option: 'int64_as_numbers',
    value: true,
    request: 'GET /slash?big=9007199254740993',
    off: [200, '"9007199254740993"'],
    on: [200, ':9007199254740993}'],
  },
  { option: 'add_whitespace', value: true, request: 'GET /slash?name=x', off: [200, '{"name":"x"}'], on: [200, '\n'] },
  { option: 'stream_format', value: 'ndjson', request: 'GET /watch', off: [200, '[{}]'], on: [200, '{}\n'] },
  { option: 'stream_newline_delimited', value: true, request: 'GET /watch', off: [200, '[{}]'], on: [200, '{}\n'] },
  {
    option: 'stream_sse_style_delimited',
    value: true,
    request: 'GET /watch',
    off: [200, '[{}]'],
    on: [200, 'data: {}\n\n'],
  },
  {
    option: 'envelope',
    value: 'photon',
    request: 'GET /slash',
    off: [200, '{}'],
    on: [200, '{"data":{},"meta":{"request_id":'],
  },
  {
    option: 'envelope',
    value: 'photon',
    request: 'GET /none',
    off: [404, '{"code":5'],
    on: [404, '{"error":{"code":"NOT_FOUND"'],
  },
  {
    option: 'error_format',
    value: 'aip193',
    request: 'GET /none',
    off: [404, '{"code":5'],
    on: [404, '{"error":{"code":404'],
  },
  {
    option: 'status_map',
    value: '5=410,INTERNAL=502',
    request: 'GET /slash',
    answer: { code: 13, details: 'x' },
    off: [500],
    on: [502],
  },
  {
    option: 'debug_info',
    value: true,
    request: 'GET /slash',
    answer: {
      code: 13,
      details: 'x',
      trailers: {
        'grpc-status-details-bin': Buffer.from(
          'GioKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5EZWJ1Z0luZm8=',
          'base64',
        ),
      },
    },
    off: [500, '"message":"x"}'],
    on: [500, 'DebugInfo'],
  },
  {
    option: 'refuse_underscores',
    value: true,
    request: 'GET /slash',
    send: header('x_real_ip', '10.0.0.1'),
    off: [200],
    on: [400, 'has an underscore'],
  },
  {
    option: 'check_origin',
    value: false,
    request: 'PUT /v1/a',
    send: { headers: { origin: 'http://evil.example' }, body: '{}' },
    off: [403],
    on: [200],
  },
  {
    option: 'allowed_hosts',
    value: 'a.example,b.example',
    request: 'GET /slash',
    send: header('host', 'b.example'),
    off: [403],
    on: [200],
  },
  {
    option: 'etag',
    value: true,
    request: 'GET /slash?name=a',
    send: header('if-none-match', '*'),
    off: [200],
    on: [304],
  },
  {
    option: 'compression',
    value: 'gzip,br',
    request: `GET /slash?name=${'x'.repeat(500)}`,
    send: header('accept-encoding', 'gzip'),
    off: [200, '"name"'],
    on: [200, '\u001f'],
  },
  {
    option: 'trusted_proxies',
    value: '10.0.0.0/8,127.0.0.1',
    request: 'GET /v1/a',
    send: header('x-forwarded-for', '203.0.113.7'),
    answer: { echo: 'x-forwarded-for' },
    off: [200, '"127.0.0.1"'],
    on: [200, '"203.0.113.7, 127.0.0.1"'],
  },
  {
    option: 'identity_headers',
    value: 'x-user*',
    request: 'GET /slash',
    send: header('x-user-id', 'mallory'),
    answer: { echo: 'x-user-id' },
    off: [200, 'mallory'],
    on: [200, '{}'],
  },
  { option: 'default_deadline', value: '50ms', request: 'GET /slash', answer: { delayMs: 300 }, off: [200], on: [504] },
  {
    option: 'max_deadline',
    value: '50ms',
    request: 'GET /slash',
    send: header('x-request-timeout', '5s'),
    answer: { delayMs: 300 },
    off: [200],
    on: [504],
  },
  {
    option: 'max_body_bytes',
    value: '10B',
    request: 'PUT /v1/a',
    send: body('{"big":"12"}'),
    off: [200],
    on: [413, '10 bytes'],
  },
  {
    option: 'max_form_parts',
    value: '1',
    request: 'PUT /v1/a',
    send: {
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: `${'--b\r\ncontent-disposition: form-data; name="list"\r\n\r\nx\r\n'.repeat(2)}--b--`,
    },
    off: [200, '["x","x"]'],
    on: [400, 'more than 1 parts'],
  },
  {
    option: 'max_receive_bytes',
    value: '10B',
    request: `GET /slash?name=${'x'.repeat(20)}`,
    off: [200],
    on: [500, '"code":13'],
  },
  {
    option: 'max_response_bytes',
    value: '10B',
    request: `GET /slash?name=${'x'.repeat(20)}`,
    off: [200],
    on: [500, '"code":13'],
  },
  {
    option: 'max_url_bytes',
    value: '64B',
    request: `GET /slash?name=${'x'.repeat(80)}`,
    off: [200],
    on: [414, '"code":3'],
  },
  {
    option: 'max_header_bytes',
    value: '256B',
    request: 'GET /slash',
    send: header('x-long', 'x'.repeat(300)),
    off: [200],
    on: [431, '"code":8'],
  },
  {
    option: 'max_request_bytes',
    value: '2',
    request: 'PUT /v1/a',
    send: body('{} '),
    off: [200],
    on: [413, 'max_request_bytes'],
  },
  {
    option: 'max_json_depth',
    value: '2',
    request: 'PUT /v1/a',
    send: body('{"inner":{"inner":{}}}'),
    off: [200],
    on: [400, 'line 1'],
  },
];

/** Options whose effect is no single answer, and the test that holds each. */
const elsewhere: Readonly<Record<string, string>> = {
  mcp_path: 'test/mcp/tools.test.ts',
  mcp_tool_names: 'test/mcp/tools.test.ts',
  mcp_tools: 'test/mcp/tools.test.ts',
  mcp_resources: 'test/mcp/resources.test.ts',
  mcp_max_listed: 'test/mcp/tools.test.ts',
  mcp_page_size: 'test/mcp/tools.test.ts',
  mcp_max_messages: 'test/mcp/client.test.ts',
  mcp_max_result_bytes: 'test/mcp/client.test.ts',
  mcp_stream_time: 'test/mcp/client.test.ts',
  server_name: 'test/envoy/serve.test.ts',
  strict_transport_security: 'test/e2e/security-headers.test.ts',
  compression_min_bytes: 'test/envoy/serve.test.ts',
  compression_types: 'test/envoy/serve.test.ts',
  reject_unknown_method: 'test/envoy/serve.test.ts',
  match_incoming_request_route: 'test/envoy/serve.test.ts',
  original_path_headers: 'test/envoy/serve.test.ts',
  normalize_path: 'test/envoy/serve.test.ts',
  merge_slashes: 'test/envoy/serve.test.ts',
  path_with_escaped_slashes_action: 'test/envoy/serve.test.ts',
  protocols: 'test/envoy/serve.test.ts',
  convert_grpc_status: 'test/envoy/serve.test.ts',
  error_template: 'test/e2e/error-template.test.ts',
  error_content_type: 'test/e2e/error-template.test.ts',
  grpc_status_headers: 'test/envoy/serve.test.ts',
  ignore_accept: 'test/envoy/serve.test.ts',
  request_binding: 'test/envoy/serve.test.ts',
  reject_binding_body_field_collisions: 'test/envoy/serve.test.ts',
  pass_unknown_query: 'test/envoy/serve.test.ts',
  on_duplicate: 'below',
  reason_phrase: 'below',
  header_timeout: 'below',
  idle_timeout: 'below',
  write_timeout: 'test/e2e/readers.test.ts',
  rate_limit_keys: 'test/e2e/rate-limit.test.ts',
  rate_limit_fields: 'test/e2e/rate-limit.test.ts',
  max_connection_requests: 'test/server/connection.test.ts',
  max_connection_age: 'test/server/connection-age.test.ts',
  max_connection_age_grace: 'test/server/connection-age.test.ts',
  log_level: 'test/telemetry/access-log.test.ts',
  log_format: 'test/telemetry/access-log.test.ts',
  access_log: 'test/telemetry/access-log.test.ts',
  access_log_file: 'test/telemetry/access-log.test.ts',
  access_log_fields: 'test/telemetry/access-log.test.ts',
  access_log_format: 'test/telemetry/access-log-format.test.ts',
  access_log_omit_empty: 'test/telemetry/access-log-format.test.ts',
  access_log_sample: 'test/telemetry/access-log.test.ts',
  access_log_slow: 'test/telemetry/access-log.test.ts',
  log_redact_query: 'test/telemetry/access-log.test.ts',
  admin: 'test/telemetry/admin.test.ts',
  zone: 'test/e2e/clusters.test.ts',
  admin_envoy: 'test/telemetry/envoy-admin.test.ts',
  metrics_max_series: 'test/telemetry/admin.test.ts',
  tracing: 'test/telemetry/tracing.test.ts',
  keep_alive_timeout: 'below',
  drain_delay: 'below',
  drain_timeout: 'below',
  close_error_array: 'test/e2e/streams.test.ts',
  stream_errors: 'test/e2e/streams.test.ts',
  custom_verbs: 'test/router/router.test.ts',
  stream_head_delay: 'test/e2e/streams.test.ts',
  sse_keep_alive: 'test/e2e/streams.test.ts',
  sse_retry: 'test/e2e/last-event-id.test.ts',
  max_concurrent_requests: 'test/e2e/http.test.ts',
  large_message_bytes: 'test/threads/threads.test.ts',
  large_message_threads: 'test/threads/threads.test.ts',
  max_event_loop_delay: 'test/e2e/overload.test.ts',
  overload_retry_after: 'test/e2e/overload.test.ts',
  preset: 'test/e2e/presets.test.ts',
  fallback: 'test/e2e/fallback.test.ts',
  fallback_timeout: 'test/e2e/fallback.test.ts',
  upstream_client: 'test/e2e/upstream.test.ts',
  connect_timeout: 'test/e2e/upstream.test.ts',
  load_balancing_policy: 'test/e2e/upstream.test.ts',
  dns_refresh_rate: 'test/upstream/servers.test.ts',
  max_upstream_header_bytes: 'test/upstream/answer.test.ts',
  upstream_keepalive_time: 'test/e2e/upstream.test.ts',
  upstream_keepalive_timeout: 'test/e2e/upstream.test.ts',
  initial_reconnect_backoff: 'test/e2e/upstream.test.ts',
  max_reconnect_backoff: 'test/e2e/upstream.test.ts',
  health_timeout: 'test/e2e/upstream.test.ts',
  health_cache: 'test/gateway/health.test.ts',
  reflection_interval: 'test/live/reflection.test.ts',
  reflection_timeout: 'test/live/reflection.test.ts',
  max_reflection_bytes: 'test/live/reflection.test.ts',
  max_reflection_files: 'test/live/reflection.test.ts',
};
for (const { name } of optionSpecs)
  if (/tls|^upstream_(?!client|keepalive)/.test(name)) Object.assign(elsewhere, { [name]: 'test/e2e/tls.test.ts' });

function optionOf(option: string, value: string | boolean): object {
  return settingsOf({ [flagName(option)]: value }).options!;
}

async function answerOf(row: Row, options: object): Promise<TestResponse> {
  const proxy = await startTestProxy(proto, options);
  try {
    proxy.service.answer = ({ metadata }) => {
      const echo = row.answer?.echo;
      if (echo === undefined) return row.answer ?? {};
      const value = metadata.get(echo).join();
      return { message: Buffer.concat([Buffer.of(0x0a, value.length), Buffer.from(value)]) };
    };
    return await proxy.send(row.request, row.send);
  } finally {
    await proxy.close();
  }
}

void t.test('off and on', async (t) => {
  const covered = new Set([...rows.map(({ option }) => option), ...Object.keys(elsewhere)]);
  t.strictSame(
    optionSpecs.map(({ name }) => name).filter((name) => !covered.has(name)),
    [],
    'every option has a row',
  );
  for (const row of rows) {
    for (const [state, options, [status, text]] of [
      ['off', {}, row.off],
      ['on', optionOf(row.option, row.value), row.on],
    ] as const) {
      const response = await answerOf(row, options);
      t.equal(response.status, status, `${row.option} ${state}: ${response.text}`);
      if (text !== undefined) t.ok(response.text.includes(text), `${row.option} ${state}: ${response.text}`);
    }
  }
});

void t.test('on_duplicate', async (t) => {
  const twice = proto.replace('"/slash"', '"/v1/{big}"');
  await t.rejects(startTestProxy(twice), { message: /matches the same requests/ });
  for (const [which, path, text] of [
    ['first', '/v1/x', '{"name":"x"}'],
    ['last', '/v1/7', '{"big":"7"}'],
  ] as const) {
    const proxy = await startTestProxy(twice, optionOf('on_duplicate', which));
    t.equal((await proxy.send(`GET ${path}`)).text, text, which);
    const { warnings, listeners } = proxy.proxy.prepared;
    t.match(warnings, [
      { code: 'unannotated-method' },
      { code: 'duplicate-route', message: new RegExp(`comes ${which}$`) },
    ]);
    const rules = twice.match(/google\.api\.http\)/g)!.length;
    t.equal(listeners[0]!.parts[0]!.bindings.length, rules - 1, 'what is left out is not counted');
    await proxy.close();
  }
});

void t.test('on_duplicate: check says what is left out', async (t) => {
  const folder = t.testdir({ 'a.proto': proto.replace('"/slash"', '"/v1/{big}"') });
  for (const which of ['first', 'last']) {
    const args = ['check', '--proto', 'a.proto', '--on-duplicate', which];
    const { code, stderr } = await runMain(args, folder);
    t.equal(code, 0, stderr);
    const [kept, out] = which === 'first' ? ['name', 'big'] : ['big', 'name'];
    t.match(stderr, new RegExp(`GET /v1/\\{${out}\\} .*is left out: GET /v1/\\{${kept}\\} .* comes ${which}`), which);
  }
});

void t.test('reason_phrase', async (t) => {
  for (const [options, reason] of [
    [{}, 'no route for GET "/none"; "GET /" lists what is served'],
    [optionOf('index', false), 'no route for GET "/none"; "photongate routes" lists what is served'],
    [optionOf('reason_phrase', false), 'Not Found'],
  ] as const) {
    const proxy = await startTestProxy(proto, options);
    t.equal((await proxy.send('GET /none')).reason, reason);
    await proxy.close();
  }
});

/** What comes back on a connection that sends `text` and then nothing, until it is closed by the other side. */
async function untilClosed(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

void t.test('drain_delay', async (t) => {
  const proxy = await startTestProxy(proto, optionOf('drain_delay', '200ms'));
  t.equal(proxy.proxy.isReady, true);
  const drained = proxy.close();
  t.equal(proxy.proxy.isReady, false);
  const late = await proxy.send('GET /slash', { headers: { connection: 'keep-alive' } });
  t.same([late.status, late.headers.connection], [200, 'close']);
  await drained;
  await t.rejects(proxy.send('GET /slash'));
});

void t.test('time-outs', async (t) => {
  const get = 'GET /slash HTTP/1.1\r\nhost: localhost\r\n';
  for (const [option, text, answer] of [
    ['header_timeout', get, /^HTTP\/1\.1 408 [^]*"code":4/],
    [
      'idle_timeout',
      'PUT /v1/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{',
      /^HTTP\/1\.1 408 [^]*"code":4/,
    ],
    ['keep_alive_timeout', `${get}\r\n`, /^HTTP\/1\.1 200 [^]*\{\}$/],
  ] as const) {
    const proxy = await startTestProxy(proto, optionOf(option, '150ms'));
    t.match(await untilClosed(proxy.port, text), answer, option);
    await proxy.close();
  }
  const proxy = await startTestProxy(proto, optionOf('drain_timeout', '100ms'));
  proxy.service.answer = () => ({ delayMs: 5000 });
  const lost = proxy.send('GET /slash').catch(() => 'cut');
  while (proxy.service.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await proxy.close();
  t.equal(await lost, 'cut', 'what still runs after drain_timeout is cancelled');
});
