/** Listeners of a bootstrap → `listeners`. */
import { isDeepStrictEqual } from 'node:util';
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, fault, type MessageOf, placed, type ValueOf, missing } from '../describe.js';
import type { downstreamTransportSocket } from '../keys/common.js';
import {
  BUFFER,
  type bufferKeys,
  COMPRESSOR,
  type compressorKeys,
  CORS,
  GRPC_WEB,
  HEADER_TO_METADATA,
  HEALTH_CHECK,
  type healthCheckKeys,
  ROUTER,
} from '../keys/filters.js';
import { CONNECTION_MANAGER, type listener } from '../keys/listeners.js';
import { translateAccessLog } from './access-log.js';
import { hostPort, time } from './clusters.js';
import { translateBuffers, translateCompressors } from './filters.js';
import { type HeaderToMetadata, removedHeaders } from './header-to-metadata.js';
import { translateLocalReplies } from './local-reply.js';
import { translateFilters } from './request-filters.js';
import { offAtFirst, routeFiltersOf } from './route-filters.js';
import { RouteTranscoders } from './route-transcoders.js';
import { translateRoutes } from './routes.js';
import { pemOf } from './source.js';

export type Listener = ValueOf<typeof listener>;
type FilterChain = NonNullable<Listener['filter_chains']>[number];
type ConnectionManager = Extract<
  NonNullable<NonNullable<FilterChain['filters']>[number]['typed_config']>,
  { readonly type: typeof CONNECTION_MANAGER }
>['value'];
type HealthCheck = MessageOf<typeof healthCheckKeys>;
type PlainMap = Record<string, Plain>;

/** A listener of ours, and the descriptor sets that it needs. */
export interface TranslatedListener {
  readonly settings: PlainMap;
  readonly descriptorSets: readonly string[];
  /** Its options; undefined if nothing is logged. */
  readonly accessLog: PlainMap | undefined;
}

/** The options of the access log; undefined if nothing is logged. */
function accessLogOf({ access_log: logs = [] }: ConnectionManager, reader: EnvoyReader): PlainMap | undefined {
  const [first, ...others] = logs.map((log) => ({ log, settings: translateAccessLog(log, reader) }));
  for (const { log, settings } of others) {
    if (isDeepStrictEqual(settings, first?.settings)) continue;
    cannot(reader, log.at, 'requests are logged once, in one form', 'write one access_log');
  }
  return first?.settings;
}

/** What Envoy holds of a body if nobody says more. */
const DEFAULT_BUFFER_BYTES = 1024 ** 2;

export function translateListener(listener: Listener, reader: EnvoyReader): TranslatedListener | undefined {
  const { at, address, additional_addresses: more = [], filter_chains: chains = [] } = listener;
  const addresses = [address, ...more.map((other) => other.address)].flatMap((one) => hostPort(one, reader) ?? []);
  if (chains.length === 0) missing(reader, at, 'it has no filter chain');
  const buffer = listener.per_connection_buffer_limit_bytes ?? DEFAULT_BUFFER_BYTES;
  const translated = chains.flatMap((chain) => translateChain(chain, buffer, reader) ?? []);
  const [first, ...others] = translated;
  if (first === undefined || addresses.length === 0) return undefined;
  for (const other of others) checkSame(first, other, reader);
  const { options, descriptorSets, accessLog } = first;
  const settings = { listen: addresses, ...options, ...chooseCertificates(translated, reader) };
  return { settings: placed(settings, at, reader), descriptorSets, accessLog };
}

/** A filter chain: what it answers with, and for whom. */
interface TranslatedChain {
  readonly chain: FilterChain;
  readonly options: PlainMap;
  readonly descriptorSets: readonly string[];
  readonly accessLog: PlainMap | undefined;
  readonly tls: TranslatedTls | undefined;
}

function translateChain(chain: FilterChain, bufferBytes: number, reader: EnvoyReader): TranslatedChain | undefined {
  const manager = managerOf(chain, reader);
  if (manager === undefined) return undefined;
  const { options, descriptorSets } = translateManager(manager, bufferBytes, reader);
  const accessLog = accessLogOf(manager, reader);
  return { chain, options, descriptorSets, accessLog, tls: translateTls(chain.transport_socket, reader) };
}

/** Chains differ in their certificates alone. */
function checkSame(first: TranslatedChain, other: TranslatedChain, reader: EnvoyReader): void {
  const { options, accessLog, descriptorSets } = first;
  const isSame =
    isDeepStrictEqual(other.options, options) &&
    isDeepStrictEqual(other.accessLog, accessLog) &&
    isDeepStrictEqual(other.descriptorSets, descriptorSets) &&
    isDeepStrictEqual(other.tls?.clients, first.tls?.clients);
  if (isSame && other.tls !== undefined && first.tls !== undefined) return;
  const hint =
    'write a listener for each, on an address of its own, or the same filters and TLS with other certificates';
  cannot(reader, other.chain.at, 'the filter chains of a listener differ in their certificates alone here', hint);
}

/** The certificate that all get, and those for the names that clients ask for. */
function chooseCertificates(chains: readonly TranslatedChain[], reader: EnvoyReader): PlainMap {
  const [first] = chains;
  if (first?.tls === undefined) {
    const { filter_chain_match: match } = first?.chain ?? {};
    if ((match?.server_names ?? []).length > 0) {
      cannot(reader, match!.at, 'without TLS nobody asks for a name', 'remove it, or write a transport_socket');
    }
    return {};
  }
  const usual: Certificate[] = [];
  const named: PlainMap[] = [];
  for (const { chain, tls } of chains) {
    const names = chain.filter_chain_match?.server_names ?? [];
    const certificates = tls?.certificates ?? [];
    if (names.length === 0) usual.push(...certificates);
    else if (certificates.length > 1) {
      cannot(reader, chain.at, 'a chain for certain names has one certificate here', 'write a chain for each of them');
    } else named.push(...certificates.map((one) => ({ names, ...one })));
  }
  const [all, ...others] = usual;
  // Of several each is for the names in it; who asks for none of them gets the first.
  const more = [...named, ...(others.length > 0 ? usual : [])];
  return {
    ...(all !== undefined && { tls_cert: all.cert, tls_key: all.key }),
    ...(more.length > 0 && { certificates: more as Plain[] }),
    ...first.tls.clients,
  };
}

function managerOf({ filters = [], at }: FilterChain, reader: EnvoyReader): ConnectionManager | undefined {
  const managers = filters.flatMap(({ typed_config: config }) => {
    return config?.type === CONNECTION_MANAGER ? [config.value] : [];
  });
  const [manager, ...others] = managers;
  for (const other of others) fault(reader, other.at, 'a filter chain has one connection manager');
  if (manager === undefined) missing(reader, at, 'it has no http_connection_manager');
  return manager;
}

interface TranslatedManager {
  readonly options: PlainMap;
  readonly descriptorSets: readonly string[];
}

function translateManager(manager: ConnectionManager, bufferBytes: number, reader: EnvoyReader): TranslatedManager {
  const { at, route_config: routes, http_filters: filters = [] } = manager;
  const all = filters.flatMap(({ typed_config: config }) => config ?? []);
  if (all.at(-1)?.type !== ROUTER && filters.at(-1)?.typed_config === all.at(-1)) {
    fault(
      reader,
      at,
      'the last of http_filters is not the router',
      `write { name: router, typed_config: { "@type": type.googleapis.com/${ROUTER} } } last`,
    );
  }
  const configs = filters.flatMap(({ typed_config: config, disabled }) =>
    config === undefined || disabled === true ? [] : [config],
  );
  const types = configs.map(({ type }) => type as string);
  const filtersOf = <M>(name: string): M[] =>
    configs.flatMap((config) => (config.type === name ? [config.value as M] : []));
  const named = filters.flatMap(({ name, typed_config: config, disabled: isDisabled = false }) =>
    config === undefined ? [] : [{ name, ...config, isDisabled }],
  );
  const transcoders = new RouteTranscoders(named, bufferBytes, reader);
  const checks = filtersOf<HealthCheck>(HEALTH_CHECK).map(({ headers = [] }) => headers);
  const cors = filters.find(({ typed_config: config }) => config?.type === CORS);
  const isEdge = manager.use_remote_address === true;
  const spoken = { filters: named, cors: cors?.name, isEdge };
  const hosts = routes?.virtual_hosts ?? [];
  const levels = routes === undefined ? [] : [routes, ...hosts, ...hosts.flatMap(({ routes: own = [] }) => own)];
  const spokenOf = new Set(levels.flatMap(({ typed_per_filter_config: given = [] }) => given.map(({ name }) => name)));
  const first = offAtFirst(named.filter(({ name = '' }) => spokenOf.has(name)));
  const removed = removedHeaders(filtersOf<HeaderToMetadata>(HEADER_TO_METADATA), routes, reader);
  const virtualHosts =
    routes &&
    translateRoutes(
      routes,
      {
        ...{ checks, cors: cors?.name, removed },
        hostSettings: (config, host) => routeFiltersOf([first, config, host], [], spoken, reader),
        routeSettings: (config, host, route) => ({
          ...transcoders.memberOf([config, host, route]),
          ...routeFiltersOf([route], [config, host], spoken, reader),
        }),
      },
      reader,
    );
  return {
    descriptorSets: transcoders.descriptorSets,
    options: {
      preset: 'envoy',
      protocols: types.includes(GRPC_WEB) ? ['grpc', 'grpc-web'] : ['grpc'],
      pass_through: 'all',
      original_path_headers: true,
      error_format: 'text',
      grpc_status_headers: true,
      ignore_accept: true,
      request_binding: 'envoy',
      stream_errors: 'trailers',
      lenient_json: true,
      envoy_values: true,
      ignore_content_type: true,
      ...transcoders.usual.options,
      ...transcoders.settings,
      ...translateBuffers(filtersOf<MessageOf<typeof bufferKeys>>(BUFFER)),
      ...translateCompressors(filtersOf<MessageOf<typeof compressorKeys>>(COMPRESSOR), reader),
      ...connectionOptions(manager, reader),
      ...translateFilters(named, { isEdge, spokenOf }, reader),
      ...(manager.local_reply_config !== undefined && {
        local_replies: translateLocalReplies(manager.local_reply_config, reader),
      }),
      ...(routes?.ignore_port_in_host_matching === true && { ignore_host_port: true }),
      ...(virtualHosts !== undefined && { virtual_hosts: virtualHosts }),
    },
  };
}

const DEFAULT_HEADER_KB = 60;
/** Of Envoy: five minutes, and an hour. */
const STREAM_IDLE_MS = 300_000;
const CONNECTION_IDLE_MS = 3_600_000;
/** A timer of Node takes no more. */
const LONGEST_MS = 0x7fffffff;

/** 0 is for ever. */
function timeOrLongest(milliseconds: number): string {
  return time(milliseconds === 0 ? LONGEST_MS : milliseconds);
}

function connectionOptions(manager: ConnectionManager, reader: EnvoyReader): PlainMap {
  const {
    max_request_headers_kb: headerKb = DEFAULT_HEADER_KB,
    stream_idle_timeout: streamIdle = STREAM_IDLE_MS,
    common_http_protocol_options: common,
    request_headers_timeout: headerTime = 0,
    server_name: serverName = 'envoy',
    server_header_transformation: transformation = 'OVERWRITE',
  } = manager;
  if (transformation === 'APPEND_IF_ABSENT') {
    cannot(
      reader,
      manager.at,
      'server_header_transformation: APPEND_IF_ABSENT cannot be honoured',
      'write OVERWRITE or PASS_THROUGH',
    );
  }
  const { max_concurrent_streams: streams } = manager.http2_protocol_options ?? {};
  return {
    ...(transformation === 'OVERWRITE' && { server_name: serverName === '' ? 'envoy' : serverName }),
    max_header_bytes: headerKb * 1024,
    max_url_bytes: headerKb * 1024,
    idle_timeout: timeOrLongest(streamIdle),
    keep_alive_timeout: timeOrLongest(common?.idle_timeout ?? CONNECTION_IDLE_MS),
    ...(common?.headers_with_underscores_action === 'REJECT_REQUEST' && { refuse_underscores: true }),
    ...(headerTime > 0 && { header_timeout: time(headerTime) }),
    ...(manager.drain_timeout !== undefined && { drain_timeout: time(Math.max(1, manager.drain_timeout)) }),
    ...(streams !== undefined && { max_connection_requests: Math.max(1, streams) }),
    // Envoy believes what it is told, unless it is at the edge.
    trusted_proxies: manager.use_remote_address === true ? 'none' : ['0.0.0.0/0', '::/0', 'unix'],
    ...pathOptions(manager),
  };
}

function pathOptions(manager: ConnectionManager): PlainMap {
  const { normalize_path: normal, merge_slashes: merge, path_with_escaped_slashes_action: escaped } = manager;
  const isKept = escaped === undefined || escaped === 'IMPLEMENTATION_SPECIFIC_DEFAULT' || escaped === 'KEEP_UNCHANGED';
  return {
    ...(normal === true && { normalize_path: true }),
    ...(merge === true && { merge_slashes: true }),
    ...(!isKept && { path_with_escaped_slashes_action: escaped.toLowerCase() }),
  };
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

interface TranslatedTls {
  readonly certificates: readonly Certificate[];
  /** What is asked of clients. */
  readonly clients: PlainMap;
}

function translateTls(
  socket: ValueOf<typeof downstreamTransportSocket> | undefined,
  reader: EnvoyReader,
): TranslatedTls | undefined {
  const config = socket?.typed_config;
  if (config?.type !== 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext') return undefined;
  const { common_tls_context: common, require_client_certificate: isRequired, at } = config.value;
  const given = common?.tls_certificates ?? [];
  if (given.length === 0) fault(reader, at, 'it has no tls_certificates');
  const certificates = given.flatMap(({ certificate_chain: chain, private_key: privateKey, at: place }) => {
    const cert = pemOf(chain, reader);
    const key = pemOf(privateKey, reader);
    if (cert !== undefined && key !== undefined) return [{ cert, key }];
    if (chain === undefined || privateKey === undefined) {
      fault(reader, place, 'it has no certificate_chain and private_key', 'write both');
    }
    return [];
  });
  const ca = pemOf(common?.validation_context?.trusted_ca, reader);
  if (isRequired === true && ca === undefined) fault(reader, at, 'require_client_certificate needs a trusted_ca');
  const clients = { tls_client_ca: ca!, tls_client_cert: isRequired === true ? 'require' : 'request' };
  return { certificates, clients: ca === undefined ? {} : clients };
}
