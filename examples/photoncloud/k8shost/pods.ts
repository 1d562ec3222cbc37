/**
 * Pods and the nodes that they are given to. Nothing is really run: fetching an image takes a fixed time, counted from
 * `created_at`, and the log of a pod follows from its life, so neither a restart nor a crash can lose a line of it.
 */
import { status as Status } from '@grpc/grpc-js';
import { Agenda } from '../lib/agenda.js';
import { Bell } from '../lib/bell.js';
import { millisecondsOf, timestampOf } from '../lib/clock.js';
import { ServiceError } from '../lib/errors.js';
import { imageRule, labelRule, labelsRule, type Rule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { Fields, ResourceTable } from '../lib/resources.js';
import type { ReplyStream } from '../lib/service.js';
import type { LogLine, Node, Pod } from './messages.js';

const fetchMs = 1000;
const nodeCount = 3;
/** Per node; its block of 4096 addresses has room for more. */
const capacityPods = 1000;
const movesAtOnce = 100;
const longestCommand = 8192;

const keptLines = 1000;
const lineBatch = 100;
/** After the lines that tell how a pod came to run, it gives a sign of life so often. */
const heartbeatMs = 1000;

/** All pods, and the nodes. */
export class Pods {
  readonly table: ResourceTable<Pod>;
  readonly nodes: ResourceTable<Node>;
  readonly #context: ServiceContext;
  readonly #agenda: Agenda;
  readonly #bell = new Bell();

  constructor(context: ServiceContext) {
    this.#context = context;
    this.table = podTable(context);
    this.nodes = nodeTable(context);
    if (this.nodes.number('count(*)', 'TRUE') === 0) this.#foundCluster();
    this.#agenda = new Agenda(context.clock, context.log, {
      what: 'starting pods',
      next: () => this.table.number('min(due_ms)', 'due_ms IS NOT NULL'),
      run: (nowMs) => this.#startDue(nowMs),
    });
  }

  /** Brings every pod into the phase that it has by now. */
  settle(): void {
    this.#agenda.settle();
  }

  /** The node for one more pod: the one with the fewest; RESOURCE_EXHAUSTED if all are full. */
  nodeForOneMore(): string {
    const [name, pods] = this.#allNodes()
      .map((node) => [node, this.#podsOn(node)] as const)
      .reduce((least, each) => (each[1] < least[1] ? each : least));
    if (pods < capacityPods) return name;
    throw new ServiceError(Status.RESOURCE_EXHAUSTED, `every node has ${capacityPods} pods; delete some`);
  }

  /** A node with the number of its pods. */
  withPods(node: Node): Node {
    return { ...node, pods: this.#podsOn(node.name) };
  }

  /** Deletes a pod; whoever reads its log comes to the end. */
  delete(id: string): { deleted: true } {
    const deleted = this.table.delete(id);
    this.#bell.ring(id);
    return deleted;
  }

  /** Sends the log of a pod, the last `tail` lines of what is there and, if asked, what comes. */
  async log(id: string, tail: number, follow: boolean, replies: ReplyStream<LogLine>): Promise<void> {
    let next: number | undefined;
    while (!replies.signal.aborted) {
      this.settle();
      const pod = this.table.find(id);
      if (pod === undefined) return;
      const count = lineCount(pod, this.#context.clock.now());
      next ??= Math.max(count - Math.min(tail, keptLines), 0) + 1;
      replies.accept();
      const end = Math.min(count, next + lineBatch - 1);
      for (; next <= end; next++) await replies.write(lineOf(pod, next));
      if (next <= count) continue;
      if (!follow) return;
      await this.#lineOrEnd(pod, next, replies.signal);
    }
  }

  close(): void {
    this.#agenda.close();
  }

  /** Resolves when the pod may have its line of this number, or is gone. */
  async #lineOrEnd(pod: Pod, number: number, signal: AbortSignal): Promise<void> {
    const at = lineMs(pod, number);
    // Awaiting nothing between the look at the log and this, no line and no end can slip through.
    const rung = this.#bell.next(pod.id, signal);
    if (at === undefined) return rung;
    const cancel = this.#context.clock.schedule(at, () => this.#bell.ring(pod.id));
    await rung;
    cancel();
  }

  #startDue(nowMs: number): void {
    const started = this.#context.database.transaction(() =>
      this.table
        .select('due_ms <= ? ORDER BY due_ms, seq LIMIT ?', nowMs, movesAtOnce)
        .map((pod) => this.table.replace({ ...pod, phase: 'RUNNING', pod_ip: this.#freeAddress(pod) }, dueMs(pod)!)),
    );
    for (const { id } of started) this.#bell.ring(id);
  }

  #freeAddress({ node_name }: Pod): string {
    const number = this.table.lowestFree('address_number', 1, capacityPods, { node_name })!;
    const node = Number(node_name.slice('node-'.length));
    return `10.244.${16 * node + (number >> 8)}.${number & 255}`;
  }

  #allNodes(): string[] {
    return this.nodes.select('TRUE ORDER BY seq LIMIT ?', nodeCount).map(({ name }) => name);
  }

  #podsOn(node: string): number {
    return this.table.number('count(*)', 'node_name = ?', node)!;
  }

  #foundCluster(): void {
    this.#context.database.transaction(() => {
      for (let n = 1; n <= nodeCount; n++) {
        const place = { address: `10.0.0.${10 + n}`, pod_cidr: `10.244.${16 * n}.0/20`, capacity_pods: capacityPods };
        this.nodes.insert({ name: `node-${n}`, state: 'READY', ...place, pods: 0 });
      }
    });
  }
}

function dueMs({ phase, created_at }: Pod): number | null {
  return phase === 'PENDING' ? millisecondsOf(created_at) + fetchMs : null;
}

/** The lines before and at the moment when a pod began to run. */
function storyOf(pod: Pod): readonly [line: string, atMs: number][] {
  const created = millisecondsOf(pod.created_at);
  const pending: [string, number][] = [
    [`scheduled on ${pod.node_name}`, created],
    [`pulling image ${pod.image}`, created],
  ];
  if (pod.phase === 'PENDING') return pending;
  const started = millisecondsOf(pod.updated_at);
  const what = [...pod.command, ...pod.args].join(' ').replace(/\p{Cc}/gu, ' ');
  return [
    ...pending,
    [`pulled image ${pod.image}`, started],
    [`started ${what === '' ? 'what the image says' : what}`, started],
  ];
}

/** How many lines a log has by now. */
function lineCount(pod: Pod, nowMs: number): number {
  const told = storyOf(pod).length;
  if (pod.phase === 'PENDING') return told;
  return told + Math.max(Math.floor((nowMs - millisecondsOf(pod.updated_at)) / heartbeatMs), 0);
}

/** When a line that is yet to come will be written; undefined where that depends on the pod. */
function lineMs(pod: Pod, number: number): number | undefined {
  if (pod.phase === 'PENDING') return undefined;
  return millisecondsOf(pod.updated_at) + (number - storyOf(pod).length) * heartbeatMs;
}

function lineOf(pod: Pod, number: number): LogLine {
  const story = storyOf(pod);
  const beats = number - story.length;
  const [line, atMs] = story[number - 1] ?? [`running for ${(beats * heartbeatMs) / 1000} s`, lineMs(pod, number)!];
  return { number: BigInt(number), line, written_at: timestampOf(atMs) };
}

function podTable(context: ServiceContext): ResourceTable<Pod> {
  return context.table<Pod>('Pod', {
    table: 'k8shost_pods',
    noun: 'pod',
    columns: {
      namespace: (pod) => pod.namespace,
      name: (pod) => pod.name,
      phase: (pod) => pod.phase,
      node_name: (pod) => pod.node_name,
      address_number: (pod) => addressNumber(pod.pod_ip),
      due_ms: dueMs,
    },
    unique: ['namespace', 'name'],
    changeable: [],
    fixed: [],
    rules: (pod) => [
      labelRule('name', pod.name),
      labelRule('namespace', pod.namespace),
      imageRule(pod.image),
      commandRule(pod),
      labelsRule('labels', pod.labels),
    ],
  });
}

function nodeTable(context: ServiceContext): ResourceTable<Node> {
  return context.table<Node>('Node', {
    table: 'k8shost_nodes',
    noun: 'node',
    columns: { name: (node) => node.name },
    changeable: [],
    fixed: [],
  });
}

/** Its number in the block of its node; none where it has no address yet. */
function addressNumber(ip: string): number | null {
  if (ip === '') return null;
  const [third, fourth] = ip.split('.').slice(2).map(Number) as [number, number];
  return (third % 16) * 256 + fourth;
}

function commandRule({ command, args }: Fields<Pod>): Rule {
  const bytes = [...command, ...args].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  return ['command', bytes <= longestCommand, `has ${bytes} bytes with its args, expected at most ${longestCommand}`];
}

/** The running pods of a namespace, by age; at most so many. */
export function runningPods(pods: ResourceTable<Pod>, namespace: string, count: number): Pod[] {
  return pods.select("namespace = ? AND phase = 'RUNNING' ORDER BY seq LIMIT ?", namespace, count);
}
