/** The tables of test/cases/values.ts through the whole proxy: what was sent is what the service got. */
import t, { type Test } from 'tap';
import { bodyCases, pathCases, queryCases, responseCases, type ValueCase, valuesProto } from '../cases/values.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly { readonly fieldViolations?: readonly { readonly field: string }[] }[];
}

async function run(t: Test, proxy: TestProxy, row: ValueCase): Promise<void> {
  const response = await proxy.send(row.request, {
    ...(row.headers === undefined ? {} : { headers: row.headers }),
    ...(row.body === undefined ? {} : { body: row.body }),
  });
  if (row.error === undefined) {
    t.equal(response.status, row.status ?? 200, `${row.name}: ${response.text}`);
    t.strictSame(response.json, row.json, row.name);
    return;
  }
  const error = response.json as ErrorBody;
  t.equal(response.status, row.status ?? 400, `${row.name}: ${response.text}`);
  t.match(error.message, row.error, row.name);
  if (row.fields === undefined) return;
  const fields = (error.details ?? [])
    .flatMap(({ fieldViolations }) => fieldViolations ?? [])
    .map(({ field }) => field);
  t.strictSame(fields, row.fields, `${row.name}: ${error.message}`);
}

void t.test('values', async (t) => {
  const proxy = await startTestProxy(valuesProto);
  t.teardown(() => proxy.close());
  for (const [name, rows] of Object.entries({ pathCases, queryCases, bodyCases, responseCases })) {
    await t.test(name, async (t) => {
      for (const row of rows) await run(t, proxy, row);
    });
  }
});

void t.test('a form of many elements takes no longer than its length, a bad one no longer answer', async (t) => {
  const proxy = await startTestProxy(valuesProto);
  t.teardown(() => proxy.close());
  const post = (body: string) =>
    proxy.send('POST /post', { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  const count = 60_000;
  const numbers = Array.from({ length: count }, (_, index) => count - 1 - index);
  for (const pairOf of [(n: number) => `items[${n}].id=${n}`, (n: number) => `labels.${n}=${n}`]) {
    const start = performance.now();
    const response = await post(numbers.map(pairOf).join('&'));
    t.equal(response.status, 200);
    t.ok(performance.now() - start < 3000, `${performance.now() - start} ms`);
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
