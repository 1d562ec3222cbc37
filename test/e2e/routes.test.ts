/**
 * The table of test/cases/routes.ts through the whole proxy: each row's rules become annotations of RPCs of their own,
 * and what the service got tells which rule took the request and with which values. One proxy for each set of rules.
 */
import { METHODS } from 'node:http';
import t from 'tap';
import { routeCases, type RouteCase } from '../cases/routes.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { parseTemplate } from '../../lib/rule/template.js';
import { UnescapeError, unescapePath } from '../../lib/uri.js';

/** Rows that a client over HTTP/1.1 cannot send, or that only mean something to the matcher. */
function isSendable({ request }: RouteCase): boolean {
  const [method, target] = request.split(' ') as [string, string];
  return /^\/[\x21-\x7e]*$/.test(target) && target.length < 8000 && METHODS.includes(method);
}

/** Rows by their rules: one proxy for each. */
function groupsOf(rows: readonly RouteCase[]): Map<string, RouteCase[]> {
  const groups = new Map<string, RouteCase[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.rules, row.strictSlash]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}

/** Each rule is an RPC `R<index>` whose request has a string field for each of its variables. */
function protoOf(rules: readonly string[]): string {
  const names = new Set(rules.flatMap((rule) => variablesOf(rule)));
  const rpcs = rules.map((rule, index) => {
    const [method, template] = rule.split(' ') as [string, string];
    const path = JSON.stringify(template);
    return `  rpc R${index}(M) returns (M) { option (google.api.http) = { custom { kind: "${method}" path: ${path} } }; }`;
  });
  const fields = [...names].map((name, index) => `  string ${name} = ${index + 1};`);
  return [
    'syntax = "proto3";',
    'package routes.v1;',
    'import "google/api/annotations.proto";',
    `service Routes {\n${rpcs.join('\n')}\n}`,
    `message M {\n${fields.join('\n')}\n}`,
  ].join('\n');
}

function variablesOf(rule: string): string[] {
  return parseTemplate(rule.slice(rule.indexOf(' ') + 1)).variables.map(({ fieldPath }) => fieldPath);
}

/** The echo's JSON for a rule and the raw text of its variables; undefined where that cannot be decoded, which is 400. */
function valuesOf(rule: string, captures: readonly string[]): Record<string, string> | undefined {
  const { variables } = parseTemplate(rule.slice(rule.indexOf(' ') + 1));
  const values: Record<string, string> = {};
  try {
    variables.forEach(({ fieldPath, multi }, index) => {
      const value = unescapePath(captures[index]!, multi ? 'all_characters_except_slash' : 'all_characters');
      if (value !== '') values[fieldPath] = value;
    });
  } catch (error) {
    if (error instanceof UnescapeError) return undefined;
    throw error;
  }
  return values;
}

/** What became of a row's request, to compare with `wanted`. */
function outcome({ request, expect }: RouteCase, proxy: TestProxy, response: TestResponse): unknown {
  if ('status' in expect) {
    // An OPTIONS that no rule takes is answered with the list that a 405 would have.
    const status = response.status === 204 && request.startsWith('OPTIONS ') ? 405 : response.status;
    return status === 405 ? { status, allow: response.headers['allow'] } : { status };
  }
  const { rule, captures = [] } = expect;
  const values = valuesOf(rule, captures);
  if (values === undefined) return response.status === 400 ? expect : { status: response.status };
  const call = proxy.service.calls.at(-1);
  return {
    path: call?.path,
    status: response.status,
    values: request.startsWith('HEAD ') ? undefined : response.json,
  };
}

/** What should become of it: the rule's RPC was called and got the decoded values, or nothing was. */
function wanted({ request, rules, expect }: RouteCase): unknown {
  if ('status' in expect) return expect;
  const values = valuesOf(expect.rule, expect.captures ?? []);
  if (values === undefined) return expect;
  return {
    path: `/routes.v1.Routes/R${rules.indexOf(expect.rule)}`,
    status: 200,
    values: request.startsWith('HEAD ') ? undefined : values,
  };
}

void t.test('the table of routes', async (t) => {
  for (const rows of groupsOf(routeCases.filter(isSendable)).values()) {
    const { rules, strictSlash = false } = rows[0]!;
    const proxy = await startTestProxy(protoOf(rules), { strictSlash, index: false });
    for (const row of rows) {
      proxy.service.calls.length = 0;
      const response = await proxy.send(row.request);
      t.strictSame(outcome(row, proxy, response), wanted(row), `${row.name}: ${response.text}`);
      if ('status' in row.expect) t.equal(proxy.service.calls.length, 0, `${row.name}: nothing is called`);
    }
    await proxy.close();
  }
});
