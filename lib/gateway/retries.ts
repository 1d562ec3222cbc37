/** Which calls of a gateway are sent again: decided at the start for each RPC, from the options and their selectors. */
import type { Channel, Rpc } from '../exchange.js';
import type { RetryBudgets } from '../retry/index.js';
import { retryingChannel, RetryPolicy, type RetryPolicies, type RetrySettings } from '../retry/index.js';
import { type Binding, type MethodRule, selectorMatches } from '../rule/index.js';
import type { MethodDescriptor } from '../schema/index.js';
import { Code, codeName, type ProblemList } from '../status.js';

/** What the start knows of retries. */
export interface RetrySources {
  /** Of all RPCs. */
  readonly retries: RetrySettings | undefined;
  /** The least specific first. */
  readonly rules: readonly MethodRule[];
  readonly methods: readonly MethodDescriptor[];
  /** A rule for GET or QUERY says that its RPC may be repeated. */
  readonly bindings: readonly Binding[];
  readonly budgets: RetryBudgets;
}

/** The retries of one gateway. */
export class Retries {
  private readonly idempotent = new Set<string>();
  private readonly policies = new Map<string, RetryPolicy>();
  private readonly budgets: RetryBudgets;

  /** Reports codes of an RPC that may not be repeated: `retry-not-idempotent`. */
  constructor({ retries, rules, methods, bindings, budgets }: RetrySources, problems: ProblemList) {
    this.budgets = budgets;
    for (const { method, httpMethod } of bindings) if (isSafe(httpMethod)) this.idempotent.add(method.fullName);
    for (const { fullName, isIdempotent } of methods) if (isIdempotent) this.idempotent.add(fullName);
    const speaking = rules.filter((rule) => rule.retries !== undefined);
    for (const { fullName } of methods) {
      let settings = retries;
      for (const rule of speaking.filter(({ selector }) => selectorMatches(selector, fullName))) {
        settings = rule.retries === false ? undefined : { ...settings, ...rule.retries };
        if (rule.selector === fullName) this.check(rule, settings, problems);
      }
      if (settings === undefined) continue;
      this.policies.set(fullName, new RetryPolicy(settings, this.idempotent.has(fullName)));
    }
  }

  /** Without any, calls need not be looked at, unless routes have some. */
  get isEmpty(): boolean {
    return this.policies.size === 0;
  }

  /** Codes that would count for nothing, though they are given for this very RPC. */
  private check(
    { selector, place, retries }: MethodRule,
    settings: RetrySettings | undefined,
    problems: ProblemList,
  ): void {
    if (retries === undefined || retries === false || settings === undefined) return;
    if (settings.idempotent ?? this.idempotent.has(selector)) return;
    const code = retries.codes?.find((one) => one !== Code.UNAVAILABLE);
    if (code === undefined) return;
    problems.error({
      code: 'retry-not-idempotent',
      message: `${selector} is to be sent again after ${codeName(code)}, and nothing says that it may be done twice`,
      place,
      rpc: selector,
      hint: 'declare option idempotency_level = IDEMPOTENT in the .proto file, or write retries: { idempotent: true, … }',
    });
  }

  /**
   * The channel of one call.
   * @param route what its route says in place of the options. Default: nothing
   */
  channelFor(
    channel: Channel,
    { name }: Pick<Rpc, 'name'>,
    onRetry: (() => void) | undefined,
    route: RetryPolicies | undefined | 'unset' = 'unset',
  ): Channel {
    const policy =
      route === 'unset' ? this.policies.get(name) : this.idempotent.has(name) ? route?.idempotent : route?.others;
    if (policy === undefined || policy.maxAttempts === 1) return channel;
    const budget = policy.budget && this.budgets.of(channel.target, policy.budget);
    return retryingChannel(channel, { policy, budget, onRetry });
  }
}

function isSafe(httpMethod: string): boolean {
  return httpMethod === 'GET' || httpMethod === 'QUERY';
}
