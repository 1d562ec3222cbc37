/**
 * What may happen to a request before it is routed. Policies run in order; one that refuses throws a StatusError, and
 * the routes never see the request. A policy that is not configured is not in the list.
 */
import type { HeaderFields } from '../headers.js';

/** The request as policies see and may change it. */
export interface PolicyRequest {
  /** May be replaced by method override. */
  method: string;
  readonly headers: HeaderFields;
}

export interface Policy {
  readonly name: string;
  /** @throws StatusError to refuse the request. */
  onRequest(request: PolicyRequest): void;
  /** True where `onRequest` may give the request another method. Default: never. */
  mayChangeMethod?(request: PolicyRequest): boolean;
}
