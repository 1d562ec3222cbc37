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
  OptionError,
  optionalTimeValue,
  pickFields,
  record,
  requiredField,
  timeValue,
} from '../options/index.js';
import { ConfigError } from '../status.js';
import {
  balanceFields,
  type BalanceSettings,
  balancingPolicies,
  type ClusterSpec,
  grpcHealthCheck,
  isXds,
  parseTarget,
  serviceConfigKind,
} from '../upstream/index.js';
import { upstreamTlsKind } from './upstreams.js';

const target = checkedText({
  placeholder: 'TARGET',
  description: 'a target such as 127.0.0.1:50051',
  code: 'config-type',
  convert(text) {
    const parsed = parseTarget(text);
    if (!isXds(parsed)) return text;
    throw new ConfigError({
      code: 'bad-target',
      message: `an endpoint of a cluster is no xDS target, such as ${text}`,
      hint: 'write host:port, or give the target to an upstream with upstream_client: grpc-js',
    });
  },
});

const text = checkedText({
  placeholder: 'TEXT',
  description: 'the name of a zone',
  code: 'config-type',
  convert: (value) => (value === '' ? undefined : value),
});

const endpointRecord = record({
  fields: {
    target: requiredField(target, 'where it listens', 'an endpoint has a target such as 127.0.0.1:50051'),
    weight: field(integerValue(1, 1_000_000), 'its share of the calls. Default 1'),
    priority: field(
      integerValue(0, 127),
      'it gets calls if too few endpoints of lower numbers are well. Default 0, the first',
    ),
    zone: field(text, 'where it runs: with the option zone, endpoints of the same zone come first'),
  },
  about: 'an endpoint',
  expected: 'an endpoint is a target such as 127.0.0.1:50051, or a map such as { target: 127.0.0.1:50051, weight: 2 }',
});

interface Endpoint {
  readonly target: string;
  readonly weight?: number;
  readonly priority?: number;
  readonly zone?: string;
}

const endpoint = oneOf<Endpoint, unknown, string>(
  {
    ...endpointRecord,
    print: (value) => (Object.keys(value).length === 1 ? value.target : endpointRecord.print(value)),
  },
  converted(target, { read: (text): Endpoint => ({ target: text }), print: ({ target: text }) => text }),
  (node) => node.kind !== 'map',
);

const clusterRecord = record({
  fields: {
    endpoints: requiredField(oneOrMany(endpoint), 'its servers', 'a cluster has endpoints'),
    protocol: field(enumValue('http2', 'http1'), 'what they speak; gRPC needs http2, the default'),
    load_balancing_policy: field(enumValue(...balancingPolicies), 'which server gets a call. Default round_robin'),
    ...balanceFields,
    addresses: field(
      enumValue('all', 'first'),
      'calls go to all addresses of an endpoint in turn (the default), or to the first that answers',
    ),
    service_config: field(
      serviceConfigKind,
      'a gRPC service config, or the path of its JSON file; what stands beside it goes before it',
    ),
    tls: field(upstreamTlsKind, 'they are reached by TLS'),
    connect_timeout: field(timeValue, 'how long a call waits for a connection. Default 5s'),
    dns_refresh_rate: field(optionalTimeValue, 'how often host names are resolved anew. Default 30s'),
    keepalive_time: field(optionalTimeValue, 'silence during a call after which an endpoint is asked by PING'),
    keepalive_timeout: field(timeValue, 'silence after that PING which means that it is gone'),
  },
  about: 'a cluster',
  check({ protocol, healthCheck, loadBalancingPolicy, hashHeader, serviceConfig }) {
    if (protocol === 'http1' && serviceConfig !== undefined) {
      throw new OptionError(
        'a service_config is for gRPC, and a cluster with protocol: http1 takes none',
        'config-type',
      );
    }
    if (protocol === 'http1' && (healthCheck?.kind === 'grpc' || healthCheck?.httpVersion === 'http2')) {
      throw new OptionError('a cluster with protocol: http1 has a health_check of the kind http or tcp', 'config-type');
    }
    checkHash(loadBalancingPolicy, hashHeader);
  },
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

/** @throws OptionError if the header would have no effect */
function checkHash(policy: string | undefined, hashHeader: string | undefined): void {
  if (hashHeader !== undefined && policy !== 'ring_hash') {
    throw new OptionError('hash_header needs load_balancing_policy: ring_hash', 'config-type');
  }
}

function specOf(name: string, settings: ClusterSettings): ClusterSpec {
  const { endpoints, protocol = 'http2', tls = false, serviceConfig } = settings;
  const { loadBalancingPolicy = serviceConfig?.policy ?? 'round_robin' } = settings;
  const healthService = serviceConfig?.healthService;
  const { connectTimeoutMs = 5000, addresses = 'all', keepaliveTimeoutMs } = settings;
  return {
    name,
    endpoints: endpoints.map(({ target: value, weight = 1, priority = 0, zone }) => ({
      ...{ value, weight, priority },
      ...(zone !== undefined && { zone }),
    })),
    ...{ protocol, policy: loadBalancingPolicy },
    tls: tls === false ? undefined : tls,
    ...(healthService !== undefined && { healthCheck: grpcHealthCheck(healthService) }),
    ...balanceOf(settings),
    options: {
      connectTimeoutMs,
      loadBalancingPolicy: addresses === 'all' ? 'round_robin' : 'pick_first',
      ...(serviceConfig !== undefined && { serviceConfig }),
      ...('dnsRefreshRateMs' in settings && { dnsRefreshRateMs: settings.dnsRefreshRateMs }),
      ...('keepaliveTimeMs' in settings && { upstreamKeepaliveTimeMs: settings.keepaliveTimeMs }),
      ...(keepaliveTimeoutMs !== undefined && { upstreamKeepaliveTimeoutMs: keepaliveTimeoutMs }),
    },
  };
}

/** Those that were given. */
function balanceOf(settings: BalanceSettings): BalanceSettings {
  return pickFields(balanceFields, settings);
}

function settingsOf(spec: ClusterSpec): ClusterSettings {
  const { endpoints, protocol, policy, tls, options } = spec;
  const { connectTimeoutMs, upstreamKeepaliveTimeoutMs, serviceConfig } = options;
  return {
    endpoints: endpoints.map(({ value, weight, priority = 0, zone }) => ({
      target: value,
      ...(weight !== 1 && { weight }),
      ...(priority !== 0 && { priority }),
      ...(zone !== undefined && { zone }),
    })),
    ...{ protocol, loadBalancingPolicy: policy },
    ...balanceOf(spec as BalanceSettings),
    addresses: options.loadBalancingPolicy === 'pick_first' ? 'first' : 'all',
    ...(serviceConfig !== undefined && { serviceConfig }),
    ...(tls !== undefined && { tls }),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...('dnsRefreshRateMs' in options && { dnsRefreshRateMs: options.dnsRefreshRateMs }),
    ...('upstreamKeepaliveTimeMs' in options && { keepaliveTimeMs: options.upstreamKeepaliveTimeMs }),
    ...(upstreamKeepaliveTimeoutMs !== undefined && { keepaliveTimeoutMs: upstreamKeepaliveTimeoutMs }),
  };
}
