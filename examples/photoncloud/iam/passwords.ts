/**
 * Passwords are kept as what scrypt makes of them: `scrypt$N$r$p$salt$hash`, base64url. The parameters stand in the
 * text, so that stronger ones can be chosen later without losing what is stored.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

const current = { N: 16_384, r: 8, p: 1 };
const hashBytes = 32;

/** Hashes a password with a salt of its own; takes some 50 ms, off the main thread. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, current);
  return ['scrypt', current.N, current.r, current.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Whether a password is the one that was hashed. Without a hash, as where there is no such user, it is false after the
 * same time, so that nobody can find out names by the clock.
 */
export async function isPassword(password: string, stored: string | undefined): Promise<boolean> {
  if (stored === undefined) {
    await derive(password, randomBytes(16), current);
    return false;
  }
  const [, N, r, p, salt, hash] = stored.split('$') as [string, string, string, string, string, string];
  const derived = await derive(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
  return timingSafeEqual(derived, Buffer.from(hash, 'base64url'));
}

/** A text that stands for a password where requests are compared: as costly to guess from as a stored hash. */
export async function passwordFingerprint(password: string, salt: string): Promise<string> {
  return (await derive(password, Buffer.from(salt), current)).toString('base64url');
}

function derive(password: string, salt: Buffer, parameters: typeof current): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashBytes, parameters, (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    );
  });
}
