/** The admin listener of a primary: what it says of all workers together, whatever becomes of them. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type RunningCli, serveCli } from '../support/cli.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { parseMetrics } from '../support/prometheus.js';
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
const schema = schemaFromText(proto);

interface Running extends RunningCli {
  readonly url: string;
  readonly admin: string;
  readonly service: EchoService;
  /** One request on each of so many connections, one after the other. */
  readonly hello: (count: number) => Promise<void>;
  /** The sum of the samples with this name and these labels. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => Promise<number>;
  /** Waits until that is so: a worker that is slow to answer counts with its last figures. */
  readonly is: (name: string, expected: number, labels?: Readonly<Record<string, string>>) => Promise<void>;
  /** A page, once it has this status: a worker that is slow gives none. */
  readonly page: (path: string, status?: number) => Promise<TestResponse>;
  readonly workers: () => number[];
}

async function start(t: Test, args: readonly string[] = []): Promise<Running> {
  const folder = t.testdir({ 'greeter.proto': proto });
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const common = ['--proto', 'greeter.proto', '--upstream', service.target, '--listen', '0'];
  const proxy = await serveCli([...common, '--workers', '2', '--admin', '0', ...args], folder);
  t.teardown(() => proxy.child.kill('SIGKILL'));
  const url = proxy.urls[0]!;
  await until(() => proxy.text.err.includes('the admin listener is at'), 'the admin listener');
  const admin = /the admin listener is at (http:[^"\s]+)/.exec(proxy.text.err)![1]!;
  const { pid } = proxy.child;
  const value: Running['value'] = async (name, labels = {}) => {
    const { text } = await send(admin, 'GET /metrics');
    const samples = [...parseMetrics(text).values()].flatMap((family) => family.samples);
    const wanted = samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
    return wanted.reduce((sum, { value }) => sum + value, 0);
  };
  return {
    ...proxy,
    url,
    admin,
    service,
    async hello(count) {
      for (let index = 0; index < count; index++) await send(url, 'GET /v1/hello/Ada');
    },
    value,
    is: (name, expected, labels) =>
      until(async () => (await value(name, labels)) === expected, `${name} to be ${expected}`),
    async page(path, status = 200) {
      let answer: TestResponse | undefined;
      await until(async () => (answer = await send(admin, `GET ${path}`)).status === status, `${status} of ${path}`);
      return answer!;
    },
    workers: () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number),
  };
}

const COUNT = 'http_server_request_duration_seconds_count';
const served = { http_route: '/v1/hello/{name}', http_response_status_code: '200' };

/** Streams that stay open until the service ends them. */
async function openStreams({ service, url }: Running, count: number): Promise<{ end: () => Promise<TestResponse[]> }> {
  const ends: (() => void)[] = [];
  service.answer = ({ message }) => ({
    drive(call) {
      call.write(message);
      ends.push(() => call.end());
    },
  });
  const answers: Promise<TestResponse>[] = [];
  while (answers.length < count) {
    answers.push(send(url, `GET /v1/watch/${answers.length}`));
    await until(() => ends.length === answers.length, 'a stream');
  }
  service.answer = () => ({});
  return {
    end() {
      for (const end of ends) end();
      return Promise.all(answers);
    },
  };
}

void t.test('one listener: metrics are added up, the other pages are those of all', async (t) => {
  const proxy = await start(t);
  const { admin, value, hello, is, page } = proxy;
  await hello(8);
  const streams = await openStreams(proxy, 3);
  await is(COUNT, 8, served);
  await is('rpc_client_duration_milliseconds_count', 8, { rpc_method: 'SayHello' });
  await is('photongate_active_streams', 3);
  await is('photongate_workers', 2, { state: 'serving' });
  await is('photongate_silent_workers', 0);
  await is('photongate_build_info', 1); // not one for each process
  await is('photongate_upstream_connections', 2); // each worker has one
  t.ok((await value('process_resident_memory_bytes')) > 60e6, 'three processes');
  t.ok((await value('process_start_time_seconds')) < Date.now() / 1000, 'no sum of dates');
  t.equal((await streams.end()).length, 3);

  t.match(await send(admin, 'GET /livez'), { status: 200, text: 'ok\n' });
  t.match(await page('/readyz'), { text: 'ok\n' });
  const routes = (await page('/routes')).json as { path: string }[];
  t.strictSame(
    routes.map(({ path }) => path),
    ['/v1/hello/{name}', '/v1/watch/{name}'],
  );
  t.match(await page('/config'), {
    headers: { 'content-type': 'application/yaml' },
    text: /workers: 2\n/,
  });
  t.match((await page('/upstreams')).json, [{ target: proxy.service.target, connections: 2, calls: 0 }]);
  t.match(await send(admin, 'GET /'), { text: /GET \/metrics +for Prometheus\n/ });

  const accept = 'text/plain;version=0.0.4;q=0.5, application/openmetrics-text;version=1.0.0';
  const traceparent = `00-${'abcdef0123456789'.repeat(2)}-${'1'.repeat(16)}-01`;
  for (let index = 0; index < 2; index++) await send(proxy.url, 'GET /v1/hello/a', { headers: { traceparent } });
  const open = await send(admin, 'GET /metrics', { headers: { accept } });
  t.match(open.headers['content-type'], /^application\/openmetrics-text/);
  t.match(open.text, /\n# EOF\n$/);
  t.match(open.text, '# TYPE photongate_worker_deaths counter\nphotongate_worker_deaths_total 0\n');
  t.match(open.text, /_bucket\{[^\n]*http_route="\/v1\/hello\/\{name\}"[^\n]* # \{trace_id="abcdef0123456789/);
});

void t.test('counters of workers that end do not go back', async (t) => {
  const proxy = await start(t);
  const { is, hello, child, workers, text } = proxy;
  await hello(10);
  await is(COUNT, 10, served);
  process.kill(workers()[0]!, 'SIGKILL');
  await until(() => text.err.includes('serves in the place of one that ended'), 'its successor');
  await is(COUNT, 10, served); // what a killed worker had said last
  await is('photongate_worker_deaths_total', 1);
  await is('photongate_workers', 2, { state: 'serving' });
  await hello(4);
  const before = workers();
  child.kill('SIGUSR2');
  await until(() => text.err.includes('"reloaded"'), 'the exchange');
  await until(() => !before.some((pid) => workers().includes(pid)), 'the end of the old workers');
  await is(COUNT, 14, served); // a worker that drains says its last figures, also those that nobody scraped
  await is('photongate_worker_deaths_total', 1);
  await hello(2);
  await is(COUNT, 16, served);
});

void t.test('a worker that hangs, or dies meanwhile, breaks no scrape', async (t) => {
  const proxy = await start(t);
  const { admin, is, hello, workers, text, page } = proxy;
  await hello(6);
  await is(COUNT, 6, served);
  const [first, second] = workers() as [number, number];
  t.teardown(() => {
    for (const pid of workers()) process.kill(pid, 'SIGKILL');
  });
  process.kill(first, 'SIGSTOP');
  await is(COUNT, 6, served); // it counts with what it said last
  await is('photongate_silent_workers', 1);
  await page('/readyz'); // The other serves.
  await page('/routes');
  process.kill(second, 'SIGSTOP');
  t.match(await send(admin, 'GET /readyz'), { status: 503, text: 'not ready: no worker answers\n' });
  t.match(await send(admin, 'GET /routes'), { status: 503, text: /no worker answers/ });
  t.equal((await send(admin, 'GET /livez')).status, 200);
  process.kill(second, 'SIGCONT');
  const scrape = is(COUNT, 6, served);
  process.kill(first, 'SIGKILL');
  await scrape;
  await until(() => text.err.includes('serves in the place of one that ended'), 'its successor');
  await is(COUNT, 6, served);
});

void t.test('a log level reaches all workers, and those that come later', async (t) => {
  const proxy = await start(t);
  const { admin, service, workers, text, hello, child } = proxy;
  service.answer = () => ({ code: 13 });
  const failures = (): number => text.err.split('failed with 500').length - 1;
  const level = (body: string): Promise<TestResponse> => send(admin, 'PUT /log-level', { body });
  t.match(await level('off'), { status: 200, text: 'off\n' });
  t.match(await level('loud'), { status: 400 });
  await hello(4);
  process.kill(workers()[0]!, 'SIGKILL');
  await until(async () => (await proxy.value('photongate_worker_deaths_total')) === 1, 'a death');
  await until(async () => (await proxy.value('photongate_workers', { state: 'serving' })) === 2, 'two workers');
  await hello(4);
  t.equal(failures(), 0);
  await level('error');
  // Of the same words, one in ten seconds is logged.
  service.answer = () => ({ code: 15 });
  await hello(4);
  await until(() => failures() === 2, 'both workers log again');
  child.kill('SIGHUP');
  await until(async () => (await send(admin, 'GET /log-level')).text === 'info\n', 'the level of the configuration');
});

void t.test('not ready while it drains; the listener is there to the end', async (t) => {
  const proxy = await start(t);
  const { admin, child, is, finished } = proxy;
  const streams = await openStreams(proxy, 2);
  child.kill('SIGTERM');
  await until(async () => (await send(admin, 'GET /readyz')).status === 503, 'it is not ready');
  t.equal((await send(admin, 'GET /readyz')).text, 'not ready: it drains\n');
  await is('photongate_workers', 2, { state: 'draining' });
  await is('photongate_active_streams', 2);
  for (const { status } of await streams.end()) t.equal(status, 200);
  t.equal((await finished).code, 0);
  await t.rejects(send(admin, 'GET /livez'), 'closed');
});

void t.test('an address that is taken', async (t) => {
  const { admin } = await start(t);
  const { port } = new URL(admin);
  const folder = t.testdir({ 'greeter.proto': proto });
  const args = ['--proto', 'greeter.proto', '--upstream', '127.0.0.1:1', '--listen', '0', '--workers', '2'];
  await t.rejects(serveCli([...args, '--admin', port], folder), /port-in-use/);
});

void t.test("Envoy's pages are those of all workers, too", async (t) => {
  const proxy = await start(t, ['--admin-envoy']);
  const { admin, value, workers, finished } = proxy;
  t.match(await send(admin, 'GET /ready'), { status: 200, text: 'LIVE\n' });
  t.match((await send(admin, 'GET /stats/prometheus')).text, 'photongate_workers{state="serving"} 2');
  t.match((await send(admin, 'GET /listeners')).text, new URL(proxy.url).host);
  t.equal((await send(admin, 'POST /healthcheck/fail')).status, 200);
  await until(async () => (await send(admin, 'GET /readyz')).status === 503, 'it is not ready');
  process.kill(workers()[0]!, 'SIGKILL');
  await until(async () => (await value('photongate_worker_deaths_total')) === 1, 'a death');
  await until(async () => (await value('photongate_workers', { state: 'serving' })) === 2, 'two workers');
  t.equal((await send(admin, 'GET /readyz')).status, 503, 'nor is one that came later');
  t.equal((await send(proxy.url, 'GET /v1/hello/a')).status, 200, 'they serve all the same');
  await send(admin, 'POST /healthcheck/ok');
  await until(async () => (await send(admin, 'GET /ready')).status === 200, 'it is ready');
  await send(admin, 'POST /quitquitquit');
  t.equal((await finished).code, 0);
});
