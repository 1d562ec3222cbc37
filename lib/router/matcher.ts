/**
 * Which rule a request takes: HTTP method and raw path → the value that was added for the best template, and where its
 * variables lie in the path. Second step of a request's life; nothing is decoded here and no query is looked at.
 *
 * Candidates whose verb matches come first. Among them the path decides, segment by segment from the left: literal, `*`,
 * end of template, `**`; after equal `**` the longer template, at equal length segment by segment again. Then an exact
 * HTTP method comes before kind `*`. If nothing matches, the same once more without the path's trailing slash.
 */
import { normalizeSegment } from '../uri.js';
import { PathSegments } from './segments.js';
import { captureOffsets, type Leaf, type TrieNode } from './trie.js';

/** The outcome of a match. */
export interface Match<T> {
  readonly value: T;
  /** `[start, end, start, end …]`: offsets into the raw path, a pair for each variable in the template's order. */
  readonly captures: readonly number[];
}

/** All rules that a request of one HTTP method may take, those of kind `*` included. */
export interface MethodTable<T> {
  /** Templates without verb. */
  readonly root: TrieNode<T>;
  /** By normalised verb; undefined where there is none, so that most tables never look for a colon. */
  readonly verbs: ReadonlyMap<string, TrieNode<T>> | undefined;
}

/** What `PathMatcherBuilder` hands over. */
export interface MatcherTables<T> {
  /** By HTTP method, HEAD included where GET is. */
  readonly byMethod: ReadonlyMap<string, MethodTable<T>>;
  /** Methods that no rule names: kind `*` alone. */
  readonly other: MethodTable<T> | undefined;
  /** What `allowed` tries: each method of a rule, and all that kind `*` stands for. Sorted. */
  readonly methods: readonly string[];
  readonly strictSlash: boolean;
  /** Of every rule in the table. */
  readonly values: readonly T[];
}

/** What kind `*` stands for in an `Allow` header. */
export const commonMethods: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** An immutable routing table; made by `PathMatcherBuilder`. */
export class PathMatcher<T> {
  private readonly segments = new PathSegments();

  constructor(private readonly tables: MatcherTables<T>) {}

  /** Every HTTP method that some rule answers, sorted; those of kind `*` in full. */
  get methods(): readonly string[] {
    return this.tables.methods;
  }

  /** What was added with the rules of the table; those that duplicates left out are not among them. */
  get values(): readonly T[] {
    return this.tables.values;
  }

  /**
   * The rule for a request, or undefined where there is none: `allowed` then tells 405 from 404.
   * @param rawPath the path as it was sent, without query.
   */
  match(method: string, rawPath: string): Match<T> | undefined {
    const leaf = this.find(method, rawPath);
    return leaf && { value: leaf.value, captures: captureOffsets(leaf.captures, this.segments) };
  }

  /**
   * The `Allow` list of a path, sorted: the method of every rule that a request for it could take, `HEAD` where `GET`
   * is, `OPTIONS` where anything is. Empty for an unknown path.
   */
  allowed(rawPath: string): string[] {
    const found = this.tables.methods.filter((method) => {
      const leaf = this.find(method, rawPath);
      // PURGE of one path is not promised for another that takes every method.
      return leaf !== undefined && (leaf.httpMethod !== '*' || commonMethods.includes(method));
    });
    if (found.length > 0 && !found.includes('OPTIONS')) found.push('OPTIONS');
    return found.sort();
  }

  /** Leaves the matched view of the path in `segments`, for the captures. */
  private find(method: string, rawPath: string): Leaf<T> | undefined {
    const { byMethod, other, strictSlash } = this.tables;
    // OPTIONS has a table of its own where a rule names it, so kind `*` never answers it.
    const table = byMethod.get(method) ?? (method === 'OPTIONS' ? undefined : other);
    const { segments } = this;
    if (table === undefined || !segments.cut(rawPath)) return undefined;
    const leaf = findIn(table, segments);
    if (leaf !== undefined || strictSlash || !segments.endsInSlash) return leaf;
    segments.dropTrailingSlash();
    return findIn(table, segments);
  }
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
