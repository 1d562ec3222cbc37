/**
 * Checks JSON Web Tokens (RFC 7519, RFC 8725) with `jose`: issuer, audience, expiry, and the signature by a public key
 * of the issuer. It knows no routes: `gateway` decides where a token is needed, and with which claims.
 */
import type { errors, JWTPayload } from 'jose';
import { jose } from '../packages.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import { findToken, insufficientClaims, invalidToken, type TokenRequest, type TokenPlace } from './bearer.js';
import { type Claims, missingClaim } from './claims.js';
import type { Expiry } from './expiry.js';
import type { KeySet } from './jwks.js';
import type { RequiredClaims } from './credential-options.js';
import type { JwtOptions } from './jwt-options.js';
import type { JwtProvider } from './jwt-providers.js';
import { KeysUnavailable } from './key-set.js';

const notJwt = 'the token is not a JWT; expected three parts in base64url with dots between them';

/** The client as identified by a valid token. */
export interface Identity {
  readonly claims: Claims;
  readonly token: string;
  readonly place: TokenPlace;
  /** When its streams end; undefined: they do not. */
  readonly expiry: Expiry | undefined;
}

/** A provider and its keys. */
interface Issuer extends JwtProvider {
  readonly keys: KeySet;
}

/** Checks tokens for one `policies.jwt`. */
export class Authenticator {
  private readonly issuers: readonly Issuer[];

  /** @param keysOf returns the keys of a provider */
  constructor(
    private readonly options: JwtOptions,
    keysOf: (provider: JwtProvider) => KeySet,
  ) {
    this.issuers = options.providers.map((provider) => ({ ...provider, keys: keysOf(provider) }));
  }

  /**
   * Finds and checks the token of a request.
   * @throws StatusError 401 if there is no valid token, 400 if there are several, 503 if none can be checked now.
   */
  async authenticate(request: TokenRequest): Promise<Identity> {
    const { token, place } = findToken(request, this.options);
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw invalidToken(notJwt, this.options);
    const issuer = this.issuerOf(token);
    try {
      const claims = await verifyToken(token, issuer);
      return { claims, token, place, expiry: this.expiryOf(claims, issuer) };
    } catch (error) {
      throw this.refusal(error, issuer);
    }
  }

  /**
   * Requires claims of a token.
   * @param what the name of the RPC, for the message
   * @throws StatusError 403 if the token lacks one of the claims.
   */
  authorize({ claims }: Identity, required: RequiredClaims, what: string): void {
    const missing = missingClaim(claims, required);
    if (missing !== undefined) throw insufficientClaims(`${what} needs a token ${missing}`, this.options);
  }

  /** The only provider, or the one that the token names; its signature is checked afterwards. */
  private issuerOf(token: string): Issuer {
    const [first, ...others] = this.issuers;
    if (others.length === 0) return first!;
    let iss: unknown;
    try {
      ({ iss } = jose().decodeJwt(token));
    } catch (error) {
      throw this.refusal(error, first!);
    }
    const found = this.issuers.find(({ issuer }) => issuer === iss);
    if (found !== undefined) return found;
    const known = this.issuers.map(({ issuer }) => quote(issuer!)).join(' or ');
    throw invalidToken(`the token is issued by ${claimText(iss)}, expected ${known}`, this.options);
  }

  private expiryOf({ exp }: Claims, { leewayMs }: Issuer): Expiry | undefined {
    if (!this.options.expireStreams || typeof exp !== 'number') return undefined;
    return { atMs: exp * 1000 + leewayMs, error: () => invalidToken(expiredText(exp), this.options) };
  }

  private refusal(error: unknown, issuer: Issuer): StatusError {
    if (error instanceof KeysUnavailable) return keysUnavailable(issuer, error.message, error);
    const reason = reasonOf(error, issuer);
    if (reason !== undefined) return invalidToken(reason, this.options, error);
    return keysUnavailable(issuer, 'cannot be used', error);
  }
}

/** What a token must be. */
export interface TokenRules extends Pick<JwtProvider, 'issuer' | 'audiences' | 'algorithms' | 'leewayMs'> {
  readonly keys: KeySet;
  /** Default: `exp` must be there. */
  readonly requiredClaims?: readonly string[];
}

/**
 * The claims of a token whose signature and times are good, by the rules of an issuer.
 * @throws errors of jose, or `KeysUnavailable`.
 */
export async function verifyToken(token: string, rules: TokenRules): Promise<Claims> {
  const { keys, issuer: iss, audiences, algorithms, leewayMs, requiredClaims = ['exp'] } = rules;
  const options = {
    algorithms: [...algorithms],
    ...(iss === undefined ? {} : { issuer: iss }),
    ...(audiences.length === 0 ? {} : { audience: [...audiences] }),
    clockTolerance: leewayMs / 1000,
    requiredClaims: [...requiredClaims],
  };
  try {
    return (await jose().jwtVerify(token, keys.keyFor, options)).payload;
  } catch (error) {
    // The token does not name which of several keys signed it, so each is tried.
    if (!(error instanceof jose().errors.JWKSMultipleMatchingKeys)) throw error;
    let last: unknown = new (jose().errors.JWSSignatureVerificationFailed)();
    for await (const key of error) {
      try {
        return (await jose().jwtVerify(token, key, options)).payload;
      } catch (failure) {
        if (!(failure instanceof jose().errors.JWSSignatureVerificationFailed)) throw failure;
        last = failure;
      }
    }
    throw last;
  }
}

/** Why a token is refused; undefined if the cause is not the token. */
function reasonOf(error: unknown, issuer: Issuer): string | undefined {
  if (error instanceof jose().errors.JWTExpired) {
    return expiredText(error.payload.exp);
  }
  if (error instanceof jose().errors.JWTClaimValidationFailed) return claimReason(error, issuer);
  if (error instanceof jose().errors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  if (error instanceof jose().errors.JWKSNoMatchingKey) {
    return 'the token is signed with a key that its issuer does not publish; get a new one';
  }
  if (error instanceof jose().errors.JOSEAlgNotAllowed || error instanceof jose().errors.JOSENotSupported) {
    return `the token is signed in a way that is not taken here; expected ${issuer.algorithms.join(', ')}`;
  }
  if (error instanceof jose().errors.JWSInvalid || error instanceof jose().errors.JWTInvalid) {
    return notJwt;
  }
  return undefined;
}

function claimReason(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  { issuer, audiences }: Issuer,
): string {
  if (reason === 'missing') return `the token has no claim ${quote(claim)}`;
  if (claim === 'iss') return `the token is issued by ${claimText(payload.iss)}, expected ${quote(issuer!)}`;
  if (claim === 'aud') {
    return `the token is for ${claimText(payload.aud)}, expected ${audiences.map((audience) => quote(audience)).join(' or ')}`;
  }
  if (claim === 'nbf' && reason === 'check_failed') return `the token is not valid before${timeText(payload.nbf)}`;
  return `the token's claim ${quote(claim)} is not as expected`;
}

function expiredText(exp: JWTPayload['exp']): string {
  return `the token expired${timeText(exp)}; get a new one`;
}

/** ` 2026-01-31T12:00:00Z`; empty if it is no time. */
function timeText(seconds: JWTPayload['exp']): string {
  const date = new Date((seconds ?? NaN) * 1000);
  return Number.isNaN(date.getTime()) ? '' : ` ${date.toISOString().replace('.000', '')}`;
}

function claimText(value: unknown): string {
  return typeof value === 'string' ? quote(value) : value === undefined ? 'nobody' : quote(JSON.stringify(value));
}

function keysUnavailable({ name }: Issuer, problem: string, cause: unknown): StatusError {
  return StatusError.http(
    503,
    `tokens cannot be checked now: the signing keys of the provider ${quote(name)} ${problem}; try again later`,
    { headers: [['retry-after', '1']], cause },
  );
}
