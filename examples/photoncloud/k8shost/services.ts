/** Services: an address for the pods that a selector finds. Which pods those are is looked up whenever one is read. */
import { status as Status } from '@grpc/grpc-js';
import { quoted, ServiceError } from '../lib/errors.js';
import { labelRule, labelsRule, matches, oneOf, rangeRule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { Fields, ResourceTable } from '../lib/resources.js';
import type { Service } from './messages.js';
import { runningPods, type Pods } from './pods.js';

const types = ['ClusterIP', 'NodePort', 'LoadBalancer'];

/** `10.96.0.0/12`; the first is the cluster's own. */
const firstClusterNumber = 2;
const lastClusterNumber = 2 ** 20 - 2;
const [firstNodePort, lastNodePort] = [30_000, 32_767];

const podsLookedAt = 1000;
const mostEndpoints = 32;

/** Kubernetes' own spelling of a type; what is none stays as it is. */
export function serviceType(text: string): string {
  const letters = (type: string): string => type.replace(/[_-]/g, '').toLowerCase();
  return text === '' ? types[0]! : (types.find((type) => letters(type) === letters(text)) ?? text);
}

export function serviceTable(context: ServiceContext): ResourceTable<Service> {
  return context.table<Service>('Service', {
    table: 'k8shost_services',
    noun: 'service',
    columns: {
      namespace: (service) => service.namespace,
      name: (service) => service.name,
      cluster_number: (service) => clusterNumber(service.cluster_ip),
      node_port: (service) => (service.node_port === 0 ? null : service.node_port),
    },
    unique: ['namespace', 'name'],
    changeable: [],
    fixed: [],
    addedBytes: mostEndpoints * 24,
    rules: (service) => [
      labelRule('name', service.name),
      labelRule('namespace', service.namespace),
      [
        'service_type',
        types.includes(service.service_type),
        `is ${quoted(service.service_type)}, expected ${oneOf(types)}`,
      ],
      rangeRule('port', service.port, 1, 65_535),
      rangeRule('target_port', service.target_port, 1, 65_535),
      labelsRule('selector', service.selector),
    ],
  });
}

/** An address that is free, and a port on the nodes if the type asks for one. */
export function freeAddress(table: ResourceTable<Service>, service: Fields<Service>): Partial<Service> {
  const number = table.lowestFree('cluster_number', firstClusterNumber, lastClusterNumber);
  const wantsPort = service.service_type !== 'ClusterIP';
  const port = wantsPort ? table.lowestFree('node_port', firstNodePort, lastNodePort) : 0;
  if (number === undefined || port === undefined) {
    throw new ServiceError(Status.RESOURCE_EXHAUSTED, 'all addresses or node ports are taken; delete some services');
  }
  const cluster_ip = `10.${96 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  return { cluster_ip, node_port: port };
}

/** The services with where their pods listen now. */
export function withEndpoints(pods: Pods, services: readonly Service[]): Service[] {
  const running = new Map<string, ReturnType<typeof runningPods>>();
  return services.map((service) => {
    const { namespace, selector, target_port } = service;
    if (Object.keys(selector).length === 0) return service;
    const candidates = running.get(namespace) ?? runningPods(pods.table, namespace, podsLookedAt);
    running.set(namespace, candidates);
    const found = candidates.filter(({ labels }) => matches(labels, selector)).slice(0, mostEndpoints);
    return { ...service, endpoints: found.map(({ pod_ip }) => `${pod_ip}:${target_port}`) };
  });
}

function clusterNumber(ip: string): number {
  const [second, third, fourth] = ip.split('.').slice(1).map(Number) as [number, number, number];
  return (second - 96) * 65_536 + third * 256 + fourth;
}
