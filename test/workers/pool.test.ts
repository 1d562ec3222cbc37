/** Workers that hang: real processes, of a program that does what the test wants, and short times. */
import cluster from 'node:cluster';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigError } from '../../lib/status.js';
import { exitText, type WorkerEvent, WorkerPool } from '../../lib/workers/index.js';
import { until } from '../support/until.js';

const worker = `
const { readFileSync } = require('node:fs');
const mode = () => readFileSync(process.argv[2], 'utf8');
const serving = { urls: [], warnings: [], files: [] };
if (mode() === 'hang') setInterval(() => undefined, 1000);
else process.send({ serving });
let late = 0;
process.on('message', (message) => {
  if (message.ask === 'alive') process.send({ id: message.id, answer: true });
  else if (message.ask === 'late') process.send({ id: message.id, answer: late });
  else if (message.order === 'drain') process.disconnect();
  else if (mode() === 'spin') for (;;);
  else if (mode() === 'late') setTimeout(() => (late++, process.send({ serving: { ...serving, files: ['late'] } })), 1500);
  else process.send({ serving: { ...serving, files: [mode()] } });
});
`;

interface Prepared {
  readonly events: WorkerEvent[];
  readonly start: () => Promise<WorkerPool>;
  readonly mode: (mode: string) => void;
}

const settings = { workers: 2, drainTimeoutMs: 1000, startTimeoutMs: 1000 };

function prepare(t: Test, mode: string): Prepared {
  const folder = t.testdir({ 'worker.cjs': worker, mode });
  cluster.setupPrimary({ exec: join(folder, 'worker.cjs'), args: [join(folder, 'mode')], execArgv: [] });
  const events: WorkerEvent[] = [];
  return {
    events,
    mode: (next) => writeFileSync(join(folder, 'mode'), next),
    async start() {
      const pool = await WorkerPool.start({ ...settings, startTimeoutMs: 30_000 }, (event) => events.push(event));
      t.teardown(() => pool.drain());
      // Starts on a busy machine take their time; reloads of this program do not.
      (pool as unknown as { settings: typeof settings }).settings = settings;
      return pool;
    },
  };
}

void t.test('one that does not start is killed, and said to have hung', async (t) => {
  const { events } = prepare(t, 'hang');
  const hanging = WorkerPool.start({ ...settings, startTimeoutMs: 100 }, (event) => events.push(event));
  await t.rejects(hanging, /5 workers in a row did not start/);
  const failures = events.filter(({ kind }) => kind === 'not-started');
  t.match(failures, [{ kind: 'not-started', reason: 'SIGKILL: it did not serve within 0.1 s' }]);
});

void t.test('one whose event loop hangs over a reload is replaced', async (t) => {
  const { events, start, mode } = prepare(t, '');
  const pool = await start();
  mode('spin');
  await pool.reload(settings);
  const ends = (): string[] => events.flatMap((event) => (event.kind === 'died' ? [exitText(event.exit)] : []));
  await until(() => ends().length === 2, 'two deaths');
  t.strictSame([...new Set(ends())], ['SIGKILL: it said nothing for 1 s']);
  mode('new');
  await until(() => pool.askable.filter(({ isServing }) => isServing).length === 2, 'two new workers');
});

void t.test('one that is slow to reload serves on, and its late report is not that of the next', async (t) => {
  const { start, mode } = prepare(t, '');
  const pool = await start();
  mode('late');
  const problem = await pool.reload(settings).then(
    () => undefined,
    (error: ConfigError) => error.problems[0],
  );
  t.match(problem, { code: 'worker-silent', message: /has not taken the new configuration within 1 s/ });
  const [first] = pool.askable;
  await until(async () => (await first!.ask('late')) === 1, 'the late report');
  mode('new');
  await pool.reload(settings);
  t.strictSame([...pool.files], ['new']);
  t.equal(await first!.ask('nothing'), undefined, 'no answer within a second');
});
