/** The tables of test/cases/values.ts through the whole proxy: what was sent is what the service got. */
import t from 'tap';
import { bodyCases, pathCases, queryCases, responseCases, valuesProto } from '../cases/values.js';
import { optionCases, sentenceCases } from '../cases/sentences.js';
import { startTestProxy } from '../support/proxy.js';
import { runCase } from '../support/run-case.js';

void t.test('values', async (t) => {
  const proxy = await startTestProxy(valuesProto);
  t.teardown(() => proxy.close());
  for (const [name, rows] of Object.entries({ pathCases, queryCases, bodyCases, responseCases, ...sentenceCases })) {
    await t.test(name, async (t) => {
      for (const row of rows) await runCase(t, proxy, row);
    });
  }
});

void t.test('options', async (t) => {
  for (const { name, options, rows } of optionCases) {
    await t.test(name, async (t) => {
      const proxy = await startTestProxy(valuesProto, options);
      t.teardown(() => proxy.close());
      for (const row of rows) await runCase(t, proxy, row);
    });
  }
});

void t.test('a form of many elements comes through in their order, a bad one gets a short answer', async (t) => {
  const proxy = await startTestProxy(valuesProto, { maxFormParts: 100_000 });
  t.teardown(() => proxy.close());
  const post = (body: string) =>
    proxy.send('POST /post', { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  const count = 60_000;
  const numbers = Array.from({ length: count }, (_, index) => count - 1 - index);
  for (const pairOf of [(n: number) => `items[${n}].id=${n}`, (n: number) => `labels.${n}=${n}`]) {
    const response = await post(numbers.map(pairOf).join('&'));
    t.equal(response.status, 200);
    const { items } = response.json as { items?: readonly { readonly id: string }[] };
    if (items !== undefined) {
      t.equal(items.length, count);
      t.ok(
        items.every(({ id }, index) => id === String(index)),
        'in the order of the indices',
      );
    }
  }
  for (const body of ['nope=1&'.repeat(100_000), `${'x'.repeat(1_000_000)}=1`, `labels.${'x'.repeat(1_000_000)}=%`]) {
    const response = await post(body);
    t.equal(response.status, 400);
    t.ok(response.text.length < 10_000, `${response.text.length} characters`);
  }
});
