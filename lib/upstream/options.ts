/** Options of calls to upstreams. */
import {
  authorityValue,
  booleanValue,
  defaultsOf,
  enumValue,
  type GivenOf,
  option,
  optionalTextValue,
  optionalTimeValue,
  type OptionsOf,
  pemValue,
  sizeValue,
  timeValue,
} from '../options/index.js';

import type { ClusterBalancing } from './balance/balancing.js';
import type { ServiceConfig } from './service-config/kind.js';

export { MAX_TIMER_MS } from '../options/index.js';

const ca = option(pemValue, {
  default: undefined,
  defaultText: 'those of Node',
  group: 'tls',
  text: 'certificate authorities (PEM) that are trusted for upstreams',
});
const cert = option(pemValue, {
  default: undefined,
  group: 'tls',
  text: 'client certificate (PEM) of the proxy, for upstreams that request one',
});
const key = option(pemValue, { default: undefined, group: 'tls', text: 'private key of that certificate (PEM)' });
const authority = option(authorityValue, {
  default: undefined,
  defaultText: "the target's host",
  group: 'tls',
  text: "name that an upstream's certificate must match; also sent as :authority",
});

/** The members of an upstream's `tls`. */
export const upstreamTlsFields = { ca, cert, key, authority };

/** TLS files and names. Paths are absolute, or relative to the working directory of the process. */
export type UpstreamTls = GivenOf<typeof upstreamTlsFields>;

/** TLS of upstreams that have no `tls` of their own. */
const tlsOptions = {
  upstream_tls: option(booleanValue, { default: false, group: 'tls', text: 'connect to upstreams with TLS' }),
  upstream_ca: ca,
  upstream_cert: cert,
  upstream_key: key,
  upstream_authority: authority,
};

/** Options of a call. */
export const upstreamCallOptions = {
  /**
   * Limits of `grpc-js`: compressed messages cannot be passed through, services see that library's `user-agent`, and an
   * aborted upload looks complete to services that do not check the reset.
   */
  upstream_client: option(enumValue('native', 'grpc-js'), {
    default: 'native',
    group: 'services',
    text: 'HTTP/2 client for services: that of photongate, or the library @grpc/grpc-js',
  }),
  load_balancing_policy: option(enumValue('pick_first', 'round_robin', 'least_request', 'random'), {
    default: 'pick_first',
    group: 'services',
    text: 'for a target with several addresses: send all calls to the first that answers, to each in turn, to the less busy of two, or to any',
  }),
  dns_refresh_rate: option(optionalTimeValue, {
    default: 30_000,
    group: 'services',
    text: 'how often host names are resolved again, but for pick_first; none: only after a connection is lost',
  }),
  upstream_keepalive_time: option(optionalTimeValue, {
    default: 360_000,
    defaultText: '6m',
    group: 'services',
    text: 'time without data during a call after which the connection is checked by PING; many servers refuse less than 5m',
  }),
  upstream_keepalive_timeout: option(timeValue, {
    default: 20_000,
    group: 'services',
    text: 'how long the answer to that PING may take before the connection counts as lost and its calls fail',
  }),
  // A service that returns is called again within a second; gRPC's own values, 1 and 120 seconds, suit services that are down
  // for long.
  initial_reconnect_backoff: option(timeValue, {
    default: 200,
    group: 'services',
    text: 'pause after a failed attempt to connect, in which calls fail at once; grows by 1.6 with each failure',
  }),
  max_reconnect_backoff: option(timeValue, {
    default: 500,
    group: 'services',
    text: 'longest such pause; the defaults of gRPC are 1s and 120s',
  }),
  max_receive_bytes: option(sizeValue(1, 2 ** 31 - 1), {
    default: 64 * 1024 ** 2,
    group: 'limits',
    text: 'largest message from a service',
  }),
  /** In the measure of HTTP/2: 32 bytes for each header, plus the lengths of name and value. */
  max_upstream_header_bytes: option(sizeValue(1024, 64 * 1024 ** 2), {
    default: 256 * 1024,
    group: 'limits',
    text: "headers of a service's response, and its trailers; larger ones are truncated, but the status is kept",
  }),
  connect_timeout: option(timeValue, {
    default: 10_000,
    group: 'limits',
    text: 'how long a call waits for a connection to its service, or a request for one to the fallback server',
  }),
};

/** Where the process runs. */
export const placeOptions = {
  zone: option(optionalTextValue, {
    default: undefined,
    processOnly: true,
    group: 'services',
    text: 'the zone that photongate runs in: endpoints of clusters in the same zone get calls first',
  }),
};

/** All options of upstreams. */
export const upstreamOptions = { ...tlsOptions, ...upstreamCallOptions, ...placeOptions };

/** Options of one upstream, complete. */
export interface UpstreamOptions extends OptionsOf<typeof upstreamCallOptions> {
  /** The `user-agent` of calls whose metadata has none. Default `photongate`. */
  readonly userAgent: string;
  /** Undefined: cleartext, the default. */
  readonly tls: UpstreamTls | undefined;
  /** The `host:port` that the target is an address of: the default `:authority`, and the name of the certificate. */
  readonly resolvedFrom?: string | undefined;
  /** How the addresses of the target are judged and picked, if one channel cannot do it alone. `Lease.open` looks at it. */
  readonly balancing?: ClusterBalancing | undefined;
  /** Of its RPCs. Default: none. */
  readonly serviceConfig?: ServiceConfig | undefined;
}

/** The HTTP/2 client for services: the native one, or `@grpc/grpc-js`. */
export type UpstreamClient = UpstreamOptions['upstreamClient'];

/** All upstream options at their defaults. */
export const defaultUpstreamOptions: UpstreamOptions = Object.freeze({
  ...defaultsOf(upstreamCallOptions),
  userAgent: 'photongate',
  tls: undefined,
});
