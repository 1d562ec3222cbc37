/**
 * PlasmaVMC, PhotonCloud's virtual machines: the RPCs of `protos/plasmavmc/v1/plasmavmc.proto`. How states move is in
 * `plasmavmc/machines.ts`.
 */
import { requireFields } from './lib/errors.js';
import { enumFilterRule, nameFilterRule } from './lib/rules.js';
import { requireId } from './lib/resource-handlers.js';
import { startResourceService, type ServiceContext } from './lib/resource-service.js';
import type { ReplyStream, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';
import { Machines, states } from './plasmavmc/machines.js';
import type * as message from './plasmavmc/messages.js';

/** Starts PlasmaVMC; resolves when it listens. */
export function startPlasmaVmc(options: StartOptions): Promise<RunningService> {
  return startResourceService(
    {
      file: 'plasmavmc/v1/plasmavmc.proto',
      name: 'plasmavmc.v1.PlasmaVmcService',
      build: (context) => {
        const machines = new Machines(context);
        return { handlers: vmHandlers(context, machines), close: () => machines.close() };
      },
    },
    options,
  );
}

function vmHandlers(context: ServiceContext, machines: Machines): ServiceImplementation['handlers'] {
  const { table } = machines;
  return {
    ListVms({ org_id, project_id, state, ...page }: message.ListVmsRequest) {
      requireFields(
        nameFilterRule('org_id', org_id),
        nameFilterRule('project_id', project_id),
        enumFilterRule('state', state, states),
      );
      machines.settle();
      const wanted = state === 'STATE_UNSPECIFIED' ? '' : state;
      const { items, next_page_token } = table.list(page, { org_id, project_id, state: wanted });
      return { vms: items, next_page_token };
    },

    CreateVm(request: message.CreateVmRequest): message.Vm {
      const { request_id: _, vcpus, memory_mib, ...fields } = request;
      const spec = { cpu: { vcpus }, memory: { size_mib: memory_mib } };
      const created = (vm: message.Vm): message.Vm => machines.created(vm);
      return context.create(table, request, { ...fields, state: 'STOPPED', spec }, undefined, created);
    },

    GetVm({ id }: message.IdRequest): message.Vm {
      machines.settle();
      return table.get(requireId(id));
    },

    DeleteVm: ({ id }: message.IdRequest) => machines.delete(requireId(id)),

    StartVm: ({ id }: message.IdRequest): message.Vm => machines.start(requireId(id)),

    StopVm: ({ id, force }: message.StopVmRequest): message.Vm => machines.stop(requireId(id), force),

    async WatchVmEvents(request: message.WatchVmEventsRequest, replies: ReplyStream<message.VmEvent>): Promise<void> {
      const { after_sequence: after = 0n } = request;
      const id = requireId(request.id);
      requireFields(['after_sequence', after >= 0n, `is ${after}, expected 0 or more`]);
      await watchEvents(machines, table.get(id).id, after, replies);
    },
  };
}

/** Sends events until the machine or the caller is gone. What is read from the disk is what was, and what comes. */
async function watchEvents(
  machines: Machines,
  id: string,
  after: bigint,
  replies: ReplyStream<message.VmEvent>,
): Promise<void> {
  let last = after;
  while (!replies.signal.aborted) {
    machines.settle();
    const events = machines.events(id, last);
    replies.accept();
    for (const event of events) await replies.write(event);
    last = events.at(-1)?.sequence ?? last;
    if (events.length > 0) continue;
    // Nothing is awaited between a reading that found nothing and this, so no change can slip through.
    if (machines.table.find(id) === undefined) return;
    await machines.change(id, replies.signal);
  }
}
