/** Checks one token for the filter `jwt`, in the order and the words of Envoy: form, issuer, times, audience, signature. */
import { type Claims, type KeySet, KeysUnavailable, type TokenRules, verifyToken } from '../policy/index.js';
import { jose } from '../packages.js';

/** Why a token is not good; the message is for the client. */
export class TokenProblem extends Error {
  /** @param httpStatus of the refusal */
  constructor(
    message: string,
    readonly httpStatus: 401 | 403 = 401,
  ) {
    super(message);
  }
}

export const missingText = 'Jwt is missing';
export const expiredText = 'Jwt is expired';
export const unknownIssuerText = 'Jwt issuer is not configured';

/** What is asked of a token. */
export interface TokenDemand extends TokenRules {
  readonly keys: KeySet;
  readonly requireExpiration: boolean;
  readonly maxTokenBytes: number;
}

/** What a token says, whether or not it is good. */
export interface ParsedToken {
  readonly claims: Claims;
  /** As it stands in the token: base64url without padding. */
  readonly payload: string;
}

/** @throws TokenProblem */
export function parseToken(token: string, maxBytes: number): ParsedToken {
  if (token.length > maxBytes) throw new TokenProblem('Jwt is longer than its limit (max_token_bytes)');
  const [header, payload, signature, more] = token.split('.');
  if (!header || !payload || !signature || more !== undefined) {
    throw new TokenProblem('Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections');
  }
  const { alg, kid } = partOf(header, 'header');
  if (typeof alg !== 'string') throw new TokenProblem('Jwt header [alg] field is required and must be a string');
  if (!knownAlgorithms.has(alg)) throw new TokenProblem('Jwt header [alg] is not supported');
  if (kid !== undefined && typeof kid !== 'string') throw new TokenProblem('Jwt header [kid] field is not a string');
  const claims = partOf(payload, 'payload');
  checkTypes(claims);
  if (!isBase64Url(signature)) throw new TokenProblem('Jwt signature is an invalid Base64url encoded');
  return { claims, payload };
}

/** Those that a token may name; whether one is taken is for the keys, and shared secrets never are. */
const knownAlgorithms = new Set(
  ['HS', 'RS', 'PS', 'ES'].flatMap((name) => ['256', '384', '512'].map((size) => name + size)).concat('EdDSA'),
);

function isBase64Url(text: string): boolean {
  return /^[\w-]*$/.test(text) && text.length % 4 !== 1;
}

function partOf(text: string, what: 'header' | 'payload'): Claims {
  if (!isBase64Url(text)) throw new TokenProblem(`Jwt ${what} is an invalid Base64url encoded`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new TokenProblem(`Jwt ${what} is an invalid JSON`);
  }
  return value as Claims;
}

function checkTypes(claims: Claims): void {
  for (const name of ['iss', 'sub']) {
    const value = claims[name];
    if (value !== undefined && typeof value !== 'string') {
      throw new TokenProblem(`Jwt payload [${name}] field is not a string`);
    }
  }
  for (const name of ['iat', 'nbf', 'exp']) {
    const value = claims[name];
    if (value === undefined) continue;
    if (typeof value !== 'number') throw new TokenProblem(`Jwt payload [${name}] field is not an integer`);
    if (!(value >= 0 && value < 2 ** 63)) {
      throw new TokenProblem(`Jwt payload [${name}] field is not a positive 64 bit integer`);
    }
  }
  const { aud } = claims;
  const isList = Array.isArray(aud) && aud.every((one) => typeof one === 'string');
  if (aud !== undefined && typeof aud !== 'string' && !isList) {
    throw new TokenProblem('Jwt payload [aud] field is not a string or string list');
  }
}

/**
 * Checks a token that was parsed.
 * @param now wall-clock time, in milliseconds
 * @throws TokenProblem
 */
export async function checkToken(
  token: string,
  { claims }: ParsedToken,
  demand: TokenDemand,
  now: number,
): Promise<void> {
  // Before the keys are asked for: what is refused anyway costs nobody a fetch.
  checkClaims(claims, demand, now);
  try {
    const requiredClaims: readonly string[] = [];
    await verifyToken(token, { ...demand, issuer: undefined, audiences: [], requiredClaims });
  } catch (error) {
    throw problemOf(error);
  }
}

function checkClaims(claims: Claims, demand: TokenDemand, now: number): void {
  const { issuer, audiences, leewayMs, requireExpiration } = demand;
  const { iss, exp, nbf, aud } = claims;
  if (issuer !== undefined && iss !== issuer) throw new TokenProblem(unknownIssuerText);
  if (typeof nbf === 'number' && nbf * 1000 > now + leewayMs) throw new TokenProblem('Jwt not yet valid');
  const isExpired = typeof exp === 'number' ? exp * 1000 < now - leewayMs : requireExpiration;
  if (isExpired) throw new TokenProblem(expiredText);
  const given = (Array.isArray(aud) ? (aud as readonly unknown[]) : [aud]).map(plainAudience);
  if (audiences.length > 0 && !audiences.some((one) => given.includes(plainAudience(one)))) {
    throw new TokenProblem('Audiences in Jwt are not allowed', 403);
  }
}

/** As in Envoy, neither scheme nor a slash at the end makes another audience. */
function plainAudience(audience: unknown): unknown {
  return typeof audience === 'string' ? audience.replace(/^https?:\/\//, '').replace(/\/$/, '') : audience;
}

function problemOf(error: unknown): unknown {
  if (error instanceof KeysUnavailable) return new TokenProblem('Jwks remote fetch is failed');
  const { errors } = jose();
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JOSEAlgNotAllowed) {
    return new TokenProblem("Jwks doesn't have key to match kid or alg from Jwt");
  }
  if (error instanceof errors.JWTExpired) return new TokenProblem(expiredText);
  return error instanceof errors.JOSEError ? new TokenProblem('Jwt verification fails') : error;
}
