/** What must hold of manifests together, which the schema of each alone does not say. */
import { parseAllDocuments } from 'yaml';

type Labels = Readonly<Record<string, string>>;

interface Port {
  readonly name?: string;
  readonly port?: number | string;
  readonly targetPort?: number | string;
  readonly containerPort?: number;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number | string };
}

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly Port[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly startupProbe: Probe;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface PodSpec {
  readonly containers: readonly [Container];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
  readonly topologySpreadConstraints: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
}

/** An object of Kubernetes, as far as it is looked at here. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly data?: Labels;
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: Labels & { readonly matchLabels?: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly ports?: readonly Port[];
    readonly podMetricsEndpoints?: readonly Port[];
    readonly ingress?: readonly { readonly ports?: readonly Port[]; readonly from?: unknown }[];
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}

/** The objects of a stream of YAML documents. */
export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** The files of the ConfigMap that a Deployment mounts. */
export function configFiles(manifests: readonly Manifest[]): Labels {
  const volume = podOf(manifests).volumes.find(({ name }) => name === 'config');
  const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume?.configMap?.name);
  if (map?.data === undefined) throw new Error(`no ConfigMap ${volume?.configMap?.name}`);
  return map.data;
}

function podOf(manifests: readonly Manifest[]): PodSpec {
  const template = manifests.find(({ kind }) => kind === 'Deployment')?.spec?.template;
  if (template === undefined) throw new Error('no Deployment');
  return template.spec;
}

const seconds = (time: unknown): number => Number(/^(\d+)s$/.exec(String(time))?.[1] ?? NaN);
const portOf = (address: unknown): number => Number(/:(\d+)$/.exec(String(address))?.[1] ?? NaN);

/** What is wrong between the objects, or between them and the configuration in their ConfigMap; empty if all is well. */
export function faultsOf(manifests: readonly Manifest[], config: Readonly<Record<string, unknown>>): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string): void => void (holds || faults.push(fault));
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  const labels = deployment?.spec?.template?.metadata.labels ?? {};
  const selects = (selector: Labels | undefined): boolean =>
    selector !== undefined &&
    Object.keys(selector).length > 0 &&
    Object.entries(selector).every(([name, value]) => labels[name] === value);
  const pod = podOf(manifests);
  const [container] = pod.containers;
  const named = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));

  for (const { kind, metadata, spec } of manifests) {
    if (spec === undefined) continue;
    const what = `${kind} ${metadata.name}`;
    if (kind === 'Service') expect(selects(spec.selector), `${what} selects no Pod`);
    if (['Deployment', 'PodDisruptionBudget', 'PodMonitor'].includes(kind)) {
      expect(selects(spec.selector?.matchLabels), `${what} selects no Pod`);
    }
    if (kind === 'NetworkPolicy') {
      expect(selects(spec.podSelector?.matchLabels), `${what} selects no Pod`);
      const open = spec.ingress?.filter(({ from }) => from === undefined).flatMap(({ ports = [] }) => ports) ?? [];
      expect(!open.some(({ port }) => port === 'admin' || port === named.get('admin')), `${what} opens admin to all`);
    }
    if (kind === 'HorizontalPodAutoscaler') {
      expect(spec.scaleTargetRef?.name === deployment?.metadata.name, `${what} scales another Deployment`);
      expect(deployment?.spec?.replicas === undefined, `${what} and the Deployment both set replicas`);
    }
    const ports = [
      ...(kind === 'Service' ? (spec.ports ?? []).map(({ targetPort }) => targetPort) : []),
      ...(spec.podMetricsEndpoints ?? []).map(({ port }) => port),
      ...(spec.ingress ?? []).flatMap((rule) => (rule.ports ?? []).map(({ port }) => port)),
    ];
    for (const port of ports) expect(named.has(String(port)), `${what} names the port ${port}, which the Pod lacks`);
    if (kind === 'Service') expect(!ports.includes('admin'), `${what} has the admin port`);
  }
  for (const { labelSelector } of pod.topologySpreadConstraints) {
    expect(selects(labelSelector.matchLabels), 'topologySpreadConstraints select no Pod');
  }

  expect(named.get('http') === portOf(config['listen']), 'the port http is not that of `listen`');
  expect(named.get('admin') === portOf(config['admin']), 'the port admin is not that of `admin`');
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    expect(probe.httpGet.port === 'admin', `${probe.httpGet.path} is not asked at the admin port`);
  }
  expect(container.livenessProbe.httpGet.path === '/livez', 'liveness is not /livez');
  expect(container.startupProbe.httpGet.path === '/livez', 'startup is not /livez');
  expect(container.readinessProbe.httpGet.path === '/readyz', 'readiness is not /readyz');

  const drain = seconds(config['drain_delay']) + seconds(config['drain_timeout']);
  expect(pod.terminationGracePeriodSeconds > drain, `the grace period is not longer than drain_delay + drain_timeout`);
  expect(pod.securityContext['runAsNonRoot'] === true, 'the Pod may run as root');
  expect(container.securityContext['readOnlyRootFilesystem'] === true, 'the root file system can be written');
  expect(container.securityContext['allowPrivilegeEscalation'] === false, 'privileges can be gained');
  const { drop } = (container.securityContext['capabilities'] ?? {}) as { drop?: unknown[] };
  expect(drop?.[0] === 'ALL', 'there are capabilities');
  expect(container.resources.requests['memory'] === container.resources.limits['memory'], 'memory is not guaranteed');
  expect(container.resources.limits['cpu'] === undefined, 'the CPU is limited');

  const mount = container.volumeMounts.find(({ name }) => name === 'config')?.mountPath;
  expect(
    container.args.join(' ') === `--config ${mount}/photongate.yaml`,
    'the configuration is not where it is mounted',
  );
  return faults;
}
