/** The messages of `protos/deployer/v1/deployer.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';
import type { CreateRequest } from '../lib/resource-service.js';
import type { FieldMask, PageRequest, Resource } from '../lib/resources.js';

type Labels = Readonly<Record<string, string>>;

/** A google.protobuf.Value, kept as it came. */
export type Value = object;

export interface Hardware {
  readonly cpus: number;
  readonly memory_mib: number;
  readonly disks: readonly Value[];
}

export interface Machine extends Resource {
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly hardware: Hardware | null;
  readonly role: string;
  readonly config: Value | null;
  readonly labels: Labels;
  readonly state: string;
  readonly image: string;
  readonly rollout_id: string;
  readonly last_seen_at: Timestamp;
}

export interface PhoneHomeRequest {
  readonly id: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly hardware: Hardware | null;
}

export interface ListMachinesRequest extends PageRequest {
  readonly state: string;
}

export interface UpdateMachineRequest {
  readonly machine: Machine | null;
  readonly update_mask: FieldMask | null;
}

export interface Rollout extends Resource {
  readonly name: string;
  readonly image: string;
  readonly max_unavailable: number;
  readonly selector: Labels;
  readonly state: 'RUNNING' | 'PAUSED' | 'SUCCEEDED' | 'CANCELLED';
  readonly machines: readonly RolloutMachine[];
  readonly total: number;
  readonly updating: number;
  readonly updated: number;
}

export interface RolloutMachine {
  readonly machine_id: string;
  readonly state: 'PENDING' | 'UPDATING' | 'UPDATED' | 'SKIPPED';
  readonly changed_at: Timestamp;
}

export interface CreateRolloutRequest extends CreateRequest {
  readonly name: string;
  readonly machine_ids: readonly string[];
  readonly selector: Labels;
  readonly image: string;
  readonly max_unavailable?: number;
}

export interface IdRequest {
  readonly id: string;
}
