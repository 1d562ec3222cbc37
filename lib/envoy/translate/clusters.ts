/** Clusters of a bootstrap → `clusters`. */
import type { Plain } from '../../options/index.js';
import { cannot, differs, type EnvoyReader, fault, placed, type ValueOf } from '../describe.js';
import type { address, upstreamTransportSocket } from '../keys/common.js';
import type { cluster } from '../keys/clusters.js';
import { translateBalance } from './health.js';
import { pemOf } from './source.js';
import { time } from './time.js';

export { time } from './time.js';

export type Cluster = ValueOf<typeof cluster>;
type Address = ValueOf<typeof address>;
type TransportSocket = ValueOf<typeof upstreamTransportSocket>;
type PlainMap = Record<string, Plain>;

/** `host:port`, with brackets round IPv6; undefined after a problem. */
export function hostPort(address: Address | undefined, reader: EnvoyReader): string | undefined {
  if (address === undefined) return undefined;
  const { socket_address: socket, pipe, at } = address;
  if (pipe !== undefined) {
    cannot(reader, pipe.at, 'only clusters may have Unix sockets here', 'write a socket_address');
    return undefined;
  }
  if (socket?.address === undefined || socket.port_value === undefined) {
    fault(
      reader,
      socket?.at ?? at,
      'it has no address and port_value',
      'write socket_address: { address: 0.0.0.0, port_value: 8080 }',
    );
    return undefined;
  }
  const { address: host, port_value: port } = socket;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** As `hostPort`; or the path of a Unix socket. */
function targetOf(address: Address | undefined, reader: EnvoyReader): string | undefined {
  const pipe = address?.pipe;
  if (pipe === undefined) return hostPort(address, reader);
  if (pipe.path === undefined || pipe.path.startsWith('@')) {
    cannot(reader, pipe.at, 'it has no path to a file', 'write pipe: { path: /run/service.sock }');
    return undefined;
  }
  return `unix:${pipe.path}`;
}

/** `clusters` of a configuration. */
export function translateClusters(clusters: readonly Cluster[], reader: EnvoyReader): PlainMap {
  const seen = new Set<string>();
  const entries = clusters.flatMap((cluster) => {
    const { name, at } = cluster;
    if (name === undefined) return [];
    if (seen.has(name)) fault(reader, at, `there are two clusters of the name ${JSON.stringify(name)}`);
    seen.add(name);
    const translated = translateCluster(cluster, reader);
    return translated === undefined ? [] : [[name, translated] as const];
  });
  return Object.fromEntries(entries);
}

function translateCluster(cluster: Cluster, reader: EnvoyReader): PlainMap | undefined {
  const { at, type = 'STATIC', lb_policy: policy = 'ROUND_ROBIN', connect_timeout: connectTimeout } = cluster;
  if (cluster.load_assignment === undefined) return undefined;
  const endpoints = (cluster.load_assignment.endpoints ?? []).flatMap(({ lb_endpoints: list = [], priority = 0 }) =>
    list.map((one) => ({ ...one, priority })),
  );
  if (endpoints.length === 0) {
    fault(reader, at, 'it has no endpoints', 'write load_assignment: { endpoints: [{ lb_endpoints: [ … ] }] }');
    return undefined;
  }
  const targets = endpoints.flatMap(({ endpoint, load_balancing_weight: weight, priority }): Plain[] => {
    const target = targetOf(endpoint?.address, reader);
    if (target === undefined) return [];
    if (weight === undefined && priority === 0) return [target];
    return [
      { target, ...(weight !== undefined && { weight: Math.max(1, weight) }), ...(priority > 0 && { priority }) },
    ];
  });
  if (targets.length === 0) return undefined;
  const { protocol } = protocolOf(cluster);
  const pipe = endpoints.map(({ endpoint }) => endpoint?.address?.pipe).find((one) => one !== undefined);
  if (pipe !== undefined && protocol === 'http1') {
    cannot(reader, pipe.at, 'a Unix socket is spoken to by HTTP/2 alone', 'write http2_protocol_options, or a port');
  }
  const translated = {
    endpoints: targets,
    ...protocolOf(cluster),
    // Keys of both keep their servers.
    load_balancing_policy: policy === 'MAGLEV' ? 'ring_hash' : policy.toLowerCase(),
    ...translateBalance(cluster, reader),
    addresses: type === 'LOGICAL_DNS' ? 'first' : 'all',
    connect_timeout: time(connectTimeout ?? 5000),
    ...(cluster.dns_refresh_rate !== undefined && { dns_refresh_rate: time(cluster.dns_refresh_rate) }),
    ...(cluster.transport_socket !== undefined && translateTls(cluster.transport_socket, reader)),
  };
  return placed(translated, at, reader);
}

function protocolOf({
  http2_protocol_options: old,
  typed_extension_protocol_options: extensions = [],
}: Cluster): PlainMap {
  const explicit = extensions
    .map(({ value }) => value.value.explicit_http_config)
    .find((config) => config !== undefined);
  const http2 = explicit?.http2_protocol_options ?? old;
  if (http2 === undefined) return { protocol: 'http1' };
  const { interval, timeout } = http2.connection_keepalive ?? {};
  return {
    protocol: 'http2',
    ...(interval !== undefined && { keepalive_time: time(interval) }),
    ...(timeout !== undefined && { keepalive_timeout: time(timeout) }),
  };
}

function translateTls({ typed_config: config }: TransportSocket, reader: EnvoyReader): PlainMap {
  if (config?.type !== 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext') return {};
  const { sni, common_tls_context: common, at } = config.value;
  const { tls_certificates: certificates = [], validation_context: validation } = common ?? {};
  const ca = pemOf(validation?.trusted_ca, reader);
  if (ca === undefined && validation?.system_root_certs === undefined) {
    const message = 'it names no authority, and Envoy then trusts any certificate; here those that Node brings count';
    differs(reader, at, message, 'write common_tls_context: { validation_context: { trusted_ca: { filename: … } } }');
  }
  const [first, ...others] = certificates;
  for (const other of others) cannot(reader, other.at, 'one certificate is shown', 'leave the others out');
  const cert = pemOf(first?.certificate_chain, reader);
  const key = pemOf(first?.private_key, reader);
  const files = Object.entries({ ca, cert, key, authority: sni }).filter(([, value]) => value !== undefined);
  return { tls: files.length === 0 ? true : (Object.fromEntries(files) as PlainMap) };
}
