/**
 * A configuration → a proxy that runs: asks upstreams for their schema, opens the ports, and exchanges the routes when a
 * schema or the configuration changes. New routes are built whole before the first request sees them; what is wrong with
 * them is thrown or published, and the old ones go on. Channels are closed when the last request that may use them ended.
 */
import type { Config } from '../config/index.js';
import type { Channel } from '../exchange.js';
import {
  closeConnections,
  type PreparedListener,
  type PreparedProxy,
  type PrepareOptions,
  prepareProxy,
  sharedConnections,
} from '../proxy.js';
import { diskFiles, type FileReader, type ReflectedSet } from '../schema/index.js';
import { ConfigError, type Problem } from '../status.js';
import { reloadChannel, type ReloadEvent } from './diagnostics.js';
import { fingerprint, reflectAll, type ReflectingUpstream, reflectingUpstreams, type Reflection } from './reflect.js';
import { needsRestart, Slot } from './slot.js';

/** A proxy that listens. */
export interface RunningProxy {
  /** The base URL of each listener, in order: `http://127.0.0.1:8080`, or https. */
  readonly urls: readonly string[];
  /** What serves now. */
  readonly prepared: PreparedProxy;
  /** The files and folders that it was read from, the last attempt included. Whole paths. */
  readonly files: ReadonlySet<string>;
  /**
   * Serves by another configuration, once it is loaded; calls in flight end on the old one. Addresses and TLS stay.
   * Returns warnings; among them `needs-restart` for what could not be taken.
   * @throws ConfigError where it is bad; nothing changes then.
   */
  reload(config: Config): Promise<readonly Problem[]>;
  /** Takes no more requests and lets those in flight end within their listener's `drain_timeout`; never rejects. */
  drain(): Promise<void>;
}

/** While an upstream has not told its schema it is asked this often. */
const RETRY_MS = 1000;
/** The least time between two looks, whatever the option says. */
const MIN_INTERVAL_MS = 100;

/**
 * Starts a proxy: returns when every listener takes connections. Upstreams may be down; where their schema is needed,
 * requests are answered 503 until it is there.
 * @throws ConfigError where the configuration is bad or a port cannot be opened; nothing listens then.
 */
export async function startProxy(config: Config): Promise<RunningProxy> {
  const proxy = new LiveProxy(config);
  await proxy.open();
  return proxy;
}

class LiveProxy implements RunningProxy {
  private readonly shared = sharedConnections();
  private readonly slots: Slot[] = [];
  /** The channels of the routes that serve, or served and still have requests. */
  private readonly inUse = new Map<PreparedListener, ReadonlySet<Channel>>();
  private current: PreparedProxy | undefined;
  private upstreams: readonly ReflectingUpstream[] = [];
  /** What each upstream said last. */
  private sets = new Map<Channel, ReflectedSet>();
  /** The fingerprint of the schemas that were tried last, good or not, and of those that serve. */
  private tried: string | undefined;
  private served: string | undefined;
  private isPending = false;
  /** The last event that was no success: not to be told again and again. */
  private told: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** One change at a time. */
  private queue: Promise<unknown> = Promise.resolve();
  files: ReadonlySet<string> = new Set();

  constructor(private config: Config) {}

  get urls(): readonly string[] {
    return this.slots.map(({ url }) => url);
  }

  get prepared(): PreparedProxy {
    return this.current!;
  }

  async open(): Promise<void> {
    try {
      this.upstreams = reflectingUpstreams(this.config, this.shared.pool);
      const results = await reflectAll(this.upstreams);
      const bad = results.flatMap(({ problem }) => (problem === undefined || isTransient(problem) ? [] : [problem]));
      if (bad.length > 0) throw new ConfigError(bad);
      this.remember(results);
      const prepared = this.prepare(this.config, results);
      for (const listener of prepared.listeners) {
        this.slots.push(new Slot(listener));
        this.inUse.set(listener, prepared.channels);
      }
      this.current = prepared;
      this.took(results);
      for (const slot of this.slots) await slot.open();
    } catch (error) {
      await Promise.all(this.slots.map((slot) => slot.drain(0)));
      this.close();
      throw error;
    }
    this.schedule();
  }

  reload(config: Config): Promise<readonly Problem[]> {
    return this.inTurn(async () => {
      if (this.closed) return [];
      try {
        const upstreams = reflectingUpstreams(config, this.shared.pool);
        const results = await reflectAll(upstreams);
        if (this.closed) return [];
        const lost = results.flatMap(({ upstream, problem }) =>
          problem === undefined || (isTransient(problem) && (this.isPending || this.sets.has(upstream.channel)))
            ? []
            : [problem],
        );
        if (lost.length > 0) throw new ConfigError(lost);
        const known = this.withKnown(results);
        const prepared = this.prepare(config, known);
        this.remember(results);
        this.config = config;
        this.upstreams = upstreams;
        this.took(known);
        return [...prepared.warnings, ...this.swap(prepared)];
      } finally {
        this.closeUnused();
        this.schedule();
      }
    });
  }

  async drain(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await Promise.all(this.slots.map((slot) => slot.drain()));
    this.close();
  }

  private close(): void {
    closeConnections(this.shared);
  }

  private inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.queue.then(step);
    this.queue = result.catch(() => undefined);
    return result;
  }

  // ---- schemas of upstreams

  /** @throws ConfigError where what they said will not do. */
  private prepare(config: Config, results: readonly Reflection[]): PreparedProxy {
    const pending = results.flatMap(({ upstream: { target }, problem }) =>
      problem === undefined ? [] : [{ target, message: `the schema of ${target} is not loaded yet; try again` }],
    );
    const reflected = results.flatMap(({ set }) => set ?? []);
    const files = new RecordingFiles(diskFiles);
    const options: PrepareOptions = { shared: this.shared, reflected, pending, files };
    try {
      const prepared = prepareProxy(config, options);
      this.files = files.seen;
      this.isPending = pending.length > 0;
      if (this.isPending) {
        this.publish(
          'waiting',
          results.flatMap(({ problem }) => problem ?? []),
        );
      }
      return prepared;
    } catch (error) {
      // What it was read from before is where it may be mended as well.
      this.files = new Set([...this.files, ...files.seen]);
      throw error;
    }
  }

  /** While something is pending nothing was tried. */
  private took(results: readonly Reflection[]): void {
    this.tried = this.isPending ? undefined : fingerprint(results.flatMap(({ set }) => set ?? []));
    this.served = this.tried;
  }

  private remember(results: readonly Reflection[]): void {
    this.sets = new Map(
      results.flatMap(({ upstream: { channel }, set }) => {
        const known = set ?? this.sets.get(channel);
        return known === undefined ? [] : [[channel, known] as const];
      }),
    );
  }

  /** Where an upstream does not answer, or answers nonsense, what it said before holds. */
  private withKnown(results: readonly Reflection[]): Reflection[] {
    return results.map((result) => {
      const set = result.set ?? this.sets.get(result.upstream.channel);
      return set === undefined ? result : { upstream: result.upstream, set };
    });
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const delay = this.delay();
    if (this.closed || delay === undefined) return;
    this.timer = setTimeout(() => {
      void this.inTurn(() => this.look());
    }, delay);
    this.timer.unref();
  }

  private delay(): number | undefined {
    if (this.isPending) return RETRY_MS;
    const times = this.upstreams.flatMap(({ options }) => options.reflectionIntervalMs ?? []);
    return times.length === 0 ? undefined : Math.max(MIN_INTERVAL_MS, Math.min(...times));
  }

  /** Asks again, and takes what is new. */
  private async look(): Promise<void> {
    try {
      const results = await reflectAll(this.upstreams);
      if (this.closed) return;
      const problems = results.flatMap(({ problem }) => problem ?? []);
      const known = this.withKnown(results);
      this.remember(results);
      const sets = known.flatMap(({ set }) => set ?? []);
      const isComplete = sets.length === known.length;
      const now = fingerprint(sets);
      if (isComplete && now !== this.tried) {
        this.tried = now;
        this.exchange(known);
      } else if (problems.length > 0) this.publish(isComplete ? 'unreachable' : 'waiting', problems);
      else if (now === this.served) this.told = undefined;
    } catch (error) {
      this.publish('kept', error instanceof ConfigError ? error.problems : [unforeseen(error)]);
    } finally {
      this.closeUnused();
      this.schedule();
    }
  }

  private exchange(results: readonly Reflection[]): void {
    const prepared = this.prepare(this.config, results);
    this.took(results);
    const problems = [...prepared.warnings, ...this.swap(prepared)];
    this.publish('loaded', problems);
  }

  /** Tells an event once; a success is told always. */
  private publish(outcome: ReloadEvent['outcome'], problems: readonly Problem[]): void {
    const text = JSON.stringify([outcome, problems]);
    if (outcome !== 'loaded' && text === this.told) return;
    this.told = outcome === 'loaded' ? undefined : text;
    reloadChannel.publish({ outcome, problems } satisfies ReloadEvent);
  }

  // ---- exchange of routes

  /** Each listener gets the routes of its address; returns what needs a restart. */
  private swap(prepared: PreparedProxy): Problem[] {
    const rest: PreparedListener[] = [...prepared.listeners];
    const problems = this.slots.flatMap((slot) => {
      const old = slot.current;
      const index = rest.findIndex((listener) => slot.isAt(listener));
      if (index < 0) {
        const what = `the listener ${old.config.listen} is no longer in the configuration, and keeps its old routes`;
        return [needsRestart(what)];
      }
      const needed = slot.take(rest.splice(index, 1)[0]!);
      this.inUse.set(slot.current, prepared.channels);
      this.retire(old);
      return needed;
    });
    for (const { config } of rest) problems.push(needsRestart(`the listener ${config.listen} is new, and is not open`));
    this.current = prepared;
    return problems;
  }

  /** Its channels are free when its last request has ended. */
  private retire(listener: PreparedListener): void {
    let busy = listener.parts.length;
    for (const { gateway } of listener.parts) {
      gateway.onIdle(() => {
        busy--;
        if (busy > 0) return;
        this.inUse.delete(listener);
        this.closeUnused();
      });
    }
  }

  private closeUnused(): void {
    const asked = this.upstreams.map(({ channel }) => channel);
    if (this.closed) return;
    const used = [...this.inUse.values()].flatMap((channels) => [...channels]);
    this.shared.pool.keepOnly(new Set([...asked, ...used]));
  }
}

function isTransient({ code }: Problem): boolean {
  return code === 'reflection-unavailable';
}

function unforeseen(error: unknown): Problem {
  return { code: 'reflection-failed', message: `the schema cannot be loaded: ${String(error)}` };
}

/** Remembers what was looked at, also what was not there. */
class RecordingFiles implements FileReader {
  readonly seen = new Set<string>();

  constructor(private readonly files: FileReader) {}

  read(path: string): Buffer | undefined {
    this.seen.add(path);
    return this.files.read(path);
  }

  list(path: string): ReturnType<FileReader['list']> {
    this.seen.add(path);
    return this.files.list(path);
  }
}
