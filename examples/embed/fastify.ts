/**
 * photongate as a Fastify plugin: its routes go before those of Fastify, bodies are not parsed twice.
 *
 *     node --import tsx examples/embed/fastify.ts 127.0.0.1:50051
 *     curl http://127.0.0.1:8080/api/v1/hello/Ada
 *     npx wscat -c ws://127.0.0.1:8080/api/v1/chat
 */
import { fileURLToPath } from 'node:url';
import fastify, { type FastifyInstance } from 'fastify';
import { createGateway, type EmbeddedGateway } from '../../lib/index.js';

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url));

/** @param upstream the gRPC server, `127.0.0.1:50051` */
export function fastifyApp(upstream: string): { app: FastifyInstance; gateway: EmbeddedGateway } {
  const gateway = createGateway({ proto, upstreams: upstream });
  const app = fastify();
  app.register(gateway.fastify, { prefix: '/api' });
  app.addHook('onClose', () => gateway.close());
  app.post('/api/echo', (request) => ({ echo: request.body }));
  return { app, gateway };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { app } = fastifyApp(process.argv[2] ?? '127.0.0.1:50051');
  await app.listen({ host: '127.0.0.1', port: 8080 });
  process.once('SIGTERM', () => void app.close());
}
