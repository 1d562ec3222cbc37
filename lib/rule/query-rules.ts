/**
 * The method QUERY (RFC 10008): a safe request with a body. Gives the rules of GET a twin for it (`query_methods`), and finds out
 * which paths take it, so that answers can say so (`Accept-Query`).
 */
import type { Binding } from './binding.js';
import { compareOrigins } from './origin.js';

/** What the rules of QUERY depend on. */
export interface QueryOptions {
  /** Whether each rule of GET also takes QUERY, with the body `*`. */
  readonly queryMethods: boolean;
  /** Which of several rules that match the same requests counts. */
  readonly onDuplicate: 'error' | 'first' | 'last';
}

/** Adds the rules of QUERY that the options ask for, and tells the rules of GET, HEAD and QUERY what a QUERY at their path takes. */
export function withQueryRules(bindings: readonly Binding[], options: QueryOptions): readonly Binding[] {
  return withAcceptQuery(options.queryMethods ? withQueryTwins(bindings, options.onDuplicate) : bindings);
}

/**
 * Adds `QUERY` with the body `*` to each rule of GET. There is none for a client stream, nor at a path that has a rule of QUERY.
 * Of several rules of GET that match the same requests, only the one that counts has a twin.
 */
function withQueryTwins(bindings: readonly Binding[], onDuplicate: QueryOptions['onDuplicate']): Binding[] {
  const taken = new Set(shapesOf(bindings, 'QUERY'));
  const ordered = bindings
    .filter(({ httpMethod, method }) => httpMethod === 'GET' && !method.clientStreaming)
    .sort((a, b) => compareOrigins(a.origin, b.origin));
  if (onDuplicate === 'last') ordered.reverse();
  const twins = new Map<Binding, Binding>();
  for (const binding of ordered) {
    const { shape } = binding.template;
    if (taken.has(shape)) continue;
    taken.add(shape);
    twins.set(binding, { ...binding, httpMethod: 'QUERY', body: { kind: 'all' } });
  }
  return bindings.flatMap((binding) => {
    const twin = twins.get(binding);
    return twin === undefined ? [binding] : [binding, twin];
  });
}

function withAcceptQuery(bindings: readonly Binding[]): readonly Binding[] {
  const queries = new Map<string, Binding>();
  for (const binding of bindings) {
    if (binding.httpMethod === 'QUERY' && binding.body.kind !== 'none') queries.set(binding.template.shape, binding);
  }
  if (queries.size === 0) return bindings;
  return bindings.map((binding) => {
    const query = safeMethods.has(binding.httpMethod) ? queries.get(binding.template.shape) : undefined;
    return query === undefined ? binding : { ...binding, query: { method: query.method, body: query.body } };
  });
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'QUERY']);

function shapesOf(bindings: readonly Binding[], httpMethod: string): string[] {
  return bindings.filter((binding) => binding.httpMethod === httpMethod).map(({ template }) => template.shape);
}
