/** The messages of `protos/k8shost/v1/k8shost.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';
import type { CreateRequest } from '../lib/resource-service.js';
import type { PageRequest, Resource } from '../lib/resources.js';

type Labels = Readonly<Record<string, string>>;

export interface Pod extends Resource {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly labels: Labels;
  readonly phase: 'PENDING' | 'RUNNING';
  readonly node_name: string;
  readonly pod_ip: string;
}

export interface ListRequest extends PageRequest {
  readonly namespace: string;
}

export interface CreatePodRequest extends CreateRequest {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly labels: Labels;
}

export interface NameRequest {
  readonly namespace: string;
  readonly name: string;
}

export interface StreamPodLogsRequest extends NameRequest {
  readonly follow: boolean;
  readonly tail_lines?: number;
}

export interface LogLine {
  readonly number: bigint;
  readonly line: string;
  readonly written_at: Timestamp;
}

export interface Service extends Resource {
  readonly name: string;
  readonly namespace: string;
  readonly service_type: string;
  readonly port: number;
  readonly target_port: number;
  readonly selector: Labels;
  readonly cluster_ip: string;
  readonly node_port: number;
  readonly endpoints: readonly string[];
}

export interface CreateServiceRequest extends CreateRequest {
  readonly name: string;
  readonly namespace: string;
  readonly service_type: string;
  readonly port: number;
  readonly target_port: number;
  readonly selector: Labels;
}

export interface Node extends Resource {
  readonly name: string;
  readonly state: 'READY';
  readonly address: string;
  readonly pod_cidr: string;
  readonly capacity_pods: number;
  readonly pods: number;
}
