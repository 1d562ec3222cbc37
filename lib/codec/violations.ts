/** How many bad fields one answer names, and in which words. For JSON bodies, queries, forms and paths alike. */
import type { FieldViolation } from '../status.js';

/** More bad fields than this are not looked for: a hostile request must not grow into a larger answer. */
export const MAX_VIOLATIONS = 20;

/** The first violations in one sentence, and how many more there are. */
export function summarize(violations: readonly FieldViolation[]): string {
  const shown = violations
    .slice(0, 3)
    .map(({ field, description }) => (field === '' ? description : `${field}: ${description}`));
  const more = violations.length - shown.length;
  if (more > 0) shown.push(`and ${violations.length < MAX_VIOLATIONS ? '' : 'at least '}${more} more`);
  return shown.join('; ');
}
