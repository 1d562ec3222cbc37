/**
 * Picks the server of a call: first the level (of a priority, the servers in the zone of the proxy, then the others), then a
 * server of that level by the policy. Servers that failed
 * their checks or are ejected get nothing, unless so many are out that the rest would be overrun (`panicThreshold`). If all
 * others are lost, those that are ejected get calls, too.
 */
import { monotonicMs } from '../../clock.js';
import { Fitness, type Host, type HostPlace } from './host.js';
import { Ring } from './ring.js';

export const balancingPolicies = ['round_robin', 'least_request', 'random', 'ring_hash', 'pick_first'] as const;
/** How servers take turns. */
export type BalancingPolicy = (typeof balancingPolicies)[number];

/** How servers are picked. */
export interface PickerOptions {
  readonly policy: BalancingPolicy;
  /**
   * If fewer servers of a level are well than this share, from 0 to 1, all of the level get calls. 0: calls fail if none is
   * well.
   */
  readonly panicThreshold: number;
  /** For so long the share of a server that comes back grows to its weight, in milliseconds; 0: it has it at once. */
  readonly slowStartMs: number;
}

/** A level is full if so many times its share of well servers is 1, as in Envoy: it can bear the loss of some of them. */
const OVERPROVISIONING = 1.4;

/** Least share of its weight that a server has in its slow start. */
const LEAST_START = 0.1;

interface Level<T> {
  readonly hosts: readonly Host<T>[];
  ring: Ring<Host<T>> | undefined;
}

/** Spreads calls over servers. */
export class Picker<T> {
  private levels: readonly Level<T>[] = [];

  constructor(private readonly options: PickerOptions) {}

  /** From now on these are the servers. */
  setHosts(hosts: readonly Host<T>[]): void {
    const ranks = [...new Set(hosts.map(rankOf))].sort((a, b) => a - b);
    this.levels = ranks.map((rank) => ({ hosts: hosts.filter((host) => rankOf(host) === rank), ring: undefined }));
  }

  /**
   * The server of the next call; undefined if none is well.
   * @param key by which `ring_hash` chooses. Default: any
   */
  pick(key?: bigint): Host<T> | undefined {
    const now = monotonicMs();
    for (const { hosts } of this.levels) for (const host of hosts) host.judge(now);
    const { level, mayPanic } = this.chooseLevel(key);
    if (level === undefined) return undefined;
    const isPanic = mayPanic && shareOf(level, Fitness.DOWN) < this.options.panicThreshold;
    const found = this.pickFrom(level, key, isPanic, now);
    if (isPanic || (found !== undefined && found.fitness >= Fitness.NEW)) return found;
    return this.pickEjected(now) ?? found;
  }

  private pickFrom(level: Level<T>, key: bigint | undefined, isPanic: boolean, now: number): Host<T> | undefined {
    if (this.options.policy === 'ring_hash') return pickFromRing(level, key ?? randomKey(), isPanic);
    const candidates = isPanic ? level.hosts : fittest(level.hosts);
    return candidates.length === 0 ? undefined : this.choose(candidates, now);
  }

  /** Where no server is there that is well, one that was ejected for its failures is better than none. */
  private pickEjected(now: number): Host<T> | undefined {
    const ejected = this.levels.flatMap(({ hosts }) => hosts.filter(({ isThere }) => isThere));
    return ejected.length === 0 ? undefined : this.choose(ejected, now);
  }

  /** `mayPanic`: too few servers of all levels together are well. */
  private chooseLevel(key: bigint | undefined): { level: Level<T> | undefined; mayPanic: boolean } {
    const { levels } = this;
    const healths = levels.map((level) => Math.min(1, OVERPROVISIONING * shareOf(level, Fitness.NEW)));
    const total = healths.reduce((sum, health) => sum + health, 0);
    const mayPanic = total < 1;
    if (total === 0) {
      // What was lost may be back; what is out is out.
      const level = levels.find((one) => shareOf(one, Fitness.DOWN) > 0) ?? levels[0];
      return { level, mayPanic };
    }
    let left = (key === undefined ? Math.random() : Number(key % 100n) / 100) * Math.min(1, total);
    const level = levels.find((_level, index) => (left -= healths[index] ?? 0) < 0);
    return { level: level ?? levels[healths.findLastIndex((health) => health > 0)], mayPanic };
  }

  private choose(hosts: readonly Host<T>[], now: number): Host<T> | undefined {
    switch (this.options.policy) {
      case 'pick_first':
      case 'ring_hash':
        return hosts[0];
      case 'random':
        return this.pickRandom(hosts, now);
      case 'least_request': {
        const one = this.pickRandom(hosts, now);
        const other = this.pickRandom(
          hosts.filter((host) => host !== one),
          now,
        );
        if (one === undefined || other === undefined) return one;
        return other.active / this.weightOf(other, now) < one.active / this.weightOf(one, now) ? other : one;
      }
      case 'round_robin': {
        let richest = hosts[0];
        let total = 0;
        for (const host of hosts) {
          const weight = this.weightOf(host, now);
          total += weight;
          host.credit += weight;
          if (richest === undefined || host.credit > richest.credit) richest = host;
        }
        if (richest !== undefined) richest.credit -= total;
        return richest;
      }
    }
  }

  private pickRandom(hosts: readonly Host<T>[], now: number): Host<T> | undefined {
    let left = Math.random() * hosts.reduce((sum, host) => sum + this.weightOf(host, now), 0);
    return hosts.find((host) => (left -= this.weightOf(host, now)) < 0) ?? hosts[0];
  }

  private weightOf({ weight, servesSince }: Host<T>, now: number): number {
    const { slowStartMs } = this.options;
    const age = now - servesSince;
    return age >= slowStartMs ? weight : weight * Math.max(LEAST_START, age / slowStartMs);
  }
}

function rankOf({ priority, isNear }: HostPlace): number {
  return 2 * priority + (isNear ? 0 : 1);
}

/** Of the servers of a level, those that are at least so fit. */
function shareOf<T>({ hosts }: Level<T>, fitness: number): number {
  let count = 0;
  for (const host of hosts) if (host.fitness >= fitness) count++;
  return count / hosts.length;
}

/** Those that are as fit as the fittest; none if all are out. */
function fittest<T>(hosts: readonly Host<T>[]): readonly Host<T>[] {
  let best: number = Fitness.DOWN;
  for (const { fitness } of hosts) if (fitness > best) best = fitness;
  return hosts.filter(({ fitness }) => fitness === best);
}

function pickFromRing<T>(level: Level<T>, key: bigint, isPanic: boolean): Host<T> | undefined {
  level.ring ??= new Ring(level.hosts);
  if (isPanic) return level.ring.find(key, () => true);
  // Who is connected does not matter: keys would move with each connection.
  return (
    level.ring.find(key, ({ fitness }) => fitness >= Fitness.NEW) ??
    level.ring.find(key, ({ fitness }) => fitness >= Fitness.DOWN)
  );
}

function randomKey(): bigint {
  return BigInt(Math.floor(Math.random() * 2 ** 32)) << 32n;
}
