/** What a thread and its owner tell each other. Nothing but data crosses the border, and Buffers arrive as Uint8Arrays. */
import type { Config } from '../config/index.js';
import type { Captures, Metadata, MetadataEntry, Reply, RequestHead } from '../exchange.js';
import type { ReflectedSet } from '../schema/index.js';
import { type FieldViolation, type Refuser, type StatusDetail, StatusError, UnresolvedRequest } from '../status.js';

/** What a thread needs to build the plans of its owner once more. */
export interface ThreadInput {
  readonly config: Config;
  /** What upstreams said of their schema. */
  readonly reflected: readonly ReflectedSet[];
  /** Files that have changed since are not those of the owner. */
  readonly loadedAtMs: number;
}

/** One piece of work. */
export type Order = OrderPlace &
  (
    | { readonly kind: 'request'; readonly body: readonly Uint8Array[] }
    | { readonly kind: 'reply'; readonly message: Uint8Array; readonly headers: Metadata; readonly trailers: Metadata }
  );

interface OrderPlace {
  /** See `MethodPlan.key`. */
  readonly plan: string;
  readonly head: RequestHead;
  readonly captures: Captures;
}

/** What a thread says: that it can work, or never will; then one answer to each order. */
export type Told =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'request'; readonly message: Uint8Array }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'error'; readonly error: PackedError };

/** What was thrown, as data. */
export type PackedError =
  | {
      readonly kind: 'status';
      readonly isUnresolved: boolean;
      readonly code: number;
      readonly message: string;
      readonly httpStatus: number | undefined;
      readonly violations: readonly FieldViolation[];
      readonly details: readonly StatusDetail[];
      readonly headers: StatusError['headers'];
      readonly isOfCall: boolean;
      readonly refusedBy: Refuser | undefined;
      readonly cause: PackedError | undefined;
    }
  | { readonly kind: 'fault'; readonly message: string; readonly stack: string | undefined };

/** Anything that was thrown → data. */
export function packError(error: unknown): PackedError {
  if (error instanceof StatusError) {
    const { code, message, httpStatus, violations, details, headers, isOfCall, refusedBy, cause } = error;
    return {
      kind: 'status',
      isUnresolved: error instanceof UnresolvedRequest,
      ...{ code, message, httpStatus, violations, details, headers, isOfCall, refusedBy },
      cause: cause === undefined ? undefined : packError(cause),
    };
  }
  if (error instanceof Error) return { kind: 'fault', message: error.message, stack: error.stack };
  return { kind: 'fault', message: String(error), stack: undefined };
}

/** The error as it was thrown. */
export function unpackError(packed: PackedError): Error {
  if (packed.kind === 'fault') {
    const error = new Error(packed.message);
    if (packed.stack !== undefined) error.stack = packed.stack;
    return error;
  }
  const { isUnresolved, code, message, httpStatus, violations, headers, isOfCall, refusedBy, cause } = packed;
  const details = packed.details.map((detail) => ({ ...detail, value: asBuffer(detail.value) }));
  return new (isUnresolved ? UnresolvedRequest : StatusError)(code, message, {
    ...{ violations, details, headers, isOfCall },
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(refusedBy === undefined ? {} : { refusedBy }),
    ...(cause === undefined ? {} : { cause: unpackError(cause) }),
  });
}

/** The same memory as a Buffer. */
export function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Metadata that have crossed the border. */
export function revivedMetadata(metadata: Metadata): Metadata {
  return metadata.map(([name, value]): MetadataEntry => [
    name,
    typeof value === 'string' ? value : asBuffer(value as Uint8Array),
  ]);
}
