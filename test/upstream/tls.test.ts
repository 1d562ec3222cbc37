/** TLS towards gRPC servers: which certificates are believed, what is said of the others, our own, and renewal. */
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import t, { type Test } from 'tap';
import type { Call } from '../../lib/exchange.js';
import { Holder } from '../../lib/shared.js';
import { ConfigError } from '../../lib/status.js';
import { type ChannelPool, type UpstreamClient, type UpstreamTls, UpstreamTable } from '../../lib/upstream/index.js';
import { alertReason } from '../../lib/upstream/tls.js';
import { certificate, nextTlsEvent, pem, RenewableFiles } from '../support/certificates.js';
import { type BytesCall, callOnce, ClientPool, grpcService, testClients } from './service.js';

const body = Buffer.from('hello');
const ca = certificate('ca');

/** Answers with who calls: the `:authority`, and the name in the client's certificate. */
function whoami(call: BytesCall): void {
  const { sslPeerCertificate } = call.getAuthContext();
  const subject = sslPeerCertificate?.subject.CN as string | undefined;
  call.on('data', () => call.write(Buffer.from(`${call.getHost()} ${subject ?? '-'}`)));
  call.on('end', () => call.end());
}

function serverCredentials(name: string, clientCa?: string): ServerCredentials {
  const pair = { cert_chain: pem(name), private_key: pem(`${name}-key`) };
  return ServerCredentials.createSsl(clientCa === undefined ? null : pem(clientCa), [pair], clientCa !== undefined);
}

async function service(
  t: Test,
  name: string,
  clientCa?: string,
): Promise<{ target: string; port: string; server: Server }> {
  const started = await grpcService({ Who: whoami }, '127.0.0.1:0', serverCredentials(name, clientCa));
  t.teardown(() => started.server.forceShutdown());
  return { ...started, port: started.target.split(':')[1]! };
}

function poolOf(t: Test, client: UpstreamClient): ChannelPool {
  const pool = new ClientPool(client);
  t.teardown(() => pool.close());
  return pool;
}

/** What the service answers, or what operators are told. */
async function ask(pool: ChannelPool, target: string, tls: UpstreamTls | undefined): Promise<string> {
  const outcome = await callOnce(pool.open(target, { tls }), { method: 'Who', send: [body] });
  const { code, message, diagnosis, messages } = outcome;
  if (code === 0) return messages.map(String).join();
  t.match(message, /^cannot connect to the service: it/);
  t.notMatch(message, /127\.0\.0\.1|localhost|example/, 'clients read no names');
  return `${code} ${diagnosis}`;
}

testClients('a certificate is believed, or the call says why not', async (t, client) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const pool = poolOf(t, client);
  const good = await service(t, 'server');
  const wrongName = await service(t, 'wrong-name');
  const expired = await service(t, 'expired');
  const wrongCa = await service(t, 'wrong-ca');
  const plain = await grpcService({ Who: whoami });
  t.teardown(() => plain.server.forceShutdown());
  const at = (target: string): string => `14 cannot connect to ${target}: `;
  const untrusted = 'its certificate is signed by an authority that is not trusted (option upstream_ca)';
  const rows: [target: string, tls: UpstreamTls | undefined, expected: string][] = [
    [good.target, { ca }, `${good.target} -`],
    [`localhost:${good.port}`, { ca }, `localhost:${good.port} -`],
    [`dns:///localhost:${good.port}`, { ca }, `localhost:${good.port} -`],
    [`ipv4:${good.target}`, { ca }, `${good.target} -`],
    [`dns:///127.0.0.1:${good.port}`, { ca, authority: 'localhost:443' }, 'localhost:443 -'],
    [
      wrongName.target,
      { ca },
      `${at(wrongName.target)}its certificate is for other.example, expected 127.0.0.1 (option upstream_authority)`,
    ],
    [wrongName.target, { ca, authority: 'other.example' }, 'other.example -'],
    [
      good.target,
      { ca, authority: 'third.example' },
      `${at(good.target)}its certificate is for localhost, 127.0.0.1, 0:0:0:0:0:0:0:1, expected third.example (option upstream_authority)`,
    ],
    [expired.target, { ca }, `${at(expired.target)}its certificate has expired`],
    [wrongCa.target, { ca }, at(wrongCa.target) + untrusted],
    [wrongCa.target, { ca: certificate('other-ca') }, `${wrongCa.target} -`],
    [good.target, {}, at(good.target) + untrusted],
    [plain.target, { ca }, `${at(plain.target)}it does not speak TLS (option upstream_tls)`],
    [good.target, undefined, `${at(good.target)}it closed the connection; it may want TLS (option upstream_tls)`],
  ];
  for (const [target, tls, expected] of rows) {
    t.equal(await ask(pool, target, tls), expected, `${target} ${JSON.stringify(tls)}`);
    t.equal(
      await pool.open(target, { tls }).connect(expected.startsWith('14') ? 200 : 2000),
      !expected.startsWith('14'),
    );
  }
  // Newer Node lines warn of what the test runner's own loader does.
  const ours = warnings.filter(({ message }) => !message.includes('module.register()'));
  t.strictSame(ours, [], 'no address is announced as a name');
});

testClients('a self-signed certificate', async (t, client) => {
  const pool = poolOf(t, client);
  const self = await service(t, 'self-signed');
  t.equal(
    await ask(pool, self.target, { ca }),
    `14 cannot connect to ${self.target}: its certificate is self-signed and not trusted (option upstream_ca)`,
  );
  t.equal(await ask(pool, self.target, { ca: certificate('self-signed') }), `${self.target} -`);
});

testClients('client certificates', async (t, client) => {
  const pool = poolOf(t, client);
  const { target } = await service(t, 'server', 'ca');
  const own = (name: string): UpstreamTls => ({ ca, cert: certificate(name), key: certificate(`${name}-key`) });
  t.equal(await ask(pool, target, own('client')), `${target} client`);
  const at = `14 cannot connect to ${target}: `;
  t.equal(
    await ask(pool, target, { ca }),
    `${at}it asks for a client certificate (options upstream_cert and upstream_key)`,
  );
  // grpc-js cuts the connection without a word; others send an alert.
  t.match(await ask(pool, target, own('foreign-client')), /it may want another client certificate/);
  for (const [alert, expected] of [
    ['tlsv1 alert unknown ca', 'it refuses our client certificate (unknown ca; option upstream_cert)'],
    [
      'sslv3 alert certificate expired',
      'it refuses our client certificate (certificate expired; option upstream_cert)',
    ],
    ['sslv3 alert handshake failure', 'it refuses the TLS connection (handshake failure)'],
    ['wrong version number', undefined],
  ] as const) {
    const text = `00:error:0A000412:SSL routines:ssl3_read_bytes:${alert}:record.c:1590:SSL alert number 42`;
    t.equal(alertReason(text), expected, alert);
  }
});

testClients('a server that does not offer HTTP/2', async (t, client) => {
  const pool = poolOf(t, client);
  for (const ALPNProtocols of [undefined, ['http/1.1'], ['http/1.1', 'spdy/3']]) {
    const server = createTlsServer(
      { cert: pem('server'), key: pem('server-key'), ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }) },
      (socket) => socket.on('error', () => undefined).resume(),
    );
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const reason = 'it does not offer HTTP/2 in the TLS handshake (ALPN protocol h2), which gRPC needs';
    t.equal(await ask(pool, target, { ca }), `14 cannot connect to ${target}: ${reason}`);
  }
});

testClients('a server that does not shake hands', async (t, client) => {
  const pool = poolOf(t, client);
  const connections: Socket[] = [];
  const server = createServer((socket) => connections.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    connections.forEach((socket) => socket.destroy());
    server.close();
  });
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const silent = pool.open(target, { tls: { ca }, connectTimeoutMs: 200 });
  t.match(await callOnce(silent, { method: 'Who', send: [body] }), {
    code: 14,
    message: 'no connection to the service within 0.2s',
  });
  server.on('connection', (socket: Socket) => socket.once('data', () => socket.destroy()));
  const closing = pool.open(target, { tls: { ca } });
  t.match(await callOnce(closing, { method: 'Who', send: [body] }), {
    code: 14,
    message: 'cannot connect to the service: it closed the connection during the TLS handshake',
    diagnosis: `cannot connect to ${target}: it closed the connection during the TLS handshake`,
  });
});

testClients('renewed certificates are for new calls; those under way go on', async (t, client) => {
  const { target } = await service(t, 'server', 'ca');
  const files = new RenewableFiles('client');
  const pool = new ClientPool(client);
  t.teardown(() => {
    pool.close();
    files.remove();
  });
  const tls = { ca, cert: files.cert, key: files.key };
  const channel = pool.open(target, { tls, connectTimeoutMs: 200 });
  const who = async (): Promise<string> => {
    const { messages, message } = await callOnce(channel, { method: 'Who', send: [body] });
    return messages.map(String).join() || message;
  };
  t.equal(await who(), `${target} client`);
  let longCall: Call | undefined;
  const answers: string[] = [];
  const long = callOnce(channel, {
    method: 'Who',
    onStart: (call) => (longCall = call),
    listener: { onMessage: ({ payload }) => void answers.push(payload.toString()) },
  });
  longCall!.send({ compressed: false, payload: body });

  let event = nextTlsEvent(`upstream ${target}`);
  files.replace('renewed-client', 'client-key');
  t.match(await event, { outcome: 'kept', problems: [{ code: 'tls-key-mismatch' }] });
  t.equal(await who(), `${target} client`);

  event = nextTlsEvent(`upstream ${target}`);
  files.replace('renewed-client');
  t.equal((await event).outcome, 'renewed');
  t.equal(await who(), `${target} renewed-client`);
  // By now the old channel is closed to new calls.
  await sleep(1400);
  longCall!.send({ compressed: false, payload: body });
  longCall!.halfClose();
  t.equal((await long).code, 0);
  t.strictSame(answers, [`${target} client`, `${target} client`]);
  t.equal(await who(), `${target} renewed-client`);
});

testClients('a renewed CA mends calls without a restart', async (t, client) => {
  const { target } = await service(t, 'server');
  const folder = mkdtempSync(join(tmpdir(), 'photongate-tls-'));
  const file = join(folder, 'ca.pem');
  const pool = new ClientPool(client);
  t.teardown(() => {
    pool.close();
    rmSync(folder, { recursive: true });
  });
  copyFileSync(certificate('other-ca'), file);
  t.match(await ask(pool, target, { ca: file }), /not trusted/);
  const event = nextTlsEvent(`upstream ${target}`);
  copyFileSync(ca, `${file}.new`);
  renameSync(`${file}.new`, file);
  await event;
  t.equal(await ask(pool, target, { ca: file }), `${target} -`);
});

testClients('settings', async (t, client) => {
  const pool = poolOf(t, client);
  const target = '127.0.0.1:1';
  t.equal(
    pool.open(target, { tls: { ca } }),
    pool.open(target, { tls: { authority: undefined, ca } }),
    'equal settings',
  );
  t.not(pool.open(target, { tls: { ca } }), pool.open(target, { tls: {} }));
  t.not(pool.open(target, { tls: {} }), pool.open(target));
  const cert = certificate('client');
  t.throws(() => pool.open(target, { tls: { cert } }), { message: 'upstream_cert is given, but upstream_key is not' });
  t.throws(() => pool.open(target, { tls: { ca: 'no.pem' } }), ConfigError);
  const holder = new Holder();
  pool.open(target, { tls: { ca } }, holder);
  t.strictSame(pool.warningsFor(holder), []);
  pool.open(target, { tls: { cert: certificate('expired'), key: certificate('expired-key') } }, holder);
  t.match(pool.warningsFor(holder), [{ code: 'certificate-validity' }]);
  t.strictSame(pool.warningsFor(new Holder()), [], 'of nobody else');

  // An upstream's own word wins over the default of all.
  const good = await service(t, 'server');
  const options = { tls: { ca } };
  const table = new UpstreamTable(
    [
      { name: undefined, target: good.target, options },
      { name: 'a', target: good.target, tls: false, options },
      { name: 'b', target: good.target, tls: { ca, authority: 'localhost' }, options },
    ],
    pool,
  );
  const who = async (name: string): Promise<string> => {
    const { messages, message } = await callOnce(table.channelFor(name), { method: 'Who', send: [body] });
    return messages.map(String).join() || message;
  };
  t.equal(await who('x.T'), `${good.target} -`);
  t.match(await who('a.T'), /may want TLS/);
  t.equal(await who('b.T'), 'localhost -');
});
