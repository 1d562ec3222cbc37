/** Which of several endpoints a request goes to. */

export const balancingPolicies = ['round_robin', 'least_request', 'random'] as const;
/** How endpoints take turns. */
export type BalancingPolicy = (typeof balancingPolicies)[number];

/** An endpoint and its share of the requests. */
export interface Weighted<T> {
  readonly value: T;
  /** At least 1. */
  readonly weight: number;
}

/** An endpoint that was picked. */
export interface Picked<T> {
  readonly value: T;
  /** The request has ended; once. */
  release(): void;
}

interface Entry<T> extends Weighted<T> {
  active: number;
  /** Of the smooth weighted round: what it has saved up. */
  credit: number;
}

/** Spreads requests over endpoints by weight. */
export class Balancer<T> {
  private readonly entries: readonly Entry<T>[];
  /** Where the search for the least busy begins, so that idle endpoints take turns. */
  private start = 0;

  /**
   * @param endpoints at least one
   * @param fitness of an endpoint now; only those with the highest take part. Default: all are alike.
   */
  constructor(
    endpoints: readonly Weighted<T>[],
    private readonly policy: BalancingPolicy,
    private readonly fitness: (value: T) => number = () => 0,
  ) {
    this.entries = endpoints.map((endpoint) => ({ ...endpoint, active: 0, credit: 0 }));
  }

  pick(): Picked<T> {
    const entry = this.choose(this.fittest());
    entry.active++;
    return { value: entry.value, release: () => void entry.active-- };
  }

  /** If all are down, one of them is as good as another. */
  private fittest(): readonly Entry<T>[] {
    const { entries } = this;
    if (entries.length === 1) return entries;
    const rated = entries.map((entry) => ({ entry, fitness: this.fitness(entry.value) }));
    const best = Math.max(...rated.map(({ fitness }) => fitness));
    return rated.filter(({ fitness }) => fitness === best).map(({ entry }) => entry);
  }

  private choose(entries: readonly Entry<T>[]): Entry<T> {
    const total = entries.reduce((sum, { weight }) => sum + weight, 0);
    switch (this.policy) {
      case 'random': {
        let left = Math.random() * total;
        return entries.find(({ weight }) => (left -= weight) < 0) ?? entries[0]!;
      }
      case 'least_request': {
        const turn = this.start++ % entries.length;
        const turned = [...entries.slice(turn), ...entries.slice(0, turn)];
        return turned.reduce((best, entry) => (entry.active / entry.weight < best.active / best.weight ? entry : best));
      }
      case 'round_robin': {
        for (const entry of entries) entry.credit += entry.weight;
        const richest = entries.reduce((best, entry) => (entry.credit > best.credit ? entry : best));
        richest.credit -= total;
        return richest;
      }
    }
  }
}
