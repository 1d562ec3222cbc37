/** The proxies that are tried, one after the other. */

export interface Setup {
  readonly name: string;
  /** How many of the servers it calls. */
  readonly servers: number;
  readonly workers: number;
  /** Workers are killed, too. */
  readonly losesWorkers?: true;
  /** How often a request that may be repeated is sent at most. */
  readonly attempts: number;
  yaml(addresses: readonly string[]): string;
}

const listOf = (addresses: readonly string[]): string =>
  addresses.length === 1 ? addresses[0]! : `ipv4:${addresses.join(',')}`;

const retries = `retries: { attempts: 3, codes: [UNAVAILABLE, INTERNAL], budget: false }`;

export const setups: readonly Setup[] = [
  {
    name: 'native, one server, as it comes',
    servers: 1,
    workers: 0,
    attempts: 1,
    yaml: (all) => `upstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
  {
    name: 'native, three servers, two workers, no retries',
    servers: 3,
    workers: 2,
    attempts: 1,
    yaml: (all) => `load_balancing_policy: round_robin\nupstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
  {
    name: 'native, three servers, checked and judged, retries',
    servers: 3,
    workers: 0,
    attempts: 3,
    yaml: (all) => `${retries}
upstreams:
  default:
    target: ${JSON.stringify(listOf(all))}
    load_balancing_policy: least_request
    health_check: { kind: tcp, interval: 200ms, timeout: 200ms, unhealthy_threshold: 2, healthy_threshold: 1 }
    outlier_detection: {}
`,
  },
  {
    name: 'native, pick_first of three, two workers, retries',
    servers: 3,
    workers: 2,
    attempts: 3,
    yaml: (all) => `${retries}\nupstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
  {
    name: 'native, three servers, two workers that are killed, no retries',
    servers: 3,
    workers: 2,
    losesWorkers: true,
    attempts: 1,
    yaml: (all) => `load_balancing_policy: round_robin\nupstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
  {
    name: 'grpc-js, three servers, no retries',
    servers: 3,
    workers: 0,
    attempts: 1,
    yaml: (all) =>
      `upstream_client: grpc-js\nload_balancing_policy: round_robin\nupstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
  {
    name: 'grpc-js, one server, two workers, retries',
    servers: 1,
    workers: 2,
    attempts: 3,
    yaml: (all) => `${retries}\nupstream_client: grpc-js\nupstreams: { default: ${JSON.stringify(listOf(all))} }`,
  },
];
