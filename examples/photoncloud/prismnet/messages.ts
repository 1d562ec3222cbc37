/** The messages of `protos/prismnet/v1/prismnet.proto` as TypeScript sees them; what the fields mean stands there. */
import type { CreateRequest } from '../lib/resource-service.js';
import type { FieldMask, PageRequest, Resource } from '../lib/resources.js';

export interface Vpc extends Resource {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly cidr_block: string;
  readonly description: string;
}

export interface ListVpcsRequest extends PageRequest {
  readonly org_id: string;
  readonly project_id: string;
}

export interface CreateVpcRequest extends CreateRequest {
  readonly name: string;
  readonly org_id: string;
  readonly project_id: string;
  readonly cidr_block: string;
  readonly description: string;
}

export interface UpdateVpcRequest {
  readonly vpc: Vpc | null;
  readonly update_mask: FieldMask | null;
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

export interface ListSubnetsRequest extends PageRequest {
  readonly vpc_id: string;
  readonly org_id: string;
  readonly project_id: string;
}

export interface CreateSubnetRequest extends CreateRequest {
  readonly name: string;
  readonly vpc_id: string;
  readonly cidr_block: string;
  readonly gateway_ip: string;
  readonly description: string;
}

export interface UpdateSubnetRequest {
  readonly subnet: Subnet | null;
  readonly update_mask: FieldMask | null;
}

export interface IdRequest {
  readonly id: string;
}
