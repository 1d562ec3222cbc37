/**
 * examples/kubernetes: the manifests fit together and to the configuration that they mount, and photongate runs with it.
 * kustomize, Helm and the schemas of Kubernetes read them in CI: test/kubernetes.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { faultsOf, type Manifest, manifestsOf } from '../kubernetes/checks.js';
import { runMain } from '../support/cli.js';

const base = fileURLToPath(new URL('../../examples/kubernetes/base/', import.meta.url));
const read = (name: string): string => readFileSync(base + name, 'utf8');
const { resources } = parse(read('kustomization.yaml')) as { resources: readonly string[] };
const config = parse(read('photongate.yaml')) as Record<string, unknown>;
const manifests = resources.flatMap((name) => manifestsOf(read(name)));

void t.test('the manifests fit together', (t) => {
  t.same(manifests.map(({ kind }) => kind).sort(), [
    'Deployment',
    'HorizontalPodAutoscaler',
    'NetworkPolicy',
    'PodDisruptionBudget',
    'Service',
  ]);
  t.same(faultsOf(manifests, config), []);
  t.end();
});

const edits: readonly (readonly [what: string, from: string, to: string, fault: string])[] = [
  [
    'the Service',
    'app.kubernetes.io/name":"photongate"},"ports',
    'x":"y"},"ports',
    'Service photongate selects no Pod',
  ],
  ['the grace period', 'Seconds":45', 'Seconds":40', 'the grace period is not longer than drain_delay + drain_timeout'],
  ['a port', 'containerPort":8080', 'containerPort":8081', 'the port http is not that of `listen`'],
  ['a probe', '/readyz', '/livez', 'readiness is not /readyz'],
  ['the user', 'runAsNonRoot":true', 'runAsNonRoot":false', 'the Pod may run as root'],
  ['the policy', '"port":"http"}]}', '"port":"admin"}]}', 'NetworkPolicy photongate opens admin to all'],
];
for (const [what, from, to, fault] of edits) {
  void t.test(`a mistake is found: ${what}`, (t) => {
    const text = JSON.stringify(manifests);
    t.ok(text.includes(from));
    t.same(faultsOf(JSON.parse(text.replace(from, to)) as Manifest[], config), [fault]);
    t.end();
  });
}

void t.test('photongate takes the configuration', async (t) => {
  const { code, stdout, stderr } = await runMain(['routes', '--config', 'photongate.yaml'], base);
  t.equal(code, 0, stderr);
  t.match(stdout, '/v1/hello/{name}');
  t.equal((await runMain(['check', '--config', 'photongate.yaml'], base)).code, 0);
});
