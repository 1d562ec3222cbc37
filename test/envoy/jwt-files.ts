/** Bootstraps with `jwt_authn`, and requests with good, forged, expired and missing tokens. */
import { forged, jwksOf, now, signed, testKey } from '../support/tokens.js';
import type { PeerFile, PeerRequest } from './files.js';

const key = await testKey('one', 'ES256');
const stranger = await testKey('one', 'ES256');
const unknown = await testKey('two', 'ES256');

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';

/** A provider of the keys above. */
function providerOf(more = ''): string {
  return `{ issuer: issuer, audiences: [api], local_jwks: { inline_string: '${jwksOf(key)}' }${more === '' ? '' : `, ${more}`} }`;
}

function filterOf(config: string): string {
  return `- { name: jwt, typed_config: { "@type": ${FILTERS}.jwt_authn.v3.JwtAuthentication, ${config} } }`;
}

const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });
const get = (path: string, headers: Readonly<Record<string, string>> = {}): PeerRequest => ({
  line: `GET ${path}`,
  headers,
});

const claims = { roles: ['a', 'b'], age: 7, isAdmin: true, name: 'Ada', org: { name: 'acme' } };
const good = await signed(key, claims);
const expired = await signed(key, { exp: now() - 3600 });
const early = await signed(key, { nbf: now() + 3600 });
const other = await signed(key, { iss: 'other' });
const elsewhere = await signed(key, { aud: 'elsewhere' });
const eternal = await signed(key, { exp: undefined });
const wrong = await signed(stranger);
const unpublished = await signed(unknown);
const [head = '', payload = '', signature = ''] = good.split('.');

const everywhere = 'rules: [{ match: { prefix: / }, requires: { provider_name: p } }]';

export const jwtFiles: readonly PeerFile[] = [
  {
    name: 'tokens',
    parts: { filters: filterOf(`providers: { p: ${providerOf()} }, ${everywhere}`) },
    requests: [
      get('/v1/things/a'),
      get('/v1/things/a', bearer(good)),
      get('/v1/things/a', bearer(expired)),
      get('/v1/things/a', bearer(early)),
      get('/v1/things/a', bearer(other)),
      get('/v1/things/a', bearer(elsewhere)),
      get('/v1/things/a', bearer(eternal)),
      get('/v1/things/a', bearer(wrong)),
      get('/v1/things/a', bearer(unpublished)),
      get('/v1/things/a', bearer(forged({ alg: 'none' }))),
      get('/v1/things/a', bearer(forged({ alg: 'ES256', kid: 'one' }, {}, signature))),
      get('/v1/things/a', bearer(forged({ kid: 'one' }))),
      get('/v1/things/a', bearer(`${head}.${payload}`)),
      get('/v1/things/a', bearer(`${head}.${payload}.`)),
      get('/v1/things/a', bearer(`x.${payload}.${signature}`)),
      get('/v1/things/a', bearer(`${head}.bm8.${signature}`)),
      get('/v1/things/a', bearer('text')),
      get('/v1/things/a', { authorization: good }),
      get('/v1/things/a', { authorization: `Basic ${good}` }),
      get(`/v1/things/a?access_token=${good}`),
      get(`/v1/things/a?access_token=${wrong}`),
      get(`/v1/things/a?access_token=${wrong}`, bearer(good)),
      get('/nope'),
      get('/nope', bearer(good)),
      { line: 'OPTIONS /v1/things/a', headers: { origin: 'https://a.test', 'access-control-request-method': 'GET' } },
    ],
  },
  {
    name: 'what services are told of tokens',
    parts: {
      filters: filterOf(
        `providers: { p: ${providerOf('forward: true, forward_payload_header: x-payload, claim_to_headers: [{ header_name: x-name, claim_name: name }, { header_name: x-roles, claim_name: roles }, { header_name: x-age, claim_name: age }, { header_name: x-admin, claim_name: isAdmin }, { header_name: x-org, claim_name: org.name }, { header_name: x-none, claim_name: none }]')} }, ${everywhere}`,
      ),
    },
    requests: [
      get('/v1/things/a', bearer(good)),
      get('/v1/things/a', { ...bearer(good), 'x-name': 'Eve', 'x-payload': 'e', 'x-none': 'Eve' }),
    ],
  },
  {
    name: 'places of tokens',
    parts: {
      filters: filterOf(
        `providers: { p: ${providerOf('from_headers: [{ name: x-token, value_prefix: "T:" }], from_params: [t], from_cookies: [session]')} }, ${everywhere}`,
      ),
    },
    requests: [
      get('/v1/things/a', { 'x-token': `T:${good}` }),
      get('/v1/things/a', { 'x-token': good }),
      get('/v1/things/a', bearer(good)),
      get(`/v1/things/a?t=${good}`),
      get('/v1/things/a', { cookie: `a=b; session=${good}; c=d` }),
      get('/v1/things/a', { cookie: `session=${wrong}` }),
    ],
  },
  {
    name: 'rules of tokens',
    parts: {
      filters: filterOf(
        `providers: { p: ${providerOf()}, q: { issuer: other, local_jwks: { inline_string: '${jwksOf(key)}' }, from_headers: [{ name: x-q }] } }, rules: [{ match: { path: /v1/things/open } }, { match: { path: /v1/things/any }, requires: { requires_any: { requirements: [{ provider_name: p }, { provider_name: q }] } } }, { match: { path: /v1/things/all }, requires: { requires_all: { requirements: [{ provider_name: p }, { provider_name: q }] } } }, { match: { path: /v1/things/missing }, requires: { requires_any: { requirements: [{ provider_name: p }, { allow_missing: {} }] } } }, { match: { path: /v1/things/failed }, requires: { allow_missing_or_failed: {} } }, { match: { path: /v1/things/lost }, requires: { allow_missing: {} } }, { match: { path: /v1/things/audience }, requires: { provider_and_audiences: { provider_name: p, audiences: [elsewhere] } } }, { match: { safe_regex: { regex: "/v1/th.*/regex" } }, requires: { provider_name: p } }, { match: { prefix: /v1/things/headers, headers: [{ name: x-a, string_match: { exact: "1" } }] }, requires: { provider_name: p } }, { match: { path: /v1/things/named }, requirement_name: own }], requirement_map: { own: { provider_name: p } }, bypass_cors_preflight: true`,
      ),
    },
    requests: [
      get('/v1/things/open'),
      get('/v1/things/any'),
      get('/v1/things/any', bearer(good)),
      get('/v1/things/any', { 'x-q': other }),
      get('/v1/things/any', { 'x-q': good }),
      get('/v1/things/any', bearer(expired)),
      get('/v1/things/all', bearer(good)),
      get('/v1/things/all', { ...bearer(good), 'x-q': other }),
      get('/v1/things/all', { 'x-q': other }),
      get('/v1/things/missing'),
      get('/v1/things/missing', bearer(good)),
      get('/v1/things/missing', bearer(expired)),
      get('/v1/things/missing', bearer(other)),
      get('/v1/things/failed'),
      get('/v1/things/failed', bearer(expired)),
      get('/v1/things/failed', bearer(good)),
      get('/v1/things/lost'),
      get('/v1/things/lost', bearer(good)),
      get('/v1/things/lost', bearer(expired)),
      get('/v1/things/audience', bearer(elsewhere)),
      get('/v1/things/audience', bearer(good)),
      get('/v1/things/regex'),
      get('/v1/things/headers'),
      get('/v1/things/headers', { 'x-a': '1' }),
      get('/v1/things/named'),
      get('/v1/things/named', bearer(good)),
      get('/v1/things/other'),
    ],
  },
  {
    name: 'tokens of routes',
    parts: {
      filters: filterOf(
        `providers: { p: ${providerOf()} }, ${everywhere}, requirement_map: { lax: { allow_missing: {} } }, strip_failure_response: true`,
      ),
      hosts: `- name: all
              domains: ["*"]
              routes:
              - match: { path: /v1/things/open }
                route: { cluster: grpc }
                typed_per_filter_config: { jwt: { "@type": ${FILTERS}.jwt_authn.v3.PerRouteConfig, disabled: true } }
              - match: { path: /v1/things/lax }
                route: { cluster: grpc }
                typed_per_filter_config: { jwt: { "@type": ${FILTERS}.jwt_authn.v3.PerRouteConfig, requirement_name: lax } }
              - match: { path: /v1/things/off }
                route: { cluster: grpc }
                typed_per_filter_config: { jwt: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }
              - match: { prefix: / }
                route: { cluster: grpc }`,
    },
    requests: [
      get('/v1/things/open'),
      get('/v1/things/lax'),
      get('/v1/things/lax', bearer(expired)),
      get('/v1/things/off'),
      get('/v1/things/else'),
      get('/v1/things/else', bearer(good)),
    ],
  },
];
