/** Bootstraps and the requests that Envoy and photongate get with each. */
import { authzFiles } from './authz-files.js';
import { jwtFiles } from './jwt-files.js';
import { transcoderFiles } from './transcoder-files.js';
import type { BootstrapParts } from './bootstrap.js';
import { generated } from './generated.js';

export interface PeerRequest {
  /** `GET /v1/things`. */
  readonly line: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface PeerFile {
  readonly name: string;
  readonly parts: BootstrapParts;
  readonly requests: readonly PeerRequest[];
  /** Starts what its filters ask: parts besides, what was asked, and how it is stopped. */
  readonly start?: () => Promise<PeerService>;
}

export interface PeerService {
  readonly parts: BootstrapParts;
  /** What it was asked since the last time. */
  readonly asked: () => unknown;
  readonly close: () => void;
}

const json = { 'content-type': 'application/json' };
const get = (path: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => {
  return { line: `GET ${path}`, headers };
};
const post = (path: string, body: string, headers: Readonly<Record<string, string>> = json): PeerRequest => {
  return { line: `POST ${path}`, body, headers };
};
const put = (path: string, body: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => {
  return { line: `PUT ${path}`, body, headers: { ...json, ...headers } };
};

/** A line of `http_filters`. */
function filterOf(type: string, config: string, name = 'f'): string {
  const members = config === '' ? '' : `, ${config}`;
  return `- { name: ${name}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.${type}${members} } }`;
}

/** A line with a policy that lets one origin call. */
function corsOf(origin: string): string {
  return `typed_per_filter_config: { cors: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, allow_origin_string_match: [{ exact: "${origin}" }] } }`;
}

/** What every file is asked. */
const usual: readonly PeerRequest[] = [
  get('/v1/things/a'),
  get('/v1/things/a?count=2&flag=true&kind=KIND_LARGE&big=9007199254740993&ratio=0.5'),
  get('/v1/things/a?tags=x&tags=y&inner.text=t&inner.rank=3'),
  get('/v1/things/a%2Fb%20c'),
  get('/v1/things/a+b?inner.text=c+d'),
  get('/v1/things/%E2%82%AC'),
  get('/v1/things?name=x'),
  get('/v1/things/a/'),
  get('/v1/things/a?kind=2'),
  get('/v1/things/a', { 'x-custom': 'v', cookie: 'a=b', authorization: 'Bearer t' }),
  get('/v1/files/docs/a/b'),
  get('/v1/files/docs/a%2Fb%20c'),
  post('/v1/things', '{"name":"a","count":2,"tags":["x"],"inner":{"text":"t"}}'),
  post('/v1/things', '{}'),
  post('/v1/things', ''),
  post('/v1/things', '{"big":"9007199254740993","data":"AQI="}'),
  post('/v1/things', '{"kind":"KIND_SMALL"}'),
  put('/v1/things/a', '{"count":1}'),
  post('/v1/inner/a', '{"text":"t","rank":1}'),
  post('/v1/things/a:touch', ''),
  post('/v1/raw', 'hello', { 'content-type': 'text/x-own' }),
  get('/v1/watch/a'),
  get('/nope'),
  post('/nope', '{}'),
  post('/v1/things', '{"name":'),
  post('/v1/things', '{"count":"x"}'),
  get('/v1/things/a?count=x'),
  get('/v1/fail/5'),
  get('/v1/fail/16'),
  get('/v1/fail/3'),
  get('/v1/things/a', { accept: 'text/plain' }),
  get('/v1/watch/a', { accept: 'text/event-stream' }),
];

const unknown: readonly PeerRequest[] = [
  get('/v1/things/a?nope=1'),
  get('/v1/things/a?name=b'),
  get('/v1/things/a?count=1&count=2'),
  get('/v1/things/a?flag'),
  post('/v1/things', '{"nope":1,"count":2}'),
  put('/v1/things/a', '{"name":"b"}'),
  post('/v1/things?count=4', '{"name":"a"}'),
];

export const files: readonly PeerFile[] = [
  { name: 'plain', parts: {}, requests: [...usual, ...unknown] },
  {
    name: 'converted errors',
    parts: { transcoder: 'convert_grpc_status: true' },
    requests: [get('/v1/fail/5'), get('/v1/fail/16'), get('/v1/fail/3'), get('/v1/things/a'), get('/v1/watch/a')],
  },
  {
    name: 'print options',
    parts: {
      transcoder:
        'print_options: { always_print_primitive_fields: true, always_print_enums_as_ints: true, preserve_proto_field_names: true }',
    },
    requests: [get('/v1/things/a'), get('/v1/things/a?kind=KIND_LARGE'), post('/v1/things', '{"inner":{}}')],
  },
  {
    name: 'auto mapping, queries',
    parts: {
      transcoder: `auto_mapping: true
              ignored_query_parameters: [key]
              query_param_unescape_plus: true
              case_insensitive_enum_parsing: true
              url_unescape_spec: ALL_CHARACTERS`,
    },
    requests: [
      post('/echo.v1.Echo/Bare', '{"name":"x"}'),
      get('/v1/things/a?key=1&inner.text=c+d'),
      get('/v1/files/docs/a%2Fb%20c'),
      post('/v1/things', '{"kind":"kind_small"}'),
    ],
  },
  {
    name: 'strict',
    parts: {
      transcoder: 'request_validation_options: { reject_unknown_method: true, reject_unknown_query_parameters: true }',
    },
    requests: [get('/nope'), get('/v1/things/a?nope=1'), get('/v1/things/a')],
  },
  {
    name: 'unknown parameters ignored',
    parts: { transcoder: 'ignore_unknown_query_parameters: true' },
    requests: [get('/v1/things/a?nope=1'), get('/v1/things?nope=1&name=x')],
  },
  {
    name: 'the incoming route',
    parts: { match: 'prefix: /v1/things', transcoder: 'match_incoming_request_route: true' },
    requests: [get('/v1/things/a'), get('/v1/files/docs/a'), get('/nope')],
  },
  {
    name: 'routes',
    parts: {
      hosts: `- name: api
              domains: ["api.test", "*.api.test"]
              routes:
              - match: { prefix: / }
                direct_response: { status: 418, body: { inline_string: api } }
            - name: all
              domains: ["*"]
              response_headers_to_add: [{ header: { key: x-host, value: all } }]
              routes:
              - match: { path: /ok }
                direct_response: { status: 200, body: { inline_string: fine } }
              - match: { path: /empty }
                direct_response: { status: 204 }
              - match: { prefix: /old }
                redirect: { host_redirect: new.test, response_code: FOUND }
              - match: { prefix: /secure }
                redirect: { https_redirect: true }
              - match: { prefix: /swap }
                redirect: { prefix_rewrite: /new, strip_query: true }
              - match: { safe_regex: { regex: "/re/[0-9]+" } }
                direct_response: { status: 201 }
              - match: { path_separated_prefix: /sep }
                direct_response: { status: 202 }
              - match: { prefix: /head, headers: [{ name: x-a, string_match: { exact: "1" } }] }
                direct_response: { status: 203 }
              - match: { prefix: /head, headers: [{ name: x-b, string_match: { exact: "1" }, invert_match: true }] }
                direct_response: { status: 205 }
              - match: { prefix: /head, headers: [{ name: x-c, present_match: false }] }
                direct_response: { status: 206 }
              - match: { prefix: /query, query_parameters: [{ name: q, string_match: { prefix: a } }] }
                direct_response: { status: 207 }
              - match: { prefix: /CASE, case_sensitive: false }
                direct_response: { status: 208 }
              - match: { prefix: /echo.v1.Echo/Get, grpc: {} }
                route: { cluster: grpc }
                request_headers_to_add: [{ header: { key: x-made, value: "%REQ(x-given)%" } }]
                request_headers_to_remove: [x-secret]
                response_headers_to_add: [{ header: { key: x-route, value: get }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }]`,
    },
    requests: [
      get('/x', { host: 'api.test' }),
      get('/x', { host: 'a.api.test' }),
      get('/ok'),
      get('/empty'),
      get('/old/x?y=1'),
      get('/secure/x?y=1'),
      get('/swap/x?y=1'),
      get('/re/12'),
      get('/re/x'),
      get('/sep'),
      get('/sep/x'),
      get('/separate'),
      get('/head', { 'x-a': '1', 'x-c': '1' }),
      get('/head', { 'x-b': '2', 'x-c': '1' }),
      get('/head', { 'x-b': '1', 'x-c': '1' }),
      get('/head', { 'x-c': '1' }),
      get('/head'),
      get('/query?q=abc'),
      get('/query?q=b'),
      get('/case'),
      get('/v1/things/a', { 'x-given': 'g', 'x-secret': 's' }),
      get('/v1/watch/a'),
    ],
  },
  {
    name: 'paths',
    parts: {
      manager: `normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD`,
    },
    requests: [get('/v1//things/a'), get('/v1/x/../things/a'), get('/v1%2Fthings/a'), get('/%76%31/things/a')],
  },
  {
    name: 'redirected paths',
    parts: { manager: 'path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT' },
    requests: [get('/v1%2Fthings/a?x=1'), get('/v1/things/a')],
  },
  {
    name: 'refused paths',
    parts: { manager: 'path_with_escaped_slashes_action: REJECT_REQUEST' },
    requests: [get('/v1/things/a%2Fb'), get('/v1/things/a')],
  },
  {
    name: 'lines',
    parts: { transcoder: 'print_options: { stream_newline_delimited: true }' },
    requests: [get('/v1/watch/a')],
  },
  {
    name: 'events',
    parts: { transcoder: 'print_options: { stream_sse_style_delimited: true }' },
    requests: [get('/v1/watch/a')],
  },
  {
    name: 'the name of the server',
    parts: { manager: 'server_name: own' },
    requests: [get('/v1/things/a'), get('/nope')],
  },
  {
    name: 'health checks',
    parts: {
      filters:
        '- { name: health, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck, pass_through_mode: false, headers: [{ name: ":path", string_match: { exact: /healthz } }] } }',
    },
    requests: [get('/healthz'), get('/healthy'), get('/v1/things/a')],
  },
  {
    name: 'CORS',
    parts: {
      filters:
        '- { name: cors, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }',
      hosts: `- name: all
              domains: ["*"]
              typed_per_filter_config:
                cors:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                  allow_origin_string_match: [{ exact: "https://a.test" }]
                  allow_methods: GET, PUT
                  allow_headers: x-one, x-two
                  expose_headers: x-three
                  max_age: "600"
                  allow_credentials: true
              routes:
              - match: { prefix: / }
                route: { cluster: grpc }`,
    },
    requests: [
      get('/v1/things/a', { origin: 'https://a.test' }),
      get('/v1/things/a', { origin: 'https://b.test' }),
      get('/v1/things/a'),
      {
        line: 'OPTIONS /v1/things/a',
        headers: { origin: 'https://a.test', 'access-control-request-method': 'PUT' },
      },
      {
        line: 'OPTIONS /v1/things/a',
        headers: { origin: 'https://b.test', 'access-control-request-method': 'PUT' },
      },
    ],
  },
  {
    name: "answers of the proxy's own",
    parts: {
      manager: `local_reply_config:
            mappers:
            - filter: { status_code_filter: { comparison: { op: EQ, value: { default_value: 410 } } } }
              status_code: 404
              body: { inline_string: it was here }
              headers_to_add: [{ header: { key: x-mapped, value: "%RESPONSE_CODE%" } }]
            - filter: { header_filter: { header: { name: x-plain, present_match: true } } }
              body_format_override: { text_format_source: { inline_string: "%RESPONSE_CODE% %LOCAL_REPLY_BODY%" }, content_type: text/x-own }
            body_format: { json_format: { code: "%RESPONSE_CODE%", message: "%LOCAL_REPLY_BODY%", path: "%REQ(:path)%", none: "%REQ(x-none)%" } }`,
      hosts: `- name: all
              domains: [a.test]
              routes:
              - { match: { prefix: /gone }, direct_response: { status: 410, body: { inline_string: gone } } }
              - { match: { prefix: /ok }, direct_response: { status: 200, body: { inline_string: fine } } }
              - { match: { prefix: /moved }, redirect: { host_redirect: new.test } }
              - { match: { prefix: / }, route: { cluster: grpc } }`,
    },
    requests: [
      get('/gone', { host: 'a.test' }),
      get('/ok', { host: 'a.test' }),
      get('/ok', { host: 'a.test', 'x-plain': '1' }),
      get('/moved', { host: 'a.test' }),
      get('/v1/things/a', { host: 'a.test' }),
      get('/v1/things/a', { host: 'b.test' }),
      get('/v1/fail/5', { host: 'a.test' }),
    ],
  },
  {
    name: 'access rules',
    parts: {
      filters: filterOf(
        'rbac.v3.RBAC',
        `rules: { action: DENY, policies: { admins: { permissions: [{ and_rules: { rules: [{ url_path: { path: { prefix: /v1/ } } }, { not_rule: { header: { name: ":method", string_match: { exact: GET } } } }] } }], principals: [{ not_id: { header: { name: x-user, string_match: { exact: root } } } }] } } }`,
      ),
    },
    requests: [
      get('/v1/things/a'),
      put('/v1/things/a', '{}'),
      post('/v1/things', '{}', { ...json, 'x-user': 'root' }),
      get('/v1/things/a?x=1', { 'x-user': 'other' }),
    ],
  },
  {
    name: 'faults',
    parts: {
      filters: filterOf(
        'fault.v3.HTTPFault',
        'abort: { http_status: 503, percentage: { numerator: 100 } }, headers: [{ name: x-fail, string_match: { exact: "1" } }]',
      ),
    },
    requests: [get('/v1/things/a'), get('/v1/things/a', { 'x-fail': '1' })],
  },
  {
    name: 'a limit of rate',
    parts: {
      filters: filterOf(
        'local_ratelimit.v3.LocalRateLimit',
        'stat_prefix: x, token_bucket: { max_tokens: 2, tokens_per_fill: 1, fill_interval: 3600s }, filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } }, response_headers_to_add: [{ header: { key: x-limited, value: "yes" } }]',
      ),
    },
    requests: [get('/v1/things/a'), get('/v1/things/a'), get('/v1/things/a'), get('/nope')],
  },
  {
    name: 'calls that are sent again',
    parts: {
      action:
        'retry_policy: { retry_on: "unavailable,resource-exhausted,connect-failure", num_retries: 2, retry_back_off: { base_interval: 0.001s } }',
    },
    requests: [
      get('/v1/things/a', { 'x-fail': '14' }),
      get('/v1/things/a', { 'x-fail': '14,8' }),
      get('/v1/things/a', { 'x-fail': '14,14,14' }),
      get('/v1/things/a', { 'x-fail': '5' }),
      get('/v1/things/a', { 'x-fail': '14,10' }),
      put('/v1/things/a', '{"count":1}', { 'x-fail': '14,14' }),
    ],
  },
  {
    name: 'calls that a route sends again in another way than its host',
    parts: {
      hosts: `- name: a
              domains: ["*"]
              retry_policy: { retry_on: cancelled, num_retries: 3 }
              routes:
              - { match: { prefix: /echo.v1.Echo/Put }, route: { cluster: grpc, retry_policy: { retry_on: "5xx" } } }
              - { match: { prefix: / }, route: { cluster: grpc } }`,
    },
    requests: [
      get('/v1/things/a', { 'x-fail': '1,1' }),
      put('/v1/things/a', '{"count":1}', { 'x-fail': '1' }),
      put('/v1/things/a', '{"count":1}', { 'x-fail': '14' }),
    ],
  },
  {
    name: 'a limit of bodies',
    parts: { filters: filterOf('buffer.v3.Buffer', 'max_request_bytes: 20') },
    requests: [put('/v1/things/a', '{"count":1}'), put('/v1/things/a', `{"count":1${' '.repeat(30)}}`)],
  },
  {
    name: 'CORS of each host and route',
    parts: {
      filters: filterOf('cors.v3.Cors', '', 'cors'),
      hosts: `- name: a
              domains: [a.test]
              ${corsOf('https://a.test')}
              routes:
              - { match: { prefix: /ok }, direct_response: { status: 200 }, ${corsOf('https://o.test')} }
              - { match: { prefix: / }, route: { cluster: grpc } }
            - name: b
              domains: ["*"]
              routes: [{ match: { prefix: / }, route: { cluster: grpc } }]`,
    },
    requests: [
      get('/v1/things/a', { host: 'a.test', origin: 'https://a.test' }),
      get('/v1/things/a', { host: 'b.test', origin: 'https://a.test' }),
      get('/ok', { host: 'a.test', origin: 'https://a.test' }),
      get('/ok', { host: 'a.test', origin: 'https://o.test' }),
    ],
  },
  ...jwtFiles,
  ...authzFiles,
  ...transcoderFiles,
  {
    name: 'failing streams',
    parts: {},
    requests: [get('/v1/fail-late/0'), get('/v1/fail-late/1'), get('/v1/fail-late/2')],
  },
  {
    name: 'failing streams, converted',
    parts: { transcoder: 'convert_grpc_status: true' },
    requests: [get('/v1/fail-late/0'), get('/v1/fail-late/1'), get('/v1/fail-late/2')],
  },
  {
    name: 'failing streams of lines',
    parts: { transcoder: 'print_options: { stream_newline_delimited: true }' },
    requests: [get('/v1/fail-late/0'), get('/v1/fail-late/1'), get('/v1/fail-late/2')],
  },
  {
    name: 'failing streams of events',
    parts: { transcoder: 'print_options: { stream_sse_style_delimited: true }' },
    requests: [get('/v1/fail-late/0'), get('/v1/fail-late/1'), get('/v1/fail-late/2')],
  },
  {
    name: 'lenient JSON',
    parts: {},
    requests: [
      "{'name':'a'}",
      '{name:"a"}',
      '{"name":"a",}',
      '{"tags":["a",]}',
      '{"tags":"a"}',
      '{"flag":"true"}',
      '{"count":"7"}',
      '{"count":1.0}',
      '{"count":1e2}',
      '{"big":18446744073709551616}',
      '{"name":"a\\v\\q"}',
      '{"name":"a\u0009b"}',
      '{"count":01}',
      '{"name":"a","name":"b"}',
      '{"name":null}',
      '{"tags":[null,"a"]}',
      '{"tags":["a",null]}',
      '{"count":{}}',
      '{"kind":"nope"}',
      '{"kinds":[1]}',
      '{"kind":7}',
      '{"ratio":NaN}',
      '{"ratio":"NaN"}',
      '{"ratio":"Infinity"}',
      '{"name":"a"} x',
      '{"name":"a"}}',
      '[]',
      '"x"',
      'null',
      ' ',
      '{"data":"AQI"}',
      '{"data":"_-8="}',
      '{"data":"!"}',
      '{"flag":1}',
      '{"flag":"yes"}',
      '{"name":5}',
      '{"name":true}',
      '{"inner":"x"}',
      '{"inner":[]}',
      '{"inner":null}',
      '{,}',
      '{"name":}',
      '{"name" "a"}',
      '{"count": +1}',
      '{"count": 0x10}',
      '{"count": -0}',
      '{"count": 2147483648}',
      '{"ratio": 1e400}',
      '// c\n{"name":"a"}',
      '{"a.b":1,"name":"a"}',
      '{"Name":"a"}',
      '{name_:"a"}',
      '{"inner":{"text":"a","text":"b"},"inner":{"rank":1}}',
      '{"tags":[["a"]]}',
      '{"tags":{"a":1}}',
      "{'name':\"it's\"}",
      '{$x:1,"name":"a"}',
      '{"flag":tru}',
      '{"flag":True}',
      '{"name":"\\u00e9\\ud83d\\ude00"}',
      '{"name":"\\ud83d"}',
      '{"count":"7.0"}',
      '{"count":"1e1"}',
      '{"count":""}',
      '{"big":9007199254740993}',
      '{"big":1.5}',
      '{"count":1.5}',
      '{"kind":"2"}',
      '{"kind":2.0}',
      '{"kind":"KIND_LARGE "}',
      '\ufeff{"name":"a"}',
    ]
      .map((body) => post('/v1/things', body))
      .concat([get('/v1/things/a?kind=nope'), post('/v1/inner/a', "{text:'t',rank:'1',}")]),
  },
  {
    name: 'verbs of any rule',
    parts: {},
    requests: [
      get('/v1/things/a:touch'),
      get('/v1/files/docs/a:touch'),
      get('/v1/things/a:other'),
      get('/v1/things/a:touch/'),
      get('/v1/things/a:touch:b'),
      get('/v1/things/a%3Atouch'),
      post('/v1/things/a:b:touch', ''),
      post('/v1/things/a:touch/', ''),
    ],
  },
  {
    name: 'every colon',
    parts: { transcoder: 'match_unregistered_custom_verb: true' },
    requests: [get('/v1/things/a:other'), get('/v1/things/a'), post('/v1/things/a:touch', '')],
  },
  {
    name: 'slashes',
    parts: {},
    requests: [
      get('/v1/things/a//'),
      get('/v1/things/a///'),
      get('/v1/things/'),
      get('/v1/things//'),
      get('/v1//things/a'),
      get('//v1/things/a'),
      get('/v1/files/docs'),
      get('/v1/files/docs/'),
      get('/v1/files/docs//a'),
      get('/v1/files/docs/a/'),
      get('/'),
      get('/v1/things/*'),
      get('/v1/files/**'),
    ],
  },
  {
    name: 'content types',
    parts: {},
    requests: [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'application/json; charset=latin1',
      'multipart/form-data',
      'application/x-protobuf',
      'x',
    ].map((type) => post('/v1/things', '{"name":"a"}', { 'content-type': type })),
  },
  {
    name: 'bodies that no rule wants',
    parts: {},
    requests: [
      post('/v1/things/a:touch', '{"count":1}'),
      post('/v1/things/a:touch', '{"nope":1}'),
      post('/v1/things/a:touch', 'x'),
      { line: 'GET /v1/things/a', headers: json, body: '{"count":2}' },
      { line: 'HEAD /v1/things/a' },
      { line: 'OPTIONS /v1/things/a' },
      { line: 'PATCH /v1/things/a', headers: json, body: '{}' },
      { line: 'DELETE /v1/things/a' },
    ],
  },
  { name: 'generated', parts: {}, requests: generated },
  ...[
    ['convert_grpc_status: true', 'ignore_unknown_query_parameters: true', 'url_unescape_spec: ALL_CHARACTERS'],
    [
      'case_insensitive_enum_parsing: true',
      'query_param_unescape_plus: true',
      'url_unescape_spec: ALL_CHARACTERS_EXCEPT_SLASH',
    ],
    [
      'print_options: { always_print_primitive_fields: true, always_print_enums_as_ints: true, preserve_proto_field_names: true, stream_newline_delimited: true }',
    ],
    [
      'request_validation_options: { reject_unknown_method: true, reject_unknown_query_parameters: true, reject_binding_body_field_collisions: true }',
    ],
  ].map((members, index) => ({
    name: `generated, options ${index + 1}`,
    parts: { transcoder: members.join('\n              ') },
    requests: generated.slice(0, 100),
  })),
];
