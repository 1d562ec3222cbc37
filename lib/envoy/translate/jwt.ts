/** `jwt_authn` → the filter `jwt`. */
import { resolve } from 'node:path';
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, fault, type MessageOf, placed, type ValueOf, missing } from '../describe.js';
import type { jwtKeys, requirement } from '../keys/jwt.js';
import { time } from './clusters.js';
import { translateMatch } from './routes.js';
import { textOf } from './source.js';

type PlainMap = Record<string, Plain>;
type Jwt = MessageOf<typeof jwtKeys>;
type Provider = NonNullable<Jwt['providers']>[number]['value'];
type Requirement = ValueOf<typeof requirement>;

export function translateJwt(filter: Jwt, reader: EnvoyReader): PlainMap {
  const { providers = [], rules = [], requirement_map: named = [] } = filter;
  const translated = rules.flatMap((rule): PlainMap[] => {
    const { requires, requirement_name: name, at } = rule;
    const pattern = rule.match && translateMatch(rule.match, reader);
    if (pattern === undefined) return [];
    const needs = requires !== undefined && !isEmpty(requires) ? { requires: requirementOf(requires, reader) } : {};
    const own = { match: pattern, ...needs, ...(name !== undefined && name !== '' && { requirement: name }) };
    return [placed(own, at, reader)];
  });
  return {
    jwt: {
      providers: Object.fromEntries(providers.map(({ name, value }) => [name, providerOf(value, reader)])),
      ...(translated.length > 0 && { rules: translated as Plain[] }),
      ...(named.length > 0 && {
        requirements: Object.fromEntries(named.map(({ name, value }) => [name, requirementOf(value, reader)])),
      }),
      ...(filter.bypass_cors_preflight === true && { bypass_cors_preflight: true }),
      ...(filter.strip_failure_response === true && { strip_failure_response: true }),
    },
  };
}

function providerOf(provider: Provider, reader: EnvoyReader): PlainMap {
  const {
    issuer,
    audiences = [],
    from_headers: headers = [],
    from_params: params = [],
    from_cookies: cookies = [],
  } = provider;
  const { clock_skew_seconds: skew = 0, claim_to_headers: claims = [], forward_payload_header: payload } = provider;
  const seen = new Set<string>();
  for (const { header_name: name = '', at } of claims) {
    const lower = name.toLowerCase();
    if (seen.has(lower))
      cannot(reader, at, `the header ${JSON.stringify(name)} is there for another claim`, 'write another name');
    seen.add(lower);
  }
  const translated = {
    ...(issuer !== undefined && issuer !== '' && { issuer }),
    ...(audiences.length > 0 && { audiences: [...audiences] }),
    ...keysOf(provider, reader),
    // As in Envoy, 0 is the default.
    ...(skew > 0 && { leeway: `${skew}s` }),
    ...(provider.require_expiration === true && { require_expiration: true }),
    ...(headers.length > 0 && {
      headers: headers.map(({ name = '', value_prefix: prefix = '' }) => ({ name, ...(prefix !== '' && { prefix }) })),
    }),
    ...(params.length > 0 && { query_parameters: [...params] }),
    ...(cookies.length > 0 && { cookies: [...cookies] }),
    ...(provider.forward === true && { forward_token: true }),
    ...(payload !== undefined && { payload_header: payload }),
    ...(provider.pad_forward_payload_header === true && { pad_payload: true }),
    ...(claims.length > 0 && {
      claim_headers: Object.fromEntries(claims.map((one) => [one.header_name ?? '', one.claim_name ?? ''])),
    }),
  };
  return placed(translated, provider.at, reader);
}

function keysOf({ remote_jwks: remote, local_jwks: local, at }: Provider, reader: EnvoyReader): PlainMap {
  if ((remote === undefined) === (local === undefined)) {
    const report = remote === undefined ? missing : fault;
    report(reader, at, 'it has no keys, or two', 'write remote_jwks or local_jwks');
    return {};
  }
  if (remote !== undefined) {
    const { uri = '', cluster = '', timeout = 0 } = remote.http_uri ?? {};
    const { cache_duration: cache = 0 } = remote;
    return {
      jwks: uri,
      jwks_cluster: cluster,
      ...(cache > 0 && { jwks_cache: time(cache) }),
      ...(timeout > 0 && { jwks_timeout: time(timeout) }),
    };
  }
  if (local?.filename !== undefined) return { jwks: resolve(reader.folder, local.filename) };
  const text = local && textOf(local, reader);
  try {
    return text === undefined ? {} : { jwks: JSON.parse(text) as Plain };
  } catch {
    fault(reader, local?.at ?? at, 'Jwks is an invalid JSON', 'write {"keys": [ … ]}');
    return {};
  }
}

function isEmpty({ at: _at, ...given }: Requirement): boolean {
  return Object.keys(given).length === 0;
}

function requirementOf(given: Requirement, reader: EnvoyReader): PlainMap {
  const { provider_and_audiences: both, requires_any: any, requires_all: all, at } = given;
  const within = (list: readonly unknown[] = []): Plain[] =>
    list.map((one) => requirementOf(one as Requirement, reader));
  const members: PlainMap[] = [
    ...(given.provider_name === undefined ? [] : [{ provider: given.provider_name }]),
    ...(both === undefined ? [] : [{ provider: both.provider_name ?? '', audiences: [...(both.audiences ?? [])] }]),
    ...(any === undefined ? [] : [{ any: within(any.requirements) }]),
    ...(all === undefined ? [] : [{ all: within(all.requirements) }]),
    ...(given.allow_missing === undefined ? [] : [{ allow_missing: true }]),
    ...(given.allow_missing_or_failed === undefined ? [] : [{ allow_missing_or_failed: true }]),
  ];
  const [first, ...others] = members;
  if (first === undefined || others.length > 0) {
    const report = members.length > 1 ? fault : missing;
    report(reader, at, `it has ${members.length} requirements, expected one`);
    // Whatever it may be, it is not open.
    return { any: [] };
  }
  return placed(first, at, reader);
}
