/** How much may be under way to a cluster at once: what is more fails at once, and nothing is queued for it. */
import type { RetryLimit } from '../../exchange.js';
import { type HeaderFields, isHeaderName } from '../../headers.js';
import { checkedText, type GivenOf, field, integerValue, OptionError, record } from '../../options/index.js';

const count = integerValue(1, 1_000_000_000);

const breakerFields = {
  max_calls: field(count, 'calls and requests at once. Default: any number'),
  max_pending_calls: field(
    count,
    'calls that wait for a connection, or for room on one, at once. A call that would wait too fails. Default: any number',
  ),
  max_retries: field(
    integerValue(0, 1_000_000_000),
    'calls that are sent again at once, or wait for that. Default: any number',
  ),
  header: field(
    checkedText({
      placeholder: 'NAME',
      description: 'the name of a header',
      code: 'config-type',
      convert: (name) => (isHeaderName(name) ? name.toLowerCase() : undefined),
    }),
    'a header of the answers to what is too much, with the value true, such as x-envoy-overloaded. Default: none',
  ),
};

/** `circuit_breaker` of a cluster or an upstream. */
export const breakerKind = record({
  fields: breakerFields,
  about: '"circuit_breaker"',
  expected: '"circuit_breaker" is a map such as { max_calls: 1000, max_pending_calls: 100, max_retries: 3 }',
  check({ header: _header, ...given }) {
    if (Object.keys(given).length > 0) return;
    throw new OptionError('"circuit_breaker" limits nothing; write max_calls, max_pending_calls or max_retries');
  },
});

/** Limits of a cluster; what is not given has none. */
export type BreakerOptions = GivenOf<typeof breakerFields>;

/** Counts what is under way to one cluster. */
export class CircuitBreaker {
  private calls = 0;
  private retries = 0;
  /** Undefined: any number of calls may be sent again. */
  readonly retryLimit: RetryLimit | undefined;

  /** @param waiting calls that wait for a connection now */
  constructor(
    private readonly options: BreakerOptions,
    private readonly waiting: () => number,
  ) {
    const { maxRetries } = options;
    this.retryLimit = maxRetries === undefined ? undefined : this.limitOf(maxRetries);
  }

  /** Of answers to what is too much. */
  get headers(): HeaderFields {
    const { header } = this.options;
    return header === undefined ? [] : [header, 'true'];
  }

  /** Why no more may start; undefined: it may. After that, `begin` and `end` count it. */
  refusal(): string | undefined {
    const { maxCalls = Infinity, maxPendingCalls } = this.options;
    if (this.calls >= maxCalls) return `${maxCalls} calls are under way (max_calls)`;
    if (maxPendingCalls === undefined || this.waiting() < maxPendingCalls) return undefined;
    return `${maxPendingCalls} calls wait for a connection (max_pending_calls)`;
  }

  begin(): void {
    this.calls++;
  }

  end(): void {
    this.calls--;
  }

  private limitOf(maxRetries: number): RetryLimit {
    return {
      take: () => {
        if (this.retries >= maxRetries) return false;
        this.retries++;
        return true;
      },
      release: () => void this.retries--,
    };
  }
}
