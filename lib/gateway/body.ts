/**
 * Collects a request body in memory, within a limit. For calls that take one message, and for messages of agents; client
 * streams never hold a body whole.
 */
import type { ContentCoding, Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError } from '../status.js';
import { Pieces } from '../wire/index.js';
import { readBody } from './decode.js';

const EMPTY = Buffer.alloc(0);

/** What becomes of a body: exactly one of these is called, once. */
export interface BodyOutcome {
  onBody(body: Buffer): void;
  /** In place of `onBody`, if the body is large: its parts, whose memory is nobody else's. */
  onLargeBody?(parts: readonly Buffer[]): void;
  /** Too large, too slow (with the error to answer), or the client is gone (without one). */
  onFailure(error: StatusError | undefined): void;
}

/**
 * Refuses by its announced length a body that is too large.
 * @throws StatusError 413.
 */
export function checkAnnouncedLength(exchange: Exchange, maxBytes: number, codings: readonly ContentCoding[]): void {
  const announced = header(exchange.headers, 'content-length');
  if (announced !== undefined && Number(announced) > maxCodedBytes(maxBytes, codings))
    throw StatusError.tooLarge(maxBytes);
}

/** What codings may add to a body that does not get smaller by them. */
const CODING_OVERHEAD_BYTES = 64 * 1024;

/**
 * Reads the whole body and decodes it; asks the client to send it where it waits for that.
 * @param maxBytes of the decoded body
 * @param largeAboveBytes more is a large body. Default: none is
 */
export function collectBody(
  exchange: Exchange,
  maxBytes: number,
  codings: readonly ContentCoding[],
  outcome: BodyOutcome,
  largeAboveBytes = Infinity,
): void {
  if (!exchange.hasBody) {
    outcome.onBody(EMPTY);
    return;
  }
  let pieces = new Pieces();
  let isLarge = false;
  let failed = false;
  exchange.continue();
  const reading = readBody(
    exchange,
    codings,
    {
      onData(chunk) {
        if (failed) return;
        if (pieces.length + chunk.length > maxBytes) {
          failed = true;
          pieces.clear();
          // A decoder hands on later than `readBody` returns; without one there is nothing to stop.
          if (codings.length > 0) reading.stop();
          outcome.onFailure(StatusError.tooLarge(maxBytes));
          return;
        }
        if (!isLarge && pieces.length + chunk.length > largeAboveBytes) {
          isLarge = true;
          pieces = inBlocks(pieces);
        }
        if (isLarge) pieces.copy(chunk, BLOCK_BYTES);
        else pieces.push(chunk);
      },
      onEnd() {
        if (failed) return;
        if (isLarge) outcome.onLargeBody!([...pieces]);
        else outcome.onBody(pieces.takeAll());
      },
      onAbort(error) {
        if (failed) return;
        failed = true;
        pieces.clear();
        outcome.onFailure(error);
      },
    },
    maxCodedBytes(maxBytes, codings),
  );
}

/** A large body is copied piece by piece: to join a hundred megabytes at its end would stop everybody for 50 ms. */
const BLOCK_BYTES = 1024 ** 2;

function inBlocks(pieces: Pieces): Pieces {
  const blocks = new Pieces();
  for (const piece of pieces) blocks.copy(piece, BLOCK_BYTES);
  return blocks;
}

function maxCodedBytes(maxBytes: number, codings: readonly ContentCoding[]): number {
  return codings.length === 0 ? maxBytes : maxBytes + CODING_OVERHEAD_BYTES;
}
