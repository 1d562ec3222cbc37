/** One server of a cluster: what is known of it, and what it has to do. */
import type { ChannelState, ClusterHostStatus } from '../../channel-status.js';

/** What active checks say. `unchecked`: nothing yet. */
export type HealthState = NonNullable<ClusterHostStatus['health']>;

/** How fit a server is for a call; more is better. */
export const Fitness = {
  /** It failed its checks, or is ejected. */
  OUT: 0,
  /** No connection could be made, and none is tried now. */
  DOWN: 1,
  /** The last connection failed, and there is none since. */
  LOST: 2,
  /** Not connected or not checked yet. */
  NEW: 3,
  READY: 4,
} as const;

/** What operators are told of a server of a cluster. */
export interface HostStatus extends ClusterHostStatus {
  /** `10.0.0.1:50051` */
  readonly target: string;
  readonly state: ChannelState;
  /** Calls under way. */
  readonly calls: number;
}

/** Where a server stands in its cluster. */
export interface HostPlace {
  readonly name: string;
  /** At least 1. */
  readonly weight: number;
  /** 0 comes first. */
  readonly priority: number;
  /** It is in the zone of the proxy, and comes before others of its priority. */
  readonly isNear: boolean;
}

/** A server, and `value` by which it is called. */
export class Host<T> implements HostPlace {
  readonly name: string;
  readonly weight: number;
  readonly priority: number;
  readonly isNear: boolean;
  /** Calls under way. */
  active = 0;
  /** Called whenever its last call has ended; set when it is removed. */
  onIdle: (() => void) | undefined;
  /** Of the smooth weighted round: what it has saved up. */
  credit = 0;
  health: HealthState;
  healthProblem: string | undefined;
  /** Why it is ejected; undefined: it is not. */
  ejectedFor: string | undefined;
  /** As of the last `judge`. */
  fitness: number = Fitness.NEW;
  /** Since when it gets calls without a break, by `monotonicMs`. */
  servesSince: number;
  private isLost = false;
  private wasOut = false;

  /** @param isChecked by active checks; otherwise it counts as healthy */
  constructor(
    readonly value: T,
    { name, weight, priority, isNear }: HostPlace,
    private readonly connection: () => ChannelState,
    isChecked: boolean,
    now: number,
  ) {
    this.name = name;
    this.weight = weight;
    this.priority = priority;
    this.isNear = isNear;
    this.health = isChecked ? 'unchecked' : 'healthy';
    this.servesSince = now;
  }

  /** Sets `fitness`. */
  judge(now: number): number {
    this.fitness = this.fitnessNow();
    const isOut = this.fitness === Fitness.OUT;
    if (this.wasOut && !isOut) this.servesSince = now;
    this.wasOut = isOut;
    return this.fitness;
  }

  get connectionState(): ChannelState {
    return this.connection();
  }

  /** It is connected and has not failed its checks, though it may be ejected. */
  get isThere(): boolean {
    return this.health !== 'unhealthy' && this.connection() === 'ready';
  }

  private fitnessNow(): number {
    if (this.health === 'unhealthy' || this.ejectedFor !== undefined) return Fitness.OUT;
    const state = this.connection();
    if (state === 'down') this.isLost = true;
    else if (state === 'ready') this.isLost = false;
    if (this.isLost) return state === 'down' ? Fitness.DOWN : Fitness.LOST;
    return state === 'idle' || this.health === 'unchecked' ? Fitness.NEW : Fitness.READY;
  }
}
