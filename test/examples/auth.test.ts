/**
 * PhotonCloud as `npm start -- --auth` brings it up: the proxy checks IAM's tokens by IAM's own keys, some calls need a role,
 * and services hear who calls. All by HTTP, through all of it.
 */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { decodeJwt } from 'jose';
import t, { type Test } from 'tap';
import { type AuthOptions, type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { seed } from '../../examples/photoncloud/seed.js';
import { temporaryFolder } from '../support/photoncloud.js';
import { send, type TestResponse } from '../support/proxy.js';

interface GuardedCloud extends PhotonCloud {
  /** `iam POST /api/v1/users`, with a body and a token. */
  call(serviceAndTarget: string, body?: object, token?: string): Promise<TestResponse>;
  tokenOf(username: string, password: string): Promise<string>;
}

async function start(test: Test, dataDir: string, auth: AuthOptions = {}): Promise<GuardedCloud> {
  const cloud = await startCloud({ host: '127.0.0.1', dataDir, freePorts: true, auth });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= cloud.close());
  test.teardown(close);
  const call: GuardedCloud['call'] = (serviceAndTarget, body, token) => {
    const [service, method, target] = serviceAndTarget.split(' ') as [string, string, string];
    const { url } = cloud.services.find(({ name }) => name === service)!;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return send(url, `${method} ${target}`, { headers, ...(body && { body: JSON.stringify(body) }) });
  };
  const tokenOf = async (username: string, password: string): Promise<string> => {
    const { json } = await call('iam POST /api/v1/auth/token', { username, password });
    return (json as { data: { token: string } }).data.token;
  };
  return { ...cloud, close, call, tokenOf };
}

void t.test('from the first start to a user’s own calls; a restart keeps administrator and keys', async (test) => {
  const folder = temporaryFolder(test);
  const one = await start(test, folder);
  const { username, password } = one.admin!;
  test.match(password, /^[\w-]{16}$/, 'made at random');

  const none = await one.call('chainfire GET /api/v1/kv');
  test.match(none, { status: 401, json: { error: { code: 'UNAUTHENTICATED', message: /this needs a token/ } } });
  test.match(none.headers['www-authenticate'], /^Bearer /);
  for (const { name } of one.services) {
    test.equal((await one.call(`${name} GET /health`)).status, 200, name);
    test.equal((await send(one.url, `GET /${name}/health`)).status, 200, name);
    test.equal((await send(one.url, `GET /${name}/api/v1/x`)).status, 404, name);
  }
  test.match(await one.call('iam GET /.well-known/jwks.json'), { status: 200, json: { keys: [{ kty: 'OKP' }] } });
  test.match(await one.call('iam POST /api/v1/auth/token', { username, password: 'wrong' }), { status: 401 });

  const admin = await one.tokenOf(username, password);
  test.match(decodeJwt(admin), { iss: 'photoncloud-iam', aud: 'photoncloud', roles: ['admin'], username });
  test.match(await one.call('iam POST /api/v1/auth/verify', { token: admin }), {
    json: { data: { valid: true, roles: ['admin'] } },
  });
  const grace = { username: 'grace', password: 'nanosecond', org_id: 'acme' };
  test.match(await one.call('iam POST /api/v1/users', grace), { status: 401 });
  test.match(await one.call('iam POST /api/v1/users', grace, admin), { status: 201 });

  const token = await one.tokenOf('grace', 'nanosecond');
  const put = await one.call('chainfire PUT /api/v1/kv/greeting', { value: 'hello' }, token);
  test.equal(put.status, 200, put.text);
  test.match(await one.call('chainfire GET /api/v1/kv/greeting', undefined, token), {
    json: { data: { value: 'hello' } },
  });
  const below = await send(one.url, 'GET /chainfire/api/v1/kv/greeting', {
    headers: { authorization: `Bearer ${token}` },
  });
  test.equal(below.status, 200, 'on the port of all');
  test.equal((await send(one.url, 'GET /chainfire/api/v1/kv/greeting')).status, 401);

  const project = { name: 'p', org_id: 'acme' };
  const forbidden: readonly [string, object?][] = [
    ['iam GET /api/v1/users'],
    ['iam POST /api/v1/users', { username: 'eve', password: 'x' }],
    ['iam POST /api/v1/projects', project],
    ['creditservice POST /api/v1/wallets', { project_id: 'p', org_id: 'acme', initial_balance: '1' }],
    ['chainfire POST /api/v1/cluster/members', { name: 'x', peer_addr: 'x:1' }],
    ['deployer GET /api/v1/machines'],
  ];
  for (const [target, body] of forbidden) {
    const refused = await one.call(target, body, token);
    const { error } = refused.json as { error: { message: string } };
    test.match(refused, { status: 403, json: { error: { code: 'PERMISSION_DENIED' } } }, target);
    test.match(error.message, /needs a token whose claim "roles" has "admin"; this one has no such claim/, target);
    test.ok((await one.call(target, body, admin)).status < 300, `${target} by the administrator`);
  }
  test.equal((await one.call('deployer POST /api/v1/machines/m1/phone_home', { hostname: 'm1' }, token)).status, 200);

  const { call } = grpcTo(test, one);
  test.equal((await call('/iam.v1.IamService/ListUsers'))?.code, 16, 'native gRPC is no way round');
  test.equal((await call('/iam.v1.IamService/ListUsers', token))?.code, 7);
  test.equal(await call('/iam.v1.IamService/ListUsers', admin), undefined);

  test.match(await seed(one.services, admin), /organization acme/);
  await one.close();

  const two = await start(test, folder, { adminPassword: 'another' });
  test.equal(two.admin, undefined, 'there is one already');
  test.equal(
    (await two.call('chainfire GET /api/v1/kv/greeting', undefined, token)).status,
    200,
    'the old token is good',
  );
  test.match(await two.call('iam POST /api/v1/auth/token', { username, password: 'another' }), { status: 401 });
  test.ok(await two.tokenOf(username, password));
});

/** Calls IAM by gRPC, with no message. */
function grpcTo(test: Test, cloud: PhotonCloud) {
  const { host } = new URL(cloud.services.find(({ name }) => name === 'iam')!.url);
  const client = new Client(host, credentials.createInsecure());
  test.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (path: string, token?: string): Promise<ServiceError | undefined> => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return new Promise((resolve) => {
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (error) => resolve(error ?? undefined));
    });
  };
  return { call };
}

void t.test('where there are users, but no administrator; and nothing of it without --auth', async (test) => {
  const folder = temporaryFolder(test);
  const open = await startCloud({ host: '127.0.0.1', dataDir: folder, freePorts: true });
  test.equal(open.admin, undefined);
  const iam = open.services.find(({ name }) => name === 'iam')!.url;
  const body = JSON.stringify({ username: 'ada', password: 'pw' });
  test.equal((await send(iam, 'POST /api/v1/users', { body })).status, 201, 'everybody may');
  await open.close();
  const guarded = await start(test, folder, { adminPassword: 'chosen' });
  test.match(guarded.admin, { username: 'admin', password: 'chosen' });
  const users = await guarded.call('iam GET /api/v1/users', undefined, await guarded.tokenOf('admin', 'chosen'));
  test.match(users, { json: { data: { users: [{ username: 'ada', roles: [] }, { username: 'admin' }] } } });
});
