/** The messages of `protos/fiberlb/v1/fiberlb.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';
import type { CreateRequest } from '../lib/resource-service.js';
import type { Resource } from '../lib/resources.js';

export interface LoadBalancer extends Resource {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly vip: string;
}

export interface CreateLoadBalancerRequest extends CreateRequest {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly vip: string;
}

export interface Listener extends Resource {
  readonly name: string;
  readonly loadbalancer_id: string;
  readonly protocol: string;
  readonly port: number;
  readonly default_pool_id: string;
  readonly certificate_id: string;
}

export interface CreateListenerRequest extends CreateRequest {
  readonly name: string;
  readonly loadbalancer_id: string;
  readonly protocol: string;
  readonly port: number;
  readonly default_pool_id: string;
  readonly certificate_id: string;
}

export interface Pool extends Resource {
  readonly name: string;
  readonly loadbalancer_id: string;
  readonly algorithm: string;
}

export interface CreatePoolRequest extends CreateRequest {
  readonly name: string;
  readonly loadbalancer_id: string;
  readonly algorithm: string;
}

export interface Backend extends Resource {
  readonly pool_id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

export interface CreateBackendRequest extends CreateRequest {
  readonly pool_id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight?: number | undefined;
}

export interface HealthCheck extends Resource {
  readonly name: string;
  readonly pool_id: string;
  readonly type: string;
  readonly path: string;
  readonly interval_seconds: number;
  readonly healthy_threshold: number;
  readonly unhealthy_threshold: number;
}

export interface CreateHealthCheckRequest extends CreateRequest {
  readonly name: string;
  readonly pool_id: string;
  readonly type: string;
  readonly path: string;
  readonly interval_seconds?: number | undefined;
  readonly healthy_threshold?: number | undefined;
  readonly unhealthy_threshold?: number | undefined;
}

export interface L7Policy extends Resource {
  readonly name: string;
  readonly listener_id: string;
  readonly action: string;
  readonly pool_id: string;
  readonly redirect_url: string;
  readonly position: number;
}

export interface CreateL7PolicyRequest extends CreateRequest {
  readonly name: string;
  readonly listener_id: string;
  readonly action: string;
  readonly pool_id: string;
  readonly redirect_url: string;
  readonly position?: number | undefined;
}

export interface L7Rule extends Resource {
  readonly policy_id: string;
  readonly type: string;
  readonly compare: string;
  readonly key: string;
  readonly value: string;
  readonly invert: boolean;
}

export interface CreateL7RuleRequest extends CreateRequest {
  readonly policy_id: string;
  readonly type: string;
  readonly compare: string;
  readonly key: string;
  readonly value: string;
  readonly invert: boolean;
}

export interface Certificate extends Resource {
  readonly name: string;
  readonly certificate: string;
  readonly private_key?: string | undefined;
  readonly expires_at: Timestamp;
}

export interface CreateCertificateRequest extends CreateRequest {
  readonly name: string;
  readonly certificate: string;
  readonly private_key: string;
  readonly expires_at: Timestamp | null;
}

export interface EvaluateListenerRequest {
  readonly id: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface EvaluateListenerResponse {
  readonly action: string;
  readonly policy_id: string;
  readonly rule_ids: readonly string[];
  readonly pool_id: string;
  readonly redirect_url: string;
}
