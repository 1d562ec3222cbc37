/**
 * `photongate mcp`: the tools of a listener for a program that starts this one and speaks over its standard streams. No port
 * is opened, and nothing but the protocol is written to standard output; what is odd goes to standard error.
 */
import type { Config, MountConfig } from '../config/index.js';
import { Connections } from '../connections.js';
import { loadReflected } from '../live/index.js';
import { serveStdio } from '../mcp/index.js';
import { prepareProxy } from '../proxy/index.js';
import { chosenListener } from './chosen-listener.js';
import { logEvents } from './event-log.js';
import { ExitCode } from './exit-code.js';
import { headerPair } from './header-pair.js';
import { Logging } from './logging.js';
import type { Terminal } from './terminal.js';

/** What `photongate mcp` was told. */
export interface McpInput {
  /** `name: value` of each call, such as a token. */
  readonly headers: readonly string[];
  /** The listener, as the configuration writes its address; needed if there are several. */
  readonly listener: string | undefined;
}

/**
 * Serves until the input ends, or a signal comes.
 * @throws ConfigError if the configuration or a header cannot be read, or an upstream does not tell its schema.
 */
export async function mcp(config: Config, { headers, listener }: McpInput, terminal: Terminal): Promise<number> {
  const { streams } = terminal;
  if (streams === undefined) throw new TypeError('a terminal without streams');
  const pairs = headers.map((text) => headerPair(text, []));
  const connections = new Connections();
  const log = new Logging(terminal);
  log.configure(config.options);
  const stopLog = logEvents(log);
  try {
    const asked = withTools(config);
    const prepared = prepareProxy(asked, { connections, reflected: await loadReflected(asked) });
    log.warnings(prepared.warnings);
    const { parts } = chosenListener(prepared.listeners, listener);
    const [root] = parts;
    const server = root?.mcp?.server;
    if (root === undefined || server === undefined) throw new TypeError('a listener without tools');
    const { maxBodyBytes } = root.config.options;
    const client = { headers: pairs.flat(), maxMessageBytes: maxBodyBytes };
    const stopped = new Promise<void>((resolve) => terminal.onSignal(() => resolve()));
    const { input, output } = streams;
    await Promise.race([stopped, serveStdio(server, input, output, client)]);
    // Otherwise an open input would keep the process.
    input.destroy();
    return ExitCode.OK;
  } finally {
    stopLog();
    connections.close();
  }
}

/** Who runs the command wants its tools. */
function withTools(config: Config): Config {
  const on = (mount: MountConfig): MountConfig => ({ ...mount, options: { ...mount.options, mcp: true } });
  return {
    ...config,
    listeners: config.listeners.map((listener) => ({
      ...listener,
      root: on(listener.root),
      mounts: listener.mounts.map(on),
    })),
  };
}
