/**
 * PhotonCloud's envelope: `{"data": <message>, "meta": {"request_id", "timestamp"}}`. Only this module knows its form.
 */
import { wallClock } from '../../clock.js';
import type { Writer } from '../../wire/index.js';

const HEAD = Buffer.from('{"data":');

/** Writes the envelope around what `message` writes. */
export function writeEnvelope(out: Writer, requestId: string, message: () => void): void {
  out.raw(HEAD);
  message();
  out.ascii(`,"meta":${metaJson(requestId)}}`);
}

/** The member `meta`. Request ids are checked on arrival and hold nothing that JSON would escape. */
export function metaJson(requestId: string): string {
  return `{"request_id":"${requestId}","timestamp":"${wallClock().toISOString()}"}`;
}

/** Wraps the JSON of a page of the proxy (`/health`) like the answers of routes. */
export function wrapJson(envelope: 'none' | 'photon', json: string, requestId: string): string {
  return envelope === 'none' ? json : `{"data":${json},"meta":${metaJson(requestId)}}`;
}
