/** Limits with `--workers 2`, by the command itself: each worker counts what it gets, and a service counts for both. */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { serveCli } from '../support/cli.js';
import { startEchoService, type EchoService, type StreamCall } from '../support/echo-service.js';
import { parseMetrics } from '../support/prometheus.js';
import { send } from '../support/proxy.js';
import { startRateLimitService } from '../support/rate-limit-service.js';
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

interface Running {
  readonly url: string;
  readonly service: EchoService;
  readonly log: () => string;
}

/** @param script that each process runs before anything else */
async function start(t: Test, config: object, args: readonly string[] = [], script?: string): Promise<Running> {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const folder = t.testdir({
    'greeter.proto': proto,
    'p.yaml': JSON.stringify({ proto: 'greeter.proto', upstreams: { default: service.target }, ...config }),
  });
  const file = join(folder, 'before.mjs');
  if (script !== undefined) writeFileSync(file, script);
  const proxy = await serveCli(
    ['--config', 'p.yaml', '--listen', '0', '--workers', '2', ...args],
    folder,
    1,
    script === undefined ? {} : { nodeOptions: `--import=${file}` },
  );
  t.teardown(() => proxy.child.kill('SIGKILL'));
  return { url: proxy.urls[0]!, service, log: () => proxy.text.err };
}

/** The statuses of requests, each on a connection of its own, so that the primary deals them out. */
async function statuses(url: string, target: string, count: number): Promise<number[]> {
  const all: number[] = [];
  while (all.length < count) all.push((await send(url, target)).status);
  return all;
}

const passed = (all: readonly number[]): number => all.filter((status) => status === 200).length;

void t.test('a limit of rate is that of each worker', async (t) => {
  const { url, service } = await start(t, { policies: { rate_limits: { all: { requests: 3, per: '1h' } } } });
  const all = await statuses(url, 'GET /v1/hello/Ada', 40);
  t.equal(passed(all), 6, all.join());
  t.equal(all.filter((status) => status === 429).length, 34);
  t.equal(service.calls.length, 6);
});

void t.test('a limit that a service counts is that of all workers', async (t) => {
  const limits = await startRateLimitService();
  t.teardown(() => limits.close());
  limits.answer = () => ({ overallCode: limits.asked.length <= 3 ? 1 : 2 });
  const rate_limit_service = { target: limits.target, domain: 'd', timeout: '60s' };
  const { url } = await start(t, { policies: { rate_limit_service, rate_limits: { all: { service: true } } } });
  const all = await statuses(url, 'GET /v1/hello/Ada', 20);
  t.equal(passed(all), 3, all.join());
  t.equal(limits.asked.length, 20);
});

void t.test('max_concurrent_requests is that of each worker', async (t) => {
  const { url, service } = await start(t, { max_concurrent_requests: 2 });
  const open: StreamCall[] = [];
  service.answer = ({ message }) => ({
    drive(call) {
      call.write(message);
      open.push(call);
    },
  });
  const refused: number[] = [];
  const answers = [];
  for (let sent = 1; sent <= 20; sent++) {
    const answer = send(url, 'GET /v1/watch/x');
    answers.push(answer);
    void answer.then(({ status }) => void (status === 503 && refused.push(status)));
    await until(() => open.length + refused.length === sent, 'an answer');
  }
  t.equal(open.length, 4);
  t.equal((await send(url, 'GET /readyz')).status, 200);
  for (const call of open) call.end();
  t.equal(passed((await Promise.all(answers)).map(({ status }) => status)), 4);
});

void t.test('a worker that is overloaded refuses, and the other one does not', async (t) => {
  const busyWorker = `
    import cluster from 'node:cluster';
    if (cluster.worker?.id === 1) {
      const work = () => {
        const end = performance.now() + 60;
        while (performance.now() < end);
        setTimeout(work, 0);
      };
      setTimeout(work, 0);
    }`;
  const { url, log } = await start(t, { max_event_loop_delay: '20ms' }, ['--admin', '0'], busyWorker);
  const all: number[] = [];
  await until(async () => {
    all.push((await send(url, 'GET /v1/hello/Ada')).status);
    return passed(all) >= 3 && all.filter((status) => status === 503).length >= 3;
  }, 'refusals of one worker and answers of the other');
  const admin = /admin listener[^\n]*?(http:\/\/[\d.]+:\d+)/.exec(log())?.[1] ?? /"url":"([^"]+)"/.exec(log())![1]!;
  const { samples } = parseMetrics((await send(admin, 'GET /metrics')).text).get('photongate_policy_refusals_total')!;
  const counted = samples.find(({ labels }) => labels['reason'] === 'max_event_loop_delay')!.value;
  t.equal(counted, all.filter((status) => status === 503).length, 'the metrics are those of both');
});
