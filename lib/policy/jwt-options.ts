/**
 * What `policies: { jwt: … }` of a configuration says: who issues tokens, where they stand in a request, and which RPCs need
 * what of them. Types and defaults alone; `jwt` checks tokens by them, `gateway` knows which RPC a request is for.
 */
import type { SourcePlace } from '../status.js';

/** Signatures that are checked with a public key. What is checked by a shared secret is none of them, nor is `none`. */
export const jwtAlgorithms = [
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

export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

/** A JSON Web Key Set (RFC 7517): its public keys, as they are written. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Where the public keys of an issuer are found. */
export type KeySource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly keys: JsonWebKeySet };

/** How a key set is fetched by URL. */
export interface JwksFetchOptions {
  /** Keys of that age are fetched anew; the old ones serve meanwhile, for as long again. Default 10 min. */
  readonly jwksCacheMs: number;
  /** The least time between two fetches for keys that are not in the set. Default 30 s. (jose's `cooldownDuration`.) */
  readonly jwksCooldownMs: number;
  /** For a whole fetch. Default 5 s. */
  readonly jwksTimeoutMs: number;
  /** A larger answer is none. Default 256 KiB. */
  readonly maxJwksBytes: number;
}

/** Somebody who issues tokens. (Envoy's JwtProvider.) */
export interface JwtProvider extends JwksFetchOptions {
  /** For messages. */
  readonly name: string;
  /** What `iss` must be. Undefined, which only a lone provider may be: not looked at. */
  readonly issuer: string | undefined;
  /** One of them must stand in `aud`. Default none: not looked at. */
  readonly audiences: readonly string[];
  readonly jwks: KeySource;
  /** Default: all of `jwtAlgorithms`. */
  readonly algorithms: readonly JwtAlgorithm[];
  /** By how much clocks may differ where `exp` and `nbf` are compared. Default 60 s, as Envoy's. */
  readonly leewayMs: number;
}

/** RPCs by name or wildcard, and where that was written. */
export interface RpcSelector {
  readonly selector: string;
  readonly place?: SourcePlace | undefined;
}

/** By claim the values of which a token must have one; none: this claim is not needed after all. */
export type RequiredClaims = ReadonlyMap<string, readonly string[]>;

/** What the RPCs of a selector need of a token besides that it is good. */
export interface ClaimRule extends RpcSelector {
  readonly claims: RequiredClaims;
}

export interface JwtOptions {
  /** With more than one, each has an issuer of its own. */
  readonly providers: readonly JwtProvider[];
  /** The request header with the token, in lower case: behind `Bearer ` in `authorization`, bare in any other. */
  readonly header: string;
  /** Name of a query parameter that may hold the token. Default none. (Envoy's `from_params`.) */
  readonly queryParameter: string | undefined;
  /** RPCs that need no token. */
  readonly except: readonly RpcSelector[];
  readonly require: readonly ClaimRule[];
  /** Claims that services get as metadata, by its name; what clients send under these names is dropped. */
  readonly forwardClaims: ReadonlyMap<string, string>;
  /** Services get the token as `authorization` metadata. Default true. (Envoy's `forward`.) */
  readonly forwardToken: boolean;
  /** The list of routes, the OpenAPI document and its reference need a token too. Default false. */
  readonly protectPages: boolean;
  /** What no route takes needs a token before the fallback gets it. Default true. */
  readonly protectFallback: boolean;
  /** Named in challenges. Default `photongate`. */
  readonly realm: string;
  /** A longer token is none. Default 16 KiB. */
  readonly maxTokenBytes: number;
}

/** Of a provider that says nothing else. */
export const defaultProviderOptions = Object.freeze({
  issuer: undefined,
  audiences: Object.freeze([]),
  algorithms: jwtAlgorithms,
  leewayMs: 60_000,
  jwksCacheMs: 600_000,
  jwksCooldownMs: 30_000,
  jwksTimeoutMs: 5000,
  maxJwksBytes: 256 * 1024,
}) satisfies Omit<JwtProvider, 'name' | 'jwks'>;

export const defaultJwtOptions = Object.freeze({
  header: 'authorization',
  queryParameter: undefined,
  except: Object.freeze([]),
  require: Object.freeze([]),
  forwardClaims: new Map<string, string>(),
  forwardToken: true,
  protectPages: false,
  protectFallback: true,
  realm: 'photongate',
  maxTokenBytes: 16 * 1024,
}) satisfies Omit<JwtOptions, 'providers'>;
