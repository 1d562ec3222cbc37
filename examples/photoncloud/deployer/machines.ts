/** The machines of the cluster: who has phoned home, and what each is to be. */
import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { status as Status } from '@grpc/grpc-js';
import { millisecondsOf, timestampOf } from '../lib/clock.js';
import { quoted, requireFields, ServiceError } from '../lib/errors.js';
import { labelsRule, nameRule, rangeRule, type Rule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { Fields, ResourceTable } from '../lib/resources.js';
import type { Machine, PhoneHomeRequest, Value } from './messages.js';

export const machineStates = ['DISCOVERED', 'READY', 'UPDATING'];

const mostMachines = 10_000;
const mostAddresses = 64;
const largestJson = 64 * 1024;

export function machineTable(context: ServiceContext): ResourceTable<Machine> {
  return context.table<Machine>('Machine', {
    table: 'deployer_machines',
    noun: 'machine',
    columns: { state: (machine) => machine.state, rollout_id: (machine) => machine.rollout_id || null },
    changeable: ['role', 'config', 'labels'],
    fixed: [],
    rules: (machine) => [
      nameRule('hostname', machine.hostname),
      addressesRule(machine.addresses),
      ...hardwareRules(machine),
      ['role', machine.role === '' || nameRule('role', machine.role)[1], nameRule('role', machine.role)[2]],
      jsonRule('config', machine.config),
      labelsRule('labels', machine.labels),
    ],
  });
}

/** Takes note of a machine that phones home, and answers what it is to be. */
export function phoneHome(context: ServiceContext, table: ResourceTable<Machine>, request: PhoneHomeRequest): Machine {
  const { id, hostname, addresses } = request;
  const expected = 'expected 1 to 128 of A-Z, a-z, 0-9 and ._:-, the first a letter or digit';
  requireFields(['id', /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(id), `is ${quoted(id)}, ${expected}`]);
  return context.database.transaction(() => {
    const now = context.clock.now();
    const known = table.find(id);
    const told = { hostname, addresses, hardware: request.hardware ?? known?.hardware ?? null };
    const seen = { ...told, last_seen_at: timestampOf(now) };
    if (known === undefined) {
      const unassigned = {
        role: '',
        config: noConfig(context),
        labels: {},
        state: 'DISCOVERED',
        image: '',
        rollout_id: '',
      };
      table.check({ ...unassigned, ...seen });
      if (table.number('count(*)', 'TRUE')! < mostMachines) return table.insert({ ...unassigned, ...seen }, id);
      throw new ServiceError(Status.RESOURCE_EXHAUSTED, `there are ${mostMachines} machines; delete some`);
    }
    const machine = { ...known, ...seen };
    table.check(machine);
    const same = isDeepStrictEqual({ ...machine, last_seen_at: known.last_seen_at }, known);
    return table.replace(machine, same ? millisecondsOf(known.updated_at) : now);
  });
}

/** What follows from a change: how the machine stands, and that there is some configuration, be it empty. */
export function settled(context: ServiceContext, { state, role, config }: Machine): Partial<Machine> {
  return { state: state === 'UPDATING' ? state : restState(role), config: config ?? noConfig(context) };
}

/** An empty string, as a google.protobuf.Value: field 3, of length 0. */
function noConfig(context: ServiceContext): Value {
  return context.schema.codec<Value>('google.protobuf.Value').decode(Buffer.of(0x1a, 0));
}

/** How a machine stands that is not in a rollout just now. */
export function restState(role: string): string {
  return role === '' ? 'DISCOVERED' : 'READY';
}

function addressesRule(addresses: readonly string[]): Rule {
  if (addresses.length > mostAddresses) return ['addresses', false, `are more than ${mostAddresses}`];
  const bad = addresses.find((address) => isIP(address) === 0);
  return ['addresses', bad === undefined, `has ${quoted(bad ?? '')}, expected IP addresses`];
}

function hardwareRules({ hardware }: Fields<Machine>): Rule[] {
  if (hardware === null) return [];
  const most = 2 ** 31 - 1;
  return [
    rangeRule('hardware.cpus', hardware.cpus, 0, most),
    rangeRule('hardware.memory_mib', hardware.memory_mib, 0, most),
    jsonRule('hardware.disks', hardware.disks),
  ];
}

function jsonRule(field: string, value: unknown): Rule {
  return [field, (JSON.stringify(value) ?? '').length <= largestJson, `is larger than ${largestJson} characters`];
}
