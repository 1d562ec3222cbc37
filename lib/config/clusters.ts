/** `clusters`: named sets of endpoints, which the routes of `virtual_hosts` lead to. */
import {
  checkedText,
  converted,
  enumValue,
  field,
  integerValue,
  type Kind,
  mapOf,
  oneOf,
  oneOrMany,
  optionalTimeValue,
  record,
  requiredField,
  timeValue,
} from '../options/index.js';
import { balancingPolicies, type ClusterSpec, parseTarget } from '../upstream/index.js';
import { upstreamTlsKind } from './upstreams.js';

const target = checkedText({
  placeholder: 'TARGET',
  description: 'a target such as 127.0.0.1:50051',
  code: 'config-type',
  convert: (text) => parseTarget(text).text,
});

const endpointRecord = record({
  fields: {
    target: requiredField(target, 'where it listens', 'an endpoint has a target such as 127.0.0.1:50051'),
    weight: field(integerValue(1, 1_000_000), 'its share of the calls. Default 1'),
  },
  about: 'an endpoint',
  expected: 'an endpoint is a target such as 127.0.0.1:50051, or a map such as { target: 127.0.0.1:50051, weight: 2 }',
});

interface Endpoint {
  readonly target: string;
  readonly weight?: number;
}

const endpoint = oneOf<Endpoint, unknown, string>(
  { ...endpointRecord, print: (value) => (value.weight === undefined ? value.target : endpointRecord.print(value)) },
  converted(target, { read: (text): Endpoint => ({ target: text }), print: ({ target: text }) => text }),
  (node) => node.kind !== 'map',
);

const clusterRecord = record({
  fields: {
    endpoints: requiredField(oneOrMany(endpoint), 'its servers', 'a cluster has endpoints'),
    protocol: field(enumValue('http2', 'http1'), 'what they speak; gRPC needs http2, the default'),
    load_balancing_policy: field(enumValue(...balancingPolicies), 'which endpoint gets a call. Default round_robin'),
    addresses: field(
      enumValue('all', 'first'),
      'calls go to all addresses of an endpoint in turn (the default), or to the first that answers',
    ),
    tls: field(upstreamTlsKind, 'they are reached by TLS'),
    connect_timeout: field(timeValue, 'how long a call waits for a connection. Default 5s'),
    dns_refresh_rate: field(optionalTimeValue, 'how often host names are resolved anew. Default 30s'),
    keepalive_time: field(optionalTimeValue, 'silence during a call after which an endpoint is asked by PING'),
    keepalive_timeout: field(timeValue, 'silence after that PING which means that it is gone'),
  },
  about: 'a cluster',
  expected: (name) => `the cluster ${name} is a map such as { endpoints: 127.0.0.1:50051 }`,
});

type ClusterSettings = typeof clusterRecord extends Kind<infer T, infer _I> ? T : never;

export const clustersKind = converted(
  mapOf(clusterRecord, '"clusters" is a map such as "grpc: { endpoints: 127.0.0.1:50051 }"'),
  {
    read: (entries): readonly ClusterSpec[] => entries.map(({ name, value }) => specOf(name, value)),
    print: (specs) => specs.map((spec) => ({ name: spec.name, place: undefined, value: settingsOf(spec) })),
  },
);

function specOf(name: string, settings: ClusterSettings): ClusterSpec {
  const { endpoints, protocol = 'http2', loadBalancingPolicy = 'round_robin', tls = false } = settings;
  const { connectTimeoutMs = 5000, addresses = 'all', keepaliveTimeoutMs } = settings;
  return {
    name,
    endpoints: endpoints.map(({ target: value, weight = 1 }) => ({ value, weight })),
    ...{ protocol, policy: loadBalancingPolicy },
    tls: tls === false ? undefined : tls,
    options: {
      connectTimeoutMs,
      loadBalancingPolicy: addresses === 'all' ? 'round_robin' : 'pick_first',
      ...('dnsRefreshRateMs' in settings && { dnsRefreshRateMs: settings.dnsRefreshRateMs }),
      ...('keepaliveTimeMs' in settings && { upstreamKeepaliveTimeMs: settings.keepaliveTimeMs }),
      ...(keepaliveTimeoutMs !== undefined && { upstreamKeepaliveTimeoutMs: keepaliveTimeoutMs }),
    },
  };
}

function settingsOf({ endpoints, protocol, policy, tls, options }: ClusterSpec): ClusterSettings {
  const { connectTimeoutMs, upstreamKeepaliveTimeoutMs } = options;
  return {
    endpoints: endpoints.map(({ value, weight }) => ({ target: value, ...(weight !== 1 && { weight }) })),
    ...{ protocol, loadBalancingPolicy: policy },
    addresses: options.loadBalancingPolicy === 'pick_first' ? 'first' : 'all',
    ...(tls !== undefined && { tls }),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...('dnsRefreshRateMs' in options && { dnsRefreshRateMs: options.dnsRefreshRateMs }),
    ...('upstreamKeepaliveTimeMs' in options && { keepaliveTimeMs: options.upstreamKeepaliveTimeMs }),
    ...(upstreamKeepaliveTimeoutMs !== undefined && { keepaliveTimeoutMs: upstreamKeepaliveTimeoutMs }),
  };
}
