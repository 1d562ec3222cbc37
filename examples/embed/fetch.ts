/**
 * photongate as a function from Request to Response, for routers and servers of the Fetch API, or to be called without any
 * server at all.
 *
 *     node --import tsx examples/embed/fetch.ts 127.0.0.1:50051 Ada
 */
import { fileURLToPath } from 'node:url';
import { createGateway, type EmbeddedGateway } from '../../lib/index.js';

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url));

/** @param upstream the gRPC server, `127.0.0.1:50051` */
export function fetchApp(upstream: string): {
  fetch: (request: Request) => Promise<Response>;
  gateway: EmbeddedGateway;
} {
  const gateway = createGateway({ proto, upstreams: upstream });
  const fetch = (request: Request): Promise<Response> =>
    gateway.fetch(request, () => new Response('not in greeter.proto\n', { status: 404 }));
  return { fetch, gateway };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { fetch, gateway } = fetchApp(process.argv[2] ?? '127.0.0.1:50051');
  const name = encodeURIComponent(process.argv[3] ?? 'Ada');
  const response = await fetch(new Request(`http://greeter.example/v1/hello/${name}`));
  process.stdout.write(`${response.status} ${await response.text()}\n`);
  await gateway.close();
}
