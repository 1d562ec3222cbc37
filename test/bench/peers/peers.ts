/** Who is compared, how each is started, and what it does not do. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Built, packageVersion } from './build.js';
import { Running } from './running.js';

const top = fileURLToPath(new URL('../../../', import.meta.url));

export interface Peer {
  readonly key: string;
  /** With its version. */
  readonly name: string;
  /** Keys of the shapes that it does not serve. */
  readonly lacks: readonly string[];
  /** It answers by itself: its latency says nothing of a proxy's. */
  readonly isFloor?: true;
  /** Starts it before the service. */
  start(address: string, upstream: string): Promise<Running>;
}

export interface PeerOptions {
  readonly built: Built;
  readonly folder: string;
  /** Envoy's program; undefined: it is left out. */
  readonly envoy: string | undefined;
  /** Each is one more photongate. */
  readonly nodes: readonly string[];
  /** Processes of photongate, threads of Envoy, processors of Go. */
  readonly workers: number;
}

/** photongate, once for each Node, comes first. */
export function peersOf({ built, folder, envoy, nodes, workers }: PeerOptions): Peer[] {
  const { program, proto, modules } = built;
  const go = { GOMAXPROCS: String(workers) };
  const [firstNode = process.execPath] = nodes;
  const own = nodes.map((node, index): Peer => {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1);
    return {
      key: index === 0 ? 'photongate' : `photongate-${version.split('.')[0]}`,
      name: `photongate ${packageVersion('photongate')} on Node ${version}`,
      lacks: [],
      start: (address, upstream) => {
        const flags = ['--proto', proto, '--upstream', upstream, '--listen', address, '--workers', String(workers)];
        return Running.begin(address, node, [join(top, 'bin/photongate'), ...flags]);
      },
    };
  });
  const others: Peer[] = [
    {
      key: 'grpc-gateway',
      name: `grpc-gateway ${modules['github.com/grpc-ecosystem/grpc-gateway/v2']}`,
      lacks: ['download', 'upload', 'grpc'],
      start: (address, upstream) => Running.begin(address, program, ['grpc-gateway', address, upstream], go),
    },
    {
      key: 'vanguard',
      name: `vanguard-go ${modules['connectrpc.com/vanguard']}`,
      // It breaks off the upload.
      lacks: ['stream', 'upload'],
      start: (address, upstream) => Running.begin(address, program, ['vanguard', address, upstream], go),
    },
    {
      key: 'hand',
      name: `by hand on grpc-js ${packageVersion('@grpc/grpc-js')}`,
      lacks: ['download', 'upload', 'grpc'],
      start: (address, upstream) =>
        Running.begin(address, firstNode, [built.hand, address, upstream, proto, join(top, 'annotations')]),
    },
    {
      key: 'bare',
      name: 'bare node:http',
      lacks: ['grpc'],
      isFloor: true,
      start: (address) => Running.begin(address, firstNode, [built.bare, address]),
    },
  ];
  return envoy === undefined ? [...own, ...others] : [...own, envoyPeer(envoy, built, folder, workers), ...others];
}

function envoyPeer(program: string, { descriptorSet }: Built, folder: string, workers: number): Peer {
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' });
  return {
    key: 'envoy',
    name: `Envoy ${/\/(\d+\.\d+\.\d+)/.exec(version)?.[1]}`,
    lacks: [],
    start: (address, upstream) => {
      const file = join(folder, `envoy-${address.replace(':', '-')}.json`);
      writeFileSync(file, JSON.stringify(bootstrap(address, upstream, descriptorSet)));
      const flags = ['-c', file, '--concurrency', String(workers), '--log-level', 'error', '--disable-hot-restart'];
      return Running.begin(address, program, flags);
    },
  };
}

const socketAddress = (address: string): object => {
  const [host, port] = address.split(':');
  return { socket_address: { address: host, port_value: Number(port) } };
};

const typed = (type: string, fields: object = {}): object => ({
  '@type': `type.googleapis.com/envoy.extensions.${type}`,
  ...fields,
});

/** Buffers are large enough for the largest message, and no limit is met; the rest is as Envoy has it. */
function bootstrap(address: string, upstream: string, descriptorSet: string): object {
  const per_connection_buffer_limit_bytes = 256 * 1024 * 1024;
  const route = { match: { prefix: '/' }, route: { cluster: 'service', timeout: '0s' } };
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'peers',
    codec_type: 'AUTO',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    http_filters: [
      {
        name: 'envoy.filters.http.grpc_json_transcoder',
        typed_config: typed('filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder', {
          proto_descriptor: descriptorSet,
          services: ['shop.v1.Shop'],
          max_request_body_size: per_connection_buffer_limit_bytes,
          max_response_body_size: per_connection_buffer_limit_bytes,
        }),
      },
      { name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') },
    ],
  });
  const protocolOptions = typed('upstreams.http.v3.HttpProtocolOptions', {
    explicit_http_config: { http2_protocol_options: {} },
  });
  const endpoint = { endpoint: { address: socketAddress(upstream) } };
  return {
    static_resources: {
      listeners: [
        {
          address: socketAddress(address),
          per_connection_buffer_limit_bytes,
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'service',
          type: 'STATIC',
          per_connection_buffer_limit_bytes,
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': protocolOptions,
          },
          load_assignment: { cluster_name: 'service', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}
