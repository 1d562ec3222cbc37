/** `photongate check`: loads everything as a start would and prints every problem and warning. */
import type { Config } from '../config/index.js';
import { loadReflected } from '../live/index.js';
import { prepareProxy } from '../proxy.js';
import { ConfigError, type Problem } from '../status.js';
import { ExitCode } from './exit-code.js';
import { renderProblem, type Severity } from './render.js';
import type { Terminal } from './terminal.js';

/** Prints what is wrong; exit code 1 where a start would fail. Ports are not opened, upstreams not called but for reflection. */
export async function check(load: () => Config, terminal: Terminal): Promise<number> {
  const print = (problems: readonly Problem[], severity: Severity): void => {
    for (const problem of problems) terminal.error(renderProblem(problem, severity, terminal));
  };
  try {
    const config = load();
    const parts = config.listeners.flatMap(({ root, mounts }) => [root, ...mounts]);
    // Protos alone can be checked too, where there is no word of a server yet.
    const offline = parts.every(({ upstreams }) => upstreams.length === 0);
    const { listeners, warnings } = prepareProxy(config, {
      offline,
      thorough: true,
      reflected: await loadReflected(config),
    });
    print(warnings, 'warning');
    const count = listeners.flatMap(({ parts }) => parts).reduce((sum, { bindings }) => sum + bindings.length, 0);
    terminal.output(`ok: ${count} routes, ${warnings.length} warnings\n`);
    return ExitCode.OK;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(error.warnings, 'warning');
    print(error.problems, 'error');
    terminal.output(`failed: ${error.problems.length} problems, ${error.warnings.length} warnings\n`);
    return ExitCode.FAILURE;
  }
}
