/** Users, projects and who is a member of which, in the database. It knows nothing of messages, hashing or tokens. */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { quoted, ServiceError } from '../lib/errors.js';
import { isId, newId } from '../lib/ids.js';

const migrations = [
  `CREATE TABLE iam_users (
     id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE COLLATE NOCASE, email TEXT NOT NULL, org_id TEXT NOT NULL,
     roles TEXT NOT NULL, password TEXT NOT NULL, password_version INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE iam_projects (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, org_id TEXT NOT NULL, description TEXT NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (org_id, name)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE iam_members (
     project_id TEXT NOT NULL REFERENCES iam_projects ON DELETE CASCADE,
     user_id TEXT NOT NULL REFERENCES iam_users ON DELETE CASCADE,
     role TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
     PRIMARY KEY (project_id, user_id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX iam_members_by_user ON iam_members (user_id);`,
];

/** A user; `password` is the hash. */
export interface StoredUser {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly org_id: string;
  /** Separated by spaces. */
  readonly roles: string;
  readonly password: string;
  readonly password_version: bigint;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

export interface StoredProject {
  readonly id: string;
  readonly name: string;
  readonly org_id: string;
  readonly description: string;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

export interface StoredMember {
  readonly project_id: string;
  readonly user_id: string;
  readonly username: string;
  readonly role: string;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

const memberColumns = `SELECT project_id, user_id, username, role, m.created_ms, m.updated_ms
  FROM iam_members m JOIN iam_users ON id = user_id`;

/** The directory of one service. */
export class Directory {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    database.migrate('iam', migrations);
    this.#database = database;
    this.#clock = clock;
  }

  users(after = '', count: number): StoredUser[] {
    return this.#database.all('SELECT * FROM iam_users WHERE id > ? ORDER BY id LIMIT ?', after, count);
  }

  /** True where somebody has the role `admin`. */
  hasAdmin(): boolean {
    return this.#database.get("SELECT id FROM iam_users WHERE ' ' || roles || ' ' LIKE '% admin %'") !== undefined;
  }

  /** NOT_FOUND if there is none of that id. */
  user(id: string): StoredUser {
    const user = isId(id) ? this.#database.get<StoredUser>('SELECT * FROM iam_users WHERE id = ?', id) : undefined;
    if (user === undefined) throw new ServiceError(Status.NOT_FOUND, `no user has the id ${quoted(id)}`);
    return user;
  }

  userNamed(username: string): StoredUser | undefined {
    return this.#database.get<StoredUser>('SELECT * FROM iam_users WHERE username = ?', username);
  }

  /** ALREADY_EXISTS if the name is taken. */
  addUser(fields: Pick<StoredUser, 'username' | 'email' | 'org_id' | 'roles' | 'password'>): StoredUser {
    if (this.userNamed(fields.username) !== undefined) {
      throw new ServiceError(Status.ALREADY_EXISTS, `a user named ${quoted(fields.username)} is there already`);
    }
    const id = newId(this.#clock);
    const now = this.#clock.now();
    const { username, email, org_id, roles, password } = fields;
    this.#database.run(
      'INSERT INTO iam_users VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)',
      ...[id, username, email, org_id, roles, password, now, now],
    );
    return this.user(id);
  }

  /** Writes the fields that are given. */
  changeUser(id: string, changes: Partial<Pick<StoredUser, 'email' | 'org_id' | 'password'>>): StoredUser {
    return this.#database.transaction(() => {
      const before = this.user(id);
      if (Object.keys(changes).length === 0) return before;
      const after = { ...before, ...changes };
      const version = Number(before.password_version) + (changes.password === undefined ? 0 : 1);
      this.#database.run(
        'UPDATE iam_users SET email = ?, org_id = ?, password = ?, password_version = ?, updated_ms = ? WHERE id = ?',
        ...[after.email, after.org_id, after.password, version, this.#clock.now(), id],
      );
      return this.user(id);
    });
  }

  deleteUser(id: string): void {
    this.user(id);
    this.#database.run('DELETE FROM iam_users WHERE id = ?', id);
  }

  projects(after = '', count: number): StoredProject[] {
    return this.#database.all('SELECT * FROM iam_projects WHERE id > ? ORDER BY id LIMIT ?', after, count);
  }

  /** NOT_FOUND if there is none of that id. */
  project(id: string): StoredProject {
    const sql = 'SELECT * FROM iam_projects WHERE id = ?';
    const project = isId(id) ? this.#database.get<StoredProject>(sql, id) : undefined;
    if (project === undefined) throw new ServiceError(Status.NOT_FOUND, `no project has the id ${quoted(id)}`);
    return project;
  }

  /** ALREADY_EXISTS if the organisation has one of that name. */
  addProject({ name, org_id, description }: Pick<StoredProject, 'name' | 'org_id' | 'description'>): StoredProject {
    this.#requireFreeName(name, org_id);
    const id = newId(this.#clock);
    const now = this.#clock.now();
    this.#database.run('INSERT INTO iam_projects VALUES (?, ?, ?, ?, ?, ?)', id, name, org_id, description, now, now);
    return this.project(id);
  }

  /** Writes the fields that are given. */
  changeProject(id: string, changes: Partial<Pick<StoredProject, 'name' | 'description'>>): StoredProject {
    return this.#database.transaction(() => {
      const before = this.project(id);
      if (Object.keys(changes).length === 0) return before;
      const { name, org_id, description } = { ...before, ...changes };
      if (name !== before.name) this.#requireFreeName(name, org_id);
      this.#database.run(
        'UPDATE iam_projects SET name = ?, description = ?, updated_ms = ? WHERE id = ?',
        ...[name, description, this.#clock.now(), id],
      );
      return this.project(id);
    });
  }

  deleteProject(id: string): void {
    this.project(id);
    this.#database.run('DELETE FROM iam_projects WHERE id = ?', id);
  }

  members(projectId: string, after = '', count: number): StoredMember[] {
    this.project(projectId);
    return this.#database.all(
      `${memberColumns} WHERE project_id = ? AND user_id > ? ORDER BY user_id LIMIT ?`,
      ...[projectId, after, count],
    );
  }

  setMember(projectId: string, userId: string, role: string): StoredMember {
    return this.#database.transaction(() => {
      this.project(projectId);
      this.user(userId);
      const now = this.#clock.now();
      this.#database.run(
        `INSERT INTO iam_members VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET role = excluded.role, updated_ms = excluded.updated_ms`,
        ...[projectId, userId, role, now, now],
      );
      return this.#database.get<StoredMember>(
        `${memberColumns} WHERE project_id = ? AND user_id = ?`,
        ...[projectId, userId],
      )!;
    });
  }

  removeMember(projectId: string, userId: string): void {
    this.project(projectId);
    const sql = 'DELETE FROM iam_members WHERE project_id = ? AND user_id = ?';
    if (!isId(userId) || this.#database.run(sql, projectId, userId) === 0) {
      throw new ServiceError(Status.NOT_FOUND, `user ${quoted(userId)} is no member of this project`);
    }
  }

  /** The projects of a user, of very many the first 1000. */
  projectIds(userId: string): string[] {
    return this.#database
      .all<{ project_id: string }>(
        'SELECT project_id FROM iam_members WHERE user_id = ? ORDER BY project_id LIMIT 1000',
        userId,
      )
      .map(({ project_id }) => project_id);
  }

  #requireFreeName(name: string, orgId: string): void {
    if (this.#database.get('SELECT id FROM iam_projects WHERE org_id = ? AND name = ?', orgId, name) !== undefined) {
      throw new ServiceError(
        Status.ALREADY_EXISTS,
        `organisation ${quoted(orgId)} has a project named ${quoted(name)} already`,
      );
    }
  }
}
