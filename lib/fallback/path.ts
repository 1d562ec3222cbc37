/** Which paths stay below the base of a fallback, however its server reads them. */
import { MAX_DECODING_ROUNDS, unescapedForms } from '../uri.js';

/**
 * True if no reading of the path leads above the place where it starts. Servers differ in what they do first: undo escapes
 * (also twice), take `\` for `/`, join slashes, cut off parameters (`..;x`); so all of it counts here.
 */
export function staysBelow(path: string): boolean {
  if (!path.startsWith('/')) return false;
  const forms = unescapedForms(path);
  if (forms.length > MAX_DECODING_ROUNDS) return false;
  const plain = forms.at(-1)!;
  let depth = 0;
  for (const segment of plain.split(/[/\\]/)) {
    // White space and control characters are trimmed by some.
    const name = segment.replace(/;.*$/s, '').replace(/^[\s\p{Cc}]+|[\s\p{Cc}]+$/gu, '');
    if (name === '' || name === '.') continue;
    depth += name === '..' ? -1 : 1;
    if (depth < 0) return false;
  }
  return true;
}
