/** Settings → what is decided at the end of an attempt. Made once at the start; never changes. */
import type { CallStatus, RetryRules } from '../exchange.js';
import { Code } from '../status.js';
import type { BudgetSettings } from './budget.js';
import type { retriableFailures, RetrySettings } from './options.js';

/** The jitter of gRPC. */
const JITTER = 0.2;

const DEFAULT_BUDGET: BudgetSettings = { maxTokens: 100, tokenRatio: 0.1 };

/** Not even a service that began the work would answer so. */
const UNTOUCHED_HTTP: ReadonlySet<number> = new Set([429, 503]);

/** Which attempts of a call are followed by another one. */
export class RetryPolicy implements RetryRules {
  readonly maxAttempts: number;
  readonly perTryTimeoutMs: number | undefined;
  readonly maxBufferedBytes: number;
  readonly budget: BudgetSettings | undefined;
  private readonly codes: ReadonlySet<number>;
  private readonly failures: ReadonlySet<string> | undefined;
  private readonly httpStatuses: ReadonlySet<number | '5xx'> | undefined;

  /**
   * @param isIdempotent the RPC may be repeated, as far as the schema says. `idempotent` of the settings goes before it. Of
   * others only UNAVAILABLE counts, and nothing that may have been done already.
   */
  constructor(
    private readonly settings: RetrySettings,
    isIdempotent: boolean,
  ) {
    const { attempts = 3, codes = [Code.UNAVAILABLE], maxBufferedBytes = 1024 ** 2 } = settings;
    const { idempotent = isIdempotent, failures, httpStatuses } = settings;
    this.isRepeatable = idempotent;
    this.maxAttempts = attempts;
    this.maxBufferedBytes = maxBufferedBytes;
    this.perTryTimeoutMs = idempotent ? settings.perTryTimeoutMs : undefined;
    this.codes = new Set(codes.filter((code) => idempotent || code === Code.UNAVAILABLE));
    this.failures = failures && new Set(failures);
    this.httpStatuses = httpStatuses && new Set(httpStatuses);
    this.budget = 'budget' in settings ? settings.budget && { ...DEFAULT_BUDGET, ...settings.budget } : DEFAULT_BUDGET;
  }

  private readonly isRepeatable: boolean;

  mayRetry({ code, failure, answeredStatus }: CallStatus): boolean {
    switch (failure) {
      case undefined:
        return this.codes.has(code);
      case 'local':
        return false;
      case 'answer':
        return this.takesAnswer(answeredStatus ?? 200, code);
      case 'reset':
      case 'timeout':
        return this.isRepeatable && this.takesFailure(failure, code);
      default:
        return this.takesFailure(failure, code);
    }
  }

  private takesFailure(failure: (typeof retriableFailures)[number], code: number): boolean {
    return this.failures === undefined ? failure === 'timeout' || this.codes.has(code) : this.failures.has(failure);
  }

  private takesAnswer(status: number, code: number): boolean {
    if (!this.isRepeatable && !UNTOUCHED_HTTP.has(status)) return false;
    const { httpStatuses } = this;
    if (httpStatuses === undefined) return this.codes.has(code);
    return httpStatuses.has(status) || (status >= 500 && httpStatuses.has('5xx'));
  }

  /**
   * The pause before an attempt, in milliseconds.
   * @param retries how many pauses there were since the first attempt, or since a service said when to come back
   * @param random from 0 to 1
   */
  backoffMs(retries: number, random: number = Math.random()): number {
    const { initialBackoffMs = 50, backoffMultiplier = 2 } = this.settings;
    const { maxBackoffMs = Math.max(1000, initialBackoffMs) } = this.settings;
    const exact = Math.min(maxBackoffMs, Math.min(initialBackoffMs, maxBackoffMs) * backoffMultiplier ** retries);
    return exact * (1 + JITTER * (2 * random - 1));
  }
}

/** The policies of a setting: for RPCs that may be repeated, and for others. */
export interface RetryPolicies {
  readonly idempotent: RetryPolicy;
  readonly others: RetryPolicy;
}

/** Undefined: nothing is sent again. */
export function compileRetries(settings: RetrySettings | undefined): RetryPolicies | undefined {
  return settings && { idempotent: new RetryPolicy(settings, true), others: new RetryPolicy(settings, false) };
}
