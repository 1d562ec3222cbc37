/**
 * The virtual machines of PlasmaVMC and how their states move. Nothing is really run: what takes a hypervisor some time
 * takes a fixed time here, counted from `updated_at`, so a restart in between loses nothing and holds nothing up.
 *
 * Each move is one transaction: the machine in its new state and the event that tells of it.
 */
import { status as Status } from '@grpc/grpc-js';
import { Agenda } from '../lib/agenda.js';
import { Bell } from '../lib/bell.js';
import { millisecondsOf, timestampOf, type Timestamp } from '../lib/clock.js';
import { ServiceError } from '../lib/errors.js';
import { enumRule, nameRule, rangeRule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { ResourceTable } from '../lib/resources.js';
import type { State, Vm, VmEvent } from './messages.js';

const migrations = [
  `CREATE TABLE plasmavmc_events (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT, vm_id TEXT NOT NULL, previous_state TEXT NOT NULL, state TEXT NOT NULL,
     reason TEXT NOT NULL, occurred_ms INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX plasmavmc_events_by_vm ON plasmavmc_events (vm_id, sequence);`,
];

export const states: readonly State[] = ['STOPPED', 'STARTING', 'RUNNING', 'STOPPING', 'FAILED'];

/** How long a machine takes to boot, and to shut down. */
const bootMs = 1000;
const shutdownMs = 1000;
/** What the one host has; machines that do not fit beside those that run are FAILED. */
const hostVcpus = 512;
const hostMemoryMib = 4 * 1024 * 1024;

const keptEvents = 1000;
const eventBatch = 100;
const movesAtOnce = 100;

interface EventRow {
  readonly sequence: bigint;
  readonly vm_id: string;
  readonly previous_state: State;
  readonly state: State;
  readonly reason: string;
  readonly occurred_ms: bigint;
}

/** All machines. */
export class Machines {
  readonly table: ResourceTable<Vm>;
  readonly #context: ServiceContext;
  readonly #agenda: Agenda;
  readonly #bell = new Bell();

  constructor(context: ServiceContext) {
    context.database.migrate('plasmavmc_events', migrations);
    this.#context = context;
    this.table = vmTable(context);
    this.#agenda = new Agenda(context.clock, context.log, {
      what: 'moving VMs',
      next: () => this.table.number('min(due_ms)', 'due_ms IS NOT NULL'),
      run: (nowMs) => this.#moveDue(nowMs),
    });
  }

  /** Brings every machine into the state that it has by now. */
  settle(): void {
    this.#agenda.settle();
  }

  /** Notes that a machine was created; part of the transaction that creates it. */
  created(vm: Vm): Vm {
    this.#record(vm, 'STATE_UNSPECIFIED', 'created');
    return vm;
  }

  /** Starts a machine; FAILED_PRECONDITION if it is not at rest. */
  start(id: string): Vm {
    return this.#order(id, ['STOPPED', 'FAILED'], 'start', 'STARTING', 'started by a call');
  }

  /** Stops a machine; FAILED_PRECONDITION if it is at rest. */
  stop(id: string, force: boolean): Vm {
    if (!force) return this.#order(id, ['STARTING', 'RUNNING'], 'stop', 'STOPPING', 'stopped by a call');
    return this.#order(id, ['STARTING', 'RUNNING', 'STOPPING'], 'stop', 'STOPPED', 'power cut by a call');
  }

  /** Deletes a machine with its events; NOT_FOUND if there is none. */
  delete(id: string): { deleted: true } {
    const deleted = this.#context.database.transaction(() => {
      const done = this.table.delete(id);
      this.#context.database.run('DELETE FROM plasmavmc_events WHERE vm_id = ?', id);
      return done;
    });
    this.#bell.ring(id);
    return deleted;
  }

  /** The next events of a machine after a sequence number, a batch; empty where there are none. */
  events(id: string, after: bigint): VmEvent[] {
    return this.#context.database
      .all<EventRow>(
        'SELECT * FROM plasmavmc_events WHERE vm_id = ? AND sequence > ? ORDER BY sequence LIMIT ?',
        id,
        after,
        eventBatch,
      )
      .map(({ occurred_ms, ...row }) => ({ ...row, occurred_at: timestampOf(Number(occurred_ms)) }));
  }

  /** Resolves at the next change of a machine. */
  change(id: string, signal: AbortSignal): Promise<void> {
    return this.#bell.next(id, signal);
  }

  close(): void {
    this.#agenda.close();
  }

  #order(id: string, from: readonly State[], verb: string, to: State, reason: string): Vm {
    this.settle();
    const vm = this.#context.database.transaction(() => {
      const before = this.table.get(id);
      if (!from.includes(before.state)) {
        const text = `the VM is ${before.state}; to ${verb} it, it has to be ${from.join(' or ')}`;
        throw new ServiceError(Status.FAILED_PRECONDITION, text);
      }
      return this.#move(before, to, reason, this.#context.clock.now());
    });
    this.#bell.ring(id);
    this.settle();
    return vm;
  }

  #moveDue(nowMs: number): void {
    const moved = this.#context.database.transaction(() => {
      const due = this.table.select('due_ms <= ? ORDER BY due_ms, seq LIMIT ?', nowMs, movesAtOnce);
      return due.map((vm) => this.#move(vm, ...this.#outcome(vm), dueMs(vm)!));
    });
    for (const { id } of moved) this.#bell.ring(id);
  }

  #outcome(vm: Vm): readonly [State, string] {
    if (vm.state === 'STOPPING') return ['STOPPED', 'has shut down'];
    const used = (column: string): number => this.table.number(`sum(${column})`, "state = 'RUNNING'") ?? 0;
    const { cpu, memory } = vm.spec;
    if (used('vcpus') + cpu.vcpus > hostVcpus) return ['FAILED', 'the host has too few processors left'];
    if (used('memory_mib') + memory.size_mib > hostMemoryMib) return ['FAILED', 'the host has too little memory left'];
    return ['RUNNING', 'has booted'];
  }

  #move(vm: Vm, state: State, reason: string, atMs: number): Vm {
    const moved = this.table.replace({ ...vm, state }, atMs);
    this.#record(moved, vm.state, reason);
    return moved;
  }

  #record({ id, state, updated_at }: Vm, previous: State, reason: string): void {
    const { database } = this.#context;
    database.run(
      'INSERT INTO plasmavmc_events VALUES (NULL, ?, ?, ?, ?, ?)',
      id,
      previous,
      state,
      reason,
      millisecondsOf(updated_at),
    );
    database.run(
      `DELETE FROM plasmavmc_events WHERE vm_id = ? AND sequence <=
         (SELECT sequence FROM plasmavmc_events WHERE vm_id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
      id,
      id,
      keptEvents,
    );
  }
}

/** When a machine leaves its state by itself. */
function dueMs({ state, updated_at }: { state: State; updated_at: Timestamp }): number | null {
  if (state === 'STARTING') return millisecondsOf(updated_at) + bootMs;
  return state === 'STOPPING' ? millisecondsOf(updated_at) + shutdownMs : null;
}

function vmTable(context: ServiceContext): ResourceTable<Vm> {
  return context.table<Vm>('Vm', {
    table: 'plasmavmc_vms',
    noun: 'VM',
    columns: {
      org_id: (vm) => vm.org_id,
      project_id: (vm) => vm.project_id,
      name: (vm) => vm.name,
      state: (vm) => vm.state,
      vcpus: (vm) => vm.spec.cpu.vcpus,
      memory_mib: (vm) => vm.spec.memory.size_mib,
      due_ms: dueMs,
    },
    unique: ['org_id', 'project_id', 'name'],
    changeable: [],
    fixed: [],
    rules: (vm) => [
      nameRule('name', vm.name),
      nameRule('org_id', vm.org_id),
      nameRule('project_id', vm.project_id),
      rangeRule('vcpus', vm.spec.cpu.vcpus, 1, 1024),
      rangeRule('memory_mib', vm.spec.memory.size_mib, 1, 64 * 1024 * 1024),
      enumRule('hypervisor', vm.hypervisor, ['KVM', 'FIRECRACKER', 'MVISOR']),
    ],
  });
}
