/**
 * The alert rules and the dashboard of examples/monitoring ask for metrics and labels that a running proxy has. promtool and
 * Prometheus itself read them in CI: test/monitoring.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { SummedMetrics } from '../../lib/telemetry/index.js';
import {
  alertExpressions,
  alerts,
  groupingOf,
  monitoring,
  panelExpressions,
  type Rules,
  rules,
  selectorsOf,
} from '../monitoring/expressions.js';
import { certificate } from '../support/certificates.js';
import { startEchoService } from '../support/echo-service.js';
import { parseMetrics } from '../support/prometheus.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere } from '../support/serve-here.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello {
  rpc Say(Msg) returns (Msg) { option (google.api.http) = { post: "/v1/hello" body: "*" }; }
  rpc Watch(Msg) returns (stream Msg) { option (google.api.http) = { get: "/v1/watch" }; }
}
message Msg { string name = 1; }
`;

/** Added by Prometheus, or by an expression itself. */
const added = new Set(['job', 'instance', 'class']);

void t.test('every metric and label is there', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const tls = `tls: { cert: ${certificate('server')}, key: ${certificate('server-key')} }`;
  const folder = t.testdir({
    'a.proto': proto,
    'p.yaml': `
proto: [a.proto]
upstreams: { default: '${service.target}' }
admin: 127.0.0.1:0
listeners: [{ listen: 127.0.0.1:0 }, { listen: 127.0.0.1:0, ${tls} }]
`,
  });
  const here = await serveHere(['--config', 'p.yaml'], folder);
  t.teardown(() => here.stop());
  const admin = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!['url']);
  const [plain = '', encrypted = ''] = here.urls;
  await send(plain, 'POST /v1/hello', { body: '{"name":"Ada"}' });
  await send(plain, 'GET /v1/watch');
  // That port speaks TLS only: a refused request.
  await send(encrypted, 'GET /v1/watch').catch(() => undefined);
  await until(async () => (await send(admin, 'GET /metrics')).text.includes('reason="'), 'the refusal');
  const ofOneProcess = (await send(admin, 'GET /metrics')).text;
  const ofWorkers = await new SummedMetrics({ families: () => Promise.resolve([]) }, 1).scrape(undefined, []);
  const labelsOf = new Map<string, Set<string>>();
  for (const [name, { type, samples }] of [...parseMetrics(ofOneProcess), ...parseMetrics(ofWorkers.text)]) {
    for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) {
      const full = name + suffix;
      const own = samples.filter((sample) => sample.name === full);
      labelsOf.set(full, new Set(own.flatMap(({ labels }) => Object.keys(labels))));
    }
  }
  // Prometheus's own.
  labelsOf.set('up', new Set());
  const expressions = [...alertExpressions, ...panelExpressions];
  t.ok(expressions.length > 30, 'they are found');
  for (const expression of expressions) {
    const selectors = selectorsOf(expression);
    t.ok(selectors.length > 0, `${expression.name} asks for a metric`);
    for (const { metric, labels } of selectors) {
      const known = labelsOf.get(metric);
      if (known === undefined) t.fail(`${expression.name}: there is no metric ${metric}`);
      t.same(
        labels.filter((label) => !added.has(label) && !known?.has(label)),
        [],
        `${expression.name}: labels of ${metric}`,
      );
    }
    const known = new Set(selectors.flatMap(({ metric }) => [...(labelsOf.get(metric) ?? [])]));
    t.same(
      groupingOf(expression).filter((label) => !added.has(label) && !known.has(label)),
      [],
      `${expression.name}: groups`,
    );
  }
});

void t.test('the operator of Kubernetes gets the same rules', (t) => {
  const file = `${monitoring}../kubernetes/monitoring/prometheus-rule.yaml`;
  const { spec } = parse(readFileSync(file, 'utf8')) as { spec: Rules };
  t.same(spec.groups, rules.groups);
  t.end();
});

void t.test('docs/production.md says what each alert means', (t) => {
  const page = readFileSync(new URL('../../docs/production.md', import.meta.url), 'utf8');
  t.same(
    [...page.matchAll(/^#### (Photongate\w+)$/gm)].map(([, name]) => name),
    alerts,
  );
  t.end();
});
