/**
 * A real grpc-gateway (Go code generated from echo.proto) and photongate with `preset: grpc-gateway` before one service: the
 * requests of requests.ts get the same answers from both, but for those that docs/presets.md lists. Then the document of
 * grpc-gateway's own example, beside what its plugin made of it.
 *
 *   node --import tsx test/grpc-gateway/main.ts [PEER]
 *
 * PEER is the program that an earlier run has built. Without `go` nothing is compared.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type LibraryOptions, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { compareDocuments, moduleFolder } from './documents.js';
import { type PeerRequest, requests } from './requests.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const annotations = fileURLToPath(new URL('../../annotations', import.meta.url));

/** What they need is of the versions that they name. */
const modules = [
  'github.com/grpc-ecosystem/grpc-gateway/v2@v2.33.0',
  'google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2',
];

function findGo(): string | undefined {
  for (const go of ['go', '/usr/local/go/bin/go']) {
    try {
      execFileSync(go, ['version'], { stdio: 'ignore' });
      return go;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Builds service and gateway in a temporary folder; returns the program. */
function build(go: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-grpc-gateway-'));
  const env = { ...process.env, GOFLAGS: '-mod=mod', PATH: `${folder}:${process.env['PATH']}` };
  const run = (command: string, ...args: string[]): void =>
    void execFileSync(command, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  for (const file of ['echo.proto', 'main.go']) cpSync(join(here, file), join(folder, file));
  run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, 'protoc@36.2.0');
  run(go, 'mod', 'init', 'peer');
  run(go, 'get', ...modules);
  const plugins = [
    'google.golang.org/protobuf/cmd/protoc-gen-go',
    'google.golang.org/grpc/cmd/protoc-gen-go-grpc',
    'github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway',
  ];
  run(go, 'build', '-o', folder, ...plugins);
  const outputs = ['go', 'go-grpc', 'grpc-gateway'].flatMap((name) => [`--${name}_out=.`, `--${name}_opt=module=peer`]);
  const includes = ['-I', '.', '-I', annotations];
  run('node', 'node_modules/protoc/protoc.cjs', ...includes, ...outputs, 'echo.proto');
  run(go, 'mod', 'tidy');
  run(go, 'build', '-o', 'peer', '.');
  return join(folder, 'peer');
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

async function opened(address: string): Promise<void> {
  const [host, port] = address.split(':') as [string, string];
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host, () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on ${address}`);
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** What the two may differ in without saying anything else. */
const ignoredHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'vary',
  'x-content-type-options',
  // The type of gRPC messages, which grpc-gateway gives with all other metadata.
  'grpc-metadata-content-type',
  'x-request-id',
]);

function send(address: string, { line, headers = {}, body }: PeerRequest): Promise<Answer> {
  const [host, port] = address.split(':') as [string, string];
  const at = line.indexOf(' ');
  const type = body === undefined || 'content-type' in headers ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port,
      method: line.slice(0, at),
      path: line.slice(at + 1),
      headers: { ...type, ...headers },
    };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(answerOf(response, Buffer.concat(chunks).toString('utf8'))));
    });
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error(`${line}: no answer in 10 s`)));
    outgoing.on('error', reject).end(body);
  });
}

function answerOf(response: IncomingMessage, text: string): Answer {
  const headers = Object.entries(response.headersDistinct).filter(([name]) => !ignoredHeaders.has(name));
  return {
    status: response.statusCode!,
    headers: Object.fromEntries(headers.sort(([a], [b]) => (a < b ? -1 : 1))),
    trailers: response.trailersDistinct,
    body: readable(text),
  };
}

/** JSON, lines of JSON, or the text. */
function readable(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const lines = text.split('\n');
    try {
      return [...lines.slice(0, -1).map((line): unknown => JSON.parse(line)), lines.at(-1)];
    } catch {
      return text;
    }
  }
}

/** An error of the gateway itself without its words. */
function withoutWords(answer: Answer): Answer {
  const blank = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || !('code' in value)) return value;
    return { ...value, message: '', details: [] };
  };
  const { body } = answer;
  const inner =
    typeof body === 'object' && body !== null && 'error' in body ? { error: blank(body.error) } : blank(body);
  return { ...answer, body: inner };
}

interface Gateways {
  readonly grpcGateway: string;
  readonly photongate: string;
  /** The same, with `trusted_proxies`. */
  readonly trusting: string;
}

/** What is wrong with a row; undefined if nothing is. */
async function compare(row: PeerRequest, { grpcGateway, photongate, trusting }: Gateways): Promise<string | undefined> {
  const ours = row.trusted === true ? trusting : photongate;
  const answers = await Promise.all([grpcGateway, ours].map((address) => send(address, row)));
  const compared = row.own === true ? answers.map(withoutWords) : answers;
  const [left, right] = compared.map(normal) as [Answer, Answer];
  const isAlike = isDeepStrictEqual(left, right);
  if (isAlike === (row.differs === undefined)) return undefined;
  if (isAlike) return `${row.line}: alike, though docs/presets.md says otherwise (${row.differs})`;
  // Of answers with two statuses the rest says nothing.
  const lines =
    left.status === right.status
      ? differences(left, right).slice(0, 8)
      : answers.map(({ status, body }) => `${status} ${JSON.stringify(body).slice(0, 200)}`);
  return [`${row.line} ${row.body ?? ''}`, ...lines].join('\n  ');
}

/** `body.inner: null in grpc-gateway, nothing in photongate` */
function differences(theirs: unknown, ours: unknown, path = ''): string[] {
  if (isDeepStrictEqual(theirs, ours)) return [];
  if (!isObject(theirs) || !isObject(ours)) {
    const [left, right] = [theirs, ours].map((value) => (value === undefined ? 'nothing' : JSON.stringify(value)));
    return [`${path}: ${left} in grpc-gateway, ${right} in photongate`.slice(0, 400)];
  }
  const names = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
  return [...names].flatMap((name) => differences(theirs[name], ours[name], path === '' ? name : `${path}.${name}`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Without what tells one gateway from the other: the address that was asked, and gRPC's own metadata. */
function normal(answer: Answer): Answer {
  const { body, headers, trailers } = answer;
  const named = typeof headers['trailer'] === 'object' ? { ...headers, trailer: namesIn(headers['trailer']) } : headers;
  const rest = { ...answer, headers: named, trailers: { ...trailers, 'grpc-trailer-content-type': undefined } };
  if (!isObject(body) || !isObject(body['metadata'])) return rest;
  const kept = Object.entries(body['metadata']).filter(([name]) => !ownMetadata.has(name));
  const metadata = JSON.parse(
    JSON.stringify(Object.fromEntries(kept)).replaceAll(/127\.0\.0\.1:\d+/g, 'HOST'),
  ) as unknown;
  return { ...rest, body: { ...body, metadata } };
}

const ownMetadata: ReadonlySet<string> = new Set([
  ':authority',
  'content-type',
  'grpc-accept-encoding',
  'user-agent',
  // Of photongate alone.
  'x-forwarded-proto',
  'x-request-id',
]);

/** The names that `Trailer` announces; grpc-gateway's has the type of gRPC messages, too. */
function namesIn(lines: unknown): string[] {
  const names = (lines as string[]).flatMap((line) => line.toLowerCase().split(/,\s*/));
  return names.filter((name) => name !== 'grpc-trailer-content-type').sort();
}

function documentsAreAlike(go: string): boolean {
  const { faults, compared } = compareDocuments(moduleFolder(go, tmpdir()));
  for (const fault of faults) console.log(fault);
  console.log(`${compared} parts of the document of its own example: ${faults.length} not as its plugin made them`);
  return faults.length === 0;
}

async function main([given]: string[]): Promise<number> {
  const go = findGo();
  if (given === undefined && go === undefined) {
    console.log('SKIPPED: no go here to build grpc-gateway with');
    return 0;
  }
  const peer = given !== undefined && existsSync(given) ? given : build(go!);
  const [service, grpcGateway] = [await freeAddress(), await freeAddress()];
  const child: ChildProcess = spawn(peer, [service, grpcGateway], { stdio: ['ignore', 'ignore', 'inherit'] });
  const proxyWith = (more: LibraryOptions): Promise<RunningProxy> => {
    const options: LibraryOptions = { preset: 'grpc-gateway', ...more };
    const flags = { proto: [join(here, 'echo.proto')], listen: ['127.0.0.1:0'], upstreams: [service], options };
    return startProxy(loadConfig({ flags, workingDirectory: here }));
  };
  const proxies = await Promise.all([proxyWith({}), proxyWith({ trustedProxies: ['127.0.0.1'] })]);
  try {
    await Promise.all([opened(service), opened(grpcGateway)]);
    const [photongate, trusting] = proxies.map(({ urls }) => new URL(urls[0]!).host) as [string, string];
    const gateways = { grpcGateway, photongate, trusting };
    let failed = 0;
    for (const row of requests) {
      const fault = await compare(row, gateways);
      if (fault === undefined) continue;
      failed++;
      console.log(fault);
    }
    const differ = requests.filter(({ differs }) => differs !== undefined).length;
    console.log(
      `${requests.length} requests: ${failed} not as expected, ${differ} differ as docs/presets.md says (${peer})`,
    );
    const isAlike = go === undefined || documentsAreAlike(go);
    return failed === 0 && isAlike ? 0 : 1;
  } finally {
    child.kill();
    await Promise.all(proxies.map((proxy) => proxy.drain()));
  }
}

process.exitCode = await main(process.argv.slice(2));
