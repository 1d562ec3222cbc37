/**
 * Every option by its one name, once: kind of value, default, text. Flags, file keys and `--help` follow from this table.
 * The name is snake_case in files, kebab-case as a flag, camelCase in the library. Long because it is a table, and in one file
 * so that nobody looks for an option in two.
 */
import { resolve } from 'node:path';
import { defaultGatewayOptions, type GatewayOptions } from '../gateway/index.js';
import { codeByName, ConfigError } from '../status.js';
import { defaultReflectionOptions, type ReflectionOptions } from '../schema/index.js';
import { defaultListenerOptions, type ListenerOptions } from '../server/index.js';
import {
  defaultUpstreamOptions,
  type LoadBalancingPolicy,
  type UpstreamClient,
  type UpstreamTls,
} from '../upstream/index.js';
import { type PresetName, presets } from './presets.js';
import {
  authorityValue,
  booleanValue,
  choicesValue,
  enumValue,
  headerNamesValue,
  hostNamesValue,
  integerValue,
  listValue,
  optionalTextValue,
  optionalTimeValue,
  pathValue,
  sizeValue,
  statusMapValue,
  textValue,
  timeValue,
  urlValue,
  type ValueKind,
} from './values.js';

/** All that can be set for one listener. */
export interface Options
  extends Omit<GatewayOptions, 'services'>, Omit<ListenerOptions, 'host' | 'port'>, ReflectionOptions {
  /** Largest message from a service, in bytes. Default 64 MiB. */
  readonly maxReceiveBytes: number;
  /** How long a call waits for a connection to its service, in milliseconds. Default 10 s. */
  readonly connectTimeoutMs: number;
  /** Who speaks HTTP/2 with services: photongate itself, or the library grpc-js. Default `native`. */
  readonly upstreamClient: UpstreamClient;
  /** Which of a target's addresses get calls. Default `pick_first`. */
  readonly loadBalancingPolicy: LoadBalancingPolicy;
  /** How often `round_robin` resolves names anew, in milliseconds; undefined: when a service is lost. Default 30 s. */
  readonly dnsRefreshRateMs: number | undefined;
  /** Silence during a call after which a service is asked whether it is there, in milliseconds; undefined: never. Default 6 min. */
  readonly upstreamKeepaliveTimeMs: number | undefined;
  /** Silence after that question which means that it is not, in milliseconds. Default 20 s. */
  readonly upstreamKeepaliveTimeoutMs: number;
  /** No new connection so soon after a failure, in milliseconds: at first, and at most. Default 0.2 s and 3 s. */
  readonly initialReconnectBackoffMs: number;
  readonly maxReconnectBackoffMs: number;
  /** Time for requests in flight at a shutdown, in milliseconds; then they are cancelled. Default 10 s. */
  readonly drainTimeoutMs: number;
  /** Other names for `streamFormat` ndjson and sse, where that is not given; with both it is sse. Default false. (Envoy's.) */
  readonly streamNewlineDelimited: boolean;
  readonly streamSseStyleDelimited: boolean;
  /** Upstreams that say nothing of TLS themselves are reached by it. Default false. */
  readonly upstreamTls: boolean;
  /** Of those upstreams: authorities, our certificate and its key, the name that the server's certificate must have. */
  readonly upstreamCa: string | undefined;
  readonly upstreamCert: string | undefined;
  readonly upstreamKey: string | undefined;
  readonly upstreamAuthority: string | undefined;
  /** The set of options that holds where none is given. Default none. */
  readonly preset: PresetName;
  /** HTTP/1.1 server for what no route takes. Default none: 404 and 405. */
  readonly fallback: string | undefined;
  /** How long that may take to begin its answer, or to take more of an upload, in milliseconds. Default 60 s. */
  readonly fallbackTimeoutMs: number;
}

export type OptionKey = keyof Options;

export interface OptionSpec {
  /** snake_case. */
  readonly name: string;
  readonly key: OptionKey;
  readonly kind: ValueKind<unknown>;
  readonly defaultValue: unknown;
  /** How the default is written, for people. */
  readonly defaultText: string;
  readonly group: string;
  readonly text: string;
  /** True for what belongs to the listener's sockets and cannot differ between its mounts. */
  readonly listenerOnly: boolean;
}

const MiB = 1024 ** 2;
/** The largest Buffer of Node 20. */
const MAX_BYTES = 4 * 1024 ** 3;

const { host: _host, port: _port, ...listenerLimits } = defaultListenerOptions;

export const defaultOptions: Options = Object.freeze({
  ...defaultGatewayOptions,
  ...listenerLimits,
  ...defaultReflectionOptions,
  maxReceiveBytes: defaultUpstreamOptions.maxReceiveBytes,
  connectTimeoutMs: defaultUpstreamOptions.connectTimeoutMs,
  upstreamClient: defaultUpstreamOptions.client,
  loadBalancingPolicy: defaultUpstreamOptions.loadBalancingPolicy,
  dnsRefreshRateMs: defaultUpstreamOptions.dnsRefreshMs,
  upstreamKeepaliveTimeMs: defaultUpstreamOptions.keepaliveTimeMs,
  upstreamKeepaliveTimeoutMs: defaultUpstreamOptions.keepaliveTimeoutMs,
  initialReconnectBackoffMs: defaultUpstreamOptions.initialBackoffMs,
  maxReconnectBackoffMs: defaultUpstreamOptions.maxBackoffMs,
  drainTimeoutMs: 10_000,
  streamNewlineDelimited: false,
  streamSseStyleDelimited: false,
  upstreamTls: false,
  upstreamCa: undefined,
  upstreamCert: undefined,
  upstreamKey: undefined,
  upstreamAuthority: undefined,
  preset: 'none',
  fallback: undefined,
  fallbackTimeoutMs: 60_000,
});

const routes = 'Routes';
const requests = 'Paths, queries and bodies';
const answers = 'Answers and errors';
const access = 'Who may call';
const encryption = 'TLS';
const services = 'Services';
const limits = 'Limits and times';

function option<K extends OptionKey>(
  group: string,
  name: string,
  key: K,
  kind: ValueKind<Options[K]>,
  defaultText: string,
  text: string,
): OptionSpec {
  const listenerOnly = key === 'drainTimeoutMs' || key in listenerLimits;
  return { name, key, kind, defaultValue: defaultOptions[key], defaultText, group, text, listenerOnly };
}

const size = sizeValue(1, MAX_BYTES);

/** In the order in which `--help` shows them. */
export const optionSpecs: readonly OptionSpec[] = [
  option(
    routes,
    'preset',
    'preset',
    enumValue('none', 'envoy', 'grpc-gateway', 'google'),
    'none',
    'a set of options (docs/presets.md); any that is given besides wins over it',
  ),
  option(
    routes,
    'auto_mapping',
    'autoMapping',
    booleanValue,
    'false',
    'serve methods without a rule at POST /package.Service/Method',
  ),
  option(
    routes,
    'on_duplicate',
    'onDuplicate',
    enumValue('error', 'first'),
    'error',
    'two rules for the same requests: refuse to start, or keep the first (in the order of --proto)',
  ),
  option(routes, 'strict_slash', 'strictSlash', booleanValue, 'false', 'a trailing slash makes another path'),
  option(
    routes,
    'fallback',
    'fallback',
    urlValue,
    'none',
    'HTTP/1.1 server for the requests that no route takes, such as http://127.0.0.1:3000',
  ),
  option(routes, 'health', 'health', booleanValue, 'true', 'serve GET /health'),
  option(
    routes,
    'openapi',
    'openapi',
    booleanValue,
    'true',
    'serve the OpenAPI document: /openapi.json, /openapi.yaml',
  ),
  option(routes, 'openapi_title', 'openapiTitle', optionalTextValue, 'service or packages', 'title of that document'),
  option(routes, 'openapi_version', 'openapiVersion', textValue, '1.0', 'version of the API that it names'),
  option(routes, 'docs', 'docs', booleanValue, 'true', 'serve the interactive reference at /docs'),
  option(routes, 'index', 'index', booleanValue, 'true', 'serve the list of services and routes at /'),
  option(
    routes,
    'grpc_reflection',
    'grpcReflection',
    booleanValue,
    'true',
    'answer grpc.reflection for the services that native gRPC reaches, so that grpcurl needs no files',
  ),

  option(
    requests,
    'url_unescape',
    'urlUnescape',
    enumValue('all_characters_except_slash', 'all_characters_except_reserved', 'all_characters'),
    'all_characters_except_slash',
    'which %XX of a multi-segment path variable are decoded',
  ),
  option(
    requests,
    'comma_lists',
    'commaLists',
    booleanValue,
    'false',
    'a,b in a query is two elements of a repeated field',
  ),
  option(
    requests,
    'lenient_bools',
    'lenientBools',
    booleanValue,
    'false',
    'also take 1, 0 and any case for true and false in paths and queries',
  ),
  option(
    requests,
    'case_insensitive_enums',
    'caseInsensitiveEnums',
    booleanValue,
    'false',
    'take enum names in any case',
  ),
  option(requests, 'literal_plus', 'literalPlus', booleanValue, 'false', '+ in a query is a plus, not a space'),
  option(
    requests,
    'ignore_query',
    'ignoreQuery',
    listValue,
    'none',
    'query parameters to skip; a trailing * or _ makes a prefix',
  ),
  option(
    requests,
    'ignore_unknown_query',
    'ignoreUnknownQuery',
    booleanValue,
    'false',
    'skip all unknown query parameters',
  ),
  option(
    requests,
    'ignore_unknown_fields',
    'ignoreUnknownFields',
    booleanValue,
    'false',
    'skip unknown JSON fields and enum names',
  ),
  option(
    requests,
    'ignore_unexpected_body',
    'ignoreUnexpectedBody',
    booleanValue,
    'false',
    'ignore a body where the rule takes none',
  ),
  option(
    requests,
    'overwrite_path_fields',
    'overwritePathFields',
    booleanValue,
    'false',
    'the path silently replaces another value in the body',
  ),
  option(
    requests,
    'request_compression',
    'requestCompression',
    choicesValue('gzip', 'deflate', 'br'),
    'none',
    'content codings that request bodies may have',
  ),
  option(
    requests,
    'update_masks',
    'updateMasks',
    booleanValue,
    'true',
    'PATCH fills an empty update mask from the keys of the body',
  ),
  option(requests, 'method_override', 'methodOverride', booleanValue, 'false', 'honour X-HTTP-Method-Override on POST'),

  option(
    answers,
    'preserve_proto_field_names',
    'preserveProtoFieldNames',
    booleanValue,
    'false',
    "print the proto's own field names (snake_case)",
  ),
  option(
    answers,
    'always_print_primitive_fields',
    'alwaysPrintPrimitiveFields',
    booleanValue,
    'false',
    'print fields at their default: 0, "", false, []',
  ),
  option(
    answers,
    'always_print_enums_as_ints',
    'alwaysPrintEnumsAsInts',
    booleanValue,
    'false',
    'print enums as numbers',
  ),
  option(answers, 'int64_as_numbers', 'int64AsNumbers', booleanValue, 'false', 'print 64-bit integers as JSON numbers'),
  option(answers, 'add_whitespace', 'addWhitespace', booleanValue, 'false', 'indent the JSON'),
  option(
    answers,
    'stream_format',
    'streamFormat',
    enumValue('array', 'ndjson', 'sse', 'grpc-gateway'),
    'array',
    'how server streams are sent where Accept does not say: JSON array, lines, server-sent events, {"result": …} lines',
  ),
  option(
    answers,
    'stream_newline_delimited',
    'streamNewlineDelimited',
    booleanValue,
    'false',
    "Envoy's name for stream_format ndjson",
  ),
  option(
    answers,
    'stream_sse_style_delimited',
    'streamSseStyleDelimited',
    booleanValue,
    'false',
    "Envoy's name for stream_format sse",
  ),
  option(
    answers,
    'close_error_array',
    'closeErrorArray',
    booleanValue,
    'false',
    'the array of a stream that failed ends in ], not in a break',
  ),
  option(
    answers,
    'envelope',
    'envelope',
    enumValue('none', 'photon'),
    'none',
    'wrap answers: {"data": …, "meta": {…}}',
  ),
  option(
    answers,
    'error_format',
    'errorFormat',
    enumValue('status', 'aip193', 'problem', 'photon'),
    'status, or as envelope',
    'shape of error bodies: google.rpc.Status, AIP-193, RFC 9457 problem details, or {"error": …, "meta": {…}}',
  ),
  option(
    answers,
    'status_map',
    'statusMap',
    statusMapValue(codeByName),
    'none',
    'HTTP status for gRPC codes, where not the usual one',
  ),
  option(answers, 'debug_info', 'debugInfo', booleanValue, 'false', 'show google.rpc.DebugInfo details'),
  option(
    answers,
    'reason_phrase',
    'reasonPhrase',
    booleanValue,
    'true',
    'HTTP/1 reason phrase of an error is its message',
  ),
  option(
    answers,
    'etag',
    'etag',
    booleanValue,
    'false',
    'an ETag for answers to GET, and 304 where If-None-Match has it',
  ),
  option(
    answers,
    'compression',
    'compression',
    choicesValue('gzip', 'br', 'zstd'),
    'none',
    'content codings for answers, the best first; zstd where Node has it',
  ),

  option(
    access,
    'pass_through',
    'passThrough',
    enumValue('mapped', 'all', 'off'),
    'mapped',
    'methods that gRPC, gRPC-Web and Connect reach: those with a rule, all, or none',
  ),
  option(access, 'check_origin', 'checkOrigin', booleanValue, 'true', 'refuse writes from web pages of other origins'),
  option(
    access,
    'allowed_hosts',
    'allowedHosts',
    hostNamesValue,
    'none',
    'names, besides IP addresses and localhost, that a loopback listener answers to; * for all',
  ),
  option(
    access,
    'identity_headers',
    'identityHeaders',
    headerNamesValue,
    'none',
    'headers that say who a client is: removed from what clients send; a trailing * makes a prefix',
  ),

  option(encryption, 'tls_cert', 'tlsCert', pathValue, 'none', 'certificate of the listener (PEM): it takes TLS alone'),
  option(encryption, 'tls_key', 'tlsKey', pathValue, 'none', 'private key of that certificate (PEM, no passphrase)'),
  option(
    encryption,
    'tls_client_ca',
    'tlsClientCa',
    pathValue,
    'none',
    'authorities (PEM) that the certificates of clients come from',
  ),
  option(
    encryption,
    'tls_client_cert',
    'tlsClientCert',
    enumValue('none', 'request', 'require'),
    'none, or require with tls_client_ca',
    'clients are asked for a certificate; with require, others are refused',
  ),
  option(encryption, 'upstream_tls', 'upstreamTls', booleanValue, 'false', 'reach upstreams by TLS'),
  option(
    encryption,
    'upstream_ca',
    'upstreamCa',
    pathValue,
    'those that Node brings',
    "authorities (PEM) that upstreams' certificates come from",
  ),
  option(
    encryption,
    'upstream_cert',
    'upstreamCert',
    pathValue,
    'none',
    'our certificate (PEM), for upstreams that ask for one',
  ),
  option(encryption, 'upstream_key', 'upstreamKey', pathValue, 'none', 'private key of that certificate (PEM)'),
  option(
    encryption,
    'upstream_authority',
    'upstreamAuthority',
    authorityValue,
    "the target's host",
    "name that an upstream's certificate must have; sent as :authority",
  ),

  option(
    services,
    'upstream_client',
    'upstreamClient',
    enumValue('native', 'grpc-js'),
    'native',
    'who speaks HTTP/2 with services: photongate itself, or the library @grpc/grpc-js',
  ),
  option(
    services,
    'load_balancing_policy',
    'loadBalancingPolicy',
    enumValue('pick_first', 'round_robin'),
    'pick_first',
    'calls to a target of several addresses: all to the first that answers, or to all in turn',
  ),
  option(
    services,
    'dns_refresh_rate',
    'dnsRefreshRateMs',
    optionalTimeValue,
    '30s',
    'how often round_robin resolves a host name anew; none: when a connection is lost',
  ),
  option(
    services,
    'upstream_keepalive_time',
    'upstreamKeepaliveTimeMs',
    optionalTimeValue,
    '6m',
    'silence during a call after which a service is asked by PING whether it is there; many servers take offence at less than 5m',
  ),
  option(
    services,
    'upstream_keepalive_timeout',
    'upstreamKeepaliveTimeoutMs',
    timeValue,
    '20s',
    'silence after that PING which means that it is gone: its calls fail',
  ),
  option(
    services,
    'initial_reconnect_backoff',
    'initialReconnectBackoffMs',
    timeValue,
    '200ms',
    'time after a failed connection in which none is tried and calls fail at once; grows by 1.6 with each failure',
  ),
  option(
    services,
    'max_reconnect_backoff',
    'maxReconnectBackoffMs',
    timeValue,
    '3s',
    'longest such time; gRPC itself has 1s and 120s',
  ),

  option(
    limits,
    'default_deadline',
    'defaultDeadlineMs',
    optionalTimeValue,
    'none',
    'deadline of calls whose client gives none',
  ),
  option(
    limits,
    'max_deadline',
    'maxDeadlineMs',
    optionalTimeValue,
    'none',
    'longest deadline that a client may ask for',
  ),
  option(limits, 'max_body_bytes', 'maxBodyBytes', size, '4MiB', 'largest request body'),
  option(
    limits,
    'max_form_parts',
    'maxFormParts',
    integerValue(1, 1_000_000),
    '1000',
    'parts of a multipart/form-data body',
  ),
  option(
    limits,
    'max_receive_bytes',
    'maxReceiveBytes',
    sizeValue(1, 2 ** 31 - 1),
    '64MiB',
    'largest message from a service',
  ),
  option(limits, 'max_url_bytes', 'maxUrlBytes', sizeValue(64, MiB), '16KiB', 'longest request target'),
  option(
    limits,
    'max_header_bytes',
    'maxHeaderBytes',
    sizeValue(256, MiB),
    '16KiB',
    'all headers of a request together',
  ),
  option(limits, 'max_json_depth', 'maxJsonDepth', integerValue(1, 500), '100', 'nesting of JSON'),
  option(
    limits,
    'max_concurrent_requests',
    'maxConcurrentRequests',
    integerValue(1, 10_000_000),
    '10000',
    'requests under way at once, for each listener',
  ),
  option(
    limits,
    'stream_head_delay',
    'streamHeadDelayMs',
    timeValue,
    '1s',
    'time that the head of a streamed answer waits for the first message',
  ),
  option(
    limits,
    'sse_keep_alive',
    'sseKeepAliveMs',
    timeValue,
    '15s',
    'time between the comments that keep server-sent events alive',
  ),
  option(
    limits,
    'connect_timeout',
    'connectTimeoutMs',
    timeValue,
    '10s',
    'how long a call waits for a connection to its service, and a request for one to the fallback server',
  ),
  option(limits, 'health_timeout', 'healthTimeoutMs', timeValue, '3s', 'time for the health of a service, in /health'),
  option(limits, 'header_timeout', 'headerTimeoutMs', timeValue, '10s', 'time for a request head'),
  option(limits, 'idle_timeout', 'idleTimeoutMs', timeValue, '60s', 'time without a byte of an upload'),
  option(limits, 'keep_alive_timeout', 'keepAliveTimeoutMs', timeValue, '75s', 'time that an idle connection is kept'),
  option(
    limits,
    'fallback_timeout',
    'fallbackTimeoutMs',
    timeValue,
    '60s',
    'time for the fallback server to begin its answer, and to take the next bytes of an upload',
  ),
  option(
    limits,
    'reflection_interval',
    'reflectionIntervalMs',
    optionalTimeValue,
    '10s',
    'time between two looks whether a reflecting upstream has another schema; none: at the start alone',
  ),
  option(limits, 'reflection_timeout', 'reflectionTimeoutMs', timeValue, '5s', 'time for one such look'),
  option(
    limits,
    'max_reflection_bytes',
    'maxReflectionBytes',
    size,
    '64MiB',
    'files of one reflecting upstream together',
  ),
  option(
    limits,
    'max_reflection_files',
    'maxReflectionFiles',
    integerValue(1, 1_000_000),
    '10000',
    'files, and services, of one reflecting upstream',
  ),
  option(limits, 'drain_timeout', 'drainTimeoutMs', timeValue, '10s', 'time for requests in flight at a shutdown'),
];

const byName = new Map(optionSpecs.map((spec) => [spec.name, spec]));

/** By its snake_case name. */
export function optionSpec(name: string): OptionSpec | undefined {
  return byName.get(name);
}

/** `max_body_bytes` → `max-body-bytes`. */
export function flagName(name: string): string {
  return name.replaceAll('_', '-');
}

/**
 * Fills in what was not given, by the preset or else by the defaults; `error_format` follows `envelope`, and `tls_client_cert` follows `tls_client_ca`.
 * Fills in what was not given; `error_format` follows `envelope`, `stream_format` follows Envoy's names, and `tls_client_cert` follows `tls_client_ca`.
 * Relative paths become absolute.
 */
export function completeOptions(given: Partial<Options>, workingDirectory: string): Options {
  const preset = presets[given.preset ?? defaultOptions.preset];
  const errorFormat = given.envelope === 'photon' ? 'photon' : (preset.errorFormat ?? defaultOptions.errorFormat);
  const tlsClientCert = given.tlsClientCa === undefined ? 'none' : 'require';
  const { streamNewlineDelimited: newlines, streamSseStyleDelimited: events } = given;
  const streamFormat = events === true ? 'sse' : newlines === true ? 'ndjson' : defaultOptions.streamFormat;
  return Object.freeze({
    ...defaultOptions,
    ...preset,
    errorFormat,
    streamFormat,
    tlsClientCert,
    ...given,
    ...absolutePaths(given, workingDirectory),
  });
}

/** The options that an upstream's own `tls` may hold, without their `upstream_`. */
export const upstreamTlsSpecs: readonly OptionSpec[] = optionSpecs.filter(
  ({ name, group }) => group === encryption && /^upstream_(?!tls$)/.test(name),
);

const pathSpecs = optionSpecs.filter(({ kind }) => (kind as unknown) === pathValue);

/** The options of `given` that are paths, as seen from a folder. */
export function absolutePaths(given: Partial<Options>, folder: string): Partial<Options> {
  return Object.fromEntries(
    pathSpecs.flatMap(({ key }) => {
      const path = given[key] as string | undefined;
      return path === undefined ? [] : [[key, resolve(folder, path)]];
    }),
  );
}

/**
 * How upstreams without a word of their own are reached: undefined in cleartext.
 * @throws ConfigError `tls-off` where one of its options is given, but `upstream_tls` is not.
 */
export function upstreamTlsOf(options: Options): UpstreamTls | undefined {
  const { upstreamTls, upstreamCa: ca, upstreamCert: cert, upstreamKey: key, upstreamAuthority: authority } = options;
  const tls = { ca, cert, key, authority };
  if (upstreamTls) return tls;
  const given = Object.entries(tls).find(([, value]) => value !== undefined)?.[0];
  if (given === undefined) return undefined;
  throw new ConfigError({
    code: 'tls-off',
    message: `upstream_${given} is given, but upstream_tls is not, and upstreams are reached in cleartext`,
    hint: `write --upstream-tls (upstream_tls: true), or leave upstream_${given} out`,
  });
}
