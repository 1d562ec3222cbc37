/** Reads and checks JSON Web Key Sets. */

/** A JSON Web Key Set (RFC 7517) with public keys. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Most keys of a set. */
const MAX_KEYS = 100;

/** Deepest nesting. A regular set has four levels. */
const MAX_DEPTH = 10;

/** The keys are not available now; the message completes "the signing keys …". */
export class KeysUnavailable extends Error {}

/**
 * Checks a key set.
 * @throws KeysUnavailable if it is not valid; the message has the reason.
 */
export function readKeySet(value: unknown): JsonWebKeySet {
  if (isDeeper(value, MAX_DEPTH)) throw new KeysUnavailable(`are nested more than ${MAX_DEPTH} deep`);
  const keys = value !== null && typeof value === 'object' ? (value as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(keys)) throw new KeysUnavailable('are not a JSON Web Key Set: {"keys": [ … ]}');
  if (keys.length > MAX_KEYS) throw new KeysUnavailable(`are more than ${MAX_KEYS}`);
  for (const key of keys as unknown[]) {
    if (key === null || typeof key !== 'object' || Array.isArray(key)) {
      throw new KeysUnavailable('are not a JSON Web Key Set: a key is an object');
    }
    if ('d' in key) throw new KeysUnavailable('hold a private key; publish its public part alone');
  }
  return value as JsonWebKeySet;
}

/** Iterative, because a recursive walk could overflow the stack. */
function isDeeper(value: unknown, limit: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((outer): unknown[] =>
      outer !== null && typeof outer === 'object' ? Object.values<unknown>(outer as Record<string, unknown>) : [],
    );
  }
  return false;
}
