/**
 * Deployer, which looks after PhotonCloud's machines: the RPCs of `protos/deployer/v1/deployer.proto`. Machines are in
 * `deployer/machines.ts`, rollouts in `deployer/rollouts.ts`.
 */
import { status as Status } from '@grpc/grpc-js';
import { machineStates, machineTable, phoneHome, settled } from './deployer/machines.js';
import type * as message from './deployer/messages.js';
import { Rollouts } from './deployer/rollouts.js';
import { quoted, requireFields, ServiceError } from './lib/errors.js';
import { enumFilterRule } from './lib/rules.js';
import { requireId } from './lib/resource-handlers.js';
import { startResourceService, type ServiceContext } from './lib/resource-service.js';
import type { PageRequest, ResourceTable } from './lib/resources.js';
import type { ReplyStream, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

/** Starts Deployer; resolves when it listens. */
export function startDeployer(options: StartOptions): Promise<RunningService> {
  return startResourceService(
    {
      file: 'deployer/v1/deployer.proto',
      name: 'deployer.v1.DeployerService',
      build: (context) => {
        const machines = machineTable(context);
        const rollouts = new Rollouts(context, machines);
        const handlers = { ...machineHandlers(context, machines, rollouts), ...rolloutHandlers(rollouts) };
        return { handlers, close: () => rollouts.close() };
      },
    },
    options,
  );
}

function machineHandlers(
  context: ServiceContext,
  machines: ResourceTable<message.Machine>,
  rollouts: Rollouts,
): ServiceImplementation['handlers'] {
  return {
    PhoneHome(request: message.PhoneHomeRequest): message.Machine {
      rollouts.settle();
      return phoneHome(context, machines, request);
    },

    ListMachines({ state, ...page }: message.ListMachinesRequest) {
      requireFields(enumFilterRule('state', state, machineStates));
      rollouts.settle();
      const { items, next_page_token } = machines.list(page, { state: state === 'STATE_UNSPECIFIED' ? '' : state });
      return { machines: items, next_page_token };
    },

    GetMachine({ id }: message.IdRequest): message.Machine {
      rollouts.settle();
      return machines.get(requireId(id));
    },

    UpdateMachine({ machine, update_mask }: message.UpdateMachineRequest): message.Machine {
      const id = requireId(machine?.id ?? '', 'machine.id');
      rollouts.settle();
      return machines.patch(id, machine!, update_mask, (next) => settled(context, next));
    },

    DeleteMachine({ id }: message.IdRequest) {
      rollouts.settle();
      const { rollout_id } = machines.get(requireId(id));
      if (rollout_id === '') return machines.delete(id);
      const text = `the machine waits for the rollout ${quoted(rollout_id)}; cancel that first`;
      throw new ServiceError(Status.FAILED_PRECONDITION, text);
    },
  };
}

function rolloutHandlers(rollouts: Rollouts): ServiceImplementation['handlers'] {
  return {
    ListRollouts(page: PageRequest) {
      rollouts.settle();
      const { items, next_page_token } = rollouts.table.list(page);
      return { rollouts: items, next_page_token };
    },

    CreateRollout: (request: message.CreateRolloutRequest): message.Rollout => rollouts.create(request),

    GetRollout({ id }: message.IdRequest): message.Rollout {
      rollouts.settle();
      return rollouts.table.get(requireId(id));
    },

    PauseRollout: ({ id }: message.IdRequest): message.Rollout => rollouts.pause(requireId(id)),
    ResumeRollout: ({ id }: message.IdRequest): message.Rollout => rollouts.resume(requireId(id)),
    CancelRollout: ({ id }: message.IdRequest): message.Rollout => rollouts.cancel(requireId(id)),

    WatchRollout: ({ id }: message.IdRequest, replies: ReplyStream<message.Rollout>): Promise<void> =>
      rollouts.watch(requireId(id), replies),
  };
}
