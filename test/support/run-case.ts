/** Runs one row of a table of requests: what was sent is what the service got, or the error is the one that the row tells. */
import type { Test } from 'tap';
import type { ValueCase } from '../cases/values.js';
import type { TestProxy } from './proxy.js';

interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly { readonly fieldViolations?: readonly { readonly field: string }[] }[];
}

export async function runCase(t: Test, proxy: TestProxy, row: ValueCase): Promise<void> {
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
