/**
 * Entity tags (https://www.rfc-editor.org/rfc/rfc9110#section-8.8): made from the bytes of an answer, and compared with
 * what a client has already. An encoded copy of a body has a tag of its own: `"x"` becomes `"x-gzip"`.
 */
import { createHash } from 'node:crypto';
import { headerValues, type HeaderFields } from '../headers.js';

/** A strong tag. @param form tells apart what the bytes alone do not: the same JSON indented or not. */
export function entityTag(bytes: Uint8Array, form: string): string {
  const digest = createHash('sha256').update(bytes).update(form).digest('base64url');
  return `"${digest.slice(0, 27)}"`;
}

/**
 * The tag among those of `If-None-Match` that stands for the same answer, in weak comparison, as the client wrote it but
 * strong; undefined where it has none of them. `*` is any.
 */
export function matchingTag(headers: HeaderFields, tag: string): string | undefined {
  const opaque = withoutWeakness(tag);
  for (const line of headerValues(headers, 'if-none-match')) {
    if (line.trim() === '*') return tag;
    for (const [candidate] of line.matchAll(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g)) {
      const given = withoutWeakness(candidate);
      if (given === opaque) return tag;
      if (given.replace(/-(?:gzip|br|zstd)"$/, '"') === opaque) return given;
    }
  }
  return undefined;
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
