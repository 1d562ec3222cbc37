/**
 * The greeter of the README: a gRPC server on grpc-js. Nothing here knows of HTTP or JSON.
 *
 *     node examples/greeter/server.js
 *     photongate --proto examples/greeter/greeter.proto --upstream 127.0.0.1:50051
 *     curl 'http://127.0.0.1:8080/v1/hello/Ada?times=2'
 */
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const path = (name) => new URL(name, import.meta.url).pathname;
const { greeter } = loadPackageDefinition(
  loadSync(path('greeter.proto'), { includeDirs: [path('../../annotations')] }),
);

const server = new Server();
server.addService(greeter.v1.Greeter.service, {
  SayHello({ request: { name, times } }, reply) {
    if (times < 0 || times > 9) return reply({ code: status.INVALID_ARGUMENT, details: 'times is 1 to 9' });
    reply(null, { message: `Hello ${name}${`, hello ${name}`.repeat(Math.max(times - 1, 0))}` });
  },
});

const address = process.argv[2] ?? '127.0.0.1:50051';
server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`greeter.v1.Greeter listens on port ${port}`);
});
