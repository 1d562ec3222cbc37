/**
 * Messages for operators: JSON lines for programs, one readable line for people. The level may change at any time.
 * Where the lines go is for the owner to say.
 */
import { wallClock } from '../clock.js';

/** From none to all. */
export const logLevels = ['off', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
/** Levels that Envoy has and we have not. */
export const envoyLevels: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>([
  ['trace', 'debug'],
  ['warning', 'warn'],
  ['critical', 'error'],
]);

export type Severity = Exclude<LogLevel, 'off'>;

/** Writes messages from a level on. */
export interface Log {
  level: LogLevel;
  /** True if messages of this severity are written: for those that are expensive to make. */
  writes(severity: Severity): boolean;
  /**
   * Writes one message.
   * @param fields for programs
   * @param text for people, if they are to read something else than `message`
   */
  write(severity: Severity, message: string, fields?: Readonly<Record<string, unknown>>, text?: string): void;
}

export function isLogLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}

/** Takes whole lines, ends included. */
export type LineSink = (text: string) => void;

/** A log of JSON lines: `{"level":"warn","time":"…","msg":"…"}`. */
export function jsonLog(level: LogLevel, sink: LineSink): Log {
  return new JsonLog(level, sink);
}

/** A log for people: `photongate: warning, …`. */
export function textLog(level: LogLevel, sink: LineSink): Log {
  return new TextLog(level, sink);
}

abstract class LeveledLog implements Log {
  constructor(public level: LogLevel) {}

  writes(severity: Severity): boolean {
    return logLevels.indexOf(severity) <= logLevels.indexOf(this.level);
  }

  write(severity: Severity, message: string, fields: Readonly<Record<string, unknown>> = {}, text = message): void {
    if (this.writes(severity)) this.put(severity, message, fields, text);
  }

  protected abstract put(
    severity: Severity,
    message: string,
    fields: Readonly<Record<string, unknown>>,
    text: string,
  ): void;
}

class JsonLog extends LeveledLog {
  constructor(
    level: LogLevel,
    private readonly sink: LineSink,
  ) {
    super(level);
  }

  protected put(severity: Severity, message: string, fields: Readonly<Record<string, unknown>>): void {
    const line = { level: severity, time: wallClock().toISOString(), ...fields, msg: message };
    this.sink(`${JSON.stringify(line)}\n`);
  }
}

const prefixes: Readonly<Record<Severity, string>> = { error: '', warn: 'warning, ', info: '', debug: 'debug, ' };

class TextLog extends LeveledLog {
  constructor(
    level: LogLevel,
    private readonly sink: LineSink,
  ) {
    super(level);
  }

  protected put(severity: Severity, _message: string, _fields: object, text: string): void {
    this.sink(`photongate: ${prefixes[severity]}${text.split('\n').map(printableText).join('\n  ')}\n`);
  }
}

/** A text of others on one line of a terminal, which must not take it for commands. */
export function printableText(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
