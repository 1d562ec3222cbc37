/**
 * What clients are told of limits: the fields `RateLimit-Policy` and `RateLimit`
 * (https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11), and the error if nothing is left.
 */
import type { HeaderFields } from '../../headers.js';
import { quotaFailureDetail, retryInfoDetail } from '../../metadata/index.js';
import { Code, StatusError } from '../../status.js';

/** The names of fields that web pages may read, too. */
export const clientFields: readonly string[] = ['ratelimit', 'ratelimit-policy', 'retry-after'];

/** What is left of a limit. */
export interface Standing {
  /** Letters, digits and `_ . -`. */
  readonly name: string;
  /** A whole number. */
  readonly quota: number;
  /** In which the quota comes back. */
  readonly windowMs: number;
  /** A whole number. */
  readonly remaining: number;
  /** How long no more than that can be used. */
  readonly nextMs: number;
}

/** The fields that tell of some limits. */
export function rateLimitFields(standings: readonly Standing[]): HeaderFields {
  const policies = standings.map(({ name, quota, windowMs }) => `"${name}";q=${quota};w=${wholeSeconds(windowMs)}`);
  const limits = standings.map(({ name, remaining, nextMs }) => `"${name}";r=${remaining};t=${wholeSeconds(nextMs)}`);
  return ['ratelimit-policy', policies.join(', '), 'ratelimit', limits.join(', ')];
}

/** 429, or RESOURCE_EXHAUSTED. @param spent the limits that are used up; one at least */
export function tooManyRequests(spent: readonly Standing[]): StatusError {
  const waitMs = Math.max(...spent.map(({ nextMs }) => nextMs));
  const seconds = wholeSeconds(waitMs);
  const violations = spent.map((standing) => ({ subject: standing.name, description: described(standing) }));
  const which = violations.map(({ subject, description }) => `${description} (${subject})`).join(' and ');
  return new StatusError(
    Code.RESOURCE_EXHAUSTED,
    `too many requests: the limit is ${which}; try again in ${seconds} second${seconds === 1 ? '' : 's'}`,
    {
      httpStatus: 429,
      refusedBy: 'rate_limits',
      headers: [['retry-after', String(seconds)]],
      details: [retryInfoDetail(waitMs), quotaFailureDetail(violations)],
    },
  );
}

function described({ quota, windowMs }: Standing): string {
  const seconds = windowMs / 1000;
  return `${quota} request${quota === 1 ? '' : 's'} in ${Number(seconds.toPrecision(4))} second${seconds === 1 ? '' : 's'}`;
}

/** At least one: no shorter time can be told. */
function wholeSeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
