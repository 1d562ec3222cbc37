/**
 * `policies: { jwt: … }` of a file, or `jwt` of a program: where a request carries its token, and what RPCs require of
 * it. Each member is declared here once, with its kind, default and error messages.
 */
import { connectionHeaders, isHeaderName } from '../headers.js';
import {
  booleanValue,
  checkedText,
  converted,
  defaultsOf,
  field,
  fieldOr,
  type GivenOf,
  type InputNode,
  type InputsOf,
  leaf,
  type MapEntry,
  mapOf,
  oneOrMany,
  optional,
  OptionError,
  pickFields,
  type Reader,
  record,
  shown,
  type ValuesOf,
} from '../options/index.js';
import type { SourcePlace } from '../status.js';
import { type JwtProvider, noKeys, providerFields, providersKind, sharedFields, smallSize } from './jwt-providers.js';
import { type RpcSelector, rpcSelector } from './rpc-selector.js';

/** Headers that have another meaning. */
const unusableHeaders = new Set([...connectionHeaders, 'host', 'content-length', 'content-type']);

const headerName = checkedText({
  placeholder: 'NAME',
  description: 'the name of a request header, such as authorization',
  code: 'config-type',
  convert(text) {
    const name = text.toLowerCase();
    return isHeaderName(name) && !unusableHeaders.has(name) ? name : undefined;
  },
});

const parameterName = optional(
  checkedText({
    placeholder: 'NAME',
    description: 'the name of a query parameter',
    code: 'config-type',
    convert: (text) => (/^[\w.~-]{1,100}$/.test(text) ? text : undefined),
  }),
  'none or the name of a query parameter, such as access_token',
);

const realmText = checkedText({
  placeholder: 'TEXT',
  description: 'ASCII without quotes and backslashes, at most 200 characters',
  code: 'config-type',
  convert: (text) => (/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(text) ? text : undefined),
});

/** For each required claim the accepted values, of which the token must have one; an empty list removes the requirement. */
export type RequiredClaims = ReadonlyMap<string, readonly string[]>;

/** The claims that the RPCs of a selector require. */
export interface ClaimRule extends RpcSelector {
  readonly claims: RequiredClaims;
}

/** Texts, numbers and booleans are compared as texts. */
const claimValue = leaf<string, string | number | boolean>({
  description: 'the values of a claim, such as [admin, owner]',
  code: 'config-type',
  jsonSchema: { type: ['string', 'number', 'boolean'] },
  unit: '',
  print: (value) => value,
  convert: (raw) => (raw === null || typeof raw === 'object' ? undefined : String(raw)),
});

const claimRules = converted(
  mapOf(
    mapOf(oneOrMany(claimValue), (name) => `what ${name} needs is a map of claims, such as { roles: [admin] }`),
    '"require" is a map of selectors, such as { pkg.Service.Method: { roles: [admin] } }',
  ),
  {
    read: (entries) =>
      entries.map(({ name, place, value }): ClaimRule => ({ selector: name, place, claims: mapFrom(value) })),
    print: (rules) => rules.map(({ selector: name, place, claims }) => ({ name, place, value: entriesOf(claims) })),
  },
);

/** Metadata that belongs to gRPC, to HTTP or to the proxy itself. */
const reserved = new Set([
  ...unusableHeaders,
  'authorization',
  'content-encoding',
  'expect',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-request-id',
]);

const metadataExpected = 'a name of metadata such as x-user-id: letters, digits, - _ .';

const metadataName = checkedText({
  placeholder: 'NAME',
  description: metadataExpected,
  code: 'config-type',
  convert(text) {
    const name = text.toLowerCase();
    if (name.startsWith('grpc-') || reserved.has(name)) {
      const message = `found ${shown(text)}, which is not for claims, expected ${metadataExpected}`;
      throw new OptionError(message, 'config-type');
    }
    return /^[0-9a-z_.-]+$/.test(name) ? name : undefined;
  },
});

const forwardedClaims = converted(
  mapOf(metadataName, '"forward_claims" is a map of claims to metadata, such as { sub: x-user-id }'),
  {
    read(entries, _node, reader) {
      for (const [index, { name, place, value }] of entries.entries()) {
        if (!entries.slice(0, index).some((other) => other.value === value)) continue;
        reader.attempt(name, place, () => {
          const message = `${shown(value)} is there for another claim; choose a name for each`;
          throw new OptionError(message, 'config-conflict');
        });
      }
      return mapFrom(entries);
    },
    print: entriesOf,
  },
);

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
    for (const { selector: name, place } of require) {
      if (!except.some((other) => other.selector === name)) continue;
      const message = `${name} stands under "except", too, and needs no token then; leave one of them out`;
      conflict(reader, ['require', name], place, message);
    }
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

/** Reports a contradiction under the path of a member. */
function conflict(
  reader: Reader,
  [name = '', ...rest]: readonly string[],
  place: SourcePlace | undefined,
  message: string,
  code: 'config-conflict' | 'config-type' = 'config-conflict',
): void {
  reader.attempt(name, place, () => {
    if (rest.length > 0) conflict(reader, rest, place, message, code);
    else throw new OptionError(message, code);
  });
}

function member(node: InputNode, wanted: string): InputNode | undefined {
  return node.kind === 'map' ? node.members.find(({ name }) => name === wanted)?.value : undefined;
}

function mapFrom<T>(entries: readonly MapEntry<T>[]): ReadonlyMap<string, T> {
  return new Map(entries.map(({ name, value }) => [name, value]));
}

function entriesOf<T>(map: ReadonlyMap<string, T>): MapEntry<T>[] {
  return [...map].map(([name, value]) => ({ name, value, place: undefined }));
}
