/**
 * k8shost, PhotonCloud's container host: the RPCs of `protos/k8shost/v1/k8shost.proto`. Pods, nodes and logs are in
 * `k8shost/pods.ts`, services in `k8shost/services.ts`.
 */
import { status as Status } from '@grpc/grpc-js';
import type * as message from './k8shost/messages.js';
import { Pods } from './k8shost/pods.js';
import { serviceTable, serviceType, freeAddress, withEndpoints } from './k8shost/services.js';
import { quoted, requireFields, ServiceError } from './lib/errors.js';
import { labelRule } from './lib/rules.js';
import { startResourceService, type ServiceContext } from './lib/resource-service.js';
import type { Resource, ResourceTable } from './lib/resources.js';
import type { ReplyStream, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

/** Starts k8shost; resolves when it listens. */
export function startK8sHost(options: StartOptions): Promise<RunningService> {
  return startResourceService(
    {
      file: 'k8shost/v1/k8shost.proto',
      name: 'k8shost.v1.K8sHostService',
      build: (context) => {
        const pods = new Pods(context);
        const handlers = { ...podHandlers(context, pods), ...serviceHandlers(context, pods), ...nodeHandlers(pods) };
        return { handlers, close: () => pods.close() };
      },
    },
    options,
  );
}

function podHandlers(context: ServiceContext, pods: Pods): ServiceImplementation['handlers'] {
  return {
    ListPods({ namespace, ...page }: message.ListRequest) {
      requireFields(namespaceFilter(namespace));
      pods.settle();
      const { items, next_page_token } = pods.table.list(page, { namespace });
      return { pods: items, next_page_token };
    },

    CreatePod(request: message.CreatePodRequest): message.Pod {
      const { request_id: _, ...fields } = request;
      const pod = context.create(
        pods.table,
        request,
        { ...fields, phase: 'PENDING', node_name: '', pod_ip: '' },
        () => ({ node_name: pods.nodeForOneMore() }),
      );
      pods.settle();
      return pod;
    },

    GetPod(request: message.NameRequest): message.Pod {
      pods.settle();
      return named(pods.table, request);
    },

    DeletePod: (request: message.NameRequest) => pods.delete(named(pods.table, request).id),

    async StreamPodLogs(request: message.StreamPodLogsRequest, replies: ReplyStream<message.LogLine>): Promise<void> {
      const { follow, tail_lines: tail = Infinity } = request;
      requireFields(['tail_lines', tail >= 0, `is ${tail}, expected 0 or more; leave it out for all lines`]);
      await pods.log(named(pods.table, request).id, tail, follow, replies);
    },
  };
}

function serviceHandlers(context: ServiceContext, pods: Pods): ServiceImplementation['handlers'] {
  const table = serviceTable(context);
  const alive = (service: message.Service): message.Service => withEndpoints(pods, [service])[0]!;
  return {
    ListServices({ namespace, ...page }: message.ListRequest) {
      requireFields(namespaceFilter(namespace));
      pods.settle();
      const { items, next_page_token } = table.list(page, { namespace });
      return { services: withEndpoints(pods, items), next_page_token };
    },

    CreateService(request: message.CreateServiceRequest): message.Service {
      const { request_id: _, target_port, ...fields } = request;
      const service = {
        ...fields,
        service_type: serviceType(fields.service_type),
        target_port: target_port === 0 ? fields.port : target_port,
        cluster_ip: '',
        node_port: 0,
        endpoints: [],
      };
      pods.settle();
      return context.create(table, request, service, (unplaced) => freeAddress(table, unplaced), alive);
    },

    GetService(request: message.NameRequest): message.Service {
      pods.settle();
      return alive(named(table, request));
    },

    DeleteService: (request: message.NameRequest) => table.delete(named(table, request).id),
  };
}

function nodeHandlers(pods: Pods): ServiceImplementation['handlers'] {
  return {
    ListNodes(page: { page_size: number; page_token: string }) {
      const { items, next_page_token } = pods.nodes.list(page);
      return { nodes: items.map((node) => pods.withPods(node)), next_page_token };
    },
  };
}

function namespaceFilter(namespace: string): ReturnType<typeof labelRule> {
  return namespace === '' ? ['namespace', true, ''] : labelRule('namespace', namespace);
}

/** What has this name in this namespace; NOT_FOUND if there is none. */
function named<T extends Resource>(table: ResourceTable<T>, { namespace, name }: message.NameRequest): T {
  requireFields(['namespace', namespace !== '', 'is missing or empty'], ['name', name !== '', 'is missing or empty']);
  // What could not be a name of anything is not even looked for.
  const possible = labelRule('namespace', namespace)[1] && labelRule('name', name)[1];
  const found = possible ? table.first({ namespace, name }) : undefined;
  if (found !== undefined) return found;
  const text = `the namespace ${quoted(namespace)} has no ${table.kind.noun} named ${quoted(name)}`;
  throw new ServiceError(Status.NOT_FOUND, text);
}
