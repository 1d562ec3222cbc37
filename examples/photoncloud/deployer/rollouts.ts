/**
 * Rollouts: an image goes from machine to machine, a few at a time. Nothing is really installed: a machine is at it for a
 * fixed time, counted from when it began. That stands in the database, so a rollout goes on over restarts, and one that
 * should have gone on while the process was down has done so at the next start.
 */
import { isDeepStrictEqual } from 'node:util';
import { status as Status } from '@grpc/grpc-js';
import { Agenda } from '../lib/agenda.js';
import { Bell } from '../lib/bell.js';
import { millisecondsOf, timestampOf } from '../lib/clock.js';
import { badRequest, quoted, requireFields, ServiceError } from '../lib/errors.js';
import { imageRule, labelsRule, matches, nameRule, rangeRule, type Rule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { ResourceTable } from '../lib/resources.js';
import type { ReplyStream } from '../lib/service.js';
import { restState } from './machines.js';
import type { CreateRolloutRequest, Machine, Rollout, RolloutMachine } from './messages.js';

/** How long a machine is at it. */
const updateMs = 1000;
const mostMachines = 1000;
const stepsAtOnce = 20;

/** All rollouts. */
export class Rollouts {
  readonly table: ResourceTable<Rollout>;
  readonly #machines: ResourceTable<Machine>;
  readonly #context: ServiceContext;
  readonly #agenda: Agenda;
  readonly #bell = new Bell();

  constructor(context: ServiceContext, machines: ResourceTable<Machine>) {
    this.#context = context;
    this.#machines = machines;
    this.table = rolloutTable(context);
    this.#agenda = new Agenda(context.clock, context.log, {
      what: 'rolling out',
      next: () => this.table.number('min(due_ms)', 'due_ms IS NOT NULL'),
      run: (nowMs) => this.#advanceDue(nowMs),
    });
  }

  /** Brings every rollout to where it is by now. */
  settle(): void {
    this.#agenda.settle();
  }

  /** Begins a rollout. */
  create(request: CreateRolloutRequest): Rollout {
    const { name, image, selector, machine_ids: ids, max_unavailable = 1 } = request;
    const named = ids.length > 0;
    const described = { name, image, selector, max_unavailable, state: 'RUNNING' as const };
    requireFields(
      ['machine_ids', named !== Object.keys(selector).length > 0, 'expected either these or a selector'],
      ['machine_ids', ids.length <= mostMachines, `are ${ids.length}, expected at most ${mostMachines}`],
      ['machine_ids', new Set(ids).size === ids.length, 'has a machine twice'],
      ...rulesOf(described),
    );
    this.settle();
    const rollout = this.#context.create(
      this.table,
      request,
      { ...described, machines: [], total: 0, updating: 0, updated: 0 },
      (fields) => {
        // Before what else may be wrong, so that who creates the same twice hears that it is there.
        this.table.requireFree(fields);
        return { machines: this.#waiting(named ? this.#named(ids) : this.#selected(selector)) };
      },
      (created) => this.#begin(created),
    );
    this.settle();
    return rollout;
  }

  /** No more machines begin. */
  pause(id: string): Rollout {
    return this.#order(id, ['RUNNING'], 'pause', (rollout) => ({ ...rollout, state: 'PAUSED' }));
  }

  /** Machines begin again. */
  resume(id: string): Rollout {
    return this.#order(id, ['PAUSED'], 'resume', (rollout) => ({ ...rollout, state: 'RUNNING' }));
  }

  /** Ends a rollout before its time; the machines that wait are free again. */
  cancel(id: string): Rollout {
    return this.#order(id, ['RUNNING', 'PAUSED'], 'cancel', (rollout, atMs) => ({
      ...rollout,
      state: 'CANCELLED',
      machines: rollout.machines.map((each) => {
        if (each.state !== 'PENDING') return each;
        this.#machines.replace({ ...this.#machines.get(each.machine_id), rollout_id: '' }, atMs);
        return { ...each, state: 'SKIPPED', changed_at: timestampOf(atMs) };
      }),
    }));
  }

  /** Sends a rollout as it is, and after each change, until it is over. */
  async watch(id: string, replies: ReplyStream<Rollout>): Promise<void> {
    let sent: Rollout | undefined;
    while (!replies.signal.aborted) {
      this.settle();
      const rollout: Rollout = this.table.get(id);
      if (!isDeepStrictEqual(rollout, sent)) {
        await replies.write(rollout);
        sent = rollout;
        continue;
      }
      if (isOver(rollout)) return;
      // Nothing is awaited between a reading that found nothing new and this, so no change can slip through.
      await this.#bell.next(id, replies.signal);
    }
  }

  close(): void {
    this.#agenda.close();
  }

  #order(
    id: string,
    from: readonly Rollout['state'][],
    verb: string,
    change: (rollout: Rollout, atMs: number) => Rollout,
  ): Rollout {
    this.settle();
    const now = this.#context.clock.now();
    const changed = this.#context.database.transaction(() => {
      const rollout = this.table.get(id);
      if (!from.includes(rollout.state)) {
        const text = `the rollout is ${rollout.state}; to ${verb} it, it has to be ${from.join(' or ')}`;
        throw new ServiceError(Status.FAILED_PRECONDITION, text);
      }
      return this.#advance(change(rollout, now), now);
    });
    this.#bell.ring(id);
    this.settle();
    return changed;
  }

  /** The machines of these ids; INVALID_ARGUMENT if one is not there. */
  #named(ids: readonly string[]): Machine[] {
    return ids.map((id, index) => this.#machines.referred(`machine_ids[${index}]`, id));
  }

  /** The machines with these labels; INVALID_ARGUMENT if there are none, or too many. */
  #selected(selector: Readonly<Record<string, string>>): Machine[] {
    const found = this.#machines.select('TRUE ORDER BY seq').filter(({ labels }) => matches(labels, selector));
    if (found.length >= 1 && found.length <= mostMachines) return found;
    const description = `finds ${found.length} machines, expected 1 to ${mostMachines}`;
    throw badRequest([{ field: 'selector', description }]);
  }

  #waiting(machines: readonly Machine[]): RolloutMachine[] {
    const busy = machines.find(({ rollout_id }) => rollout_id !== '');
    if (busy !== undefined) {
      const text = `the machine ${quoted(busy.id)} waits for the rollout ${quoted(busy.rollout_id)}; cancel that first`;
      throw new ServiceError(Status.FAILED_PRECONDITION, text);
    }
    const changed_at = timestampOf(this.#context.clock.now());
    return machines.map(({ id }) => ({ machine_id: id, state: 'PENDING', changed_at }));
  }

  #begin(rollout: Rollout): Rollout {
    const now = this.#context.clock.now();
    for (const { machine_id } of rollout.machines) {
      this.#machines.replace({ ...this.#machines.get(machine_id), rollout_id: rollout.id }, now);
    }
    return this.#advance(rollout, now);
  }

  #advanceDue(nowMs: number): void {
    const advanced = this.#context.database.transaction(() =>
      this.table
        .select('due_ms <= ? ORDER BY due_ms, seq LIMIT ?', nowMs, stepsAtOnce)
        .map((rollout) => this.#advance(rollout, dueMs(rollout)!)),
    );
    for (const { id } of advanced) this.#bell.ring(id);
  }

  /** Ends what is over at a moment, begins what may begin, and writes the rollout down. */
  #advance(rollout: Rollout, atMs: number): Rollout {
    const ended = rollout.machines.map((each) => (endMs(each) <= atMs ? this.#end(rollout, each, atMs) : each));
    let free = rollout.state === 'RUNNING' ? rollout.max_unavailable - countOf(ended, 'UPDATING') : 0;
    const machines = ended.map((each) => {
      if (each.state !== 'PENDING' || free <= 0) return each;
      free -= 1;
      return this.#start(each, atMs);
    });
    const [updating, updated] = [countOf(machines, 'UPDATING'), countOf(machines, 'UPDATED')];
    const state = updated === machines.length && rollout.state !== 'CANCELLED' ? 'SUCCEEDED' : rollout.state;
    return this.table.replace({ ...rollout, machines, total: machines.length, updating, updated, state }, atMs);
  }

  #start(each: RolloutMachine, atMs: number): RolloutMachine {
    this.#machines.replace({ ...this.#machines.get(each.machine_id), state: 'UPDATING' }, atMs);
    return { ...each, state: 'UPDATING', changed_at: timestampOf(atMs) };
  }

  #end({ image }: Rollout, each: RolloutMachine, atMs: number): RolloutMachine {
    const machine = this.#machines.get(each.machine_id);
    this.#machines.replace({ ...machine, state: restState(machine.role), image, rollout_id: '' }, atMs);
    return { ...each, state: 'UPDATED', changed_at: timestampOf(atMs) };
  }
}

/** When a machine is ready that is at it. */
function endMs({ state, changed_at }: RolloutMachine): number {
  return state === 'UPDATING' ? millisecondsOf(changed_at) + updateMs : Infinity;
}

/** When the first of the machines that are at it is ready. */
function dueMs({ machines }: Rollout): number | null {
  const first = machines.reduce((least, each) => Math.min(least, endMs(each)), Infinity);
  return first === Infinity ? null : first;
}

function countOf(machines: readonly RolloutMachine[], state: RolloutMachine['state']): number {
  return machines.filter((each) => each.state === state).length;
}

function isOver({ state, updating }: Rollout): boolean {
  return state === 'SUCCEEDED' || (state === 'CANCELLED' && updating === 0);
}

function rolloutTable(context: ServiceContext): ResourceTable<Rollout> {
  return context.table<Rollout>('Rollout', {
    table: 'deployer_rollouts',
    noun: 'rollout',
    columns: { name: (rollout) => rollout.name, due_ms: dueMs },
    unique: ['name'],
    changeable: [],
    fixed: [],
  });
}

function rulesOf(rollout: Pick<Rollout, 'name' | 'image' | 'selector' | 'max_unavailable'>): readonly Rule[] {
  return [
    nameRule('name', rollout.name),
    imageRule(rollout.image),
    labelsRule('selector', rollout.selector),
    rangeRule('max_unavailable', rollout.max_unavailable, 1, 2 ** 31 - 1),
  ];
}
