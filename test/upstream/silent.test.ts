/** Servers that take connections and say nothing: no call waits for ever, and nothing of it is left open. */
import { ServerCredentials } from '@grpc/grpc-js';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';
import { Code } from '../../lib/status.js';
import type { UpstreamTls } from '../../lib/upstream/index.js';
import { certificate, pem } from '../support/certificates.js';
import { until } from '../support/until.js';
import { type BytesCall, callOnce, ClientPool, grpcService, testClients } from './service.js';

const body = Buffer.from('hello');

/** A relay to a service, which may be silent. */
class SilentRelay {
  isSilent = true;
  accepted = 0;
  readonly open = new Set<Socket>();
  private readonly server: Server;

  constructor(port: number) {
    this.server = createServer((socket) => {
      this.accepted++;
      this.open.add(socket);
      socket.on('error', () => undefined).on('close', () => this.open.delete(socket));
      if (this.isSilent) return void socket.resume();
      const inner = connect(port, '127.0.0.1').on('error', () => undefined);
      socket
        .pipe(inner)
        .pipe(socket)
        .on('close', () => inner.destroy());
    });
  }

  async start(t: Test): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    t.teardown(() => {
      this.server.close();
      for (const socket of this.open) socket.destroy();
    });
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

function echo(call: BytesCall): void {
  call.on('data', (bytes: Buffer) => call.write(bytes));
  call.on('end', () => call.end());
}

const kinds: readonly [name: string, tls: UpstreamTls | undefined][] = [
  ['cleartext', undefined],
  ['TLS', { ca: certificate('ca') }],
];

for (const [kind, tls] of kinds) {
  const credentials =
    tls && ServerCredentials.createSsl(null, [{ cert_chain: pem('server'), private_key: pem('server-key') }]);

  testClients(`${kind}: a server that said nothing is asked again, and answers`, async (t, client) => {
    const { target: inner, server } = await grpcService({ Echo: echo }, '127.0.0.1:0', credentials);
    const relay = new SilentRelay(Number(inner.split(':')[1]));
    const target = await relay.start(t);
    const pool = new ClientPool(client);
    t.teardown(() => (pool.close(), server.forceShutdown()));
    const channel = pool.open(target, { tls, connectTimeoutMs: 300 });
    const first = await callOnce(channel, { method: 'Echo', send: [body] });
    t.match(first, {
      code: Code.UNAVAILABLE,
      message: /^(no connection to the service within 0.3s|cannot connect to the service: no answer in time)$/,
    });
    relay.isSilent = false;
    t.equal(await channel.connect(10_000), true);
    t.match(await callOnce(channel, { method: 'Echo', send: [body] }), { code: Code.OK, messages: [body] });
  });

  testClients(
    `${kind}: a channel that is closed leaves no connection to a server that says nothing`,
    async (t, client) => {
      const relay = new SilentRelay(0);
      const target = await relay.start(t);
      const pool = new ClientPool(client);
      const channel = pool.open(target, { tls, connectTimeoutMs: 60_000 });
      const call = callOnce(channel, { method: 'Echo', send: [body], timeoutMs: 100 });
      await until(() => relay.open.size > 0, 'a connection');
      t.match(await call, { code: Code.DEADLINE_EXCEEDED });
      pool.close();
      await until(() => relay.open.size === 0, 'the end of all connections');
      t.pass('nothing is open');
    },
  );
}
