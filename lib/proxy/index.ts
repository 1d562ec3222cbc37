/** A configuration → what its listeners answer with. */
export {
  allParts,
  documentedParts,
  type PendingUpstream,
  type PreparedListener,
  type PreparedPart,
  type PreparedProxy,
  prepareProxy,
  type PrepareOptions,
} from './prepare.js';
