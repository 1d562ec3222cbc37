/**
 * The membership of a ChainFire cluster: who this node is, and whom it knows. This is a cluster of one real node, which
 * therefore leads; members added to it are kept and listed, but nothing is replicated to them.
 */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { quoted, ServiceError } from '../lib/errors.js';
import { isId, newId } from '../lib/ids.js';

const migrations = [
  `CREATE TABLE chainfire_members (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, peer_addr TEXT NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE chainfire_node (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     node_id TEXT NOT NULL, cluster_id TEXT NOT NULL, term INTEGER NOT NULL
   ) STRICT;`,
];

/** A node that belongs to the cluster. */
export interface StoredMember {
  readonly id: string;
  readonly name: string;
  readonly peerAddr: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** Who this node is. */
export interface Node {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly term: bigint;
}

interface MemberRow {
  readonly id: string;
  readonly name: string;
  readonly peer_addr: string;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

/** A status names all members, so there is a limit to them. */
const mostMembers = 1000;

/** The cluster as its one node sees it. */
export class Cluster {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    database.migrate('chainfire_cluster', migrations);
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * The node takes its place: at the first start it founds the cluster under `name`; later it keeps its ids and only
   * its address may have changed. Each start is an election, which it wins, so the term grows.
   */
  join(name: string, peerAddr: string): void {
    this.#database.transaction(() => {
      const known = this.#database.get<{ node_id: string }>('SELECT node_id FROM chainfire_node');
      if (known === undefined) {
        const founder = this.#insert(name, peerAddr);
        this.#database.run('INSERT INTO chainfire_node VALUES (1, ?, ?, 1)', founder.id, newId(this.#clock));
        return;
      }
      this.#database.run('UPDATE chainfire_node SET term = term + 1');
      this.#database.run(
        'UPDATE chainfire_members SET peer_addr = ?, updated_ms = ? WHERE id = ? AND peer_addr <> ?',
        peerAddr,
        this.#clock.now(),
        known.node_id,
        peerAddr,
      );
    });
  }

  /** Who this node is; it has to have joined. */
  node(): Node {
    return this.#database.get<Node>('SELECT node_id AS nodeId, cluster_id AS clusterId, term FROM chainfire_node')!;
  }

  /** The members whose id comes after the bytes of `after`, the longest standing first, at most `count`. */
  members(after: Uint8Array = Buffer.alloc(0), count = mostMembers): StoredMember[] {
    return this.#database
      .all<MemberRow>('SELECT * FROM chainfire_members WHERE id > CAST(? AS TEXT) ORDER BY id LIMIT ?', after, count)
      .map(memberOf);
  }

  /** Adds a member; ALREADY_EXISTS if its name is taken. */
  add(name: string, peerAddr: string): StoredMember {
    return this.#database.transaction(() => {
      if (this.#database.get('SELECT id FROM chainfire_members WHERE name = ?', name) !== undefined) {
        throw new ServiceError(Status.ALREADY_EXISTS, `a member named ${quoted(name)} is there already`);
      }
      const { count } = this.#database.get<{ count: bigint }>('SELECT count(*) AS count FROM chainfire_members')!;
      if (count >= BigInt(mostMembers)) {
        throw new ServiceError(Status.RESOURCE_EXHAUSTED, `a cluster has at most ${mostMembers} members; remove one`);
      }
      return this.#insert(name, peerAddr);
    });
  }

  /** Removes a member; NOT_FOUND if there is none of that id, FAILED_PRECONDITION if it is this node. */
  remove(id: string): void {
    if (id === this.node().nodeId) {
      throw new ServiceError(Status.FAILED_PRECONDITION, 'this is the node that answers: it cannot remove itself');
    }
    if (!isId(id) || this.#database.run('DELETE FROM chainfire_members WHERE id = ?', id) === 0) {
      throw new ServiceError(Status.NOT_FOUND, `no member has the id ${quoted(id)}`);
    }
  }

  #insert(name: string, peerAddr: string): StoredMember {
    const now = this.#clock.now();
    const member = { id: newId(this.#clock), name, peerAddr, createdMs: now, updatedMs: now };
    this.#database.run('INSERT INTO chainfire_members VALUES (?, ?, ?, ?, ?)', member.id, name, peerAddr, now, now);
    return member;
  }
}

function memberOf(row: MemberRow): StoredMember {
  return {
    id: row.id,
    name: row.name,
    peerAddr: row.peer_addr,
    createdMs: Number(row.created_ms),
    updatedMs: Number(row.updated_ms),
  };
}
