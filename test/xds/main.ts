/**
 * The command as users install it, with `@grpc/grpc-js-xds` beside it, against a control plane on go-control-plane: where the
 * endpoints, balancing and TLS of `xds:///greeter` come from, what happens while the control plane is gone, and what of it
 * reloads and workers hold.
 *
 *     node --import tsx test/xds/main.ts PLANE PACKAGES
 *
 * PLANE is main.go as a program, PACKAGES the folder `node_modules` with photongate and @grpc/grpc-js-xds; `.ci/run` shows how
 * to get both.
 */
import { loadPackageDefinition, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { certificate, pem } from '../support/certificates.js';
import { until } from '../support/until.js';

const [program, packages] = process.argv.slice(2) as [string, string];
const folder = mkdtempSync(join(tmpdir(), 'photongate-xds-'));
const greeterProto = fileURLToPath(new URL('../../examples/greeter/greeter.proto', import.meta.url));
const annotations = fileURLToPath(new URL('../../annotations', import.meta.url));

const children = new Set<ChildProcess>();
const failures: string[] = [];
let checks = 0;

function check(label: string, found: unknown, expected: unknown): void {
  checks++;
  if (isDeepStrictEqual(found, expected)) return;
  failures.push(`${label}\n  found    ${JSON.stringify(found)}\n  expected ${JSON.stringify(expected)}`);
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(command, args, { env: { PATH: process.env['PATH'], ...env }, cwd: folder });
  children.add(child);
  child.on('close', () => children.delete(child));
  return child;
}

const closed = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.on('close', resolve));

// ---- servers

interface Backend {
  readonly host: string;
  readonly port: number;
  stop(): void;
}

const { greeter } = loadPackageDefinition(loadSync(greeterProto, { includeDirs: [annotations] })) as unknown as {
  greeter: { v1: { Greeter: { service: ServiceDefinition } } };
};

/** A greeter that answers with its own name. */
async function backend(name: string, credentials = ServerCredentials.createInsecure()): Promise<Backend> {
  const server = new Server();
  server.addService(greeter.v1.Greeter.service, {
    SayHello: (call: { request: { name: string } }, reply: (error: null, answer: object) => void) =>
      void setTimeout(() => reply(null, { message: name }), call.request.name === 'slow' ? 2000 : 0),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { host: '127.0.0.1', port, stop: () => server.forceShutdown() };
}

// ---- the control plane

interface Snapshot {
  readonly listeners?: readonly string[];
  readonly endpoints: readonly object[];
  readonly serverName?: string;
  readonly maxDuration?: number;
}

let versions = 0;

class Plane {
  /** Clients of ADS. */
  streams = 0;
  private constructor(readonly child: ChildProcess) {}

  static async start(port: number): Promise<Plane> {
    const plane = new Plane(start(program, [`127.0.0.1:${port}`]));
    await new Promise<void>((resolve) =>
      createInterface(plane.child.stdout!).on('line', (line) => {
        if (line === 'ready') resolve();
        plane.streams = Number(/^streams (\d+)$/.exec(line)?.[1] ?? plane.streams);
      }),
    );
    return plane;
  }

  publish(snapshot: Snapshot): void {
    const complete = { version: String(++versions), listeners: ['greeter'], ...snapshot };
    this.child.stdin!.write(`${JSON.stringify(complete)}\n`);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await closed(this.child);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// ---- photongate

const planePort = await freePort();
const bootstrap = join(folder, 'bootstrap.json');
writeFileSync(
  bootstrap,
  JSON.stringify({
    xds_servers: [
      { server_uri: `127.0.0.1:${planePort}`, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] },
    ],
    node: { id: 'photongate', locality: {} },
    certificate_providers: {
      files: {
        plugin_name: 'file_watcher',
        config: {
          certificate_file: certificate('client'),
          private_key_file: certificate('client-key'),
          ca_certificate_file: certificate('ca'),
          refresh_interval: '600s',
        },
      },
    },
  }),
);

const adminPort = await freePort();
const configFile = join(folder, 'photongate.yaml');

function configure(settings: object = {}): void {
  const config = {
    listen: '127.0.0.1:0',
    admin: adminPort,
    admin_envoy: true,
    proto: greeterProto,
    upstreams: { default: 'xds:///greeter' },
    upstream_client: 'grpc-js',
    connect_timeout: '1s',
    ...settings,
  };
  writeFileSync(configFile, JSON.stringify(config));
}

const command = join(packages, 'photongate/bin/photongate');
const xdsEnv = { GRPC_XDS_BOOTSTRAP: bootstrap };

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number | null; text: string }> {
  const child = start(process.execPath, [command, ...args], env);
  let text = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { code: await closed(child), text };
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

async function serve(...args: readonly string[]): Promise<Running> {
  const child = start(process.execPath, [command, '--config', configFile, ...args], xdsEnv);
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      const found = /listening on (http:\S+)/.exec((out += chunk.toString()))?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('close', () => reject(new Error(`photongate ended: ${log}`)));
  });
  return { child, url, log: () => log };
}

interface Answer {
  readonly status: number;
  readonly message: string;
}

async function ask({ url }: Running, name = 'Ada'): Promise<Answer> {
  const response = await fetch(`${url}/v1/hello/${name}`, { signal: AbortSignal.timeout(20_000) });
  const { message } = (await response.json()) as { message: string };
  return { status: response.status, message };
}

/** Who answers a series of calls; `503 …` for one that fails. */
async function answering(proxy: Running): Promise<string[]> {
  const found = new Set<string>();
  for (let call = 0; call < 20; call++) {
    const { status, message } = await ask(proxy);
    found.add(status === 200 ? message : `${status} ${message}`);
  }
  return [...found].sort();
}

async function untilAnswered(proxy: Running, ...names: readonly string[]): Promise<void> {
  await until(async () => isDeepStrictEqual(await answering(proxy), names), `answers of ${names.join(' and ')}`);
}

// ---- what is checked

async function beforeAStart(): Promise<void> {
  const without = await run(['check', '--config', configFile], {});
  check('without a bootstrap', [without.code, /error\[(.*?)\]/.exec(without.text)?.[1]], [1, 'xds-bootstrap']);
  const wrong = await run(['check', '--config', configFile], { GRPC_XDS_BOOTSTRAP_CONFIG: '{"xds_servers": []}' });
  check('with a wrong one', [wrong.code, /error\[(.*?)\]/.exec(wrong.text)?.[1]], [1, 'xds-bootstrap']);
  const checked = await run(['check', '--config', configFile], xdsEnv);
  check('checked without a control plane', checked.code, 0);
}

async function withoutAPlane(proxy: Running): Promise<void> {
  check('no control plane', await ask(proxy), {
    status: 503,
    message: 'no connection to the service within 1s; its addresses come from the xDS control plane',
  });
  check('the log names it', proxy.log().includes(`the xDS control plane 127.0.0.1:${planePort}`), true);
  const admin = `http://127.0.0.1:${adminPort}`;
  check('/clusters', (await fetch(`${admin}/clusters`)).status, 200);
  const upstreams = await (await fetch(`${admin}/upstreams`)).text();
  check('/upstreams', upstreams.includes('xds:///greeter'), true);
  check('/health', (await fetch(`${proxy.url}/health`)).status, 503);
}

async function underLoad(proxy: Running, change: () => Promise<void>): Promise<Answer[]> {
  const failed: Answer[] = [];
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const answer = await ask(proxy);
      if (answer.status !== 200) failed.push(answer);
    }
  };
  const clients = [1, 2, 3, 4].map(client);
  await change();
  isOver = true;
  await Promise.all(clients);
  return failed;
}

async function endpoints(proxy: Running, plane: Plane): Promise<Plane> {
  const [a, b, c] = [await backend('A'), await backend('B'), await backend('C')];
  plane.publish({ endpoints: [a, b] });
  await untilAnswered(proxy, 'A', 'B');
  const lost = await underLoad(proxy, async () => {
    plane.publish({ endpoints: [b, c] });
    await untilAnswered(proxy, 'B', 'C');
    plane.publish({
      endpoints: [
        { ...a, priority: 0 },
        { ...c, priority: 1 },
      ],
    });
    await untilAnswered(proxy, 'A');
  });
  check('lost while endpoints change', lost, []);
  a.stop();
  await untilAnswered(proxy, 'C');
  plane.publish({ endpoints: [c], maxDuration: 200 });
  await until(async () => (await ask(proxy, 'slow')).status === 504, 'the limit of the route');
  check('the limit of a route', await ask(proxy, 'slow'), {
    status: 504,
    message: 'the limit of the xDS control plane exceeded',
  });
  plane.publish({ endpoints: [] });
  await until(async () => (await ask(proxy)).status === 503, 'a cluster without endpoints');
  check('no endpoints', (await ask(proxy)).message, 'the xDS control plane leads to no server of the service');
  plane.publish({ endpoints: [c] });
  await untilAnswered(proxy, 'C');
  await plane.kill();
  check('the control plane is gone', await answering(proxy), ['C']);
  const next = await Plane.start(planePort);
  next.publish({ endpoints: [b] });
  await untilAnswered(proxy, 'B');
  for (const one of [b, c]) one.stop();
  return next;
}

async function tls(proxy: Running, plane: Plane): Promise<void> {
  const pair = { private_key: pem('server-key'), cert_chain: pem('server') };
  const secured = await backend('D', ServerCredentials.createSsl(pem('ca'), [pair], true));
  plane.publish({ endpoints: [secured], serverName: 'localhost' });
  await untilAnswered(proxy, 'D');
  plane.publish({ endpoints: [secured], serverName: 'greeter.invalid' });
  await until(async () => (await ask(proxy)).status === 503, 'a name that is not in the certificate');
  check('a wrong name', (await ask(proxy)).message, 'cannot connect to the service: the TLS handshake failed');
  plane.publish({ endpoints: [secured], serverName: 'localhost' });
  await untilAnswered(proxy, 'D');
  secured.stop();
}

async function reloads(proxy: Running, plane: Plane): Promise<void> {
  const reload = async (settings: object): Promise<void> => {
    const lines = proxy.log().split('reloaded').length;
    configure(settings);
    proxy.child.kill('SIGHUP');
    await until(() => proxy.log().split('reloaded').length > lines, 'a reload');
  };
  const [e, f] = [await backend('E'), await backend('F')];
  plane.publish({ endpoints: [e] });
  await untilAnswered(proxy, 'E');
  check('streams', plane.streams, 1);
  await reload({ max_body_bytes: 1000 });
  check('streams after a reload that keeps the target', [plane.streams, await answering(proxy)], [1, ['E']]);
  await reload({ max_body_bytes: 1000, upstreams: { default: `127.0.0.1:${f.port}` } });
  await untilAnswered(proxy, 'F');
  await until(() => plane.streams === 0, 'the end of the stream to the control plane');
  await reload({});
  await untilAnswered(proxy, 'E');
  check('streams with the target again', plane.streams, 1);
  for (const one of [e, f]) one.stop();
}

async function ends({ child }: Running, plane: Plane): Promise<void> {
  child.kill('SIGTERM');
  check('the end', await closed(child), 0);
  await until(() => plane.streams === 0, 'the end of all streams');
}

/** With the control plane gone, its client has a call that waits for it. */
async function endsWithoutAPlane(): Promise<void> {
  const { child } = await serve();
  child.kill('SIGTERM');
  check('the end without a control plane', await closed(child), 0);
}

async function withWorkers(plane: Plane): Promise<void> {
  const one = await backend('G');
  plane.publish({ endpoints: [one] });
  const proxy = await serve('--workers', '2');
  await untilAnswered(proxy, 'G');
  await until(() => plane.streams === 2, 'a stream of each worker');
  await ends(proxy, plane);
  one.stop();
}

async function step<Result>(name: string, done: Promise<Result>): Promise<Result> {
  const result = await done;
  console.log(`${name}: ${checks} checked, ${failures.length} failed`);
  return result;
}

try {
  configure();
  await step('before a start', beforeAStart());
  const proxy = await serve();
  await step('without a control plane', withoutAPlane(proxy));
  const plane = await step('endpoints', endpoints(proxy, await Plane.start(planePort)));
  await step('TLS', tls(proxy, plane));
  await step('reloads', reloads(proxy, plane));
  await step('the end', ends(proxy, plane));
  await step('workers', withWorkers(plane));
  await plane.kill();
  await step('the end without a control plane', endsWithoutAPlane());
} catch (error) {
  failures.push(String(error));
} finally {
  for (const child of children) child.kill('SIGKILL');
}
for (const failure of failures) console.error(failure);
console.log(`${checks} checked, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
