/**
 * How a service refuses: by throwing a `ServiceError`, a gRPC code with a sentence for whoever called. Machine-readable
 * details travel beside it as google.rpc.Status in `grpc-status-details-bin`. Anything else that is thrown is a fault of
 * the service, and `grpc.ts` hides it from callers.
 */
import { Metadata, status as Status } from '@grpc/grpc-js';
import { Schema } from './schema.js';

interface StatusMessage {
  readonly code: number;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

/** The codecs of google.rpc, read when the first error needs them. */
const codecs = once(() => {
  const schema = Schema.load(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
  return {
    status: schema.codec<StatusMessage>('google.rpc.Status'),
    badRequest: schema.codec<{ field_violations: readonly FieldViolation[] }>('google.rpc.BadRequest'),
    precondition: schema.codec<{ violations: readonly PreconditionViolation[] }>('google.rpc.PreconditionFailure'),
  };
});

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** One field of a request and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What has to hold for a call and does not: a kind for programs, whose state it is, and what that is. */
export interface PreconditionViolation {
  readonly type: string;
  readonly subject: string;
  readonly description: string;
}

/** A google.protobuf.Any. */
export interface ErrorDetail {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** Ends a call with a gRPC status. */
export class ServiceError extends Error {
  constructor(
    readonly code: Status,
    message: string,
    readonly details: readonly ErrorDetail[] = [],
    /** Metadata that goes with it; not kept by `toBytes`. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'ServiceError';
  }

  /** The error as a google.rpc.Status message, to be sent or kept. */
  toBytes(): Buffer {
    return codecs().status.encode({ code: this.code, message: this.message, details: this.details });
  }

  /** What `toBytes` wrote. */
  static fromBytes(bytes: Uint8Array): ServiceError {
    const { code, message, details } = codecs().status.decode(bytes);
    return new ServiceError(code, message, details);
  }

  /** Trailers of a call that ends so. */
  trailers(): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(this.headers)) metadata.set(name, value);
    if (this.details.length > 0) metadata.set('grpc-status-details-bin', this.toBytes());
    return metadata;
  }
}

/** INVALID_ARGUMENT that names the bad fields, in its text and as google.rpc.BadRequest. */
export function badRequest(violations: readonly FieldViolation[]): ServiceError {
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return new ServiceError(Status.INVALID_ARGUMENT, message, [
    {
      type_url: 'type.googleapis.com/google.rpc.BadRequest',
      value: codecs().badRequest.encode({ field_violations: violations }),
    },
  ]);
}

/** FAILED_PRECONDITION with google.rpc.PreconditionFailure as its detail. */
export function preconditionFailure(message: string, violations: readonly PreconditionViolation[]): ServiceError {
  return new ServiceError(Status.FAILED_PRECONDITION, message, [
    {
      type_url: 'type.googleapis.com/google.rpc.PreconditionFailure',
      value: codecs().precondition.encode({ violations }),
    },
  ]);
}

/** Throws `badRequest` for every rule that does not hold: `[field, holds, what to say if not]`. */
export function requireFields(
  ...rules: readonly (readonly [field: string, holds: boolean, description: string])[]
): void {
  const violations = rules.filter(([, holds]) => !holds).map(([field, , description]) => ({ field, description }));
  if (violations.length > 0) throw badRequest(violations);
}

const longestQuote = 80;

/** Text of a caller as it may stand in a message: quoted, control characters escaped, cut where it is long. */
export function quoted(text: string): string {
  const characters = Array.from(text.slice(0, 2 * longestQuote));
  if (characters.length <= longestQuote && text.length <= 2 * longestQuote) return JSON.stringify(text);
  return `${JSON.stringify(characters.slice(0, longestQuote).join(''))}…`;
}
