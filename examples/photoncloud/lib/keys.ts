/** Keys of key-value and object stores: what may be one, and how a prefix becomes a range of them. */
import type { Rule } from './rules.js';

const maxKeyBytes = 2048;

/** A key is any text but the empty one, at most 2048 bytes long. */
export function keyRules(key: string, field = 'key'): Rule[] {
  return [
    [field, key !== '', 'is empty, expected at least one character'],
    [field, Buffer.byteLength(key) <= maxKeyBytes, `is longer than ${maxKeyBytes} bytes`],
  ];
}

/** A prefix may be empty, but not longer than any key is. */
export function prefixRule(prefix: string, field = 'prefix'): Rule {
  return [field, Buffer.byteLength(prefix) <= maxKeyBytes, `is longer than ${maxKeyBytes} bytes, which no key is`];
}

/** Behind the bytes of every key: no UTF-8 text has the byte 0xff. */
export const afterAllKeys: Uint8Array = Buffer.of(0xff);

/** The keys that start with `prefix` are those from `from` to, but not including, `to`. */
export function prefixRange(prefix: string): { from: Buffer; to: Uint8Array } {
  const from = Buffer.from(prefix);
  if (from.length === 0) return { from, to: afterAllKeys };
  // For the same reason the last byte of a prefix can always be raised.
  const to = Buffer.from(from);
  to[to.length - 1]! += 1;
  return { from, to };
}

/** How many of the first entries fit into `limit` together; the first always does. */
export function countFitting(entries: readonly { readonly bytes: bigint }[], limit: number): number {
  let total = 0;
  const over = entries.findIndex(({ bytes }) => (total += Number(bytes)) > limit);
  return over < 0 ? entries.length : Math.max(over, 1);
}
