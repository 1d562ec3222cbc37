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
