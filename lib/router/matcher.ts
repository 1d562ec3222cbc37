/**
 * HTTP method and raw path → the value of the most specific rule, and the positions of its variables in the path. Nothing is
 * decoded, and the query is not used.
 *
 * Templates with a matching verb come first. Then the path decides, segment by segment from the left: literal, `*`, end of
 * template, `**`; after equal `**`, the longer template, then segment by segment again. Then an exact HTTP method comes
 * before kind `*`. If nothing matches, the search is repeated without the trailing slash of the path.
 */
import { normalizeSegment } from '../uri.js';
import { PathSegments } from './segments.js';
import { captureOffsets, type Leaf, type TrieNode } from './trie.js';

/** The result of a match. */
export interface Match<T> {
  readonly value: T;
  /** `[start, end, start, end …]`: offsets into the raw path, a pair for each variable in the template's order. */
  readonly captures: readonly number[];
}

/** All rules for requests of one HTTP method, including those of kind `*`. */
export interface MethodTable<T> {
  /** Templates without verb. */
  readonly root: TrieNode<T>;
  /** By normalized verb; undefined if there is none, so that most tables need not look for a colon. */
  readonly verbs: ReadonlyMap<string, TrieNode<T>> | undefined;
}

/** What `PathMatcherBuilder` makes. */
export interface MatcherTables<T> {
  /** By HTTP method; with GET, there is also HEAD. */
  readonly byMethod: ReadonlyMap<string, MethodTable<T>>;
  /** For methods that no rule names: the rules of kind `*`. */
  readonly other: MethodTable<T> | undefined;
  /** The methods that `allowed` tries: those of rules, and all that kind `*` stands for. Sorted. */
  readonly methods: readonly string[];
  readonly strictSlash: boolean;
  /** If defined, a path with such a verb matches only templates with it. Otherwise the verb of no template is a part of an id. */
  readonly isVerb: ((verb: string) => boolean) | undefined;
  /** Of every rule in the table. */
  readonly values: readonly T[];
}

/** The methods that kind `*` stands for in an `Allow` header. */
export const commonMethods: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** An immutable routing table; made by `PathMatcherBuilder`. */
export class PathMatcher<T> {
  private readonly segments = new PathSegments();

  constructor(private readonly tables: MatcherTables<T>) {}

  /** Every HTTP method that some rule matches, sorted, including those that kind `*` stands for. */
  get methods(): readonly string[] {
    return this.tables.methods;
  }

  /** The values of all rules in the table, without those that were left out as duplicates. */
  get values(): readonly T[] {
    return this.tables.values;
  }

  /**
   * The rule for a request; undefined if there is none, and `allowed` then distinguishes 405 from 404.
   * @param rawPath the path as sent, without the query
   */
  match(method: string, rawPath: string): Match<T> | undefined {
    const leaf = this.find(method, rawPath);
    return leaf && { value: leaf.value, captures: captureOffsets(leaf.captures, this.segments) };
  }

  /**
   * The sorted `Allow` list of a path: the methods of all rules that match it, with `HEAD` for `GET`, and `OPTIONS`. Empty for
   * an unknown path.
   */
  allowed(rawPath: string): string[] {
    const found = this.tables.methods.filter((method) => {
      const leaf = this.find(method, rawPath);
      // Kind `*` only promises the common methods, not a PURGE that another rule names.
      return leaf !== undefined && (leaf.httpMethod !== '*' || commonMethods.includes(method));
    });
    if (found.length > 0 && !found.includes('OPTIONS')) found.push('OPTIONS');
    return found.sort();
  }

  /** Finds the leaf; `segments` then holds the matched path, for the captures. */
  private find(method: string, rawPath: string): Leaf<T> | undefined {
    const { byMethod, other, strictSlash, isVerb } = this.tables;
    // Kind `*` does not include OPTIONS.
    const table = byMethod.get(method) ?? (method === 'OPTIONS' ? undefined : other);
    const { segments } = this;
    if (table === undefined || !segments.cut(rawPath)) return undefined;
    if (isVerb !== undefined) return findAsEnvoy(table, segments, isVerb, strictSlash);
    const leaf = findIn(table, segments);
    if (leaf !== undefined || strictSlash || !segments.endsInSlash) return leaf;
    segments.dropTrailingSlash();
    return findIn(table, segments);
  }
}

/** A verb is never a part of an id; one before a trailing slash is no verb. All trailing slashes are ignored. */
function findAsEnvoy<T>(
  table: MethodTable<T>,
  segments: PathSegments,
  isVerb: (verb: string) => boolean,
  strictSlash: boolean,
): Leaf<T> | undefined {
  const verb = segments.verb();
  if (verb !== undefined && isVerb(verb)) return table.verbs && findWithVerb(table.verbs, segments);
  while (!strictSlash && segments.endsInSlash) segments.dropTrailingSlash();
  return table.root.find(segments, 0);
}

function findIn<T>(table: MethodTable<T>, segments: PathSegments): Leaf<T> | undefined {
  return (table.verbs && findWithVerb(table.verbs, segments)) ?? table.root.find(segments, 0);
}

function findWithVerb<T>(verbs: ReadonlyMap<string, TrieNode<T>>, segments: PathSegments): Leaf<T> | undefined {
  const verb = segments.verb();
  if (verb === undefined) return undefined;
  const root = verbs.get(verb) ?? (segments.plain ? undefined : verbs.get(normalizeSegment(verb)));
  if (root === undefined) return undefined;
  segments.hideVerb();
  const leaf = root.find(segments, 0);
  if (leaf === undefined) segments.showVerb();
  return leaf;
}
