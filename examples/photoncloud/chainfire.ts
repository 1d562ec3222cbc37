/**
 * ChainFire, PhotonCloud's key-value store with cluster membership: the RPCs of `protos/chainfire/v1/chainfire.proto`.
 * This file checks requests and translates between messages and what does the work: `chainfire/store.ts`,
 * `chainfire/watch.ts` and `chainfire/cluster.ts`. That every RPC is a REST call too is the proxy's affair; nothing here
 * knows of HTTP.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { status as Status } from '@grpc/grpc-js';
import { Cluster, type StoredMember } from './chainfire/cluster.js';
import type * as message from './chainfire/messages.js';
import {
  KeyValueStore,
  type PutOptions,
  type StoredEvent,
  type StoredItem,
  type StoreLimits,
} from './chainfire/store.js';
import { watch } from './chainfire/watch.js';
import { systemClock, timestampOf } from './lib/clock.js';
import { quoted, requireFields, ServiceError } from './lib/errors.js';
import type { Rule } from './lib/rules.js';
import { hostAndPort, logToStderr, maxMessageBytes, serve } from './lib/grpc.js';
import { keyRules, prefixRule } from './lib/keys.js';
import { readPageSize, readPageToken, writePageToken } from './lib/paging.js';
import { RequestIds } from './lib/request-ids.js';
import { type Codec, Schema } from './lib/schema.js';
import type { ReplyStream, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

/** How ChainFire is started. */
export interface ChainFireOptions extends StartOptions {
  /** Name of this node in its cluster, used when the cluster is founded. Default: `chainfire-1`. */
  readonly nodeName?: string;
  /** How much history is kept for watches. Default: the last 10000 changes within 256 MiB. */
  readonly history?: Pick<StoreLimits, 'historyRevisions' | 'historyBytes'>;
}

const serviceName = 'chainfire.v1.ChainFireService';

/** Room that is left in a message beside its values: keys, numbers, a page token. */
const overheadBytes = 8 * 1024;
/** So that whatever holds a value fits into a message of the size that clients take by default. */
const maxValueBytes = maxMessageBytes - overheadBytes;
/** A hundred years: a lease beyond that is a slip of the keyboard. */
const maxLeaseSeconds = 100n * 365n * 24n * 3600n;
const defaultHistory = { historyRevisions: 10_000, historyBytes: 256 * 1024 * 1024 };

/** Starts ChainFire; resolves when it listens. */
export async function startChainFire(options: ChainFireOptions): Promise<RunningService> {
  const { database, clock = systemClock, log = logToStderr } = options;
  const schema = Schema.load(['chainfire/v1/chainfire.proto']);
  const limits = { pageBytes: maxValueBytes, ...(options.history ?? defaultHistory) };
  const store = new KeyValueStore(database, clock, limits, log);
  const cluster = new Cluster(database, clock);
  const requestIds = new RequestIds(database, clock);
  const service: ServiceImplementation = {
    schema,
    name: serviceName,
    handlers: {
      ...keyValueHandlers(store),
      ...clusterHandlers(cluster, requestIds, schema.codec('chainfire.v1.Member')),
    },
  };
  let server: RunningService | undefined;
  const close = async (): Promise<void> => {
    await server?.close();
    store.close();
  };
  try {
    server = await serve({ host: options.host, port: options.port, services: [service], log });
    // Only now is the port known where any would do. No call has come in yet: none is read before this function returns.
    cluster.join(options.nodeName ?? 'chainfire-1', hostAndPort(options.host, server.port));
    return { port: server.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function keyValueHandlers(store: KeyValueStore): ServiceImplementation['handlers'] {
  return {
    Get({ key }: message.KeyRequest): message.Item {
      requireFields(...keyRules(key));
      const item = store.get(key);
      if (item === undefined) throw new ServiceError(Status.NOT_FOUND, `no key ${quoted(key)}`);
      return itemMessage(item);
    },

    Put(request: message.PutRequest): message.PutResponse {
      const { key, value } = request;
      requireFields(...keyRules(key), ...putRules(request));
      const item = store.put(key, value!, putOptions(request));
      return { key, version: item.version, revision: item.modRevision };
    },

    Delete({ key }: message.KeyRequest): message.Deleted {
      requireFields(...keyRules(key));
      return { deleted: store.delete(key) };
    },

    List({ prefix, page_size, page_token }: message.ListRequest): message.ListResponse {
      requireFields(prefixRule(prefix));
      const query = [serviceName, 'List', prefix];
      const { items, more } = store.list(prefix, readPageToken(query, page_token), readPageSize(page_size));
      return {
        items: items.map(itemMessage),
        next_page_token: more ? writePageToken(query, Buffer.from(items.at(-1)!.key)) : '',
      };
    },

    async Watch(request: message.WatchRequest, replies: ReplyStream<message.WatchEvent>): Promise<void> {
      const { prefix, start_revision: start = 0n } = request;
      requireFields(prefixRule(prefix), [
        'start_revision',
        start >= 0n,
        `is ${start}, expected 0 (from now on) or more`,
      ]);
      const events = { ...replies, write: (event: StoredEvent) => replies.write(eventMessage(event)) };
      await watch(store, prefix, start === 0n ? undefined : start, events);
    },
  };
}

function clusterHandlers(
  cluster: Cluster,
  requestIds: RequestIds,
  memberCodec: Codec<message.Member>,
): ServiceImplementation['handlers'] {
  return {
    GetClusterStatus(): message.ClusterStatus {
      const { nodeId, clusterId, term } = cluster.node();
      const members = cluster.members().map(memberMessage);
      return { node_id: nodeId, cluster_id: clusterId, term, role: 'LEADER', is_leader: true, members };
    },

    ListMembers({ page_size, page_token }: message.PageRequest): message.ListMembersResponse {
      const query = [serviceName, 'ListMembers'];
      const count = readPageSize(page_size);
      const found = cluster.members(readPageToken(query, page_token), count + 1);
      const members = found.slice(0, count).map(memberMessage);
      const more = found.length > count;
      return { members, next_page_token: more ? writePageToken(query, Buffer.from(members.at(-1)!.id)) : '' };
    },

    AddMember(request: message.AddMemberRequest): message.Member {
      const { name, peer_addr } = request;
      requireFields(
        ['name', isMemberName(name), 'expected 1 to 128 characters, none of them a control character'],
        ['peer_addr', isHostAndPort(peer_addr), `is ${quoted(peer_addr)}, expected host:port, such as 10.0.0.2:50051`],
      );
      return requestIds.once(`${serviceName}.AddMember`, request, memberCodec, () =>
        memberMessage(cluster.add(name, peer_addr)),
      );
    },

    RemoveMember({ id }: message.RemoveMemberRequest): message.Deleted {
      requireFields(['id', id !== '', 'is empty, expected the id of a member']);
      cluster.remove(id);
      return { deleted: true };
    },
  };
}

function putRules({ value, lease_ttl_seconds: ttl = 1n, expected_version: expected = 0n }: message.PutRequest): Rule[] {
  return [
    ['value', value !== undefined, 'is missing; to store an empty value, send it as ""'],
    ['value', Buffer.byteLength(value ?? '') <= maxValueBytes, `is longer than ${maxValueBytes} bytes`],
    [
      'lease_ttl_seconds',
      ttl >= 1n && ttl <= maxLeaseSeconds,
      `is ${ttl}, expected 1 to ${maxLeaseSeconds}; leave it out for a key that stays`,
    ],
    ['expected_version', expected >= 0n, `is ${expected}, expected 0 (there is no such key) or more`],
  ];
}

function putOptions({ lease_ttl_seconds: ttl, expected_version: expected }: message.PutRequest): PutOptions {
  return {
    ...(ttl !== undefined && { leaseMs: Number(ttl) * 1000 }),
    ...(expected !== undefined && { expectedVersion: expected }),
  };
}

function itemMessage(item: StoredItem): message.Item {
  return {
    key: item.key,
    value: item.value,
    version: item.version,
    create_revision: item.createRevision,
    mod_revision: item.modRevision,
    created_at: timestampOf(item.createdMs),
    updated_at: timestampOf(item.updatedMs),
  };
}

function eventMessage({ deleted, item }: StoredEvent): message.WatchEvent {
  if (deleted) return { type: 'DELETE', item: { ...itemMessage(item), created_at: null } };
  return { type: 'PUT', item: itemMessage(item) };
}

function memberMessage(member: StoredMember): message.Member {
  return {
    id: member.id,
    name: member.name,
    peer_addr: member.peerAddr,
    created_at: timestampOf(member.createdMs),
    updated_at: timestampOf(member.updatedMs),
  };
}

function isMemberName(name: string): boolean {
  return /^[^\p{Cc}]{1,128}$/u.test(name);
}

/** `host:port`, the host a name, an IPv4 address, or an IPv6 address in brackets. */
function isHostAndPort(text: string): boolean {
  const parts = /^(?:\[(?<v6>[^\]]{1,64})\]|(?<host>[^:[\]]{1,253})):(?<port>[1-9][0-9]{0,4})$/.exec(text)?.groups;
  if (parts === undefined || Number(parts['port']) > 65535) return false;
  if (parts['v6'] !== undefined) return isIPv6(parts['v6']);
  const host = parts['host']!;
  // What looks like an IPv4 address has to be one.
  if (/^[0-9.]+$/.test(host)) return isIPv4(host);
  return host.split('.').every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
}
