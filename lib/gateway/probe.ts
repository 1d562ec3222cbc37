/** Which requests ask for the health of the proxy: those of load balancers and orchestrators. */
import { healthPaths } from '../builtin/index.js';
import type { RequestHead } from '../exchange.js';
import type { RouteTables } from './decide.js';

/** A rule may have the path, and then it is a call. */
export function isProbe(
  { pages, matcher }: Pick<RouteTables, 'pages' | 'matcher'>,
  { method, path }: Pick<RequestHead, 'method' | 'path'>,
): boolean {
  return healthPaths.has(path) && pages.has(path) && matcher.match(method, path) === undefined;
}
