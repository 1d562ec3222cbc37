/**
 * FiberLB, PhotonCloud's load balancers: the RPCs of `protos/fiberlb/v1/fiberlb.proto`. The kinds of resources are in
 * `fiberlb/tables.ts`; here stands how they refer to each other. `fiberlb/evaluate.ts` finds who takes a request.
 */
import { status as Status } from '@grpc/grpc-js';
import { expiryOf } from './fiberlb/certificates.js';
import { firstMatch, readRequest } from './fiberlb/evaluate.js';
import type * as message from './fiberlb/messages.js';
import { fiberLbTables, type Tables } from './fiberlb/tables.js';
import { millisecondsOf } from './lib/clock.js';
import { badRequest, ServiceError } from './lib/errors.js';
import { idFilterRule, nameFilterRule } from './lib/rules.js';
import { requireId, resourceHandlers, type ResourceApi } from './lib/resource-handlers.js';
import { startResourceService, type CreateRequest } from './lib/resource-service.js';
import type { Fields, Resource, ResourceTable } from './lib/resources.js';
import type { RunningService, StartOptions } from './lib/service.js';

/** So that one evaluation looks at so much and no more. */
const mostPolicies = 100;
const mostRules = 20;

/** Starts FiberLB; resolves when it listens. */
export function startFiberLb(options: StartOptions): Promise<RunningService> {
  return startResourceService(
    {
      file: 'fiberlb/v1/fiberlb.proto',
      name: 'fiberlb.v1.FiberLbService',
      build: (context) => {
        const tables = fiberLbTables(context);
        const handlersOf = <T extends Resource, Create extends CreateRequest>(
          api: ResourceApi<T, Create>,
        ): ReturnType<typeof resourceHandlers> => resourceHandlers(context, api);
        return {
          handlers: {
            ...handlersOf(loadBalancerApi(tables)),
            ...handlersOf(listenerApi(tables)),
            ...handlersOf(poolApi(tables)),
            ...handlersOf(backendApi(tables)),
            ...handlersOf(healthCheckApi(tables)),
            ...handlersOf(policyApi(tables)),
            ...handlersOf(ruleApi(tables)),
            ...handlersOf(certificateApi(tables)),
            EvaluateListener: (request: message.EvaluateListenerRequest) => evaluate(tables, request),
          },
        };
      },
    },
    options,
  );
}

function loadBalancerApi({
  loadBalancers,
  listeners,
  pools,
}: Tables): ResourceApi<message.LoadBalancer, message.CreateLoadBalancerRequest> {
  return {
    noun: 'LoadBalancer',
    plural: 'LoadBalancers',
    list: 'loadbalancers',
    field: 'loadbalancer',
    table: loadBalancers,
    filters: { org_id: nameFilterRule, project_id: nameFilterRule },
    fields: (request) => request,
    users: () => [
      [listeners, 'loadbalancer_id'],
      [pools, 'loadbalancer_id'],
    ],
  };
}

function listenerApi(tables: Tables): ResourceApi<message.Listener, message.CreateListenerRequest> {
  const { loadBalancers, listeners, policies, certificates } = tables;
  return {
    noun: 'Listener',
    plural: 'Listeners',
    list: 'listeners',
    field: 'listener',
    table: listeners,
    filters: { loadbalancer_id: idFilterRule },
    fields: (request) => request,
    verify: ({ loadbalancer_id, port, default_pool_id, certificate_id }, id) => {
      loadBalancers.referred('loadbalancer_id', loadbalancer_id);
      if (default_pool_id !== '') requirePool(tables, 'default_pool_id', default_pool_id, loadbalancer_id);
      if (certificate_id !== '') certificates.referred('certificate_id', certificate_id);
      const other = listeners.first({ loadbalancer_id, port });
      if (other === undefined || other.id === id) return;
      throw new ServiceError(Status.ALREADY_EXISTS, `the load balancer has a listener at port ${port} already`);
    },
    users: () => [[policies, 'listener_id']],
  };
}

function poolApi(tables: Tables): ResourceApi<message.Pool, message.CreatePoolRequest> {
  const { loadBalancers, listeners, pools, backends, healthChecks, policies } = tables;
  return {
    noun: 'Pool',
    plural: 'Pools',
    list: 'pools',
    field: 'pool',
    table: pools,
    filters: { loadbalancer_id: idFilterRule },
    fields: (request) => request,
    verify: ({ loadbalancer_id }) => void loadBalancers.referred('loadbalancer_id', loadbalancer_id),
    users: () => [
      [listeners, 'default_pool_id'],
      [policies, 'pool_id'],
      [backends, 'pool_id'],
      [healthChecks, 'pool_id'],
    ],
  };
}

function backendApi({ pools, backends }: Tables): ResourceApi<message.Backend, message.CreateBackendRequest> {
  return {
    noun: 'Backend',
    plural: 'Backends',
    list: 'backends',
    field: 'backend',
    table: backends,
    parent: { field: 'pool_id', table: pools },
    fields: ({ weight = 1, ...request }) => ({ ...request, weight }),
  };
}

function healthCheckApi({
  pools,
  healthChecks,
}: Tables): ResourceApi<message.HealthCheck, message.CreateHealthCheckRequest> {
  return {
    noun: 'HealthCheck',
    plural: 'HealthChecks',
    list: 'healthchecks',
    field: 'healthcheck',
    table: healthChecks,
    filters: { pool_id: idFilterRule },
    fields: ({ interval_seconds = 10, healthy_threshold = 2, unhealthy_threshold = 3, ...request }) => ({
      ...request,
      interval_seconds,
      healthy_threshold,
      unhealthy_threshold,
    }),
    verify: ({ pool_id, type, path }) => {
      pools.referred('pool_id', pool_id);
      if (type === 'TCP') return { path: '' };
      return { path: path === '' ? '/' : path };
    },
  };
}

function policyApi(tables: Tables): ResourceApi<message.L7Policy, message.CreateL7PolicyRequest> {
  const { listeners, policies, rules } = tables;
  const last = (listenerId: string): number =>
    policies.number('max(position)', 'listener_id = ?', listenerId.replaceAll('\0', '')) ?? 0;
  return {
    noun: 'L7Policy',
    plural: 'L7Policies',
    list: 'l7policies',
    field: 'l7policy',
    table: policies,
    filters: { listener_id: idFilterRule },
    fields: ({ position, ...request }) => ({
      ...request,
      position: position ?? Math.min(last(request.listener_id) + 1, 2 ** 31 - 1),
    }),
    verify: ({ listener_id, pool_id }, id) => {
      const { loadbalancer_id, protocol } = listeners.referred('listener_id', listener_id);
      if (pool_id !== '') requirePool(tables, 'pool_id', pool_id, loadbalancer_id);
      if (id !== undefined) return;
      if (protocol === 'TCP') throw invalid('listener_id', 'is a TCP listener, which has no L7 policies');
      requireRoom(policies, { listener_id }, mostPolicies, 'a listener');
    },
    users: () => [[rules, 'policy_id']],
  };
}

function ruleApi({ policies, rules }: Tables): ResourceApi<message.L7Rule, message.CreateL7RuleRequest> {
  return {
    noun: 'L7Rule',
    plural: 'L7Rules',
    list: 'l7rules',
    field: 'l7rule',
    table: rules,
    parent: { field: 'policy_id', table: policies },
    fields: (request) => request,
    verify: ({ policy_id }, id) => {
      if (id === undefined) requireRoom(rules, { policy_id }, mostRules, 'an L7 policy');
    },
  };
}

function certificateApi({
  listeners,
  certificates,
}: Tables): ResourceApi<message.Certificate, message.CreateCertificateRequest> {
  return {
    noun: 'Certificate',
    plural: 'Certificates',
    list: 'certificates',
    field: 'certificate',
    table: certificates,
    fields: (request) => ({ ...request, expires_at: request.expires_at ?? { seconds: 0n, nanos: 0 } }),
    verify: ({ certificate, expires_at: given }: Fields<message.Certificate>, id) => {
      const expires_at = expiryOf(certificate);
      const agrees = id !== undefined || given.seconds === 0n || given.seconds === expires_at.seconds;
      if (agrees) return { expires_at };
      throw invalid(
        'expires_at',
        `is not what the certificate says, ${new Date(millisecondsOf(expires_at)).toISOString()}; leave it out`,
      );
    },
    answer: (certificate) => ({ ...certificate, private_key: undefined }),
    users: () => [[listeners, 'certificate_id']],
  };
}

/** INVALID_ARGUMENT unless the pool is there and of this load balancer. */
function requirePool({ pools }: Tables, field: string, id: string, loadBalancerId: string): void {
  if (pools.referred(field, id).loadbalancer_id === loadBalancerId) return;
  throw invalid(field, 'is a pool of another load balancer');
}

/** RESOURCE_EXHAUSTED if there are so many already. */
function requireRoom<T extends Resource>(
  table: ResourceTable<T>,
  where: Readonly<Record<string, string>>,
  most: number,
  owner: string,
): void {
  const [column, value] = Object.entries(where)[0]!;
  if (table.number('count(*)', `${column} = ?`, value)! < most) return;
  const text = `${owner} has at most ${most} ${table.kind.noun.replace(/y$/, 'ie')}s; delete one`;
  throw new ServiceError(Status.RESOURCE_EXHAUSTED, text);
}

function invalid(field: string, description: string): ServiceError {
  return badRequest([{ field, description }]);
}

function evaluate(tables: Tables, request: message.EvaluateListenerRequest): message.EvaluateListenerResponse {
  const listener = tables.listeners.get(requireId(request.id));
  const evaluated = readRequest(request);
  const found = listener.protocol === 'TCP' ? undefined : firstMatch(policiesOf(tables, listener.id), evaluated);
  if (found === undefined) {
    const pool_id = listener.default_pool_id;
    const action = pool_id === '' ? 'REJECT' : 'FORWARD_POOL';
    return { action, policy_id: '', rule_ids: [], pool_id, redirect_url: '' };
  }
  const [{ id, action, pool_id, redirect_url }, rules] = found;
  return {
    action,
    policy_id: id,
    rule_ids: rules.map((rule) => rule.id),
    pool_id: action === 'FORWARD_POOL' ? pool_id : '',
    redirect_url: action === 'REDIRECT' ? redirect_url : '',
  };
}

/** The policies of a listener in the order in which they are tried, each with its rules, read when it comes to them. */
function* policiesOf({ policies, rules }: Tables, listenerId: string): Generator<[message.L7Policy, message.L7Rule[]]> {
  for (const policy of policies.select('listener_id = ? ORDER BY position, seq LIMIT ?', listenerId, mostPolicies)) {
    yield [policy, rules.select('policy_id = ? ORDER BY seq LIMIT ?', policy.id, mostRules)];
  }
}
