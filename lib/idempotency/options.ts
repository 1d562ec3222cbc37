/** `policies.idempotency`: a request that is sent again with its `Idempotency-Key` gets the answer of the first. */
import { isHeaderName } from '../headers.js';
import {
  booleanValue,
  checkedText,
  converted,
  defaultsOf,
  enumValue,
  fieldOr,
  integerValue,
  oneOrMany,
  option,
  type OptionsOf,
  orFalse,
  pathValue,
  record,
  requiredField,
  sizeValue,
  timeValue,
  type ValuesOf,
} from '../options/index.js';
import { rpcSelector } from '../policy/index.js';

const headerName = checkedText({
  placeholder: 'NAME',
  description: 'a header name',
  code: 'config-type',
  convert: (text) => (isHeaderName(text) ? text.toLowerCase() : undefined),
});

const redisUrl = checkedText({
  placeholder: 'URL',
  description:
    'a URL such as redis://127.0.0.1:6379 or rediss://redis.internal, without a password (use password_file)',
  code: 'config-type',
  convert: (text) => (isRedisUrl(text) ? text : undefined),
});

function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, password } = new URL(text);
  return (protocol === 'redis:' || protocol === 'rediss:') && hostname !== '' && password === '';
}

const redisDefaults = {
  password_file: fieldOr(pathValue, undefined, 'a file with its password, read at each connection. Default: none'),
  prefix: fieldOr(checkedPrefix(), 'photongate:idempotency:', 'what the names of its keys begin with'),
  timeout: fieldOr(timeValue, 500, 'how long one command may take'),
  failure_mode_allow: fieldOr(booleanValue, false, 'without Redis, requests pass unprotected. Default: they are 503'),
};

const redisFields = {
  url: requiredField(redisUrl, 'the server: redis://host:port/database, or rediss:// for TLS', '"redis" has a url'),
  ...redisDefaults,
};

const redis = record({
  fields: redisFields,
  about: '"redis"',
  expected: '"redis" is a map such as { url: "redis://127.0.0.1:6379" }',
});

function checkedPrefix() {
  return checkedText({
    placeholder: 'TEXT',
    description: 'at most 100 printable characters of ASCII',
    code: 'config-type',
    convert: (text) => (/^[\x21-\x7e]{0,100}$/.test(text) ? text : undefined),
  });
}

/** Complete: members that are left out have their defaults. */
const wholeRedis = converted(redis, {
  read: (given): RedisSettings => ({ ...defaultsOf(redisDefaults), ...given }),
  print: (settings) => settings,
});

const fields = {
  rpcs: fieldOr(oneOrMany(rpcSelector), [], 'selectors of the RPCs whose requests take a key. Default: all'),
  methods: fieldOr(
    oneOrMany(enumValue('POST', 'PATCH', 'PUT', 'DELETE')),
    ['POST', 'PATCH'],
    'the HTTP methods that take one',
  ),
  required: fieldOr(booleanValue, false, 'such requests without a key are 400'),
  ttl: fieldOr(timeValue, 86_400_000, 'how long an answer is kept'),
  running_timeout: fieldOr(
    timeValue,
    300_000,
    'how long a call may run on without its client, and a key stay reserved',
  ),
  unknown_outcome: fieldOr(
    enumValue('keep', 'retry'),
    'keep',
    'what a key means after a call of which nobody knows what it did: its error is the answer from then on, or the call is made again',
  ),
  max_key_bytes: fieldOr(integerValue(1, 4096), 255, 'longest key'),
  max_answer_bytes: fieldOr(sizeValue(1, 2 ** 30), 1024 * 1024, 'largest body of an answer that is kept'),
  max_entries: fieldOr(integerValue(1, 10_000_000), 10_000, 'keys in memory; the oldest answers go first'),
  max_bytes: fieldOr(sizeValue(1024, 2 ** 40), 64 * 1024 * 1024, 'memory for them'),
  client_headers: fieldOr(
    oneOrMany(headerName),
    ['authorization', 'cookie', 'x-api-key'],
    'headers that say who calls, if the proxy itself does not check that',
  ),
  redis: fieldOr(orFalse(wholeRedis), undefined, 'keeps the answers in Redis, for several processes. Default: memory'),
};

const idempotency = record({
  fields,
  about: '"idempotency"',
  expected: '"idempotency" is false or a map such as { ttl: 24h }',
});

const wholeIdempotency = converted(idempotency, {
  read: (given): IdempotencySettings => ({ ...defaultsOf(fields), ...given }),
  print: (settings) => settings,
});

/** Options of requests that may be sent again. */
export const idempotencyOptions = {
  idempotency: option(orFalse(wholeIdempotency), {
    default: undefined,
    within: 'policies',
    group: 'requests',
    text: 'a request that comes again with its Idempotency-Key gets the answer of the first, and its call is made once',
  }),
};

export type IdempotencyOptions = OptionsOf<typeof idempotencyOptions>;
/** The options of `policies.idempotency`, complete. */
export type IdempotencySettings = ValuesOf<typeof fields>;
/** Those of its Redis, complete. */
export type RedisSettings = ValuesOf<typeof redisFields>;
