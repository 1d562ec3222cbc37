/** What a route, or a rule of a filter, asks of a request. */
import { honoured, list, message, refused } from '../describe.js';
import { bool, string } from '../kinds.js';
import { headerMatcher, queryParameterMatcher, safeRegex } from './common.js';

export const match = message({
  prefix: honoured(string),
  path: honoured(string),
  safe_regex: honoured(safeRegex),
  path_separated_prefix: honoured(string),
  case_sensitive: honoured(bool),
  headers: honoured(list(headerMatcher)),
  query_parameters: honoured(list(queryParameterMatcher)),
  grpc: honoured(message({})),
  connect_matcher: refused('CONNECT is not served here'),
  path_match_policy: refused('write prefix, path, path_separated_prefix or safe_regex'),
  runtime_fraction: refused('write weighted_clusters'),
  tls_context: refused('set require_client_certificate on the listener'),
  dynamic_metadata: refused('nothing here sets it'),
  filter_state: refused('nothing here sets it'),
  cookies: refused('match the header cookie'),
});
