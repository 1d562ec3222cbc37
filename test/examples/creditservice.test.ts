/**
 * CreditService, the reference service: every RPC by REST through the proxy and over gRPC, what it refuses, expiry,
 * repeats, and that the money adds up under concurrency, after a restart and after being killed in the midst of it.
 */
import t from 'tap';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { systemClock } from '../../examples/photoncloud/lib/clock.js';
import {
  CloudClient,
  count,
  type Loose,
  type RestCase,
  runRefusals,
  runRestCases,
  startCloud,
  startRest,
  temporaryFolder,
} from '../support/photoncloud.js';
import { addsUp } from '../support/wallets.js';
import { refusal } from '../support/refusal.js';
import { spawnProcess } from '../support/service-process.js';
import { until } from '../support/until.js';

const credit = {
  entry: 'creditservice',
  file: 'creditservice/v1/creditservice.proto',
  service: 'creditservice.v1.CreditService',
};
const schema = Schema.load([credit.file]);

const wallets = '/api/v1/wallets';
const reservations = '/api/v1/reservations';
const restCases: RestCase[] = [
  [
    `POST ${wallets}`,
    { project_id: 'p1', org_id: 'acme', initial_balance: 1000 },
    201,
    { balance: '1000', reserved: '0', available: '1000', status: 'ACTIVE' },
  ],
  [`POST ${wallets}`, { project_id: 'p1', org_id: 'acme' }, 409, { code: 'ALREADY_EXISTS' }],
  [`POST ${wallets}`, { project_id: 'p2', org_id: 'other' }, 201, { balance: '0', status: 'DEPLETED' }],
  [`POST ${wallets}`, { org_id: 'x', initial_balance: -1 }, 400, { message: /project_id: .*; initial_balance: is -1/ }],
  [`GET ${wallets}`, undefined, 200, { wallets: [{ project_id: 'p1' }, { project_id: 'p2' }], next_page_token: '' }],
  [`GET ${wallets}?org_id=other`, undefined, 200, { wallets: [{ project_id: 'p2' }] }],
  [`GET ${wallets}?org_id=a%2Fb`, undefined, 400, { message: /^org_id: is "a\/b"/ }],
  [`GET ${wallets}?page_size=1`, undefined, 200, { wallets: [{ project_id: 'p1' }], next_page_token: '$page' }],
  [`GET ${wallets}?page_token=:$page`, undefined, 200, { wallets: [{ project_id: 'p2' }] }],
  [`GET ${wallets}?page_token=:$page&org_id=acme`, undefined, 400, { message: /^page_token: / }],
  [`GET ${wallets}/p1`, undefined, 200, { project_id: 'p1', balance: '1000' }],
  [`GET ${wallets}/p3`, undefined, 404, { message: 'project "p3" has no wallet' }],
  [`POST ${wallets}/p1/topup`, { amount: '500', description: 'gift' }, 200, { balance: '1500', available: '1500' }],
  [`POST ${wallets}/p1/topup`, { amount: 0 }, 400, { message: /^amount: is 0/ }],
  [`POST ${wallets}/p3/topup`, { amount: 5 }, 404, { code: 'NOT_FOUND' }],
  [
    `POST ${reservations}`,
    { project_id: 'p1', amount: 600, description: 'a vm', resource_type: 'vm', ttl_seconds: 60 },
    201,
    { id: '$one', status: 'PENDING', amount: '600', expires_at: '2026-01-01T00:01:00Z' },
  ],
  [`GET ${wallets}/p1`, undefined, 200, { balance: '1500', reserved: '600', available: '900' }],
  [
    `POST ${reservations}`,
    { project_id: 'p1', amount: 901 },
    400,
    {
      code: 'FAILED_PRECONDITION',
      message: 'too little credit: 900 available, 901 asked for; top up the wallet',
      details: [{ '@type': /PreconditionFailure$/, violations: [{ type: 'INSUFFICIENT_CREDIT' }] }],
    },
  ],
  [`POST ${reservations}`, { project_id: 'p3', amount: 1 }, 404, { code: 'NOT_FOUND' }],
  [`POST ${reservations}`, { project_id: 'p1', amount: 900 }, 201, { id: '$two', expires_at: '2026-01-01T01:00:00Z' }],
  [`GET ${reservations}?project_id=p1`, undefined, 200, { reservations: [{ amount: '600' }, { amount: '900' }] }],
  [`GET ${reservations}?status=COMMITTED`, undefined, 200, { reservations: [] }],
  [`GET ${reservations}?status=NONSENSE`, undefined, 400, { code: 'INVALID_ARGUMENT' }],
  [`GET ${reservations}?status=9`, undefined, 400, { message: /^status: is 9, expected PENDING, / }],
  [`GET ${reservations}/:$one`, undefined, 200, { status: 'PENDING', description: 'a vm', resource_type: 'vm' }],
  [`GET ${reservations}/none`, undefined, 404, { code: 'NOT_FOUND' }],
  [`POST ${reservations}/:$one/commit`, { actual_amount: 601 }, 400, { code: 'FAILED_PRECONDITION', message: /600/ }],
  [`POST ${reservations}/:$one/commit`, {}, 400, { message: /^actual_amount: is missing/ }],
  [
    `POST ${reservations}/:$one/commit`,
    { actual_amount: '450', resource_id: 'vm-1' },
    200,
    { status: 'COMMITTED', actual_amount: '450', resource_id: 'vm-1' },
  ],
  [`POST ${reservations}/:$one/commit`, { actual_amount: 450 }, 400, { message: /is COMMITTED, only a PENDING one/ }],
  [`POST ${reservations}/:$one/release`, {}, 400, { code: 'FAILED_PRECONDITION' }],
  [`POST ${reservations}/:$two/release`, { reason: 'changed my mind' }, 200, { status: 'RELEASED' }],
  [`POST ${reservations}/none/release`, {}, 404, { code: 'NOT_FOUND' }],
  [`GET ${reservations}?status=RELEASED`, undefined, 200, { reservations: [{ reason: 'changed my mind' }] }],
  [`GET ${wallets}/p1`, undefined, 200, { balance: '1050', reserved: '0', available: '1050' }],
  [
    `GET ${wallets}/p1/transactions`,
    undefined,
    200,
    {
      transactions: [
        { type: 'INITIAL', amount: '1000', balance_after: '1000' },
        { type: 'TOPUP', amount: '500', balance_after: '1500', description: 'gift' },
        { type: 'CHARGE', amount: '-450', balance_after: '1050', description: 'a vm' },
      ],
      next_page_token: '',
    },
  ],
  [`GET ${wallets}/p1/transactions?page_size=2`, undefined, 200, { next_page_token: '$rest' }],
  [`GET ${wallets}/p1/transactions?page_token=:$rest`, undefined, 200, { transactions: [{ type: 'CHARGE' }] }],
  [`GET ${wallets}/p3/transactions`, undefined, 404, { code: 'NOT_FOUND' }],
  [`POST ${wallets}/p2/topup`, { amount: 7, request_id: 'r1' }, 200, { balance: '7' }],
  [`POST ${wallets}/p2/topup`, { amount: 7, request_id: 'r1' }, 200, { balance: '7' }],
  [`POST ${wallets}/p2/topup`, { amount: 8, request_id: 'r1' }, 400, { message: /^request_id: / }],
];

void t.test('by REST, every endpoint', async (test) => {
  const { port, client } = await startCloud(test, credit);
  await runRestCases(test, await startRest(test, 'creditservice', port), restCases);
  await addsUp(test, client);
});

void t.test('limits and odd requests', async (test) => {
  const { client } = await startCloud(test, credit);
  const most = 10n ** 15n;
  await client.call('CreateWallet', { project_id: 'p', org_id: 'o', initial_balance: most });
  const { id } = await client.call('CreateReservation', { project_id: 'p', amount: most });
  await runRefusals(test, client, [
    [
      'CreateWallet',
      { project_id: 'q', org_id: 'o', initial_balance: most + 1n },
      'INVALID_ARGUMENT',
      ['initial_balance'],
    ],
    ['CreateWallet', { project_id: 'a/b', org_id: '' }, 'INVALID_ARGUMENT', ['project_id', 'org_id']],
    ['TopUpWallet', { project_id: 'p', amount: 2n ** 62n }, 'INVALID_ARGUMENT', ['amount']],
    ['TopUpWallet', { project_id: 'p', amount: -1n, description: '\0' }, 'INVALID_ARGUMENT', ['amount', 'description']],
    ['TopUpWallet', { project_id: 'p\0', amount: 1n }, 'NOT_FOUND', []],
    ['CreateReservation', { project_id: 'p', amount: 1n }, 'FAILED_PRECONDITION', [], /0 available, 1 asked for/],
    ['CreateReservation', { project_id: 'p', amount: 1n, ttl_seconds: 0n }, 'INVALID_ARGUMENT', ['ttl_seconds']],
    ['CreateReservation', { project_id: 'p', amount: 1n, ttl_seconds: 2678401n }, 'INVALID_ARGUMENT', ['ttl_seconds']],
    ['CommitReservation', { id, actual_amount: -1n }, 'INVALID_ARGUMENT', ['actual_amount']],
    ['CommitReservation', { id, actual_amount: most + 1n }, 'FAILED_PRECONDITION', []],
    ['CommitReservation', { id: 'x\0', actual_amount: 1n }, 'NOT_FOUND', []],
    ['ListReservations', { project_id: 'a b' }, 'INVALID_ARGUMENT', ['project_id']],
  ]);
  await client.call('CommitReservation', { id, actual_amount: 0n });
  const { transactions } = await client.call('ListTransactions', { project_id: 'p' });
  test.equal(transactions.length, 1, 'a charge of nothing is no transaction');
  await addsUp(test, client);
});

void t.test('reservations run out, at the first look and after a restart', async (test) => {
  const folder = temporaryFolder(test);
  const { client, clock, stop } = await startCloud(test, credit, { folder });
  await client.call('CreateWallet', { project_id: 'p', org_id: 'o', initial_balance: 100n });
  const reserve = (amount: bigint, ttl_seconds: bigint): Promise<Loose> =>
    client.call('CreateReservation', { project_id: 'p', amount, ttl_seconds });
  const short = await reserve(60n, 10n);
  const long = await reserve(40n, 100n);
  clock.advance(9_999);
  test.equal((await client.call('GetReservation', { id: short.id })).status, 'PENDING', 'to the last millisecond');
  clock.advance(1);
  test.match(await refusal(client.call('CommitReservation', { id: short.id, actual_amount: 1n })), {
    code: 'FAILED_PRECONDITION',
    message: /is EXPIRED, only a PENDING one can be committed/,
  });
  test.match(await client.call('GetWallet', { project_id: 'p' }), { balance: 100n, reserved: 40n, available: 60n });
  test.match(await reserve(60n, 1000n), { status: 'PENDING' }, 'what has run out can be reserved again');
  await stop();
  const later = { ...systemClock, now: () => clock.now() + 90_000 };
  const again = await startCloud(test, credit, { folder, clock: later });
  test.equal((await again.client.call('GetReservation', { id: long.id })).status, 'EXPIRED');
  test.match((await addsUp(test, again.client)).get('p'), { balance: 100n, reserved: 60n });
});

void t.test('many at once: credit is never spent twice', async (test) => {
  const { client } = await startCloud(test, credit);
  await client.call('CreateWallet', { project_id: 'p', org_id: 'o', initial_balance: 100n });
  const made = await Promise.all(
    count(40).map((n) =>
      client
        .call('CreateReservation', { project_id: 'p', amount: 10n, request_id: `r${n % 20}` })
        .catch(() => undefined),
    ),
  );
  const ids = [...new Set(made.filter((each) => each !== undefined).map(({ id }) => id as string))];
  test.equal(ids.length, 10, 'ten of ten, and a repeat is no second one');
  const outcomes = await Promise.all(
    ids.flatMap((id) => [
      refusal(client.call('CommitReservation', { id, actual_amount: 7n })),
      refusal(client.call('CommitReservation', { id, actual_amount: 8n })),
      refusal(client.call('ReleaseReservation', { id })),
    ]),
  );
  test.equal(outcomes.filter(({ code }) => code === 'OK').length, 10, 'of commits and a release, one wins');
  test.equal(outcomes.filter(({ code }) => code === 'FAILED_PRECONDITION').length, 20);
  const wallet = (await addsUp(test, client)).get('p');
  test.equal(wallet.reserved, 0n);
  const first = await client.call('CreateReservation', { project_id: 'p', amount: 5n });
  const commit = (): Promise<Loose> =>
    client.call('CommitReservation', { id: first.id, actual_amount: 5n, request_id: 'once' });
  const answers = await Promise.all(count(5).map(commit));
  test.same(
    answers,
    count(5).map(() => answers[0]),
    'repeats of one commit answer alike',
  );
  test.equal((await client.call('GetWallet', { project_id: 'p' })).balance, wallet.balance - 5n);
});

void t.test('killed while money moves: what was acknowledged is there, once', async (test) => {
  const folder = temporaryFolder(test);
  const acknowledged = new Map<string, bigint>(); // request id → amount, of top-ups
  const charged = new Map<string, bigint>(); // reservation → amount
  const unsure = new Set<string>(); // request ids of top-ups that were cut off
  for (const round of count(3)) {
    const { port, kill } = await spawnProcess(test, credit.entry, folder);
    const client = new CloudClient(port, schema, credit.service);
    const topUp = (request_id: string): Promise<Loose> =>
      client.call('TopUpWallet', { project_id: 'p', amount: 3n, request_id });
    if (round === 0) await client.call('CreateWallet', { project_id: 'p', org_id: 'o', initial_balance: 1000n });
    // What was cut off last time is sent again: whether it had happened or not, it counts once.
    for (const id of unsure) {
      await topUp(id);
      acknowledged.set(id, 3n);
    }
    unsure.clear();
    let alive = true;
    const spend = async (): Promise<void> => {
      while (alive) {
        const { id } = await client.call('CreateReservation', { project_id: 'p', amount: 2n });
        await client.call('CommitReservation', { id, actual_amount: 1n });
        charged.set(id as string, 1n);
      }
    };
    const earn = async (writer: number): Promise<void> => {
      for (let n = 0; alive; n++) {
        const id = `${round}-${writer}-${n}`;
        unsure.add(id);
        await topUp(id);
        unsure.delete(id);
        acknowledged.set(id, 3n);
      }
    };
    const writers = count(6).map((n) => (n % 2 === 0 ? spend() : earn(n)).catch(() => undefined));
    const [earned, spent] = [acknowledged.size, charged.size];
    await until(() => acknowledged.size > earned + 5 && charged.size > spent + 5, 'some of each');
    await kill();
    alive = false;
    await Promise.all(writers);
    client.close();
  }
  test.ok(acknowledged.size > 10 && charged.size > 10, `${acknowledged.size} top-ups, ${charged.size} charges`);
  const { client } = await startCloud(test, credit, { folder, clock: systemClock });
  for (const id of unsure) {
    await client.call('TopUpWallet', { project_id: 'p', amount: 3n, request_id: id });
    acknowledged.set(id, 3n);
  }
  const wallet = (await addsUp(test, client)).get('p');
  let committed = 0n;
  for (const [id, amount] of charged) {
    const found = await client.call('GetReservation', { id });
    if (found.status !== 'COMMITTED' || found.actual_amount !== amount) test.match(found, { status: 'COMMITTED' });
  }
  let page_token = '';
  do {
    const page = await client.call('ListReservations', { status: 'COMMITTED', page_size: 1000, page_token });
    committed += BigInt(page.reservations.length as number);
    page_token = page.next_page_token as string;
  } while (page_token !== '');
  test.ok(committed - BigInt(charged.size) <= 9n, 'at most the commits that were cut off happened unheard');
  test.equal(wallet.balance, 1000n + 3n * BigInt(acknowledged.size) - committed);
});
