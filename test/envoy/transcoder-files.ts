/** Routes that transcode otherwise than their listener, or not at all; and limits of what is transcoded. */
import { descriptorSetOf } from '../support/descriptor-set.js';
import { startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';
import { type BootstrapParts, clusterOf } from './bootstrap.js';
import type { PeerFile, PeerRequest } from './files.js';

const FILTER = 'envoy.filters.http.grpc_json_transcoder';
const TYPE = 'type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder';
const FILTER_CONFIG = 'type.googleapis.com/envoy.config.route.v3.FilterConfig';

const get = (path: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => {
  return { line: `GET ${path}`, headers };
};
const post = (path: string, body: string): PeerRequest => {
  return { line: `POST ${path}`, body, headers: { 'content-type': 'application/json' } };
};

/** A member of a route, or of a virtual host. */
function own(config: string, filter = FILTER): string {
  return `typed_per_filter_config: { ${filter}: { ${config} } }`;
}

const echo = (more = ''): string =>
  `"@type": ${TYPE}, proto_descriptor: echo.pb, services: [echo.v1.Echo]${more === '' ? '' : `, ${more}`}`;

/** Lines of a virtual host with these routes; the last takes all else. */
function hostOf(routes: readonly (readonly [match: string, own: string])[], more = ''): string {
  const lines = [...routes, ['prefix: /', ''] as const].map(
    ([match, member]) => `
              - match: { ${match} }
                route: { cluster: grpc }
                ${member}`,
  );
  return `- name: all
              domains: ["*"]
              ${more}
              routes:${lines.join('')}`;
}

const requests: readonly PeerRequest[] = [
  get('/v1/things/a'),
  get('/v1/things/a?nope=1'),
  get('/v1/things/own?count=2'),
  get('/v1/things/own?nope=1'),
  get('/v1/things/own/'),
  get('/v1/fail/5'),
  get('/v1/watch/own'),
  get('/v1/watch/a'),
  post('/v1/things', '{"name":"a","kind":"KIND_LARGE"}'),
  post('/v1/things', '{"nope":1}'),
  post('/v1/things', '{"name":'),
  post('/echo.v1.Echo/Bare', '{"name":"x"}'),
  get('/nope'),
];

/** A service of other protos, behind the cluster `other`. */
const otherSchema = schemaFromText({
  'other.proto': `
  syntax = "proto3";
  package other.v1;
  import "google/api/annotations.proto";
  service Other {
    rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/v1/books/{title}" }; }
    rpc Things(Book) returns (Book) { option (google.api.http) = { get: "/v1/things/{title}" }; }
  }
  message Book { string title = 1; int32 pages = 2; }
`,
});

async function startOther(partsOf: (descriptor: string) => BootstrapParts): ReturnType<NonNullable<PeerFile['start']>> {
  const service = await startEchoService(otherSchema);
  const parts = partsOf(descriptorSetOf(otherSchema).toString('base64'));
  return {
    parts: { ...parts, clusters: clusterOf('other', service.target.split(':')[1]!) },
    asked: () => service.calls.splice(0).map(({ path, message }) => [path, message.toString('hex')]),
    close: () => service.close(),
  };
}

const large = '{"name":"a-name-that-is-long-enough-to-be-more-than-that"}';

export const transcoderFiles: readonly PeerFile[] = [
  ...(
    [
      ['a descriptor alone', `"@type": ${TYPE}, proto_descriptor: echo.pb`],
      ['no services', `"@type": ${TYPE}, proto_descriptor: "", services: []`],
      ['FilterConfig', `"@type": ${FILTER_CONFIG}, disabled: true`],
    ] as const
  ).map(([name, config]) => ({
    name: `a route that is not transcoded: ${name}`,
    parts: { hosts: hostOf([['prefix: /v1/things/own', own(config)]]) },
    requests,
  })),
  {
    name: 'a listener that transcodes no route but one',
    parts: {
      hosts: hostOf([
        ['prefix: /v1/things/own', own(echo())],
        ['prefix: /v1/fail', own(`"@type": ${FILTER_CONFIG}, config: { ${echo('convert_grpc_status: true')} }`)],
      ]),
      transcoder: '',
      services: '',
    },
    requests,
  },
  {
    name: 'a filter that is off until a route switches it on',
    parts: {
      hosts: hostOf([
        ['prefix: /v1/things/own', own(`"@type": ${FILTER_CONFIG}, config: {}`)],
        ['prefix: /v1/watch', own(echo('print_options: { stream_newline_delimited: true }'))],
      ]),
      filterLines: 'disabled: true',
    },
    requests,
  },
  {
    name: 'routes with options of their own',
    parts: {
      transcoder: 'print_options: { always_print_enums_as_ints: true }\n              ignored_query_parameters: [nope]',
      hosts: hostOf([
        ['path: /v1/things/own', own(echo('request_validation_options: { reject_unknown_query_parameters: true }'))],
        ['prefix: /v1/things, headers: [{ name: x-plain, present_match: true }]', own(echo())],
        ['prefix: /v1/fail', own(echo('convert_grpc_status: true'))],
        ['prefix: /v1/watch', own(echo('print_options: { stream_newline_delimited: true }'))],
        ['prefix: /echo', own(echo('auto_mapping: true'))],
        ['prefix: /nope', own(echo('request_validation_options: { reject_unknown_method: true }'))],
      ]),
    },
    requests: [
      ...requests,
      get('/v1/things/a?kind=KIND_LARGE'),
      get('/v1/things/a?kind=KIND_LARGE', { 'x-plain': '1' }),
      get('/v1/things/a?nope=1', { 'x-plain': '1' }),
    ],
  },
  {
    name: 'a virtual host with options of its own',
    parts: {
      transcoder: 'convert_grpc_status: true',
      hosts: hostOf(
        [
          ['prefix: /v1/things/own', own(`"@type": ${TYPE}, proto_descriptor: echo.pb`)],
          ['prefix: /v1/watch', own(echo('convert_grpc_status: true'))],
        ],
        own(echo('print_options: { preserve_proto_field_names: true }')),
      ),
    },
    requests: [...requests, get('/v1/fail/3')],
  },
  {
    name: 'a route with another descriptor set',
    parts: {},
    start: () =>
      startOther((descriptor) => ({
        hosts: `- name: all
              domains: ["*"]
              routes:
              - match: { prefix: /v1/books }
                route: { cluster: grpc }
                ${own(`"@type": ${TYPE}, proto_descriptor_bin: ${descriptor}, services: [other.v1.Other]`)}
              - match: { prefix: /v1/things/other }
                route: { cluster: grpc }
                ${own(`"@type": ${TYPE}, proto_descriptor_bin: ${descriptor}, services: [other.v1.Other], match_incoming_request_route: true`)}
              - match: { prefix: /other.v1.Other/ }
                route: { cluster: other }
              - match: { prefix: / }
                route: { cluster: grpc }`,
      })),
    requests: [
      get('/v1/books/b?pages=3'),
      get('/v1/books/b?nope=3'),
      get('/v1/things/a'),
      get('/v1/things/other'),
      get('/v1/fail/5'),
      get('/other.v1.Other/Get'),
    ],
  },
  {
    name: 'limits of what is transcoded',
    parts: { transcoder: 'max_request_body_size: 70\n              max_response_body_size: 50' },
    requests: [
      post('/v1/things', '{"name":"a"}'),
      post('/v1/things', large),
      post('/v1/things', `{"name":"${'a'.repeat(70)}"}`),
      get('/v1/things/a'),
      get(`/v1/things/${'a'.repeat(60)}`),
      get(`/v1/things/${'a'.repeat(43)}`),
      get(`/v1/things/${'a'.repeat(44)}`),
      get('/v1/watch/a'),
    ],
  },
];
