/**
 * Rules → routing table, at a start or reload. Reports rules that match the same requests. The order in which rules are added
 * does not matter.
 */
import { compareOrigins, type PathTemplate, placeText, type RuleOrigin } from '../rule/index.js';
import type { Problem, ProblemList } from '../status.js';
import { commonMethods, PathMatcher, type MethodTable } from './matcher.js';
import { findMostlyHidden, findShadowed } from './shadow.js';
import { captureLayout, TrieNode, type Leaf } from './trie.js';

/** What happens to rules that match the same requests. */
export type OnDuplicate = 'error' | 'first' | 'last';

/** The options of a routing table. */
export interface RouterOptions {
  /** If false (the default), a trailing slash is ignored when no rule matches with it. */
  readonly strictSlash?: boolean;
  /**
   * For two rules of the same method and shape: `error` (the default), `first` or `last`. The order is that in which the files
   * were named, then by file name, then by declaration. grpc-gateway keeps the last rule. A rule that is left out is a warning.
   */
  readonly onDuplicate?: OnDuplicate;
  /**
   * When the text after the last colon is a verb: `of_route` (the default), if a rule with this verb matches the rest of the path;
   * `of_any_route`, if any rule has this verb; `every_colon`, always. The last two are Envoy's.
   */
  readonly customVerbs?: CustomVerbs;
}

/** The values of `RouterOptions.customVerbs`. */
export type CustomVerbs = 'of_route' | 'of_any_route' | 'every_colon';

/** What the table needs from a rule. */
export interface RoutingRule {
  /** Compared exactly as written; `*` is every method but OPTIONS. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  readonly origin: RuleOrigin;
}

interface AddedRule<T> extends RoutingRule, Leaf<T> {}

/**
 * Collects rules, then makes a `PathMatcher`.
 */
export class PathMatcherBuilder<T> {
  private readonly rules: AddedRule<T>[] = [];
  private readonly strictSlash: boolean;
  private readonly onDuplicate: OnDuplicate;
  private readonly customVerbs: CustomVerbs;

  constructor(options: RouterOptions = {}) {
    this.strictSlash = options.strictSlash ?? false;
    this.onDuplicate = options.onDuplicate ?? 'error';
    this.customVerbs = options.customVerbs ?? 'of_route';
  }

  /** Adds a rule, such as a `Binding`; a match returns `value`. */
  add({ httpMethod, template, origin }: RoutingRule, value: T): this {
    this.rules.push({ httpMethod, template, origin, value, captures: captureLayout(template) });
    return this;
  }

  /** Makes the table. If duplicates are an error, it has the first one, so that the caller can go on and report all problems. */
  build(problems: ProblemList): PathMatcher<T> {
    const kept = this.withoutDuplicates(problems);
    const methods = new Set(kept.map((rule) => rule.httpMethod));
    const byMethod = new Map<string, MethodTable<T>>();
    for (const method of methods) {
      if (method !== '*') byMethod.set(method, tableFor(method, kept));
    }
    const get = byMethod.get('GET');
    if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get);
    return new PathMatcher({
      byMethod,
      other: methods.has('*') ? tableFor('*', kept) : undefined,
      methods: [...new Set([...byMethod.keys(), ...(methods.has('*') ? commonMethods : [])])].sort(),
      strictSlash: this.strictSlash,
      isVerb: verbTest(this.customVerbs, kept),
      values: kept.map((rule) => rule.value),
    });
  }

  /** Warns of each rule that another one hides completely or almost. Slow; for `photongate check`. */
  reportShadowed(problems: ProblemList): void {
    for (const { rule, by } of findShadowed(this.rules)) {
      problems.warn({
        ...problemPlace(rule),
        code: 'shadowed-route',
        message: `no request can reach ${ruleText(rule)}: ${ruleText(by)} of ${whereText(by)} always comes first`,
        hint: 'drop this rule or change one of the two templates',
      });
    }
    for (const { rule, by } of findMostlyHidden(this.rules)) {
      problems.warn({
        ...problemPlace(rule),
        code: 'shadowed-route',
        message:
          `only a path where its ** is empty or has an empty segment reaches ${ruleText(rule)}: ` +
          `${ruleText(by)} of ${whereText(by)} comes first for all others`,
        hint: 'spell out in both how many segments there are, such as a/*/b/*',
      });
    }
  }

  private withoutDuplicates(problems: ProblemList): AddedRule<T>[] {
    const kept = new Map<string, AddedRule<T>>();
    const ordered = this.rules.toSorted((a, b) => compareOrigins(a.origin, b.origin));
    if (this.onDuplicate === 'last') ordered.reverse();
    for (const rule of ordered) {
      const key = `${rule.httpMethod} ${rule.template.shape}`;
      const known = kept.get(key);
      if (known === undefined) kept.set(key, rule);
      else if (this.onDuplicate === 'error') problems.error(duplicateError(rule, known));
      else problems.warn(duplicateWarning(rule, known, this.onDuplicate));
    }
    return [...kept.values()];
  }
}

function verbTest(mode: CustomVerbs, rules: readonly RoutingRule[]): ((verb: string) => boolean) | undefined {
  if (mode === 'of_route') return undefined;
  if (mode === 'every_colon') return () => true;
  const verbs = new Set(rules.flatMap(({ template }) => template.verb?.normal ?? []));
  return (verb) => verbs.has(verb);
}

/** The rules of a method by precedence: of the method itself, of GET for HEAD, of kind `*`. */
function tableFor<T>(method: string, rules: readonly AddedRule<T>[]): MethodTable<T> {
  const root = new TrieNode<T>();
  const verbs = new Map<string, TrieNode<T>>();
  for (const source of sourcesOf(method)) {
    for (const rule of rules) {
      if (rule.httpMethod === source) rootFor(rule.template, root, verbs).add(rule);
    }
  }
  return { root, verbs: verbs.size === 0 ? undefined : verbs };
}

function sourcesOf(method: string): string[] {
  if (method === '*' || method === 'OPTIONS') return [method];
  return method === 'HEAD' ? ['HEAD', 'GET', '*'] : [method, '*'];
}

function rootFor<T>(template: PathTemplate, root: TrieNode<T>, verbs: Map<string, TrieNode<T>>): TrieNode<T> {
  if (template.verb === undefined) return root;
  const { normal } = template.verb;
  let node = verbs.get(normal);
  if (node === undefined) verbs.set(normal, (node = new TrieNode()));
  return node;
}

function duplicateError(rule: RoutingRule, known: RoutingRule): Problem {
  return {
    ...problemPlace(rule),
    code: 'duplicate-route',
    message: `${ruleText(rule)} of ${whereText(rule)} matches the same requests as ${ruleText(known)} of ${whereText(known)}`,
    hint: 'change one of the two templates (variable names make no difference), or keep one with on_duplicate: first, or last',
  };
}

function duplicateWarning(rule: RoutingRule, known: RoutingRule, which: 'first' | 'last'): Problem {
  return {
    ...problemPlace(rule),
    code: 'duplicate-route',
    message: `${ruleText(rule)} of ${whereText(rule)} is left out: ${ruleText(known)} of ${whereText(known)} matches the same requests and comes ${which}`,
  };
}

function problemPlace({ origin, template }: RoutingRule): Pick<Problem, 'place' | 'rpc' | 'template'> {
  return { place: origin.place, rpc: origin.rpc, template: template.source };
}

function ruleText({ httpMethod, template }: RoutingRule): string {
  return `${httpMethod} ${template.source}`;
}

function whereText({ origin }: RoutingRule): string {
  return `${origin.rpc} (${placeText(origin.place)})`;
}
