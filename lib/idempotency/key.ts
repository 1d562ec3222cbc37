/**
 * The header `Idempotency-Key` (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/): a structured-field
 * string, `"8e03978e"`. A bare text, as Stripe's and other clients send it, counts as the same key.
 */
import { headerValues, type HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';

const NAME = 'idempotency-key';

/** A string of RFC 9651 with its parameters, which mean nothing here. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:;[\x20-\x7e]*)?$/;
const BARE = /^[\x21\x23-\x7e][\x21-\x7e]*$/;

/**
 * The key of a request; undefined if it has none.
 * @throws StatusError 400 if it is none
 */
export function readIdempotencyKey(headers: HeaderFields, maxBytes: number): string | undefined {
  const lines = headerValues(headers, NAME);
  if (lines.length === 0) return undefined;
  const label = 'header idempotency-key';
  if (lines.length > 1) throw StatusError.badField(label, 'given more than once, expected one value');
  const text = lines[0]!.trim();
  const key = BARE.test(text) ? text : QUOTED.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1');
  if (key === undefined || key === '') {
    throw StatusError.badField(
      label,
      'expected printable ASCII in quotes, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"',
    );
  }
  if (key.length > maxBytes) {
    throw StatusError.badField(label, `has ${key.length} bytes, expected at most ${maxBytes} (max_key_bytes)`);
  }
  return key;
}

/** The error of a request that needs a key. */
export function missingKey(): StatusError {
  return StatusError.badField(
    'header idempotency-key',
    'is missing, and this request needs one; send a new random value, and the same one if you send the request again',
  );
}
