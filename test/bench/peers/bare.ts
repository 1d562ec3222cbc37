/**
 * The least that Node can do: a node:http server that answers each shape by itself, the body read and left alone.
 * `bare.ts ADDRESS`.
 */
import { createServer, type ServerResponse } from 'node:http';
import { FILE_MEGABYTES, shapes, STREAMED_MESSAGES } from './shapes.js';

const bodyOf = (key: string): Buffer => Buffer.from(shapes.find((shape) => shape.key === key)!.body!);
const item = bodyOf('post');
const text = bodyOf('post-1m');
const answers = new Map([
  ['/v1/items/1', item],
  ['/v1/items', item],
  ['/v1/items?count=100', bodyOf('post-24k')],
  ['/v1/items:import', Buffer.from('{"count":100}')],
  ['/v1/text', text],
  ['/v1/upload', Buffer.from(JSON.stringify({ bytes: String(FILE_MEGABYTES * 1024 * 1024) }))],
]);

/** Writes so many pieces, as the client takes them. */
function pieces(response: ServerResponse, piece: Buffer, count: number): void {
  let left = count;
  const more = (): void => {
    while (left > 0) {
      left--;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const [host, port] = process.argv[2]!.split(':');
createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const { url = '' } = request;
    const body = answers.get(url);
    if (body !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    } else if (url.startsWith('/v1/watch')) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      pieces(response, Buffer.concat([item, Buffer.from('\n')]), STREAMED_MESSAGES);
    } else {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      pieces(response, Buffer.alloc(65_536), FILE_MEGABYTES * 16);
    }
  });
}).listen(Number(port), host);
