/** The messages of `protos/creditservice/v1/creditservice.proto` as TypeScript sees them; what they mean stands there. */
import type { Timestamp } from '../lib/clock.js';

export interface Wallet {
  readonly project_id: string;
  readonly org_id: string;
  readonly balance: bigint;
  readonly reserved: bigint;
  readonly available: bigint;
  readonly status: 'ACTIVE' | 'DEPLETED';
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

export interface ListWalletsRequest extends PageRequest {
  readonly org_id: string;
}

export interface CreateWalletRequest {
  readonly project_id: string;
  readonly org_id: string;
  readonly initial_balance: bigint;
  readonly request_id: string;
}

export interface WalletRequest {
  readonly project_id: string;
}

export interface TopUpWalletRequest {
  readonly project_id: string;
  readonly amount: bigint;
  readonly description: string;
  readonly request_id: string;
}

export interface Transaction {
  readonly id: string;
  readonly type: 'INITIAL' | 'TOPUP' | 'CHARGE';
  readonly amount: bigint;
  readonly balance_after: bigint;
  readonly description: string;
  readonly reservation_id: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface ListTransactionsRequest extends PageRequest {
  readonly project_id: string;
}

export type ReservationStatus = 'PENDING' | 'COMMITTED' | 'RELEASED' | 'EXPIRED';

export interface Reservation {
  readonly id: string;
  readonly project_id: string;
  readonly amount: bigint;
  readonly status: ReservationStatus;
  readonly expires_at: Timestamp;
  readonly description: string;
  readonly resource_type: string;
  readonly actual_amount: bigint;
  readonly resource_id: string;
  readonly reason: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface CreateReservationRequest {
  readonly project_id: string;
  readonly amount: bigint;
  readonly description: string;
  readonly resource_type: string;
  readonly ttl_seconds?: bigint;
  readonly request_id: string;
}

export interface ListReservationsRequest extends PageRequest {
  readonly project_id: string;
  /** A number where it is none of the enum's. */
  readonly status: ReservationStatus | 'STATUS_UNSPECIFIED' | number;
}

export interface ReservationRequest {
  readonly id: string;
}

export interface CommitReservationRequest extends ReservationRequest {
  readonly actual_amount?: bigint;
  readonly resource_id: string;
  readonly request_id: string;
}

export interface ReleaseReservationRequest extends ReservationRequest {
  readonly reason: string;
  readonly request_id: string;
}
