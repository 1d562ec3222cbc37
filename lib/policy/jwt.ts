/**
 * Checks JSON Web Tokens (RFC 7519, RFC 8725) by `jose`: who issued them, for whom, until when, and that a public key of the
 * issuer signed them. Knows nothing of routes: `gateway` asks where one needs a token, and for which claims.
 */
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import { findToken, insufficientClaims, invalidToken, type TokenHolder, type TokenPlace } from './bearer.js';
import { type Claims, missingClaim } from './claims.js';
import { type KeySet, KeysUnavailable } from './jwks.js';
import type { JwtOptions, JwtProvider, RequiredClaims } from './jwt-options.js';

const notJwt = 'the token is not a JWT; expected three parts in base64url with dots between them';

/** Who calls, as a good token says. */
export interface Identity {
  readonly claims: Claims;
  readonly token: string;
  readonly place: TokenPlace;
}

/** A provider and its keys. */
interface Issuer extends JwtProvider {
  readonly keys: KeySet;
}

export class Authenticator {
  private readonly issuers: readonly Issuer[];

  /** @param keysOf the keys of a provider */
  constructor(
    private readonly options: JwtOptions,
    keysOf: (provider: JwtProvider) => KeySet,
  ) {
    this.issuers = options.providers.map((provider) => ({ ...provider, keys: keysOf(provider) }));
  }

  /**
   * Finds and checks the token of a request.
   * @throws StatusError 401 where there is no good one, 400 where there are several, 503 where none can be checked now.
   */
  async authenticate(request: TokenHolder): Promise<Identity> {
    const { token, place } = findToken(request, this.options);
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw invalidToken(notJwt, this.options);
    const issuer = this.issuerOf(token);
    try {
      return { claims: await verify(token, issuer), token, place };
    } catch (error) {
      throw this.refusal(error, issuer);
    }
  }

  /**
   * @param what that needs them, for the message
   * @throws StatusError 403 where the token lacks one of the claims.
   */
  authorize({ claims }: Identity, required: RequiredClaims, what: string): void {
    const missing = missingClaim(claims, required);
    if (missing !== undefined) throw insufficientClaims(`${what} needs a token ${missing}`, this.options);
  }

  /** The lone provider, or the one that the token names; whether that is true its signature tells later. */
  private issuerOf(token: string): Issuer {
    const [first, ...others] = this.issuers;
    if (others.length === 0) return first!;
    let iss: unknown;
    try {
      ({ iss } = decodeJwt(token));
    } catch (error) {
      throw this.refusal(error, first!);
    }
    const found = this.issuers.find(({ issuer }) => issuer === iss);
    if (found !== undefined) return found;
    const known = this.issuers.map(({ issuer }) => quote(issuer!)).join(' or ');
    throw invalidToken(`the token is issued by ${shown(iss)}, expected ${known}`, this.options);
  }

  private refusal(error: unknown, issuer: Issuer): StatusError {
    if (error instanceof KeysUnavailable) return unchecked(issuer, error.message, error);
    const reason = reasonOf(error, issuer);
    if (reason !== undefined) return invalidToken(reason, this.options, error);
    return unchecked(issuer, 'cannot be used', error);
  }
}

/** The claims of a good token; throws what jose throws, or `KeysUnavailable`. */
async function verify(token: string, issuer: Issuer): Promise<Claims> {
  const { keys, issuer: iss, audiences, algorithms, leewayMs } = issuer;
  const options = {
    algorithms: [...algorithms],
    ...(iss === undefined ? {} : { issuer: iss }),
    ...(audiences.length === 0 ? {} : { audience: [...audiences] }),
    clockTolerance: leewayMs / 1000,
    requiredClaims: ['exp'],
  };
  try {
    return (await jwtVerify(token, keys.keyFor, options)).payload;
  } catch (error) {
    // A token that does not say which of several keys signed it: each is tried.
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let last: unknown = new errors.JWSSignatureVerificationFailed();
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
        last = failure;
      }
    }
    throw last;
  }
}

/** Why a token will not do; undefined where it is not the token's fault. */
function reasonOf(error: unknown, issuer: Issuer): string | undefined {
  if (error instanceof errors.JWTExpired) {
    return `the token expired${at(error.payload.exp)}; get a new one`;
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimReason(error, issuer);
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  if (error instanceof errors.JWKSNoMatchingKey) {
    return 'the token is signed with a key that its issuer does not publish; get a new one';
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return `the token is signed in a way that is not taken here; expected ${issuer.algorithms.join(', ')}`;
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return notJwt;
  }
  return undefined;
}

function claimReason(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  { issuer, audiences }: Issuer,
): string {
  if (reason === 'missing') return `the token has no claim ${quote(claim)}`;
  if (claim === 'iss') return `the token is issued by ${shown(payload.iss)}, expected ${quote(issuer!)}`;
  if (claim === 'aud') {
    return `the token is for ${shown(payload.aud)}, expected ${audiences.map((audience) => quote(audience)).join(' or ')}`;
  }
  if (claim === 'nbf' && reason === 'check_failed') return `the token is not valid before${at(payload.nbf)}`;
  return `the token's claim ${quote(claim)} is not as expected`;
}

/** ` 2026-01-31T12:00:00Z`; nothing where it is no time. */
function at(seconds: JWTPayload['exp']): string {
  const date = new Date((seconds ?? NaN) * 1000);
  return Number.isNaN(date.getTime()) ? '' : ` ${date.toISOString().replace('.000', '')}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? quote(value) : value === undefined ? 'nobody' : quote(JSON.stringify(value));
}

function unchecked({ name }: Issuer, problem: string, cause: unknown): StatusError {
  return StatusError.http(
    503,
    `tokens cannot be checked now: the signing keys of the provider ${quote(name)} ${problem}; try again later`,
    { headers: [['retry-after', '1']], cause },
  );
}
