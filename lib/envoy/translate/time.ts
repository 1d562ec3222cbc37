/** Times as a configuration of ours writes them. */

/** Milliseconds as a configuration writes them. */
export function time(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}
