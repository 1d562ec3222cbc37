/**
 * The messages of `protos/chainfire/v1/chainfire.proto` as TypeScript sees them; what the fields mean stands there.
 * `lib/schema.ts` says how they are represented, and refuses to write one that does not fit the file.
 */
import type { Timestamp } from '../lib/clock.js';

export interface Item {
  readonly key: string;
  readonly value: string;
  readonly version: bigint;
  readonly create_revision: bigint;
  readonly mod_revision: bigint;
  readonly created_at: Timestamp | null;
  readonly updated_at: Timestamp;
}

export interface KeyRequest {
  readonly key: string;
}

export interface PutRequest {
  readonly key: string;
  readonly value?: string;
  readonly lease_ttl_seconds?: bigint;
  readonly expected_version?: bigint;
}

export interface PutResponse {
  readonly key: string;
  readonly version: bigint;
  readonly revision: bigint;
}

export interface Deleted {
  readonly deleted: boolean;
}

export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

export interface ListRequest extends PageRequest {
  readonly prefix: string;
}

export interface ListResponse {
  readonly items: readonly Item[];
  readonly next_page_token: string;
}

export interface WatchRequest {
  readonly prefix: string;
  readonly start_revision?: bigint;
}

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly item: Item;
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly peer_addr: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface ClusterStatus {
  readonly node_id: string;
  readonly cluster_id: string;
  readonly term: bigint;
  readonly role: 'FOLLOWER' | 'LEADER';
  readonly is_leader: boolean;
  readonly members: readonly Member[];
}

export interface ListMembersResponse {
  readonly members: readonly Member[];
  readonly next_page_token: string;
}

export interface AddMemberRequest {
  readonly name: string;
  readonly peer_addr: string;
  readonly request_id: string;
}

export interface RemoveMemberRequest {
  readonly id: string;
}
