/**
 * FlareDB, the reference service: SQL with its values, errors with their places, limits, what is kept apart and closed
 * off; tables and keys; all by REST through the proxy and over gRPC; restart and kill.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import t from 'tap';
import { isClosed } from '../../examples/photoncloud/flaredb/statement.js';
import { startFlareDb } from '../../examples/photoncloud/flaredb.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import {
  CloudClient,
  count,
  type Loose,
  type RefusalCase,
  type RestCase,
  runRefusals,
  runRestCases,
  startCloud,
  startRest,
  temporaryFolder,
} from '../support/photoncloud.js';
import { refusal } from '../support/refusal.js';
import { spawnProcess } from '../support/service-process.js';
import { until } from '../support/until.js';

const flaredb = { entry: 'flaredb', file: 'flaredb/v1/flaredb.proto', service: 'flaredb.v1.FlareDbService' };
const schema = Schema.load([flaredb.file]);

/** Functions that compute from their arguments, or tell of the statement and library; tables of the namespace's own. */
const harmless = new RegExp(
  `^(?:${[
    '->>?|abs|a?(?:cos|sin|tan)h?|atan2|a[sc]oth?|coth?|atn2|avg|ceil(?:ing)?|changes|char|charindex|coalesce|concat(?:_ws)?|count',
    'cume_dist|current_(?:date|time|timestamp)|date|datetime|degrees|(?:dense|percent)_rank|rank|difference|exp|(?:first|last|nth)_value',
    'floor|format|printf|glob|group_concat|string_agg|hex|unhex|ifnull|iif|instr|jsonb?(?:_\\w+)?|julianday|lag|lead|leftstr|rightstr',
    'last_insert_rowid|last_rows_affected|length|octet_length|like(?:lihood|ly)?|unlikely|ln|log(?:10)?|lower|upper|(?:lower|upper)_quartile',
    'ltrim|rtrim|trim|max|min|median|mode|stdev|variance|mod|ntile|nullif|pad[clr]|pi|power|proper|quote|radians|random|randomblob',
    'regexpi?|replace|replicate|reverse|round|row_number|sha3|sign|snippet|soundex|sqlite_(?:version|source_id|compileoption_\\w+)',
    'sqrt|square|strfilter|strftime|substr(?:ing)?|subtype|sum|time|timediff|total|total_changes|typeof|unicode|unixepoch|uuid(?:_\\w+)?',
    'zeroblob|bm25|highlight|match|matchinfo|offsets|optimize|fts3tokenize|fts[345]\\w*|rtree\\w*|geopoly\\w*|vector\\w*|dbstat|generate_series',
  ].join('|')})$`,
);

const sql = 'POST /api/v1/sql';
const restCases: RestCase[] = [
  [
    sql,
    { query: 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, x REAL, b BLOB)' },
    200,
    { columns: [], rows: [], rows_affected: '0' },
  ],
  [
    sql,
    { query: "INSERT INTO t VALUES (?, ?, ?, ?), (2, ?2 || 2, NULL, x'00ff')", params: [1, 'ada', 1.5, null] },
    200,
    { rows_affected: '2' },
  ],
  [
    sql,
    { query: 'SELECT *, 9007199254740993 AS big, count(*) OVER () AS n FROM t ORDER BY id' },
    200,
    {
      columns: [
        { name: 'id', type: 'INTEGER' },
        { name: 'name', type: 'TEXT' },
        { name: 'x', type: 'REAL' },
        { name: 'b', type: 'BLOB' },
        { name: 'big', type: 'INTEGER' },
        { name: 'n', type: 'INTEGER' },
      ],
      rows: [
        [1, 'ada', 1.5, null, '9007199254740993', 2],
        [2, 'ada2', null, 'AP8=', '9007199254740993', 2],
      ],
      rows_affected: '0',
    },
  ],
  [
    sql,
    { query: 'UPDATE t SET x = ?1 WHERE id < ?2 RETURNING id', params: [true, 3] },
    200,
    { rows: [[1], [2]], rows_affected: '2' },
  ],
  [
    sql,
    { query: 'SELECT typeof(?), typeof(?), typeof(?)', params: [1, 1.5, false] },
    200,
    { rows: [['integer', 'real', 'integer']] },
  ],
  [sql, { query: 'SELECT name FROM t WHERE id = ?', params: ['1'] }, 200, { rows: [['ada']] }],
  [
    sql,
    { query: 'SELEC 1' },
    400,
    { code: 'INVALID_ARGUMENT', message: 'query: near "SELEC": syntax error at line 1, column 1' },
  ],
  [
    sql,
    { query: 'SELECT id,\n  id FROM t\n WHERE id id' },
    400,
    { message: 'query: near "id": syntax error at line 3, column 11' },
  ],
  [sql, { query: 'SELECT * FROM nope' }, 400, { message: 'query: no such table: nope at line 1, column 15' }],
  [sql, { query: 'SELECT (1' }, 400, { message: 'query: incomplete input at line 1, column 10' }],
  [sql, { query: 'SELECT ?', params: [[1]] }, 400, { message: /^params\[0\]: expected a string, a number/ }],
  [sql, { query: 'SELECT ?', params: ['9007199254740993'] }, 200, { rows: [['9007199254740993']] }],
  [sql, { query: 'SELECT ?', params: [-9007199254740991] }, 200, { rows: [[-9007199254740991]] }],
  [sql, { query: 'SELECT ?', params: [1e300] }, 200, { rows: [[1e300]] }],
  [sql, { query: 'SELECT ?', params: [9007199254740992] }, 400, { message: /^params\[0\]: .* send it as a string/ }],
  [sql, { query: "SELECT CAST(x'ff' AS TEXT)" }, 400, { message: /^query: gave a text that is not UTF-8.*by hex/ }],
  [sql, { query: 'SELECT length(hex(zeroblob(200000000)))' }, 429, { message: /too much memory/ }],
  [sql, { query: "SELECT 'readfile', 'sha3_query' AS readfile" }, 200, { rows: [['readfile', 'sha3_query']] }],
  [sql, { query: 'SELECT ?, ?3', params: [1, 2] }, 400, { message: /^params: are 2, expected 3/ }],
  [sql, { query: 'SELECT 1; DROP TABLE t' }, 400, { message: /has a second statement at line 1, column 11/ }],
  [sql, { query: "INSERT INTO t VALUES (3, 'ada', 0, 0)" }, 409, { code: 'ALREADY_EXISTS', message: /UNIQUE/ }],
  [sql, { query: 'INSERT INTO t VALUES (3, NULL, 0, 0)' }, 400, { code: 'FAILED_PRECONDITION', message: /NOT NULL/ }],
  [sql, { query: 'SELECT * FROM t', namespace: 'other' }, 400, { message: /no such table: t/ }],
  [sql, { query: 'CREATE TABLE mine (a)', namespace: 'other' }, 200, {}],
  [
    'GET /api/v1/tables',
    undefined,
    200,
    {
      tables: [
        {
          name: 't',
          columns: [
            { name: 'id', type: 'INTEGER', nullable: false },
            { name: 'name', type: 'TEXT', nullable: false },
            {},
            {},
          ],
        },
      ],
      next_page_token: '',
    },
  ],
  [
    'GET /api/v1/tables?namespace=other',
    undefined,
    200,
    { tables: [{ name: 'mine', columns: [{ type: '', nullable: true }] }] },
  ],
  ['GET /api/v1/tables?namespace=none', undefined, 200, { tables: [], next_page_token: '' }],
  ['GET /api/v1/tables?namespace=..', undefined, 400, { message: /^namespace: is ".."/ }],
  ['PUT /api/v1/kv/a/b', { value: 'one' }, 200, { key: 'a/b', namespace: 'default', version: '1' }],
  ['PUT /api/v1/kv/a%2Fb', { value: 'two' }, 200, { key: 'a/b', version: '2' }],
  ['PUT /api/v1/kv/c', { value: '', namespace: 'other' }, 200, { namespace: 'other', version: '1' }],
  ['PUT /api/v1/kv/c', {}, 400, { message: /^value: is missing/ }],
  ['GET /api/v1/kv/a/b', undefined, 200, { key: 'a/b', value: 'two', namespace: 'default', version: '2' }],
  ['GET /api/v1/kv/a/b?namespace=other', undefined, 404, { code: 'NOT_FOUND' }],
  ['PUT /api/v1/kv/b', { value: 'b' }, 200, {}],
  ['PUT /api/v1/kv/c', { value: 'c' }, 200, {}],
  [
    'GET /api/v1/scan',
    undefined,
    200,
    { items: [{ key: 'a/b' }, { key: 'b' }, { key: 'c', value: 'c' }], next_page_token: '' },
  ],
  ['GET /api/v1/scan?start=b&end=c', undefined, 200, { items: [{ key: 'b' }] }],
  ['GET /api/v1/scan?start=b&page_size=1', undefined, 200, { items: [{ key: 'b' }], next_page_token: '$page' }],
  ['GET /api/v1/scan?start=b&page_token=:$page', undefined, 200, { items: [{ key: 'c' }], next_page_token: '' }],
  ['GET /api/v1/scan?page_token=:$page', undefined, 400, { message: /^page_token: / }],
  ['GET /api/v1/scan?start=c&end=b', undefined, 400, { message: /^end: comes before start/ }],
  ['GET /api/v1/scan?namespace=other', undefined, 200, { items: [{ key: 'c', value: '' }] }],
  ['DELETE /api/v1/kv/a/b', undefined, 200, { deleted: true }],
  ['DELETE /api/v1/kv/a/b', undefined, 200, { deleted: false }],
];

void t.test('by REST, every endpoint', async (test) => {
  const { port } = await startCloud(test, flaredb);
  await runRestCases(test, await startRest(test, 'flaredb', port), restCases);
});

void t.test('what a query cannot do', async (test) => {
  const { client, folder } = await startCloud(test, flaredb);
  const closed = [
    `ATTACH '${folder}/flaredb/other.db' AS o`,
    'PRAGMA user_version = 5',
    '/* x */ pragma journal_mode',
    'SELECT * FROM pragma_database_list',
    'SELECT * FROM "pragma_database_list"',
    'VACUUM',
    `VACUUM INTO '${folder}/x'`,
    'BEGIN',
    'COMMIT',
    'SAVEPOINT s',
    'DETACH main',
    'CREATE TEMP TABLE x (a)',
    'CREATE TABLE temp.x (a)',
    'CREATE VIRTUAL TABLE x USING fts5(a)',
    "EXPLAIN ATTACH ':memory:' AS x",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/hostname')",
    'SELECT "readfile"(\'/etc/hostname\')',
    "SELECT [ReadFile] ('/etc/hostname')",
    `SELECT writefile('${folder}/x', 'x')`,
    "SELECT * FROM fsdir('/etc')",
    "SELECT * FROM 'fsdir' WHERE path = '/etc'",
    'CREATE VIEW v AS SELECT * FROM sqlite_stmt',
    "SELECT sqlite3mc_config('cipher')",
    `SELECT sha3_query('ATTACH ''${folder}/flaredb/other.db'' AS o')`,
    "SELECT * FROM 'pragma_database_list'",
    'UPDATE sqlite_schema SET sql = 1',
    'SELECT :a',
    'CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; DROP TABLE t',
    '',
    '-- nothing',
    ';',
    `SELECT '${'x'.repeat(65536)}'`,
    'SELECT 1\0',
  ];
  await client.call('ExecuteSql', { query: 'CREATE TABLE t (a); -- with a comment behind it;' });
  await runRefusals(test, client, [
    ...closed.map((query): RefusalCase => ['ExecuteSql', { query }, 'INVALID_ARGUMENT', ['query']]),
    ['ExecuteSql', { query: 'SELECT 1', namespace: 'a/b' }, 'INVALID_ARGUMENT', ['namespace']],
    ['ExecuteSql', { query: 'SELECT ?', params: [{ string_value: '\0' }] }, 'INVALID_ARGUMENT', ['params[0]']],
    [
      'ExecuteSql',
      { query: 'SELECT 1', params: count(1001).map(() => ({ bool_value: true })) },
      'INVALID_ARGUMENT',
      ['params'],
    ],
    ['Put', { key: '', value: 'x' }, 'INVALID_ARGUMENT', ['key']],
    ['Scan', { start: 'x'.repeat(2049), page_size: -1 }, 'INVALID_ARGUMENT', ['start']],
  ]);
  const trigger = 'CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 1; SELECT 2; END;';
  await client.call('ExecuteSql', { query: trigger });
  const inserted = await client.call('ExecuteSql', { query: "INSERT INTO t VALUES (1), (2), (';')" });
  test.equal(inserted.rows_affected, 3n);
  test.same((await client.call('ExecuteSql', { query: "SELECT count(*) FROM t WHERE a <> '?;'" })).rows, [
    { values: [{ number_value: 2 }] },
  ]);
  test.same(
    readdirSync(join(folder, 'flaredb')).filter((name) => name.endsWith('.db')),
    ['default.db'],
  );
});

void t.test('every function and table of the SQL library is known to be harmless, or closed', (test) => {
  const connection = new Libsql(':memory:');
  const names = ['function', 'module'].flatMap((kind) =>
    (connection.prepare(`SELECT DISTINCT name FROM pragma_${kind}_list`).all() as { name: string }[]).map(
      ({ name }) => name,
    ),
  );
  connection.close();
  const unknown = names.filter((name) => !isClosed(name, true) && !harmless.test(name));
  test.ok(names.length > 150, `${names.length} names`);
  test.same(unknown, [], 'read what it does, then close it (statement.ts) or list it here');
  test.end();
});

void t.test('limits: time, rows, bytes; nothing of what is over them has happened', async (test) => {
  const database = Database.open(join(temporaryFolder(test), 'photoncloud.db'));
  const options = { host: '127.0.0.1', port: 0, database };
  await test.rejects(startFlareDb(options), { message: /needs a folder for its databases/ });
  const sqlLimits = { timeoutMs: 1500, maxRows: 10, maxBytes: 1000 };
  const server = await startFlareDb({ ...options, dataDir: temporaryFolder(test), sqlLimits });
  const client = new CloudClient(server.port, schema, flaredb.service);
  const run = (query: string): Promise<Loose> => client.call('ExecuteSql', { query });
  await run('CREATE TABLE t (a)');
  const endless = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)';
  const [slow, behind] = await Promise.all([refusal(run(`${endless} SELECT count(*) FROM c`)), run('SELECT 1')]);
  test.match(slow, { code: 'DEADLINE_EXCEEDED', message: /longer than 1.5 s/ });
  test.equal(behind.rows.length, 1, 'whoever waited is served by the next process');
  test.equal((await refusal(run(`${endless} INSERT INTO t SELECT x FROM c`))).code, 'DEADLINE_EXCEEDED');
  test.equal((await refusal(run(`${endless} SELECT x FROM c`))).code, 'RESOURCE_EXHAUSTED');
  test.equal((await refusal(run(`SELECT '${'x'.repeat(1000)}'`))).code, 'RESOURCE_EXHAUSTED');
  const returning = `${endless} INSERT INTO t SELECT x FROM c LIMIT 11 RETURNING a`;
  test.match(await refusal(run(returning)), { code: 'RESOURCE_EXHAUSTED', message: /Nothing was changed/ });
  test.same((await run('SELECT count(*) FROM t')).rows, [{ values: [{ number_value: 0 }] }]);
  client.close();
  await server.close();
  database.close();
});

void t.test('many at once, pages of large values, a restart', async (test) => {
  const folder = temporaryFolder(test);
  const { client, stop } = await startCloud(test, flaredb, { folder });
  await client.call('ExecuteSql', { query: 'CREATE TABLE n (v INTEGER)' });
  await client.call('ExecuteSql', { query: 'INSERT INTO n VALUES (0)' });
  const add = { query: 'UPDATE n SET v = v + 1 RETURNING v' };
  const seen = await Promise.all(count(50).map(() => client.call('ExecuteSql', add)));
  const values = seen.map(({ rows }) => rows[0].values[0].number_value as number);
  test.same(
    values.sort((a, b) => a - b),
    count(50).map((n) => n + 1),
  );
  for (const n of count(6)) await client.call('Put', { key: `k${n}`, value: 'v'.repeat(1_000_000) });
  const pages: number[] = [];
  let page_token = '';
  do {
    const page = await client.call('Scan', { page_token });
    pages.push(page.items.length as number);
    page_token = page.next_page_token as string;
  } while (page_token !== '');
  test.same(pages, [4, 2]);
  await stop();
  const again = await startCloud(test, flaredb, { folder });
  test.match((await again.client.call('ExecuteSql', { query: 'SELECT v FROM n' })).rows, [
    { values: [{ number_value: 50 }] },
  ]);
  test.match(await again.client.call('Get', { key: 'k0' }), { version: 1n });
});

void t.test('killed while it writes, it has lost nothing that it acknowledged', async (test) => {
  const folder = temporaryFolder(test);
  const { port, kill } = await spawnProcess(test, flaredb.entry, folder);
  const client = new CloudClient(port, schema, flaredb.service);
  await client.call('ExecuteSql', { query: 'CREATE TABLE t (a INTEGER PRIMARY KEY)' });
  let [rows, keys] = [0, 0];
  const writers = [
    (async () => {
      for (;;) {
        await client.call('ExecuteSql', { query: 'INSERT INTO t VALUES (?)', params: [{ number_value: rows }] });
        rows++;
      }
    })(),
    (async () => {
      for (;;) {
        await client.call('Put', { key: `k${keys}`, value: String(keys) });
        keys++;
      }
    })(),
  ].map((writer) => writer.catch(() => undefined));
  await until(() => rows > 10 && keys > 10, 'some of each');
  await kill();
  await Promise.all(writers);
  client.close();
  test.ok(rows > 5 && keys > 5, `${rows} rows, ${keys} keys`);
  const again = await startCloud(test, flaredb, { folder });
  const { rows: found } = await again.client.call('ExecuteSql', { query: 'SELECT count(*) FROM t' });
  test.ok([rows, rows + 1].includes(found[0].values[0].number_value as number), 'all rows, and perhaps one unheard of');
  for (const n of count(keys)) await again.client.call('Get', { key: `k${n}` });
});
