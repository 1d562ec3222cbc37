/** `photongate serve`: runs a proxy until a signal stops it. */
import type { Config } from '../config/index.js';
import { needsRestart, startProxy, type StartOptions, watchFiles } from '../live/index.js';
import { ConfigError, messageOf, type Problem } from '../status.js';
import { packageVersion } from '../installation.js';
import { isGrpcJsInUse } from '../packages.js';
import { isWorker, runWorker, WorkersFailed } from '../workers/index.js';
import { logEvents, logReload, onRefused, onReload } from './event-log.js';
import { ExitCode } from './exit-code.js';
import { letHeapGrow, resetHeapGrowth } from './heap-growth.js';
import { Logging } from './logging.js';
import { Observing } from './observing.js';
import { startWorkers, workerCount } from './primary.js';
import type { ServingProxy } from './serving-proxy.js';
import type { Terminal } from './terminal.js';

/** How long the process may take to end by itself if it uses grpc-js. */
const GRPC_JS_END_MS = 500;

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Starts, says where it listens, and waits for SIGINT or SIGTERM: then what is in flight may end, and a second signal
 * ends at once. SIGHUP reads the configuration again; SIGUSR2 exchanges the worker processes.
 */
export async function serve(load: () => Config, terminal: Terminal): Promise<number> {
  const log = new Logging(terminal);
  const observing = new Observing(terminal, log);
  const stops = [
    logEvents(log),
    onReload(({ outcome }) => observing.countReload(outcome)),
    onRefused((request) => observing.refused(request)),
    resetHeapGrowth,
  ];
  const configured = (): Config => {
    const config = load();
    log.configure(config.options);
    return config;
  };
  let code: number = ExitCode.FAILURE;
  try {
    return (code = await run(configured, terminal, log, observing));
  } finally {
    for (const stop of stops) stop();
    await observing.close();
    // A call to a control plane that is gone, or a connection that is never answered, would keep the process alive for ever.
    if (isGrpcJsInUse()) setTimeout(() => terminal.exit(code), GRPC_JS_END_MS).unref();
  }
}

/** Also the query parameters that hold tokens and API keys are not logged. */
function redacting({ options, listeners }: Config): Config['options'] {
  const policies = listeners.flatMap(({ root, mounts }) =>
    [root, ...mounts].flatMap((part) => [part.options.jwt, part.options.apiKeys]),
  );
  const names = policies.flatMap((policy) => policy?.queryParameter ?? []);
  return { ...options, logRedactQuery: [...new Set([...options.logRedactQuery, ...names])] };
}

async function run(load: () => Config, terminal: Terminal, log: Logging, observing: Observing): Promise<number> {
  const startOptions: StartOptions = { observerFor: (config) => observing.observerFor(redacting(config)) };
  if (isWorker()) {
    const again = (): Config => {
      observing.reopen();
      return load();
    };
    const hasServed = await runWorker({
      load: again,
      async prepare(loaded) {
        await observing.startTracing(redacting(loaded));
        return startOptions;
      },
      started(proxy) {
        letHeapGrow();
        return observing.startWorker(proxy);
      },
      reloaded: ({ options }) => observing.reloaded(options),
    });
    return hasServed ? ExitCode.OK : ExitCode.FAILURE;
  }
  // Before anything is printed, because a caller that waits for the line may send a signal at once.
  const stopped = firstSignal(terminal, log);
  let changes: Changes | undefined;
  terminal.onHangup(() => {
    observing.reopen();
    void changes?.reload();
  });
  terminal.onRestart(() => void changes?.restart());
  const config = load();
  const workers = workerCount(config);
  if (workers === 1) await observing.startTracing(redacting(config));
  try {
    const proxy =
      workers > 1
        ? await startWorkers(config, workers, log, observing)
        : await startHere(config, startOptions, observing);
    changes = new Changes(load, proxy, log, observing);
    log.warnings(proxy.warnings);
    const { reload } = changes;
    const stopWatching = config.watch === true ? await reloadOnChange(config, proxy, reload) : () => undefined;
    for (const url of proxy.urls) terminal.output(`photongate: listening on ${url}${proxy.remark}\n`);
    // On a terminal the lines above say it.
    if (!terminal.interactive) log.write('info', 'started', { version: packageVersion(), urls: proxy.urls });
    await Promise.race([stopped, observing.quitting, proxy.failed]).finally(() => {
      changes?.stop();
      stopWatching();
      return proxy.drain();
    });
    if (!terminal.interactive) log.write('info', 'stopped');
    return ExitCode.OK;
  } catch (error) {
    if (!(error instanceof WorkersFailed)) throw error;
    log.write('error', error.message);
    return ExitCode.WORKERS;
  }
}

/** A proxy in this process. */
async function startHere(config: Config, startOptions: StartOptions, observing: Observing): Promise<ServingProxy> {
  const proxy = await startProxy(config, startOptions);
  try {
    await observing.start(proxy);
    letHeapGrow();
  } catch (error) {
    await proxy.drain();
    throw error;
  }
  return {
    urls: proxy.urls,
    warnings: proxy.prepared.warnings,
    get files() {
      return proxy.files;
    },
    remark: '',
    async reload(next) {
      const warnings = await proxy.reload(next);
      return [...warnings, ...observing.reloaded(next.options), ...changedWorkers(next)];
    },
    restart: () =>
      Promise.reject(
        new ConfigError({
          code: 'no-workers',
          message: 'SIGUSR2 restarts worker processes, but this process has none',
          hint: 'start with --workers; SIGHUP takes a changed configuration without a restart',
        }),
      ),
    drain: () => proxy.drain(),
    failed: new Promise(() => undefined),
  };
}

/** One process cannot become several. */
function changedWorkers(config: Config): Problem[] {
  const workers = workerCount(config);
  return workers === 1 ? [] : [needsRestart(`workers changed to ${workers}, and there is one process`)];
}

/** Changes of the configuration while it serves, and what came of each; nothing rejects. */
class Changes {
  private warned: ReadonlySet<string>;
  private isStopped = false;

  constructor(
    private readonly load: () => Config,
    private readonly proxy: ServingProxy,
    private readonly log: Logging,
    private readonly observing: Observing,
  ) {
    this.warned = texts(proxy.warnings);
  }

  /** Reads everything again. */
  readonly reload = (): Promise<void> => this.change((config) => this.proxy.reload(config));

  readonly restart = (): Promise<void> => this.change((config) => this.proxy.restart(config));

  /** Whatever is under way is not worth a word any more. */
  stop(): void {
    this.isStopped = true;
  }

  private async change(take: (config: Config) => Promise<readonly Problem[]>): Promise<void> {
    if (this.isStopped) return;
    try {
      const warnings = await take(this.load());
      this.logOutcome(
        'loaded',
        warnings.filter((warning) => !this.warned.has(JSON.stringify(warning))),
      );
      this.warned = texts(warnings);
    } catch (error) {
      const isBad = error instanceof ConfigError;
      this.logOutcome('kept', isBad ? error.problems : [{ code: 'reload-failed', message: messageOf(error) }]);
    }
  }

  private logOutcome(outcome: 'loaded' | 'kept', problems: readonly Problem[]): void {
    if (this.isStopped) return;
    this.observing.countReload(outcome);
    logReload({ outcome, problems }, this.log);
  }
}

/** Reloads when a file changes. Returns how to stop. */
function reloadOnChange({ file }: Config, proxy: ServingProxy, reload: () => Promise<void>): Promise<() => void> {
  return watchFiles(() => new Set([...proxy.files, ...(file === undefined ? [] : [file])]), reload);
}

function texts(problems: readonly Problem[]): ReadonlySet<string> {
  return new Set(problems.map((problem) => JSON.stringify(problem)));
}

function firstSignal(terminal: Terminal, log: Logging): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    terminal.onSignal((signal) => {
      count++;
      if (count > 1) {
        terminal.exit(128 + (signalNumbers[signal] ?? 0));
        return;
      }
      log.write('info', `${signal}, finishing what is in flight; once more to end at once`, { signal });
      resolve();
    });
  });
}
