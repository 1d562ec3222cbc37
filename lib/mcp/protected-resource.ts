/** Where clients get tokens: metadata of a protected resource (RFC 9728), and the challenge that names them. */
import type { Reply, RequestHead } from '../exchange.js';
import { header } from '../headers.js';

/** The well-known path, before the path of the endpoint. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';

/**
 * The URL of a path as the client of a request sees it, also behind proxies that are trusted; undefined if it named no host.
 * @param path with the prefixes of mounts
 */
export function urlFor({ caller: { forwarded } }: Pick<RequestHead, 'caller'>, path: string): string | undefined {
  const host = header(forwarded, 'x-forwarded-host');
  const scheme = header(forwarded, 'x-forwarded-proto');
  if (host === undefined || !/^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i.test(host)) return undefined;
  return `${scheme === 'https' ? 'https' : 'http'}://${host}${path}`;
}

/** The challenge of a 401 or 403, with where to get a token. */
export function challengeWith(challenge: string, metadataUrl: string | undefined): string {
  return metadataUrl === undefined ? challenge : `${challenge}, resource_metadata="${metadataUrl}"`;
}

/** The metadata of an endpoint. @param issuers who makes tokens; those that are no URL are no authorization servers */
export function protectedResource(
  resource: string,
  issuers: readonly string[],
  { requestId, method }: RequestHead,
): Reply {
  const servers = issuers.filter((issuer) => /^https?:\/\//.test(issuer));
  const document = {
    resource,
    ...(servers.length === 0 ? {} : { authorization_servers: servers }),
    bearer_methods_supported: ['header'],
  };
  const body = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
  const headers = [
    'content-type',
    'application/json',
    'cache-control',
    'no-cache',
    'x-content-type-options',
    'nosniff',
  ];
  return {
    status: 200,
    headers: [...headers, 'content-length', String(body.length), 'x-request-id', requestId],
    body: method === 'HEAD' ? undefined : body,
  };
}
