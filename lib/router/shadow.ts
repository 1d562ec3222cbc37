/**
 * Rules that no request can reach, for `photongate check`. Sound, not complete: a rule is named only where a single
 * other rule of its verb wins every path that it matches; one hidden by several rules together is not found.
 *
 * Only templates with something behind their `**` can be hidden: `/**` + `/x/y` by `/*` + `/**`, which matches every
 * path of two segments and more and is the more specific at its first segment.
 */
import type { PathTemplate, Segment } from '../rule/index.js';

interface Rule {
  readonly httpMethod: string;
  readonly template: PathTemplate;
}

/** Pairs of a hidden rule and the one that hides it. */
export function findShadowed<R extends Rule>(rules: readonly R[]): { readonly rule: R; readonly by: R }[] {
  return rules
    .filter(({ template }) => template.deepIndex >= 0)
    .flatMap((rule) => {
      const by = rules.find((other) => hides(other, rule));
      return by === undefined ? [] : [{ rule, by }];
    });
}

/**
 * Pairs of a rule that ends in `**` and one that only has a `*` behind that, which is the longer and so takes every path
 * but those where the `**` is empty or has an empty segment: a trailing slash, or `//`. Mostly both were meant: Firestore's
 * documents and collections.
 */
export function findOutrun<R extends Rule>(rules: readonly R[]): { readonly rule: R; readonly by: R }[] {
  return rules
    .filter(({ template }) => template.deepIndex === template.segments.length - 1)
    .flatMap((rule) => {
      const by = rules.find((other) => sameRequests(other, rule) && extendsByOne(other.template, rule.template));
      return by === undefined ? [] : [{ rule, by }];
    });
}

function hides(winner: Rule, rule: Rule): boolean {
  return sameRequests(winner, rule) && winsAllPaths(winner.template, rule.template);
}

/** By method and verb alone. */
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

/** Every method that takes the one rule would take the other. */
function coversMethod(winner: string, method: string): boolean {
  if (winner === method) return true;
  if (winner === 'GET') return method === 'HEAD';
  return winner === '*' && method !== 'OPTIONS';
}

/**
 * The winner is the same as the rule up to the rule's `**` and has a `*` there: so it is more specific. It is no longer
 * than the rule, so that less stands behind its `**`, and what it asks of a path's front and end holds for each path of
 * the rule.
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
