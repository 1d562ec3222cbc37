/** Several processes on one port, as they are run: the command itself, real signals, real deaths. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type RunningCli, runCli, runMain, serveCli } from '../support/cli.js';
import { type EchoService, startEchoService, type StreamCall } from '../support/echo-service.js';
import { send, type TestResponse } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package greeter.v1;
import "google/api/annotations.proto";
service Greeter {
  rpc SayHello(Hello) returns (Hello) { option (google.api.http) = { get: "/v1/hello/{name}" }; }
  rpc Watch(Hello) returns (stream Hello) { option (google.api.http) = { get: "/v1/watch/{name}" }; }
}
message Hello { string name = 1; }
`;

interface Running extends RunningCli {
  readonly url: string;
  readonly service: EchoService;
  readonly folder: string;
}

/** A proxy of two workers in front of a real service; files are in `folder`. */
async function start(t: Test, args: readonly string[] = []): Promise<Running> {
  const folder = t.testdir({ 'greeter.proto': proto });
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const upstream = ['--upstream', service.target];
  const proxy = await serveCli(
    ['--proto', 'greeter.proto', ...upstream, '--listen', '0', '--workers', '2', ...args],
    folder,
  );
  t.teardown(() => proxy.child.kill('SIGKILL'));
  return { ...proxy, url: proxy.urls[0]!, service, folder };
}

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

const workersOf = ({ child }: RunningCli): number[] => childrenOf(child.pid!).filter(isAlive);

function isAlive(pid: number): boolean {
  try {
    // One that has ended and was not waited for is a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Streams that have begun and stay open, each on a connection of its own. */
async function openStreams(
  { service, url }: Running,
  count: number,
): Promise<{ answers: Promise<TestResponse | 'lost'>[]; calls: { call: StreamCall; peer: string }[] }> {
  const calls: { call: StreamCall; peer: string }[] = [];
  service.answer = ({ message }) => ({
    drive(call, { peer }) {
      call.write(message);
      calls.push({ call, peer });
    },
  });
  const answers: Promise<TestResponse | 'lost'>[] = [];
  // One after the other: at once, a worker that is slow to take one is passed over.
  while (answers.length < count) {
    answers.push(send(url, `GET /v1/watch/${answers.length}`).catch(() => 'lost' as const));
    await until(() => calls.length === answers.length, 'a stream');
  }
  service.answer = () => ({});
  return { answers, calls };
}

/** Requests one after the other, each on a new connection, until `stop` returns their statuses. */
function steadyRequests(t: Test, url: string, target: string): { stop: () => Promise<(number | string)[]> } {
  const statuses: (number | string)[] = [];
  let isStopped = false;
  const loop = async (): Promise<void> => {
    while (!isStopped) {
      const status = await send(url, target).then(
        (answer) => answer.status,
        (error: Error) => error.message,
      );
      statuses.push(status);
      await sleep(5);
    }
  };
  const done = Promise.all([loop(), loop()]);
  t.teardown(() => (isStopped = true));
  return {
    async stop() {
      isStopped = true;
      await done;
      return statuses;
    },
  };
}

/** Nobody listens. */
function isRefused(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });
}

const count = (text: string, words: string): number => text.split(words).length - 1;

void t.test('one line is printed when all listen; connections are dealt out in turn; SIGTERM drains all', async (t) => {
  const proxy = await start(t);
  t.equal(workersOf(proxy).length, 2);
  const { answers, calls } = await openStreams(proxy, 8);
  const peers = [...new Set(calls.map(({ peer }) => peer))];
  t.strictSame(
    peers.map((peer) => calls.filter((call) => call.peer === peer).length),
    [4, 4],
  );
  proxy.child.kill('SIGTERM');
  await until(() => isRefused(proxy.url), 'a closed port');
  for (const { call } of calls) call.end();
  for (const answer of await Promise.all(answers)) t.match(answer, { status: 200, text: /^\[.*\]$/s });
  const { code, stdout } = await proxy.finished;
  t.equal(code, 0);
  t.equal(stdout, `photongate: listening on ${proxy.url} with 2 workers\n`);
});

void t.test('a worker that is killed costs its own calls alone, and is replaced', async (t) => {
  const proxy = await start(t);
  const { answers, calls } = await openStreams(proxy, 6);
  const before = workersOf(proxy);
  process.kill(before[0]!, 'SIGKILL');
  await until(() => proxy.service.cancelled > 0, 'the loss of its calls');
  await until(() => proxy.text.err.includes('serves in the place of one that ended'), 'its successor');
  const lost = calls.filter(({ call }) => call.cancelled).map(({ peer }) => peer);
  t.equal(lost.length, 3);
  t.equal(new Set(lost).size, 1, 'calls of one worker');
  for (const { call } of calls) if (!call.cancelled) call.end();
  const results = await Promise.all(answers);
  t.equal(results.filter((answer) => answer === 'lost').length, 3);
  t.equal(
    results.filter((answer) => answer !== 'lost' && answer.status === 200 && answer.text.endsWith(']')).length,
    3,
  );
  t.match(proxy.text.err, `the worker ${before[0]} ended with SIGKILL`);
  const after = workersOf(proxy);
  t.equal(after.length, 2);
  t.ok(after.includes(before[1]!));
  proxy.service.calls.length = 0;
  for (let index = 0; index < 4; index++) t.equal((await send(proxy.url, 'GET /v1/hello/a')).status, 200);
  t.equal(new Set(proxy.service.calls.map(({ peer }) => peer)).size, 2, 'both serve');
});

void t.test(
  'a connection on its way to a worker that is killed is closed, and those behind it are served',
  async (t) => {
    const proxy = await start(t);
    const workers = workersOf(proxy);
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    const openFiles = (): number => readdirSync(`/proc/${proxy.child.pid!}/fd`).length;
    const before = openFiles();
    const { port } = new URL(proxy.url);
    const request = 'GET /v1/hello/a HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n';
    const answers = Array.from({ length: 4 }, async () => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('data', (chunk: Buffer) => (text += String(chunk))).on('error', () => undefined);
      socket.write(request);
      await new Promise((resolve) => socket.on('close', resolve));
      return text.split('\r\n')[0];
    });
    // Each worker is sent one, and the others wait.
    await until(() => openFiles() >= before + answers.length, 'the connections in the primary');
    process.kill(workers[0]!, 'SIGKILL');
    process.kill(workers[1]!, 'SIGCONT');
    const served = 'HTTP/1.1 200 OK';
    t.strictSame((await Promise.all(answers)).sort(), ['', served, served, served]);
  },
);

void t.test('SIGHUP: one worker after the other, no request fails; what is bad is reported once', async (t) => {
  const proxy = await start(t);
  const steady = steadyRequests(t, proxy.url, 'GET /v1/hello/a');
  const both = proto.replace(
    'get: "/v1/hello/{name}"',
    'get: "/v1/hello/{name}" additional_bindings { get: "/v2/{name}" }',
  );
  writeFileSync(join(proxy.folder, 'greeter.proto'), both);
  proxy.child.kill('SIGHUP');
  await until(() => proxy.text.err.includes('"reloaded"'));
  for (let index = 0; index < 4; index++) t.equal((await send(proxy.url, 'GET /v2/a')).status, 200, 'the new route');
  writeFileSync(join(proxy.folder, 'greeter.proto'), 'syntax = ');
  proxy.child.kill('SIGHUP');
  await until(() => proxy.text.err.includes('not reloaded'));
  for (let index = 0; index < 4; index++) t.equal((await send(proxy.url, 'GET /v2/a')).status, 200, 'the old one');
  t.strictSame([...new Set(await steady.stop())], [200]);
  t.equal(count(proxy.text.err, '"reloaded"'), 1);
  t.equal(count(proxy.text.err, 'not reloaded'), 1);
  proxy.child.kill('SIGTERM');
  t.equal((await proxy.finished).code, 0);
});

void t.test('SIGUSR2 exchanges the processes, no request fails; a bad configuration keeps them', async (t) => {
  const proxy = await start(t);
  const before = workersOf(proxy);
  const { answers, calls } = await openStreams(proxy, 2);
  const steady = steadyRequests(t, proxy.url, 'GET /v1/hello/a');
  proxy.child.kill('SIGUSR2');
  await until(() => proxy.text.err.includes('"reloaded"'));
  t.equal((await send(proxy.url, 'GET /v1/hello/a')).status, 200);
  t.ok(before.every(isAlive), 'those with calls live on');
  for (const { call } of calls) call.end();
  await until(() => !before.some(isAlive), 'the end of the old workers');
  for (const answer of await Promise.all(answers)) t.match(answer, { status: 200, text: /^\[.*\]$/s });
  const after = workersOf(proxy);
  t.equal(after.length, 2);
  writeFileSync(join(proxy.folder, 'greeter.proto'), 'syntax = ');
  proxy.child.kill('SIGUSR2');
  await until(() => proxy.text.err.includes('not reloaded'));
  t.strictSame([...new Set(await steady.stop())], [200]);
  // The process that found the configuration bad takes a moment to end.
  await until(() => workersOf(proxy).length === after.length);
  t.strictSame(workersOf(proxy), after);
  t.equal(count(proxy.text.err, 'not reloaded'), 1);
});

void t.test('a worker that dies during SIGUSR2 or SIGHUP stops neither, and its place is filled', async (t) => {
  const proxy = await start(t, ['--access-log', 'json', '--access-log-file', 'access.log']);
  const [first, second] = workersOf(proxy);
  proxy.child.kill('SIGUSR2');
  process.kill(second!, 'SIGKILL');
  await until(() => /"(not )?reloaded/.test(proxy.text.err), 'the end of the restart');
  await until(() => !isAlive(first!) && workersOf(proxy).length === 2, 'two new workers');
  process.kill(workersOf(proxy)[1]!, 'SIGKILL');
  proxy.child.kill('SIGHUP');
  await until(() => count(proxy.text.err, '"reloaded"') >= 2, 'the end of the reload');
  await until(() => workersOf(proxy).length === 2, 'two workers');
  // The files of workers are opened anew by it as well.
  renameSync(join(proxy.folder, 'access.log'), join(proxy.folder, 'old.log'));
  proxy.child.kill('SIGHUP');
  await until(() => count(proxy.text.err, '"reloaded"') >= 3, 'the next reload');
  await until(async () => {
    await send(proxy.url, 'GET /v1/hello/a');
    return existsSync(join(proxy.folder, 'access.log'));
  }, 'a new file');
});

void t.test('a second signal ends all at once', async (t) => {
  const proxy = await start(t);
  const { answers } = await openStreams(proxy, 2);
  const workers = workersOf(proxy);
  proxy.child.kill('SIGINT');
  await until(() => proxy.text.err.includes('once more'));
  t.ok(workers.every(isAlive), 'they wait for their calls');
  proxy.child.kill('SIGINT');
  t.equal((await proxy.finished).code, 130);
  t.strictSame(await Promise.all(answers), ['lost', 'lost']);
  await until(() => !workers.some(isAlive), 'the end of the workers');
});

void t.test('signals to the workers themselves do nothing: the primary decides', async (t) => {
  const proxy = await start(t);
  const workers = workersOf(proxy);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
    for (const pid of workers) process.kill(pid, signal);
  }
  for (let index = 0; index < 4; index++) t.equal((await send(proxy.url, 'GET /v1/hello/a')).status, 200);
  t.strictSame(workersOf(proxy), workers);
});

void t.test('workers do not outlive a primary that is killed', async (t) => {
  const proxy = await start(t);
  const workers = workersOf(proxy);
  proxy.child.kill('SIGKILL');
  await until(() => !workers.some(isAlive), 'the end of the workers');
});

void t.test('--watch: the primary looks, the workers follow', async (t) => {
  const proxy = await start(t, ['--watch']);
  writeFileSync(join(proxy.folder, 'greeter.proto'), proto.replace('/v1/hello', '/v2/hello'));
  await until(() => proxy.text.err.includes('"reloaded"'));
  for (let index = 0; index < 4; index++) t.equal((await send(proxy.url, 'GET /v2/hello/a')).status, 200);
  t.equal(count(proxy.text.err, '"reloaded"'), 1);
});

void t.test('what cannot start is reported once', async (t) => {
  const busy = createServer().listen(0, '127.0.0.1');
  t.teardown(() => busy.close());
  await once(busy, 'listening');
  const { port } = busy.address() as AddressInfo;
  const folder = t.testdir({ 'greeter.proto': proto, 'bad.proto': 'syntax = ' });
  const args = ['--upstream', '127.0.0.1:1', '--workers', '3'];
  const busyPort = await runCli(['--proto', 'greeter.proto', '--listen', String(port), ...args], folder);
  t.equal(busyPort.code, 1);
  t.equal(count(busyPort.stderr, 'port-in-use'), 1);
  t.equal(busyPort.stdout, '');
  const bad = await runCli(['--proto', 'bad.proto', '--listen', '0', ...args], folder);
  t.equal(bad.code, 1);
  t.equal(count(bad.stderr, 'error['), 1);
});

void t.test('workers that die at their start are tried a few times', async (t) => {
  const folder = t.testdir({
    'greeter.proto': proto,
    'die.mjs': 'import cluster from "node:cluster"; if (cluster.isWorker) process.exit(9);',
  });
  const args = ['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen', '0', '--workers', '2'];
  const options = { nodeOptions: `--import=${join(folder, 'die.mjs')}` };
  const { code, stderr, stdout } = await runCli(args, folder, options);
  t.equal(code, 3);
  t.equal(stdout, '');
  t.match(stderr, 'a worker did not start: code 9');
  t.match(stderr, '5 workers in a row did not start, and none serves');
});

void t.test('a worker that died while the files are bad comes back when they are mended', async (t) => {
  const proxy = await start(t);
  writeFileSync(join(proxy.folder, 'greeter.proto'), 'syntax = ');
  process.kill(workersOf(proxy)[0]!, 'SIGKILL');
  await until(() => proxy.text.err.includes('a worker did not start'));
  t.equal((await send(proxy.url, 'GET /v1/hello/a')).status, 200, 'the other serves');
  writeFileSync(join(proxy.folder, 'greeter.proto'), proto);
  await until(() => proxy.text.err.includes('serves in the place of one that ended'));
  t.equal(workersOf(proxy).length, 2);
});

/**
 * As systemd does: opens a socket, starts the command with it whenever it has ended, and keeps the socket meanwhile. The
 * process that the command runs in is a child of the launcher.
 */
async function startBySocket(
  t: Test,
  args: readonly string[],
  folder: string,
): Promise<{ launcher: RunningCli; url: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const started = serveCli(args, folder, 1, { socket: fd });
  // The launcher has it now; here nobody is to take connections.
  server.close();
  const launcher = await started;
  t.teardown(() => {
    const [command] = childrenOf(launcher.child.pid!);
    launcher.child.kill('SIGKILL');
    if (command !== undefined) process.kill(command, 'SIGKILL');
  });
  return { launcher, url };
}

// A connection that the primary has accepted when its last worker stops has no process to go to.
for (const [workers, expected] of [
  ['1', /^200$/],
  ['2', /^200$|ECONNRESET|hang up/],
] as const) {
  void t.test(
    `a socket of systemd: a new process takes it over without a refused connection, workers ${workers}`,
    async (t) => {
      const folder = t.testdir({ 'greeter.proto': proto });
      const service = await startEchoService(schemaFromText(proto));
      t.teardown(() => service.close());
      const args = [
        '--proto',
        'greeter.proto',
        '--upstream',
        service.target,
        '--listen',
        'systemd',
        '--workers',
        workers,
      ];
      const { launcher, url } = await startBySocket(t, args, folder);
      t.strictSame(launcher.urls, [url], 'the address of the socket');
      const foreign = await send(url, 'GET /v1/hello/a', { headers: { host: 'evil.example' } });
      t.match(foreign, { status: 403, text: /listens on loopback/ }, 'the host check follows from that address');
      const [first] = childrenOf(launcher.child.pid!).filter(isAlive);
      const steady = steadyRequests(t, url, 'GET /v1/hello/a');
      t.equal((await send(url, 'GET /v1/hello/a')).status, 200);
      process.kill(first!, 'SIGTERM');
      await until(() => count(launcher.text.out, 'listening on') === 2, 'the next process');
      t.equal((await send(url, 'GET /v1/hello/a')).status, 200);
      for (const status of new Set(await steady.stop())) t.match(String(status), expected);
      t.not(childrenOf(launcher.child.pid!).filter(isAlive)[0], first);
    },
  );
}

void t.test('no socket where one is expected', async (t) => {
  const folder = t.testdir({ 'greeter.proto': proto });
  const args = ['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen'];
  const systemd = await runMain([...args, 'systemd'], folder);
  t.equal(systemd.code, 1);
  t.match(systemd.stderr, /no-socket.*"systemd"[^]*LISTEN_FDS/);
  const closed = await runMain([...args, 'fd:999'], folder);
  t.equal(closed.code, 1);
  t.match(closed.stderr, /no-socket.*descriptor 999/);
});

void t.test('a single process has nothing to restart', async (t) => {
  const folder = t.testdir({ 'greeter.proto': proto });
  const single = await serveCli(['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen', '0'], folder);
  single.child.kill('SIGUSR2');
  await until(() => single.text.err.includes('no-workers'));
  single.child.kill('SIGTERM');
  t.equal((await single.finished).code, 0);
});

const badCounts = [['0'], ['1025'], ['many'], ['1.5'], ['2', '--workers', '2']];
void t.test('not a number of workers', async (t) => {
  for (const words of badCounts) {
    const { code, stderr } = await runMain(['--proto', 'a', '--workers', ...words], t.testdir());
    t.equal(code, 2, words.join(' '));
    t.match(stderr, '--workers: ', words.join(' '));
  }
});
