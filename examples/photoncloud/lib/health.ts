/**
 * grpc.health.v1.Health, by which proxies and orchestrators learn whether a service takes calls. Every server of the
 * reference services has it. The empty name stands for the server as a whole.
 */
import { status as Status } from '@grpc/grpc-js';
import { quoted, ServiceError } from './errors.js';
import { Schema } from './schema.js';
import type { ReplyStream, ServiceImplementation } from './service.js';

const schema = Schema.parse(
  `
  syntax = "proto3";
  package grpc.health.v1;
  message HealthCheckRequest { string service = 1; }
  message HealthCheckResponse {
    enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
    ServingStatus status = 1;
  }
  message HealthListRequest {}
  message HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }
  service Health {
    rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
    rpc List(HealthListRequest) returns (HealthListResponse);
    rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
  }
`,
  'grpc/health/v1/health.proto',
);

/** What `Watch` may say; the other calls know no SERVICE_UNKNOWN. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

interface HealthCheckRequest {
  readonly service: string;
}

interface HealthCheckResponse {
  readonly status: ServingStatus;
}

/** The health of one server and the services on it. */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>();
  readonly #watchers = new Set<() => void>();

  constructor(services: readonly string[]) {
    for (const name of ['', ...services]) this.#statuses.set(name, 'SERVING');
  }

  /** To be served beside the services that it speaks of. */
  readonly implementation: ServiceImplementation = {
    schema,
    name: 'grpc.health.v1.Health',
    handlers: {
      Check: (request: HealthCheckRequest) => this.#check(request.service),
      List: () => ({ statuses: Object.fromEntries([...this.#statuses].map(([name, status]) => [name, { status }])) }),
      Watch: (request: HealthCheckRequest, replies: ReplyStream<HealthCheckResponse>) =>
        this.#watch(request.service, replies),
    },
  };

  /** From now on every service is NOT_SERVING; whoever watches is told. */
  stop(): void {
    for (const name of this.#statuses.keys()) this.#statuses.set(name, 'NOT_SERVING');
    for (const wake of this.#watchers) wake();
  }

  #check(name: string): HealthCheckResponse {
    const status = this.#statuses.get(name);
    if (status === undefined) throw new ServiceError(Status.NOT_FOUND, `no service ${quoted(name)} on this server`);
    return { status };
  }

  async #watch(name: string, replies: ReplyStream<HealthCheckResponse>): Promise<void> {
    let told: ServingStatus | undefined;
    while (!replies.signal.aborted) {
      const status = this.#statuses.get(name) ?? 'SERVICE_UNKNOWN';
      if (status === told) {
        await this.#change(replies.signal);
      } else {
        await replies.write({ status });
        told = status;
      }
    }
  }

  /** Resolves at the next change, or when the watcher goes. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#watchers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
