/** Bootstraps for tests: a listener that transcodes `echo.v1.Echo`, and what a test adds. */

export interface BootstrapParts {
  /** Lines of the listener, of the connection manager, of the cluster. */
  readonly listener?: string;
  readonly manager?: string;
  readonly cluster?: string;
  /** Members of the transcoder, besides its services. */
  readonly transcoder?: string;
  /** Those services. Default: echo.v1.Echo. */
  readonly services?: string;
  /** Lines of the filter, beside its configuration. */
  readonly filterLines?: string;
  /** Lines of `http_filters` that go before the transcoder. */
  readonly filters?: string;
  /** Lines of `virtual_hosts`; default: one host with one route. */
  readonly hosts?: string;
  /** Of that route: members of the match, of the action; lines besides. */
  readonly match?: string;
  readonly action?: string;
  readonly route?: string;
  /** Lines of `clusters` that go behind the cluster `grpc`. */
  readonly clusters?: string;
  readonly port?: number;
  readonly servicePort?: number;
  /** Lines of `endpoints`, in place of the one at that port. */
  readonly endpoints?: string;
  readonly descriptorSet?: string;
}

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

export function bootstrapOf(parts: BootstrapParts): string {
  const {
    listener = '',
    manager = '',
    cluster = '',
    filters = '',
    match = 'prefix: /',
    action = '',
    route = '',
    clusters = '',
  } = parts;
  const { port = 51051, servicePort = 50051, descriptorSet = 'echo.pb', transcoder = '' } = parts;
  const { endpoints = endpointsAt([servicePort]), services = 'echo.v1.Echo', filterLines = '' } = parts;
  const hosts =
    parts.hosts ??
    `- name: all
              domains: ["*"]
              routes:
              - match: { ${match} }
                route: { cluster: grpc${action === '' ? '' : `, ${action}`} }${route === '' ? '' : `\n                ${route}`}`;
  return `static_resources:
  listeners:
  - name: listener
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    ${listener}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": ${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          ${manager}
          route_config:
            virtual_hosts:
            ${hosts}
          http_filters:
          ${filters}
          - name: envoy.filters.http.grpc_json_transcoder
            ${filterLines}
            typed_config:
              "@type": ${EXTENSIONS}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder
              proto_descriptor: ${descriptorSet}
              services: [${services}]
              ${transcoder}
          - name: envoy.filters.http.router
            typed_config: { "@type": ${EXTENSIONS}.filters.http.router.v3.Router }
  clusters:
  - name: grpc
    type: STATIC
    ${cluster}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": ${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment:
      cluster_name: grpc
      endpoints:
      ${endpoints}
  ${clusters}
`;
}

/** A line of `endpoints` with one locality. */
export function endpointsAt(ports: readonly number[], more = ''): string {
  const list = ports.map(
    (port) => `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }`,
  );
  return `- { lb_endpoints: [${list.join(', ')}]${more === '' ? '' : `, ${more}`} }`;
}

/** A line of `clusters`: a gRPC service on a port of this machine. */
export function clusterOf(name: string, port: number | string): string {
  const http2 = `typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": ${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } }`;
  const endpoint = `endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }`;
  return `- { name: ${name}, type: STATIC, ${http2}, load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ ${endpoint} }] }] } }`;
}
