/**
 * Whether upstreams serve what the schema has: asks each by reflection and health, and compares. What makes calls fail or
 * their values change is an error; what is merely not used is a warning.
 */
import { monotonicMs } from '../clock.js';
import type { Config } from '../config/index.js';
import type { Channel } from '../exchange.js';
import { HealthRound } from '../builtin/index.js';
import { allParts, type PreparedProxy } from '../proxy/index.js';
import {
  type FieldDescriptor,
  loadSchema,
  type MessageDescriptor,
  type MethodDescriptor,
  reflectSchema,
  type Schema,
  type ServiceDescriptor,
  openSession,
} from '../schema/index.js';
import { ConfigError, type Problem, ProblemList } from '../status.js';

/** A difference, and whether it makes calls go wrong. */
export interface Difference {
  readonly severity: 'error' | 'warning';
  readonly problem: Problem;
}

/** The services that a proxy calls at one server. */
interface Served {
  readonly channel: Channel;
  readonly services: Set<string>;
  readonly options: Config['listeners'][number]['root']['options'];
}

/** Asks all upstreams at once; never rejects for what they do. */
export async function compareUpstreams(config: Config, { listeners, schema }: PreparedProxy): Promise<Difference[]> {
  const byChannel = new Map<Channel, Served>();
  for (const part of listeners.flatMap(allParts)) {
    for (const { name, channel } of part.services) {
      const served = byChannel.get(channel) ?? { channel, services: new Set(), options: part.config.options };
      served.services.add(name);
      byChannel.set(channel, served);
    }
  }
  const found = await Promise.all([...byChannel.values()].map((served) => compareUpstream(served, schema, config)));
  return found.flat();
}

async function compareUpstream(served: Served, schema: Schema, config: Config): Promise<Difference[]> {
  const { channel, services, options } = served;
  const deadline = monotonicMs() + options.reflectionTimeoutMs;
  const open = (path: string): ReturnType<typeof openSession> =>
    openSession(channel, path, Math.max(1, deadline - monotonicMs()));
  try {
    const set = await reflectSchema(channel.target, open, (name) => services.has(name), options);
    const problems = new ProblemList();
    const sources = { ...config.sources, protos: [], descriptorSets: [], reflected: [set] };
    const theirs = loadSchema(sources, problems);
    if (problems.errors.length > 0) return problems.errors.map((problem) => ({ severity: 'error', problem }));
    const differences = new Differences(channel.target);
    for (const service of schema.services) {
      if (!services.has(service.fullName)) continue;
      differences.compareService(
        service,
        theirs.services.find(({ fullName }) => fullName === service.fullName),
      );
    }
    const had = set.services.filter((name) => services.has(name));
    return [...differences.found, ...(await healthOf({ ...served, services: new Set(had) }))];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // It may serve everything, and nobody can know; or it is not there, and then it does not serve.
    const severity = error.problems[0]!.code === 'reflection-unsupported' ? 'warning' : 'error';
    const unknown = error.problems.map((problem): Difference => ({ severity, problem }));
    return severity === 'error' ? unknown : [...unknown, ...(await healthOf(served))];
  }
}

async function healthOf({ channel, services, options }: Served): Promise<Difference[]> {
  const round = new HealthRound(options.healthTimeoutMs);
  const states = await Promise.all(
    [...services].map(async (name) => [name, await round.statusOf({ name, channel })] as const),
  );
  return states.flatMap(([name, state]): Difference[] => {
    if (state === 'SERVING') return [];
    const message = `${channel.target} reports that ${name} is ${state}`;
    return [{ severity: 'error', problem: { code: 'upstream-health', message } }];
  });
}

/** The differences of one server, each message type compared once. */
class Differences {
  readonly found: Difference[] = [];
  private readonly compared = new Set<string>();

  constructor(private readonly target: string) {}

  compareService(ours: ServiceDescriptor, theirs: ServiceDescriptor | undefined): void {
    if (theirs === undefined) {
      const message = `${this.target} does not have the service ${ours.fullName}`;
      return this.add('error', { code: 'upstream-service', message, place: ours.place });
    }
    for (const method of ours.methods) {
      const other = theirs.methods.find(({ name }) => name === method.name);
      if (other === undefined) {
        const message = `${this.target} does not have the method ${method.fullName}`;
        this.add('error', { code: 'upstream-method', message, place: method.place, rpc: method.fullName });
      } else this.compareMethod(method, other);
    }
  }

  private compareMethod(ours: MethodDescriptor, theirs: MethodDescriptor): void {
    const [mine, other] = [shape(ours), shape(theirs)];
    if (mine !== other) {
      const message = `${this.target} has another kind of ${ours.fullName}: the schema says ${mine}, the server ${other}`;
      return this.add('error', { code: 'upstream-method', message, place: ours.place, rpc: ours.fullName });
    }
    this.compareMessage(ours.input, theirs.input);
    this.compareMessage(ours.output, theirs.output);
  }

  private compareMessage(ours: MessageDescriptor, theirs: MessageDescriptor): void {
    const pair = `${ours.fullName} ${theirs.fullName}`;
    if (this.compared.has(pair)) return;
    this.compared.add(pair);
    for (const field of ours.fields) {
      const other = theirs.fieldByNumber(field.number);
      if (other !== undefined) this.compareField(field, other);
      else {
        const message = `${this.target} does not have the field ${field.fullName} (${field.number}): it ignores values`;
        this.add('warning', { code: 'upstream-field', message, place: field.place });
      }
    }
    for (const field of theirs.fields) {
      if (ours.fieldByNumber(field.number) !== undefined) continue;
      const message = `${this.target} has the field ${field.fullName} (${field.number}), which the schema lacks: it is not shown`;
      this.add('warning', { code: 'upstream-field', message, place: ours.place });
    }
  }

  private compareField(ours: FieldDescriptor, theirs: FieldDescriptor): void {
    const [mine, other] = [typeOf(ours), typeOf(theirs)];
    if (mine !== other) {
      const message = `${this.target} has another type for the field ${ours.fullName} (${ours.number}): the schema says ${mine}, the server ${other}`;
      return this.add('error', { code: 'upstream-field', message, place: ours.place });
    }
    if (ours.name !== theirs.name) {
      const message = `${this.target} calls the field ${ours.fullName} (${ours.number}) ${theirs.name}`;
      this.add('warning', { code: 'upstream-field', message, place: ours.place });
    }
    const mineOf = ours.map?.value ?? ours;
    const otherOf = theirs.map?.value ?? theirs;
    if (mineOf.message !== undefined && otherOf.message !== undefined)
      this.compareMessage(mineOf.message, otherOf.message);
    if (mineOf.enum === undefined || otherOf.enum === undefined) return;
    for (const { name, number } of otherOf.enum.values) {
      if (mineOf.enum.valueByNumber(number) !== undefined) continue;
      const message = `${this.target} has the value ${name} (${number}) of ${otherOf.enum.fullName}, which the schema lacks: it is shown as a number`;
      this.add('warning', { code: 'upstream-field', message, place: mineOf.enum.place });
    }
  }

  private add(severity: Difference['severity'], problem: Problem): void {
    // An enum is reached by many fields.
    const isKnown = this.found.some((other) => other.problem.message === problem.message);
    if (!isKnown) this.found.push({ severity, problem });
  }
}

/** `stream a.B → a.C` */
function shape({ clientStreaming, serverStreaming, input, output }: MethodDescriptor): string {
  const side = (isStream: boolean, name: string): string => `${isStream ? 'stream ' : ''}${name}`;
  return `${side(clientStreaming, input.fullName)} → ${side(serverStreaming, output.fullName)}`;
}

/** What decides how bytes are read: `repeated int32`, `map<string, a.B>`, `a.E`. */
function typeOf(field: FieldDescriptor): string {
  if (field.map !== undefined) return `map<${typeOf(field.map.key)}, ${typeOf(field.map.value)}>`;
  const name = field.message?.fullName ?? field.enum?.fullName ?? field.type;
  return `${field.repeated ? 'repeated ' : ''}${field.delimited ? 'group ' : ''}${name}`;
}
