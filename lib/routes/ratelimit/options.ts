/** `policies.rate_limits`: how many requests a client may send in which time. */
import {
  booleanValue,
  checkedText,
  converted,
  field,
  fileName,
  integerValue,
  type GivenOf,
  type InputMap,
  type KindValue,
  mapOf,
  oneOrMany,
  option,
  OptionError,
  type OptionsOf,
  orFalse,
  type Reader,
  record,
  requiredField,
  shown,
  timeValue,
} from '../../options/index.js';
import { isHeaderName } from '../../headers.js';
import { rpcSelector } from '../../policy/index.js';
import { checkService, serviceFields } from '../ext-authz-options.js';
import { text } from '../match-options.js';

/** What a bucket holds, and how fast it fills. */
export const bucketFields = {
  requests: field(integerValue(1, 0xffffffff), 'how many requests'),
  per: field(timeValue, 'in which time'),
  burst: field(integerValue(1, 0xffffffff), 'how many at once. Default: as many as requests'),
};

/** @throws OptionError */
export function checkBucket({ members }: InputMap, reader: Reader, what: string): void {
  const names = members.map((member) => fileName(member, reader));
  if (names.includes('requests') && names.includes('per')) return;
  throw new OptionError(`${what} has requests and per, such as { requests: 100, per: 1m }`, 'config-type');
}

/** A part of a key: `address`, `rpc`, `route`, or a name behind `header:` or `claim:`. */
const keyPart = checkedText({
  placeholder: 'PART',
  description: 'address, rpc, route, header:NAME or claim:NAME',
  code: 'config-type',
  convert(text) {
    const [, kind, name = ''] = /^(address|rpc|route|(?:header|claim)(?=:))(?::([^\p{Cc}]{1,200}))?$/u.exec(text) ?? [];
    if (kind === 'header') return isHeaderName(name) ? text.toLowerCase() : undefined;
    return kind === undefined ? undefined : text;
  },
});

const rateLimit = record({
  fields: {
    ...bucketFields,
    key: field(
      oneOrMany(keyPart),
      'whose requests are counted together: address, rpc, route, header:NAME, claim:NAME. Default: those of all clients',
    ),
    rpcs: field(oneOrMany(rpcSelector), 'selectors of the RPCs whose calls it counts. Default: all requests'),
    service: field(booleanValue, 'rate_limit_service counts, by its own rules, in place of requests and per'),
  },
  about: 'a limit of rate',
  expected: (name) => `the limit ${name} is a map such as { key: address, requests: 100, per: 1m }`,
  check({ service, ...own }, map, reader) {
    if (service !== true) return checkBucket(map, reader, 'a limit of rate');
    const { requests, perMs, burst } = own;
    if ([requests, perMs, burst].every((value) => value === undefined)) return;
    throw new OptionError('a limit that the service counts has no requests, per and burst', 'config-conflict');
  },
});

const limitMap = mapOf(
  rateLimit,
  '"rate_limits" is false or a map of limits by name, such as { per-client: { key: address, requests: 100, per: 1m } }',
);

/** Names go into headers as they are. */
const rateLimits = converted(limitMap, {
  read: (entries, _node, reader): readonly NamedLimit[] =>
    entries.flatMap(({ name, place, value }) =>
      reader.attempt(name, place, () => {
        if (/^[\w.-]{1,64}$/.test(name)) return { name, settings: value };
        const expected = 'at most 64 letters, digits and _ . -, such as per-client';
        throw new OptionError(`found the name ${shown(name)}, expected ${expected}`, 'config-type');
      }),
    ),
  print: (limits) => limits.map(({ name, settings }) => ({ name, place: undefined, value: settings })),
});

const limitService = record({
  fields: {
    ...serviceFields,
    domain: requiredField(text, 'its domain of limits', '"rate_limit_service" has a domain'),
    timeout: field(timeValue, 'how long an answer may take. Default: 20ms'),
    failure_mode_deny: field(booleanValue, 'without an answer requests are 503. Default: they pass'),
  },
  about: '"rate_limit_service"',
  expected: '"rate_limit_service" is false or a map such as { target: 127.0.0.1:8081, domain: shop }',
  check: (value) => checkService(value, '"rate_limit_service"'),
});

/** Options of how many requests clients may send. */
export const rateLimitOptions = {
  rate_limits: option(orFalse(rateLimits), {
    default: undefined,
    within: 'policies',
    group: 'limits',
    text: 'how many requests clients may send, counted by address, header, claim, RPC or route',
    peers: 'Envoy filters `local_ratelimit`, `ratelimit`',
  }),
  rate_limit_service: option(orFalse(limitService), {
    default: undefined,
    within: 'policies',
    group: 'limits',
    text: 'a service that counts limits for several processes: envoy.service.ratelimit.v3.RateLimitService',
    peers: 'Envoy `rate_limit_service`',
  }),
  rate_limit_keys: option(integerValue(1, 10_000_000), {
    default: 100_000,
    group: 'limits',
    text: 'clients that each of rate_limits tells apart, in each process; if more come at once, new ones start with fewer requests',
  }),
  rate_limit_fields: option(booleanValue, {
    default: true,
    group: 'limits',
    text: 'with rate_limits: answers say by RateLimit and RateLimit-Policy what is left',
  }),
};

export type RateLimitOptions = OptionsOf<typeof rateLimitOptions>;
export type BucketSettings = GivenOf<typeof bucketFields>;
export type ServiceSettings = KindValue<typeof limitService>;
export type RateLimitSettings = KindValue<typeof rateLimit>;

/** An entry of `rate_limits`. */
export interface NamedLimit {
  readonly name: string;
  readonly settings: RateLimitSettings;
}

/** The same text for the same limit. */
export function identityOf({ name, settings }: NamedLimit): string {
  return JSON.stringify([name, rateLimit.print(settings)]);
}
