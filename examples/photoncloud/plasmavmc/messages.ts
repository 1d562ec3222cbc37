/** The messages of `protos/plasmavmc/v1/plasmavmc.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';
import type { CreateRequest } from '../lib/resource-service.js';
import type { PageRequest, Resource } from '../lib/resources.js';

export type State = 'STATE_UNSPECIFIED' | 'STOPPED' | 'STARTING' | 'RUNNING' | 'STOPPING' | 'FAILED';

export interface Vm extends Resource {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly state: State;
  readonly spec: { readonly cpu: { readonly vcpus: number }; readonly memory: { readonly size_mib: number } };
  readonly hypervisor: string;
}

export interface ListVmsRequest extends PageRequest {
  readonly org_id: string;
  readonly project_id: string;
  readonly state: State;
}

export interface CreateVmRequest extends CreateRequest {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly vcpus: number;
  readonly memory_mib: number;
  readonly hypervisor: string;
}

export interface IdRequest {
  readonly id: string;
}

export interface StopVmRequest extends IdRequest {
  readonly force: boolean;
}

export interface WatchVmEventsRequest extends IdRequest {
  readonly after_sequence?: bigint;
}

export interface VmEvent {
  readonly sequence: bigint;
  readonly vm_id: string;
  readonly previous_state: State;
  readonly state: State;
  readonly reason: string;
  readonly occurred_at: Timestamp;
}
