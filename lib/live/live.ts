/**
 * A configuration → a proxy that runs: asks upstreams for their schema, opens the ports, and exchanges the routes when a
 * schema or the configuration changes. New routes are built whole before the first request sees them; what is wrong with
 * them is thrown or published, and the old ones go on. Channels are closed when the last request that may use them ended.
 */
import type { Config } from '../config/index.js';
import { type ConnectionCounts, Connections } from '../connections.js';
import type { ChannelStatus } from '../channel-status.js';
import type { Channel, OwnHealth } from '../exchange.js';
import { type PreparedListener, type PreparedProxy, type PrepareOptions, prepareProxy } from '../proxy/index.js';
import { Sequence } from '../queue.js';
import { diskFiles, type FileReader, type ReflectedSet } from '../schema/index.js';
import { ConfigError, type Problem } from '../status.js';
import type { ListenerStatus, Observer } from '../telemetry/index.js';
import { type MessageThreads, threadsFor } from '../threads/index.js';
import { reloadChannel, type ReloadEvent } from './diagnostics.js';
import { fingerprint, reflectAll, type ReflectingUpstream, reflectingUpstreams, type Reflection } from './reflect.js';
import { needsRestart, LiveListener } from './live-listener.js';

/** A proxy that listens. */
export interface RunningProxy {
  /** The base URL of each listener, in order: `http://127.0.0.1:8080`, or https. */
  readonly urls: readonly string[];
  /** What serves now. */
  readonly prepared: PreparedProxy;
  /** The files and folders that it was read from, the last attempt included. Whole paths. */
  readonly files: ReadonlySet<string>;
  /** What is open towards other servers now, however many configurations were loaded. */
  readonly connectionCounts: ConnectionCounts;
  /** The configuration that serves. */
  readonly config: Config;
  /** False while the schema of an upstream is not known, and once it drains: a load balancer is to send nothing. */
  readonly isReady: boolean;
  /** What is open towards upstreams. */
  readonly upstreams: readonly ChannelStatus[];
  /** Clients on each listener. */
  readonly listeners: readonly ListenerStatus[];
  /**
   * Serves by another configuration, once it is loaded; calls in flight end on the old one. Addresses and TLS stay.
   * Returns warnings; among them `needs-restart` for what could not be taken.
   * @throws ConfigError where it is bad; nothing changes then.
   */
  reload(config: Config): Promise<readonly Problem[]>;
  /** Says whether load balancers are to send requests: false makes `isReady` and health checks fail, and nothing else. */
  setHealthy(isHealthy: boolean): void;
  /** Takes no more requests and lets those in flight end within their listener's `drain_timeout`; never rejects. */
  drain(): Promise<void>;
}

/** What a program may want to know of a proxy that runs. */
export interface StartOptions {
  /** Who is to know of every request that is served by a configuration. Asked again at each reload. Default: nobody. */
  readonly observerFor?: (config: Config) => Observer | undefined;
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
export async function startProxy(config: Config, options: StartOptions = {}): Promise<RunningProxy> {
  const proxy = new LiveProxy(config, options);
  await proxy.open();
  return proxy;
}

class LiveProxy implements RunningProxy, OwnHealth {
  private readonly connections = new Connections();
  /** Gives up what upstreams are asked. */
  private readonly ending = new AbortController();
  readonly listeners: LiveListener[] = [];
  private current: PreparedProxy | undefined;
  /** Those that work on large messages, by the routes whose messages they are. */
  private readonly threadsOf = new WeakMap<PreparedProxy, MessageThreads>();
  /** The channels of `upstreams`. */
  private upstreamLease = this.connections.lease();
  private reflecting: readonly ReflectingUpstream[] = [];
  /** What each upstream said last. */
  private lastSets = new Map<Channel, ReflectedSet>();
  /** The fingerprint of the schemas that were tried last, good or not, and of those that serve. */
  private attemptedFingerprint: string | undefined;
  private servedFingerprint: string | undefined;
  private isPending = false;
  /** The last event that was no success: not to be told again and again. */
  private lastReport: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private isToldToFail = false;
  /** One change at a time. */
  private readonly changes = new Sequence();
  /** What the routes that serve were read from. */
  private readFrom: ReadonlySet<string> = new Set();
  files: ReadonlySet<string> = new Set();

  constructor(
    public config: Config,
    private readonly startOptions: StartOptions,
  ) {}

  get urls(): readonly string[] {
    return this.listeners.map(({ url }) => url);
  }

  get prepared(): PreparedProxy {
    return this.current!;
  }

  get isReady(): boolean {
    return !this.isPending && !this.isFailing;
  }

  /** As `OwnHealth`. */
  get isFailing(): boolean {
    return this.closed || this.isToldToFail;
  }

  setHealthy(isHealthy: boolean): void {
    this.isToldToFail = !isHealthy;
  }

  get upstreams(): readonly ChannelStatus[] {
    return this.connections.upstreams;
  }

  get connectionCounts(): ConnectionCounts {
    return this.connections.counts;
  }

  async open(): Promise<void> {
    try {
      this.reflecting = reflectingUpstreams(this.config, this.upstreamLease);
      const results = await reflectAll(this.reflecting, this.ending.signal);
      const bad = results.flatMap(({ problem }) => (problem === undefined || isTransient(problem) ? [] : [problem]));
      if (bad.length > 0) throw new ConfigError(bad);
      this.remember(results);
      const prepared = this.prepare(this.config, results);
      for (const listener of prepared.listeners) this.listeners.push(new LiveListener(listener));
      this.current = prepared;
      this.setFingerprints(results);
      for (const listener of this.listeners) await listener.open();
      for (const { lease } of prepared.listeners) lease.start();
    } catch (error) {
      for (const listener of this.listeners) listener.closeNow();
      this.connections.close();
      throw error;
    }
    this.schedule();
  }

  reload(config: Config): Promise<readonly Problem[]> {
    return this.changes.run(async () => {
      if (this.closed) return [];
      // Holds what is asked while nothing is decided, and what was asked before when it is.
      let unused = this.connections.lease();
      try {
        const upstreams = reflectingUpstreams(config, unused);
        const results = await reflectAll(upstreams, this.ending.signal);
        if (this.closed) return [];
        const lost = results.flatMap(({ upstream, problem }) =>
          problem === undefined || (isTransient(problem) && (this.isPending || this.lastSets.has(upstream.channel)))
            ? []
            : [problem],
        );
        if (lost.length > 0) throw new ConfigError(lost);
        const known = this.withKnown(results);
        const prepared = this.prepare(config, known);
        this.remember(results);
        this.config = config;
        this.reflecting = upstreams;
        [this.upstreamLease, unused] = [unused, this.upstreamLease];
        this.setFingerprints(known);
        return [...prepared.warnings, ...this.replaceRoutes(prepared)];
      } finally {
        unused.release();
        this.schedule();
      }
    });
  }

  async drain(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.ending.abort();
    await Promise.all(this.listeners.map((listener) => listener.drain()));
    this.connections.close();
    this.closeThreads(this.current);
  }

  // ---- schemas of upstreams

  /** @throws ConfigError where what they said will not do. */
  private prepare(config: Config, results: readonly Reflection[]): PreparedProxy {
    const pending = results.flatMap(({ upstream: { target }, problem }) =>
      problem === undefined ? [] : [{ target, message: `the schema of ${target} is not loaded yet; try again` }],
    );
    const reflected = results.flatMap(({ set }) => set ?? []);
    const files = new RecordingFiles(diskFiles);
    const observer = this.startOptions.observerFor?.(config);
    const threads = threadsFor(config, reflected);
    const options: PrepareOptions = {
      connections: this.connections,
      reflected,
      pending,
      files,
      observer,
      largeMessages: threads,
      health: this,
      boundHost: (fd) => this.listeners.find((listener) => listener.fd === fd)?.boundHost ?? '',
    };
    try {
      const prepared = prepareProxy(config, options);
      if (threads !== undefined) this.threadsOf.set(prepared, threads);
      this.files = this.readFrom = files.seen;
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
      this.files = new Set([...this.readFrom, ...files.seen]);
      throw error;
    }
  }

  /** While something is pending nothing was tried. */
  private setFingerprints(results: readonly Reflection[]): void {
    this.attemptedFingerprint = this.isPending ? undefined : fingerprint(results.flatMap(({ set }) => set ?? []));
    this.servedFingerprint = this.attemptedFingerprint;
  }

  private remember(results: readonly Reflection[]): void {
    this.lastSets = new Map(
      results.flatMap(({ upstream: { channel }, set }) => {
        const known = set ?? this.lastSets.get(channel);
        return known === undefined ? [] : [[channel, known] as const];
      }),
    );
  }

  /** Where an upstream does not answer, or answers nonsense, what it said before holds. */
  private withKnown(results: readonly Reflection[]): Reflection[] {
    return results.map((result) => {
      const set = result.set ?? this.lastSets.get(result.upstream.channel);
      return set === undefined ? result : { upstream: result.upstream, set };
    });
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const delay = this.delay();
    if (this.closed || delay === undefined) return;
    this.timer = setTimeout(() => {
      void this.changes.run(() => this.poll());
    }, delay);
    this.timer.unref();
  }

  private delay(): number | undefined {
    if (this.isPending) return RETRY_MS;
    const times = this.reflecting.flatMap(({ options }) => options.reflectionIntervalMs ?? []);
    return times.length === 0 ? undefined : Math.max(MIN_INTERVAL_MS, Math.min(...times));
  }

  /** Asks again, and takes what is new. */
  private async poll(): Promise<void> {
    try {
      const results = await reflectAll(this.reflecting, this.ending.signal);
      if (this.closed) return;
      const problems = results.flatMap(({ problem }) => problem ?? []);
      const known = this.withKnown(results);
      this.remember(results);
      const sets = known.flatMap(({ set }) => set ?? []);
      const isComplete = sets.length === known.length;
      const now = fingerprint(sets);
      if (isComplete && now !== this.attemptedFingerprint) {
        this.attemptedFingerprint = now;
        this.replaceSchemas(known);
      } else if (problems.length > 0) this.publish(isComplete ? 'unreachable' : 'waiting', problems);
      else if (now === this.servedFingerprint) this.lastReport = undefined;
    } catch (error) {
      this.publish('kept', error instanceof ConfigError ? error.problems : [unforeseen(error)]);
    } finally {
      this.schedule();
    }
  }

  private replaceSchemas(results: readonly Reflection[]): void {
    const prepared = this.prepare(this.config, results);
    this.setFingerprints(results);
    const problems = [...prepared.warnings, ...this.replaceRoutes(prepared)];
    this.publish('loaded', problems);
  }

  /** Tells an event once; a success is told always. */
  private publish(outcome: ReloadEvent['outcome'], problems: readonly Problem[]): void {
    const text = JSON.stringify([outcome, problems]);
    if (outcome !== 'loaded' && text === this.lastReport) return;
    this.lastReport = outcome === 'loaded' ? undefined : text;
    reloadChannel.publish({ outcome, problems } satisfies ReloadEvent);
  }

  private closeThreads(prepared: PreparedProxy | undefined): void {
    if (prepared !== undefined) this.threadsOf.get(prepared)?.close();
  }

  // ---- exchange of routes

  /** Each listener gets the routes of its address; returns what needs a restart. */
  private replaceRoutes(prepared: PreparedProxy): Problem[] {
    const rest: PreparedListener[] = [...prepared.listeners];
    const before = this.current;
    let retiring = this.listeners.length;
    const problems = this.listeners.flatMap((listener) => {
      const old = listener.current;
      const index = rest.findIndex((next) => listener.isAt(next));
      if (index < 0) {
        const what = `the listener ${old.config.listen} is no longer in the configuration, and keeps its old routes`;
        return [needsRestart(what)];
      }
      const needed = listener.replace(rest.splice(index, 1)[0]!);
      retire(old, () => {
        retiring--;
        if (retiring === 0) this.closeThreads(before);
      });
      return needed;
    });
    for (const { config, lease } of rest) {
      lease.release();
      problems.push(needsRestart(`the listener ${config.listen} is new, and is not open`));
    }
    for (const { current } of this.listeners) current.lease.start();
    this.current = prepared;
    return problems;
  }
}

/** Lets go of its connections when its last request has ended, and says so. */
function retire({ parts, lease }: PreparedListener, onRetired: () => void): void {
  let busy = parts.length;
  for (const { gateway } of parts) {
    gateway.onIdle(() => {
      busy--;
      if (busy > 0) return;
      lease.release();
      onRetired();
    });
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
