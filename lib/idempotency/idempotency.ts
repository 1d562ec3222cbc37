/**
 * `policies.idempotency`, compiled: which requests take a key, who the first with a key is, and what the others are answered. What
 * becomes of the call of the first is for `gateway/keyed-call` to tell.
 */
import { createHash } from 'node:crypto';
import type { Reply } from '../exchange.js';
import { headerValues, type HeaderFields } from '../headers.js';
import { selectorMatches } from '../rule/index.js';
import { Code, StatusError } from '../status.js';
import { missingKey, readIdempotencyKey } from './key.js';
import type { IdempotencySettings } from './options.js';
import { answeredRecord, parseRecord, replyOf, runningRecord } from './record.js';
import { type IdempotencyStore, StoreError } from './store.js';

/** A request with a key, as far as it tells it from others. */
export interface KeyedRequest {
  readonly key: string;
  readonly method: string;
  /** With the prefix of its mount. */
  readonly path: string;
  readonly query: string | undefined;
  readonly headers: HeaderFields;
  /** Full name of the RPC. */
  readonly rpc: string;
  /** The request message. */
  readonly message: Buffer;
  /** Who calls, if the proxy has checked that; empty: it has not. */
  readonly identity: readonly string[];
  readonly requestId: string;
}

/** The first request with its key. One of the two is to be called when its call has ended. */
export interface Reservation {
  /** The answer that requests with this key get from now on. @throws StoreError */
  answered(reply: Reply): Promise<void>;
  /** Nothing was done: the key is free again. @throws StoreError */
  free(): Promise<void>;
}

/** Requests with keys of one gateway. */
export class Idempotency {
  constructor(
    readonly settings: IdempotencySettings,
    private readonly store: IdempotencyStore,
    /** The wall clock, in milliseconds. */
    private readonly now: () => number,
  ) {}

  /**
   * The key of a request; undefined if it has none, or takes none.
   * @throws StatusError 400 if it is none, or missing
   */
  keyOf(method: string, rpc: string, headers: HeaderFields): string | undefined {
    const { rpcs, methods, required, maxKeyBytes } = this.settings;
    if (!(methods as readonly string[]).includes(method)) return undefined;
    if (rpcs.length > 0 && !rpcs.some(({ selector }) => selectorMatches(selector, rpc))) return undefined;
    const key = readIdempotencyKey(headers, maxKeyBytes);
    if (key === undefined && required) throw missingKey();
    return key;
  }

  /**
   * Reserves the key for the first request. The others get the answer of the first, or an error. Undefined: the store failed, and
   * such requests pass.
   * @throws StatusError 409 while the first runs, 422 for another request with its key, 503 if the store fails
   */
  async reserve(request: KeyedRequest): Promise<Reservation | Reply | undefined> {
    const fingerprint = this.fingerprintOf(request);
    const id = digest([...request.identity, request.key]);
    try {
      return await this.take(id, fingerprint, request);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (this.settings.redis?.failureModeAllow === true) return undefined;
      const message = 'the store of idempotency keys is not available, so the request was not carried out; try again';
      throw StatusError.http(503, message, { cause: error, headers: [['retry-after', '1']] });
    }
  }

  private async take(id: string, fingerprint: string, { key, requestId }: KeyedRequest): Promise<Reservation | Reply> {
    const { ttlMs, runningTimeoutMs, unknownOutcome } = this.settings;
    const own = runningRecord(fingerprint, this.now());
    const text = await this.store.putIfAbsent(id, own, ttlMs);
    if (text === undefined) return this.reservation(id, fingerprint, own);
    const found = parseRecord(text);
    if (found === undefined) throw new StoreError('a record is not one of this program');
    if (found.fingerprint !== fingerprint) throw otherRequest(key);
    if (found.state === 'answered') {
      if (found.reply === undefined) throw conflict('was carried out, and its answer was too large to be kept');
      return replyOf(found.reply, requestId);
    }
    if (this.now() - found.sinceMs < runningTimeoutMs) throw conflict('is still under way; try again later', '1');
    if (unknownOutcome === 'keep')
      throw conflict('has ended without an answer, and nobody knows what it did; look first');
    if (await this.store.replace(id, text, own, ttlMs)) return this.reservation(id, fingerprint, own);
    throw conflict('is under way again; try again later', '1');
  }

  private reservation(id: string, fingerprint: string, own: string): Reservation {
    const { ttlMs, maxAnswerBytes } = this.settings;
    const replace = async (record: string | undefined): Promise<void> => {
      await this.store.replace(id, own, record, ttlMs);
    };
    return {
      answered: (reply) => replace(answeredRecord(fingerprint, reply, maxAnswerBytes)),
      free: () => replace(undefined),
    };
  }

  /**
   * What must be the same if the request comes again. Of a client that the proxy does not know, that is also what says who it is:
   * nobody gets the answer of a stranger by guessing a key.
   */
  private fingerprintOf({ method, path, query, headers, rpc, message, identity }: KeyedRequest): string {
    const { clientHeaders } = this.settings;
    const client = identity.length > 0 ? [] : clientHeaders.map((name) => headerValues(headers, name));
    return digest([JSON.stringify([method, path, query ?? null, rpc, client])], message);
  }
}

/** A digest of texts, of which none can be taken for a part of another, and of bytes. */
function digest(texts: readonly string[], bytes?: Buffer): string {
  const hash = createHash('sha256').update(JSON.stringify(texts));
  if (bytes !== undefined) hash.update(bytes);
  return hash.digest('base64url');
}

function otherRequest(key: string): StatusError {
  const shown = key.length <= 64 ? key : `${key.slice(0, 64)}…`;
  return new StatusError(
    Code.INVALID_ARGUMENT,
    `the Idempotency-Key ${JSON.stringify(shown)} was sent with another request before; take a new key for a new request`,
    { httpStatus: 422 },
  );
}

function conflict(what: string, retryAfter?: string): StatusError {
  return new StatusError(Code.ABORTED, `the first request with this Idempotency-Key ${what}`, {
    httpStatus: 409,
    headers: retryAfter === undefined ? [] : [['retry-after', retryAfter]],
  });
}
