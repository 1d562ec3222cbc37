/** `jwt_authn`, `ext_authz`, `local_ratelimit`, `fault` and `rbac` → `filters`, in their order. */
import type { Plain } from '../../options/index.js';
import {
  type At,
  cannot,
  type EnvoyReader,
  fault,
  type MessageOf,
  placed,
  type ValueOf,
  missing,
} from '../describe.js';
import type { headerMatcher, runtimeFraction, stringMatcher } from '../keys/common.js';
import {
  EXT_AUTHZ,
  FAULT,
  HEALTH_CHECK,
  type healthCheckKeys,
  JWT,
  RATE_LIMIT,
  RBAC,
  TRANSCODER,
} from '../keys/filters.js';
import type { extAuthzKeys } from '../keys/ext-authz.js';
import type { jwtKeys } from '../keys/jwt.js';
import type { faultKeys, permission, principal, rateLimitKeys, rbacKeys } from '../keys/request-filters.js';
import { translateExtAuthz } from './ext-authz.js';
import { translateJwt } from './jwt.js';
import { changesOf, headerTest, textTest } from './routes.js';

type PlainMap = Record<string, Plain>;
type RateLimit = MessageOf<typeof rateLimitKeys>;
type Fault = MessageOf<typeof faultKeys>;
type Rbac = MessageOf<typeof rbacKeys>;
type Permission = ValueOf<typeof permission>;
type Principal = ValueOf<typeof principal>;
type HealthCheck = MessageOf<typeof healthCheckKeys>;
type HeaderMatcher = ValueOf<typeof headerMatcher>;

/** A filter of the connection manager, read. */
export interface NamedFilter {
  /** By which routes speak of it. */
  readonly name: string | undefined;
  readonly type: string;
  readonly value: { readonly at: At };
  /** Off, unless a route says otherwise. */
  readonly isDisabled: boolean;
}

/** Which filters are translated, and for whom. */
export interface FilterUse {
  /** What clients say of their address is not believed. */
  readonly isEdge: boolean;
  /** Names of filters that routes speak of. */
  readonly spokenOf: ReadonlySet<string>;
}

/** Those that come behind a health check do not see what it answers. */
export function translateFilters(
  filters: readonly NamedFilter[],
  { isEdge, spokenOf }: FilterUse,
  reader: EnvoyReader,
): PlainMap {
  const answered: (readonly HeaderMatcher[])[] = [];
  let isTranscoded = false;
  const translated = filters.flatMap(({ name = '', type, value, isDisabled }): PlainMap[] => {
    const isSpokenOf = spokenOf.has(name);
    if (isDisabled && !isSpokenOf) return [];
    if (type === HEALTH_CHECK) answered.push((value as HealthCheck).headers ?? []);
    if (type === TRANSCODER) isTranscoded = true;
    const filter = translateFilter(type, value, isEdge, reader) ?? (isSpokenOf ? idle[type] : undefined);
    if (filter === undefined) return [];
    if (isTranscoded && type !== RATE_LIMIT) {
      const message = 'filters see requests as they came, and behind the transcoder Envoy shows them the call';
      cannot(reader, value.at, message, 'write it before the transcoder');
    }
    const unless = answered.map((headers) => ({ all: headers.map((one) => ({ header: headerTest(one, reader) })) }));
    const own = { ...(isSpokenOf && { name }), ...(unless.length > 0 && { unless }), ...filter };
    return [placed(own, value.at, reader)];
  });
  return translated.length === 0 ? {} : { filters: translated };
}

/** What does nothing, unless a route says what. */
const idle: Readonly<Record<string, PlainMap>> = {
  [RATE_LIMIT]: { rate_limit: { requests: 1, per: '1s', share: 0 } },
  [RBAC]: { access: { action: 'deny', rules: [] } },
  [FAULT]: { fault: {} },
};

/** Undefined if it does nothing. */
export function translateFilter(
  type: string,
  value: unknown,
  isEdge: boolean,
  reader: EnvoyReader,
): PlainMap | undefined {
  switch (type) {
    case JWT:
      return translateJwt(value as MessageOf<typeof jwtKeys>, reader);
    case EXT_AUTHZ:
      return translateExtAuthz(value as MessageOf<typeof extAuthzKeys>, reader);
    case RATE_LIMIT:
      return translateRateLimit(value as RateLimit, reader);
    case FAULT:
      return translateFault(value as Fault, reader);
    case RBAC:
      return translateRbac(value as Rbac, isEdge, reader);
    default:
      return undefined;
  }
}

const wholes = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

interface Fraction {
  readonly numerator?: number;
  readonly denominator?: keyof typeof wholes;
}

/** Nothing is the default. */
function shareOf({ numerator = 0, denominator = 'HUNDRED' }: Fraction = {}): number {
  return Math.min(1, numerator / wholes[denominator]);
}

function runtimeShare(fraction: ValueOf<typeof runtimeFraction> | undefined): number {
  return shareOf(fraction?.default_value);
}

function translateRateLimit(filter: RateLimit, reader: EnvoyReader): PlainMap | undefined {
  const { token_bucket: bucket, status, response_headers_to_add: added = [], at } = filter;
  const enabled = runtimeShare(filter.filter_enabled);
  const enforced = runtimeShare(filter.filter_enforced);
  if (enabled === 0 || enforced === 0 || bucket === undefined) return undefined;
  if (enforced < 1) {
    cannot(reader, at, 'filter_enforced for a part of the requests cannot be honoured', 'write numerator: 100, or 0');
  }
  const headers = changesOf({ response_headers_to_add: added }, 'response', reader);
  if (headers.some(({ value }) => (value as string).includes('%'))) {
    cannot(reader, at, 'values of response_headers_to_add have no commands here', 'write the values themselves');
  }
  const code = status?.code ?? 429;
  return {
    rate_limit: {
      burst: bucket.max_tokens ?? 1,
      requests: bucket.tokens_per_fill ?? 1,
      per: `${bucket.fill_interval ?? 1}ms`,
      ...(enabled < 1 && { share: enabled }),
      // As in Envoy, others mean 429.
      ...(code !== 429 && code >= 400 && { status: code }),
      ...(filter.rate_limited_as_resource_exhausted !== true && { code: 14 }),
      ...(headers.length > 0 && { headers: headers.map(({ name, value }) => ({ name: name!, value: value! })) }),
    },
  };
}

function translateFault(filter: Fault, reader: EnvoyReader): PlainMap | undefined {
  const { delay, abort, headers = [] } = filter;
  const [delayed, aborted] = [shareOf(delay?.percentage), shareOf(abort?.percentage)];
  const waits = delay?.fixed_delay !== undefined && delay.fixed_delay > 0 && delayed > 0;
  const { http_status: status, grpc_status: code } = abort ?? {};
  if (abort !== undefined && (status === undefined) === (code === undefined)) {
    const report = status === undefined ? missing : fault;
    report(reader, abort.at, 'it has no status, or two', 'write http_status or grpc_status');
  }
  const fails = aborted > 0 && (status !== undefined || code !== undefined);
  if (!waits && !fails) return undefined;
  const share = (value: number): PlainMap => (value < 1 ? { share: value } : {});
  return {
    fault: {
      ...(headers.length > 0 && { headers: headers.map((one) => headerTest(one, reader)) }),
      ...(waits && { delay: { time: `${delay.fixed_delay}ms`, ...share(delayed) } }),
      ...(fails && {
        abort: { ...(status === undefined ? { code: code! } : { status }), ...share(aborted) },
      }),
    },
  };
}

/** Without rules nobody is refused. */
function translateRbac({ rules }: Rbac, isEdge: boolean, reader: EnvoyReader): PlainMap | undefined {
  const { action = 'ALLOW', policies = [] } = rules ?? {};
  if (rules === undefined || action === 'LOG') return undefined;
  const translated = policies.map(({ value: { permissions = [], principals = [], at } }) =>
    placed(
      {
        requests: anyOf(permissions.map((one) => requestCondition(one, reader))),
        callers: anyOf(principals.map((one) => callerCondition(one, isEdge, reader))),
      },
      at,
      reader,
    ),
  );
  return { access: { action: action.toLowerCase(), rules: translated as Plain[] } };
}

function anyOf(conditions: PlainMap[]): PlainMap {
  return conditions.length === 1 ? conditions[0]! : { any: conditions };
}

const nobody: PlainMap = { always: false };

function requestCondition(permission: Permission, reader: EnvoyReader): PlainMap {
  const { and_rules: all, or_rules: any, not_rule: not, header, url_path: path, any: every } = permission;
  const inside = (list: readonly unknown[] = []): PlainMap[] =>
    list.map((one) => requestCondition(one as Permission, reader));
  const conditions: PlainMap[] = [
    ...(all === undefined ? [] : [{ all: inside(all.rules) }]),
    ...(any === undefined ? [] : [{ any: inside(any.rules) }]),
    ...(not === undefined ? [] : [{ not: requestCondition(not as Permission, reader) }]),
    ...commonConditions({ header, path: path?.path, every }, reader),
  ];
  return only(conditions, permission.at, reader);
}

function callerCondition(principal: Principal, isEdge: boolean, reader: EnvoyReader): PlainMap {
  const { and_ids: all, or_ids: any, not_id: not, header, url_path: path, any: every, authenticated } = principal;
  const inside = (list: readonly unknown[] = []): PlainMap[] =>
    list.map((one) => callerCondition(one as Principal, isEdge, reader));
  if (principal.remote_ip !== undefined && !isEdge) {
    const message = 'without use_remote_address clients say themselves where they come from';
    cannot(reader, principal.remote_ip.at, message, 'write use_remote_address: true, or direct_remote_ip');
  }
  const conditions: PlainMap[] = [
    ...(all === undefined ? [] : [{ all: inside(all.ids) }]),
    ...(any === undefined ? [] : [{ any: inside(any.ids) }]),
    ...(not === undefined ? [] : [{ not: callerCondition(not as Principal, isEdge, reader) }]),
    ...(authenticated === undefined ? [] : [{ client_certificate: true }]),
    ...blocks('addresses', principal.remote_ip),
    ...blocks('peers', principal.direct_remote_ip ?? principal.source_ip),
    ...commonConditions({ header, path: path?.path, every }, reader),
  ];
  return only(conditions, principal.at, reader);
}

function blocks(
  name: string,
  block: { readonly address_prefix?: string; readonly prefix_len?: number } | undefined,
): PlainMap[] {
  if (block === undefined) return [];
  const { address_prefix: address = '', prefix_len: length = 0 } = block;
  return [{ [name]: [`${address}/${length}`] }];
}

interface CommonConditions {
  readonly header: HeaderMatcher | undefined;
  readonly path: ValueOf<typeof stringMatcher> | undefined;
  readonly every: boolean | undefined;
}

function commonConditions({ header, path, every }: CommonConditions, reader: EnvoyReader): PlainMap[] {
  return [
    ...(header === undefined ? [] : [{ header: headerTest(header, reader) }]),
    ...(path === undefined ? [] : [{ path: textTest(path) }]),
    ...(every === undefined ? [] : [{ always: every }]),
  ];
}

/** What of it cannot be honoured is reported, and matches nothing. */
function only(conditions: readonly PlainMap[], at: At, reader: EnvoyReader): PlainMap {
  const [first, ...others] = conditions;
  if (first === undefined || others.length > 0) {
    const report = first === undefined ? missing : fault;
    report(reader, at, `it has ${conditions.length} conditions, expected one`);
  }
  return first === undefined ? nobody : placed(first, at, reader);
}
