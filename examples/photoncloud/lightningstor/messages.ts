/** The messages of `protos/lightningstor/v1/lightningstor.proto` as TypeScript sees them; what they mean stands there. */
import type { Timestamp } from '../lib/clock.js';

export interface Bucket {
  readonly name: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface PageRequest {
  readonly page_size: number;
  readonly page_token: string;
}

export interface BucketRequest {
  readonly bucket: string;
}

export interface Deleted {
  readonly deleted: boolean;
}

export interface HttpBody {
  readonly content_type: string;
  readonly data: Buffer;
}

export interface StorageObject {
  readonly bucket: string;
  readonly key: string;
  readonly size: bigint;
  readonly etag: string;
  readonly content_type: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

export interface ObjectRequest extends BucketRequest {
  readonly key: string;
}

export interface PutObjectRequest extends ObjectRequest {
  readonly data: HttpBody | null;
}

export interface ListObjectsRequest extends BucketRequest, PageRequest {
  readonly prefix: string;
}
