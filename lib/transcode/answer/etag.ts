/**
 * Entity tags (https://www.rfc-editor.org/rfc/rfc9110#section-8.8): made from the bytes of an answer, and compared with
 * those that a client sends. A compressed copy of a body has its own tag: `"x"` becomes `"x-gzip"`.
 */
import { createHash } from 'node:crypto';
import { header, type HeaderFields } from '../../headers.js';
import { tagsOf } from '../conditional.js';

/** A strong tag. @param form distinguishes forms that are made from the same bytes, such as indented JSON */
export function entityTag(bytes: Uint8Array, form: string): string {
  const digest = createHash('sha256').update(bytes).update(form).digest('base64url');
  return `"${digest.slice(0, 27)}"`;
}

/**
 * The tag of `If-None-Match` that names the same answer by weak comparison, without its `W/`; undefined if none does. `*`
 * names any answer.
 */
export function matchingTag(headers: HeaderFields, tag: string): string | undefined {
  const opaque = withoutWeakness(tag);
  for (const candidate of tagsOf(headers, 'if-none-match')) {
    const given = withoutWeakness(candidate);
    if (given === '*' || given === opaque) return tag;
    if (withoutCoding(given) === opaque) return given;
  }
  return undefined;
}

/**
 * True if `If-Match` is absent or names the answer by strong comparison, which a weak tag never does
 * (https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1). Tags of compressed copies count.
 */
export function isExpected(headers: HeaderFields, tag: string): boolean {
  if (header(headers, 'if-match') === undefined) return true;
  const isSame = (given: string): boolean => given === tag || withoutCoding(given) === tag;
  return tagsOf(headers, 'if-match').some((given) => given === '*' || (!given.startsWith('W/') && isSame(given)));
}

/** `"x-gzip"` → `"x"`. */
function withoutCoding(tag: string): string {
  return tag.replace(/-(?:gzip|br|zstd)"$/, '"');
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
