/** What a configuration says of the servers of a cluster besides where they are. */
import type { BreakerOptions } from './breaker.js';
import type { HealthCheckOptions, OutlierOptions } from './options.js';
import type { BalancingPolicy } from './picker.js';

/** How servers are judged and picked. */
export interface ClusterBalancing {
  readonly policy: BalancingPolicy;
  /** Header whose value `ring_hash` goes by, unless the route says another. Default: any server. */
  readonly hashHeader?: string | undefined;
  /** See `PickerOptions`. Default 0. */
  readonly slowStartMs?: number | undefined;
  /** See `PickerOptions`. Default 0. */
  readonly panicThreshold?: number | undefined;
  /** Default: servers are judged by their connections. */
  readonly healthCheck?: HealthCheckOptions | undefined;
  /** Default: any number of calls may be under way. */
  readonly circuitBreaker?: BreakerOptions | undefined;
  /** Default: no server is left out for its failures. */
  readonly outlierDetection?: OutlierOptions | undefined;
}
