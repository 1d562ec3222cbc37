/** The gRPC service. It knows nothing of HTTP and JSON: photongate stands in front of it. */
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';

const folder = (name) => new URL(name, import.meta.url).pathname;
const { v1 } = loadPackageDefinition(
  loadSync('starter/v1/starter.proto', {
    includeDirs: [folder('proto')],
    keepCase: true,
    longs: String,
    defaults: true,
  }),
).starter;

const items = new Map();
const changes = new EventEmitter().setMaxListeners(0);

class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
    this.details = message;
  }
}

function found(id) {
  const item = items.get(id);
  if (item === undefined) throw new RpcError(status.NOT_FOUND, `no item "${id}"`);
  return item;
}

function checked({ title = '', count = 0 } = {}) {
  if (title === '') throw new RpcError(status.INVALID_ARGUMENT, 'title is empty');
  if (count < 0) throw new RpcError(status.INVALID_ARGUMENT, 'count is negative');
  return { title, count };
}

function save(item) {
  items.set(item.id, item);
  changes.emit('item', item);
  return item;
}

const methods = {
  CreateItem({ item }) {
    const create_time = { seconds: Math.floor(Date.now() / 1000) };
    return save({ id: randomUUID(), ...checked(item ?? {}), create_time });
  },
  GetItem: ({ id }) => found(id),
  ListItems({ page_size, page_token }) {
    const all = [...items.values()];
    const start = page_token === '' ? 0 : all.findIndex(({ id }) => id === page_token);
    if (start < 0) throw new RpcError(status.INVALID_ARGUMENT, 'page_token is not one of this list');
    const end = start + (page_size > 0 ? Math.min(page_size, 1000) : 50);
    return { items: all.slice(start, end), next_page_token: all[end]?.id ?? '' };
  },
  UpdateItem({ item, update_mask }) {
    const old = found(item.id);
    const paths = update_mask?.paths ?? [];
    const changed = paths.length === 0 ? item : Object.fromEntries(paths.map((path) => [path, item[path]]));
    return save({ ...old, ...checked({ ...old, ...changed }) });
  },
  DeleteItem({ id }) {
    items.delete(found(id).id);
    return {};
  },
};

const server = new Server();
server.addService(v1.StarterService.service, {
  ...Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      (call, reply) => {
        try {
          reply(null, method(call.request));
        } catch (error) {
          reply(error);
        }
      },
    ]),
  ),
  WatchItems(call) {
    const tell = (item) => call.write(item);
    changes.on('item', tell);
    call.on('cancelled', () => changes.off('item', tell));
  },
});

const address = process.argv[2] ?? '127.0.0.1:50051';
server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`starter.v1.StarterService listens on port ${port}`);
});
