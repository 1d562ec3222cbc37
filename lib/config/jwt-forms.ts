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
  readonly algorithms?: JwtAlgorithm | readonly JwtAlgorithm[] | undefined;
  /** Times are texts with a unit, or milliseconds. */
  readonly leeway?: string | number | undefined;
  readonly jwksCache?: string | number | undefined;
  readonly jwksCooldown?: string | number | undefined;
  readonly jwksTimeout?: string | number | undefined;
  readonly maxJwksBytes?: string | number | undefined;
}

/** `policies: { jwt: … }` of docs/configuration.md as programs write it: `{ jwks: 'https://…', audiences: 'my-api' }`. */
export interface JwtSettings extends JwtProviderSettings {
  readonly providers?: Readonly<Record<string, JwtProviderSettings>> | undefined;
  readonly header?: string | undefined;
  readonly queryParameter?: string | undefined;
  readonly except?: string | readonly string[] | undefined;
  readonly require?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> | undefined;
  readonly forwardClaims?: Readonly<Record<string, string>> | undefined;
  readonly forwardToken?: boolean | undefined;
  readonly protectPages?: boolean | undefined;
  readonly protectFallback?: boolean | undefined;
  readonly realm?: string | undefined;
  readonly maxTokenBytes?: string | number | undefined;
}

const timeNames = new Set(['leeway', 'jwks_cache', 'jwks_cooldown', 'jwks_timeout']);

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
