/** The filter `ext_authz`: an authorizer that is asked by gRPC, as Envoy asks it. */
import {
  booleanValue,
  checkedText,
  field,
  integerValue,
  type KindValue,
  listOf,
  mapOf,
  OptionError,
  record,
  requiredField,
  sizeValue,
  timeValue,
} from '../options/index.js';
import { anyText, text, textTests } from './match-options.js';

/** Which service is asked: a cluster, or a target. */
export const serviceFields = {
  cluster: field(text, 'the cluster that is asked'),
  target: field(
    checkedText({
      placeholder: 'TARGET',
      description: 'a target such as 127.0.0.1:9000',
      code: 'config-type',
      convert: (value) => (/\s/.test(value) || value === '' ? undefined : value),
    }),
    'the server that is asked, in the place of a cluster',
  ),
};

/** @throws OptionError */
export function checkService(
  { cluster, target }: { readonly cluster?: string; readonly target?: string },
  what: string,
): void {
  if ((cluster === undefined) !== (target === undefined)) return;
  throw new OptionError(`${what} has a cluster or a target`, 'config-type');
}

const headerNames = (what: string) =>
  field(
    listOf(
      record({
        fields: textTests,
        about: 'a matcher of names',
        expected: 'a matcher of names is a map such as { prefix: x- }',
      }),
      'it is a list of matchers of names',
    ),
    what,
  );

const extensions = mapOf(anyText, '"context_extensions" is a map of texts');

const requestBody = record({
  fields: {
    max_bytes: requiredField(sizeValue(1, 2 ** 30), 'so much of it', '"with_request_body" has max_bytes'),
    allow_partial: field(booleanValue, 'a longer body is sent in part. Default: it is 413'),
    as_bytes: field(booleanValue, 'it is sent as raw_body, and not as a text. Default: false'),
  },
  about: '"with_request_body"',
  expected: '"with_request_body" is a map such as { max_bytes: 64KiB }',
});

/** The member `ext_authz` of a filter. */
export const extAuthz = record({
  fields: {
    ...serviceFields,
    timeout: field(timeValue, 'how long an answer may take. Default: 200ms'),
    failure_mode_allow: field(booleanValue, 'without an answer requests pass. Default: false'),
    failure_mode_allow_header: field(
      booleanValue,
      'services are told by x-envoy-auth-failure-mode-allowed. Default: false',
    ),
    status_on_error: field(integerValue(400, 599), 'the HTTP status without an answer. Default: 403'),
    with_request_body: field(requestBody, 'the authorizer gets the body too. Default: it does not'),
    allowed_headers: headerNames('headers that the authorizer gets. Default: all'),
    disallowed_headers: headerNames('headers that it does not get'),
    context_extensions: field(extensions, 'what it is told besides'),
    include_rpc: field(booleanValue, 'it is told the RPC, in the context extension "rpc". Default: false'),
  },
  about: '"ext_authz"',
  expected: '"ext_authz" is a map such as { target: 127.0.0.1:9000 }',
  check: (value) => checkService(value, '"ext_authz"'),
});

/** What a route says of a filter `ext_authz`. */
export const routeAuthz = record({
  fields: {
    context_extensions: field(extensions, 'what the authorizer is told besides, with what the filter says'),
    without_body: field(booleanValue, 'true: it does not get the body'),
  },
  about: '"ext_authz" of a route',
  expected: '"ext_authz" of a route is a map such as { context_extensions: { team: blue } }',
});

export type ExtAuthzSettings = KindValue<typeof extAuthz>;
export type RouteAuthzSettings = KindValue<typeof routeAuthz>;
