/** `photongate check`: loads everything as a start would, and reports every problem and warning. */
import { type Config, namesNoUpstream } from '../config/index.js';
import { Connections } from '../connections.js';
import { compareUpstreams, loadReflected } from '../live/index.js';
import { allParts, type PreparedProxy, prepareProxy } from '../proxy/index.js';
import { ConfigError, type Problem } from '../status.js';
import { ExitCode } from './exit-code.js';
import { type Finding, isGood, printReport, type Report, type ReportFormat, textReport } from './report.js';
import type { Severity } from './render.js';
import type { Terminal } from './terminal.js';

/** What `photongate check` was told. */
export interface CheckInput {
  readonly format: ReportFormat;
  /** Ask the upstreams, too, whether they serve what the schema has. */
  readonly upstreams: boolean;
  /** A warning fails the check. */
  readonly strict: boolean;
}

/**
 * Reports what is wrong. Exit code 1 if a start would fail (with `strict` also if there is a warning), 4 if an upstream differs from the schema or does not serve. Ports
 * are not opened. Upstreams are only called by reflection, and by `upstreams`.
 */
export async function check(load: () => Config, input: CheckInput, terminal: Terminal): Promise<number> {
  const connections = new Connections();
  try {
    const { report, prepared, config } = await checkConfig(load, input, connections);
    const differences = prepared === undefined || !input.upstreams ? [] : await compareUpstreams(config!, prepared);
    const whole = { ...report, findings: [...report.findings, ...differences], isStrict: input.strict };
    if (input.format === 'text') {
      const { errors, output } = textReport(whole, terminal);
      if (errors !== '') terminal.error(errors);
      terminal.output(output);
    } else terminal.output(printReport(whole, input.format));
    if (prepared === undefined) return ExitCode.FAILURE;
    if (differences.some(({ severity }) => severity === 'error')) return ExitCode.UPSTREAM;
    return isGood(whole) ? ExitCode.OK : ExitCode.FAILURE;
  } finally {
    connections.close();
  }
}

interface Checked {
  readonly report: Report;
  /** Undefined if a start would fail. */
  readonly prepared?: PreparedProxy;
  readonly config?: Config;
}

async function checkConfig(load: () => Config, input: CheckInput, connections: Connections): Promise<Checked> {
  try {
    const config = load();
    // Without upstreams, only the protos and rules are checked.
    const offline = !input.upstreams && namesNoUpstream(config);
    const reflected = await loadReflected(config);
    const prepared = prepareProxy(config, { offline, thorough: true, reflected, connections });
    const bindings = prepared.listeners.flatMap(allParts).flatMap((part) => part.bindings);
    const report = { findings: findings(prepared.warnings, 'warning'), routes: bindings.length };
    return { report, prepared, config };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const all = [...findings(error.warnings, 'warning'), ...findings(error.problems, 'error')];
    return { report: { findings: all, routes: undefined } };
  }
}

function findings(problems: readonly Problem[], severity: Severity): Finding[] {
  return problems.map((problem) => ({ severity, problem }));
}
