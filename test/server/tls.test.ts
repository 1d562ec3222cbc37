/** TLS on a listener: what it agrees to speak, who may connect, renewal, and the same closes and limits as in cleartext. */
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, renameSync } from 'node:fs';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect as http2Connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import t from 'tap';
import type { Exchange } from '../../lib/exchange.js';
import {
  checkListenerTls,
  defaultListenerOptions,
  type Listener,
  type ListenerOptions,
} from '../../lib/server/index.js';
import { ConfigError } from '../../lib/status.js';
import { certificate, nextTlsEvent, pem, RenewableFiles } from '../support/certificates.js';
import { bodyOf, Client, type Handle, raw, serve, text } from './harness.js';

const server = { tlsCert: certificate('server'), tlsKey: certificate('server-key') };

/** Says what it knows of the client. */
function whoami(exchange: Exchange): void {
  const { httpVersion, secure, peer } = exchange;
  text(exchange, JSON.stringify({ httpVersion, secure, tls: peer.tls }));
}

const handles: Record<string, Handle> = {
  '/who': whoami,
  '/late': (exchange) => void setTimeout(() => text(exchange, 'late'), 200),
  '/broken': (exchange) => {
    exchange.respond({ status: 200, headers: [] });
    exchange.write(Buffer.from('x'.repeat(100_000)));
    exchange.abort();
  },
};

/** One HTTP/1.1 request on a connection of its own. */
function get(
  listener: Listener,
  path: string,
  options: ConnectionOptions = {},
): Promise<{ status: number; body: string; subject: string }> {
  return new Promise((resolve, reject) => {
    const { port } = listener.address;
    const request = httpsRequest({ host: '127.0.0.1', port, path, ca: pem('ca'), agent: false, ...options });
    request.on('error', reject).on('response', (response) => {
      const subject = String((response.socket as TLSSocket).getPeerCertificate().subject.CN);
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode!, body, subject }));
    });
    request.end();
  });
}

function openHttp2(listener: Listener, options: ConnectionOptions = {}): ClientHttp2Session {
  const session = http2Connect(listener.url, { ca: pem('ca'), ...options } as object);
  session.on('error', () => undefined);
  return session;
}

async function getHttp2(session: ClientHttp2Session, path: string): Promise<{ status: number; body: string }> {
  const stream: ClientHttp2Stream = session.request({ ':path': path });
  let status = 0;
  let body = '';
  stream.on('response', (headers) => (status = headers[':status']!));
  stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
  await once(stream, 'close');
  return { status, body };
}

/** Raw bytes over TLS. */
async function openTls(
  listener: Listener,
  options: ConnectionOptions = {},
  onSession: (session: Buffer) => void = () => undefined,
): Promise<TLSSocket> {
  const socket = tlsConnect({ host: '127.0.0.1', port: listener.address.port, ca: pem('ca'), ...options });
  socket.on('session', onSession);
  await once(socket, 'secureConnect');
  return socket;
}

/** All that comes, and how the connection ended. */
function readAll(socket: TLSSocket): Promise<{ text: string; error: string | undefined }> {
  return new Promise((resolve) => {
    let received = '';
    let error: string | undefined;
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code));
    socket.on('close', () => resolve({ text: received, error }));
  });
}

void t.test('one port, both protocols', async (t) => {
  const listener = await serve(handles, server);
  t.teardown(() => listener.closeNow());
  t.match(listener.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const tls = { authorized: false };

  const answer = await get(listener, '/who');
  t.strictSame(JSON.parse(answer.body), { httpVersion: '1.1', secure: true, tls });

  const session = openHttp2(listener);
  t.strictSame(JSON.parse((await getHttp2(session, '/who')).body), { httpVersion: '2', secure: true, tls });
  session.close();

  for (const ALPNProtocols of [undefined, ['http/1.1'], ['http/1.0']]) {
    const socket = await openTls(listener, { ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }) });
    // In two pieces, the first without a whole line.
    socket.write('GET /wh');
    setTimeout(() => socket.write('o HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), 30);
    const { text, error } = await readAll(socket);
    t.strictSame(JSON.parse(bodyOf(text)), { httpVersion: '1.1', secure: true, tls }, String(ALPNProtocols));
    t.equal(error, undefined);
  }
  await t.rejects(openTls(listener, { ALPNProtocols: ['spdy/3'] }), { code: /ALERT_NO_APPLICATION_PROTOCOL/ });
  await t.rejects(openTls(listener, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' }));
  t.equal((await get(listener, '/who')).status, 200, 'and goes on serving');
});

void t.test('what comes without TLS is answered in words', async (t) => {
  const listener = await serve(handles, server);
  t.teardown(() => listener.closeNow());
  const answer = await raw(listener, 'GET /who HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(answer, /^HTTP\/1\.1 400 /);
  t.equal(bodyOf(answer), '400 this port accepts only TLS, and the request was sent without it; write https://\n');
  t.match(await raw(listener, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /^HTTP\/1\.1 400 /);
  const nonsense = new Client(listener).send(Buffer.from('1603010005ffffffffff', 'hex'));
  await nonsense.close();
  nonsense.destroy();
});

void t.test('an answer that breaks off is not taken for whole', async (t) => {
  const listener = await serve(handles, server);
  t.teardown(() => listener.closeNow());
  for (const [version, expected] of [
    ['1.0', 'ECONNRESET'],
    ['1.1', undefined],
  ] as const) {
    const socket = await openTls(listener);
    socket.write(`GET /broken HTTP/${version}\r\nHost: x\r\n\r\n`);
    const { text, error } = await readAll(socket);
    t.match(text, /x{50000}/, `HTTP/${version}: what was written arrives`);
    t.equal(error, expected, `HTTP/${version}`);
    t.notMatch(text, /0\r\n\r\n$/, 'no last chunk');
  }
  const session = openHttp2(listener);
  const stream = session.request({ ':path': '/broken' });
  stream.resume();
  const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ERR_HTTP2_STREAM_ERROR');
  session.destroy();
});

void t.test('a handshake that does not end is cut', async (t) => {
  const listener = await serve(handles, { ...server, headerTimeoutMs: 300 });
  t.teardown(() => listener.closeNow());
  const hello = Buffer.from('16030100f8010000f40303', 'hex');
  const slow = [
    new Client(listener),
    new Client(listener).send(hello.subarray(0, 1)),
    new Client(listener).send(hello),
  ];
  const silent = await openTls(listener);
  await Promise.all([...slow.map((client) => client.close()), once(silent.resume(), 'close')]);
  slow.forEach((client) => client.destroy());
});

void t.test('drain lets answers end, cuts handshakes, and leaves nothing behind', async (t) => {
  const listener = await serve(handles, server);
  const shaking = new Client(listener).send(Buffer.from('1603', 'hex'));
  const idle = await openTls(listener);
  const session = openHttp2(listener);
  const answers = [get(listener, '/late'), getHttp2(session, '/late')];
  await new Promise((resolve) => setTimeout(resolve, 100));
  const drained = listener.drain(3000);
  t.strictSame(
    (await Promise.all(answers)).map(({ body }) => body),
    ['late', 'late'],
  );
  await drained;
  await Promise.all([shaking.close(), idle.closed || once(idle.resume(), 'close')]);
  shaking.destroy();

  const stuck = await serve({ '/never': () => undefined }, server);
  const never = get(stuck, '/never').catch((error: NodeJS.ErrnoException) => error.code);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await stuck.drain(50);
  t.equal(await never, 'ECONNRESET', 'what does not end in time is cut');
});

void t.test('renewed files are taken without a restart', async (t) => {
  const files = new RenewableFiles('server');
  const listener = await serve(handles, { tlsCert: files.cert, tlsKey: files.key });
  t.teardown(() => {
    listener.closeNow();
    files.remove();
  });
  const session = openHttp2(listener);
  await getHttp2(session, '/who');
  t.equal((await get(listener, '/who')).subject, 'server');
  const next = (): ReturnType<typeof nextTlsEvent> => nextTlsEvent(`listener ${listener.url}`);

  let event = next();
  files.replace('renewed', 'server-key');
  const kept = await event;
  t.equal(kept.outcome, 'kept');
  t.match(kept.problems, [{ code: 'tls-key-mismatch', message: /key\.pem is not the key of .*cert\.pem/ }]);
  t.equal((await get(listener, '/who')).subject, 'server', 'the old one serves on');

  event = next();
  files.replace('renewed');
  t.equal((await event).outcome, 'renewed');
  t.equal((await get(listener, '/who')).subject, 'renewed');
  t.equal((await getHttp2(session, '/who')).status, 200, 'the old connection goes on');
  session.close();

  event = next();
  files.replace('expired');
  t.match(await event, { outcome: 'renewed', problems: [{ code: 'certificate-validity' }] });
});

void t.test('the link swap of a mounted Kubernetes secret is a renewal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-tls-'));
  const swap = (name: string): void => {
    const data = join(folder, name);
    const copy = mkdtempSync(data);
    copyFileSync(certificate(name), join(copy, 'tls.crt'));
    copyFileSync(certificate(`${name}-key`), join(copy, 'tls.key'));
    symlinkSync(copy, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  swap('server');
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
  const listener = await serve(handles, { tlsCert: join(folder, 'tls.crt'), tlsKey: join(folder, 'tls.key') });
  t.teardown(() => {
    listener.closeNow();
    rmSync(folder, { recursive: true });
  });
  const event = nextTlsEvent(`listener ${listener.url}`);
  swap('renewed');
  t.equal((await event).outcome, 'renewed');
  t.equal((await get(listener, '/who')).subject, 'renewed');
});

void t.test('client certificates', async (t) => {
  const strict = await serve(handles, { ...server, tlsClientCa: certificate('ca'), tlsClientCert: 'require' });
  const lenient = await serve(handles, { ...server, tlsClientCa: certificate('ca'), tlsClientCert: 'request' });
  t.teardown(() => [strict, lenient].forEach((listener) => listener.closeNow()));
  const own = (name: string): ConnectionOptions => ({ cert: pem(name), key: pem(`${name}-key`) });
  const untrusted = 'it does not come from an authority that is trusted here';
  const cases: [name: string | undefined, tls: object, refusal: string | undefined][] = [
    ['client', { authorized: true, subject: 'CN=client' }, undefined],
    [
      undefined,
      { authorized: false },
      'this port serves clients with a certificate, and none was given; give one (curl --cert FILE --key FILE)',
    ],
    [
      'foreign-client',
      { authorized: false, subject: 'CN=foreign-client', problem: untrusted },
      `the certificate of CN=foreign-client will not do: ${untrusted}`,
    ],
    [
      'expired',
      { authorized: false, subject: 'CN=expired', problem: 'it has expired' },
      'the certificate of CN=expired will not do: it has expired',
    ],
    [
      'server',
      { authorized: false, subject: 'CN=server', problem: 'it is not one for clients' },
      'the certificate of CN=server will not do: it is not one for clients',
    ],
  ];
  for (const [name, tls, refusal] of cases) {
    const options = name === undefined ? {} : own(name);
    const title = name ?? 'none';
    const asked = await get(lenient, '/who', options);
    t.strictSame((JSON.parse(asked.body) as { tls: object }).tls, tls, title);
    const session = openHttp2(strict, options);
    for (const answer of [await get(strict, '/who', options), await getHttp2(session, '/who')]) {
      t.equal(answer.status, refusal === undefined ? 200 : 403, title);
      if (refusal === undefined) t.strictSame((JSON.parse(answer.body) as { tls: object }).tls, tls, title);
      else t.equal(answer.body, `403 ${refusal}\n`, title);
    }
    session.destroy();
  }

  // A resumed session proves no more than the one that it goes on with.
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const name of ['client', 'foreign-client']) {
      let session: Buffer | undefined;
      const first = await openTls(strict, { ...own(name), maxVersion }, (ticket) => (session = ticket));
      const request = 'GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
      first.write(request);
      await readAll(first);
      const second = await openTls(strict, { session: session!, maxVersion });
      t.ok(second.isSessionReused(), `${maxVersion} ${name}`);
      second.write(request);
      const status = name === 'client' ? 200 : 403;
      t.match((await readAll(second)).text, new RegExp(`^HTTP/1\\.1 ${status} `), `${maxVersion} ${name}`);
    }
  }
});

void t.test('files that will not do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const write = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const text = write('text', 'hello');
  const damaged = write('damaged', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const damagedKey = write('damaged-key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
  const large = write('large', Buffer.alloc(2 ** 20 + 1));
  const { tlsCert, tlsKey } = server;
  const ca = certificate('ca');
  type Row = [options: Partial<ListenerOptions>, code: string, message: string];
  const rows: Row[] = [
    [{ tlsCert }, 'tls-incomplete', 'tls_cert is given, but tls_key is not'],
    [{ tlsKey }, 'tls-incomplete', 'tls_key is given, but tls_cert is not'],
    [{ tlsCert: folder, tlsKey }, 'tls-file', `tls_cert ${folder} is no regular file`],
    [{ tlsCert: large, tlsKey }, 'tls-file', `tls_cert ${large} is larger than 1048576 bytes, which no PEM file is`],
    [
      { tlsCert: join(folder, 'no'), tlsKey },
      'tls-file',
      `tls_cert ${join(folder, 'no')} cannot be read: there is no such file`,
    ],
    [{ tlsCert: text, tlsKey }, 'tls-pem', `tls_cert ${text} is not PEM text, expected a certificate`],
    [{ tlsCert, tlsKey: text }, 'tls-pem', `tls_key ${text} is not PEM text, expected a private key`],
    [{ tlsCert: tlsKey, tlsKey }, 'tls-pem', `tls_cert ${tlsKey} holds a PRIVATE KEY, expected a certificate`],
    [{ tlsCert, tlsKey: tlsCert }, 'tls-pem', `tls_key ${tlsCert} holds a CERTIFICATE, expected a private key`],
    [{ tlsCert: damaged, tlsKey }, 'tls-pem', `tls_cert ${damaged} cannot be read: its certificate 1 is damaged`],
    [
      { tlsCert, tlsKey: damagedKey },
      'tls-pem',
      `tls_key ${damagedKey} cannot be read: its private key is damaged, or of a kind that is not known`,
    ],
    [
      { tlsCert, tlsKey: certificate('encrypted-key') },
      'tls-key-encrypted',
      `tls_key ${certificate('encrypted-key')} is encrypted, and photongate does not ask for a passphrase`,
    ],
    [
      { tlsCert, tlsKey: certificate('client-key') },
      'tls-key-mismatch',
      `tls_key ${certificate('client-key')} is not the key of tls_cert ${tlsCert}, whose first certificate is that of CN=server`,
    ],
    [
      { tlsClientCa: ca, tlsClientCert: 'require' },
      'tls-off',
      'tls_client_ca is given, but the listener has no certificate and does not use TLS',
    ],
    [
      { tlsClientCert: 'request' },
      'tls-off',
      'tls_client_cert is given, but the listener has no certificate and does not use TLS',
    ],
    [
      { ...server, tlsClientCert: 'require' },
      'tls-incomplete',
      'tls_client_cert is require, but tls_client_ca is not given',
    ],
    [{ ...server, tlsClientCa: ca }, 'tls-incomplete', 'tls_client_cert is none, but tls_client_ca is given'],
  ];
  for (const [options, code, message] of rows) {
    try {
      checkListenerTls({ ...defaultListenerOptions, ...options });
      t.fail(`nothing wrong with ${message}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      t.match(error.problems, [{ code, message }], message);
    }
  }
  const both = { ...defaultListenerOptions, tlsCert: text, tlsKey: damagedKey };
  t.throws(() => checkListenerTls(both), { message: /expected a certificate\n.*damaged/ }, 'all are reported');
  const expired = { tlsCert: certificate('expired'), tlsKey: certificate('expired-key') };
  t.match(checkListenerTls({ ...defaultListenerOptions, ...expired }), [
    { code: 'certificate-validity', message: /CN=expired in tls_cert .* expired at Feb {2}1 00:00:00 2020 GMT/ },
  ]);
  t.strictSame(checkListenerTls({ ...defaultListenerOptions, ...server }), []);
  t.strictSame(checkListenerTls(defaultListenerOptions), []);
  await t.rejects(serve({}, { tlsCert, tlsKey: text }), ConfigError);
});

void t.test('a client that goes away in the middle of a handshake harms nobody', async (t) => {
  const listener = await serve(handles, server);
  t.teardown(() => listener.closeNow());
  for (let round = 0; round < 20; round++) {
    const socket = tcpConnect(listener.address.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(Buffer.from('16030100f8010000f40303', 'hex'));
    if (round % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }
  t.equal((await get(listener, '/who')).status, 200);
});
