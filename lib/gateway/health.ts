/**
 * `GET /health`: asks each service's server by grpc.health.v1. A server that has no health service but answers is
 * taken for SERVING; one that cannot be reached is NOT_SERVING.
 */
import type { CallListener, Channel, Metadata, Reply, RequestHead } from '../exchange.js';
import { Code } from '../status.js';
import { Reader, WireError, Writer } from '../wire/index.js';

const CHECK_PATH = '/grpc.health.v1.Health/Check';

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
type ServingStatus = (typeof statusNames)[number];

/** A service and the channel to its server. */
export interface ServiceChannel {
  readonly name: string;
  readonly channel: Channel;
}

/** Asks for the health of every service and answers 200 where all serve, else 503. */
export async function checkHealth(
  services: readonly ServiceChannel[],
  timeoutMs: number,
  head: RequestHead,
  wrap: (json: string) => string,
): Promise<Reply> {
  const results = await Promise.all(
    services.map(async ({ name, channel }) => [name, await serviceHealth(channel, name, timeoutMs)] as const),
  );
  const serving = results.every(([, status]) => status === 'SERVING');
  const json = JSON.stringify({ status: serving ? 'SERVING' : 'NOT_SERVING', services: Object.fromEntries(results) });
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

/** The server's word on the service; where it does not know the name, its word on itself. */
async function serviceHealth(channel: Channel, service: string, timeoutMs: number): Promise<ServingStatus> {
  const own = await check(channel, service, timeoutMs);
  if (own !== Code.NOT_FOUND) return judge(own);
  return judge(await check(channel, '', timeoutMs));
}

function judge(answer: ServingStatus | number): ServingStatus {
  if (typeof answer === 'string') return answer;
  // It answers, though not about health: it serves.
  return answer === Code.UNIMPLEMENTED || answer === Code.NOT_FOUND ? 'SERVING' : 'NOT_SERVING';
}

/** The status, or the gRPC code of a call that failed. */
function check(channel: Channel, service: string, timeoutMs: number): Promise<ServingStatus | number> {
  return new Promise((resolve) => {
    let status: ServingStatus = 'UNKNOWN';
    const listener: CallListener = {
      onHeaders: () => undefined,
      onMessage: ({ payload }) => {
        status = readStatus(payload);
      },
      onEnd: ({ code }) => resolve(code === Code.OK ? status : code),
    };
    const metadata: Metadata = [];
    const call = channel.start({ path: CHECK_PATH, metadata, timeoutMs }, listener);
    call.send({ compressed: false, payload: checkRequest(service) });
    call.halfClose();
  });
}

/** HealthCheckRequest { string service = 1; } */
function checkRequest(service: string): Buffer {
  const out = new Writer(64);
  if (service !== '') {
    out.uint32((1 << 3) | 2);
    out.string(service);
  }
  return out.take();
}

/** HealthCheckResponse { ServingStatus status = 1; } */
function readStatus(payload: Buffer): ServingStatus {
  try {
    const reader = new Reader(payload);
    let status: ServingStatus = 'UNKNOWN';
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === 1 << 3) status = statusNames[reader.uint32()] ?? 'UNKNOWN';
      else reader.skip(tag);
    }
    return status;
  } catch (error) {
    if (error instanceof WireError) return 'UNKNOWN';
    throw error;
  }
}
