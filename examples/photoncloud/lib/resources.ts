/**
 * Tables of resources: what most services of PhotonCloud keep. A resource is a message with an id that the service made,
 * `created_at` and `updated_at`; it is created, read, listed in pages, changed in part and deleted, everywhere alike.
 *
 * A row is the message itself, as bytes, so any text is kept as it came and a new field of the message needs no new
 * column. Beside it stand the columns that filters, unique names and timers look at; they are derived from the message at
 * every write. `seq` is the order of creation, in which lists come; ids made within a millisecond do not have it.
 */
import { isDeepStrictEqual } from 'node:util';
import { status as Status } from '@grpc/grpc-js';
import { timestampOf, type Clock, type Timestamp } from './clock.js';
import type { Database, SqlValue } from './database.js';
import { badRequest, quoted, requireFields, ServiceError } from './errors.js';
import type { Rule } from './rules.js';
import { maxMessageBytes } from './grpc.js';
import { newId } from './ids.js';
import { readPageSize, readPageToken, writePageToken } from './paging.js';
import type { Codec } from './schema.js';

/** What every resource has. */
export interface Resource {
  readonly id: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

/** A resource as its creator describes it. */
export type Fields<T extends Resource> = Omit<T, keyof Resource>;

/** Asks for a page of a list. */
export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

/** A google.protobuf.FieldMask. */
export interface FieldMask {
  readonly paths: readonly string[];
}

/** What one kind of resource is like. */
export interface ResourceKind<T extends Resource> {
  /** Name of its table; also the owner of the table's migrations. */
  readonly table: string;
  /** What messages call it: `VPC`. */
  readonly noun: string;
  readonly codec: Codec<T>;
  /** What stands beside the message, by column. Text must hold no NUL, so it comes from fields with a rule. */
  readonly columns: Readonly<Record<string, (resource: T) => SqlValue>>;
  /** Columns that together are taken by one resource only, all of fields that its creator gives; `name` among them. */
  readonly unique?: readonly string[];
  /** Fields that a patch may change. */
  readonly changeable: readonly (keyof T & string)[];
  /** Fields that are chosen at creation and stay. What is in neither list is the service's own and ignored in a patch. */
  readonly fixed: readonly (keyof T & string)[];
  /** How many bytes the service adds to each at most when it lists them. Default: none. */
  readonly addedBytes?: number;
  /** Rules that hold for a resource by itself, after its creation and after each patch. */
  readonly rules?: (fields: Fields<T>) => readonly Rule[];
}

interface Row {
  readonly message: Buffer;
}

type Filters = Readonly<Record<string, SqlValue | undefined>>;

/** A table whose resources refer to others, as the table that is referred to needs to know it. */
export interface UserTable {
  readonly kind: { readonly noun: string };
  first(filters: Filters): Resource | undefined;
}

/** So that a page fits into a message, whatever comes with each resource. */
const pageBytes = maxMessageBytes - 64 * 1024;

/** All resources of one kind. */
export class ResourceTable<T extends Resource> {
  readonly kind: ResourceKind<T>;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #columns: readonly string[];

  constructor(database: Database, clock: Clock, kind: ResourceKind<T>) {
    this.kind = kind;
    this.#database = database;
    this.#clock = clock;
    this.#columns = Object.keys(kind.columns);
    database.migrate(kind.table, [createTable(kind.table, this.#columns, kind.unique)]);
  }

  /** Throws INVALID_ARGUMENT for the rules that these fields break. */
  check(fields: Fields<T>): void {
    requireFields(...(this.kind.rules?.(fields) ?? []));
  }

  /** ALREADY_EXISTS if another resource than that of `id` has the name. */
  requireFree(fields: Fields<T>, id = ''): void {
    const { unique, columns, table, noun } = this.kind;
    if (unique === undefined) return;
    const condition = `${unique.map((name) => `${name} = ? AND `).join('')}id <> ? LIMIT 1`;
    const values = unique.map((name) => columns[name]!(fields as T));
    if (this.#database.all(`SELECT id FROM ${table} WHERE ${condition}`, ...values, id).length === 0) return;
    const name = quoted(String(values[unique.indexOf('name')]));
    const article = /^(?:[aeiou]|L\d)/.test(noun) ? 'an' : 'a';
    throw new ServiceError(Status.ALREADY_EXISTS, `${article} ${noun} named ${name} is there already`);
  }

  /** Adds a resource; ALREADY_EXISTS if its name is taken. The id is a new one where none is given. */
  insert(fields: Fields<T>, id: string = newId(this.#clock)): T {
    const now = timestampOf(this.#clock.now());
    const resource = { ...fields, id, created_at: now, updated_at: now } as unknown as T;
    this.#database.transaction(() => {
      this.requireFree(resource, id);
      const places = this.#columns.map(() => ', ?').join('');
      this.#database.run(`INSERT INTO ${this.kind.table} VALUES (NULL, ?, ?${places})`, ...this.#row(resource));
    });
    return resource;
  }

  /** The resource of an id; NOT_FOUND if there is none. */
  get(id: string): T {
    return this.find(id) ?? this.#missing(id);
  }

  /** The resource of an id; undefined if there is none. */
  find(id: string): T | undefined {
    if (id.includes('\0')) return undefined;
    return this.select('id = ? LIMIT 1', id)[0];
  }

  /** The first resource, by age, whose columns have these values. */
  first(filters: Filters): T | undefined {
    const { where, values } = whereOf(filters);
    return this.select(`${where} ORDER BY seq LIMIT 1`, ...values)[0];
  }

  /** Resources by a condition in SQL, which says how many at most. */
  select(condition: string, ...values: readonly SqlValue[]): T[] {
    return this.#database
      .all<Row>(`SELECT message FROM ${this.kind.table} WHERE ${condition}`, ...values)
      .map(({ message }) => this.kind.codec.decode(message));
  }

  /** One value computed by SQL over the rows of a condition: `count(*)`, `min(due_ms)`. */
  number(expression: string, condition: string, ...values: readonly SqlValue[]): number | undefined {
    const sql = `SELECT ${expression} AS value FROM ${this.kind.table} WHERE ${condition}`;
    const value = this.#database.get<{ value: bigint | null }>(sql, ...values)?.value ?? undefined;
    return value === undefined ? undefined : Number(value);
  }

  /** The lowest number from `least` on that no resource of these filters has in a column; undefined above `most`. */
  lowestFree(column: string, least: number, most: number, filters: Filters = {}): number | undefined {
    const { where, values } = whereOf(filters);
    const taken = `FROM ${this.kind.table} WHERE ${where} AND ${column} IS NOT NULL`;
    const found = this.#database.get<{ n: bigint }>(
      `SELECT min(n) AS n FROM (SELECT ? AS n UNION ALL SELECT ${column} + 1 ${taken})
       WHERE n NOT IN (SELECT ${column} ${taken})`,
      least,
      ...values,
      ...values,
    );
    return Number(found!.n) <= most ? Number(found!.n) : undefined;
  }

  /** A page of the resources whose columns have these values, the oldest first. Empty filters filter nothing. */
  list(request: PageRequest, filters: Filters = {}): { items: T[]; next_page_token: string } {
    const { where, values } = whereOf(filters);
    const query = [this.kind.table, ...Object.entries(filters).flatMap(([name, value]) => [name, String(value ?? '')])];
    const count = readPageSize(request.page_size);
    const after = Number(readPageToken(query, request.page_token)?.toString() ?? 0);
    const sizes = this.#database.all<{ seq: bigint; bytes: bigint }>(
      `SELECT seq, length(message) AS bytes FROM ${this.kind.table} WHERE ${where} AND seq > ? ORDER BY seq LIMIT ?`,
      ...values,
      after,
      count + 1,
    );
    const fitting = Math.min(countFitting(sizes, this.kind.addedBytes ?? 0), count);
    const items = this.select(`${where} AND seq > ? ORDER BY seq LIMIT ?`, ...values, after, fitting);
    const more = sizes.length > fitting;
    return { items, next_page_token: more ? writePageToken(query, Buffer.from(`${sizes[fitting - 1]!.seq}`)) : '' };
  }

  /**
   * Changes the fields that the mask names to what `change` has, and answers the resource. Without a mask it is those
   * that `change` sets; `*` stands for all. `verify` may refuse what would come out, or fill in what follows from it.
   */
  patch(id: string, change: T, mask: FieldMask | null, verify: (next: T) => Partial<T> | void = () => undefined): T {
    return this.#database.transaction(() => {
      const before = this.get(id);
      const next = { ...before, ...this.#changes(before, change, mask?.paths ?? []) };
      if (isDeepStrictEqual(next, before)) return before;
      this.check(next);
      return this.replace({ ...next, ...verify(next) });
    });
  }

  /** Writes a resource that is there in its new form; `updated_at` is now, or the given time. */
  replace(resource: T, atMs: number = this.#clock.now()): T {
    const next = { ...resource, updated_at: timestampOf(atMs) };
    return this.#database.transaction(() => {
      this.requireFree(next, next.id);
      const settings = this.#columns.map((name) => `, ${name} = ?`).join('');
      const [, ...values] = this.#row(next);
      this.#database.run(`UPDATE ${this.kind.table} SET message = ?${settings} WHERE id = ?`, ...values, next.id);
      return next;
    });
  }

  /** Deletes a resource; NOT_FOUND if there is none, FAILED_PRECONDITION if one of the users' columns names it. */
  delete(id: string, users: readonly (readonly [UserTable, column: string])[] = []): { deleted: true } {
    return this.#database.transaction(() => {
      const { noun, table } = this.kind;
      this.get(id);
      for (const [user, column] of users) {
        const by = user.first({ [column]: id });
        if (by === undefined) continue;
        const text = `the ${noun} is in use by the ${user.kind.noun} ${quoted(by.id)}; delete that first`;
        throw new ServiceError(Status.FAILED_PRECONDITION, text);
      }
      this.#database.run(`DELETE FROM ${table} WHERE id = ?`, id);
      return { deleted: true };
    });
  }

  /** The resource that a field of a request names; INVALID_ARGUMENT if there is none. */
  referred(field: string, id: string): T {
    const found = this.find(id);
    if (found !== undefined) return found;
    const description = id === '' ? 'is missing or empty' : `no ${this.kind.noun} has the id ${quoted(id)}`;
    throw badRequest([{ field, description }]);
  }

  #changes(before: T, change: T, paths: readonly string[]): Partial<T> {
    const { changeable, fixed } = this.kind;
    const changed: Partial<T> = {};
    const take = (name: keyof T & string): void => {
      changed[name] = change[name];
    };
    if (paths.includes('*')) changeable.forEach(take);
    else if (paths.length === 0) changeable.filter((name) => isSet(change[name])).forEach(take);
    for (const path of paths.filter((each) => each !== '*')) {
      const name = path as keyof T & string;
      if (changeable.includes(name)) take(name);
      else if (fixed.includes(name) && !isDeepStrictEqual(change[name], before[name])) {
        throw badRequest([{ field: path, description: `cannot be changed; what can: ${changeable.join(', ')}` }]);
      } else if (!fixed.includes(name) && !Object.hasOwn(before, name)) {
        const description = `has ${quoted(path)}, expected fields of a ${this.kind.noun}: ${changeable.join(', ')}`;
        throw badRequest([{ field: 'update_mask', description }]);
      }
    }
    return changed;
  }

  #row(resource: T): SqlValue[] {
    const columns = this.#columns.map((name) => this.kind.columns[name]!(resource));
    return [resource.id, this.kind.codec.encode(resource), ...columns];
  }

  #missing(id: string): never {
    throw new ServiceError(Status.NOT_FOUND, `no ${this.kind.noun} has the id ${quoted(id)}`);
  }
}

function createTable(table: string, columns: readonly string[], unique: readonly string[] = []): string {
  const declared = columns.map((name) => `, ${name} ANY`).join('');
  const indexes = columns.map(
    (name) => `CREATE INDEX ${table}_by_${name} ON ${table} (${name}) WHERE ${name} IS NOT NULL;`,
  );
  const free = unique.length === 0 ? '' : `CREATE UNIQUE INDEX ${table}_unique ON ${table} (${unique.join(', ')});`;
  return `CREATE TABLE ${table}
    (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, message BLOB NOT NULL${declared}) STRICT; ${indexes.join(' ')} ${free}`;
}

function whereOf(filters: Filters): { where: string; values: SqlValue[] } {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined && value !== '');
  const where = ['TRUE', ...given.map(([name]) => `${name} = ?`)].join(' AND ');
  return { where, values: given.map(([, value]) => value!) };
}

function countFitting(rows: readonly { readonly bytes: bigint }[], addedBytes: number): number {
  let total = 0;
  // 16 bytes for the tag and length of each in the list.
  const over = rows.findIndex(({ bytes }) => (total += Number(bytes) + addedBytes + 16) > pageBytes);
  return over < 0 ? rows.length : Math.max(over, 1);
}

/** Whether a field would be written to the wire: not at the default of its type. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === 0n || value === false) {
    return false;
  }
  if (typeof value === 'string') return !value.endsWith('_UNSPECIFIED');
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
