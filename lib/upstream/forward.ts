/** An endpoint as a client of plain HTTP takes it: requests that are no calls go the same way as calls. */
import type { SecureContextOptions } from 'node:tls';
import { ConfigError } from '../status.js';
import { watchTlsFiles } from '../tls/index.js';
import type { UpstreamTls } from './options.js';
import { parseTarget } from './target.js';
import { serverNameOf, upstreamTlsFiles, upstreamTlsNames } from './tls.js';

/**
 * `dns:///host:port` → `http://host:port`.
 * @throws ConfigError `bad-target` for what is no single host
 */
export function forwardUrl(target: string, tls: UpstreamTls | undefined): string {
  const { uri } = parseTarget(target);
  const host = /^(?:dns:\/\/[^/]*\/|ipv[46]:)([^,]+)$/.exec(uri)?.[1];
  if (host !== undefined) return `${tls === undefined ? 'http' : 'https'}://${host}`;
  throw new ConfigError({
    code: 'bad-target',
    message: `the endpoint ${JSON.stringify(target)} is no host and port`,
    hint: 'write each endpoint of a cluster as host:port',
  });
}

/** Read once. @throws ConfigError as `readTlsFiles` */
export function forwardTls(
  target: string,
  tls: UpstreamTls | undefined,
): (SecureContextOptions & { readonly servername?: string }) | undefined {
  if (tls === undefined) return undefined;
  const { cert, key, ca } = watchTlsFiles(upstreamTlsFiles(tls), upstreamTlsNames).material;
  const servername = serverNameOf(parseTarget(target), tls.authority);
  return {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    ...(servername !== undefined && { servername }),
  };
}
