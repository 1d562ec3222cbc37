/** Runs the filters of a listener over one request, in order. Each sees what those before it have made of the request. */
import type { HeaderFields } from '../headers.js';
import { type Claims, earlier, type Expiry } from '../policy/index.js';
import type { FilteredRequest, FilterEffect, RequestFilter } from '../routes/index.js';

/** What has become of a request that all filters let pass. */
export interface Filtered {
  readonly headers: HeaderFields;
  readonly query: string | undefined;
  /** What services are told by the proxy. */
  readonly identity: HeaderFields;
  /** When its streams end; undefined: when they do by themselves. */
  readonly expiry: Expiry | undefined;
  /** Of the tokens that filters found good. */
  readonly claims: Claims;
}

/** Who waits for the outcome; one of them is called, once, unless the run was cancelled. */
export interface FilterOutcome {
  readonly onPassed: (filtered: Filtered) => void;
  readonly onRefused: (error: unknown) => void;
  /** The headers of the answer, whichever it is, are to be changed so. */
  readonly changeAnswer: (change: NonNullable<FilterEffect['answer']>) => void;
}

export class FilterRun {
  private identity: HeaderFields = [];
  private expiry: Expiry | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(
    private readonly filters: readonly RequestFilter[],
    private request: FilteredRequest,
    private readonly outcome: FilterOutcome,
  ) {}

  start(): void {
    this.runFrom(0);
  }

  /** Nobody waits for the outcome any more. */
  cancel(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  private runFrom(first: number): void {
    for (let index = first; index < this.filters.length; index++) {
      let effect;
      try {
        effect = this.filters[index]!(this.request);
      } catch (error) {
        return this.refuse(error);
      }
      if (effect === undefined) continue;
      if (effect instanceof Promise) {
        effect.then(
          (later) => this.goOn(later, index + 1),
          (error: unknown) => this.refuse(error),
        );
        return;
      }
      return this.goOn(effect, index + 1);
    }
    this.isOver = true;
    const { headers, query, claims } = this.request;
    this.outcome.onPassed({ headers, query, identity: this.identity, claims, expiry: this.expiry });
  }

  private goOn(effect: FilterEffect | undefined, next: number): void {
    if (this.isOver) return;
    if (effect === undefined) return this.runFrom(next);
    const { waitMs, afterwards } = effect;
    if (waitMs !== undefined) {
      this.timer = setTimeout(() => {
        try {
          afterwards?.();
        } catch (error) {
          return this.refuse(error);
        }
        this.runFrom(next);
      }, waitMs);
      return;
    }
    this.take(effect);
    if (effect.refusal !== undefined) return this.refuse(effect.refusal);
    this.runFrom(next);
  }

  private take({ headers = this.request.headers, target, identity = [], claims, expiry, answer }: FilterEffect): void {
    const { query } = target ?? this.request;
    this.request = { ...this.request, headers, query, claims: { ...this.request.claims, ...claims } };
    this.identity = [...this.identity, ...identity];
    this.expiry = earlier(this.expiry, expiry);
    if (answer !== undefined) this.outcome.changeAnswer(answer);
  }

  private refuse(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.outcome.onRefused(error);
  }
}
