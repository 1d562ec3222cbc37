/** The upstreams of a mount, with all that its options say of them. */
import type { UpstreamSpec } from '../upstream/index.js';
import type { MountConfig } from './config.js';
import { upstreamTlsOf } from './options.js';
import { packageVersion } from '../version.js';

/** @throws ConfigError `tls-off`. */
export function upstreamSpecsOf({ upstreams, options }: MountConfig): UpstreamSpec[] {
  const userAgent = `photongate/${packageVersion()}`;
  const tls = upstreamTlsOf(options);
  return upstreams.map((spec) => ({
    ...spec,
    options: {
      maxReceiveBytes: options.maxReceiveBytes,
      connectTimeoutMs: options.connectTimeoutMs,
      client: options.upstreamClient,
      loadBalancingPolicy: options.loadBalancingPolicy,
      dnsRefreshMs: options.dnsRefreshRateMs,
      keepaliveTimeMs: options.upstreamKeepaliveTimeMs,
      keepaliveTimeoutMs: options.upstreamKeepaliveTimeoutMs,
      initialBackoffMs: options.initialReconnectBackoffMs,
      maxBackoffMs: options.maxReconnectBackoffMs,
      userAgent,
      tls,
    },
  }));
}
