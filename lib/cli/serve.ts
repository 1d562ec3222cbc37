/** `photongate serve`: runs a proxy until a signal ends it. */
import { errorChannel, ignoredStatusChannel, type IgnoredStatus, type InternalError } from '../gateway/index.js';
import type { Config } from '../config/index.js';
import { startProxy } from '../proxy.js';
import { renderProblem } from './render.js';
import type { Terminal } from './terminal.js';

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Starts, says where it listens, and waits for SIGINT or SIGTERM: then what is in flight may end, and a second signal
 * ends at once.
 */
export async function serve(config: Config, terminal: Terminal): Promise<number> {
  const proxy = await startProxy(config);
  for (const warning of proxy.prepared.warnings) {
    terminal.error(renderProblem(warning, 'warning', terminal));
  }
  const stopLogging = logErrors(terminal);
  for (const url of proxy.urls) terminal.output(`photongate: listening on ${url}\n`);
  await firstSignal(terminal);
  await proxy.drain();
  stopLogging();
  return 0;
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

/** Faults of ours, of which a client sees "internal error" and the operator why; and what of a service's was ignored. */
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
  errorChannel.subscribe(log);
  ignoredStatusChannel.subscribe(logIgnored);
  return () => {
    errorChannel.unsubscribe(log);
    ignoredStatusChannel.unsubscribe(logIgnored);
  };
}
