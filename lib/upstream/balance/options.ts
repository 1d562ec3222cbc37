/** Options of clusters and upstreams: which servers count as well, and how calls are spread over them. */
import {
  booleanValue,
  checkedText,
  converted,
  defaultsOf,
  enumValue,
  field,
  fieldOr,
  type GivenOf,
  integerValue,
  type KindValue,
  oneOrMany,
  OptionError,
  record,
  requiredField,
  shareValue,
  timeValue,
  type ValuesOf,
} from '../../options/index.js';
import { isHeaderName } from '../../headers.js';
import { breakerKind } from './breaker.js';
import { Code, codeByName, codeName } from '../../status.js';

const text = (description: string, pattern: RegExp) =>
  checkedText({
    placeholder: 'TEXT',
    description,
    code: 'config-type',
    convert: (value) => (pattern.test(value) ? value : undefined),
  });

const healthFields = {
  service: fieldOr(
    text("a service such as chainfire.v1.KV, or '' for the server as a whole", /^[\w.-]*$/),
    '',
    'grpc: the service that is asked for. Default: the server as a whole',
  ),
  watch: fieldOr(
    booleanValue,
    true,
    'grpc: the server also reports changes by itself (Watch), if it can. Default true',
  ),
  path: fieldOr(
    text('a path such as /healthz', /^\/[^\s#]*$/),
    '/healthz',
    'http: what is asked by GET. Default /healthz',
  ),
  host: fieldOr(text('a host name', /^[^\s/]*$/), '', 'http: the host that is asked for. Default: that of calls'),
  expected_statuses: fieldOr(
    oneOrMany(integerValue(100, 599)),
    [200],
    'http: statuses of a server that is well. Default 200',
  ),
  http_version: fieldOr(
    enumValue('cluster', 'http1', 'http2'),
    'cluster',
    'http: what is spoken. Default cluster: what its calls speak',
  ),
  interval: fieldOr(timeValue, 10_000, 'pause between two checks. Default 10s'),
  unhealthy_interval: fieldOr(
    timeValue,
    200,
    'the same for a server that gets no calls, unless interval is shorter or the server reports changes. Default 200ms',
  ),
  timeout: fieldOr(timeValue, 5000, 'how long a check may take. Default 5s'),
  unhealthy_threshold: fieldOr(
    integerValue(1, 1000),
    3,
    'so many checks in a row without an answer, and a server gets no more calls. Of a new one the first check decides, and an answer that the server is not well decides at once. Default 3',
  ),
  healthy_threshold: fieldOr(
    integerValue(1, 1000),
    2,
    'so many checks in a row succeed before it gets calls again. Default 2',
  ),
};

const ofHealth = 'a health_check has a kind: grpc, http or tcp';
const healthRecord = record({
  fields: { kind: requiredField(enumValue('grpc', 'http', 'tcp'), 'how servers are asked', ofHealth), ...healthFields },
  about: 'a health_check',
  expected: 'a health_check is a map such as { kind: grpc }',
});

type HealthSettings = KindValue<typeof healthRecord>;

/** How servers are asked whether they are well; complete. */
export type HealthCheckOptions = ValuesOf<typeof healthFields> & Pick<HealthSettings, 'kind'>;

const healthDefaults = defaultsOf(healthFields);

/** The check that a service config asks for. */
export function grpcHealthCheck(service: string): HealthCheckOptions {
  return { ...healthDefaults, kind: 'grpc', service };
}

/** `health_check` of a cluster or an upstream. */
export const healthCheckKind = converted(healthRecord, {
  read: (given): HealthCheckOptions => ({ ...healthDefaults, ...given }),
  print: ({ ...all }) => withoutDefaults(all, healthDefaults),
});

const codeKind = checkedText({
  placeholder: 'CODE',
  description: 'the name of a gRPC code other than OK and CANCELLED, such as UNAVAILABLE',
  code: 'config-type',
  convert: (name) => ((codeByName(name) ?? 0) > Code.CANCELLED ? name : undefined),
});

const failureNames: readonly string[] = [
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
].map(codeName);

const outlierFields = {
  consecutive_failures: fieldOr(
    integerValue(0, 1_000_000),
    5,
    'a server is left out for a time after so many calls in a row that failed with one of codes; 0: never. Default 5',
  ),
  codes: fieldOr(
    oneOrMany(codeKind),
    failureNames,
    `what counts as a failure. Default ${failureNames.join(', ')}. Of what is passed on, HTTP 502 and 503 are UNAVAILABLE, 504 is DEADLINE_EXCEEDED, and other statuses from 500 on are INTERNAL`,
  ),
  consecutive_gateway_failures: fieldOr(
    integerValue(0, 1_000_000),
    0,
    'the same for UNAVAILABLE and DEADLINE_EXCEEDED alone; 0, the default: never',
  ),
  base_ejection_time: fieldOr(
    timeValue,
    30_000,
    'how long it is left out; longer by as much each time that it happens again. Default 30s',
  ),
  max_ejection_time: fieldOr(timeValue, 300_000, 'longest such time. Default 5m'),
  max_ejection_percent: fieldOr(
    integerValue(0, 100),
    50,
    'no more than so many percent of the servers are left out at a time. Default 50',
  ),
};

const outlierRecord = record({
  fields: outlierFields,
  about: '"outlier_detection"',
  expected: '"outlier_detection" is a map such as { consecutive_failures: 5 }, or {} for the defaults',
  check({ baseEjectionTimeMs = outlierDefaults.baseEjectionTimeMs, maxEjectionTimeMs }) {
    if (maxEjectionTimeMs === undefined || maxEjectionTimeMs >= baseEjectionTimeMs) return;
    throw new OptionError('max_ejection_time is shorter than base_ejection_time', 'config-type');
  },
});

/** When a server is left out for its failures; complete. */
export type OutlierOptions = ValuesOf<typeof outlierFields>;

const outlierDefaults = defaultsOf(outlierFields);

/** `outlier_detection` of a cluster or an upstream. */
export const outlierKind = converted(outlierRecord, {
  read: (given): OutlierOptions => {
    const all = { ...outlierDefaults, ...given };
    return { ...all, maxEjectionTimeMs: Math.max(all.maxEjectionTimeMs, all.baseEjectionTimeMs) };
  },
  print: ({ ...all }) => withoutDefaults(all, outlierDefaults),
});

const headerName = checkedText({
  placeholder: 'NAME',
  description: 'the name of a header',
  code: 'config-type',
  convert: (name) => (isHeaderName(name) ? name.toLowerCase() : undefined),
});

/** Members of clusters and upstreams: which servers count as well, and how calls are spread over them. */
export const balanceFields = {
  health_check: field(healthCheckKind, 'servers are asked whether they are well; those that are not get no calls'),
  outlier_detection: field(outlierKind, 'servers whose calls fail get none for a time'),
  circuit_breaker: field(breakerKind, 'how much may be under way at once; what is more fails at once'),
  panic_threshold: field(
    shareValue,
    'if fewer of the servers are well than this share, all of them get calls. Default 0: calls fail if none is well',
  ),
  slow_start: field(timeValue, 'how long the share of a server that comes back grows to its weight. Default: no time'),
  hash_header: field(headerName, 'ring_hash: calls with the same value of this header go to the same server'),
};

/** Those that were given. */
export type BalanceSettings = GivenOf<typeof balanceFields>;

function withoutDefaults<T extends object>(all: T, defaults: object): T {
  const known = new Map<string, unknown>(Object.entries(defaults));
  const given = Object.entries(all).filter(
    ([name, value]) => JSON.stringify(known.get(name)) !== JSON.stringify(value),
  );
  return Object.fromEntries(given) as T;
}
