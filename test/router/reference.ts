/**
 * The matching rules of docs read literally, with no care for speed: every template is tried on its own, and the winners
 * are compared pair by pair. What the property test holds the trie against.
 */
import { normalizeSegment } from '../../lib/uri.js';

interface ReferenceRule {
  readonly text: string;
  readonly method: string;
  readonly pattern: readonly string[];
  readonly verb: string;
}

/** Templates here are bare: literals, `*`, `**` and a verb. */
export function parseRule(text: string): ReferenceRule {
  const [method, template] = text.split(' ') as [string, string];
  const [path, verb = ''] = template.split(':') as [string, string | undefined];
  return { text, method, pattern: path === '/' ? [] : path.slice(1).split('/'), verb };
}

/** The text of the rule that takes the request. */
export function referenceMatch(rules: readonly string[], method: string, path: string): string | undefined {
  const parsed = rules.map(parseRule);
  const whole = best(parsed, method, path);
  if (whole !== undefined || !path.endsWith('/') || path === '/' || path === '//') return whole;
  return best(parsed, method, path.slice(0, -1));
}

function best(rules: readonly ReferenceRule[], method: string, path: string): string | undefined {
  const colon = path.lastIndexOf(':');
  const verb = colon > path.lastIndexOf('/') ? normalizeSegment(path.slice(colon + 1)) : '';
  const mine = rules.filter((rule) => takes(rule.method, method));
  const withVerb = mine.filter((rule) => verb !== '' && rule.verb === verb && fits(rule, path.slice(0, colon)));
  const candidates = withVerb.length > 0 ? withVerb : mine.filter((rule) => rule.verb === '' && fits(rule, path));
  return candidates.toSorted((a, b) => compare(a, b, method))[0]?.text;
}

function takes(rule: string, method: string): boolean {
  return rule === method || (rule === '*' && method !== 'OPTIONS') || (rule === 'GET' && method === 'HEAD');
}

function fits({ pattern }: ReferenceRule, path: string): boolean {
  return fitsSegments(pattern, path === '/' ? [] : path.slice(1).split('/'));
}

function fitsSegments(pattern: readonly string[], segments: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return segments.length === 0;
  if (first === '**') {
    if (rest.length === 0) return true;
    for (let taken = 0; taken <= segments.length; taken++) {
      if (segments.slice(0, taken).includes('')) return false;
      if (fitsSegments(rest, segments.slice(taken))) return true;
    }
    return false;
  }
  const segment = segments[0];
  if (segment === undefined || segment === '') return false;
  return (
    (first === '*' || normalizeSegment(first) === normalizeSegment(segment)) && fitsSegments(rest, segments.slice(1))
  );
}

function compare(a: ReferenceRule, b: ReferenceRule, method: string): number {
  for (let index = 0; ; index++) {
    const [left, right] = [a.pattern[index], b.pattern[index]];
    if (left === undefined && right === undefined) break;
    if (left === '**' && right === '**') {
      if (a.pattern.length !== b.pattern.length) return b.pattern.length - a.pattern.length;
    } else if (rank(left) !== rank(right)) {
      return rank(left) - rank(right);
    }
  }
  const order = [method, method === 'HEAD' ? 'GET' : method, '*'];
  return order.indexOf(a.method) - order.indexOf(b.method);
}

function rank(segment: string | undefined): number {
  if (segment === undefined) return 2;
  return segment === '*' ? 1 : segment === '**' ? 3 : 0;
}
