/**
 * `policies: { jwt: … }` of a file, or `jwt` of a program: where a request carries its token, and what RPCs require of
 * it. Each member is declared here once, with its kind, default and error messages.
 */
import {
  booleanValue,
  converted,
  defaultsOf,
  field,
  fieldOr,
  type GivenOf,
  type InputNode,
  type InputsOf,
  oneOrMany,
  pickFields,
  type Reader,
  record,
  type ValuesOf,
} from '../options/index.js';
import {
  checkExcept,
  claimRules,
  conflict,
  forwardedClaims,
  headerName,
  parameterName,
  realmText,
} from './credential-options.js';
import { type JwtProvider, noKeys, providerFields, providersKind, sharedFields, smallSize } from './jwt-providers.js';
import { rpcSelector } from './rpc-selector.js';

const tokenFields = {
  // In `authorization` the token follows `Bearer `; in any other header it stands alone.
  header: fieldOr(headerName, 'authorization', 'request header with the token. Default: authorization'),
  // Envoy's `from_params`.
  query_parameter: fieldOr(parameterName, undefined, 'query parameter that may hold the token. Default: none'),
  except: fieldOr(oneOrMany(rpcSelector), [], 'selectors of RPCs that need no token'),
  require: fieldOr(claimRules, [], 'selectors of RPCs → claims → values, one of which the token must have'),
  // The same names are removed from client requests.
  forward_claims: fieldOr(forwardedClaims, new Map<string, string>(), 'claims → metadata for services'),
  realm: fieldOr(realmText, 'photongate', 'named in www-authenticate. Default: photongate'),
  // Envoy's `forward`.
  forward_token: fieldOr(booleanValue, true, 'services get the token as authorization metadata. Default: true'),
  expire_streams: fieldOr(booleanValue, false, 'streams end when their token expires. Default: false'),
  protect_pages: fieldOr(
    booleanValue,
    false,
    'the pages of the proxy itself, except /health, require a token. Default: false',
  ),
  protect_fallback: fieldOr(booleanValue, true, 'requests for the fallback require a token. Default: true'),
  max_token_bytes: fieldOr(smallSize, 16 * 1024, 'longest token'),
};

const policyFields = {
  providers: field(providersKind, 'issuers of tokens by name, if there are several'),
  ...providerFields,
  ...tokenFields,
};

/** The options of `policies.jwt`, complete. */
export interface JwtOptions extends ValuesOf<typeof tokenFields> {
  /** If there are several, each has its own issuer. */
  readonly providers: readonly JwtProvider[];
}

/** `policies: { jwt: … }` as programs write it: `{ jwks: 'https://…', audiences: 'my-api' }`. */
export type JwtSettings = InputsOf<typeof policyFields>;

type Given = GivenOf<typeof policyFields>;

const policy = record({
  fields: policyFields,
  about: '"jwt"',
  expected: '"jwt" is false or a map such as { jwks: https://idp.example.com/jwks.json }',
  otherNames: {
    audience: 'audiences',
    aud: 'audiences',
    iss: 'issuer',
    jwks_uri: 'jwks',
    jwks_url: 'jwks',
    remote_jwks: 'jwks',
    local_jwks: 'jwks',
    clock_skew: 'leeway',
    clock_skew_seconds: 'leeway',
    cache_duration: 'jwks_cache',
    claim_to_headers: 'forward_claims',
    forward: 'forward_token',
    from_headers: 'header',
    from_params: 'query_parameter',
    roles: 'require',
    rules: 'require',
    bypass: 'except',
  },
  check: ({ except = [], require = [], providers: several }, map, reader) => {
    checkExcept(except, require, 'token', reader);
    const alone = map.members.filter(({ name }) => several !== undefined && (name === 'issuer' || name === 'jwks'));
    for (const { name, value } of alone) {
      conflict(reader, [name], value.place, `"${name}" stands beside "providers"; write it into one of them`);
    }
  },
});

/** Complete: members that are left out have their defaults, and providers inherit from the policy. */
export const jwtKind = converted(policy, {
  read: (given, node, reader): JwtOptions => ({
    ...defaultsOf(tokenFields),
    ...pickFields(tokenFields, given),
    providers: providersOf(given, node, reader),
  }),
  print: ({ providers: all, ...options }): Given => ({
    ...options,
    providers: all.map(({ name, issuer, ...provider }) => ({
      ...{ name, place: undefined },
      value: { ...provider, ...(issuer !== undefined && { issuer }) },
    })),
  }),
});

/** The elements of `providers`, or the single provider that is written in the policy itself. */
function providersOf(given: Given, node: InputNode, reader: Reader): JwtProvider[] {
  const outer = { issuer: undefined, ...defaultsOf(sharedFields), ...pickFields(sharedFields, given) };
  if (given.providers === undefined) {
    const { jwks, issuer } = given;
    if (jwks !== undefined) return [{ name: 'default', ...outer, issuer, jwks }];
    if (member(node, 'jwks') === undefined && member(node, 'providers') === undefined) {
      reader.error(node.place, 'config-type', noKeys().message);
    }
    return [];
  }
  const written = member(node, 'providers');
  if (written?.kind === 'map' && written.members.length === 0) {
    conflict(reader, ['providers'], written.place, '"providers" names nobody', 'config-type');
  }
  checkIssuers(given.providers, reader);
  return given.providers.flatMap(({ name, value: { jwks, ...own } }) =>
    jwks === undefined ? [] : [{ name, ...outer, ...own, jwks }],
  );
}

/** Several providers need an issuer each, because tokens are assigned by it. */
function checkIssuers(entries: NonNullable<Given['providers']>, reader: Reader): void {
  const seen = new Map<string, string>();
  for (const { name, place, value } of entries.length > 1 ? entries : []) {
    const other = value.issuer === undefined ? undefined : seen.get(value.issuer);
    if (value.issuer !== undefined && other === undefined) {
      seen.set(value.issuer, name);
      continue;
    }
    const what = other === undefined ? 'has no "issuer"' : `has the issuer of ${other}`;
    const message = `the provider ${name} ${what}; of several, each needs one of its own, by which tokens name it`;
    conflict(reader, ['providers', name], place, message);
  }
}

function member(node: InputNode, wanted: string): InputNode | undefined {
  return node.kind === 'map' ? node.members.find(({ name }) => name === wanted)?.value : undefined;
}
