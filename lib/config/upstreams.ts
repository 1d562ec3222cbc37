/** The upstreams of a mount, with all that its options say of them. */
import type { UpstreamSpec } from '../upstream/index.js';
import type { MountConfig } from './config.js';
import { upstreamTlsOf } from './options.js';
import { packageVersion } from '../version.js';

/** @throws ConfigError `tls-off`. */
export function upstreamSpecsOf({ upstreams, options }: MountConfig): UpstreamSpec[] {
  const { maxReceiveBytes, connectTimeoutMs, upstreamClient: client } = options;
  const userAgent = `photongate/${packageVersion()}`;
  const tls = upstreamTlsOf(options);
  return upstreams.map((spec) => ({
    ...spec,
    options: { maxReceiveBytes, connectTimeoutMs, client, userAgent, tls },
  }));
}
