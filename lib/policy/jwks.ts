/**
 * The public keys of issuers, given at the start or fetched on first use and cached. Whatever tokens arrive, each set has one
 * fetch at a time and a cool-down between fetches. A fetch has limits of size and duration and follows no redirects.
 */
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import type { ConnectionOptions } from 'node:tls';
import type { Agent } from 'undici';
import { jose, undici } from '../packages.js';
import { monotonicMs } from '../clock.js';
import { type Holder, Shared } from '../shared.js';
import { publishFetch } from './diagnostics.js';
import type { JwksFetchOptions } from './jwt-providers.js';
import { type JsonWebKeySet, KeysUnavailable, readKeySet } from './key-set.js';

/** Delay between fetches while there are no keys. */
const RETRY_MS = 1000;

/** Finds the key of a token by its header; throws errors of jose, or `KeysUnavailable`. */
export interface KeySet {
  readonly keyFor: JWTVerifyGetKey;
}

/** Keys that are given at the start. */
export function fixedKeys(set: JsonWebKeySet): KeySet {
  return { keyFor: jose().createLocalJWKSet(set as unknown as JSONWebKeySet) };
}

/** The URL of a key set, and how it is fetched. */
export interface RemoteKeysOptions extends JwksFetchOptions {
  readonly url: string;
  /** The servers that are asked, in turn. Default: the host of the URL. */
  readonly servers?: KeyServers | undefined;
}

/** Servers that have the keys of a URL, whatever host it names. */
export interface KeyServers {
  /** The cluster that they are of. */
  readonly name: string;
  /** `https://127.0.0.1:8443` */
  readonly origins: readonly string[];
  /** Certificates and names of TLS. */
  readonly tls: TlsConnectOptions | undefined;
}

type TlsConnectOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'>;

/** The fetched key sets of a proxy. Providers with the same URL and the same times share one. */
export class RemoteKeySets {
  private readonly sets = new Shared<RemoteKeys>((set) => set.close());

  get size(): number {
    return this.sets.size;
  }

  /**
   * The key set of a URL.
   * @param holder keeps the keys open.
   */
  of(given: RemoteKeysOptions, holder: Holder): KeySet {
    const { url, jwksCacheMs, jwksCooldownMs, jwksTimeoutMs, maxJwksBytes, servers } = given;
    const options = { url, jwksCacheMs, jwksCooldownMs, jwksTimeoutMs, maxJwksBytes };
    const key = JSON.stringify([options, servers]);
    return this.sets.hold(key, holder, () => new RemoteKeys({ ...options, servers }));
  }

  /** Aborts a fetch that is under way. */
  close(): void {
    this.sets.closeAll();
  }
}

type LocalKeys = ReturnType<ReturnType<typeof jose>['createLocalJWKSet']>;

/** A key set that is fetched from a URL. */
class RemoteKeys implements KeySet {
  private keys: LocalKeys | undefined;
  private keysSince = 0;
  private triedAt = -Infinity;
  private fetching: Promise<void> | undefined;
  private problem: KeysUnavailable | undefined;
  private readonly agent: Agent;
  private closed = false;
  private fetches = 0;

  constructor(private readonly options: RemoteKeysOptions) {
    const { jwksTimeoutMs, maxJwksBytes, servers } = options;
    this.agent = new (undici().Agent)({
      connections: 1,
      connect: { ...servers?.tls, timeout: jwksTimeoutMs },
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
      // The key may be newer than the last fetch, or may not exist. The cool-down keeps unknown keys from causing a
      // fetch for each token.
      if (!(error instanceof jose().errors.JWKSNoMatchingKey) || !this.hasCooledDown(this.options.jwksCooldownMs))
        throw error;
      await this.fetch();
      return this.keys!(header, token);
    }
  };

  close(): void {
    this.closed = true;
    void this.agent.destroy().catch(() => undefined);
  }

  /** Resolves once there are usable keys. */
  private async ready(): Promise<void> {
    const { jwksCacheMs, jwksCooldownMs } = this.options;
    const age = this.keys === undefined ? Infinity : monotonicMs() - this.keysSince;
    if (age < jwksCacheMs) return;
    if (age < 2 * jwksCacheMs) {
      // A refresh in the background: no request waits for it, and none fails with it.
      if (this.hasCooledDown(Math.min(jwksCooldownMs, jwksCacheMs))) this.fetch().catch(() => undefined);
      return;
    }
    if (this.fetching === undefined && this.problem !== undefined && !this.hasCooledDown(RETRY_MS)) throw this.problem;
    await this.fetch();
  }

  private hasCooledDown(milliseconds: number): boolean {
    return monotonicMs() - this.triedAt >= milliseconds;
  }

  /** Fetches, or joins the fetch that is under way. */
  private fetch(): Promise<void> {
    if (this.fetching !== undefined) return this.fetching;
    this.triedAt = monotonicMs();
    this.fetching = this.load().finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  private async load(): Promise<void> {
    const { url } = this.options;
    try {
      this.keys = fixedKeys(await this.download()).keyFor as LocalKeys;
      this.keysSince = monotonicMs();
      if (this.problem !== undefined) publishFetch({ url, problem: undefined });
      this.problem = undefined;
    } catch (error) {
      const problem =
        error instanceof KeysUnavailable
          ? error
          : new KeysUnavailable(`cannot be fetched (${reasonOf(error)})`, { cause: error });
      // An aborted fetch says nothing about the issuer.
      if (this.problem?.message !== problem.message && !this.closed) publishFetch({ url, problem: problem.message });
      this.problem = problem;
      throw problem;
    }
  }

  /** Of the next fetch. */
  private address(): { readonly url: string; readonly host?: string } {
    const { url, servers } = this.options;
    const origin = servers?.origins[this.fetches++ % servers.origins.length];
    if (origin === undefined) return { url };
    const { host, pathname, search } = new URL(url);
    return { url: `${origin}${pathname}${search}`, host };
  }

  private async download(): Promise<JsonWebKeySet> {
    const { jwksTimeoutMs, maxJwksBytes } = this.options;
    const { url, host } = this.address();
    const { statusCode, body } = await undici().request(url, {
      dispatcher: this.agent,
      headers: { ...(host !== undefined && { host }), accept: 'application/json, application/jwk-set+json' },
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
