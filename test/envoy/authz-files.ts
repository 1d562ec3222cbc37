/** Bootstraps with `ext_authz`, before an authorizer that does what the header `x-do` says. */
import {
  allow,
  type AskedRequest,
  type Authorizer,
  deny,
  headerOption,
  startAuthorizer,
} from '../support/authorizer.js';
import { clusterOf } from './bootstrap.js';
import type { PeerFile, PeerRequest, PeerService } from './files.js';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';

function answerTo({ headers }: AskedRequest): ReturnType<Authorizer['answer']> {
  switch (headers['x-do']) {
    case 'change':
      return allow({
        headers: [headerOption('x-user', 'ada'), headerOption('x-list', '2', true), headerOption('x-new', '1', true)],
        headersToRemove: ['x-secret'],
        responseHeadersToAdd: [headerOption('x-answer', 'a')],
        queryParametersToSet: [{ key: 'count', value: '3' }],
        queryParametersToRemove: ['flag'],
      });
    case 'deny':
      return deny(401, 'who are you?', [
        headerOption('www-authenticate', 'Basic'),
        headerOption('content-type', 'text/x-own'),
      ]);
    case 'deny plainly':
      return deny(0);
    case 'move':
      return deny(302, '', [headerOption('location', 'https://login.test/')]);
    case 'fail':
      return 13;
    case 'babble':
      return Buffer.from([0xff, 0xff]);
    default:
      return allow();
  }
}

/** What is alike: not ids, addresses, nor what each says of the way of a request. */
function comparable({ headers, source, rawBody, ...asked }: AskedRequest): object {
  const own = Object.entries(headers).filter(([name]) => !/^x-(?:forwarded-|envoy-|request-id)/.test(name));
  return { ...asked, source, rawBody: rawBody.toString(), headers: Object.fromEntries(own.sort()) };
}

/** @param config of the filter; @param hosts of the bootstrap */
function authzFile(name: string, config: string, requests: readonly PeerRequest[], hosts?: string): PeerFile {
  const start = async (): Promise<PeerService> => {
    const authorizer = await startAuthorizer();
    authorizer.answer = answerTo;
    return {
      parts: { clusters: clusterOf('authz', authorizer.target.split(':')[1] ?? '') },
      asked: () => authorizer.asked.splice(0).map(comparable),
      close: () => authorizer.close(),
    };
  };
  const filter = `- { name: authz, typed_config: { "@type": ${FILTERS}.ext_authz.v3.ExtAuthz, transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: authz }, timeout: 10s }${config === '' ? '' : `, ${config}`} } }`;
  return { name, parts: { filters: filter, ...(hosts !== undefined && { hosts }) }, requests, start };
}

const get = (path: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => ({
  line: `GET ${path}`,
  headers,
});
const post = (body: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => {
  return { line: 'POST /v1/things', body, headers: { 'content-type': 'application/json', ...headers } };
};

const routeOf = (more: string): string =>
  `typed_per_filter_config: { authz: { "@type": ${FILTERS}.ext_authz.v3.ExtAuthzPerRoute, ${more} } }`;

export const authzFiles: readonly PeerFile[] = [
  authzFile('an authorizer', '', [
    get('/v1/things/a'),
    get('/v1/things/a?flag=true&count=1', { 'x-do': 'change', 'x-user': 'eve', 'x-list': '1', 'x-secret': 's' }),
    get('/v1/things/a', { 'x-do': 'change' }),
    get('/v1/things/a', { 'x-do': 'deny' }),
    get('/v1/things/a', { 'x-do': 'deny plainly' }),
    get('/v1/things/a', { 'x-do': 'move' }),
    get('/v1/things/a', { 'x-do': 'fail' }),
    get('/v1/things/a', { 'x-do': 'babble' }),
    get('/nope', { 'x-do': 'deny' }),
    post('{"name":"a"}'),
  ]),
  authzFile('an authorizer that may fail', 'failure_mode_allow: true, failure_mode_allow_header_add: true', [
    get('/v1/things/a', { 'x-do': 'fail' }),
    get('/v1/things/a', { 'x-do': 'deny' }),
  ]),
  authzFile(
    'an authorizer that must not fail',
    'status_on_error: { code: ServiceUnavailable }'.replace('ServiceUnavailable', '503'),
    [get('/v1/things/a', { 'x-do': 'fail' })],
  ),
  authzFile(
    'an authorizer of bodies',
    'with_request_body: { max_request_bytes: 20, pack_as_bytes: true }, allowed_headers: { patterns: [{ prefix: x- }] }',
    [post('{"name":"a"}'), post(`{"name":"${'a'.repeat(100)}"}`), get('/v1/things/a'), post('{}', { 'x-do': 'deny' })],
  ),
  authzFile(
    'an authorizer of parts of bodies',
    'with_request_body: { max_request_bytes: 20, allow_partial_message: true }, disallowed_headers: { patterns: [{ exact: x-hidden }] }',
    [post(`{"name":"${'a'.repeat(100)}"}`, { 'x-hidden': 'h', 'x-shown': 's' })],
  ),
  authzFile(
    'an authorizer of routes',
    '',
    [get('/v1/things/off', { 'x-do': 'deny' }), get('/v1/things/team'), get('/v1/things/else')],
    `- name: all
              domains: ["*"]
              ${routeOf('check_settings: { context_extensions: { host: all, team: none } }')}
              routes:
              - match: { path: /v1/things/off }
                route: { cluster: grpc }
                ${routeOf('disabled: true')}
              - match: { path: /v1/things/team }
                route: { cluster: grpc }
                ${routeOf('check_settings: { context_extensions: { team: blue } }')}
              - match: { prefix: / }
                route: { cluster: grpc }`,
  ),
];
