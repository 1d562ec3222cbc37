/**
 * Buckets, objects and which file holds the bytes of which, in the database. A file that no object needs (any more) is
 * in the table of garbage, from before its first byte until it is gone: so whatever a crash leaves is found and removed
 * at the next start.
 */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { preconditionFailure, quoted, ServiceError } from '../lib/errors.js';
import { newId } from '../lib/ids.js';
import { prefixRange } from '../lib/keys.js';

const migrations = [
  `CREATE TABLE lightningstor_buckets (name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE lightningstor_objects (
     bucket TEXT NOT NULL REFERENCES lightningstor_buckets, key BLOB NOT NULL, file TEXT NOT NULL,
     size INTEGER NOT NULL, etag TEXT NOT NULL, content_type TEXT NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY (bucket, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE lightningstor_garbage (file TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;`,
];

export interface StoredBucket {
  readonly name: string;
  readonly created_ms: bigint;
}

export interface StoredObject {
  readonly bucket: string;
  readonly key: Buffer;
  readonly file: string;
  readonly size: bigint;
  readonly etag: string;
  readonly content_type: string;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

/** The catalogue of one service. */
export class Catalog {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    database.migrate('lightningstor', migrations);
    this.#database = database;
    this.#clock = clock;
  }

  buckets(after = '', count: number): StoredBucket[] {
    return this.#database.all(
      'SELECT * FROM lightningstor_buckets WHERE name > ? ORDER BY name LIMIT ?',
      ...[after, count],
    );
  }

  /** NOT_FOUND if there is none of that name. */
  bucket(name: string): StoredBucket {
    const sql = 'SELECT * FROM lightningstor_buckets WHERE name = ?';
    const bucket = name.includes('\0') ? undefined : this.#database.get<StoredBucket>(sql, name);
    if (bucket === undefined) throw new ServiceError(Status.NOT_FOUND, `no bucket is named ${quoted(name)}`);
    return bucket;
  }

  createBucket(name: string): StoredBucket {
    this.#database.run('INSERT OR IGNORE INTO lightningstor_buckets VALUES (?, ?)', name, this.#clock.now());
    return this.bucket(name);
  }

  /** FAILED_PRECONDITION if it is not empty. */
  deleteBucket(name: string): void {
    this.#database.transaction(() => {
      this.bucket(name);
      if (this.#database.get('SELECT 1 FROM lightningstor_objects WHERE bucket = ? LIMIT 1', name) !== undefined) {
        const description = 'is not empty; delete its objects first';
        throw preconditionFailure(`bucket ${quoted(name)} ${description}`, [
          { type: 'BUCKET_NOT_EMPTY', subject: `buckets/${name}`, description },
        ]);
      }
      this.#database.run('DELETE FROM lightningstor_buckets WHERE name = ?', name);
    });
  }

  /** NOT_FOUND if the bucket has none of that key, or there is no such bucket. */
  object(bucket: string, key: string): StoredObject {
    this.bucket(bucket);
    const object = this.#find(bucket, key);
    if (object === undefined) {
      throw new ServiceError(Status.NOT_FOUND, `bucket ${quoted(bucket)} has no object ${quoted(key)}`);
    }
    return object;
  }

  objects(bucket: string, prefix: string, after: string | undefined, count: number): StoredObject[] {
    this.bucket(bucket);
    const { from, to } = prefixRange(prefix);
    const start = after === undefined ? 'key >= ?' : 'key > ?';
    return this.#database.all(
      `SELECT * FROM lightningstor_objects WHERE bucket = ? AND ${start} AND key < ? ORDER BY key LIMIT ?`,
      ...[bucket, after === undefined ? from : Buffer.from(after), to, count],
    );
  }

  /** An id for a new file, which is garbage until `put` says otherwise. */
  newFile(): string {
    const file = newId(this.#clock);
    this.#database.run('INSERT INTO lightningstor_garbage VALUES (?)', file);
    return file;
  }

  /** From now on the key has this file; the one that it had is garbage. NOT_FOUND if the bucket has gone. */
  put(fields: Omit<StoredObject, 'created_ms' | 'updated_ms'>): StoredObject {
    return this.#database.transaction(() => {
      const { bucket, key, file, size, etag, content_type } = fields;
      this.bucket(bucket);
      const before = this.#find(bucket, key);
      const now = this.#clock.now();
      this.#database.run(
        'INSERT OR REPLACE INTO lightningstor_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ...[bucket, key, file, size, etag, content_type, before?.created_ms ?? now, now],
      );
      this.#database.run('DELETE FROM lightningstor_garbage WHERE file = ?', file);
      if (before !== undefined) this.#database.run('INSERT INTO lightningstor_garbage VALUES (?)', before.file);
      return this.#find(bucket, key)!;
    });
  }

  /** False if there was none; NOT_FOUND if there is no such bucket. */
  deleteObject(bucket: string, key: string): boolean {
    return this.#database.transaction(() => {
      this.bucket(bucket);
      const object = this.#find(bucket, key);
      if (object === undefined) return false;
      this.#database.run('DELETE FROM lightningstor_objects WHERE bucket = ? AND key = ?', bucket, object.key);
      this.#database.run('INSERT INTO lightningstor_garbage VALUES (?)', object.file);
      return true;
    });
  }

  garbage(count: number): string[] {
    const rows = this.#database.all<{ file: string }>('SELECT file FROM lightningstor_garbage LIMIT ?', count);
    return rows.map(({ file }) => file);
  }

  isGarbage(file: string): boolean {
    return this.#database.get('SELECT file FROM lightningstor_garbage WHERE file = ?', file) !== undefined;
  }

  /** The file is gone. */
  forget(file: string): void {
    this.#database.run('DELETE FROM lightningstor_garbage WHERE file = ?', file);
  }

  #find(bucket: string, key: string | Buffer): StoredObject | undefined {
    return this.#database.get<StoredObject>(
      'SELECT * FROM lightningstor_objects WHERE bucket = ? AND key = ?',
      ...[bucket, Buffer.from(key)],
    );
  }
}
