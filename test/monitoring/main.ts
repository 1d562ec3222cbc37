/**
 * The files of examples/monitoring by the tools that read them: promtool (Debian's package prometheus) checks the alert rules
 * and runs their tests, and a real Prometheus scrapes two workers under load until each panel of the dashboard has data.
 *
 *   node --import tsx test/monitoring/main.ts
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveCli } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';
import { alerts, monitoring, panelExpressions } from './expressions.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello {
  rpc Say(Msg) returns (Msg) { option (google.api.http) = { post: "/v1/hello" body: "*" }; }
  rpc Watch(Msg) returns (stream Msg) { option (google.api.http) = { get: "/v1/watch" }; }
}
message Msg { string name = 1; }
`;

/** What this proxy does not have. */
const empty = new Set(['Certificates']);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

for (const args of [
  ['check', 'rules', 'photongate.rules.yaml'],
  ['test', 'rules', 'test.yaml'],
]) {
  console.log(execFileSync('promtool', args, { cwd: monitoring, encoding: 'utf8' }).trim());
}

const folder = mkdtempSync(join(tmpdir(), 'photongate-monitoring-'));
const service = await startEchoService(schemaFromText(proto));
writeFileSync(join(folder, 'a.proto'), proto);
const proxy = await serveCli(
  ['--proto', 'a.proto', '--upstream', service.target, '--listen', '0', '--admin', '0', '--workers', '2'],
  folder,
);
const url = proxy.urls[0] ?? '';
const adminLine = /the admin listener is at http:\/\/([^"\s/]+)/;
await until(() => adminLine.test(proxy.text.err), 'the admin listener');
const admin = adminLine.exec(proxy.text.err)?.[1];

const port = await freePort();
cpSync(`${monitoring}photongate.rules.yaml`, join(folder, 'photongate.rules.yaml'));
writeFileSync(
  join(folder, 'prometheus.yml'),
  `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [photongate.rules.yaml]
scrape_configs:
  - { job_name: photongate, static_configs: [{ targets: ['${admin}'] }] }
`,
);
const prometheus = spawn(
  'prometheus',
  [
    ...['--config.file', join(folder, 'prometheus.yml'), '--storage.tsdb.path', join(folder, 'data')],
    ...['--web.listen-address', `127.0.0.1:${port}`, '--log.level', 'error'],
  ],
  { stdio: 'inherit' },
);

async function ask(path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
  if (response === undefined) return undefined;
  const answer = (await response.json()) as { status: string; data: unknown; error?: string };
  if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
  return answer.data;
}

/** What is no HTTP. */
async function sendNonsense(): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  socket.end('nonsense\r\n\r\n').resume();
  await once(socket, 'close');
}

/** A stream that stays open: a scrape hardly ever meets a short one. */
function openStream(): ClientRequest {
  service.answer = () => ({ drive: (call) => void call.write(Buffer.alloc(0)) });
  return request(`${url}/v1/watch`, { agent: false })
    .on('response', (response) => response.resume().on('error', () => undefined))
    .on('error', () => undefined)
    .end();
}

/** Requests of each kind until `isOver`, a few a second. */
async function load(isOver: () => boolean): Promise<void> {
  for (let turn = 0; !isOver(); turn++) {
    service.answer = () => (turn % 3 === 0 ? { code: 14 } : {});
    await send(url, 'POST /v1/hello', { body: '{"name":"Ada"}' });
    // A policy refuses what a page of another origin sends.
    await send(url, 'POST /v1/hello', { headers: { origin: 'http://elsewhere.example' }, body: '{}' });
    // A stream that fails after its first message is broken off.
    await send(url, 'GET /v1/watch').catch(() => undefined);
    await sendNonsense();
    await sleep(100);
  }
}

let failed = 0;
let isOver = false;
try {
  const stream = openStream();
  await until(() => service.calls.length > 0, 'the stream');
  const loading = load(() => isOver);
  const waiting = new Map(
    panelExpressions
      .filter(({ name }) => !empty.has(name))
      .map(({ name, text }) => {
        const own = text.replaceAll('$__rate_interval', '10s').replaceAll('$job', 'photongate');
        return [`${name}: ${text}`, own.replaceAll('$instance', '.*')];
      }),
  );
  const expected = waiting.size;
  await until(async () => {
    await sleep(500);
    for (const [panel, query] of waiting) {
      const data = (await ask(`query?query=${encodeURIComponent(query)}`)) as { result: unknown[] } | undefined;
      if (data !== undefined && data.result.length > 0) waiting.delete(panel);
    }
    return waiting.size === 0;
  }, 'data of all panels').catch(() => undefined);
  failed += waiting.size;
  for (const panel of waiting.keys()) console.error(`no data of the panel ${panel}`);
  const { groups } = (await ask('rules')) as { groups: { rules: { name: string; health: string }[] }[] };
  const healthy = groups.flatMap((group) => group.rules).filter(({ health }) => health === 'ok');
  const names = healthy.map(({ name }) => name);
  for (const alert of alerts.filter((name) => !names.includes(name))) {
    failed++;
    console.error(`Prometheus does not evaluate ${alert}`);
  }
  isOver = true;
  await loading;
  stream.destroy();
  console.log(
    `a Prometheus that scrapes two workers: ${expected - waiting.size} expressions of the dashboard have data,`,
  );
  console.log(`${names.length} alerts are evaluated; ${failed} not as expected`);
} finally {
  isOver = true;
  prometheus.kill();
  proxy.child.kill();
  await proxy.finished;
  service.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
