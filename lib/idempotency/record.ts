/** What is kept of a request, as JSON: that it runs, or what it was answered with. */
import { randomBytes } from 'node:crypto';
import type { Reply } from '../exchange.js';
import { withoutFields } from '../headers.js';

/** A request that runs, or ended in a way of which nobody knows. */
export interface RunningRecord {
  readonly state: 'running';
  readonly fingerprint: string;
  /** Since when, by the wall clock. */
  readonly sinceMs: number;
  /** Tells two of them apart. */
  readonly nonce: string;
}

/** A request that was answered. */
export interface AnsweredRecord {
  readonly state: 'answered';
  readonly fingerprint: string;
  /** Undefined: it was too large to be kept. */
  readonly reply: StoredReply | undefined;
}

interface StoredReply {
  readonly status: number;
  readonly headers: readonly string[];
  readonly trailers?: readonly string[] | undefined;
  /** As base64; undefined: there was none. */
  readonly body?: string | undefined;
  readonly ownEtag?: boolean | undefined;
}

export type IdempotencyRecord = RunningRecord | AnsweredRecord;

/** A new record of a request that runs. */
export function runningRecord(fingerprint: string, sinceMs: number): string {
  const nonce = randomBytes(9).toString('base64url');
  return JSON.stringify({ state: 'running', fingerprint, sinceMs, nonce } satisfies RunningRecord);
}

/** @param maxBytes of the body; a larger one is not kept */
export function answeredRecord(fingerprint: string, reply: Reply, maxBytes: number): string {
  const { status, headers, trailers, body, ownEtag } = reply;
  const isKept = (body?.length ?? 0) <= maxBytes;
  const kept = withoutFields(headers, (name) => name === REQUEST_ID);
  const stored: StoredReply = { status, headers: kept, trailers, body: body?.toString('base64'), ownEtag };
  const record: AnsweredRecord = { state: 'answered', fingerprint, reply: isKept ? stored : undefined };
  return JSON.stringify(record);
}

const REQUEST_ID = 'x-request-id';

/** Undefined if the text is no record. */
export function parseRecord(text: string): IdempotencyRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<IdempotencyRecord> | null;
    const isKnown = record?.state === 'running' || record?.state === 'answered';
    return isKnown && typeof record.fingerprint === 'string' ? (record as IdempotencyRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** The kept answer, for another request. */
export function replyOf({ status, headers, trailers, body, ownEtag }: StoredReply, requestId: string): Reply {
  return {
    status,
    headers: [...headers, REQUEST_ID, requestId, 'idempotent-replayed', 'true'],
    body: body === undefined ? undefined : Buffer.from(body, 'base64'),
    trailers,
    ownEtag,
  };
}
