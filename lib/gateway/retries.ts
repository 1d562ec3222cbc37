/**
 * Which calls of a gateway are sent again, and what service configs allow them: decided at the start for each RPC, from the
 * options, their selectors and the channels.
 */
import type { Channel, MethodConfig, RetryRules, Rpc } from '../exchange.js';
import type { RetryBudgets } from '../retry/index.js';
import { retryingChannel, RetryPolicy, type RetryPolicies, type RetrySettings } from '../retry/index.js';
import { type Binding, type MethodRule, selectorMatches } from '../rule/index.js';
import type { MethodDescriptor } from '../schema/index.js';
import { Code, codeName, type ProblemList } from '../status.js';
import { limitedChannel } from './limited-call.js';

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
  /** One of the channels has a service config. */
  readonly hasServiceConfig: boolean;
}

/** The retries of one gateway. */
export class Retries {
  private readonly idempotent = new Set<string>();
  /** Undefined: the options say that it is not sent again. */
  private readonly policies = new Map<string, RetryPolicy | undefined>();
  /** RPCs whose deadline the options say, or their .proto files. */
  private readonly withDeadline = new Set<string>();
  private readonly hasServiceConfig: boolean;
  private readonly budgets: RetryBudgets;

  /** Reports codes of an RPC that may not be repeated: `retry-not-idempotent`. */
  constructor({ retries, rules, methods, bindings, budgets, hasServiceConfig }: RetrySources, problems: ProblemList) {
    this.budgets = budgets;
    this.hasServiceConfig = hasServiceConfig;
    for (const { method, httpMethod, options } of bindings) {
      if (isSafe(httpMethod)) this.idempotent.add(method.fullName);
      if (options.deadlineMs !== undefined) this.withDeadline.add(method.fullName);
    }
    for (const { fullName, isIdempotent } of methods) if (isIdempotent) this.idempotent.add(fullName);
    const speaking = rules.filter((rule) => rule.retries !== undefined);
    for (const { fullName } of methods) {
      let settings = retries;
      const own = speaking.filter(({ selector }) => selectorMatches(selector, fullName));
      for (const rule of own) {
        settings = rule.retries === false ? undefined : { ...settings, ...rule.retries };
        if (rule.selector === fullName) this.check(rule, settings, problems);
      }
      if (settings !== undefined) this.policies.set(fullName, new RetryPolicy(settings, this.idempotent.has(fullName)));
      else if (own.length > 0) this.policies.set(fullName, undefined);
    }
  }

  /** Calls need not be looked at, unless routes have retries. */
  get isEmpty(): boolean {
    return this.policies.size === 0 && !this.hasServiceConfig;
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
    const config = channel.methodConfigs?.of(name);
    const policy = this.policyOf(name, config, route);
    const repeated = policy === undefined ? channel : this.repeated(channel, policy, onRetry);
    return config === undefined ? repeated : limitedChannel(repeated, config, this.withDeadline.has(name));
  }

  private repeated(channel: Channel, policy: RetryRules, onRetry: (() => void) | undefined): Channel {
    if (policy.maxAttempts === 1) return channel;
    const budget = policy.budget && this.budgets.of(channel.target, policy.budget);
    return retryingChannel(channel, { policy, budget, onRetry });
  }

  /** A route goes before the options, and they go before a service config. */
  private policyOf(
    name: string,
    config: MethodConfig | undefined,
    route: RetryPolicies | undefined | 'unset',
  ): RetryRules | undefined {
    if (route !== 'unset') return this.idempotent.has(name) ? route?.idempotent : route?.others;
    return this.policies.has(name) ? this.policies.get(name) : config?.retries;
  }
}

function isSafe(httpMethod: string): boolean {
  return httpMethod === 'GET' || httpMethod === 'QUERY';
}
