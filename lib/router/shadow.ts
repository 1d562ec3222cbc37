/**
 * Finds rules that no request can reach, for `photongate check`. The search is sound but not complete: it finds a rule that a
 * single other rule of its verb hides, not one that several rules hide together.
 *
 * Only a template with segments after its `**` can be hidden: `/**` + `/x/y` by `/*` + `/**`, which matches every path of two
 * or more segments and is more specific at the first one.
 */
import type { PathTemplate, Segment } from '../rule/index.js';

interface Rule {
  readonly httpMethod: string;
  readonly template: PathTemplate;
}

/** Hidden rules, each with the rule that hides it. */
export function findShadowed<R extends Rule>(rules: readonly R[]): { readonly rule: R; readonly by: R }[] {
  return pairs(rules, ({ template }) => template.deepIndex >= 0, winsAllPaths);
}

/**
 * Rules that end in `**`, each with a rule that has one more `*` after it. The longer rule wins every path, except those in
 * which the `**` is empty or has an empty segment (a trailing slash, or `//`). Usually both rules were meant to be used,
 * such as Firestore's documents and collections.
 */
export function findMostlyHidden<R extends Rule>(rules: readonly R[]): { readonly rule: R; readonly by: R }[] {
  return pairs(rules, ({ template }) => template.deepIndex === template.segments.length - 1, extendsByOne);
}

/** Each candidate with the first rule of its method and verb that wins over it. */
function pairs<R extends Rule>(
  rules: readonly R[],
  isCandidate: (rule: R) => boolean,
  wins: (winner: PathTemplate, template: PathTemplate) => boolean,
): { readonly rule: R; readonly by: R }[] {
  return rules.filter(isCandidate).flatMap((rule) => {
    const by = rules.find((other) => sameRequests(other, rule) && wins(other.template, rule.template));
    return by === undefined ? [] : [{ rule, by }];
  });
}

/** True if the winner matches the method and verb of every request for the rule. */
function sameRequests(winner: Rule, rule: Rule): boolean {
  return (
    winner.template.verb?.normal === rule.template.verb?.normal && coversMethod(winner.httpMethod, rule.httpMethod)
  );
}

function extendsByOne(longer: PathTemplate, template: PathTemplate): boolean {
  return (
    longer.segments.length === template.segments.length + 1 &&
    longer.segments[template.segments.length]!.kind === '*' &&
    template.segments.every((segment, index) => isSame(segment, longer.segments[index]!))
  );
}

/** True if every request method that matches `method` also matches the winner's. */
function coversMethod(winner: string, method: string): boolean {
  if (winner === method) return true;
  if (winner === 'GET') return method === 'HEAD';
  return winner === '*' && method !== 'OPTIONS';
}

/**
 * True if the winner equals the rule up to the rule's `**` and has a `*` there, which makes it more specific, and if it is not
 * longer than the rule and its front and end match every path of the rule.
 */
function winsAllPaths(winner: PathTemplate, rule: PathTemplate): boolean {
  const front = rule.deepIndex;
  const deep = winner.deepIndex;
  if (deep <= front || winner.segments.length > rule.segments.length) return false;
  const back = rule.segments.slice(front + 1).reverse();
  return (
    winner.segments
      .slice(0, deep)
      .every((segment, index) => (index < front ? isSame(segment, rule.segments[index]!) : segment.kind === '*')) &&
    winner.segments
      .slice(deep + 1)
      .reverse()
      .every((segment, index) => segment.kind === '*' || isSame(segment, back[index]!))
  );
}

function isSame(a: Segment, b: Segment): boolean {
  return a.kind === 'literal' && b.kind === 'literal' ? a.normal === b.normal : a.kind === b.kind;
}
