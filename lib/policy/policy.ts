/**
 * Checks before a request is routed. Policies run in order. A policy that refuses throws a StatusError, and no route
 * sees the request. Policies that are not configured are not in the list.
 */
import type { Cors } from '../cors/index.js';
import type { RequestHead } from '../exchange.js';

/** The head of a request, which policies may change. */
export interface PolicyRequest extends Pick<RequestHead, 'headers' | 'caller'> {
  /** Method override may replace it. */
  method: string;
}

/** A check of each request before routing. */
export interface Policy {
  readonly name: string;
  /**
   * @param cors which pages of other origins may send this request. Default: none
   * @throws StatusError to refuse the request.
   */
  onRequest(request: PolicyRequest, cors?: Pick<Cors, 'allows'>): void;
  /** True if `onRequest` may change the method of the request. Default: never. */
  mayChangeMethod?(request: PolicyRequest): boolean;
}
