/**
 * PhotonCloud's envelope: `{"data": <message>, "meta": {"request_id", "timestamp"}}`. Constant bytes around the message
 * but for `meta`; no other module knows of it.
 */
import type { Writer } from '../wire/index.js';

const HEAD = Buffer.from('{"data":');

/** Writes the envelope round what `message` writes. */
export function writeEnvelope(out: Writer, requestId: string, message: () => void): void {
  out.raw(HEAD);
  message();
  out.ascii(`,"meta":${metaJson(requestId)}}`);
}

/** `meta` of an answer; a request id holds nothing that JSON would escape. */
export function metaJson(requestId: string): string {
  return `{"request_id":"${requestId}","timestamp":"${new Date().toISOString()}"}`;
}

/** Wraps a JSON text of the proxy's own (`/health`) as the routes' answers are wrapped. */
export function wrapJson(envelope: 'none' | 'photon', json: string, requestId: string): string {
  return envelope === 'none' ? json : `{"data":${json},"meta":${metaJson(requestId)}}`;
}
