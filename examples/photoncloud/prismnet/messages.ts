/** The messages of `protos/prismnet/v1/prismnet.proto` as TypeScript sees them; what the fields mean stands there. */
import type { CreateRequest } from '../lib/resource-service.js';
import type { Resource } from '../lib/resources.js';

export interface Vpc extends Resource {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly cidr_block: string;
  readonly description: string;
}

export interface CreateVpcRequest extends CreateRequest {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly cidr_block: string;
  readonly description: string;
}

export interface Subnet extends Resource {
  readonly name: string;
  readonly vpc_id: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly cidr_block: string;
  readonly gateway_ip: string;
  readonly description: string;
}

export interface CreateSubnetRequest extends CreateRequest {
  readonly name: string;
  readonly vpc_id: string;
  readonly cidr_block: string;
  readonly gateway_ip: string;
  readonly description: string;
}
