/**
 * Calls that may safely be sent twice: whoever puts a `request_id` into a create, gets for a repeat within a day what
 * the first call got, and nothing happens a second time. A client whose connection broke can so ask again.
 *
 * What is kept is the service's decision, be it an answer or a refusal such as "that name is taken". A request that
 * does not pass validation never gets here: its id is still free for the mended one. Faults of the service are not kept.
 */
import { createHash } from 'node:crypto';
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from './clock.js';
import type { Database } from './database.js';
import { badRequest, ServiceError } from './errors.js';
import type { Codec } from './schema.js';

const keptMs = 24 * 60 * 60 * 1000;

const migrations = [
  `CREATE TABLE request_ids (
     method TEXT NOT NULL, request_id TEXT NOT NULL, fingerprint BLOB NOT NULL, answered_at INTEGER NOT NULL,
     reply BLOB, refusal BLOB, PRIMARY KEY (method, request_id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX request_ids_by_time ON request_ids (answered_at);`,
];

interface Answered {
  readonly fingerprint: Buffer;
  readonly reply: Buffer | null;
  readonly refusal: Buffer | null;
}

/** The answers of the last day, by method and request id. */
export class RequestIds {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    database.migrate('request_ids', migrations);
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Does `work`, in a transaction, unless this method has answered this request id before: then that answer is given
   * again, or that refusal thrown again. The same id on another request is INVALID_ARGUMENT. An empty id is no id.
   */
  once<Request extends { readonly request_id: string }, Reply>(
    method: string,
    request: Request,
    replies: Codec<Reply>,
    work: () => Reply,
  ): Reply {
    const id = request.request_id;
    if (id === '') return this.#database.transaction(work);
    if (!/^[!-~]{1,128}$/.test(id)) {
      throw badRequest([{ field: 'request_id', description: 'expected 1 to 128 visible ASCII characters' }]);
    }
    this.#forgetOld();
    const before = this.#database.get<Answered>(
      'SELECT fingerprint, reply, refusal FROM request_ids WHERE method = ? AND request_id = ?',
      method,
      id,
    );
    const fingerprint = fingerprintOf(request);
    if (before !== undefined) return repeat(before, fingerprint, replies);
    return this.#first(method, id, fingerprint, replies, work);
  }

  #first<Reply>(method: string, id: string, fingerprint: Buffer, replies: Codec<Reply>, work: () => Reply): Reply {
    const keep = (reply: Buffer | null, refusal: Buffer | null): void => {
      this.#database.run(
        'INSERT INTO request_ids VALUES (?, ?, ?, ?, ?, ?)',
        method,
        id,
        fingerprint,
        this.#clock.now(),
        reply,
        refusal,
      );
    };
    try {
      return this.#database.transaction(() => {
        const reply = work();
        keep(replies.encode(reply), null);
        return reply;
      });
    } catch (error) {
      // That the database did not answer is no answer to repeat.
      if (error instanceof ServiceError && error.code !== Status.UNAVAILABLE) keep(null, error.toBytes());
      throw error;
    }
  }

  #forgetOld(): void {
    this.#database.run('DELETE FROM request_ids WHERE answered_at <= ?', this.#clock.now() - keptMs);
  }
}

function repeat<Reply>(before: Answered, fingerprint: Buffer, replies: Codec<Reply>): Reply {
  if (!before.fingerprint.equals(fingerprint)) {
    const description = 'was used within the last day for another request; choose a new one';
    throw badRequest([{ field: 'request_id', description }]);
  }
  if (before.refusal !== null) throw ServiceError.fromBytes(before.refusal);
  return replies.decode(before.reply!);
}

/** Equal for requests with equal fields; the order in which they were read does not count. */
function fingerprintOf(request: object): Buffer {
  return createHash('sha256').update(JSON.stringify(request, stable)).digest();
}

function stable(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
