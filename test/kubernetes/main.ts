/**
 * examples/kubernetes as kustomize and Helm render it, against the schemas of two releases of Kubernetes and of the Prometheus
 * operator. What they render must fit together, and photongate must take the configuration in it.
 *
 *   node --import tsx test/kubernetes/main.ts PYTHON KUSTOMIZE CRDS
 *
 * PYTHON has helm-python-sdk and kubernetes-validate; KUSTOMIZE is a command that takes a folder; CRDS is the folder of the
 * operator's definitions. KUSTOMIZE and CRDS may be empty: what needs them is then left out, with a word about it.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { runMain } from '../support/cli.js';
import { configFiles, faultsOf, type Manifest, manifestsOf } from './checks.js';

const [python = 'python3', kustomize = '', crds = ''] = process.argv.slice(2);
const folder = fileURLToPath(new URL('../../examples/kubernetes/', import.meta.url));
const script = fileURLToPath(new URL('render.py', import.meta.url));
const chart = join(folder, 'chart');

function inPython(args: readonly string[], input = ''): unknown {
  return JSON.parse(execFileSync(python, [script, ...args], { encoding: 'utf8', input }));
}

function helm(values: object): string {
  return (inPython(['chart', chart, JSON.stringify(values)]) as string[]).join('\n---\n');
}

const proto = 'syntax = "proto3"; package a.v1; service A { rpc Get(M) returns (M); } message M { string name = 1; }';
const config = { proto: ['a.proto'], upstreams: { default: '127.0.0.1:1' }, auto_mapping: true };
const everything = {
  config,
  files: { 'a.proto': proto },
  binaryFiles: { 'empty.binpb': 'AAAA\nAAAA\n' },
  port: 8000,
  adminPort: 9000,
  drainDelaySeconds: 5,
  drainTimeoutSeconds: 120,
  image: { repository: 'r.example.com/photongate', tag: '1', pullPolicy: 'Always' },
  imagePullSecrets: [{ name: 'registry' }],
  autoscaling: { enabled: false },
  replicas: 3,
  podDisruptionBudget: { maxUnavailable: '25%' },
  service: { type: 'LoadBalancer', port: 8080, annotations: { a: 'b' } },
  extraVolumes: [{ name: 'tls', secret: { secretName: 'tls' } }],
  extraVolumeMounts: [{ name: 'tls', mountPath: '/etc/tls', readOnly: true }],
  podAnnotations: { c: 'd' },
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'only', operator: 'Exists' }],
  affinity: { podAntiAffinity: {} },
  podMonitor: { enabled: true, labels: { release: 'prometheus' } },
};
const little = {
  env: [],
  resources: { requests: { memory: '1Gi' }, limits: { memory: '1Gi' } },
  autoscaling: { enabled: false },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: false },
};

/** Values that the schema of the chart refuses. */
const refused: readonly object[] = [
  { drainDelaySeconds: '10s' },
  { port: 0 },
  { config: { admin: '0.0.0.0:1' } },
  { replica: 2 },
  { service: { type: 'External' } },
  { podMonitor: { interval: '15' } },
];

let failed = 0;
let passed = 0;
async function check(name: string, run: () => void | Promise<void>): Promise<void> {
  try {
    await run();
    passed++;
  } catch (error) {
    failed++;
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function checkRendered(name: string, text: string): Promise<readonly Manifest[]> {
  const manifests = manifestsOf(text);
  await check(`${name}: the schemas`, () =>
    deepStrictEqual(inPython(['validate', ...(crds === '' ? [] : [crds])], text), []),
  );
  await check(`${name}: together`, async () => {
    const files = configFiles(manifests);
    const written = parse(files['photongate.yaml'] ?? '') as Record<string, unknown>;
    deepStrictEqual(faultsOf(manifests, written), []);
    // A schema by reflection cannot be read here.
    if (written['reflection'] === true) return;
    const place = mkdtempSync(join(tmpdir(), 'photongate-kubernetes-'));
    for (const [file, content] of Object.entries(files)) writeFileSync(join(place, file), content);
    const { code, stderr } = await runMain(['check', '--config', 'photongate.yaml'], place);
    rmSync(place, { recursive: true });
    if (code !== 0) throw new Error(stderr);
  });
  return manifests;
}

/** Without what differs by nature: names, and labels that say which release it is. */
function plain(manifests: readonly Manifest[], kind: string): unknown {
  const { spec } = manifests.find((manifest) => manifest.kind === kind) ?? {};
  return JSON.parse(JSON.stringify(spec), (name, value: unknown) => {
    if (name === 'app.kubernetes.io/instance' || name === 'annotations' || name === 'imagePullPolicy') return undefined;
    return typeof value === 'string' ? value.replace(/^(demo-)?photongate(-[a-z0-9]{10})?$/, 'photongate') : value;
  });
}

await check('lint', () => {
  const { messages, errors } = inPython(['lint', chart]) as { messages: { severity: number }[]; errors: unknown[] };
  // 1 is advice: the chart has no icon.
  deepStrictEqual([messages.filter(({ severity }) => severity > 1), errors], [[], []]);
});
const byHelm = await checkRendered('the chart', helm({}));
for (const [name, values] of [
  ['the chart with everything', everything],
  ['the chart with little', little],
] as const) {
  await checkRendered(name, helm(values));
}
for (const values of refused) {
  await check(`refused: ${JSON.stringify(values)}`, () => {
    try {
      execFileSync(python, [script, 'chart', chart, JSON.stringify(values)], { stdio: 'pipe' });
    } catch {
      return;
    }
    throw new Error('is accepted');
  });
}
if (kustomize === '') console.log('no kustomize and no kubectl here: the base and the overlay are left out');
else {
  const [command = '', ...args] = kustomize.split(' ');
  const render = (name: string): string =>
    execFileSync(command, [...args, join(folder, name)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await checkRendered('the base', render('base'));
  await checkRendered('the overlay', render('overlay'));
  for (const kind of ['Deployment', 'Service', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'NetworkPolicy']) {
    await check(`${kind}: the chart and the base say the same`, () =>
      deepStrictEqual(plain(byHelm, kind), plain(base, kind)),
    );
  }
}
if (crds === '') console.log('no go here: the kinds of the Prometheus operator are not checked against their schema');
console.log(`kubernetes: ${passed} as expected, ${failed} not`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
