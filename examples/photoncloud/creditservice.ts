/**
 * CreditService, PhotonCloud's wallets and reservations: the RPCs of `protos/creditservice/v1/creditservice.proto`. This
 * file checks requests and translates between messages and the money itself, which is `creditservice/ledger.ts`.
 */
import { Ledger, type StoredReservation, type StoredTransaction, type StoredWallet } from './creditservice/ledger.js';
import type * as message from './creditservice/messages.js';
import { systemClock, timestampOf } from './lib/clock.js';
import { requireFields } from './lib/errors.js';
import { idRule, optionalLineRule, type Rule, textRule } from './lib/rules.js';
import { serve } from './lib/grpc.js';
import { readPage } from './lib/paging.js';
import { RequestIds } from './lib/request-ids.js';
import { Schema } from './lib/schema.js';
import type { RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

const serviceName = 'creditservice.v1.CreditService';
const largestAmount = 10n ** 15n;
const defaultTtlSeconds = 3600n;
const maxTtlSeconds = 31n * 24n * 3600n;

/** Starts CreditService; resolves when it listens. */
export async function startCreditService(options: StartOptions): Promise<RunningService> {
  const { database, clock = systemClock } = options;
  const schema = Schema.load(['creditservice/v1/creditservice.proto']);
  const ledger = new Ledger(database, clock);
  const requestIds = new RequestIds(database, clock);
  const handlers = {
    ...walletHandlers(ledger, requestIds, schema),
    ...reservationHandlers(ledger, requestIds, schema),
  };
  return serve({ ...options, services: [{ schema, name: serviceName, handlers }] });
}

function walletHandlers(ledger: Ledger, requestIds: RequestIds, schema: Schema): ServiceImplementation['handlers'] {
  const wallets = schema.codec<message.Wallet>('creditservice.v1.Wallet');
  return {
    ListWallets(request: message.ListWalletsRequest): object {
      const { org_id } = request;
      requireFields(...optionalId('org_id', org_id));
      const query = [serviceName, 'ListWallets', org_id];
      const read = (after: string | undefined, count: number): StoredWallet[] => ledger.wallets(org_id, after, count);
      const page = readPage(query, request, read, ({ project_id }) => project_id);
      return { wallets: page.entries.map(walletMessage), next_page_token: page.next_page_token };
    },

    CreateWallet(request: message.CreateWalletRequest): message.Wallet {
      const { project_id, org_id, initial_balance: initial } = request;
      requireFields(idRule('project_id', project_id), idRule('org_id', org_id), [
        'initial_balance',
        initial >= 0n && initial <= largestAmount,
        `is ${initial}, expected 0 to ${largestAmount}`,
      ]);
      return requestIds.once(`${serviceName}.CreateWallet`, request, wallets, () =>
        walletMessage(ledger.open(project_id, org_id, initial)),
      );
    },

    GetWallet: ({ project_id }: message.WalletRequest): message.Wallet => walletMessage(ledger.wallet(project_id)),

    TopUpWallet(request: message.TopUpWalletRequest): message.Wallet {
      const { project_id, amount, description } = request;
      requireFields(amountRule(amount), textRule('description', description));
      return requestIds.once(`${serviceName}.TopUpWallet`, request, wallets, () =>
        walletMessage(ledger.topUp(project_id, amount, description)),
      );
    },

    ListTransactions(request: message.ListTransactionsRequest): object {
      const query = [serviceName, 'ListTransactions', request.project_id];
      const read = (after: string | undefined, count: number): StoredTransaction[] =>
        ledger.transactions(request.project_id, after, count);
      const page = readPage(query, request, read, ({ id }) => id);
      return { transactions: page.entries.map(transactionMessage), next_page_token: page.next_page_token };
    },
  };
}

function reservationHandlers(
  ledger: Ledger,
  requestIds: RequestIds,
  schema: Schema,
): ServiceImplementation['handlers'] {
  const reservations = schema.codec<message.Reservation>('creditservice.v1.Reservation');
  return {
    CreateReservation(request: message.CreateReservationRequest): message.Reservation {
      const { project_id, amount, description, resource_type, ttl_seconds: ttl = defaultTtlSeconds } = request;
      requireFields(
        idRule('project_id', project_id),
        amountRule(amount),
        textRule('description', description),
        optionalLineRule('resource_type', resource_type),
        ['ttl_seconds', ttl >= 1n && ttl <= maxTtlSeconds, `is ${ttl}, expected 1 to ${maxTtlSeconds}`],
      );
      const fields = { project_id, amount, description, resource_type };
      return requestIds.once(`${serviceName}.CreateReservation`, request, reservations, () =>
        reservationMessage(ledger.reserve(fields, Number(ttl) * 1000)),
      );
    },

    ListReservations(request: message.ListReservationsRequest): object {
      const { project_id, status } = request;
      requireFields(...optionalId('project_id', project_id), [
        'status',
        typeof status === 'string',
        `is ${status}, expected PENDING, COMMITTED, RELEASED or EXPIRED`,
      ]);
      const wanted = status === 'STATUS_UNSPECIFIED' ? undefined : (status as message.ReservationStatus);
      const query = [serviceName, 'ListReservations', project_id, wanted ?? ''];
      const read = (after: string | undefined, count: number): StoredReservation[] =>
        ledger.reservations(project_id, wanted, after, count);
      const page = readPage(query, request, read, ({ id }) => id);
      return { reservations: page.entries.map(reservationMessage), next_page_token: page.next_page_token };
    },

    GetReservation: ({ id }: message.ReservationRequest): message.Reservation =>
      reservationMessage(ledger.reservation(id)),

    CommitReservation(request: message.CommitReservationRequest): message.Reservation {
      const { id, actual_amount: amount, resource_id } = request;
      requireFields(
        ['actual_amount', amount !== undefined, 'is missing; to charge nothing, send 0'],
        ['actual_amount', (amount ?? 0n) >= 0n, `is ${amount}, expected 0 or more`],
        optionalLineRule('resource_id', resource_id, 256),
      );
      return requestIds.once(`${serviceName}.CommitReservation`, request, reservations, () =>
        reservationMessage(ledger.commit(id, amount!, resource_id)),
      );
    },

    ReleaseReservation(request: message.ReleaseReservationRequest): message.Reservation {
      const { id, reason } = request;
      requireFields(textRule('reason', reason));
      return requestIds.once(`${serviceName}.ReleaseReservation`, request, reservations, () =>
        reservationMessage(ledger.release(id, reason)),
      );
    },
  };
}

function amountRule(amount: bigint): Rule {
  return ['amount', amount >= 1n && amount <= largestAmount, `is ${amount}, expected 1 to ${largestAmount}`];
}

function optionalId(field: string, id: string): Rule[] {
  return id === '' ? [] : [idRule(field, id)];
}

function walletMessage({ created_ms, updated_ms, ...wallet }: StoredWallet): message.Wallet {
  return {
    ...wallet,
    available: wallet.balance - wallet.reserved,
    status: wallet.balance > 0n ? 'ACTIVE' : 'DEPLETED',
    created_at: timestampOf(Number(created_ms)),
    updated_at: timestampOf(Number(updated_ms)),
  };
}

function transactionMessage({ created_ms, ...transaction }: StoredTransaction): message.Transaction {
  const created = timestampOf(Number(created_ms));
  return { ...transaction, created_at: created, updated_at: created };
}

function reservationMessage(stored: StoredReservation): message.Reservation {
  const { created_ms, updated_ms, expires_ms, ...reservation } = stored;
  return {
    ...reservation,
    expires_at: timestampOf(Number(expires_ms)),
    created_at: timestampOf(Number(created_ms)),
    updated_at: timestampOf(Number(updated_ms)),
  };
}
