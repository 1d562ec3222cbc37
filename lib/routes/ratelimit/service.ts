/** A service that counts for several processes, as Envoy asks it: `RateLimitService/ShouldRateLimit`. */
import type { Channel } from '../../exchange.js';
import { fixedHeader, isHeaderName, isHeaderValue, type HeaderFields } from '../../headers.js';
import { Code, StatusError } from '../../status.js';
import { WireError } from '../../wire/index.js';
import { publishFilterFailure } from '../diagnostics.js';
import type { FilteredRequest } from '../filter.js';
import { CallFailed, unaryCall } from '../unary-call.js';
import type { Standing } from './fields.js';
import {
  type Descriptor,
  OK,
  OVER_LIMIT,
  type RateLimitAnswer,
  RateLimitRequest,
  RateLimitResponse,
  SHOULD_RATE_LIMIT_PATH,
  unitMs,
} from './messages.js';
import type { ServiceSettings } from './options.js';

/** What a service says of a request. */
export interface Verdict {
  /** What is left of the limits that it tells about. */
  readonly standings: readonly Standing[];
  /** Those that are used up. */
  readonly spent: readonly Standing[];
  /** Why the request is refused if it tells about none of these; undefined: it is not. */
  readonly refusal?: StatusError;
  /** For the answer. */
  readonly headers: HeaderFields;
}

/** A limit that the service counts, and what it is told of a request. */
export interface AskedLimit {
  readonly name: string;
  readonly descriptor: Descriptor;
}

const DEFAULT_TIMEOUT_MS = 20;
const NOTHING_SAID: Verdict = { standings: [], spent: [], headers: [] };

/**
 * Asks about all limits of a request at once.
 * @throws StatusError 503 if there is no answer, and then requests are not to pass
 */
export async function askService(
  channel: Channel,
  { domain, timeoutMs = DEFAULT_TIMEOUT_MS, failureModeDeny = false }: ServiceSettings,
  limits: readonly AskedLimit[],
  request: Pick<FilteredRequest, 'onGone'>,
): Promise<Verdict> {
  const asked = RateLimitRequest.encode({ domain, descriptors: limits.map(({ descriptor }) => descriptor) });
  try {
    const answer = RateLimitResponse.decode(
      await unaryCall(channel, SHOULD_RATE_LIMIT_PATH, asked, timeoutMs, request),
    );
    if (answer.overallCode !== OK && answer.overallCode !== OVER_LIMIT) {
      throw new CallFailed(`its overall_code is ${answer.overallCode}, expected OK or OVER_LIMIT`);
    }
    return verdictOf(answer, limits);
  } catch (error) {
    if (!(error instanceof CallFailed || error instanceof WireError)) throw error;
    publishFilterFailure({
      message: `the rate limit service ${channel.target} gave no answer that counts: ${error.message}`,
    });
    if (!failureModeDeny) return NOTHING_SAID;
    const headers = [['retry-after', '1']] as const;
    throw StatusError.http(503, 'the limits of rate could not be checked; try again', {
      ...{ headers, refusedBy: 'rate_limits' },
    });
  }
}

function verdictOf(
  { overallCode, statuses, responseHeadersToAdd: added }: RateLimitAnswer,
  limits: readonly AskedLimit[],
): Verdict {
  const told = statuses.flatMap(({ code, currentLimit, limitRemaining, durationUntilReset }, index) => {
    const limit = limits[index];
    const windowMs = unitMs(currentLimit?.unit ?? 0);
    if (limit === undefined || currentLimit === undefined || windowMs === 0) return [];
    const { seconds, nanos } = durationUntilReset ?? { seconds: windowMs / 1000, nanos: 0 };
    const standing: Standing = {
      name: limit.name,
      quota: currentLimit.requestsPerUnit,
      windowMs,
      remaining: code === OVER_LIMIT ? 0 : limitRemaining,
      nextMs: Math.min(windowMs, seconds * 1000 + nanos / 1e6),
    };
    return [{ standing, isSpent: code === OVER_LIMIT }];
  });
  const headers = added.flatMap(({ key, value, rawValue }) => {
    const [name, text] = [key.toLowerCase(), value === '' ? rawValue.toString('latin1') : value];
    return isHeaderName(name) && isHeaderValue(text) && fixedHeader(name) === undefined ? [name, text] : [];
  });
  const isRefused = overallCode === OVER_LIMIT;
  const spent = isRefused ? told.flatMap(({ standing, isSpent }) => (isSpent ? [standing] : [])) : [];
  return {
    standings: told.map(({ standing }) => standing),
    spent,
    headers,
    ...(isRefused &&
      spent.length === 0 && {
        refusal: new StatusError(Code.RESOURCE_EXHAUSTED, 'too many requests; try again later', {
          ...{ httpStatus: 429, refusedBy: 'rate_limits' },
        }),
      }),
  };
}
