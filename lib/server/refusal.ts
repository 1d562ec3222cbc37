/** Errors that the server itself answers, before or instead of the handler, in the handler's error shape. */
import { randomUUID } from 'node:crypto';
import type { Exchange, Reply, RequestHead } from '../exchange.js';
import { StatusError } from '../status.js';
import type { ExchangeHandler } from './options.js';

/** An exchange of this layer. */
export interface ServedExchange extends Exchange {
  /** True once `respond` was called. */
  readonly responded: boolean;
}

/** Gives the exchange to the handler, or answers `problem`. */
export function dispatch(exchange: ServedExchange, handler: ExchangeHandler, problem: StatusError | undefined): void {
  if (problem !== undefined) return refuse(exchange, handler, problem);
  try {
    handler.handle(exchange);
  } catch (error) {
    // A handler must not throw; if one does, that request fails and nothing else.
    if (exchange.responded) exchange.abort();
    else refuse(exchange, handler, StatusError.from(error));
  }
}

/** Answers an error on an exchange that nobody has answered; on HTTP/1 the connection's last. */
export function refuse(exchange: Exchange, handler: ExchangeHandler, error: StatusError): void {
  const reply = errorReply(handler, error, exchange);
  exchange.respond({ ...reply, headers: [...reply.headers, 'connection', 'close'] });
  exchange.end(reply.body);
}

/** The error as the handler writes it. */
export function errorReply(
  handler: ExchangeHandler,
  error: StatusError,
  head: Pick<RequestHead, 'method' | 'httpVersion'>,
): Reply {
  const { method, httpVersion } = head;
  return handler.writeError(error, { method, httpVersion, requestId: randomUUID() });
}

/** What the head's lines and their values say against taking the request; counted while they were read. */
export interface HeadFacts {
  readonly target: string;
  readonly headerBytes: number;
  readonly hosts: number;
  readonly expect: string | undefined;
}

/** The limits and rules that hold for every request, whatever its route. */
export function headProblem(
  facts: HeadFacts,
  limits: { readonly maxUrlBytes: number; readonly maxHeaderBytes: number },
  needsHost: boolean,
): StatusError | undefined {
  const { target, headerBytes, hosts, expect } = facts;
  if (target.length > limits.maxUrlBytes) return urlTooLong(limits.maxUrlBytes, target.length);
  if (headerBytes > limits.maxHeaderBytes) return headersTooLong(limits.maxHeaderBytes, headerBytes);
  if (hosts > 1) return StatusError.http(400, `the request has ${hosts} Host headers, expected one`);
  if (hosts === 0 && needsHost) {
    return StatusError.http(400, 'the request has no Host header, expected one; write "Host: name"');
  }
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return StatusError.http(417, `Expect: ${printable(expect)} is not known, expected 100-continue or no such header`);
  }
  return undefined;
}

export function urlTooLong(limit: number, found?: number): StatusError {
  const size = found === undefined ? '' : ` of ${found} bytes`;
  return StatusError.http(
    414,
    `the URL${size} is longer than the limit of ${limit} bytes; send less in it, or in the body (option max_url_bytes)`,
  );
}

export function headersTooLong(limit: number, found?: number): StatusError {
  const size = found === undefined ? 'more' : `${found} bytes, more`;
  return StatusError.http(
    431,
    `the request headers have ${size} than the limit of ${limit} bytes (option max_header_bytes)`,
  );
}

/** A client's text for a message: printable ASCII, not long. */
export function printable(text: string): string {
  return text.slice(0, 60).replace(/[^ -~]/g, '?');
}
