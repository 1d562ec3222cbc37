/**
 * photongate beside grpc-gateway, before one and the same service written in Go: the CPU time that each takes for a request.
 * `node --import tsx test/bench/peers/main.ts` on Linux, with `go` in the PATH; fetches and builds grpc-gateway in a
 * temporary folder first, which takes a minute or two.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { Agent, get, request, type RequestOptions } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const ROUNDS = 5;
const CONNECTIONS = 32;

const here = fileURLToPath(new URL('.', import.meta.url));
const top = fileURLToPath(new URL('../../../', import.meta.url));

interface Load {
  readonly name: string;
  readonly count: number;
  readonly options: RequestOptions;
  readonly body?: string;
}

const itemJson = JSON.stringify({
  id: '1',
  name: 'an item with a name of some length',
  size: '1234567890123',
  price: 12.5,
  inStock: true,
  tags: ['red', 'green', 'blue'],
  labels: { shelf: '7', row: 'b' },
  createdAt: '2023-11-14T22:13:20Z',
  maker: { name: 'maker', rank: 3 },
});

const loads: readonly Load[] = [
  { name: 'GET of one item', count: 8000, options: { path: '/v1/items/1' } },
  {
    name: 'POST of one item',
    count: 8000,
    options: { path: '/v1/items', method: 'POST', headers: { 'content-type': 'application/json' } },
    body: itemJson,
  },
  { name: 'GET of 100 items', count: 1000, options: { path: '/v1/items?count=100' } },
  { name: 'stream of 50000 items', count: 1, options: { path: '/v1/watch?count=50000' } },
];

/** Builds the service and grpc-gateway; returns the program. */
function build(): string {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-peers-'));
  const bin = join(folder, 'bin');
  const env = { ...process.env, GOBIN: bin, GOFLAGS: '-mod=mod', PATH: `${bin}:${process.env['PATH']}` };
  const run = (command: string, ...args: string[]): void =>
    void execFileSync(command, args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  cpSync(here, folder, { recursive: true, filter: (file) => !file.endsWith('.ts') });
  run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, 'protoc@36');
  for (const plugin of [
    'google.golang.org/protobuf/cmd/protoc-gen-go@latest',
    'google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest',
    'github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@latest',
  ])
    run('go', 'install', plugin);
  run('go', 'mod', 'init', 'peers');
  const outputs = ['go', 'go-grpc', 'grpc-gateway'].flatMap((name) => [
    `--${name}_out=.`,
    `--${name}_opt=module=peers`,
  ]);
  const includes = ['.', join(top, 'annotations'), 'node_modules/protoc/include'].flatMap((root) => ['-I', root]);
  run('node', 'node_modules/protoc/protoc.cjs', ...includes, ...outputs, 'shop.proto');
  run('go', 'mod', 'tidy');
  run('go', 'build', '-o', 'peers', '.');
  return join(folder, 'peers');
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

/** Starts a program and waits until it takes connections. */
async function start(address: string, command: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const port = Number(address.split(':')[1]);
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${command} does not listen on ${address}`);
}

/** CPU time of a process so far, in microseconds; the kernel counts hundredths of a second. */
function cpuMicroseconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function send(address: string, agent: Agent, { options, body }: Load): Promise<void> {
  const [host, port] = address.split(':') as [string, string];
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, host, port, agent }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200 && response.complete) resolve();
        else reject(new Error(`${options.path}: ${response.statusCode}`));
      });
    });
    outgoing.on('error', reject).end(body);
  });
}

async function measure(address: string, child: ChildProcess, load: Load): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const before = cpuMicroseconds(child);
  let left = load.count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await send(address, agent, load);
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, load.count) }, worker));
  agent.destroy();
  return (cpuMicroseconds(child) - before) / load.count;
}

/** The answers of both must be the same message. */
async function compare(addresses: readonly string[]): Promise<void> {
  const [first, second] = await Promise.all(
    addresses.map(
      (address) =>
        new Promise<unknown>((resolve, reject) => {
          get(`http://${address}/v1/items?count=2`, (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
            response.on('end', () => resolve(JSON.parse(text)));
          }).on('error', reject);
        }),
    ),
  );
  if (!isDeepStrictEqual(first, second)) throw new Error(`answers differ: ${JSON.stringify([first, second], null, 2)}`);
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const program = build();
const [upstream, gatewayAddress, ownAddress] = [await freeAddress(), await freeAddress(), await freeAddress()];
const children: ChildProcess[] = [];
try {
  children.push(await start(upstream, program, 'service', upstream));
  const gateway = await start(gatewayAddress, program, 'gateway', gatewayAddress, upstream);
  children.push(gateway);
  const flags = ['--proto', join(here, 'shop.proto'), '--upstream', upstream, '--listen', ownAddress];
  const own = await start(ownAddress, process.execPath, join(top, 'bin/photongate'), ...flags);
  children.push(own);
  await compare([gatewayAddress, ownAddress]);
  const figures = [];
  for (const load of loads) {
    // Both are warm before they are measured.
    await measure(gatewayAddress, gateway, load);
    await measure(ownAddress, own, load);
    const rounds: { own: number; theirs: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await measure(gatewayAddress, gateway, load);
      rounds.push({ theirs, own: await measure(ownAddress, own, load) });
    }
    figures.push({
      name: load.name,
      ratio: median(rounds.map((round) => round.own / round.theirs)),
      microseconds: median(rounds.map((round) => round.own)),
      grpcGatewayMicroseconds: median(rounds.map((round) => round.theirs)),
    });
  }
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures, null, 2));
  else {
    console.log('one request, CPU time of photongate to that of grpc-gateway');
    console.table(figures);
  }
} finally {
  for (const child of children) child.kill();
}
