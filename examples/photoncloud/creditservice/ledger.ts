/**
 * The money: wallets, their transactions, and reservations. Each change is one database transaction over all three, so
 * that balances, transactions and reservations agree whenever anybody looks, and after any crash. The database holds
 * the last line itself: a wallet whose reserved credit exceeds its balance cannot be written.
 *
 * A reservation that has run out is ended before the next call looks at anything, so no timer is needed and no caller
 * sees credit held for too long.
 */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { preconditionFailure, quoted, ServiceError } from '../lib/errors.js';
import { isId, newId } from '../lib/ids.js';
import type { ReservationStatus, Transaction } from './messages.js';

const migrations = [
  `CREATE TABLE credit_wallets (
     project_id TEXT PRIMARY KEY, org_id TEXT NOT NULL,
     balance INTEGER NOT NULL CHECK (balance >= 0),
     reserved INTEGER NOT NULL CHECK (reserved >= 0 AND reserved <= balance),
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX credit_wallets_by_org ON credit_wallets (org_id, project_id);
   CREATE TABLE credit_transactions (
     project_id TEXT NOT NULL REFERENCES credit_wallets, id TEXT NOT NULL, type TEXT NOT NULL,
     amount INTEGER NOT NULL, balance_after INTEGER NOT NULL, description TEXT NOT NULL,
     reservation_id TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (project_id, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE credit_reservations (
     id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES credit_wallets, amount INTEGER NOT NULL,
     status TEXT NOT NULL, expires_ms INTEGER NOT NULL, description TEXT NOT NULL, resource_type TEXT NOT NULL,
     actual_amount INTEGER NOT NULL, resource_id TEXT NOT NULL, reason TEXT NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX credit_reservations_by_project ON credit_reservations (project_id, id);
   CREATE INDEX credit_reservations_due ON credit_reservations (expires_ms) WHERE status = 'PENDING';`,
];

export interface StoredWallet {
  readonly project_id: string;
  readonly org_id: string;
  readonly balance: bigint;
  readonly reserved: bigint;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

export interface StoredTransaction {
  readonly id: string;
  readonly type: Transaction['type'];
  readonly amount: bigint;
  readonly balance_after: bigint;
  readonly description: string;
  readonly reservation_id: string;
  readonly created_ms: bigint;
}

export interface StoredReservation {
  readonly id: string;
  readonly project_id: string;
  readonly amount: bigint;
  readonly status: ReservationStatus;
  readonly expires_ms: bigint;
  readonly description: string;
  readonly resource_type: string;
  readonly actual_amount: bigint;
  readonly resource_id: string;
  readonly reason: string;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

/** Far from what an int64 holds, so that no sum can overflow. */
const largestBalance = 10n ** 18n;
/** So many reservations are ended in one transaction. */
const sweepRows = 500;

/** All the money of one service. */
export class Ledger {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    database.migrate('creditservice', migrations);
    this.#database = database;
    this.#clock = clock;
  }

  /** Wallets behind a project id, of one organisation or (empty) of all. */
  wallets(orgId: string, after = '', count: number): StoredWallet[] {
    this.#endDue();
    const [where, values] = orgId === '' ? ['', []] : ['org_id = ? AND', [orgId]];
    return this.#database.all(
      `SELECT * FROM credit_wallets WHERE ${where} project_id > ? ORDER BY project_id LIMIT ?`,
      ...[...values, after, count],
    );
  }

  /** NOT_FOUND if the project has none. */
  wallet(projectId: string): StoredWallet {
    this.#endDue();
    return this.#wallet(projectId);
  }

  /** ALREADY_EXISTS if the project has one. */
  open(projectId: string, orgId: string, initial: bigint): StoredWallet {
    return this.#database.transaction(() => {
      if (this.#findWallet(projectId) !== undefined) {
        throw new ServiceError(Status.ALREADY_EXISTS, `project ${quoted(projectId)} has a wallet already`);
      }
      const now = this.#clock.now();
      this.#database.run('INSERT INTO credit_wallets VALUES (?, ?, 0, 0, ?, ?)', projectId, orgId, now, now);
      if (initial > 0n) this.#book(projectId, 'INITIAL', initial, 'initial balance');
      return this.#wallet(projectId);
    });
  }

  /** Adds credit. */
  topUp(projectId: string, amount: bigint, description: string): StoredWallet {
    this.#endDue();
    return this.#database.transaction(() => {
      if (this.#wallet(projectId).balance + amount > largestBalance) {
        throw preconditionFailure(`a wallet holds at most ${largestBalance}`, [
          { type: 'BALANCE_LIMIT', subject: `wallets/${projectId}`, description: `holds at most ${largestBalance}` },
        ]);
      }
      this.#book(projectId, 'TOPUP', amount, description);
      return this.#wallet(projectId);
    });
  }

  /** Transactions behind an id; NOT_FOUND if the project has no wallet. */
  transactions(projectId: string, after = '', count: number): StoredTransaction[] {
    this.#wallet(projectId);
    return this.#database.all(
      `SELECT id, type, amount, balance_after, description, reservation_id, created_ms
       FROM credit_transactions WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?`,
      ...[projectId, after, count],
    );
  }

  /** Holds credit; FAILED_PRECONDITION if less is available. */
  reserve(
    fields: Pick<StoredReservation, 'project_id' | 'amount' | 'description' | 'resource_type'>,
    ttlMs: number,
  ): StoredReservation {
    this.#endDue();
    return this.#database.transaction(() => {
      const { project_id, amount, description, resource_type } = fields;
      const { balance, reserved } = this.#wallet(project_id);
      const available = balance - reserved;
      if (amount > available) {
        throw preconditionFailure(`too little credit: ${available} available, ${amount} asked for; top up the wallet`, [
          {
            type: 'INSUFFICIENT_CREDIT',
            subject: `wallets/${project_id}`,
            description: `balance ${balance}, reserved ${reserved}, available ${available}, asked for ${amount}`,
          },
        ]);
      }
      const id = newId(this.#clock);
      const now = this.#clock.now();
      this.#hold(project_id, amount);
      this.#database.run(
        `INSERT INTO credit_reservations VALUES (?, ?, ?, 'PENDING', ?, ?, ?, 0, '', '', ?, ?)`,
        ...[id, project_id, amount, now + ttlMs, description, resource_type, now, now],
      );
      return this.#reservation(id);
    });
  }

  /** Reservations behind an id, of one project (or of all) and of one status (or of any). */
  reservations(
    projectId: string,
    status: ReservationStatus | undefined,
    after = '',
    count: number,
  ): StoredReservation[] {
    this.#endDue();
    const filters = [
      ...(projectId === '' ? [] : [{ sql: 'project_id = ? AND', value: projectId }]),
      ...(status === undefined ? [] : [{ sql: 'status = ? AND', value: status }]),
    ];
    const where = filters.map(({ sql }) => sql).join(' ');
    return this.#database.all(
      `SELECT * FROM credit_reservations WHERE ${where} id > ? ORDER BY id LIMIT ?`,
      ...[...filters.map(({ value }) => value), after, count],
    );
  }

  /** NOT_FOUND if there is none of that id. */
  reservation(id: string): StoredReservation {
    this.#endDue();
    return this.#reservation(id);
  }

  /** Charges the amount and gives back the rest; FAILED_PRECONDITION if it is not pending or is smaller. */
  commit(id: string, amount: bigint, resourceId: string): StoredReservation {
    this.#endDue();
    return this.#database.transaction(() => {
      const reservation = this.#pending(id, 'committed');
      if (amount > reservation.amount) {
        throw preconditionFailure(`the reservation holds ${reservation.amount}, less than ${amount}`, [
          {
            type: 'RESERVATION_EXCEEDED',
            subject: `reservations/${id}`,
            description: `holds ${reservation.amount}, actual_amount is ${amount}`,
          },
        ]);
      }
      this.#hold(reservation.project_id, -reservation.amount);
      if (amount > 0n) this.#book(reservation.project_id, 'CHARGE', -amount, reservation.description, id);
      this.#database.run(
        `UPDATE credit_reservations SET status = 'COMMITTED', actual_amount = ?, resource_id = ?, updated_ms = ?
         WHERE id = ?`,
        ...[amount, resourceId, this.#clock.now(), id],
      );
      return this.#reservation(id);
    });
  }

  /** Gives back all; FAILED_PRECONDITION if it is not pending. */
  release(id: string, reason: string): StoredReservation {
    this.#endDue();
    return this.#database.transaction(() => {
      const reservation = this.#pending(id, 'released');
      this.#end(reservation, 'RELEASED', reason);
      return this.#reservation(id);
    });
  }

  #findWallet(projectId: string): StoredWallet | undefined {
    return this.#database.get<StoredWallet>('SELECT * FROM credit_wallets WHERE project_id = ?', projectId);
  }

  #wallet(projectId: string): StoredWallet {
    const wallet = projectId.includes('\0') ? undefined : this.#findWallet(projectId);
    if (wallet === undefined) throw new ServiceError(Status.NOT_FOUND, `project ${quoted(projectId)} has no wallet`);
    return wallet;
  }

  #reservation(id: string): StoredReservation {
    const sql = 'SELECT * FROM credit_reservations WHERE id = ?';
    const reservation = isId(id) ? this.#database.get<StoredReservation>(sql, id) : undefined;
    if (reservation === undefined) throw new ServiceError(Status.NOT_FOUND, `no reservation has the id ${quoted(id)}`);
    return reservation;
  }

  #pending(id: string, what: string): StoredReservation {
    const reservation = this.#reservation(id);
    if (reservation.status === 'PENDING') return reservation;
    const description = `is ${reservation.status}, only a PENDING one can be ${what}`;
    throw preconditionFailure(`reservation ${id} ${description}`, [
      { type: 'NOT_PENDING', subject: `reservations/${id}`, description },
    ]);
  }

  /** Changes a balance, and writes down why. */
  #book(projectId: string, type: Transaction['type'], amount: bigint, description: string, reservationId = ''): void {
    const now = this.#clock.now();
    this.#database.run(
      'UPDATE credit_wallets SET balance = balance + ?, updated_ms = ? WHERE project_id = ?',
      ...[amount, now, projectId],
    );
    const { balance } = this.#wallet(projectId);
    this.#database.run(
      'INSERT INTO credit_transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[projectId, newId(this.#clock), type, amount, balance, description, reservationId, now],
    );
  }

  #hold(projectId: string, amount: bigint): void {
    this.#database.run(
      'UPDATE credit_wallets SET reserved = reserved + ?, updated_ms = ? WHERE project_id = ?',
      ...[amount, this.#clock.now(), projectId],
    );
  }

  #end(reservation: StoredReservation, status: ReservationStatus, reason: string): void {
    this.#hold(reservation.project_id, -reservation.amount);
    this.#database.run(
      'UPDATE credit_reservations SET status = ?, reason = ?, updated_ms = ? WHERE id = ?',
      ...[status, reason, this.#clock.now(), reservation.id],
    );
  }

  /** Ends every reservation whose time has come. */
  #endDue(): void {
    for (;;) {
      const due = this.#database.all<StoredReservation>(
        `SELECT * FROM credit_reservations WHERE status = 'PENDING' AND expires_ms <= ? ORDER BY expires_ms LIMIT ?`,
        ...[this.#clock.now(), sweepRows],
      );
      if (due.length === 0) return;
      this.#database.transaction(() => {
        for (const reservation of due) this.#end(reservation, 'EXPIRED', '');
      });
    }
  }
}
