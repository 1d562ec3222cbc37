/** The RPCs that an option is about, by name. Whether there are any of that name is checked where the schema is known. */
import { converted, lineValue } from '../options/index.js';
import type { SourcePlace } from '../status.js';

/** A name or wildcard of RPCs, and its place in the file. */
export interface RpcSelector {
  readonly selector: string;
  readonly place?: SourcePlace | undefined;
}

/** The kind of a selector. */
export const rpcSelector = converted(lineValue('a selector such as pkg.Service.Method or pkg.*: ', 'config-type'), {
  read: (text, { place }): RpcSelector => ({ selector: text, place }),
  print: (value) => value.selector,
});
