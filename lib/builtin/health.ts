/**
 * `GET /health`: asks the server of each service by grpc.health.v1. A server without a health service counts as SERVING if it
 * answers, and as NOT_SERVING if it cannot be reached.
 */
import { monotonicMs } from '../clock.js';
import type { CallListener, Channel, Metadata, OwnHealth, Reply, RequestHead } from '../exchange.js';
import { Code } from '../status.js';
import { healthPaths, healthRequest, type ServingStatus, servingStatusIn } from '../wire/index.js';

export type { ServingStatus } from '../wire/index.js';

/** A service and the channel to its server. */
export interface ServiceChannel {
  readonly name: string;
  readonly channel: Channel;
}

/** The result of one round of checks. */
export interface Health {
  readonly serving: boolean;
  readonly services: readonly (readonly [name: string, status: ServingStatus])[];
  /** `{"status": …, "services": {…}}` */
  readonly json: string;
}

/** A proxy that is to get no more requests does not serve, whatever the services say. */
export function withOwn(health: Health, own: OwnHealth | undefined): Health {
  if (own?.isFailing !== true || !health.serving) return health;
  return { serving: false, services: health.services, json: health.json.replace('"SERVING"', '"NOT_SERVING"') };
}

/** The options of `/health`. */
export interface HealthOptions {
  /** Time for the answer of one service, in milliseconds; after that it is NOT_SERVING. */
  readonly healthTimeoutMs: number;
  /** How long a result is kept, in milliseconds; undefined: not at all. */
  readonly healthCacheMs: number | undefined;
}

/**
 * Asks every service for its health, in one round of checks at a time, and keeps the result for a while. `/health` needs no
 * token, so the number of calls must not grow with the number of requests.
 */
export class HealthChecks {
  private round: Promise<Health> | undefined;
  private kept: { readonly health: Health; readonly since: number } | undefined;

  /** @param now monotonic, in milliseconds. Default: the clock of the process. */
  constructor(
    private readonly services: readonly ServiceChannel[],
    private readonly options: HealthOptions,
    private readonly now: () => number = monotonicMs,
  ) {}

  /** The kept result, or that of the current or a new round. */
  ask(): Promise<Health> {
    const { kept } = this;
    const { healthCacheMs = 0 } = this.options;
    if (kept !== undefined && this.now() - kept.since < healthCacheMs) return Promise.resolve(kept.health);
    this.round ??= this.check().finally(() => {
      this.round = undefined;
    });
    return this.round;
  }

  private async check(): Promise<Health> {
    const { healthTimeoutMs } = this.options;
    const results = await Promise.all(
      this.services.map(
        async ({ name, channel }) => [name, await serviceHealth(channel, name, healthTimeoutMs)] as const,
      ),
    );
    const serving = results.every(([, status]) => status === 'SERVING');
    const json = JSON.stringify({ status: serving ? 'SERVING' : 'NOT_SERVING', services: Object.fromEntries(results) });
    const health = { serving, services: results, json };
    this.kept = { health, since: this.now() };
    return health;
  }
}

/** Answers 200 if all services serve, else 503. */
export function healthReply({ serving, json }: Health, head: RequestHead, wrap: (json: string) => string): Reply {
  const body = Buffer.from(wrap(json));
  return {
    status: serving ? 200 : 503,
    headers: [
      'content-type',
      'application/json',
      'content-length',
      String(body.length),
      'cache-control',
      'no-store',
      'x-request-id',
      head.requestId,
    ],
    body: head.method === 'HEAD' ? undefined : body,
  };
}

/** `/health?alt=text` is the status alone, as a script compares it. */
export function isTextWanted(query: string | undefined): boolean {
  if (query === undefined) return false;
  const parameters = new URLSearchParams(query);
  return (parameters.get('alt') ?? parameters.get('$alt')) === 'text';
}

/** One word for a script or a probe: 200 if all is well, else 503. */
export function probeReply(isWell: boolean, word: string, { method, requestId }: RequestHead): Reply {
  const body = Buffer.from(word);
  const headers = ['content-type', 'text/plain; charset=utf-8', 'content-length', String(body.length)];
  headers.push('cache-control', 'no-store', 'x-request-id', requestId);
  return { status: isWell ? 200 : 503, headers, body: method === 'HEAD' ? undefined : body };
}

/** The status of the service; if the server does not know its name, that of the server. */
export async function serviceHealth(channel: Channel, service: string, timeoutMs: number): Promise<ServingStatus> {
  const own = await check(channel, service, timeoutMs);
  if (own !== Code.NOT_FOUND) return servingStatusOf(own);
  return servingStatusOf(await check(channel, '', timeoutMs));
}

function servingStatusOf(answer: ServingStatus | number): ServingStatus {
  if (typeof answer === 'string') return answer;
  // A server that answers without knowing the health service does serve.
  return answer === Code.UNIMPLEMENTED || answer === Code.NOT_FOUND ? 'SERVING' : 'NOT_SERVING';
}

/** The status, or the gRPC code of a call that failed. */
function check(channel: Channel, service: string, timeoutMs: number): Promise<ServingStatus | number> {
  return new Promise((resolve) => {
    let status: ServingStatus = 'UNKNOWN';
    const listener: CallListener = {
      onHeaders: () => undefined,
      onMessage: ({ payload }) => {
        status = servingStatusIn(payload);
      },
      onEnd: ({ code }) => resolve(code === Code.OK ? status : code),
    };
    const metadata: Metadata = [];
    const call = channel.start({ path: healthPaths.check, metadata, timeoutMs }, listener);
    call.send({ compressed: false, payload: healthRequest(service) });
    call.halfClose();
  });
}
