/** The log of `photongate serve` on standard error: text on a terminal, else JSON lines. */
import type { Problem } from '../status.js';
import { jsonLog, type Log, type LogLevel, type Severity, type TelemetryOptions, textLog } from '../telemetry/index.js';
import { condensed } from './condense.js';
import type { EventSink } from './event-log.js';
import { renderProblem } from './render.js';
import type { Terminal } from './terminal.js';

type LogOptions = Pick<TelemetryOptions, 'logLevel' | 'logFormat'>;

/** What `photongate serve` writes on standard error. */
export class Logging implements EventSink {
  private isText!: boolean;
  private log!: Log;

  /** Until it is configured, as the defaults have it. */
  constructor(private readonly terminal: Terminal) {
    this.configure({ logLevel: 'info', logFormat: 'auto' });
  }

  configure({ logLevel, logFormat }: LogOptions): void {
    this.isText = logFormat === 'auto' ? this.terminal.interactive : logFormat === 'text';
    const write = (text: string): void => this.terminal.error(text);
    this.log = this.isText ? textLog(logLevel, write) : jsonLog(logLevel, write);
  }

  get level(): LogLevel {
    return this.log.level;
  }

  set level(level: LogLevel) {
    this.log.level = level;
  }

  write(severity: Severity, message: string, fields?: Readonly<Record<string, unknown>>, text?: string): void {
    this.log.write(severity, message, fields, text);
  }

  problems(severity: Severity, message: string, problems: readonly Problem[]): void {
    if (!this.isText) return this.log.write(severity, message, { problems });
    this.log.write(severity, message);
    if (this.log.writes(severity)) this.render(severity, problems);
  }

  /** What is odd about a configuration that serves, each for itself. */
  warnings(all: readonly Problem[]): void {
    const problems = condensed(all);
    if (this.isText) {
      if (this.log.writes('warn')) this.render('warn', problems);
      return;
    }
    for (const problem of problems) this.log.write('warn', problem.message, { problems: [problem] });
  }

  /** As a start shows them, with the line of the source. */
  private render(severity: Severity, problems: readonly Problem[]): void {
    const shown = severity === 'error' ? 'error' : 'warning';
    for (const problem of problems) this.terminal.error(renderProblem(problem, shown, this.terminal));
  }
}
