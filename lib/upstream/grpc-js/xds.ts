/**
 * Targets whose addresses, balancing and TLS a control plane tells (xDS), by `@grpc/grpc-js-xds`: an optional peer. It reads
 * its bootstrap from the environment, as every gRPC library does, and has one connection to the control plane for the process,
 * which it opens with the first call.
 */
import type { ChannelCredentials } from '@grpc/grpc-js';
import { type XdsPackage, xdsPackage } from '../../packages.js';
import { ConfigError } from '../../status.js';
import type { Target } from '../target.js';

/** What a channel to an `xds:` target needs. */
export interface Xds {
  /** The control plane, as the bootstrap names it. */
  readonly server: string;
  /** Credentials as the control plane wants them, and `fallback` where it says nothing of security. */
  credentials(fallback: ChannelCredentials): ChannelCredentials;
}

const exampleBootstrap = JSON.stringify({
  xds_servers: [{ server_uri: 'istiod:15010', channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
  node: { id: 'photongate', locality: {} },
});

/**
 * Loads the package and the bootstrap. Nothing is connected.
 * @throws ConfigError `xds-package` if the package is not installed, `xds-bootstrap` if there is no valid bootstrap
 */
export function openXds({ text: target, uri }: Target): Xds {
  const xds = xdsPackage();
  if (xds === undefined) {
    throw new ConfigError({
      code: 'xds-package',
      message: `the target ${target} needs the package @grpc/grpc-js-xds, which is not installed`,
      hint: 'npm install @grpc/grpc-js-xds beside photongate',
    });
  }
  const { xdsServers, authorities } = bootstrapOf(target, xds);
  const authority = authorities[uri.split('/')[2] ?? ''];
  const [server] = authority?.xdsServers ?? xdsServers;
  if (server === undefined) throw badBootstrap(target, 'its list of xds_servers is empty');
  xds.register();
  return { server: server.server_uri, credentials: (fallback) => new xds.XdsChannelCredentials(fallback) };
}

function bootstrapOf(target: string, xds: XdsPackage): ReturnType<XdsPackage['loadBootstrapInfo']> {
  try {
    return xds.loadBootstrapInfo();
  } catch (error) {
    throw badBootstrap(target, (error as Error).message);
  }
}

function badBootstrap(target: string, problem: string): ConfigError {
  return new ConfigError({
    code: 'xds-bootstrap',
    message: `the target ${target} needs a bootstrap that names its control plane: ${problem}`,
    hint: `set GRPC_XDS_BOOTSTRAP to the path of a file such as ${exampleBootstrap}`,
  });
}
