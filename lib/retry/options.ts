/** `retries`: which calls are sent again, how often and after which pause. */
import {
  booleanValue,
  enumValue,
  field,
  integerValue,
  type Kind,
  type KindValue,
  leaf,
  oneOrMany,
  OptionError,
  option,
  orFalse,
  record,
  sizeValue,
  timeValue,
} from '../options/index.js';
import { Code, codeByName, codeName } from '../status.js';

/** A number from `min` to `max` that need not be whole. */
function numberValue(min: number, max: number): Kind<number> {
  return leaf<number>({
    placeholder: 'N',
    description: `a number from ${min} to ${max}`,
    code: 'config-type',
    jsonSchema: { type: 'number', minimum: min, maximum: max },
    unit: '',
    print: (value) => value,
    convert: (raw) => (typeof raw === 'number' && raw >= min && raw <= max ? raw : undefined),
  });
}

const code = leaf<number, string>({
  placeholder: 'CODE',
  description: 'the name of a gRPC code such as UNAVAILABLE',
  code: 'config-type',
  jsonSchema: { enum: Object.keys(Code).filter((name) => name !== 'OK') },
  unit: '',
  print: codeName,
  convert(raw) {
    const found = typeof raw === 'string' ? codeByName(raw.toUpperCase()) : undefined;
    return found === Code.OK ? undefined : found;
  },
});

/** A status, or `5xx` for all of a server's errors. */
const httpStatus = leaf<number | '5xx'>({
  placeholder: 'STATUS',
  description: 'an HTTP status from 400 to 599, or 5xx',
  code: 'config-type',
  jsonSchema: { anyOf: [{ const: '5xx' }, { type: 'integer', minimum: 400, maximum: 599 }] },
  unit: '',
  print: (status) => status,
  convert(raw) {
    if (raw === '5xx') return raw;
    return typeof raw === 'number' && Number.isInteger(raw) && raw >= 400 && raw <= 599 ? raw : undefined;
  },
});

/** The ways in which an attempt ends without a word of the service, and `timeout`: its time was over. */
export const retriableFailures = ['unconnected', 'refused', 'reset', 'timeout'] as const;

const budgetRecord = record({
  fields: {
    max_tokens: field(integerValue(1, 1000), 'tokens at the start, and the most. Default 100'),
    token_ratio: field(numberValue(0.001, 1), 'what a call that succeeds gives back. Default 0.1'),
  },
  about: '"budget"',
  prefix: 'budget.',
  expected: '"budget" is false or a map such as { max_tokens: 100, token_ratio: 0.1 }',
});

const fields = {
  attempts: field(integerValue(1, 100), 'how often a call is sent at most, the first time included. Default 3'),
  codes: field(
    oneOrMany(code),
    'codes after which a call is sent again. Default UNAVAILABLE; others count only for RPCs that may be repeated',
  ),
  failures: field(
    oneOrMany(enumValue(...retriableFailures)),
    'calls without an answer that are sent again, whatever their code: unconnected, refused (nothing has looked at them), ' +
      'reset (the connection broke) and timeout (of per_try_timeout); the last two only for RPCs that may be repeated. ' +
      'Default: all whose code is one of codes',
  ),
  http_statuses: field(
    oneOrMany(httpStatus),
    'HTTP statuses of answers that are no gRPC, and 5xx for all from 500 on. Default: those that gRPC reads as one of codes',
  ),
  idempotent: field(
    booleanValue,
    'the RPCs may be repeated. Default: those with an idempotency_level, or with a rule for GET or QUERY',
  ),
  per_try_timeout: field(
    timeValue,
    'time of one attempt to begin its answer, of RPCs that may be repeated. Default none',
  ),
  initial_backoff: field(timeValue, 'pause before the second attempt, more or less a fifth. Default 50ms'),
  max_backoff: field(timeValue, 'the longest pause. Default 1s'),
  backoff_multiplier: field(numberValue(1, 10), 'how a pause grows from one attempt to the next. Default 2'),
  max_buffered_bytes: field(
    sizeValue(0, 2 ** 31 - 1),
    'messages of a request that are held to be sent again; a larger request is sent once. Default 1MiB',
  ),
  budget: field(
    orFalse(budgetRecord),
    'tokens of an upstream: each failed attempt costs one, and below half of them nothing is sent again',
  ),
};

const settings = record({
  fields,
  about: '"retries"',
  prefix: 'retries.',
  expected: '"retries" is false or a map such as { attempts: 3 }',
  check({ initialBackoffMs, maxBackoffMs }) {
    if (initialBackoffMs === undefined || maxBackoffMs === undefined || initialBackoffMs <= maxBackoffMs) return;
    throw new OptionError('initial_backoff is longer than max_backoff', 'config-type');
  },
});

/** What a configuration says of retries; `budget: undefined` as a member means that there is none. */
export type RetrySettings = KindValue<typeof settings>;

/** `retries`: a map, or false for none. */
export const retriesKind = orFalse(settings);

/** The option of all RPCs. */
export const retryOptions = {
  retries: option(retriesKind, {
    default: undefined,
    group: 'services',
    text: 'which failed calls are sent again, how often and after which pause',
    peers: 'Envoy `retry_policy`',
  }),
};
