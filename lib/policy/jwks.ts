/**
 * The public keys of issuers: given at start, or fetched when they are first needed and kept. One fetch at a time for each
 * set, and a bounded number of them in a time, whatever tokens arrive; of limited size and duration, without redirects.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { Agent, request } from 'undici';
import { publishFetch } from './diagnostics.js';
import type { JsonWebKeySet, JwksFetchOptions } from './jwt-options.js';

/** A set of more is not looked through. */
const MAX_KEYS = 100;

/** Between two fetches while there are no keys at all. */
const RETRY_MS = 1000;

/** Finds the key of a token, by its head; throws what jose throws, or `KeysUnavailable`. */
export interface KeySet {
  readonly keyFor: JWTVerifyGetKey;
}

/** The keys cannot be had now; the message completes "the signing keys …". */
export class KeysUnavailable extends Error {}

/** What a key set is, checked. @throws KeysUnavailable saying what is wrong with it. */
export function readKeySet(value: unknown): JsonWebKeySet {
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

/** Keys that are there already. */
export function fixedKeys(set: JsonWebKeySet): KeySet {
  return { keyFor: createLocalJWKSet(set as unknown as JSONWebKeySet) };
}

/** Where keys are fetched from, and how. */
export interface RemoteKeysOptions extends JwksFetchOptions {
  readonly url: string;
}

/** The fetched key sets of a proxy, one for each URL and its times, shared by all that name them. */
export class RemoteKeySets {
  private readonly sets = new Map<string, RemoteKeys>();

  of({ url, jwksCacheMs, jwksCooldownMs, jwksTimeoutMs, maxJwksBytes }: RemoteKeysOptions): KeySet {
    const options = { url, jwksCacheMs, jwksCooldownMs, jwksTimeoutMs, maxJwksBytes };
    const key = JSON.stringify(options);
    let set = this.sets.get(key);
    if (set === undefined) {
      set = new RemoteKeys(options);
      this.sets.set(key, set);
    }
    return set;
  }

  /** Gives up what is being fetched. */
  close(): void {
    for (const set of this.sets.values()) set.close();
    this.sets.clear();
  }
}

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

/** A key set at a URL. */
class RemoteKeys implements KeySet {
  private keys: LocalKeys | undefined;
  private keysSince = 0;
  private triedAt = -Infinity;
  private fetching: Promise<void> | undefined;
  private problem: KeysUnavailable | undefined;
  private readonly agent: Agent;

  constructor(private readonly options: RemoteKeysOptions) {
    const { jwksTimeoutMs, maxJwksBytes } = options;
    this.agent = new Agent({
      connections: 1,
      connect: { timeout: jwksTimeoutMs },
      headersTimeout: jwksTimeoutMs,
      bodyTimeout: jwksTimeoutMs,
      maxResponseSize: maxJwksBytes,
    });
  }

  readonly keyFor: JWTVerifyGetKey = async (header, token) => {
    await this.ready();
    try {
      return await this.keys!(header, token);
    } catch (error) {
      // A key that came after the last fetch; or one that never will, which must not cost the issuer a fetch for each token.
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.hasCooledDown(this.options.jwksCooldownMs)) throw error;
      await this.fetch();
      return this.keys!(header, token);
    }
  };

  close(): void {
    void this.agent.destroy().catch(() => undefined);
  }

  /** Returns when there are keys that may be used. */
  private async ready(): Promise<void> {
    const { jwksCacheMs, jwksCooldownMs } = this.options;
    const age = this.keys === undefined ? Infinity : performance.now() - this.keysSince;
    if (age < jwksCacheMs) return;
    if (age < 2 * jwksCacheMs) {
      // Nobody waits for it, and nobody is refused because it failed.
      if (this.hasCooledDown(Math.min(jwksCooldownMs, jwksCacheMs))) this.fetch().catch(() => undefined);
      return;
    }
    if (this.fetching === undefined && this.problem !== undefined && !this.hasCooledDown(RETRY_MS)) throw this.problem;
    await this.fetch();
  }

  private hasCooledDown(milliseconds: number): boolean {
    return performance.now() - this.triedAt >= milliseconds;
  }

  /** Fetches, or joins the fetch that is under way. */
  private fetch(): Promise<void> {
    if (this.fetching !== undefined) return this.fetching;
    this.triedAt = performance.now();
    this.fetching = this.load().finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  private async load(): Promise<void> {
    const { url } = this.options;
    try {
      this.keys = fixedKeys(await this.download()).keyFor as LocalKeys;
      this.keysSince = performance.now();
      if (this.problem !== undefined) publishFetch({ url, problem: undefined });
      this.problem = undefined;
    } catch (error) {
      const problem =
        error instanceof KeysUnavailable
          ? error
          : new KeysUnavailable(`cannot be fetched (${reasonOf(error)})`, { cause: error });
      if (this.problem?.message !== problem.message) publishFetch({ url, problem: problem.message });
      this.problem = problem;
      throw problem;
    }
  }

  private async download(): Promise<JsonWebKeySet> {
    const { url, jwksTimeoutMs, maxJwksBytes } = this.options;
    const { statusCode, body } = await request(url, {
      dispatcher: this.agent,
      headers: { accept: 'application/json, application/jwk-set+json' },
      signal: AbortSignal.timeout(jwksTimeoutMs),
    });
    if (statusCode !== 200) {
      body.on('error', () => undefined).destroy();
      throw new KeysUnavailable(`cannot be fetched (their address answers ${statusCode}, expected 200)`);
    }
    let text: string;
    try {
      text = await body.text();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'UND_ERR_RES_EXCEEDED_MAX_SIZE') throw error;
      throw new KeysUnavailable(`are larger than the limit of ${maxJwksBytes} bytes (max_jwks_bytes)`);
    }
    return readKeySet(parsed(text));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new KeysUnavailable('are not JSON');
  }
}

function reasonOf(error: unknown): string {
  const { name, code } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || /TIMEOUT/.test(code ?? '')) return 'no answer in time';
  if (code === 'ECONNREFUSED') return 'connection refused';
  return code ?? 'the connection broke off';
}
