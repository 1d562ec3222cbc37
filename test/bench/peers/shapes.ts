/** The requests that are compared. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One kind of request. */
export interface Shape {
  readonly key: string;
  /** As the table has it. */
  readonly name: string;
  /** Requests of one round; the CPU time of the proxy is divided by it. */
  readonly count: number;
  readonly connections?: number;
  readonly path: string;
  readonly method?: 'POST';
  readonly body?: string | Buffer;
  readonly contentType?: string;
  /** The body is so many times `body`. Default 1. */
  readonly repeat?: number;
  /** A call by gRPC, in place of a request by HTTP. */
  readonly isGrpc?: true;
  /** Its latency is measured at open load, too. */
  readonly hasLatency?: true;
}

const MEGABYTE = 1024 * 1024;

const item = {
  id: '1',
  name: 'an item with a name of some length',
  size: '1234567890123',
  price: 12.5,
  inStock: true,
  tags: ['red', 'green', 'blue'],
  labels: { shelf: '7', row: 'b' },
  createdAt: '2023-11-14T22:13:20Z',
  maker: { name: 'maker', rank: 3 },
};

const line = 'A line of text, and then the next one, as in a file of source code or a letter.\n';
const text = (bytes: number): string => JSON.stringify({ text: line.repeat(bytes / line.length) });

export const STREAMED_MESSAGES = 20_000;
export const FILE_MEGABYTES = 256;

export const shapes: readonly Shape[] = [
  { key: 'get', name: 'GET, 240 bytes out', count: 4000, path: '/v1/items/1', hasLatency: true },
  {
    key: 'post',
    name: 'POST, 240 bytes both ways',
    count: 4000,
    path: '/v1/items',
    method: 'POST',
    body: JSON.stringify(item),
    hasLatency: true,
  },
  { key: 'get-24k', name: 'GET, 24 kB out', count: 800, path: '/v1/items?count=100' },
  {
    key: 'post-24k',
    name: 'POST, 24 kB in',
    count: 800,
    path: '/v1/items:import',
    method: 'POST',
    body: JSON.stringify({ items: Array.from({ length: 100 }, () => item) }),
  },
  {
    key: 'post-1m',
    name: 'POST, a string of 1 MB both ways',
    count: 40,
    connections: 4,
    path: '/v1/text',
    method: 'POST',
    body: text(MEGABYTE),
  },
  {
    key: 'stream',
    name: `stream of ${STREAMED_MESSAGES} messages`,
    count: 1,
    connections: 1,
    path: `/v1/watch?count=${STREAMED_MESSAGES}`,
  },
  {
    key: 'download',
    name: `HttpBody, ${FILE_MEGABYTES} MB out`,
    count: 1,
    connections: 1,
    path: `/v1/download?megabytes=${FILE_MEGABYTES}`,
  },
  {
    key: 'upload',
    name: `HttpBody, ${FILE_MEGABYTES} MB in`,
    count: 1,
    connections: 1,
    path: '/v1/upload',
    method: 'POST',
    contentType: 'application/octet-stream',
    body: Buffer.alloc(MEGABYTE),
    repeat: FILE_MEGABYTES,
  },
  { key: 'grpc', name: 'gRPC passed through', count: 4000, path: '', isGrpc: true },
];

/** Flags of `peers load` for a shape; its body goes into a file of `folder`. */
export function loadFlags(shape: Shape, address: string, folder: string): string[] {
  const { key, path, method = 'GET', body, contentType = 'application/json', repeat = 1, connections = 32 } = shape;
  const flags = ['-address', address, '-connections', String(connections)];
  if (shape.isGrpc === true) return [...flags, '-grpc'];
  flags.push('-method', method, '-path', path);
  if (body === undefined) return flags;
  const file = join(folder, `${key}.body`);
  writeFileSync(file, body);
  return [...flags, '-body', file, '-type', contentType, '-repeat', String(repeat)];
}
