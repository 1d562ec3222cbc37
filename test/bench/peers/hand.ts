/**
 * The proxy that one writes by hand for shop.proto: node:http, JSON.parse, and the client of @grpc/grpc-js with messages of
 * @grpc/proto-loader. It checks nothing, and knows no errors but 500. `hand.ts ADDRESS UPSTREAM PROTO IMPORT_PATH`.
 */
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

interface Item {
  createdAt?: { seconds: string } | string;
}

const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

const [address, upstream, proto, importPath] = process.argv.slice(2) as [string, string, string, string];
const definition = loadSync(proto, { longs: String, includeDirs: [importPath] });
const shop = (loadPackageDefinition(definition)['shop'] as unknown as { v1: { Shop: ServiceClientConstructor } }).v1
  .Shop;
const client = new shop(upstream, credentials.createInsecure(), {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
});

/** Timestamps are texts in JSON, and objects in messages. */
function toJson(item: Item): Item {
  if (typeof item.createdAt !== 'object') return item;
  return { ...item, createdAt: new Date(Number(item.createdAt.seconds) * 1000).toISOString().replace('.000Z', 'Z') };
}

function fromJson(item: Item): Item {
  if (typeof item.createdAt !== 'string') return item;
  return { ...item, createdAt: { seconds: String(Date.parse(item.createdAt) / 1000) } };
}

const same = (message: object): object => message;
const list =
  (convert: (item: Item) => Item) =>
  (message: object): object => ({ items: (message as { items: Item[] }).items.map(convert) });

function call(method: string, request: object, response: ServerResponse, convert: (message: object) => object): void {
  const rpc = client[method] as (request: object, done: (error: Error | null, message: object) => void) => void;
  rpc.call(client, request, (error, message) => {
    const body = Buffer.from(JSON.stringify(error === null ? convert(message) : { message: error.message }));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    response.writeHead(error === null ? 200 : 500, headers).end(body);
  });
}

function watch(count: string | null, response: ServerResponse): void {
  const rpc = client['WatchItems'] as (request: object) => NodeJS.ReadableStream;
  const items = rpc.call(client, { count });
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  items.on('data', (item: Item) => {
    if (!response.write(`${JSON.stringify(toJson(item))}\n`)) items.pause();
  });
  response.on('drain', () => items.resume());
  items.on('end', () => response.end());
  items.on('error', () => response.destroy());
}

function serve(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
  const json = (): unknown => JSON.parse(body.toString());
  const count = searchParams.get('count');
  switch (`${request.method} ${pathname}`) {
    case 'GET /v1/items':
      return call('ListItems', { count }, response, list(toJson));
    case 'POST /v1/items':
      return call('CreateItem', fromJson(json() as Item), response, toJson);
    case 'POST /v1/items:import':
      return call('ImportItems', list(fromJson)(json() as object), response, same);
    case 'POST /v1/text':
      return call('EchoText', json() as object, response, same);
    case 'GET /v1/watch':
      return watch(count, response);
  }
  if (pathname.startsWith('/v1/items/')) {
    return call('GetItem', { id: decodeURIComponent(pathname.slice('/v1/items/'.length)) }, response, toJson);
  }
  response.writeHead(404).end();
}

const [host, port] = address.split(':');
createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => serve(request, response, Buffer.concat(chunks)));
}).listen(Number(port), host);
