/** The filter `jwt_authn`. */
import { honoured, lazily, list, mapOf, message, noEffect, refused, required, type ValueKind } from '../describe.js';
import { anything, bool, changedHeader, duration, string, uint32 } from '../kinds.js';
import { dataSource } from './common.js';
import { match } from './match.js';

const noMetadata = noEffect(anything, 'nothing here reads it');

const provider = message({
  issuer: honoured(string),
  audiences: honoured(list(string)),
  subjects: refused('write claim_to_headers, and check the header in the service'),
  require_expiration: honoured(bool),
  max_lifetime: refused('issue tokens with a shorter exp'),
  remote_jwks: honoured(
    message({
      http_uri: required(
        message({
          uri: required(string, 'write uri: https://idp.example.com/jwks.json'),
          cluster: required(string, 'write cluster: NAME', 'its servers are asked'),
          timeout: honoured(duration),
        }),
        'write http_uri: { uri: URL, cluster: NAME, timeout: 5s }',
      ),
      cache_duration: honoured(duration, 'default 10m'),
      async_fetch: noEffect(anything, 'keys are fetched by the first token, and then before they are too old'),
      retry_policy: noEffect(anything, 'the next token is the next try'),
    }),
  ),
  local_jwks: honoured(dataSource),
  forward: honoured(bool),
  from_headers: honoured(
    list(message({ name: required(string, 'write name: Authorization'), value_prefix: honoured(string) })),
  ),
  from_params: honoured(list(string)),
  from_cookies: honoured(list(string)),
  forward_payload_header: honoured(changedHeader),
  pad_forward_payload_header: honoured(bool),
  payload_in_metadata: noMetadata,
  header_in_metadata: noMetadata,
  failed_status_in_metadata: noMetadata,
  normalize_payload_in_metadata: noMetadata,
  clock_skew_seconds: honoured(uint32, 'default 60'),
  jwt_cache_config: noEffect(anything, 'signatures are checked each time'),
  claim_to_headers: honoured(
    list(
      message({
        header_name: required(changedHeader, 'write header_name: x-user'),
        claim_name: required(string, 'write claim_name: sub'),
      }),
    ),
  ),
  clear_route_cache: noEffect(bool, 'the route of a call is sought when all filters have run'),
});

const within = lazily((): ValueKind<unknown> => requirement);

export const requirement = message({
  provider_name: honoured(string),
  provider_and_audiences: honoured(message({ provider_name: honoured(string), audiences: honoured(list(string)) })),
  requires_any: honoured(message({ requirements: honoured(list(within)) })),
  requires_all: honoured(message({ requirements: honoured(list(within)) })),
  allow_missing_or_failed: honoured(message({})),
  allow_missing: honoured(message({})),
  extract_only_without_validation: refused('a token that is not checked says nothing; write allow_missing_or_failed'),
});

export const jwtKeys = {
  providers: required(mapOf(provider), 'write providers: { NAME: { issuer: …, remote_jwks: … } }'),
  rules: honoured(
    list(
      message({
        match: required(match, 'write match: { prefix: / }'),
        requires: honoured(requirement),
        requirement_name: honoured(string),
      }),
    ),
  ),
  filter_state_rules: refused('nothing here sets it; write rules'),
  bypass_cors_preflight: honoured(bool),
  requirement_map: honoured(mapOf(requirement)),
  strip_failure_response: honoured(bool),
  stat_prefix: noEffect(string, 'it names counters'),
} as const;

export const jwtRouteKeys = {
  disabled: honoured(bool),
  requirement_name: honoured(string),
} as const;
