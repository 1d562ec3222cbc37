/** `ext_authz` → the filter `ext_authz`. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, type MessageOf, missing } from '../describe.js';
import type { extAuthzKeys, extAuthzRouteKeys } from '../keys/ext-authz.js';
import { time } from './clusters.js';
import { textTest } from './routes.js';

type PlainMap = Record<string, Plain>;
type ExtAuthz = MessageOf<typeof extAuthzKeys>;

/** Undefined if it is off. */
export function translateExtAuthz(filter: ExtAuthz, reader: EnvoyReader): PlainMap | undefined {
  const {
    grpc_service: service,
    with_request_body: body,
    status_on_error: status,
    filter_enabled: enabled,
    at,
  } = filter;
  const { numerator = 0, denominator = 'HUNDRED' } = enabled?.default_value ?? { numerator: 100 };
  if (enabled !== undefined && numerator === 0) return undefined;
  if (numerator < wholes[denominator]) {
    cannot(reader, at, 'filter_enabled for a part of the requests cannot be honoured', 'write all, or none');
  }
  const cluster = service?.envoy_grpc?.cluster_name;
  if (cluster === undefined) {
    const hint = 'write grpc_service: { envoy_grpc: { cluster_name: NAME } }';
    missing(reader, at, 'it has no grpc_service', hint);
    return undefined;
  }
  const { allowed_headers: allowed, disallowed_headers: disallowed } = filter;
  return {
    ext_authz: {
      cluster,
      ...(service?.timeout !== undefined && { timeout: time(service.timeout) }),
      ...(filter.failure_mode_allow === true && { failure_mode_allow: true }),
      ...(filter.failure_mode_allow_header_add === true && { failure_mode_allow_header: true }),
      ...(status?.code !== undefined && { status_on_error: status.code }),
      ...(body !== undefined && {
        with_request_body: {
          max_bytes: body.max_request_bytes ?? 1,
          ...(body.allow_partial_message === true && { allow_partial: true }),
          ...(body.pack_as_bytes === true && { as_bytes: true }),
        },
      }),
      ...(allowed !== undefined && { allowed_headers: (allowed.patterns ?? []).map(textTest) }),
      ...(disallowed !== undefined && { disallowed_headers: (disallowed.patterns ?? []).map(textTest) }),
    },
  };
}

const wholes = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

/**
 * What the levels of a route say, the outermost first; the extensions of all of them count.
 * @param levels of which the innermost says something
 */
export function translateAuthzRoute(levels: readonly MessageOf<typeof extAuthzRouteKeys>[]): PlainMap {
  const inner = levels.at(-1);
  if (inner?.disabled === true) return { disabled: true };
  const extensions = levels.flatMap(({ check_settings: settings }) => settings?.context_extensions ?? []);
  return {
    ext_authz: {
      ...(extensions.length > 0 && {
        context_extensions: Object.fromEntries(extensions.map(({ name, value }) => [name, value])),
      }),
      ...(inner?.check_settings?.disable_request_body_buffering === true && { without_body: true }),
    },
  };
}
