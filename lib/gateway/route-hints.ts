/** What a request may have meant that no route takes: an empty segment, a misspelt one, or a mount left out. */
import type { PathTemplate } from '../rule/index.js';
import { nearestName } from '../status.js';
import { normalizeSegment } from '../uri.js';

/** A route as hints tell of it. */
export interface HintedRoute {
  /** Of its mount; '' for the root. */
  readonly prefix: string;
  /** `*` for every method. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
}

/** Further routes are not looked at, so that an error costs about as much as an answer. */
const MAX_ROUTES = 2000;
const MAX_SEGMENTS = 32;
const MAX_PATH_CHARS = 512;

/** More misspelt segments are another path. */
const MAX_MISSPELT = 2;

/** How a path differs from a template. */
interface Difference {
  readonly misspelt: number;
  /** Indices of template segments. */
  readonly empty: readonly number[];
}

/** Finds what a path may have meant. Cold: only errors ask. */
export class RouteHints {
  private known: readonly HintedRoute[] | undefined;

  /** @param routes asked at the first question */
  constructor(private readonly routes: () => readonly HintedRoute[]) {}

  /**
   * A part of an error message; undefined if nothing is near.
   * @param path raw, below the prefix
   * @param prefix of the mount that was asked
   * @param base what stands before all prefixes in the URL
   * @param onlyEmpty true if a misspelt path says nothing, because the path is that of another method's route
   */
  find(method: string, path: string, prefix: string, base: string, onlyEmpty = false): string | undefined {
    if (path.length > MAX_PATH_CHARS) return undefined;
    const segments = path.slice(1).split('/');
    if (segments.length > MAX_SEGMENTS) return undefined;
    let best: { readonly route: HintedRoute; readonly difference: Difference } | undefined;
    this.known ??= this.routes().slice(0, MAX_ROUTES);
    for (const route of this.known) {
      if (!isOf(route, method)) continue;
      const difference = differenceOf(segments, route.template);
      if (difference === undefined) continue;
      // The path of a mount is right but for its prefix, or the route is no nearer than one of another mount.
      const isElsewhere = route.prefix !== prefix;
      if (isElsewhere && (difference.misspelt > 0 || difference.empty.length > 0)) continue;
      if (onlyEmpty && (isElsewhere || difference.misspelt > 0 || difference.empty.length === 0)) continue;
      if (best === undefined || rank(difference) < rank(best.difference)) best = { route, difference };
    }
    if (best === undefined) return undefined;
    const { route, difference } = best;
    const whole = `${method} ${base}${route.prefix}${String(route.template)}`;
    const [first] = difference.empty;
    if (first === undefined) return `did you mean ${whole}?`;
    return `the segment for ${nameOf(route.template, first)} of ${whole} is empty: is a variable of the shell not set?`;
  }
}

function isOf({ httpMethod }: HintedRoute, method: string): boolean {
  return httpMethod === '*' || httpMethod === method || (method === 'HEAD' && httpMethod === 'GET');
}

function rank({ misspelt, empty }: Difference): number {
  return misspelt * 2 + empty.length;
}

/** Undefined if they are not near. */
function differenceOf(path: readonly string[], { segments, verb, deepIndex }: PathTemplate): Difference | undefined {
  const own = verb === undefined ? path : withoutVerb(path, verb.normal);
  if (own === undefined || deepIndex >= 0 || own.length !== segments.length) return undefined;
  let misspelt = 0;
  const empty: number[] = [];
  for (const [index, segment] of segments.entries()) {
    const given = own[index]!;
    if (segment.kind !== 'literal') {
      if (given === '') empty.push(index);
      continue;
    }
    if (normalizeSegment(given) === segment.normal) continue;
    if (++misspelt > MAX_MISSPELT || nearestName(given, [segment.text]) === undefined) return undefined;
  }
  return { misspelt, empty };
}

/** The segments without the verb; undefined if they end in another. */
function withoutVerb(path: readonly string[], verb: string): readonly string[] | undefined {
  const last = path.at(-1)!;
  const colon = last.lastIndexOf(':');
  if (colon < 0 || normalizeSegment(last.slice(colon + 1)) !== verb) return undefined;
  return [...path.slice(0, -1), last.slice(0, colon)];
}

function nameOf({ variables }: PathTemplate, index: number): string {
  const variable = variables.find(({ first, last }) => first <= index && index <= last);
  return variable === undefined ? '*' : `{${variable.fieldPath}}`;
}
