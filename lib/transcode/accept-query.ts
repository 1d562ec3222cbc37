/** `Accept-Query` (https://www.rfc-editor.org/rfc/rfc10008): which types of body a QUERY may have at a path. */
import type { Binding } from '../rule/index.js';
import { endsInHttpBody } from './http-body.js';

const READ = 'application/json, application/x-www-form-urlencoded, multipart/form-data, application/x-protobuf';

/** The value of the header in answers of a rule; undefined if no QUERY is served at its path. */
export function acceptQuery({ query }: Pick<Binding, 'query'>): string | undefined {
  if (query === undefined || query.body.kind === 'none') return undefined;
  const path = query.body.kind === 'field' ? query.body.path : [];
  return endsInHttpBody(query.method.input, path) ? '*/*' : READ;
}
