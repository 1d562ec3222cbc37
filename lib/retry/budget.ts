/**
 * How much may be sent again to one upstream: tokens, as gRPC's retry throttling has them
 * (https://github.com/grpc/proposal/blob/master/A6-client-retries.md). If most calls fail, repeating them makes it worse.
 */

/** The size of a budget. */
export interface BudgetSettings {
  /** At the start, and the most. */
  readonly maxTokens: number;
  /** What a success gives back; a failed attempt costs 1. */
  readonly tokenRatio: number;
}

/** The tokens of one upstream. */
export class RetryBudget {
  private tokens: number;

  constructor(private readonly settings: BudgetSettings) {
    this.tokens = settings.maxTokens;
  }

  /** False: nothing is sent again now. */
  get allows(): boolean {
    return this.tokens > this.settings.maxTokens / 2;
  }

  onSuccess(): void {
    this.tokens = Math.min(this.settings.maxTokens, this.tokens + this.settings.tokenRatio);
  }

  onFailure(): void {
    this.tokens = Math.max(0, this.tokens - 1);
  }
}

/** Limit of upstreams with a budget; of many more, those that came first start anew. */
const MAX_BUDGETS = 10_000;

/** The budgets of all upstreams: the same for all listeners and, after a reload, for the new configuration. */
export class RetryBudgets {
  private readonly known = new Map<string, RetryBudget>();

  /** @param target of the upstream, or the name of the cluster */
  of(target: string, settings: BudgetSettings): RetryBudget {
    const key = `${settings.maxTokens} ${settings.tokenRatio} ${target}`;
    let budget = this.known.get(key);
    if (budget === undefined) {
      const [oldest] = this.known.keys();
      if (oldest !== undefined && this.known.size >= MAX_BUDGETS) this.known.delete(oldest);
      budget = new RetryBudget(settings);
      this.known.set(key, budget);
    }
    return budget;
  }
}
