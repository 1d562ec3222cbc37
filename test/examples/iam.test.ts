/**
 * IAM, the reference service: every RPC by REST through the proxy and over gRPC, what it refuses, pages, repeats, that
 * tokens are what JOSE says, expire and are void with their user, and that a restart keeps all of it.
 */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import t from 'tap';
import { startIam } from '../../examples/photoncloud/iam.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import {
  count,
  type Loose,
  type RestCase,
  runRefusals,
  runRestCases,
  startCloud,
  startRest,
  temporaryFolder,
} from '../support/photoncloud.js';
import { join } from 'node:path';
import { refusal } from '../support/refusal.js';

const iam = { entry: 'iam', file: 'iam/v1/iam.proto', service: 'iam.v1.IamService' };
const day = 24 * 3600 * 1000;

const restCases: RestCase[] = [
  ['POST /api/v1/users', { username: 'ada', password: 'pw', email: 'ada@x.org', org_id: 'acme' }, 201, { id: '$ada' }],
  ['POST /api/v1/users', { username: 'ADA', password: 'pw' }, 409, { code: 'ALREADY_EXISTS', message: /"ADA"/ }],
  ['POST /api/v1/users', { username: 'bob', password: 'pw' }, 201, { id: '$bob', email: '', org_id: '' }],
  ['GET /api/v1/users', undefined, 200, { users: [{ username: 'ada' }, { username: 'bob' }], next_page_token: '' }],
  ['GET /api/v1/users?page_size=1', undefined, 200, { users: [{ username: 'ada' }], next_page_token: '$page' }],
  ['GET /api/v1/users?page_size=1&page_token=:$page', undefined, 200, { users: [{ username: 'bob' }] }],
  ['GET /api/v1/users?page_token=nonsense', undefined, 400, { code: 'INVALID_ARGUMENT', message: /^page_token: / }],
  ['GET /api/v1/users?page_size=-1', undefined, 400, { code: 'INVALID_ARGUMENT', message: /^page_size: is -1/ }],
  ['GET /api/v1/users/:$ada', undefined, 200, { username: 'ada', email: 'ada@x.org', org_id: 'acme' }],
  ['GET /api/v1/users/nobody', undefined, 404, { code: 'NOT_FOUND', message: 'no user has the id "nobody"' }],
  ['PATCH /api/v1/users/:$bob', { email: 'b@x.org', org_id: 'acme' }, 200, { email: 'b@x.org' }],
  ['PATCH /api/v1/users/:$bob', { email: '' }, 200, { email: '', org_id: 'acme' }],
  ['PATCH /api/v1/users/:$ada', { email: 'new@x.org' }, 200, { email: 'new@x.org', org_id: 'acme' }],
  ['PATCH /api/v1/users/:$ada', {}, 200, { email: 'new@x.org', org_id: 'acme' }],
  ['PATCH /api/v1/users/:$ada', undefined, 200, { email: 'new@x.org', org_id: 'acme' }],
  ['PATCH /api/v1/users/:$ada', { email: 'nonsense' }, 400, { message: /^user.email: is "nonsense"/ }],
  [
    'PATCH /api/v1/users/:$ada?update_mask=username',
    { email: 'a@b' },
    400,
    { message: /"username" cannot be changed/ },
  ],
  ['PATCH /api/v1/users/nobody', { email: 'a@b' }, 404, { code: 'NOT_FOUND' }],
  ['PATCH /api/v1/users/:$ada', { password: 'better' }, 200, { username: 'ada' }],
  ['POST /api/v1/auth/token', { username: 'ada', password: 'pw' }, 401, { code: 'UNAUTHENTICATED' }],
  [
    'POST /api/v1/auth/token',
    { username: 'no', password: 'pw' },
    401,
    { message: 'no user has this name and password' },
  ],
  ['POST /api/v1/auth/token', { username: 'ada' }, 400, { message: 'password: is empty' }],
  ['POST /api/v1/auth/token', { username: 'ada', password: 'better', ttl_seconds: 0 }, 400, { message: /is 0/ }],
  ['POST /api/v1/auth/token', { username: 'ada', password: 'better' }, 200, { token: '$token', token_type: 'Bearer' }],
  ['POST /api/v1/projects', { name: 'web', org_id: 'acme' }, 201, { id: '$web', description: '' }],
  ['POST /api/v1/projects', { name: 'web', org_id: 'acme' }, 409, { message: /"acme" has a project named "web"/ }],
  ['POST /api/v1/projects', { name: 'web', org_id: 'other', description: 'x' }, 201, { id: '$other' }],
  ['POST /api/v1/projects', { name: 'web' }, 400, { message: /^org_id: is empty/ }],
  ['GET /api/v1/projects', undefined, 200, { projects: [{ org_id: 'acme' }, { org_id: 'other' }] }],
  ['PATCH /api/v1/projects/:$web', { description: 'pages' }, 200, { name: 'web', description: 'pages' }],
  ['PATCH /api/v1/projects/:$web', {}, 200, { name: 'web', description: 'pages' }],
  ['GET /api/v1/projects/:$web', undefined, 200, { name: 'web', description: 'pages' }],
  ['PUT /api/v1/projects/:$web/members/:$ada', { role: 'viewer' }, 200, { username: 'ada', role: 'viewer' }],
  ['PUT /api/v1/projects/:$web/members/:$ada', { role: 'owner' }, 200, { username: 'ada', role: 'owner' }],
  ['PUT /api/v1/projects/:$web/members/:$ada', {}, 400, { message: /^role: is ""/ }],
  ['PUT /api/v1/projects/:$web/members/nobody', { role: 'owner' }, 404, { message: /no user/ }],
  ['PUT /api/v1/projects/nowhere/members/:$ada', { role: 'owner' }, 404, { message: /no project/ }],
  ['GET /api/v1/projects/:$web/members', undefined, 200, { members: [{ role: 'owner' }], next_page_token: '' }],
  ['GET /api/v1/projects/nowhere/members', undefined, 404, { code: 'NOT_FOUND' }],
  ['POST /api/v1/auth/verify', { token: ':$token' }, 200, { valid: true, username: 'ada', reason: '', org_id: 'acme' }],
  ['POST /api/v1/auth/verify', { token: 'abc' }, 200, { valid: false, reason: 'the token is malformed', subject: '' }],
  ['POST /api/v1/auth/verify', {}, 200, { valid: false, reason: 'the token is empty', project_ids: [] }],
  ['DELETE /api/v1/projects/:$web/members/:$bob', undefined, 404, { message: /is no member of this project/ }],
  ['DELETE /api/v1/projects/:$web/members/:$ada', undefined, 200, { deleted: true }],
  ['PUT /api/v1/projects/:$web/members/:$ada', { role: 'owner' }, 200, {}],
  ['DELETE /api/v1/projects/:$web', undefined, 200, { deleted: true }],
  ['DELETE /api/v1/projects/:$web', undefined, 404, { code: 'NOT_FOUND' }],
  ['DELETE /api/v1/users/:$ada', undefined, 200, { deleted: true }],
  ['DELETE /api/v1/users/:$ada', undefined, 404, { code: 'NOT_FOUND' }],
  ['POST /api/v1/auth/verify', { token: ':$token' }, 200, { valid: false, reason: /user is not there any more/ }],
];

void t.test('by REST, every endpoint', async (test) => {
  const { port } = await startCloud(test, iam);
  const rest = await startRest(test, 'iam', port);
  await runRestCases(test, rest, restCases);
  const created = await rest('POST /api/v1/users', { username: 'eve', password: 'secret-word' });
  test.notMatch(created.text, /password|secret-word/, 'a password never comes back');
  const keys = await rest('GET /.well-known/jwks.json');
  test.equal(keys.status, 200);
  test.match(keys.headers, { 'content-type': 'application/json' });
  test.match(keys.json, { keys: [{ kty: 'OKP', alg: 'EdDSA', use: 'sig' }] }, 'an HttpBody: no envelope');
});

void t.test('what is refused', async (test) => {
  const { client } = await startCloud(test, iam);
  const user = await client.call('CreateUser', { username: 'ada', password: 'pw' });
  await runRefusals(test, client, [
    ['CreateUser', { username: '', password: '' }, 'INVALID_ARGUMENT', ['username', 'password']],
    ['CreateUser', { username: 'a b', password: 'p' }, 'INVALID_ARGUMENT', ['username']],
    ['CreateUser', { username: 'a'.repeat(65), password: 'p' }, 'INVALID_ARGUMENT', ['username']],
    ['CreateUser', { username: 'b', password: 'ü'.repeat(513) }, 'INVALID_ARGUMENT', ['password']],
    ['CreateUser', { username: 'b', password: 'p', email: 'a@b@c' }, 'INVALID_ARGUMENT', ['email']],
    ['CreateUser', { username: 'b', password: 'p', org_id: 'a/b' }, 'INVALID_ARGUMENT', ['org_id']],
    ['CreateUser', { username: 'b', password: 'p', request_id: 'ü' }, 'INVALID_ARGUMENT', ['request_id']],
    ['GetUser', { id: "'; --\0" }, 'NOT_FOUND', []],
    ['UpdateUser', {}, 'INVALID_ARGUMENT', ['user']],
    [
      'UpdateUser',
      { user: { id: user.id }, update_mask: { paths: ['password'] } },
      'INVALID_ARGUMENT',
      ['user.password'],
    ],
    [
      'UpdateUser',
      { user: { id: user.id }, update_mask: { paths: ['id', 'x'] } },
      'INVALID_ARGUMENT',
      ['update_mask', 'update_mask'],
    ],
    ['CreateProject', { name: 'a\nb', org_id: 'o', description: '\0' }, 'INVALID_ARGUMENT', ['name', 'description']],
    ['CreateToken', { username: 'ada', password: 'pw', ttl_seconds: 86401n }, 'INVALID_ARGUMENT', ['ttl_seconds']],
    ['CreateToken', { username: 'ada\0', password: 'pw' }, 'UNAUTHENTICATED', []],
    ['CreateToken', { username: 'ada', password: 'pw ' }, 'UNAUTHENTICATED', []],
  ]);
});

void t.test('tokens: what JOSE says, and until when', async (test) => {
  const { client, clock } = await startCloud(test, iam);
  const user = await client.call('CreateUser', { username: 'ada', password: 'pw', org_id: 'acme' });
  const project = await client.call('CreateProject', { name: 'web', org_id: 'acme' });
  await client.call('SetMember', { id: project.id, user_id: user.id, role: 'owner' });
  const issue = (ttl_seconds?: bigint): Promise<Loose> =>
    client.call('CreateToken', { username: 'ada', password: 'pw', ...(ttl_seconds !== undefined && { ttl_seconds }) });
  const verify = (token: string): Promise<Loose> => client.call('VerifyToken', { token });
  const keys = async (): Promise<JSONWebKeySet> => {
    const { data } = await client.call<{ data: Buffer }>('GetJwks');
    return JSON.parse(data.toString()) as JSONWebKeySet;
  };

  const { token, expires_at } = await issue();
  test.equal(Number(expires_at.seconds) * 1000, clock.now() + 3_600_000);
  const set = await keys();
  test.notOk(JSON.stringify(set).includes('"d"'), 'the private part stays here');
  const read = await jwtVerify(token as string, createLocalJWKSet(set), {
    issuer: 'photoncloud-iam',
    audience: 'photoncloud',
    currentDate: new Date(clock.now()),
  });
  test.match(read.payload, { sub: user.id, username: 'ada', org_id: 'acme', project_ids: [project.id], roles: [] });
  test.match(await verify(token as string), { valid: true, subject: user.id, project_ids: [project.id], expires_at });

  const [head, body, signature] = (token as string).split('.') as [string, string, string];
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const forged = Buffer.from(JSON.stringify({ ...read.payload, sub: 'root' })).toString('base64url');
  const bad: [string, string][] = [
    [`${head}.${forged}.${signature}`, "the token's signature is wrong"],
    [`${none}.${body}.`, 'the token is malformed'],
    [`${head}.${body}`, 'the token is malformed'],
    ['x'.repeat(100_000), 'the token is malformed'],
  ];
  for (const [each, reason] of bad) test.match(await verify(each), { valid: false, reason, subject: '' });

  const brief = await issue(10n);
  clock.advance(9_999);
  test.equal((await verify(brief.token as string)).valid, true);
  clock.advance(1);
  test.match(await verify(brief.token as string), { valid: false, reason: 'the token has expired' });

  // A key signs for 30 days; the next takes over while tokens of the last still hold.
  clock.advance(30 * day - 3_600_000);
  const last = await issue(86_400n);
  clock.advance(3_600_000);
  const first = await issue();
  test.not(decodeProtectedHeader(first.token as string).kid, decodeProtectedHeader(last.token as string).kid);
  test.equal((await keys()).keys.length, 2);
  test.equal((await verify(last.token as string)).valid, true);
  clock.advance(day);
  test.equal((await keys()).keys.length, 1);

  const before = await issue();
  await client.call('UpdateUser', { user: { id: user.id, password: 'pw2' } });
  test.match(await verify(before.token as string), { valid: false, reason: /password was changed/ });
  test.equal((await refusal(issue())).code, 'UNAUTHENTICATED');
});

void t.test('pages, repeats, races', async (test) => {
  const { client } = await startCloud(test, iam);
  const create = (name: string, request_id = '', password = 'pw'): Promise<Loose> =>
    client.call('CreateUser', { username: name, password, request_id });
  const racers = await Promise.all(count(8).map(() => refusal(create('racer'))));
  test.same(racers.map(({ code }) => code).sort(), [...count(7).map(() => 'ALREADY_EXISTS'), 'OK'].sort());
  const first = await create('ada', 'r-1');
  test.same(await create('ada', 'r-1'), first, 'a repeat answers as the first did');
  test.same((await refusal(create('ada', 'r-1', 'other'))).fields, ['request_id'], 'with another password it is none');
  const seen: string[] = [];
  for (const n of count(12)) await client.call('CreateProject', { name: `p${n}`, org_id: 'o' });
  let page_token = '';
  do {
    const page = await client.call('ListProjects', { page_size: 5, page_token });
    seen.push(...page.projects.map(({ name }: Loose) => name as string));
    page_token = page.next_page_token as string;
  } while (page_token !== '');
  test.same(
    seen.sort(),
    count(12)
      .map((n) => `p${n}`)
      .sort(),
  );
});

void t.test('a restart keeps users, members, keys; the first administrator is made once', async (test) => {
  const folder = temporaryFolder(test);
  const one = await startCloud(test, iam, { folder });
  const user = await one.client.call('CreateUser', { username: 'ada', password: 'pw' });
  const { token } = await one.client.call('CreateToken', { username: 'ada', password: 'pw' });
  await one.stop();
  const two = await startCloud(test, iam, { folder });
  test.same(await two.client.call('GetUser', { id: user.id }), user);
  test.match(await two.client.call('VerifyToken', { token }), { valid: true, username: 'ada' });
  test.notMatch(two.database.all('SELECT * FROM iam_users'), [{ password: 'pw' }], 'only a hash is kept');

  const database = Database.open(join(temporaryFolder(test), 'photoncloud.db'));
  const options = { host: '127.0.0.1', port: 0, database };
  for (const password of ['first', 'second']) {
    await (await startIam({ ...options, admin: { username: 'root', password } })).close();
  }
  test.match(database.all('SELECT username, roles, password_version FROM iam_users'), [
    { username: 'root', roles: 'admin', password_version: 1n },
  ]);
  database.close();
});
