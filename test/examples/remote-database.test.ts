/**
 * The services' database on a libSQL server (a stand-in that speaks Hrana, `test/support/libsql-server.ts`): what a
 * transaction wrote is there or is not, whatever the connection does; and what is said where it cannot be used.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status as Status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Database } from '../../examples/photoncloud/lib/database.js';
import type { ServiceError } from '../../examples/photoncloud/lib/errors.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { services } from '../../examples/photoncloud/services.js';
import { CloudClient, count, temporaryFolder } from '../support/photoncloud.js';
import { addsUp } from '../support/wallets.js';
import { ManualClock } from '../support/manual-clock.js';
import { refusal } from '../support/refusal.js';
import { until } from '../support/until.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

interface Server {
  readonly url: string;
  /** The next request with such a statement is cut off before it, after it, or never answered. */
  readonly fail: (sql: string, how: 'before' | 'after' | 'silent') => Promise<void>;
  readonly kill: () => Promise<void>;
}

async function startServer(test: Test, folder: string, token?: string): Promise<Server> {
  const program = ['--import', 'tsx', 'test/support/libsql-server.ts', join(folder, 'server.db')];
  const child: ChildProcess = spawn(process.execPath, token === undefined ? program : [...program, token], {
    cwd: repository,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): Promise<void> => {
    child.kill('SIGKILL');
    return exited;
  };
  test.teardown(kill);
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout!.once('data', (line: Buffer) => resolve(Number(line)));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  const fail = async (sql: string, how: string): Promise<void> => {
    await fetch(`${url}/fault`, { method: 'POST', body: JSON.stringify({ sql, how }) });
  };
  return { url, fail, kill };
}

async function connect(test: Test, url: string, log: string[] = [], timeoutMs = 15_000): Promise<Database> {
  const database = await Database.connect({
    url,
    timeoutMs,
    log: (what, error) => log.push(`${what}: ${String(error)}`),
  });
  test.teardown(() => database.close());
  return database;
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'OK';
  } catch (error) {
    return Status[(error as ServiceError).code] ?? (error as Error).message;
  }
}

void t.test('values, rows and transactions as in a file', async (test) => {
  const { url } = await startServer(test, temporaryFolder(test));
  const remote = await connect(test, url);
  const local = Database.open(join(temporaryFolder(test), 'local.db'));
  test.teardown(() => local.close());
  for (const database of [remote, local]) {
    const steps = [
      'CREATE TABLE a (n INTEGER, r REAL, t TEXT, b BLOB) STRICT; CREATE INDEX a_n ON a (n);',
      'CREATE TABLE u (k TEXT PRIMARY KEY) STRICT, WITHOUT ROWID',
    ];
    database.migrate('test', steps);
    database.migrate('test', steps);
    const bytes = Buffer.from([0, 255, 7]);
    test.equal(database.run('INSERT INTO a VALUES (?, ?, ?, ?)', 2n ** 63n - 1n, 1.5, 'é', bytes), 1);
    test.equal(database.run('INSERT INTO a VALUES (?, ?, ?, ?)', 5, null, '', Buffer.alloc(0)), 1);
    test.same(database.all('SELECT * FROM a ORDER BY n LIMIT ?', 10), [
      { n: 5n, r: null, t: '', b: Buffer.alloc(0) },
      { n: 2n ** 63n - 1n, r: 1.5, t: 'é', b: bytes },
    ]);
    test.equal(database.get('SELECT 1 FROM a WHERE n = 6'), undefined);
    test.equal(database.run('UPDATE a SET r = 0'), 2);
    test.throws(() => database.run('INSERT INTO a VALUES (?, 0, 0, x)'), /x/);
    const twice = (): number => database.transaction(() => database.run("INSERT INTO u VALUES ('k')"));
    test.equal(twice(), 1);
    test.throws(twice, { code: /^SQLITE_CONSTRAINT/ });
    test.throws(
      () =>
        database.transaction(() => {
          database.run('DELETE FROM a');
          test.equal(database.get<{ n: bigint }>('SELECT count(*) AS n FROM a')!.n, 0n, 'it sees what it has written');
          throw new Error('no');
        }),
      /^no$/,
    );
    test.equal(database.get<{ n: bigint }>('SELECT count(*) AS n FROM a')!.n, 2n);
    test.throws(() => database.run('INSERT INTO u VALUES (?)', 'a\0'), /NUL/);
  }
});

void t.test('where the connection is lost, a transaction is whole or nothing', async (test) => {
  const { url, fail } = await startServer(test, temporaryFolder(test));
  const log: string[] = [];
  const database = await connect(test, url, log);
  database.migrate('test', ['CREATE TABLE a (n INTEGER PRIMARY KEY) STRICT']);
  const rows = (): unknown[] => database.all<{ n: bigint }>('SELECT n FROM a ORDER BY n').map(({ n }) => n);
  const both = (n: number) => (): void =>
    database.transaction(() => {
      database.run('INSERT INTO a VALUES (?)', n);
      database.run('INSERT INTO a VALUES (?)', n + 1);
    });
  const cases: [sql: string, how: 'before' | 'after', happens: boolean][] = [
    ['BEGIN', 'before', false],
    ['BEGIN', 'after', false],
    ['INSERT', 'before', false],
    ['INSERT', 'after', false],
    ['COMMIT', 'before', false],
    // Only the answer got lost: the caller has to ask again.
    ['COMMIT', 'after', true],
  ];
  const expected: bigint[] = [];
  for (const [index, [sql, how, happens]] of cases.entries()) {
    await fail(sql, how);
    test.equal(codeOf(both(index * 10)), 'UNAVAILABLE', `${how} ${sql}`);
    if (happens) expected.push(BigInt(index * 10), BigInt(index * 10 + 1));
    test.same(rows(), expected, `${how} ${sql}`);
  }
  test.equal(codeOf(both(100)), 'OK');
  await fail('INSERT', 'before');
  test.equal(
    codeOf(() => database.run('INSERT INTO a VALUES (200)')),
    'UNAVAILABLE',
    'one statement alone',
  );
  test.same(rows(), [...expected, 100n, 101n]);
  test.equal(log.length, cases.length + 1, 'each failure is told of once');
});

void t.test('a server that keeps silent is waited for once, then left alone for a moment', async (test) => {
  const { url, fail } = await startServer(test, temporaryFolder(test));
  const database = await connect(test, url, [], 1000);
  database.migrate('test', ['CREATE TABLE a (n INTEGER PRIMARY KEY) STRICT']);
  await fail('COMMIT', 'silent');
  const insert = (): number => database.transaction(() => database.run('INSERT INTO a VALUES (1)'));
  test.equal(codeOf(insert), 'UNAVAILABLE');
  test.equal(codeOf(insert), 'UNAVAILABLE');
  await until(() => codeOf(insert) === 'OK', 'a server that answers');
  test.same(database.all('SELECT n FROM a'), [{ n: 1n }]);
});

void t.test('who starts last may write', async (test) => {
  const { url } = await startServer(test, temporaryFolder(test));
  const log: string[] = [];
  const first = await connect(test, url, log);
  first.migrate('test', ['CREATE TABLE a (n INTEGER PRIMARY KEY) STRICT']);
  const second = await connect(test, url);
  test.equal(
    codeOf(() => first.run('INSERT INTO a VALUES (1)')),
    'UNAVAILABLE',
  );
  test.equal(
    codeOf(() => first.transaction(() => first.run('INSERT INTO a VALUES (1)'))),
    'UNAVAILABLE',
  );
  test.match(log, [/another process has taken the database over; end this one/]);
  // The server may take a moment to end the transactions that it has refused.
  await until(() => codeOf(() => second.run('INSERT INTO a VALUES (2)')) === 'OK', 'a write of the second');
  test.same(second.all('SELECT n FROM a'), [{ n: 2n }]);
});

void t.test('money and keys on a server that breaks off', async (test) => {
  const { url, fail } = await startServer(test, temporaryFolder(test));
  const database = await connect(test, url);
  const start = async (entry: string, file: string, service: string): Promise<CloudClient> => {
    const { start } = services.find(({ name }) => name === entry)!;
    const options = { host: '127.0.0.1', port: 0, database, clock: new ManualClock(), log: () => undefined };
    const running = await start(options);
    const client = new CloudClient(running.port, Schema.load([file]), service);
    test.teardown(() => running.close().then(() => client.close()));
    return client;
  };
  const credit = await start('creditservice', 'creditservice/v1/creditservice.proto', 'creditservice.v1.CreditService');
  const fire = await start('chainfire', 'chainfire/v1/chainfire.proto', 'chainfire.v1.ChainFireService');
  await credit.call('CreateWallet', { project_id: 'p', org_id: 'o' });
  for (const [index, how] of (['before', 'after', 'before', 'after'] as const).entries()) {
    const topUp = { project_id: 'p', amount: 7n, request_id: `r${index}` };
    await fail('COMMIT', how);
    test.equal((await refusal(credit.call('TopUpWallet', topUp))).code, 'UNAVAILABLE');
    await credit.call('TopUpWallet', topUp);
    await credit.call('TopUpWallet', topUp);
    await fail('COMMIT', how);
    test.equal((await refusal(fire.call('Put', { key: 'k', value: how }))).code, 'UNAVAILABLE');
  }
  test.match((await addsUp(test, credit)).get('p'), { balance: 28n });
  const { revision } = await fire.call('Put', { key: 'k', value: 'end' });
  test.equal(revision, 3n, 'two of four were lost before they happened');
  await Promise.all(
    count(20).map((n) => credit.call('CreateReservation', { project_id: 'p', amount: BigInt(n + 1) }).catch(() => 0)),
  );
  await addsUp(test, credit);
});

void t.test('what a start that fails says', async (test) => {
  const { url, kill } = await startServer(test, temporaryFolder(test), 'secret');
  const from = (url: string, authToken?: string): Promise<unknown> =>
    Database.connect({ url, authToken, log: () => undefined }).then(
      (database) => database.close(),
      (error: Error) => error.message,
    );
  test.equal(await from(url.replace('http:', 'libsql:') + '?tls=0', 'secret'), undefined);
  const cases: [url: string, token: string | undefined, message: RegExp][] = [
    [url, 'wrong', /^cannot use the database at http:.* it answers 401; put a token .* LIBSQL_AUTH_TOKEN$/],
    [`${url}/nowhere/`, 'secret', /answers 404; is it a libSQL server, and is the path right/],
    ['ftp://host', undefined, /^--database: .*expected libsql:\/\/host/],
    ['photoncloud.db', undefined, /^--database: .*expected libsql:\/\/host/],
    [`${url}?authToken=secret`, undefined, /^--database: the token belongs into LIBSQL_AUTH_TOKEN/],
    ['ws://host', undefined, /^--database: only HTTP is spoken/],
  ];
  for (const [each, token, message] of cases) {
    const said = String(await from(each, token));
    test.match(said, message);
    test.notMatch(said, /secret|wrong/);
  }
  await kill();
  test.match(await from(url, 'secret'), /ECONNREFUSED.*; is it running\? To one without TLS write http:/);
});
