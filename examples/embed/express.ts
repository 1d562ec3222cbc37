/**
 * photongate in an Express application, below `/api` and in front of body parsers.
 *
 *     node --import tsx examples/embed/express.ts 127.0.0.1:50051
 *     curl http://127.0.0.1:8080/api/v1/hello/Ada
 *     npx wscat -c ws://127.0.0.1:8080/api/v1/chat
 */
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { createGateway, type EmbeddedGateway } from '../../lib/index.js';

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url));

/** @param upstream the gRPC server, `127.0.0.1:50051` */
export function expressServer(upstream: string): { server: Server; gateway: EmbeddedGateway } {
  const gateway = createGateway({ proto, upstreams: upstream, errorFormat: 'problem' });
  const app = express();
  app.use('/api', gateway.express);
  app.use(express.json());
  app.post('/api/echo', (request, response) => {
    response.json({ echo: request.body as unknown });
  });
  // Express sees no upgrades, and does not cut its path off them.
  const server = createServer(app);
  gateway.attach(server, { prefix: '/api' });
  return { server, gateway };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { server, gateway } = expressServer(process.argv[2] ?? '127.0.0.1:50051');
  server.listen(8080, '127.0.0.1');
  process.once('SIGTERM', () => {
    server.close();
    void gateway.close();
  });
}
