/** Issuers of tokens: `providers` of `policies: { jwt: … }`, or the single one that is written in the policy itself. */
import { isAbsolute, resolve } from 'node:path';
import {
  choicesValue,
  field,
  fieldOr,
  type InputsOf,
  type Kind,
  lineValue,
  mapOf,
  nodeOf,
  oneOrMany,
  OptionError,
  type Plain,
  plain,
  record,
  shown,
  sizeValue,
  timeFrom,
  timeValue,
  type ValuesOf,
} from '../options/index.js';
import { type JsonWebKeySet, KeysUnavailable, readKeySet } from './key-set.js';

/** Algorithms with a public key. Those with a shared secret are not accepted, nor is `none`. */
const jwtAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const someAlgorithms = choicesValue(...jwtAlgorithms);

const algorithmList: typeof someAlgorithms = {
  ...someAlgorithms,
  readNode(node, reader) {
    const names = [plain(node)].flat();
    const bad = names.filter((name) => typeof name === 'string').find((name) => /^(?:none|HS\d+)$/i.test(name));
    if (bad !== undefined) {
      const why =
        bad === 'none' ? 'has no signature' : 'uses a shared secret, so whoever can check a token can also forge one';
      const message = `${bad} is never accepted: it ${why}; expected some of ${jwtAlgorithms.join(', ')}`;
      throw new OptionError(message, 'bad-option', false);
    }
    const read = someAlgorithms.readNode(node, reader);
    if (read.length > 0) return read;
    throw new OptionError('an empty list accepts no token; leave it out to allow all algorithms', 'bad-option', false);
  },
};

/** Where the public keys of an issuer come from. */
export type KeySource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly keys: JsonWebKeySet };

const keysExpected =
  'the http:// or https:// URL of a JSON Web Key Set, the path of a file with one, or {"keys": [ … ]}';

const keySource: Kind<KeySource, string | JsonWebKeySet> = {
  unit: '',
  jsonSchema: {
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'object', properties: { keys: { type: 'array' } }, required: ['keys'] },
    ],
  },
  readNode(node, { folder }) {
    const raw = plain(node);
    if (raw === null) throw noKeys();
    if (node.kind === 'map') return { kind: 'inline', keys: inlineKeys(raw) };
    if (typeof raw === 'string' && raw !== '' && !raw.includes('\0')) return keysAt(raw, folder);
    throw new OptionError(`found ${shown(raw)}, expected ${keysExpected}`, 'config-type');
  },
  print: (source) =>
    source.kind === 'url' ? source.url : source.kind === 'file' ? source.path : plain(nodeOf(source.keys)),
};

/** The error for a provider without keys. */
export function noKeys(): OptionError {
  return new OptionError(`there is no "jwks": ${keysExpected}`, 'config-type');
}

function inlineKeys(raw: Plain): JsonWebKeySet {
  try {
    return readKeySet(raw);
  } catch (error) {
    if (error instanceof KeysUnavailable) throw new OptionError(`the keys ${error.message}`, 'config-type');
    throw error;
  }
}

function keysAt(text: string, folder: string | undefined): KeySource {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return { kind: 'file', path: folder === undefined || isAbsolute(text) ? text : resolve(folder, text) };
  }
  const isUrl = /^https?:\/\/[^\s#@/]+(?:\/[^\s#]*)?$/i.test(text) && URL.canParse(text);
  if (isUrl) return { kind: 'url', url: text };
  const message = `found ${shown(text)}, expected an http:// or https:// URL without user and fragment`;
  throw new OptionError(message, 'config-type');
}

/** Limit for values that come from outside. */
export const smallSize = sizeValue(1, 1024 ** 2);

/** Members that a provider inherits from the policy. */
export const sharedFields = {
  audiences: fieldOr(
    oneOrMany(lineValue('an audience, one of which "aud" names: ', 'config-type')),
    [],
    'one of them must stand in "aud"',
  ),
  algorithms: fieldOr(algorithmList, jwtAlgorithms, 'of signatures. Default: all'),
  // Envoy's default.
  leeway: fieldOr(timeFrom(0), 60_000, 'tolerated difference of clocks'),
  // Until the new keys arrive, the old ones are used, for at most as long again.
  jwks_cache: fieldOr(timeValue, 600_000, 'age at which keys are fetched again'),
  // jose's `cooldownDuration`.
  jwks_cooldown: fieldOr(timeValue, 30_000, 'least time between two fetches for unknown keys'),
  jwks_timeout: fieldOr(timeValue, 5000, 'time limit of a fetch'),
  max_jwks_bytes: fieldOr(smallSize, 256 * 1024, 'largest key set'),
};

/** The members of a provider. */
export const providerFields = {
  issuer: field(lineValue('what "iss" is: ', 'config-type'), 'what "iss" must be'),
  jwks: field(keySource, 'JSON Web Key Set: its URL, the path of a file, or the set itself'),
  ...sharedFields,
};

/** An issuer of tokens (Envoy's JwtProvider). */
export interface JwtProvider extends ValuesOf<typeof sharedFields> {
  /** The name in messages. */
  readonly name: string;
  /** The required `iss`. Undefined, which only a single provider may have: not checked. */
  readonly issuer: string | undefined;
  readonly jwks: KeySource;
}

/** How a key set is fetched from its URL. */
export type JwksFetchOptions = Pick<JwtProvider, 'jwksCacheMs' | 'jwksCooldownMs' | 'jwksTimeoutMs' | 'maxJwksBytes'>;

/** The map `providers`. */
export const providersKind = mapOf(
  record({
    fields: { ...providerFields, jwks: { ...providerFields.jwks, required: noKeys().message } },
    about: 'a provider',
    expected: (name) => `the provider ${name} is a map such as { issuer: NAME, jwks: URL }`,
  }),
  '"providers" is a map of names, each with a "jwks"',
);

/** One of `providers`, as programs write it. Times are texts with a unit, or milliseconds. */
export type JwtProviderSettings = InputsOf<typeof providerFields>;
