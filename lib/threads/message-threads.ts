/**
 * The threads that work on large messages, as their owner sees them. A thread starts when a message waits for one, does one
 * piece of work at a time, and ends when it has had nothing to do for a while.
 */
import { Worker } from 'node:worker_threads';
import { wallClock } from '../clock.js';
import type { Config } from '../config/index.js';
import type { Metadata, Reply } from '../exchange.js';
import { type LargeCall, type LargeMessages, NotElsewhere } from '../gateway/index.js';
import { threadFile } from '../installation.js';
import { Queue } from '../queue.js';
import type { ReflectedSet } from '../schema/index.js';
import { Code, StatusError } from '../status.js';
import { type ThreadFailure, threadsChannel } from './diagnostics.js';
import { asBuffer, type Order, type ThreadInput, type Told, unpackError } from './messages.js';

/** What threads are started with. */
export interface ThreadSettings extends ThreadInput {
  /** Messages of more bytes are large. */
  readonly aboveBytes: number;
  readonly maxThreads: number;
  /** How long a thread waits for work before it ends, in milliseconds. Default: a minute. */
  readonly idleMs?: number;
}

/**
 * The threads that a configuration allows, of which none is started before a message needs it; undefined: it allows none.
 * Call it before anything is loaded.
 */
export function threadsFor(config: Config, reflected: readonly ReflectedSet[] = []): MessageThreads | undefined {
  const { largeMessageBytes: aboveBytes, largeMessageThreads: maxThreads } = config.options;
  if (maxThreads === 0) return undefined;
  return new MessageThreads({ aboveBytes, maxThreads, config, reflected, loadedAtMs: wallClock().getTime() });
}

/** Work that waits or is under way. */
interface Job {
  readonly call: LargeCall;
  readonly order: Order;
  /** The memory that moves to the thread. */
  readonly moved: readonly ArrayBuffer[];
  resolve(told: Told): void;
  reject(error: Error): void;
}

const IDLE_MS = 60_000;

/** The threads of one configuration. */
export class MessageThreads implements LargeMessages {
  private readonly waiting = new Queue<Job>();
  private readonly threads = new Set<Thread>();
  /** True once no thread can be had. */
  private isUnusable = false;

  constructor(private readonly settings: ThreadSettings) {}

  get aboveBytes(): number {
    return this.settings.aboveBytes;
  }

  /** How many threads there are, for tests. */
  get size(): number {
    return this.threads.size;
  }

  async request(call: LargeCall, body: readonly Buffer[]): Promise<Buffer> {
    const order: Order = { kind: 'request', ...placeOf(call), body };
    const told = await this.work(
      call,
      order,
      body.map(({ buffer }) => buffer as ArrayBuffer),
    );
    return asBuffer((told as Extract<Told, { kind: 'request' }>).message);
  }

  async reply(call: LargeCall, message: Buffer, headers: Metadata, trailers: Metadata): Promise<Reply> {
    // Memory of just this size was made for it alone: messages that share memory with others are parts of it.
    const isAlone = message.byteLength === message.buffer.byteLength;
    const order: Order = { kind: 'reply', ...placeOf(call), message, headers, trailers };
    const told = await this.work(call, order, isAlone ? [message.buffer as ArrayBuffer] : []);
    const { reply } = told as Extract<Told, { kind: 'reply' }>;
    return reply.body === undefined ? reply : { ...reply, body: asBuffer(reply.body) };
  }

  /** Ends all threads; what waits is to be done elsewhere. */
  close(): void {
    this.isUnusable = true;
    for (const thread of this.threads) thread.end();
    this.threads.clear();
    for (let job = this.waiting.take(); job !== undefined; job = this.waiting.take()) job.reject(new NotElsewhere());
  }

  private work(call: LargeCall, order: Order, moved: readonly ArrayBuffer[]): Promise<Told> {
    return new Promise((resolve, reject) => {
      if (this.isUnusable) return reject(new NotElsewhere());
      this.waiting.push({ call, order, moved, resolve, reject });
      this.dispatch();
    });
  }

  private dispatch(): void {
    for (const thread of this.threads) {
      if (thread.isFree) this.giveWork(thread);
    }
    if (this.waiting.length > 0 && this.threads.size < this.settings.maxThreads) this.startThread();
  }

  private giveWork(thread: Thread): void {
    for (let job = this.waiting.take(); job !== undefined; job = this.waiting.take()) {
      if (job.call.isWanted) return thread.run(job);
      job.reject(new NotElsewhere());
    }
    thread.rest(this.settings.idleMs ?? IDLE_MS);
  }

  private startThread(): void {
    const thread = new Thread(this.settings, {
      onFree: () => this.giveWork(thread),
      onEnd: (reason) => {
        this.threads.delete(thread);
        // One that has worked is followed by another; one that never did would be followed by the same.
        if (reason === undefined) this.dispatch();
        else this.giveUp(reason);
      },
    });
    this.threads.add(thread);
  }

  private giveUp(reason: string): void {
    if (this.isUnusable) return;
    this.close();
    if (threadsChannel.hasSubscribers) threadsChannel.publish({ reason } satisfies ThreadFailure);
  }
}

interface ThreadOwner {
  /** It can take work. */
  onFree(): void;
  /** @param reason if it never could work */
  onEnd(reason: string | undefined): void;
}

/** One thread. */
class Thread {
  private readonly worker: Worker;
  private job: Job | undefined;
  private state: 'starting' | 'free' | 'busy' | 'ended' = 'starting';
  private timer: NodeJS.Timeout | undefined;

  constructor(
    { config, reflected, loadedAtMs }: ThreadInput,
    private readonly owner: ThreadOwner,
  ) {
    const workerData: ThreadInput = { config, reflected, loadedAtMs };
    this.worker = new Worker(threadFile, { workerData, execArgv: [] });
    this.worker.unref();
    this.worker.on('message', (told: Told) => this.onTold(told));
    this.worker.on('error', (error: Error) => this.onGone(error));
    this.worker.on('exit', () => this.onGone(new Error('the thread has ended')));
  }

  get isFree(): boolean {
    return this.state === 'free';
  }

  run(job: Job): void {
    clearTimeout(this.timer);
    this.state = 'busy';
    this.job = job;
    this.worker.postMessage(job.order, job.moved);
  }

  /** Ends if nothing comes for so long. */
  rest(idleMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.end();
      this.owner.onEnd(undefined);
    }, idleMs).unref();
  }

  end(): void {
    this.state = 'ended';
    clearTimeout(this.timer);
    void this.worker.terminate();
    this.job?.reject(new StatusError(Code.UNAVAILABLE, 'the proxy is stopping'));
    this.job = undefined;
  }

  private onTold(told: Told): void {
    if (this.state === 'ended') return;
    if (told.kind === 'unusable') {
      this.end();
      return this.owner.onEnd(told.reason);
    }
    const { job } = this;
    this.job = undefined;
    this.state = 'free';
    if (told.kind === 'error') job?.reject(unpackError(told.error));
    else job?.resolve(told);
    this.owner.onFree();
  }

  private onGone(cause: Error): void {
    if (this.state === 'ended') return;
    const hasWorked = this.state !== 'starting';
    this.state = 'ended';
    clearTimeout(this.timer);
    this.job?.reject(new StatusError(Code.INTERNAL, 'internal error', { cause }));
    this.job = undefined;
    this.owner.onEnd(hasWorked ? undefined : cause.message);
  }
}

function placeOf({ plan, head, captures }: LargeCall): Pick<Order, 'plan' | 'head' | 'captures'> {
  // What has counted the request is known here alone.
  return { plan, head: { ...head, counted: undefined }, captures };
}
