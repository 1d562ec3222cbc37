/**
 * photongate inside a server of `node:http`: what no route of the .proto takes is answered by the application itself.
 *
 *     node --import tsx examples/embed/node-http.ts 127.0.0.1:50051
 *     curl http://127.0.0.1:8080/v1/hello/Ada
 *     npx wscat -c ws://127.0.0.1:8080/v1/chat
 */
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createGateway, type EmbeddedGateway } from '../../lib/index.js';

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url));

/** @param upstream the gRPC server, `127.0.0.1:50051` */
export function nodeServer(upstream: string): { server: Server; gateway: EmbeddedGateway } {
  const gateway = createGateway({ proto, upstreams: upstream, index: false });
  const server = createServer((request, response) => {
    gateway.node(request, response, () => {
      response.setHeader('content-type', 'text/plain');
      response.end(`${request.method} ${request.url} is not in greeter.proto\n`);
    });
  });
  gateway.attach(server);
  return { server, gateway };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { server, gateway } = nodeServer(process.argv[2] ?? '127.0.0.1:50051');
  server.listen(8080, '127.0.0.1');
  process.once('SIGTERM', () => {
    server.close();
    void gateway.close();
  });
}
