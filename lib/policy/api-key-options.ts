/**
 * `policies: { api_keys: … }` of a file, or `apiKeys` of a program: where the keys are kept, where a request carries its key,
 * and what RPCs require of it.
 */
import {
  booleanValue,
  converted,
  defaultsOf,
  fieldOr,
  fileValue,
  type InputsOf,
  integerValue,
  oneOrMany,
  record,
  requiredField,
  sizeValue,
  type ValuesOf,
} from '../options/index.js';
import {
  checkExcept,
  claimRules,
  forwardedClaims,
  headerName,
  parameterName,
  realmText,
} from './credential-options.js';
import { rpcSelector } from './rpc-selector.js';

const optionalFields = {
  // In `authorization` the key follows `ApiKey `; in any other header it stands alone.
  header: fieldOr(headerName, 'x-api-key', 'request header with the key. Default: x-api-key'),
  query_parameter: fieldOr(parameterName, undefined, 'query parameter that may hold the key. Default: none'),
  except: fieldOr(oneOrMany(rpcSelector), [], 'selectors of RPCs that need no key'),
  require: fieldOr(claimRules, [], 'selectors of RPCs → entries of keys → values, one of which the key must have'),
  // The same names are removed from client requests.
  forward: fieldOr(forwardedClaims, new Map<string, string>(), 'entries of keys → metadata for services'),
  forward_key: fieldOr(booleanValue, false, 'services get the key as well, where the client put it. Default: false'),
  realm: fieldOr(realmText, 'photongate', 'named in www-authenticate. Default: photongate'),
  protect_pages: fieldOr(
    booleanValue,
    false,
    'the pages of the proxy itself, except /health, require a key. Default: false',
  ),
  protect_fallback: fieldOr(booleanValue, true, 'requests for the fallback require a key. Default: true'),
  max_key_bytes: fieldOr(sizeValue(1, 64 * 1024), 1024, 'longest key of a request'),
  max_keys: fieldOr(integerValue(1, 100_000), 10_000, 'most keys of the file'),
  max_file_bytes: fieldOr(sizeValue(1, 4 * 1024 ** 2), 1024 ** 2, 'largest file'),
};

const policyFields = {
  file: requiredField(
    fileValue,
    'keys, in YAML or JSON; read again when it changes',
    'there is no "file": the path of a file with keys: [ { name: mobile, sha256: HEX } ]',
  ),
  ...optionalFields,
};

/** The options of `policies.api_keys`, complete. */
export type ApiKeyOptions = ValuesOf<typeof policyFields>;

/** `policies: { api_keys: … }` as programs write it: `{ file: 'keys.yaml' }`. */
export type ApiKeySettings = InputsOf<typeof policyFields>;

const policy = record({
  fields: policyFields,
  about: '"api_keys"',
  expected: '"api_keys" is false or a map such as { file: keys.yaml }',
  otherNames: {
    keys: 'file',
    path: 'file',
    header_name: 'header',
    key_names: 'header',
    query: 'query_parameter',
    rules: 'require',
    allow: 'require',
    bypass: 'except',
    forward_metadata: 'forward',
  },
  check: ({ except = [], require = [] }, _map, reader) => checkExcept(except, require, 'key', reader),
});

/** Complete: members that are left out have their defaults. */
export const apiKeysKind = converted(policy, {
  read: (given): ApiKeyOptions => ({ ...defaultsOf(optionalFields), ...given }),
  print: (options) => options,
});
