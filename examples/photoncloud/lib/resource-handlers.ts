/**
 * The five RPCs that resources of one kind have: list, create, get, update and delete. What is particular to the kind is
 * told in a `ResourceApi`.
 */
import { status as Status } from '@grpc/grpc-js';
import { quoted, requireFields, ServiceError } from './errors.js';
import type { Rule } from './rules.js';
import type { CreateRequest, ServiceContext } from './resource-service.js';
import type { FieldMask, Fields, PageRequest, Resource, ResourceTable, UserTable } from './resources.js';
import type { ServiceImplementation } from './service.js';

/** How the RPCs of a kind of resources are called, and what they do beside the usual. */
export interface ResourceApi<T extends Resource, Create extends CreateRequest> {
  /** As in `GetVpc` and `ListVpcs`. */
  readonly noun: string;
  readonly plural: string;
  /** The field of a list's answer: `vpcs`. */
  readonly list: string;
  /** The field of an update: `vpc`. */
  readonly field: string;
  readonly table: ResourceTable<T>;
  /** Fields of a list request that are columns, each with its rule. */
  readonly filters?: Readonly<Record<string, (field: string, value: string) => Rule>>;
  /** What the resource is a part of, where its id stands in the path. */
  readonly parent?: { readonly field: keyof T & string; readonly table: ParentTable };
  /** The resource that a request describes, defaults filled in. */
  fields(request: Omit<Create, 'request_id'>): Fields<T>;
  /**
   * Refuses what does not fit to the other resources, or fills in fields that follow. `id` is that of a resource that
   * changes, undefined for a new one.
   */
  verify?(next: Fields<T>, id: string | undefined): Partial<T> | void;
  /** What callers get to see. Default: all. */
  answer?(resource: T): T;
  /** Tables and columns that may refer to such a resource: then it cannot be deleted. */
  readonly users?: () => readonly (readonly [UserTable, column: string])[];
}

/** As much of a table as a parent needs. */
export interface ParentTable {
  get(id: string): unknown;
}

type Request = Readonly<Record<string, unknown>>;

/** The handlers of one kind of resources. */
export function resourceHandlers<T extends Resource, Create extends CreateRequest>(
  context: ServiceContext,
  api: ResourceApi<T, Create>,
): ServiceImplementation['handlers'] {
  const { noun, table, parent } = api;
  const answer = (resource: T): T => api.answer?.(resource) ?? resource;
  /** The parent's id in a path; NOT_FOUND if there is no such parent. */
  const parentOf = (holder: Request): string | undefined => {
    if (parent === undefined) return undefined;
    const id = requireId(holder[parent.field] as string, parent.field);
    parent.table.get(id);
    return id;
  };
  /** The id of a resource that is there and is a part of its parent. */
  const idOf = (holder: Request, prefix = ''): string => {
    const id = requireId(holder['id'] as string, `${prefix}id`);
    if (parent !== undefined && table.get(id)[parent.field] !== parentOf(holder)) {
      throw new ServiceError(Status.NOT_FOUND, `no ${table.kind.noun} has the id ${quoted(id)} there`);
    }
    return id;
  };
  return {
    [`List${api.plural}`](request: Request & PageRequest) {
      const filters = Object.entries(api.filters ?? {});
      requireFields(...filters.map(([field, rule]) => rule(field, request[field] as string)));
      const columns = Object.fromEntries(filters.map(([field]) => [field, request[field] as string]));
      const whose = parent === undefined ? {} : { [parent.field]: parentOf(request)! };
      const { items, next_page_token } = table.list(request, { ...columns, ...whose });
      return { [api.list]: items.map(answer), next_page_token };
    },

    [`Create${noun}`](request: Create): T {
      const { request_id: _, ...described } = request;
      // In the transaction, so that a repeat answers as the first did even where the parent is gone by now.
      const verify = (next: Fields<T>): Partial<T> | void => {
        parentOf(request as unknown as Request);
        // Before what else may be wrong, so that who creates the same twice hears that it is there.
        table.requireFree(next);
        return api.verify?.(next, undefined);
      };
      return context.create(table, request, api.fields(described), verify, answer);
    },

    [`Get${noun}`]: (request: Request): T => answer(table.get(idOf(request))),

    [`Update${noun}`](request: Request): T {
      const change = request[api.field] as T | null;
      const id = idOf((change ?? { id: '' }) as unknown as Request, `${api.field}.`);
      const mask = request['update_mask'] as FieldMask | null;
      return answer(table.patch(id, change!, mask, (next) => api.verify?.(next, id)));
    },

    [`Delete${noun}`]: (request: Request) => table.delete(idOf(request), api.users?.()),
  };
}

/** Throws INVALID_ARGUMENT if an id in a request is empty. */
export function requireId(id: string, field = 'id'): string {
  requireFields([field, id !== '', 'is missing or empty']);
  return id;
}
