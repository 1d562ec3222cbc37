/**
 * The JWT policy in its other forms: as programs write it, as `print-config` prints it, and as the JSON Schema describes it.
 * What each key takes is `jwt`'s part.
 */
import type { JsonWebKeySet, JwtAlgorithm, JwtOptions, JwtProvider } from '../policy/index.js';
import { algorithmList, policyValues, providerValues, type RawMap } from './jwt.js';
import type { RawValue, ValueKind } from './values.js';

/** What of `JwtSettings` one provider may have of its own. */
export interface JwtProviderSettings {
  /** What `iss` must be; of several providers each has one. */
  readonly issuer?: string | undefined;
  /** One of them must stand in `aud`. */
  readonly audiences?: string | readonly string[] | undefined;
  /** URL of a JSON Web Key Set, path of a file with one, or the set itself. */
  readonly jwks?: string | JsonWebKeySet | undefined;
  /** Signatures that are taken. Default: all that a public key checks. */
  readonly algorithms?: JwtAlgorithm | readonly JwtAlgorithm[] | undefined;
  /** By how much clocks may differ. Times are texts with a unit, or milliseconds. Default `60s`. */
  readonly leeway?: string | number | undefined;
  /** Keys of that age are fetched anew, while the old ones serve. Default `10m`. */
  readonly jwksCache?: string | number | undefined;
  /** The least time between two fetches for keys that are not in the set. Default `30s`. */
  readonly jwksCooldown?: string | number | undefined;
  /** For a whole fetch. Default `5s`. */
  readonly jwksTimeout?: string | number | undefined;
  /** A larger key set is none; a number is bytes. Default `256KiB`. */
  readonly maxJwksBytes?: string | number | undefined;
}

/** `policies: { jwt: … }` of docs/configuration.md as programs write it: `{ jwks: 'https://…', audiences: 'my-api' }`. */
export interface JwtSettings extends JwtProviderSettings {
  /** Issuers by name, where there are several. */
  readonly providers?: Readonly<Record<string, JwtProviderSettings>> | undefined;
  /** The request header with the token. Default `authorization`, behind `Bearer`; bare in any other. */
  readonly header?: string | undefined;
  /** A query parameter that may hold the token. Default none. */
  readonly queryParameter?: string | undefined;
  /** RPCs that need no token: full names, or wildcards such as `pkg.*`. Default none. */
  readonly except?: string | readonly string[] | undefined;
  /** RPC → claim → values, one of which a token must have: `{ 'pkg.*': { roles: 'admin' } }`. Default none. */
  readonly require?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> | undefined;
  /** Claim → metadata that services get: `{ sub: 'x-user-id' }`. Default none. */
  readonly forwardClaims?: Readonly<Record<string, string>> | undefined;
  /** Services get the token too. Default true. */
  readonly forwardToken?: boolean | undefined;
  /** Our own pages but `/health` need a token. Default false. */
  readonly protectPages?: boolean | undefined;
  /** What goes to the fallback needs a token. Default true. */
  readonly protectFallback?: boolean | undefined;
  /** Named in `www-authenticate`. Default `photongate`. */
  readonly realm?: string | undefined;
  /** A longer token is none; a number is bytes. Default `16KiB`. */
  readonly maxTokenBytes?: string | number | undefined;
}

/** Milliseconds, which a file cannot give as a number. */
const timeNames = new Set(
  Object.entries(providerValues).flatMap(([name, [key]]) => (key.endsWith('Ms') ? [name] : [])),
);

/** The same as a file would have it. */
export function rawJwt({ providers, ...settings }: JwtSettings): RawValue {
  if (providers === undefined) return rawSettings(settings);
  const raw = Object.entries(providers).map(([name, provider]) => [name, rawSettings(provider)]);
  return { ...rawSettings(settings), providers: Object.fromEntries(raw) as RawMap };
}

/** Names of settings lose their camels; those of claims and RPCs stay. */
function rawSettings(settings: object): RawMap {
  const pairs = Object.entries(settings).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isTime = timeNames.has(name) && typeof value === 'number';
    return [[name, isTime ? (value === 0 ? '0s' : `${value}ms`) : (value as RawValue)] as const];
  });
  return Object.fromEntries(pairs);
}

/** As a file has it: what `readJwt` takes. */
export function printJwt(options: JwtOptions): RawValue {
  const { providers, except, require, forwardClaims, queryParameter, header, realm } = options;
  return {
    providers: Object.fromEntries(providers.map((provider) => [provider.name, printProvider(provider)])),
    header,
    query_parameter: queryParameter ?? 'none',
    except: except.map(({ selector }) => selector),
    require: Object.fromEntries(require.map(({ selector, claims }) => [selector, Object.fromEntries(claims)])),
    forward_claims: Object.fromEntries(forwardClaims),
    realm,
    ...printValues(policyValues, options),
  };
}

function printProvider(provider: JwtProvider): RawValue {
  const { issuer, audiences, jwks, algorithms } = provider;
  return {
    ...(issuer === undefined ? {} : { issuer }),
    audiences,
    jwks: jwks.kind === 'url' ? jwks.url : jwks.kind === 'file' ? jwks.path : (jwks.keys as unknown as RawValue),
    algorithms,
    ...printValues(providerValues, provider),
  };
}

function printValues<T>(
  kinds: Readonly<Record<string, readonly [keyof T, Pick<ValueKind<never>, 'print'>]>>,
  values: T,
): RawMap {
  return Object.fromEntries(
    Object.entries(kinds).map(([name, [key, kind]]) => [name, kind.print(values[key] as never)] as const),
  );
}

/** What a file may hold, for the JSON Schema that editors use. */
export function jwtJsonSchema(): object {
  const text = { type: 'string' };
  const texts = { anyOf: [text, { type: 'array', items: text }] };
  const valuesOf = (
    kinds: Readonly<Record<string, readonly [unknown, Pick<ValueKind<unknown>, 'jsonSchema'>]>>,
  ): Record<string, object> =>
    Object.fromEntries(Object.entries(kinds).map(([name, [, kind]]) => [name, kind.jsonSchema]));
  const provider = {
    issuer: { ...text, description: 'what "iss" must be' },
    audiences: { ...texts, description: 'one of them must stand in "aud"' },
    jwks: {
      anyOf: [text, { type: 'object', properties: { keys: { type: 'array' } }, required: ['keys'] }],
      description: 'JSON Web Key Set: its URL, the path of a file, or the set itself',
    },
    algorithms: { ...algorithmList.jsonSchema, description: 'of signatures. Default: all' },
    ...valuesOf(providerValues),
  };
  const scalar = { type: ['string', 'number', 'boolean'] };
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...provider,
      providers: {
        type: 'object',
        description: 'issuers of tokens by name, where there are several',
        additionalProperties: { type: 'object', properties: provider, additionalProperties: false, required: ['jwks'] },
      },
      header: { ...text, description: 'request header with the token. Default: authorization' },
      query_parameter: { ...text, description: 'query parameter that may hold the token. Default: none' },
      except: { ...texts, description: 'selectors of RPCs that need no token' },
      require: {
        type: 'object',
        description: 'selectors of RPCs → claims → values, one of which the token must have',
        additionalProperties: {
          type: 'object',
          additionalProperties: { anyOf: [scalar, { type: 'array', items: scalar }] },
        },
      },
      forward_claims: {
        type: 'object',
        description: 'claims → metadata that services get',
        additionalProperties: text,
      },
      realm: { ...text, description: 'named in www-authenticate. Default: photongate' },
      ...valuesOf(policyValues),
    },
  };
}
