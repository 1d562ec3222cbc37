/** The messages of `protos/iam/v1/iam.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';
import type { FieldMask } from '../lib/update-mask.js';

export interface CreateTokenRequest {
  readonly username: string;
  readonly password: string;
  readonly ttl_seconds?: bigint;
}

export interface Token {
  readonly token: string;
  readonly token_type: string;
  readonly expires_at: Timestamp;
}

export interface VerifyTokenRequest {
  readonly token: string;
}

export interface TokenInfo {
  readonly valid: boolean;
  readonly subject?: string;
  readonly username?: string;
  readonly org_id?: string;
  readonly project_ids?: readonly string[];
  readonly expires_at?: Timestamp;
  readonly reason?: string;
  readonly roles?: readonly string[];
}

export interface HttpBody {
  readonly content_type: string;
  readonly data: Buffer;
}

export interface User {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly org_id: string;
  readonly roles: readonly string[];
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

export interface IdRequest {
  readonly id: string;
}

export interface CreateUserRequest {
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly org_id: string;
  readonly request_id: string;
}

export interface UserChanges {
  readonly id: string;
  readonly email: string;
  readonly org_id: string;
  readonly password: string;
}

export interface UpdateUserRequest {
  readonly user: UserChanges | null;
  readonly update_mask: FieldMask | null;
}

export interface Deleted {
  readonly deleted: boolean;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly org_id: string;
  readonly description: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface CreateProjectRequest {
  readonly name: string;
  readonly org_id: string;
  readonly description: string;
  readonly request_id: string;
}

export interface ProjectChanges {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

export interface UpdateProjectRequest {
  readonly project: ProjectChanges | null;
  readonly update_mask: FieldMask | null;
}

export interface Member {
  readonly project_id: string;
  readonly user_id: string;
  readonly username: string;
  readonly role: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface ListMembersRequest extends PageRequest {
  readonly id: string;
}

export interface MemberRequest {
  readonly id: string;
  readonly user_id: string;
}

export interface SetMemberRequest extends MemberRequest {
  readonly role: string;
}
