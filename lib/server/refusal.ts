/** Errors that the server itself answers, before or instead of the handler. The handler writes them. */
import { randomUUID } from 'node:crypto';
import type { Exchange, Reply } from '../exchange.js';
import { printable } from '../headers.js';
import { StatusError } from '../status.js';
import { publishRefusal, type RefusalReason, type RefusedHead } from './diagnostics.js';
import type { ExchangeHandler } from './options.js';

/** Gives the exchange to the handler, or answers `problem`. */
export function dispatch(
  exchange: Exchange & { readonly responded: boolean },
  handler: Pick<ExchangeHandler, 'handle' | 'writeError'>,
  problem: StatusError | undefined,
): void {
  if (problem !== undefined) return refuse(exchange, handler, problem);
  try {
    handler.handle(exchange);
  } catch (error) {
    // A handler must not throw; if one does, that request fails and nothing else.
    if (exchange.responded) exchange.abort();
    else answer(exchange, writtenError(handler, StatusError.from(error), exchange, randomUUID()));
  }
}

/** Answers an exchange with an error. On HTTP/1 it is the last response of the connection. */
export function refuse(
  exchange: Exchange,
  handler: Pick<ExchangeHandler, 'writeError'>,
  error: StatusError,
  reason?: RefusalReason,
): void {
  answer(exchange, refusal(handler, error, exchange, reason));
}

function answer(exchange: Exchange, reply: Reply): void {
  exchange.respond({ ...reply, headers: [...reply.headers, 'connection', 'close'] });
  exchange.end(reply.body);
}

/** The error as the handler writes it; tells of it. @param reason default: by the status */
export function refusal(
  handler: Pick<ExchangeHandler, 'writeError'>,
  error: StatusError,
  head: RefusedHead,
  reason?: RefusalReason,
): Reply {
  const requestId = randomUUID();
  publishRefusal(error, head, requestId, reason);
  return writtenError(handler, error, head, requestId);
}

function writtenError(
  handler: Pick<ExchangeHandler, 'writeError'>,
  error: StatusError,
  { method = 'GET', httpVersion }: RefusedHead,
  requestId: string,
): Reply {
  return handler.writeError(error, { method, httpVersion, requestId });
}

/** What the limits of a head are checked against; counted while it is read. */
export interface HeadFacts {
  readonly target: string;
  readonly headerBytes: number;
  readonly hosts: number;
  readonly expect: string | undefined;
}

/** Checks the limits and rules that hold for every request, whatever its route. */
export function headProblem(
  facts: HeadFacts,
  limits: { readonly maxUrlBytes: number; readonly maxHeaderBytes: number },
  needsHost: boolean,
): StatusError | undefined {
  const { target, headerBytes, hosts, expect } = facts;
  if (target.length > limits.maxUrlBytes) return urlTooLong(limits.maxUrlBytes, target.length);
  if (target.includes('#')) {
    return StatusError.http(
      400,
      'the URL has a "#" in it, which no server gets to see; write %23 for the character itself',
    );
  }
  if (headerBytes > limits.maxHeaderBytes) return headersTooLong(limits.maxHeaderBytes, headerBytes);
  if (hosts > 1) return StatusError.http(400, `the request has ${hosts} Host headers, expected one`);
  if (hosts === 0 && needsHost) {
    return StatusError.http(400, 'the request has no Host header, expected one; write "Host: name"');
  }
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return StatusError.http(417, `Expect: ${excerpt(expect)} is not known, expected 100-continue or no such header`);
  }
  return undefined;
}

/** 414. */
export function urlTooLong(limit: number, found?: number): StatusError {
  const size = found === undefined ? '' : ` of ${found} bytes`;
  return StatusError.http(
    414,
    `the URL${size} is longer than the limit of ${limit} bytes; send less in it, or in the body (option max_url_bytes)`,
  );
}

/** 431. */
export function headersTooLong(limit: number, found?: number): StatusError {
  const size = found === undefined ? 'more' : `${found} bytes, more`;
  return StatusError.http(
    431,
    `the request headers have ${size} than the limit of ${limit} bytes (option max_header_bytes)`,
  );
}

/** 431 if the trailers of a request, as a flat list, are over the limit of headers. */
export function trailersProblem(raw: readonly string[], maxHeaderBytes: number): StatusError | undefined {
  let bytes = 0;
  for (let index = 0; index < raw.length; index += 2) bytes += fieldBytes(raw[index]!, raw[index + 1]!);
  if (bytes <= maxHeaderBytes) return undefined;
  return StatusError.http(
    431,
    `the request trailers have ${bytes} bytes, more than the limit of ${maxHeaderBytes} bytes (option max_header_bytes)`,
  );
}

/** What a field counts towards `max_header_bytes`: name, value and 4 for `: ` and CR LF. */
export function fieldBytes(name: string, value: string): number {
  return name.length + value.length + 4;
}

/** Text of a client for use in a message: printable ASCII, at most 60 characters. */
export function excerpt(text: string): string {
  return printable(text.slice(0, 60));
}
