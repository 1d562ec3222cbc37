/** What the admin listener answers. */
import { type Config, printConfig } from '../config/index.js';
import type { RunningProxy } from '../live/index.js';
import { yaml } from '../packages.js';
import { StatusError } from '../status.js';
import {
  isLogLevel,
  type LogLevel,
  logLevels,
  type Metrics,
  type MetricsSource,
  REDACTED,
  type Scrape,
} from '../telemetry/index.js';
import { quote } from '../uri.js';
import { routesJson } from './routes.js';
import type { AdminPage, AdminPages, AdminReply } from './server.js';

/** Where the answers come from. */
export interface AdminSource {
  readonly proxy: RunningProxy;
  readonly metrics: Metrics;
  readonly log: { level: LogLevel };
}

const texts: Readonly<Record<string, string>> = {
  'GET /metrics': 'for Prometheus',
  'GET /livez': 'whether the process is alive',
  'GET /readyz': 'whether it takes requests: not while it drains or waits for a schema',
  'GET /routes': 'what is served',
  'GET /config': 'the configuration that serves, without secrets',
  'GET /upstreams': 'connections, calls and health of each upstream, and why the last attempt failed',
  'GET /log-level': 'the log level',
  'PUT /log-level': `another one: curl -X PUT -d debug …; ${logLevels.join(', ')}`,
};

/** The pages of a proxy in this process, by method and path. */
export function adminPages({ proxy, metrics, log }: AdminSource): AdminPages {
  return withIndex({
    ...commonPages(metrics, log),
    'GET /readyz': () => readiness(proxy),
    'GET /routes': () => ({ body: routesJson(proxy.prepared.listeners) }),
    'GET /config': () => ({ contentType: 'application/yaml', body: shownConfig(proxy.config) }),
    'GET /upstreams': () => ({ body: [...proxy.upstreams] }),
  });
}

/** What does not depend on where the proxy runs. */
export function commonPages(
  metrics: { scrape(accept: string | undefined): Promise<Scrape> },
  log: AdminSource['log'],
): Readonly<Record<string, AdminPage>> {
  return {
    'GET /metrics': async ({ accept }) => {
      const { contentType, text } = await metrics.scrape(accept);
      return { contentType, body: text };
    },
    'GET /livez': () => ({ body: 'ok\n' }),
    'GET /log-level': () => ({ body: `${log.level}\n` }),
    'PUT /log-level': ({ body }) => {
      const level = body.trim();
      if (!isLogLevel(level)) {
        throw StatusError.http(400, `found ${quote(level)}, expected one of ${logLevels.join(', ')}`);
      }
      log.level = level;
      return { body: `${level}\n` };
    },
  };
}

/** Adds the page that lists the others. */
export function withIndex(pages: Readonly<Record<string, AdminPage>>): AdminPages {
  const index = Object.entries(texts).map(([request, text]) => `${request.padEnd(16)} ${text}\n`);
  return new Map([['GET /', () => ({ body: index.join('') })], ...Object.entries(pages)]);
}

/** A load balancer is to send nothing. */
export function notReady(why: string): AdminReply {
  return { status: 503, body: `not ready: ${why}\n` };
}

function readiness({ isReady }: RunningProxy): AdminReply {
  return isReady ? { body: 'ok\n' } : notReady('it drains, or waits for a schema');
}

/** What metrics read of a proxy. */
export function metricsSource(proxy: () => RunningProxy | undefined): MetricsSource {
  return {
    upstreams: () => proxy()?.upstreams ?? [],
    listeners: () => proxy()?.listeners ?? [],
  };
}

/**
 * Without what may be a credential: queries of URLs, and values of headers that routes and rules set. Keys are files, and key sets are
 * public.
 */
function shownConfig(config: Config): string {
  const document: unknown = yaml().parse(printConfig(config), redactHeaders);
  return yaml()
    .stringify(document)
    .replace(/(\bhttps?:\/\/[^\s?"']+\?)[^\s"']+/gi, `$1${REDACTED}`);
}

/** A rule of `header_rules` without the values that it writes. */
function redactRule(rule: Readonly<Record<string, unknown>>): object {
  const hidden = (values: unknown): object =>
    Object.fromEntries(Object.keys(values as object).map((name) => [name, REDACTED]));
  const direction = (changes: unknown): object =>
    Object.fromEntries(
      Object.entries(changes as object).map(([kind, value]: [string, unknown]) => [
        kind,
        kind === 'set' || kind === 'append' ? hidden(value) : value,
      ]),
    );
  return Object.fromEntries(
    Object.entries(rule).map(([member, value]) => [member, member === 'selector' ? value : direction(value)]),
  );
}

/** A reviver: called with each member, the inner ones first. */
function redactHeaders(name: unknown, value: unknown): unknown {
  // A private key may be given itself.
  if (typeof value === 'string' && /^data:application\/x-pem-file[;,]/.test(value)) return REDACTED;
  if (name === 'header_rules' && Array.isArray(value)) return value.map(redactRule);
  if (name !== 'request_headers' && name !== 'response_headers') return value;
  const changes = Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
  return changes.map((change) => ('value' in change ? { ...change, value: REDACTED } : change));
}
