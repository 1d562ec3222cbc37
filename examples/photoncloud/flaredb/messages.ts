/** The messages of `protos/flaredb/v1/flaredb.proto` as TypeScript sees them; what the fields mean stands there. */
import type { Timestamp } from '../lib/clock.js';

/** A google.protobuf.Value; exactly one member is set. */
export interface Value {
  readonly null_value?: 'NULL_VALUE';
  readonly number_value?: number;
  readonly string_value?: string;
  readonly bool_value?: boolean;
  readonly struct_value?: object | null;
  readonly list_value?: object | null;
}

export interface ExecuteSqlRequest {
  readonly query: string;
  readonly params: readonly Value[];
  readonly namespace: string;
}

export interface SqlResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly { readonly values: readonly Value[] }[];
  readonly rows_affected: bigint;
}

export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

export interface ListTablesRequest extends PageRequest {
  readonly namespace: string;
}

export interface Item {
  readonly key: string;
  readonly value: string;
  readonly namespace: string;
  readonly version: bigint;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface KeyRequest {
  readonly key: string;
  readonly namespace: string;
}

export interface PutRequest extends KeyRequest {
  readonly value?: string;
}

export interface PutResponse {
  readonly key: string;
  readonly namespace: string;
  readonly version: bigint;
}

export interface ScanRequest extends PageRequest {
  readonly start: string;
  readonly end: string;
  readonly namespace: string;
}
