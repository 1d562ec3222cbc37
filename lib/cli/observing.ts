/** Who observes the requests of `photongate serve`: made from the options of a configuration, kept over reloads. */
import {
  FormatAccessLog,
  JsonAccessLog,
  LineBuffer,
  type LogFile,
  Metrics,
  type Observer,
  observers,
  openLogFile,
  RequestRecord,
  startTracing,
  SummedMetrics,
  type TelemetryOptions,
  TextAccessLog,
  type Tracing,
  wantsTraces,
} from '../telemetry/index.js';
import {
  type AdminListener,
  type AdminPages,
  adminPages,
  type AskablePool,
  type EnvoyActions,
  familiesOf,
  metricsSource,
  primaryPages,
  shareHealth,
  shareLogLevel,
  startAdmin,
  withEnvoyPages,
  workerAnswers,
} from '../admin/index.js';
import { needsRestart, type ReloadEvent, type RunningProxy } from '../live/index.js';
import { snakeCase } from '../options/index.js';
import type { Problem } from '../status.js';
import { splitTarget } from '../uri.js';
import { packageVersion } from '../installation.js';
import type { RefusedRequest } from '../server/index.js';
import type { Voice, WorkerEvent } from '../workers/index.js';
import type { Logging } from './logging.js';
import type { Terminal } from './terminal.js';

/** Options that are read when a process starts: those that the process with the admin listener takes, and one that serves. */
const adminOptions = ['admin', 'adminEnvoy'] as const;
const servingOptions = ['metricsMaxSeries', 'tracing'] as const;

/** What the primary can do with its workers besides asking them. */
interface PrimaryPool {
  readonly urls: readonly string[];
  drain(): Promise<void>;
}

type StartOption = (typeof adminOptions)[number] | (typeof servingOptions)[number];

/** Of a target that is refused for its length, so much is logged. */
const MAX_SHOWN_TARGET = 1000;

export class Observing {
  private readonly files = new Map<string, { readonly file: LogFile; readonly lines: LineBuffer }>();
  private readonly standardError: LineBuffer;
  private readonly standardOutput: LineBuffer;
  private proxy: RunningProxy | undefined;
  /** Made with the first configuration that has an admin listener. */
  private metrics: Metrics | undefined;
  private admin: AdminListener | undefined;
  private tracing: Tracing | undefined;
  private startedWith: TelemetryOptions | undefined;
  private quit: () => void = () => undefined;
  /** Resolves when the admin listener is told to end the process. */
  readonly quitting = new Promise<void>((resolve) => (this.quit = resolve));
  private held: readonly StartOption[] = [];
  /** The access log, for requests that have no other observer. */
  private refusals: Observer | undefined;
  /** Of workers, if this is their primary. */
  private summed: SummedMetrics | undefined;
  /** False once an operator has said so. */
  private isHealthy = true;

  constructor(
    private readonly terminal: Terminal,
    private readonly log: Logging,
  ) {
    this.standardError = new LineBuffer((text) => terminal.error(text));
    this.standardOutput = new LineBuffer((text) => terminal.output(text));
  }

  /**
   * The observers of a configuration; undefined if it wants none.
   * @throws ConfigError `log-file`
   */
  observerFor(options: TelemetryOptions): Observer | undefined {
    // Spans come first: the others show their trace id.
    const all = [this.tracing?.observer, this.accessLog(options), this.metricsFor(options)];
    return observers(all.filter((observer) => observer !== undefined));
  }

  /**
   * Starts tracing if the configuration or the environment wants it; before the first request.
   * @throws ConfigError `no-tracing-sdk`
   */
  async startTracing(options: TelemetryOptions): Promise<void> {
    const { environment } = this.terminal;
    if (wantsTraces(options.tracing, environment)) this.tracing = await startTracing(options, environment);
  }

  private metricsFor({ admin, metricsMaxSeries }: TelemetryOptions): Metrics | undefined {
    if (admin === undefined) return undefined;
    return (this.metrics ??= new Metrics(
      packageVersion(),
      metricsMaxSeries,
      metricsSource(() => this.proxy),
    ));
  }

  /**
   * Opens the admin listener if the configuration has one.
   * @throws ConfigError as `listen`
   */
  async start(proxy: RunningProxy): Promise<void> {
    const { options } = proxy.config;
    this.proxy = proxy;
    this.hold(options, [...adminOptions, ...servingOptions]);
    const { metrics, log } = this;
    if (metrics === undefined) return;
    await this.openAdmin(options, adminPages({ proxy, metrics, log }), {
      drainListeners: () => void proxy.drain(),
      setHealthy: (isHealthy) => proxy.setHealthy(isHealthy),
      urls: () => proxy.urls,
    });
  }

  /** In a worker: what it says of itself. Without an admin listener nobody asks. */
  startWorker(proxy: RunningProxy): Voice {
    this.proxy = proxy;
    this.hold(proxy.config.options, servingOptions);
    const { metrics, log } = this;
    return {
      answer: metrics === undefined ? () => undefined : workerAnswers({ proxy, metrics, log }),
      parting: () => metrics?.families(),
    };
  }

  /** In the primary, before the first worker starts: returns who is to hear of their events. */
  watchWorkers(options: TelemetryOptions): (event: WorkerEvent) => void {
    this.hold(options, adminOptions);
    const metrics = this.metricsFor(options);
    if (metrics === undefined) return () => undefined;
    const summed = new SummedMetrics(metrics, options.metricsMaxSeries);
    this.summed = summed;
    return (event) => {
      // It has read the configuration, and the level may have been set since.
      if (event.kind === 'started') {
        void shareLogLevel([event.worker], this.log.level);
        if (!this.isHealthy) void shareHealth([event.worker], false);
      }
      if (event.kind === 'ended') summed.hasEnded(event.id, familiesOf(event.parting));
      if (event.kind === 'died') summed.countDeath();
    };
  }

  /**
   * In the primary: opens the admin listener if the configuration has one.
   * @throws ConfigError as `listen`
   */
  async startPrimary(options: TelemetryOptions, pool: AskablePool & PrimaryPool): Promise<void> {
    const { summed: metrics, log } = this;
    if (metrics === undefined) return;
    await this.openAdmin(options, primaryPages({ pool, metrics, log }), {
      drainListeners: () => void pool.drain(),
      setHealthy: (isHealthy) => {
        this.isHealthy = isHealthy;
        void shareHealth(pool.askable, isHealthy);
      },
      urls: () => pool.urls,
    });
  }

  private async openAdmin(
    { admin, adminEnvoy }: TelemetryOptions,
    pages: AdminPages,
    actions: Omit<EnvoyActions, 'quit'>,
  ): Promise<void> {
    if (admin === undefined) return;
    this.admin = await startAdmin(admin, adminEnvoy ? withEnvoyPages(pages, { ...actions, quit: this.leave }) : pages);
    this.log.write('info', `the admin listener is at ${this.admin.url}`, { url: this.admin.url });
  }

  private hold(options: TelemetryOptions, held: readonly StartOption[]): void {
    this.startedWith = options;
    this.held = held;
    this.refusals = this.refusalLog(options);
  }

  private readonly leave = (): void => {
    this.log.write('info', '/quitquitquit, finishing what is in flight');
    this.quit();
  };

  /** Counts what became of a reload; an upstream that is waited for is none. */
  countReload(outcome: ReloadEvent['outcome']): void {
    if (outcome === 'loaded' || outcome === 'kept') this.metrics?.countReload(outcome);
  }

  /** A request that the server refused before anybody could observe it: a line, and a count of its own. */
  refused({ peer, method = '-', target = '-', headers = [], httpVersion, ...refused }: RefusedRequest): void {
    const { reason, requestId, status, message } = refused;
    this.metrics?.countRefusal(reason);
    if (this.refusals === undefined) return;
    const shown = target.length > MAX_SHOWN_TARGET ? `${target.slice(0, MAX_SHOWN_TARGET)}…` : target;
    const { path, query } = splitTarget(shown);
    const caller = { address: peer.address, forwarded: [] };
    const head = { method, path, query, headers, httpVersion, hasBody: false, requestId, caller };
    const record = new RequestRecord(head, shown, peer.tls !== undefined);
    record.endedAt = record.startedAt;
    record.status = status;
    record.error = message;
    this.refusals.onEnd(record);
  }

  /** A reload has taken these options. Returns what of them needs a restart. */
  reloaded(options: TelemetryOptions): Problem[] {
    this.refusals = this.refusalLog(options);
    for (const [path, { file, lines }] of this.files) {
      if (path === options.accessLogFile) continue;
      this.files.delete(path);
      lines.flush();
      file.close();
    }
    const started = this.startedWith;
    if (started === undefined) return [];
    const changed = this.held.filter((key) => options[key] !== started[key]).map(snakeCase);
    return changed.length === 0 ? [] : [needsRestart(`${changed.join(', ')} changed, and the old values hold`)];
  }

  /** A primary serves nothing, and refuses nothing. */
  private refusalLog(options: TelemetryOptions): Observer | undefined {
    return this.proxy === undefined ? undefined : this.accessLog(options);
  }

  private accessLog(options: TelemetryOptions): Observer | undefined {
    const { accessLog, accessLogFile } = options;
    if (accessLog === 'off') return undefined;
    const onTerminal = accessLogFile === undefined && this.terminal.interactive;
    const sink = this.sinkOf(accessLogFile);
    const write = (line: string): void => sink.write(line);
    const { accessLogFormat: format, accessLogOmitEmpty: omitsEmpty } = options;
    if (format !== undefined) return new FormatAccessLog(options, { format, omitsEmpty }, write);
    const isText = accessLog === 'auto' ? onTerminal : accessLog === 'text';
    if (!isText) return new JsonAccessLog(options, write);
    return new TextAccessLog(options, write, onTerminal && this.terminal.color);
  }

  /** The devices are what the process was given, which need not be files that can be opened. */
  private sinkOf(path: string | undefined): LineBuffer {
    if (path === undefined || path === '/dev/stderr') return this.standardError;
    return path === '/dev/stdout' ? this.standardOutput : this.linesOf(path);
  }

  private linesOf(path: string): LineBuffer {
    const known = this.files.get(path);
    if (known !== undefined) return known.lines;
    const file = openLogFile(path, (problem) => this.log.write('error', problem));
    const lines = new LineBuffer((text) => file.write(text));
    this.files.set(path, { file, lines });
    return lines;
  }

  /** Opens files anew, as programs that move them away expect of SIGHUP. */
  reopen(): void {
    for (const { file } of this.files.values()) file.reopen();
  }

  /** Writes what waits, and closes everything. */
  async close(): Promise<void> {
    await this.admin?.close();
    await this.tracing?.stop();
    this.standardError.flush();
    this.standardOutput.flush();
    for (const { file, lines } of this.files.values()) {
      lines.flush();
      file.close();
    }
  }
}
