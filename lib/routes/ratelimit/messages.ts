/**
 * The messages of `envoy.service.ratelimit.v3.RateLimitService`, as far as the proxy writes and reads them:
 * https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto
 */
import { type Decoded, defineMessage, int64, list, optional, text, uint32 } from '../../wire/index.js';
import { headerValue } from '../authz-messages.js';

export const SHOULD_RATE_LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

const descriptor = defineMessage({ entries: [1, list(defineMessage({ key: [1, text], value: [2, text] }))] });

/** envoy.service.ratelimit.v3.RateLimitRequest */
export const RateLimitRequest = defineMessage({
  domain: [1, text],
  descriptors: [2, list(descriptor)],
  hitsAddend: [3, uint32],
});

const status = defineMessage({
  code: [1, uint32],
  currentLimit: [2, optional(defineMessage({ requestsPerUnit: [1, uint32], unit: [2, uint32], name: [3, text] }))],
  limitRemaining: [3, uint32],
  durationUntilReset: [4, optional(defineMessage({ seconds: [1, int64], nanos: [2, uint32] }))],
});

/** envoy.service.ratelimit.v3.RateLimitResponse */
export const RateLimitResponse = defineMessage({
  overallCode: [1, uint32],
  statuses: [2, list(status)],
  responseHeadersToAdd: [3, list(headerValue)],
});

/** What a service says of a request: it may pass, or it is too much. */
export const OK = 1;
export const OVER_LIMIT = 2;

const DAY_MS = 86_400_000;
/** By the numbers of RateLimitResponse.RateLimit.Unit. */
const units: readonly number[] = [0, 1000, 60_000, 3_600_000, DAY_MS, 30 * DAY_MS, 365 * DAY_MS];

/** How long a unit is; 0 if that is not known. */
export function unitMs(unit: number): number {
  return units[unit] ?? 0;
}

export type Descriptor = Decoded<typeof descriptor>;
export type RateLimitAnswer = Decoded<typeof RateLimitResponse>;
