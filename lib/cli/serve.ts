/** `photongate serve`: runs a proxy until a signal ends it. */
import {
  errorChannel,
  ignoredStatusChannel,
  type IgnoredStatus,
  type InternalError,
  jwksChannel,
  type KeyFetch,
} from '../gateway/index.js';
import type { Config } from '../config/index.js';
import { reloadChannel, type ReloadEvent, type RunningProxy, startProxy, watchFiles } from '../live/index.js';
import { ConfigError, type Problem } from '../status.js';
import { renderProblem } from './render.js';
import type { Terminal } from './terminal.js';

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Starts, says where it listens, and waits for SIGINT or SIGTERM: then what is in flight may end, and a second signal
 * ends at once.
 */
export async function serve(load: () => Config, terminal: Terminal): Promise<number> {
  const stopLogging = logErrors(terminal);
  try {
    return await run(load, terminal);
  } finally {
    stopLogging();
  }
}

async function run(load: () => Config, terminal: Terminal): Promise<number> {
  const config = load();
  const proxy = await startProxy(config);
  for (const warning of proxy.prepared.warnings) {
    terminal.error(renderProblem(warning, 'warning', terminal));
  }
  const stopWatching = config.watch === true ? await reloadOnChange(load, config, proxy, terminal) : () => undefined;
  for (const url of proxy.urls) terminal.output(`photongate: listening on ${url}\n`);
  await firstSignal(terminal);
  stopWatching();
  await proxy.drain();
  return 0;
}

/** Reads everything again when a file changes. Returns how to stop. */
function reloadOnChange(
  load: () => Config,
  { file }: Config,
  proxy: RunningProxy,
  terminal: Terminal,
): Promise<() => void> {
  let warned = texts(proxy.prepared.warnings);
  const reload = async (): Promise<void> => {
    try {
      const warnings = await proxy.reload(load());
      logReload(
        { outcome: 'loaded', problems: warnings.filter((warning) => !warned.has(JSON.stringify(warning))) },
        terminal,
      );
      warned = texts(warnings);
    } catch (error) {
      const problems =
        error instanceof ConfigError ? error.problems : [{ code: 'reload-failed', message: String(error) }];
      logReload({ outcome: 'kept', problems }, terminal);
    }
  };
  return watchFiles(() => new Set([...proxy.files, ...(file === undefined ? [] : [file])]), reload);
}

function texts(problems: readonly Problem[]): ReadonlySet<string> {
  return new Set(problems.map((problem) => JSON.stringify(problem)));
}

const outcomes: Readonly<Record<ReloadEvent['outcome'], string>> = {
  waiting: 'waiting for a schema, requests are answered 503',
  unreachable: 'an upstream does not tell its schema any more, its last one serves on',
  kept: 'not reloaded, the old routes serve on',
  loaded: 'reloaded',
};

/** A line for what happened, and the problems behind it as a start would show them; piped, one JSON line. */
function logReload({ outcome, problems }: ReloadEvent, terminal: Terminal): void {
  const severity = outcome === 'kept' ? 'error' : 'warning';
  if (terminal.interactive) {
    terminal.error(`photongate: ${outcomes[outcome]}\n`);
    for (const problem of problems) terminal.error(renderProblem(problem, severity, terminal));
    return;
  }
  const level = outcome === 'kept' ? 'error' : outcome === 'loaded' ? 'info' : 'warn';
  terminal.error(`${JSON.stringify({ level, time: new Date().toISOString(), msg: outcomes[outcome], problems })}\n`);
}

function firstSignal(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    terminal.onSignal((signal) => {
      count++;
      if (count > 1) {
        terminal.exit(128 + (signalNumbers[signal] ?? 0));
        return;
      }
      terminal.error(`photongate: ${signal}, finishing what is in flight; once more to end at once\n`);
      resolve();
    });
  });
}

/**
 * Faults of ours, of which a client sees "internal error" and the operator why; what of a service's was ignored; keys of
 * tokens that cannot be fetched.
 */
function logErrors(terminal: Terminal): () => void {
  const log = (message: unknown): void => {
    const { cause, requestId, method, path } = message as InternalError;
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    terminal.error(
      terminal.interactive
        ? `photongate: internal error, request ${requestId} ${method} ${path}: ${text}\n`
        : `${JSON.stringify({ level: 'error', time: new Date().toISOString(), msg: 'internal error', request_id: requestId, method, path, error: text })}\n`,
    );
  };
  const logIgnored = (message: unknown): void => {
    const { rpc, requestId, found, reason } = message as IgnoredStatus;
    const text = `x-http-code ${JSON.stringify(found)} of ${rpc} is ignored: ${reason}`;
    terminal.error(
      terminal.interactive
        ? `photongate: warning, request ${requestId}: ${text}\n`
        : `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), msg: text, request_id: requestId })}\n`,
    );
  };
  const logKeys = (message: unknown): void => {
    const { url, problem } = message as KeyFetch;
    const text = `the signing keys at ${url} ${problem ?? 'are there again'}`;
    const level = problem === undefined ? 'info' : 'warn';
    terminal.error(
      terminal.interactive
        ? `photongate: ${problem === undefined ? '' : 'warning, '}${text}\n`
        : `${JSON.stringify({ level, time: new Date().toISOString(), msg: text })}\n`,
    );
  };
  const logReloaded = (message: unknown): void => logReload(message as ReloadEvent, terminal);
  reloadChannel.subscribe(logReloaded);
  errorChannel.subscribe(log);
  ignoredStatusChannel.subscribe(logIgnored);
  jwksChannel.subscribe(logKeys);
  return () => {
    reloadChannel.unsubscribe(logReloaded);
    errorChannel.unsubscribe(log);
    ignoredStatusChannel.unsubscribe(logIgnored);
    jwksChannel.unsubscribe(logKeys);
  };
}
