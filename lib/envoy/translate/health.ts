/** Health checks, outlier detection and balancing of a cluster → members of `clusters`. */
import type { Plain } from '../../options/index.js';
import { cannot, differs, type EnvoyReader, fault, placed, type ValueOf } from '../describe.js';
import type { cluster } from '../keys/clusters.js';
import type { healthCheck, outlierDetection } from '../keys/health.js';
import { time } from './time.js';

type Cluster = ValueOf<typeof cluster>;
type HealthCheck = ValueOf<typeof healthCheck>;
type OutlierDetection = ValueOf<typeof outlierDetection>;
type PlainMap = Record<string, Plain>;

/** Envoy's own, if servers are checked. */
const PANIC_PERCENT = 50;

/** Which endpoints get calls. */
export function translateBalance(cluster: Cluster, reader: EnvoyReader): PlainMap {
  const {
    health_checks: checks = [],
    outlier_detection: outliers,
    common_lb_config: common,
    lb_policy: policy,
  } = cluster;
  const [check, ...others] = checks;
  for (const { at } of others) cannot(reader, at, 'one check counts', 'leave the others out');
  const isJudged = check !== undefined || outliers !== undefined;
  const panic = common?.healthy_panic_threshold?.value ?? (isJudged ? PANIC_PERCENT : undefined);
  const of = policy === 'LEAST_REQUEST' ? cluster.least_request_lb_config : cluster.round_robin_lb_config;
  const start = of?.slow_start_config?.slow_start_window;
  return {
    ...(check !== undefined && { health_check: translateCheck(check, reader) }),
    ...(outliers !== undefined && { outlier_detection: translateOutliers(outliers, reader) }),
    ...breakerOf(cluster, reader),
    ...(panic !== undefined && { panic_threshold: Math.min(100, panic) / 100 }),
    ...(start !== undefined && { slow_start: time(start) }),
  };
}

/** Of Envoy, for what a threshold does not say. */
const MOST_REQUESTS = 1024;
const MOST_RETRIES = 3;
/** Of ours, to a server. */
const MOST_CONNECTIONS = 32;

function breakerOf({ circuit_breakers: breakers, at: ofCluster }: Cluster, reader: EnvoyReader): PlainMap {
  const own = (breakers?.thresholds ?? []).find(({ priority = 'DEFAULT' }) => priority === 'DEFAULT');
  const {
    at = ofCluster,
    max_requests: calls = MOST_REQUESTS,
    max_pending_requests: pending = MOST_REQUESTS,
  } = own ?? {};
  const { max_retries: retries = MOST_RETRIES, max_connections: connections = MOST_REQUESTS } = own ?? {};
  if (calls === 0 || pending === 0) {
    cannot(reader, at, 'a limit of 0 would stop all calls', 'write 1 or more');
  }
  if (connections < MOST_CONNECTIONS) {
    const message = `max_connections: ${connections} cannot be honoured: up to ${MOST_CONNECTIONS} are opened to a server as calls need them`;
    cannot(reader, at, message, 'write max_requests');
  }
  const limits = {
    ...{ max_calls: Math.max(1, calls), max_pending_calls: Math.max(1, pending), max_retries: retries },
    header: 'x-envoy-overloaded',
  };
  return { circuit_breaker: placed(limits, at, reader) };
}

function translateCheck(check: HealthCheck, reader: EnvoyReader): Plain {
  const { timeout = 1000, interval = 1000, unhealthy_threshold: bad = 1, healthy_threshold: good = 1, at } = check;
  const translated = {
    ...kindOf(check, reader),
    ...{ timeout: time(timeout), interval: time(interval) },
    unhealthy_interval: time(check.unhealthy_interval ?? interval),
    ...{ unhealthy_threshold: Math.max(1, bad), healthy_threshold: Math.max(1, good) },
  };
  return placed(translated, at, reader);
}

function kindOf(check: HealthCheck, reader: EnvoyReader): PlainMap {
  const { grpc_health_check: grpc, http_health_check: http, tcp_health_check: tcp, at } = check;
  if ([grpc, http, tcp].filter((one) => one !== undefined).length !== 1) {
    fault(reader, at, 'it has no check, or too many', 'write grpc_health_check, http_health_check or tcp_health_check');
  }
  if (grpc !== undefined) {
    // Envoy asks at intervals alone.
    return { kind: 'grpc', watch: false, ...(grpc.service_name !== undefined && { service: grpc.service_name }) };
  }
  if (http === undefined) return { kind: 'tcp' };
  const { path = '/', host, expected_statuses: ranges, codec_client_type: codec = 'HTTP1' } = http;
  const statuses = ranges?.flatMap(({ start = 0, end = 0, at: where }) => {
    if (start >= 100 && end <= 600 && start < end)
      return Array.from({ length: end - start }, (_, index) => start + index);
    fault(reader, where, `found the range from ${start} to ${end}, expected one within 100 and 600`);
    return [];
  });
  return {
    ...{ kind: 'http', path, http_version: codec.toLowerCase() },
    ...(host !== undefined && { host }),
    ...(statuses !== undefined && statuses.length > 0 && { expected_statuses: statuses }),
  };
}

/** As Envoy counts them: each is a 5xx. */
const codesOf5xx = ['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'];

function translateOutliers(outliers: OutlierDetection, reader: EnvoyReader): Plain {
  const { at, base_ejection_time: base = 30_000, max_ejection_percent: percent = 10 } = outliers;
  if (outliers.enforcing_success_rate !== 0) {
    differs(
      reader,
      at,
      'no endpoint is left out for its success rate',
      'write enforcing_success_rate: 0 if that is all right',
    );
  }
  const translated = {
    consecutive_failures: enforced(outliers, 'consecutive_5xx', 'enforcing_consecutive_5xx', 100, reader),
    codes: codesOf5xx,
    consecutive_gateway_failures: enforced(
      outliers,
      'consecutive_gateway_failure',
      'enforcing_consecutive_gateway_failure',
      0,
      reader,
    ),
    base_ejection_time: time(base),
    max_ejection_time: time(Math.max(outliers.max_ejection_time ?? 300_000, base)),
    max_ejection_percent: Math.min(100, percent),
  };
  return placed(translated, at, reader);
}

/** How many failures in a row; 0: it is not enforced. */
function enforced(
  outliers: OutlierDetection,
  name: 'consecutive_5xx' | 'consecutive_gateway_failure',
  enforcing: 'enforcing_consecutive_5xx' | 'enforcing_consecutive_gateway_failure',
  usual: number,
  reader: EnvoyReader,
): number {
  const { [name]: count = 5, [enforcing]: percent = usual, at } = outliers;
  if (percent > 0 && percent < 100) {
    cannot(
      reader,
      at,
      `${enforcing} is ${percent} %, and here an endpoint is left out always or never`,
      'write 100 or 0',
    );
  }
  return percent === 0 ? 0 : count;
}
