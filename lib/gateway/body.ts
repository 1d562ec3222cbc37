/** Collects a request body in memory, within a limit. For unary calls; streams never hold a body whole. */
import type { Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError } from '../status.js';

const EMPTY = Buffer.alloc(0);

/** What becomes of a body: exactly one of the two is called, once. */
export interface BodyOutcome {
  onBody(body: Buffer): void;
  /** Too large, too slow (with the error to answer), or the client is gone (without one). */
  onFailure(error: StatusError | undefined): void;
}

/**
 * Refuses by its announced length a body that is too large.
 * @throws StatusError 413.
 */
export function checkAnnouncedLength(exchange: Exchange, maxBytes: number): void {
  const announced = header(exchange.headers, 'content-length');
  if (announced !== undefined && Number(announced) > maxBytes) throw tooLarge(maxBytes);
}

/** Reads the whole body; asks the client to send it where it waits for that. */
export function collectBody(exchange: Exchange, maxBytes: number, outcome: BodyOutcome): void {
  if (!exchange.hasBody) {
    outcome.onBody(EMPTY);
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  let failed = false;
  exchange.continue();
  exchange.read({
    onData(chunk) {
      if (failed) return;
      length += chunk.length;
      if (length > maxBytes) {
        failed = true;
        chunks.length = 0;
        outcome.onFailure(tooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    },
    onEnd() {
      if (!failed) outcome.onBody(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    },
    onAbort(error) {
      if (failed) return;
      failed = true;
      outcome.onFailure(error);
    },
  });
}

function tooLarge(maxBytes: number): StatusError {
  return StatusError.http(
    413,
    `the body is larger than the limit of ${maxBytes} bytes; send less, or raise --max-body-bytes (max_body_bytes)`,
  );
}
