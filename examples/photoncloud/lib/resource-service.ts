/** Starting a service that keeps resources: what it needs is put together here, once for all of them. */
import { systemClock, type Clock } from './clock.js';
import type { Database } from './database.js';
import { logToStderr, serve } from './grpc.js';
import { RequestIds } from './request-ids.js';
import { ResourceTable, type Fields, type Resource, type ResourceKind } from './resources.js';
import { Schema } from './schema.js';
import type { Log, RunningService, ServiceImplementation, StartOptions } from './service.js';

/** A service that is not yet there: its file, its name and what makes its handlers. */
export interface ResourceServiceDefinition {
  /** As an `import` names it: `prismnet/v1/prismnet.proto`. */
  readonly file: string;
  readonly name: string;
  /** Makes the handlers; `close`, where there is one, stops timers. */
  readonly build: (context: ServiceContext) => {
    readonly handlers: ServiceImplementation['handlers'];
    readonly close?: () => void;
  };
}

/** A request that creates something. */
export interface CreateRequest {
  readonly request_id: string;
}

/** What the handlers of one service work with. */
export class ServiceContext {
  readonly #requestIds: RequestIds;

  constructor(
    readonly schema: Schema,
    readonly name: string,
    readonly database: Database,
    readonly clock: Clock,
    readonly log: Log,
  ) {
    this.#requestIds = new RequestIds(database, clock);
  }

  /** The table of a kind of resources, whose message is called `type` in the service's package. */
  table<T extends Resource>(type: string, kind: Omit<ResourceKind<T>, 'codec'>): ResourceTable<T> {
    const codec = this.schema.codec<T>(`${this.name.slice(0, this.name.lastIndexOf('.'))}.${type}`);
    return new ResourceTable<T>(this.database, this.clock, { ...kind, codec });
  }

  /**
   * Answers a request that creates: checks the fields, then adds the resource, once for each request id. `verify` may
   * refuse what is right by itself but does not fit to what is there, or fill in fields; it and `answer`, which makes the
   * reply, run in the transaction.
   */
  create<T extends Resource>(
    table: ResourceTable<T>,
    request: CreateRequest,
    fields: Fields<T>,
    verify: (fields: Fields<T>) => Partial<T> | void = () => undefined,
    answer: (resource: T) => T = (resource) => resource,
  ): T {
    table.check(fields);
    return this.once(`Create ${table.kind.table}`, request, table, () =>
      answer(table.insert({ ...fields, ...verify(fields) })),
    );
  }

  /** Does `work` once for each request id. */
  once<T extends Resource>(what: string, request: CreateRequest, table: ResourceTable<T>, work: () => T): T {
    return this.#requestIds.once(`${this.name} ${what}`, request, table.kind.codec, work);
  }
}

/** Starts a service; resolves when it listens. */
export async function startResourceService(
  definition: ResourceServiceDefinition,
  options: StartOptions,
): Promise<RunningService> {
  const { database, clock = systemClock, log = logToStderr } = options;
  const schema = Schema.load([definition.file]);
  const context = new ServiceContext(schema, definition.name, database, clock, log);
  const { handlers, close = () => undefined } = definition.build(context);
  const services = [{ schema, name: definition.name, handlers }];
  try {
    const server = await serve({ host: options.host, port: options.port, services, log });
    return { port: server.port, close: () => server.close().finally(close) };
  } catch (error) {
    close();
    throw error;
  }
}
