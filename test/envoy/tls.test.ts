/** TLS of a bootstrap: certificates that stand in it, and several by the name that a client asks for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { type Config, printConfig } from '../../lib/config/index.js';
import { certificate, pem } from '../support/certificates.js';
import { descriptorSetOf } from '../support/descriptor-set.js';
import { schemaFromText } from '../support/schema.js';
import { bootstrapOf } from './bootstrap.js';

const schema = schemaFromText(
  'syntax = "proto3"; package echo.v1; service Echo { rpc Get(M) returns (M); } message M {}',
);
const environment = { CERT: pem('server').toString(), KEY: pem('server-key').toString() };

/** JSON of a certificate and its key. */
function pair(name: string, how: 'filename' | 'inline_string' | 'inline_bytes' | 'variable' = 'filename'): string {
  const source = (file: string): object => {
    if (how === 'filename') return { filename: certificate(file) };
    if (how === 'variable') return { environment_variable: file.endsWith('key') ? 'KEY' : 'CERT' };
    return { [how]: pem(file).toString(how === 'inline_bytes' ? 'base64' : 'utf8') };
  };
  return JSON.stringify({ certificate_chain: source(name), private_key: source(`${name}-key`) });
}

interface Chain {
  readonly pairs: readonly string[];
  readonly names?: readonly string[];
  readonly manager?: string;
}

/** A bootstrap whose listener has these filter chains. */
function chained(chains: readonly Chain[]): string {
  const texts = chains.map(({ manager = '' }) => bootstrapOf({ port: 0, manager }));
  const [head, , tail] = cut(texts[0]!);
  const all = texts.map((text, index) => {
    const { pairs, names = [] } = chains[index]!;
    const context = `{ "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: { tls_certificates: [${pairs.join(', ')}] } }`;
    const match = names.length === 0 ? '' : `\n      filter_chain_match: { server_names: ${JSON.stringify(names)} }`;
    return cut(text)[1].replace(
      '- filters:',
      `- transport_socket: { typed_config: ${context} }${match}\n      filters:`,
    );
  });
  return head + all.join('') + tail;
}

function cut(text: string): [head: string, chain: string, tail: string] {
  const [head, rest] = text.split(/(?<=filter_chains:\n)/) as [string, string];
  const [chain, tail] = rest.split(/(?=  clusters:\n)/) as [string, string];
  return [head, chain, tail];
}

/** Runs a bootstrap, and then what it is printed as. */
async function running(t: Test, text: string, check: (port: number) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const envoy = { sources: [{ name: 'envoy.yaml', text }], lenient: false, environment };
  const config = loadConfig({ envoy, workingDirectory: folder });
  writeFileSync(join(folder, 'native.yaml'), printConfig(config));
  for (const one of [config, loadConfig({ file: 'native.yaml', workingDirectory: folder })]) {
    const proxy = await startProxy(one);
    await check(Number(new URL(proxy.urls[0]!).port));
    await proxy.drain();
  }
}

/** The common name of the certificate that a client gets, or the code of the failure. */
async function shown(port: number, servername?: string): Promise<string> {
  const options = { port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
  const socket = connect(servername === undefined ? options : { ...options, servername });
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed';
  } finally {
    socket.destroy();
  }
}

void t.test('certificates that stand in the file or in the environment', async (t) => {
  for (const how of ['filename', 'inline_string', 'inline_bytes', 'variable'] as const) {
    await running(t, chained([{ pairs: [pair('server', how)] }]), async (port) => {
      t.equal(await shown(port), 'server', how);
    });
  }
});

void t.test('several certificates: by the names in them, else the first', async (t) => {
  await running(t, chained([{ pairs: [pair('server'), pair('wrong-name')] }]), async (port) => {
    t.equal(await shown(port, 'other.example'), 'other.example');
    t.equal(await shown(port, 'OTHER.example'), 'other.example');
    t.equal(await shown(port, 'localhost'), 'server');
    t.equal(await shown(port, 'nobody.test'), 'server');
    t.equal(await shown(port), 'server');
  });
});

void t.test('several filter chains: by server_names', async (t) => {
  const chains = [
    { pairs: [pair('wrong-name')], names: ['*.a.test', 'b.test'] },
    { pairs: [pair('renewed')], names: ['x.a.test'] },
  ];
  await running(t, chained([...chains, { pairs: [pair('server')] }]), async (port) => {
    t.equal(await shown(port, 'www.a.test'), 'other.example');
    t.equal(await shown(port, 'deep.www.a.test'), 'other.example');
    t.equal(await shown(port, 'b.test'), 'other.example');
    t.equal(await shown(port, 'x.a.test'), 'renewed');
    t.equal(await shown(port, 'a.test'), 'server');
  });
  await running(t, chained(chains), async (port) => {
    t.equal(await shown(port, 'b.test'), 'other.example');
    t.match(await shown(port, 'c.test'), /^(?:ERR_SSL|ECONNRESET)/, 'no chain takes it');
  });
});

void t.test('what is wrong', (t) => {
  const cases: readonly [text: string, message: RegExp][] = [
    [
      chained([
        { pairs: [pair('server')], names: ['a.test'] },
        { pairs: [pair('server')], manager: 'server_name: other' },
      ]),
      /filter_chains\[1\]: the filter chains of a listener differ in their certificates alone here/,
    ],
    [
      chained([{ pairs: ['{ certificate_chain: { filename: a } }'] }]),
      /tls_certificates\[0\]: it has no certificate_chain and private_key/,
    ],
    [
      chained([{ pairs: ['{ certificate_chain: { filename: a, inline_string: b }, private_key: { filename: a } }'] }]),
      /certificate_chain: it has 2 of filename, inline_string/,
    ],
  ];
  for (const [text, message] of cases) t.throws(() => load(text), { message });
  t.end();
});

void t.test('an inline certificate that is none', async (t) => {
  const bad = JSON.stringify({ certificate_chain: { inline_string: 'x' }, private_key: { inline_string: 'y' } });
  const failed = running(t, chained([{ pairs: [bad] }]), () => Promise.resolve());
  await t.rejects(failed, { message: /tls_cert \(given itself\) is not PEM text/ });
});

void t.test('an inline authority of a cluster', (t) => {
  const context = `{ "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: localhost, common_tls_context: { validation_context: { trusted_ca: { inline_string: ${JSON.stringify(pem('ca').toString())} } } } }`;
  const { clusters } = load(bootstrapOf({ cluster: `transport_socket: { typed_config: ${context} }` }));
  t.match(clusters, [{ tls: { ca: /^data:application\/x-pem-file;base64,/, authority: 'localhost' } }]);
  t.end();
});

function load(text: string): Config {
  return loadConfig({ envoy: { sources: [{ name: 'envoy.yaml', text }], lenient: false } });
}
