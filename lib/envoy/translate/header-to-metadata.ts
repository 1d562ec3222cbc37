/** `header_to_metadata`: of its rules only what they remove is seen outside. */
import { cannot, type EnvoyReader, type MessageOf, type ValueOf } from '../describe.js';
import type { headerToMetadataKeys } from '../keys/filters.js';
import type { routeConfiguration } from '../keys/routes.js';

export type HeaderToMetadata = MessageOf<typeof headerToMetadataKeys>;

/** Names of headers that are removed from requests and answers. */
export interface RemovedHeaders {
  readonly request_headers_to_remove: readonly string[];
  readonly response_headers_to_remove: readonly string[];
}

/** A route that asks for such a header would be sought again without it, once the request is a call. */
export function removedHeaders(
  filters: readonly HeaderToMetadata[],
  routes: ValueOf<typeof routeConfiguration> | undefined,
  reader: EnvoyReader,
): RemovedHeaders {
  const asked = (routes?.virtual_hosts ?? [])
    .flatMap(({ routes: own = [] }) => own)
    .flatMap(({ match }) => (match?.headers ?? []).map(({ name = '' }) => name.toLowerCase()));
  const names = (rules: HeaderToMetadata['request_rules'] = []): string[] =>
    rules.flatMap(({ header, remove }) => (remove === true && header !== undefined ? [header] : []));
  for (const { header, remove, at } of filters.flatMap(({ request_rules: rules = [] }) => rules)) {
    if (remove !== true || header === undefined || !asked.includes(header.toLowerCase())) continue;
    const message = `routes are sought by ${JSON.stringify(header)}, which is removed`;
    cannot(reader, at, message, 'write request_headers_to_remove on the routes');
  }
  return {
    request_headers_to_remove: filters.flatMap(({ request_rules: rules }) => names(rules)),
    response_headers_to_remove: filters.flatMap(({ response_rules: rules }) => names(rules)),
  };
}
