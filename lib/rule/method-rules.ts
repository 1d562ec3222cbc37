/**
 * Method options of a configuration, by selector: which of them an RPC gets. A more particular selector wins over a wider
 * one, member by member, and all of them over what the `.proto` says. What a member means is `method-options`' part.
 */
import type { FileDescriptor, OptionMessage } from '../schema/types.js';
import type { ProblemList, SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import { Selectable, unknownRpc } from './rpc-names.js';
import { isSelector, selectorMatches } from './selector.js';

/** Options for the RPCs that a selector names. */
export interface MethodRule {
  /** Full name of an RPC, `pkg.*` or `*`. */
  readonly selector: string;
  readonly place: SourcePlace;
  /** A photongate.HttpOptions, but that `deadline` is a text: `5s`, `none`. */
  readonly option: OptionMessage;
}

/** One rule for each selector, the widest first. Of a member given twice for one selector the later counts. */
export function mergeMethodRules<T extends MethodRule>(rules: readonly T[], merge: (outer: T, inner: T) => T): T[] {
  const bySelector = new Map<string, T>();
  for (const rule of rules) {
    const outer = bySelector.get(rule.selector);
    bySelector.set(rule.selector, outer === undefined ? rule : merge(outer, rule));
  }
  return [...bySelector.values()].sort((a, b) => selectorRank(a.selector) - selectorRank(b.selector));
}

/** How particular a selector is: a full name more than any wildcard, a longer wildcard more than a shorter. */
export function selectorRank(selector: string): number {
  return selector.endsWith('*') ? selector.length : Number.MAX_SAFE_INTEGER;
}

/** The option messages that an RPC gets, the weakest first. */
export function methodRulesFor(rules: readonly MethodRule[], rpc: string): OptionMessage[] {
  return rules.filter(({ selector }) => selectorMatches(selector, rpc)).map(({ option }) => option);
}

/** A selector and where it was written, if it stands in a file. */
export interface PlacedSelector {
  readonly selector: string;
  readonly place?: SourcePlace | undefined;
}

/** A selector that is none, or that names nothing of the files, is an error. */
export function checkRpcSelectors(
  selectors: readonly PlacedSelector[],
  files: readonly FileDescriptor[],
  problems: ProblemList,
): void {
  if (selectors.length === 0) return;
  // Where the schema lacks something, it may lack RPCs too.
  const isComplete = problems.errors.length === 0;
  const rpcs = files.flatMap((file) => file.services.flatMap(({ methods }) => methods.map(({ fullName }) => fullName)));
  const all = new Selectable(rpcs);
  for (const { selector, place: where } of selectors) {
    const place = where === undefined ? {} : { place: where };
    if (!isSelector(selector)) {
      problems.error({
        code: 'selector-syntax',
        message: `${quote(selector)} is not a selector of RPCs`,
        ...place,
        hint: 'write a full name (pkg.Service.Method), all in a package or service (pkg.*), or *',
      });
    } else if (isComplete && !all.has(selector)) {
      problems.error({ ...unknownRpc(selector, rpcs), ...place });
    }
  }
}
