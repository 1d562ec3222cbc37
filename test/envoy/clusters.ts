/** Clusters of several servers, and which of them Envoy and photongate call. */
import type { HealthServer } from '../support/health-server.js';
import { type BootstrapParts, endpointsAt } from './bootstrap.js';

/** What is compared of the calls of each server. */
export type CallCounts = 'which' | 'how many';

export interface PeerCluster {
  readonly name: string;
  /** Two servers. */
  readonly parts: (ports: readonly number[]) => BootstrapParts;
  /** Before they are asked. */
  readonly prepare?: (servers: readonly HealthServer[]) => void;
  /** What servers the first calls go to is known only after a while: calls are made until it is so. */
  readonly settled?: (counts: readonly number[]) => boolean;
  /** Headers of each request. */
  readonly requests: readonly Readonly<Record<string, string>>[];
  readonly compares: CallCounts;
}

const users = Array.from({ length: 40 }, (_, index) => ({ 'x-user': `user ${index}` }));
const times = (count: number): Record<string, string>[] => Array.from({ length: count }, () => ({}));
const grpcCheck =
  'health_checks: [{ timeout: 5s, interval: 0.05s, unhealthy_threshold: 2, healthy_threshold: 1, no_traffic_interval: 0.05s, grpc_health_check: {} }]';

export const clusters: readonly PeerCluster[] = [
  {
    name: 'a server that fails its checks by gRPC',
    parts: (ports) => ({ cluster: grpcCheck, endpoints: endpointsAt(ports) }),
    prepare: ([one]) => (one!.isWell = false),
    settled: ([one, two]) => one === 0 && two! > 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'a server that fails its checks by HTTP/2',
    parts: (ports) => ({
      cluster:
        'health_checks: [{ timeout: 5s, interval: 0.05s, unhealthy_threshold: 2, healthy_threshold: 1, no_traffic_interval: 0.05s, http_health_check: { path: /healthz, codec_client_type: HTTP2 } }]',
      endpoints: endpointsAt(ports),
    }),
    prepare: ([one]) => (one!.isWell = false),
    settled: ([one, two]) => one === 0 && two! > 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'a server that is ejected',
    parts: (ports) => ({
      cluster:
        'outlier_detection: { consecutive_5xx: 3, base_ejection_time: 300s, max_ejection_percent: 50, enforcing_success_rate: 0 }',
      endpoints: endpointsAt(ports),
    }),
    prepare: ([one]) => (one!.code = 14),
    settled: ([one, two]) => one === 0 && two! > 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'the second priority, if the first is not well',
    parts: ([one, two]) => ({
      cluster: grpcCheck,
      endpoints: `${endpointsAt([one!])}\n      ${endpointsAt([two!], 'priority: 1')}`,
    }),
    prepare: ([one]) => (one!.isWell = false),
    settled: ([one, two]) => one === 0 && two! > 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'the first priority, if it is well',
    parts: ([one, two]) => ({
      cluster: grpcCheck,
      endpoints: `${endpointsAt([one!])}\n      ${endpointsAt([two!], 'priority: 1')}`,
    }),
    settled: ([one, two]) => one! > 0 && two === 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'panic: all get calls if none is well',
    parts: (ports) => ({ cluster: grpcCheck, endpoints: endpointsAt(ports) }),
    prepare: (servers) => servers.forEach((server) => (server.isWell = false)),
    settled: ([one, two]) => one! > 0 && two! > 0,
    requests: times(10),
    compares: 'how many',
  },
  {
    name: 'no panic: calls fail if none is well',
    parts: (ports) => ({
      cluster: `${grpcCheck}\n    common_lb_config: { healthy_panic_threshold: { value: 0 } }`,
      endpoints: endpointsAt(ports),
    }),
    prepare: (servers) => servers.forEach((server) => (server.isWell = false)),
    settled: ([one, two]) => one === 0 && two === 0,
    requests: times(5),
    compares: 'how many',
  },
  {
    name: 'a ring: the same value of a header, the same server',
    parts: (ports) => ({
      cluster: 'lb_policy: RING_HASH',
      endpoints: endpointsAt(ports),
      action: 'hash_policy: [{ header: { header_name: X-User } }]',
    }),
    settled: ([one, two]) => one! > 0 && two! > 0,
    requests: users,
    compares: 'which',
  },
];

/** Requests that come at once, of which a cluster takes some. */
export interface PeerCrowd {
  readonly name: string;
  /** One server. */
  readonly parts: (port: number) => BootstrapParts;
  /** `GET /v1/things/a`, once for each. */
  readonly lines: readonly string[];
  /** How many the cluster takes. */
  readonly taken: number;
}

const crowdOf = (line: string, count: number): string[] => Array.from({ length: count }, () => line);
const twoCalls = 'circuit_breakers: { thresholds: [{ max_requests: 2 }] }';

export const crowds: readonly PeerCrowd[] = [
  {
    name: 'a crowd of transcoded requests',
    parts: (port) => ({ cluster: twoCalls, endpoints: endpointsAt([port]) }),
    lines: crowdOf('GET /v1/things/a', 6),
    taken: 2,
  },
  {
    name: 'a crowd of transcoded requests, with converted errors',
    parts: (port) => ({ cluster: twoCalls, endpoints: endpointsAt([port]), transcoder: 'convert_grpc_status: true' }),
    lines: crowdOf('GET /v1/things/a', 4),
    taken: 2,
  },
  {
    name: 'a crowd of requests that are passed on',
    parts: (port) => ({ cluster: twoCalls, endpoints: endpointsAt([port]) }),
    lines: crowdOf('GET /nope', 5),
    taken: 2,
  },
  {
    name: 'a crowd, and no thresholds',
    parts: (port) => ({ cluster: 'circuit_breakers: {}', endpoints: endpointsAt([port]) }),
    lines: crowdOf('GET /v1/things/a', 40),
    taken: 40,
  },
];
