/**
 * Tokens: JWTs signed with Ed25519 keys that are kept in the database, so that a restart makes none invalid. A key signs
 * for 30 days, then a new one takes over; the old one stays published until the last token that it signed has expired.
 */
import { generateKeyPairSync } from 'node:crypto';
import { errors, importJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { newId } from '../lib/ids.js';

const migrations = [
  `CREATE TABLE iam_keys (kid TEXT PRIMARY KEY, private_jwk TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;`,
];

const algorithm = 'EdDSA';
const signingMs = 30 * 24 * 3600 * 1000;

/** The longest life of a token. */
export const maxTtlSeconds = 24 * 3600;

/** Who issues tokens, and for whom: `iss` and `aud`. */
export interface TokenNames {
  readonly issuer: string;
  readonly audience: string;
}

/** What a token says. */
export interface Claims {
  readonly sub: string;
  readonly username: string;
  readonly org_id: string;
  readonly project_ids: readonly string[];
  readonly roles: readonly string[];
  /** How often the password had been set; a token of an earlier one is void. */
  readonly password_version: number;
}

/** A token that was read: what it says, or why it is not valid. */
export type ReadToken = { readonly claims: Claims; readonly expiresMs: number } | { readonly reason: string };

interface KeyRow {
  readonly kid: string;
  readonly private_jwk: string;
  readonly created_ms: bigint;
}

/** Signs and reads the tokens of one service. */
export class Tokens {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #names: TokenNames;

  constructor(database: Database, clock: Clock, names: TokenNames) {
    database.migrate('iam_keys', migrations);
    this.#database = database;
    this.#clock = clock;
    this.#names = names;
  }

  /** A token that says so and is valid for so long. */
  async sign(claims: Claims, ttlSeconds: number): Promise<{ token: string; expiresMs: number }> {
    const { kid, private_jwk } = this.#signingKey();
    const now = Math.floor(this.#clock.now() / 1000);
    const { sub, ...rest } = claims;
    const token = await new SignJWT(rest)
      .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
      .setIssuer(this.#names.issuer)
      .setAudience(this.#names.audience)
      .setSubject(sub)
      .setJti(newId(this.#clock))
      .setIssuedAt(now)
      .setExpirationTime(now + ttlSeconds)
      .sign(await importJWK(JSON.parse(private_jwk) as JWK, algorithm));
    return { token, expiresMs: (now + ttlSeconds) * 1000 };
  }

  /** Checks form, signature, issuer, audience and expiry. */
  async read(token: string): Promise<ReadToken> {
    const published = new Map(this.#published().map((key) => [key.kid, key]));
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = published.get(kid ?? '');
          if (key === undefined) throw new errors.JWKSNoMatchingKey();
          return importJWK(publicJwk(key), algorithm);
        },
        { ...this.#names, algorithms: [algorithm], currentDate: new Date(this.#clock.now()), requiredClaims: ['exp'] },
      );
      return { claims: payload as unknown as Claims, expiresMs: payload.exp! * 1000 };
    } catch (error) {
      return { reason: reasonOf(error) };
    }
  }

  /** The public keys as a JSON Web Key Set. */
  keySet(): { keys: JWK[] } {
    this.#signingKey(); // so that the set is never empty, and whoever fetched it knows the next token's key
    return { keys: this.#published().map(publicJwk) };
  }

  #signingKey(): KeyRow {
    const newest = this.#newestKeys(1)[0];
    if (newest !== undefined && Number(newest.created_ms) + signingMs > this.#clock.now()) return newest;
    const { privateKey } = generateKeyPairSync('ed25519');
    const now = this.#clock.now();
    const row = { kid: newId(this.#clock), private_jwk: JSON.stringify(privateKey.export({ format: 'jwk' })) };
    this.#database.run('INSERT INTO iam_keys VALUES (?, ?, ?)', row.kid, row.private_jwk, now);
    return { ...row, created_ms: BigInt(now) };
  }

  #published(): KeyRow[] {
    const oldest = this.#clock.now() - signingMs - maxTtlSeconds * 1000;
    return this.#newestKeys(100).filter(({ created_ms }) => Number(created_ms) > oldest);
  }

  #newestKeys(count: number): KeyRow[] {
    return this.#database.all<KeyRow>('SELECT * FROM iam_keys ORDER BY created_ms DESC, kid DESC LIMIT ?', count);
  }
}

function publicJwk({ kid, private_jwk }: KeyRow): JWK {
  const { kty, crv, x } = JSON.parse(private_jwk) as JWK & { kty: string; crv: string; x: string };
  return { kty, crv, x, kid, alg: algorithm, use: 'sig' };
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `the token's claim ${error.claim} is not as expected`;
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed with a key that is not known (any more)';
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  if (error instanceof errors.JOSEError) return 'the token is malformed';
  throw error;
}
