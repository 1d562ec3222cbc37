/**
 * `GET /health`: asks the server of each service by grpc.health.v1. A server that does not know the health of the service
 * counts as SERVING if it answers, unless its reflection does not list the service. One that cannot be reached is NOT_SERVING.
 */
import { monotonicMs } from '../clock.js';
import type { CallListener, Channel, Metadata, OwnHealth, Reply, RequestHead } from '../exchange.js';
import { listServices, openSession } from '../schema/index.js';
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
    const round = new HealthRound(this.options.healthTimeoutMs);
    const results = await Promise.all(
      this.services.map(async (service) => [service.name, await round.statusOf(service)] as const),
    );
    const serving = results.every(([, status]) => status === 'SERVING');
    const json = JSON.stringify({ status: serving ? 'SERVING' : 'NOT_SERVING', services: Object.fromEntries(results) });
    const health = { serving, services: results, json };
    this.kept = { health, since: this.now() };
    return health;
  }
}

const notKept = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff'];

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
      ...notKept,
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
  headers.push(...notKept, 'x-request-id', requestId);
  return { status: isWell ? 200 : 503, headers, body: method === 'HEAD' ? undefined : body };
}

/** One round of checks. In it, a server is asked at most once which services it has. */
export class HealthRound {
  private readonly listed = new Map<Channel, Promise<readonly string[] | undefined>>();
  private readonly startedMs = monotonicMs();

  /** @param timeoutMs for each question about health; which services a server has, it tells in what is left, or not at all */
  constructor(private readonly timeoutMs: number) {}

  /** The status of the service; if the server does not know its name, that of the server. */
  async statusOf({ name, channel }: ServiceChannel): Promise<ServingStatus> {
    const own = await check(channel, name, this.timeoutMs);
    if (typeof own === 'string') return own;
    const general = own === Code.NOT_FOUND ? await check(channel, '', this.timeoutMs) : own;
    if (general !== 'SERVING' && general !== Code.UNIMPLEMENTED && general !== Code.NOT_FOUND) {
      return typeof general === 'string' ? general : 'NOT_SERVING';
    }
    // A server answers health checks of services that it does not have: a wrong port would look well.
    const services = await this.servicesOf(channel);
    return services === undefined || services.includes(name) ? 'SERVING' : 'NOT_SERVING';
  }

  /** Undefined if the server does not tell. */
  private servicesOf(channel: Channel): Promise<readonly string[] | undefined> {
    let services = this.listed.get(channel);
    if (services === undefined) {
      const leftMs = (): number => Math.max(1, this.startedMs + this.timeoutMs - monotonicMs());
      services = listServices((path) => openSession(channel, path, leftMs())).catch(() => undefined);
      this.listed.set(channel, services);
    }
    return services;
  }
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
