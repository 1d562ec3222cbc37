/**
 * Rules → routing table, once at start or reload. Finds rules that a request could not tell apart; the order in which
 * rules are added never matters.
 */
import { compareOrigins, type PathTemplate, placeText, type RuleOrigin } from '../rule/index.js';
import type { Problem, ProblemList } from '../status.js';
import { commonMethods, PathMatcher, type MethodTable } from './matcher.js';
import { findOutrun, findShadowed } from './shadow.js';
import { captureLayout, TrieNode, type Leaf } from './trie.js';

export interface RouterOptions {
  /** A trailing slash of a request counts. Default false: it is ignored where no rule matches with it. */
  readonly strictSlash?: boolean;
  /**
   * Two rules of the same method and shape: `error` (default), or `first` to keep the one whose file was asked for
   * first, then by file name, then by declaration, with a warning for the other.
   */
  readonly onDuplicate?: 'error' | 'first';
}

/** What the table needs to know of a rule. */
export interface RoutingRule {
  /** Compared exactly as written; `*` is every method but OPTIONS. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  readonly origin: RuleOrigin;
}

interface AddedRule<T> extends RoutingRule, Leaf<T> {}

/**
 * Collects rules, then makes a `PathMatcher`. Which rule a path goes to never depends on the order in which they were added,
 * but for duplicates: two rules of the same method and shape, which are a problem or give way, as `onDuplicate` says.
 */
export class PathMatcherBuilder<T> {
  private readonly rules: AddedRule<T>[] = [];
  private readonly strictSlash: boolean;
  private readonly onDuplicate: 'error' | 'first';

  constructor(options: RouterOptions = {}) {
    this.strictSlash = options.strictSlash ?? false;
    this.onDuplicate = options.onDuplicate ?? 'error';
  }

  /** Adds a rule, a `Binding` for one; `value` is what a match gives back. */
  add({ httpMethod, template, origin }: RoutingRule, value: T): this {
    this.rules.push({ httpMethod, template, origin, value, captures: captureLayout(template) });
    return this;
  }

  /** The table. Of duplicates it holds the first, so that a caller may go on and report all problems together. */
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
      values: kept.map((rule) => rule.value),
    });
  }

  /** A warning for each rule that no request, or hardly one, can reach because another one wins. Slow; for `photongate check`. */
  reportShadowed(problems: ProblemList): void {
    for (const { rule, by } of findShadowed(this.rules)) {
      problems.warn({
        ...blame(rule),
        code: 'shadowed-route',
        message: `no request can reach ${ruleText(rule)}: ${ruleText(by)} of ${whereText(by)} always comes first`,
        hint: 'drop this rule or change one of the two templates',
      });
    }
    for (const { rule, by } of findOutrun(this.rules)) {
      problems.warn({
        ...blame(rule),
        code: 'shadowed-route',
        message:
          `only a path where its ** is empty or has an empty segment reaches ${ruleText(rule)}: ` +
          `${ruleText(by)} of ${whereText(by)} comes first for all others`,
        hint: 'spell out in both how many segments there are, such as a/*/b/*',
      });
    }
  }

  private withoutDuplicates(problems: ProblemList): AddedRule<T>[] {
    const first = new Map<string, AddedRule<T>>();
    for (const rule of this.rules.toSorted((a, b) => compareOrigins(a.origin, b.origin))) {
      const key = `${rule.httpMethod} ${rule.template.shape}`;
      const known = first.get(key);
      if (known === undefined) first.set(key, rule);
      else if (this.onDuplicate === 'error') problems.error(duplicateError(rule, known));
      else problems.warn(duplicateWarning(rule, known));
    }
    return [...first.values()];
  }
}

/** Rules in the order in which they may take the place of one shape: exact, derived, kind `*`. */
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
    ...blame(rule),
    code: 'duplicate-route',
    message: `${ruleText(rule)} of ${whereText(rule)} matches the same requests as ${ruleText(known)} of ${whereText(known)}`,
    hint: 'change one of the two templates (variable names make no difference), or keep the first with on_duplicate: first',
  };
}

function duplicateWarning(rule: RoutingRule, known: RoutingRule): Problem {
  return {
    ...blame(rule),
    code: 'duplicate-route',
    message: `${ruleText(rule)} of ${whereText(rule)} is left out: ${ruleText(known)} of ${whereText(known)} matches the same requests and comes first`,
  };
}

function blame({ origin, template }: RoutingRule): Pick<Problem, 'place' | 'rpc' | 'template'> {
  return { place: origin.place, rpc: origin.rpc, template: template.source };
}

function ruleText({ httpMethod, template }: RoutingRule): string {
  return `${httpMethod} ${template.source}`;
}

function whereText({ origin }: RoutingRule): string {
  return `${origin.rpc} (${placeText(origin.place)})`;
}
