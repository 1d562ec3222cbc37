/**
 * Method options of a configuration, by selector: which of them apply to an RPC. A more specific selector overrides a less
 * specific one, member by member, and all of them override the `.proto`. `method-options` reads the members.
 */
import type { RetrySettings } from '../retry/index.js';
import type { FileDescriptor, OptionMessage } from '../schema/types.js';
import type { ProblemList, SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import { Selectable, unknownRpc } from './rpc-names.js';
import { isSelector, selectorMatches } from './selector.js';

/** Options of the RPCs that a selector matches. */
export interface MethodRule {
  /** Full name of an RPC, `pkg.*` or `*`. */
  readonly selector: string;
  readonly place: SourcePlace;
  /** A photongate.HttpOptions, except that `deadline` is a text: `5s`, `none`. */
  readonly option: OptionMessage;
  /** Replaces what less specific selectors say, member by member. False: these calls are not sent again. */
  readonly retries?: RetrySettings | false;
}

/**
 * One rule for each selector, the least specific first. If two rules of a selector have the same member, the later one
 * counts.
 */
export function mergeMethodRules<T extends MethodRule>(rules: readonly T[], merge: (outer: T, inner: T) => T): T[] {
  const bySelector = new Map<string, T>();
  for (const rule of rules) {
    const outer = bySelector.get(rule.selector);
    bySelector.set(rule.selector, outer === undefined ? rule : merge(outer, rule));
  }
  return [...bySelector.values()].sort((a, b) => selectorRank(a.selector) - selectorRank(b.selector));
}

/**
 * How specific a selector is: a full name is more specific than any wildcard, and a longer wildcard more than a shorter one.
 */
export function selectorRank(selector: string): number {
  return selector.endsWith('*') ? selector.length : Number.MAX_SAFE_INTEGER;
}

/** The option messages of an RPC, the weakest first. */
export function methodRulesFor(rules: readonly MethodRule[], rpc: string): OptionMessage[] {
  return rules.filter(({ selector }) => selectorMatches(selector, rpc)).map(({ option }) => option);
}

/** A selector, and its place if it is from a file. */
export interface PlacedSelector {
  readonly selector: string;
  readonly place?: SourcePlace | undefined;
}

/** Reports selectors that are malformed or match no RPC of the files. */
export function checkRpcSelectors(
  selectors: readonly PlacedSelector[],
  files: readonly FileDescriptor[],
  problems: ProblemList,
): void {
  if (selectors.length === 0) return;
  // An incomplete schema may lack RPCs, so unknown ones are not reported.
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
