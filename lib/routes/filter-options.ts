/** `filters` of a listener: what happens to requests before they are routed, in order. */
import { isTrustedProxy } from '../metadata/index.js';
import {
  booleanValue,
  enumValue,
  field,
  integerValue,
  type Kind,
  type KindValue,
  listOf,
  mapOf,
  namesValue,
  OptionError,
  record,
  requiredField,
  shareValue,
  timeFrom,
} from '../options/index.js';
import { extAuthz, routeAuthz } from './ext-authz-options.js';
import { jwtFilter } from './jwt-filter-options.js';
import {
  anyText,
  changedHeader,
  headerTest,
  type HeaderTestSettings,
  text,
  textTests,
  type TextTestSettings,
} from './match-options.js';
import { bucketFields, checkBucket } from './ratelimit/options.js';

const share = field(shareValue, 'share of the requests, such as 0.5 or 50%. Default: all');

const headers = (text: string) => field(listOf(headerTest, '"headers" is a list of matchers'), text);

const headerValue = record({
  fields: {
    name: requiredField(changedHeader, 'its name', 'a header has name and value'),
    value: requiredField(anyText, 'its value', 'a header has name and value'),
  },
  about: 'a header',
  expected: 'a header is a map such as { name: x-limited, value: "true" }',
});

const rateLimit = record({
  fields: {
    ...bucketFields,
    share,
    status: field(integerValue(400, 599), 'the HTTP status of what is too much. Default 429'),
    code: field(integerValue(1, 16), 'its gRPC code. Default 8, RESOURCE_EXHAUSTED'),
    headers: field(listOf(headerValue, '"headers" is a list of { name, value }'), 'headers of its answer'),
  },
  about: '"rate_limit"',
  expected: '"rate_limit" is a map such as { requests: 100, per: 1s }',
  check: (_value, map, reader) => checkBucket(map, reader, 'a rate_limit'),
});

const delay = record({
  fields: { time: requiredField(timeFrom(0), 'how long it waits', 'a delay has a time'), share },
  about: '"delay"',
  expected: '"delay" is a map such as { time: 1s, share: 10% }',
});

const abort = record({
  fields: {
    status: field(integerValue(200, 599), 'the HTTP status'),
    code: field(integerValue(1, 16), 'the gRPC code; in the place of status'),
    share,
  },
  about: '"abort"',
  expected: '"abort" is a map such as { status: 503, share: 10% }',
  check({ status, code }) {
    if ((status === undefined) === (code === undefined)) {
      throw new OptionError('an abort has a status or a code', 'config-type');
    }
  },
});

const fault = record({
  fields: {
    headers: headers('headers of the requests that fail, all of which must match. Default: all requests'),
    delay: field(delay, 'they wait'),
    abort: field(abort, 'they are answered with an error'),
  },
  about: '"fault"',
  expected: '"fault" is a map such as { delay: { time: 1s }, abort: { status: 503, share: 10% } }',
});

/** What is asked of a request; one member each. */
export interface Condition {
  readonly always?: boolean;
  readonly all?: readonly Condition[];
  readonly any?: readonly Condition[];
  readonly not?: Condition;
  readonly header?: HeaderTestSettings;
  readonly path?: TextTestSettings;
  /** Addresses and blocks of them. */
  readonly addresses?: readonly string[];
  readonly peers?: readonly string[];
  readonly clientCertificate?: boolean;
}

/** Conditions are within conditions. */
const condition: Kind<Condition> = {
  unit: '',
  jsonSchema: { type: 'object' },
  readNode: (node, reader) => conditionRecord.readNode(node, reader),
  print: (value) => conditionRecord.print(value),
};

const conditions = listOf(condition, 'it is a list of conditions');

const addresses = namesValue('addresses and blocks of them, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8', isTrustedProxy);

const pathTest = record({
  fields: textTests,
  about: '"path"',
  expected: '"path" is a map such as { prefix: /admin }',
});

const conditionRecord = record({
  fields: {
    always: field(booleanValue, 'true: every request'),
    all: field(conditions, 'all of them hold'),
    any: field(conditions, 'one of them holds'),
    not: field(condition, 'it does not hold'),
    header: field(headerTest, 'a header of the request; :path, :method and :authority too'),
    path: field(pathTest, 'its path, without the query'),
    addresses: field(addresses, 'where it comes from, by trusted_proxies'),
    peers: field(addresses, 'the other end of the connection'),
    client_certificate: field(booleanValue, 'whether the client has a certificate that is trusted'),
  },
  about: 'a condition',
  expected: 'a condition is a map such as { path: { prefix: /admin } }',
  check(value) {
    const given = Object.keys(value).length;
    if (given !== 1) throw new OptionError(`a condition has one member; found ${given}`, 'config-type');
  },
});

const rule = record({
  fields: {
    requests: requiredField(condition, 'which requests', 'a rule has requests and callers'),
    callers: requiredField(condition, 'of whom', 'a rule has requests and callers'),
  },
  about: 'a rule',
  expected: 'a rule is a map such as { requests: { path: { prefix: /admin } }, callers: { addresses: 10.0.0.0/8 } }',
});

const access = record({
  fields: {
    action: requiredField(
      enumValue('allow', 'deny'),
      'allow: only requests that a rule takes; deny: only those that none takes',
      'an access has an action',
    ),
    rules: requiredField(listOf(rule, '"rules" is a list'), 'one is enough', 'an access has rules'),
  },
  about: '"access"',
  expected: '"access" is a map such as { action: deny, rules: [ … ] }',
});

const filter = record({
  fields: {
    name: field(text, 'by which routes speak of it'),
    unless: field(conditions, 'requests that pass it by: one of these holds'),
    jwt: field(jwtFilter, 'tokens that requests need, by path'),
    ext_authz: field(extAuthz, 'an authorizer is asked by gRPC'),
    rate_limit: field(rateLimit, 'so many requests in so much time, in each process'),
    access: field(access, 'who may do what; others are 403'),
    fault: field(fault, 'requests fail or wait, to see what clients make of it'),
  },
  about: 'a filter',
  expected: 'a filter is a map such as { rate_limit: { requests: 100, per: 1s } }',
  check({ name: _name, unless: _unless, ...given }) {
    if (Object.keys(given).length === 1) return;
    throw new OptionError('a filter has one of jwt, ext_authz, rate_limit, access and fault', 'config-type');
  },
});

const filterList = listOf(filter, '"filters" is a list, each element with jwt, ext_authz, rate_limit, access or fault');

/** The kind of `filters`. Names are given once. */
export const filtersKind: typeof filterList = {
  ...filterList,
  readNode(node, reader) {
    const filters = filterList.readNode(node, reader);
    const names = filters.flatMap(({ name }) => name ?? []);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice !== undefined) throw new OptionError(`two filters have the name ${JSON.stringify(twice)}`, 'config-type');
    return filters;
  },
};

const routeFilter = record({
  fields: {
    disabled: field(booleanValue, 'true: requests pass it by; false: they do not, whatever the virtual host says'),
    requirement: field(text, 'of a jwt filter: what requests need, by its name in "requirements"'),
    ext_authz: field(routeAuthz, 'of an ext_authz filter: what the authorizer is told here'),
    rate_limit: field(rateLimit, 'in the place of the limit of the filter'),
    access: field(access, 'in the place of the rules of the filter'),
    fault: field(fault, 'in the place of the faults of the filter'),
  },
  about: 'what a route says of a filter',
  expected: 'what a route says of a filter is a map such as { disabled: true }',
  check(value) {
    const given = Object.keys(value).length;
    if (given !== 1)
      throw new OptionError(`what a route says of a filter has one member; found ${given}`, 'config-type');
  },
});

/** The kind of `filters` of a virtual host or a route: by the names of filters of the listener. */
export const routeFiltersKind = mapOf(routeFilter, '"filters" of a route is a map of names of filters');

export type FilterSettings = KindValue<typeof filter>;
export type RouteFilterSettings = KindValue<typeof routeFilter>;
export type RateLimitSettings = KindValue<typeof rateLimit>;
export type FaultSettings = KindValue<typeof fault>;
export type AccessSettings = KindValue<typeof access>;
