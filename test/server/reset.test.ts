/** Connections that are reset while they end: nothing of them stays open. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { resetConnection } from '../../lib/server/node-internals.js';
import { until } from '../support/until.js';

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

async function accepted(t: Test): Promise<Socket> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined).resume();
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  t.teardown(() => client.destroy());
  return socket;
}

/** When the reset comes, after `end`. */
const moments: Readonly<Record<string, (reset: () => void) => void>> = {
  'at once': (reset) => reset(),
  'in the next tick': (reset) => process.nextTick(reset),
  'two ticks later': (reset) => process.nextTick(() => process.nextTick(reset)),
  'three ticks later': (reset) => process.nextTick(() => process.nextTick(() => process.nextTick(reset))),
  'in the next turn': (reset) => setImmediate(reset),
};

for (const [when, schedule] of Object.entries(moments)) {
  void t.test(`reset ${when} after the end`, async (t) => {
    const before = openSockets();
    const socket = await accepted(t);
    const closed = once(socket, 'close');
    socket.end('the last bytes');
    schedule(() => resetConnection(socket));
    await closed;
    await until(() => openSockets() <= before, `no open socket, but there are ${openSockets() - before}`);
    t.pass('all are closed');
  });
}

void t.test('an open connection is reset', async (t) => {
  const socket = await accepted(t);
  const reset = socket.resetAndDestroy.bind(socket);
  let resets = 0;
  socket.resetAndDestroy = () => {
    resets++;
    return reset();
  };
  const closed = once(socket, 'close');
  socket.write('the first bytes');
  resetConnection(socket);
  await closed;
  t.equal(resets, 1);
});
