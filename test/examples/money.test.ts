/** CreditService under many requests at once and with odd amounts, by REST: each counts once, and it all adds up. */
import t from 'tap';
import { count, type Loose, startCloud, startRest } from '../support/photoncloud.js';
import { addsUp } from '../support/wallets.js';

const credit = {
  entry: 'creditservice',
  file: 'creditservice/v1/creditservice.proto',
  service: 'creditservice.v1.CreditService',
};
const wallets = '/api/v1/wallets';
const reservations = '/api/v1/reservations';

void t.test('200 requests at once on one wallet, by REST: each counts once', async (test) => {
  const { port, client } = await startCloud(test, credit);
  const rest = await startRest(test, 'creditservice', port);
  const codes = (answers: readonly { status: number }[]): number[] => answers.map(({ status }) => status).sort();
  const times = <T>(n: number, value: T): T[] => count(n).map(() => value);
  await rest(`POST ${wallets}`, { project_id: 'p', org_id: 'o', initial_balance: 100 });

  // Every request id comes twice at the same time, and moves money once.
  const topUps = count(100).flatMap((n) => times(2, { amount: n + 1, request_id: `t${n}` }));
  const answers = await Promise.all(topUps.map((body) => rest(`POST ${wallets}/p/topup`, body)));
  test.same(codes(answers), times(200, 200));
  for (const n of count(100)) {
    const [one, two] = answers.slice(2 * n, 2 * n + 2).map(({ json }) => (json as Loose).data);
    test.same(one, two, `t${n}`);
  }
  const total = 100n + 5050n;
  test.equal((await addsUp(test, client)).get('p').balance, total);

  // 200 times 50 of 5150: no more than 103 can be had.
  const held = await Promise.all(count(200).map(() => rest(`POST ${reservations}`, { project_id: 'p', amount: 50 })));
  test.same(codes(held), [...times(103, 201), ...times(97, 400)]);
  test.match((await addsUp(test, client)).get('p'), { balance: total, reserved: 5150n, available: 0n });

  // Each is committed, committed again and released, all at once: one of the three wins.
  const ids = held.filter(({ status }) => status === 201).map(({ json }) => (json as Loose).data.id as string);
  const ends = await Promise.all(
    ids.flatMap((id) => [
      rest(`POST ${reservations}/${id}/commit`, { actual_amount: 30 }),
      rest(`POST ${reservations}/${id}/release`, {}),
      rest(`POST ${reservations}/${id}/commit`, { actual_amount: 20 }),
    ]),
  );
  test.same(codes(ends), [...times(103, 200), ...times(206, 400)]);
  const charged = ends
    .filter(({ status }) => status === 200)
    .reduce((sum, { json }) => sum + BigInt((json as Loose).data.actual_amount as string), 0n);
  test.match((await addsUp(test, client)).get('p'), { balance: total - charged, reserved: 0n });
});

void t.test('amounts at the ends of int64, by REST', async (test) => {
  const { port, client } = await startCloud(test, credit);
  const rest = await startRest(test, 'creditservice', port);
  await rest(`POST ${wallets}`, { project_id: 'p', org_id: 'o', initial_balance: 10 });
  const { json } = await rest(`POST ${reservations}`, { project_id: 'p', amount: 10 });
  const { id } = (json as Loose).data;
  const amounts = ['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-1', '1.5', '1e19', '', 'x'];
  for (const amount of amounts) {
    for (const [target, body] of [
      [`${wallets}/p/topup`, { amount }],
      [reservations, { project_id: 'p', amount }],
      [`${reservations}/${id}/commit`, { actual_amount: amount }],
      [wallets, { project_id: 'q', org_id: 'o', initial_balance: amount }],
    ] as const) {
      test.equal((await rest(`POST ${target}`, body)).status, 400, `${target} ${amount}`);
    }
  }
  for (const body of [{}, { amount: 0 }, { amount: null }]) {
    test.equal((await rest(`POST ${wallets}/p/topup`, body)).status, 400, JSON.stringify(body));
  }
  test.equal((await rest(`POST ${reservations}/${id}/commit`, { actual_amount: 11 })).status, 400);
  test.match((await addsUp(test, client)).get('p'), { balance: 10n, reserved: 10n });
});
