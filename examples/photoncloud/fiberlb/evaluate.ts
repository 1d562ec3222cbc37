/**
 * Which L7 policy takes a request: the first by position of which every rule matches. What is compared is bounded in
 * size, and all regular expressions of one evaluation share a budget of steps (`regex.ts`).
 */
import { isIPv6 } from 'node:net';
import { status as Status } from '@grpc/grpc-js';
import { requireFields, ServiceError } from '../lib/errors.js';
import type { EvaluateListenerRequest, L7Policy, L7Rule } from './messages.js';
import { BudgetError, Regex, type Budget } from './regex.js';

const longestHost = 1024;
const longestPath = 8192;
const longestHeaders = 64 * 1024;
/** Some tens of milliseconds. */
const regexSteps = 1_000_000;

/** What rules look at. */
export interface EvaluatedRequest {
  readonly host: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly cookies: ReadonlyMap<string, string>;
}

/** Reads a request to try; INVALID_ARGUMENT where it is too large. */
export function readRequest({ host, path, headers }: EvaluateListenerRequest): EvaluatedRequest {
  const entries = Object.entries(headers);
  const size = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  requireFields(
    ['host', host.length <= longestHost, `is longer than ${longestHost} characters`],
    ['path', path.length <= longestPath, `is longer than ${longestPath} characters`],
    ['headers', size <= longestHeaders, `are longer than ${longestHeaders} characters`],
  );
  const byName = new Map(entries.map(([name, value]) => [name.toLowerCase(), value]));
  return {
    host: hostName(host || (byName.get('host') ?? '')),
    path: path.replace(/[?#].*$/s, ''),
    headers: byName,
    cookies: cookiesOf(byName.get('cookie') ?? ''),
  };
}

/** The policy that takes the request, with its rules; undefined if none does. RESOURCE_EXHAUSTED if it takes too long. */
export function firstMatch(
  policies: Iterable<readonly [L7Policy, readonly L7Rule[]]>,
  request: EvaluatedRequest,
): readonly [L7Policy, readonly L7Rule[]] | undefined {
  const budget: Budget = { steps: regexSteps };
  try {
    for (const [policy, rules] of policies) {
      if (rules.length > 0 && rules.every((rule) => matches(rule, request, budget))) return [policy, rules];
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    const text = `the regular expressions of this listener take more than ${regexSteps} steps; make them simpler`;
    throw new ServiceError(Status.RESOURCE_EXHAUSTED, text);
  }
}

/** A missing header or cookie matches nothing; inverted, it matches. */
function matches(rule: L7Rule, request: EvaluatedRequest, budget: Budget): boolean {
  const found = subjectOf(rule, request);
  return (found !== undefined && compares(rule, found, budget)) !== rule.invert;
}

function subjectOf({ type, key }: L7Rule, { host, path, headers, cookies }: EvaluatedRequest): string | undefined {
  switch (type) {
    case 'HOST':
      return host;
    case 'PATH':
      return path;
    case 'HEADER':
      return headers.get(key.toLowerCase());
    default:
      return cookies.get(key);
  }
}

function compares({ type, compare, value }: L7Rule, found: string, budget: Budget): boolean {
  if (compare === 'REGEX') return new Regex(value).test(found, budget);
  const wanted = type === 'HOST' ? value.toLowerCase() : value;
  switch (compare) {
    case 'EQUALS':
      return found === wanted;
    case 'STARTS_WITH':
      return found.startsWith(wanted);
    case 'ENDS_WITH':
      return found.endsWith(wanted);
    default:
      return found.includes(wanted);
  }
}

/** In lower case, without a port: `Example.com:8080` → `example.com`, `[::1]:80` → `[::1]`. */
function hostName(host: string): string {
  const lower = host.toLowerCase();
  return isIPv6(lower) ? lower : lower.replace(/:[0-9]*$/, '');
}

/** Of two cookies with one name the first counts, as RFC 6265 has clients send the more specific one first. */
function cookiesOf(header: string): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).trim();
    if (equals >= 0 && !cookies.has(name)) cookies.set(name, pair.slice(equals + 1).trim());
  }
  return cookies;
}
