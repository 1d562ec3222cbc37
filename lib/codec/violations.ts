/** Bad fields → one error, for JSON bodies, queries, forms and paths alike. */
import { Code, type FieldViolation, StatusError } from '../status.js';

/** After so many bad fields reading stops: the answer to a hostile request must not be larger than the request. */
export const MAX_VIOLATIONS = 20;

/** One error for all that is wrong with the values of a request. */
export function invalidArgument(violations: readonly FieldViolation[]): StatusError {
  return new StatusError(Code.INVALID_ARGUMENT, summarize(violations), { violations });
}

/** The first violations in one sentence, and how many more there are. */
function summarize(violations: readonly FieldViolation[]): string {
  const shown = violations
    .slice(0, 3)
    .map(({ field, description }) => (field === '' ? description : `${field}: ${description}`));
  const more = violations.length - shown.length;
  if (more > 0) shown.push(`and ${violations.length < MAX_VIOLATIONS ? '' : 'at least '}${more} more`);
  return shown.join('; ');
}
