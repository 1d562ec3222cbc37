/** The access log: one line for each request when it has ended, JSON for programs or text for people. */
import { wallClock } from '../clock.js';
import { type FieldReader, fieldReader, plainFields } from './fields.js';
import { type LineSink, printableText } from './log.js';
import type { TelemetryOptions } from './options.js';
import { type RequestRecord, SilentObserver } from './record.js';
import { QueryRedaction } from './redact.js';

export type AccessLogOptions = Pick<
  TelemetryOptions,
  'accessLogFields' | 'accessLogSample' | 'accessLogSlowMs' | 'logRedactQuery'
>;

interface Column {
  readonly name: string;
  readonly read: FieldReader;
}

/** Writes those requests that are to be logged. */
export abstract class AccessLog extends SilentObserver {
  private readonly sample: number;
  private readonly slowMs: number;
  protected readonly columns: readonly Column[];
  protected readonly redaction: QueryRedaction;

  /** @param random from 0 to 1, for the sample */
  constructor(
    { accessLogFields, accessLogSample, accessLogSlowMs, logRedactQuery }: AccessLogOptions,
    private readonly random: () => number,
  ) {
    super();
    this.sample = accessLogSample;
    this.slowMs = accessLogSlowMs;
    this.columns = accessLogFields.map((name) => ({ name, read: fieldReader(name) }));
    this.redaction = new QueryRedaction(logRedactQuery);
  }

  override onEnd(record: RequestRecord): void {
    if (this.sample === 1 || this.isRemarkable(record) || this.random() < this.sample) this.write(record);
  }

  /** Errors and slow requests are always logged. */
  private isRemarkable({ status, code = 0, outcome, durationMs }: RequestRecord): boolean {
    return status >= 400 || status === 0 || code !== 0 || outcome !== 'complete' || durationMs >= this.slowMs;
  }

  protected abstract write(record: RequestRecord): void;
}

/**
 * `{"level":"info","time":"…","request_id":"…",…,"msg":"request"}`. Responses of 500 and more have the level `error`. The
 * lines are put together here: pino took 15 us for one with the default fields, this takes 3 (test/bench/process.ts, `observed`).
 */
export class JsonAccessLog extends AccessLog {
  private timeMs = 0;
  private timeText = '';
  private readonly parts: readonly Part[];

  constructor(
    options: AccessLogOptions,
    private readonly sink: LineSink,
    random: () => number = Math.random,
  ) {
    super(options, random);
    this.parts = this.columns.map(({ name, read }) => {
      return { start: `,"${name}":`, isPlain: plainFields.has(name), read, lastText: '', lastJson: '""' };
    });
  }

  protected write(record: RequestRecord): void {
    const level = record.status >= 500 ? 'error' : 'info';
    let line = `{"level":"${level}","time":"${this.time()}"`;
    for (const part of this.parts) {
      const value = part.read(record, this.redaction);
      if (value === undefined) continue;
      if (typeof value === 'number') line += part.start + numberText(value);
      else line += part.isPlain ? `${part.start}"${value}"` : part.start + jsonOf(value, part);
    }
    this.sink(`${line},"msg":"request"}\n`);
  }

  /** The date and time of this millisecond, made once for all its lines. */
  private time(): string {
    const now = wallClock();
    const ms = now.getTime();
    if (ms !== this.timeMs) {
      this.timeMs = ms;
      this.timeText = now.toISOString();
    }
    return this.timeText;
  }
}

/** A field of the line. */
interface Part {
  readonly start: string;
  /** Its text has nothing to escape. */
  readonly isPlain: boolean;
  readonly read: FieldReader;
  /** Route, upstream and user agent are mostly those of the line before. */
  lastText: string;
  lastJson: string;
}

function jsonOf(text: string, part: Part): string {
  if (text !== part.lastText) {
    part.lastJson = jsonString(text);
    part.lastText = text;
  }
  return part.lastJson;
}

/** `.52` by 520: V8 takes three times as long for a number with a fraction as for two whole ones. */
const fractions = Array.from({ length: 1000 }, (_, index) => (index / 1000).toString().slice(1));

/** A number of at most three decimals. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const thousandths = Math.round(value * 1000);
  const rest = thousandths % 1000;
  return value < 0 || value > 1e12 ? String(value) : `${(thousandths - rest) / 1000}${fractions[rest]}`;
}

/** Most texts need no escape, and the check is faster than the escaping. */
function jsonString(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

type Form = (value: string | number) => string;

const plain: Form = (value) => String(value);
const leftOut: Form = () => '';

/** How text lines show a field; others are `name=value`. The stages are for programs. */
const forms: Readonly<Record<string, Form>> = {
  client: plain,
  method: plain,
  path: plain,
  query: (value) => `?${value}`,
  route: leftOut,
  rpc: plain,
  code: plain,
  bytes_in: (value) => (value === 0 ? '' : `in=${value}B`),
  bytes_out: (value) => `${value}B`,
  duration_ms: (value) => `${value}ms`,
  policy_ms: leftOut,
  request_ms: leftOut,
  upstream_ms: leftOut,
  error: (value) => `(${value})`,
};

/** `2026-01-31T12:00:00.000Z 127.0.0.1 GET /v1/hello/Ada 200 26B 1.2ms …`, in the order of the fields. */
export class TextAccessLog extends AccessLog {
  constructor(
    options: AccessLogOptions,
    private readonly sink: LineSink,
    private readonly isColored: boolean,
    random: () => number = Math.random,
  ) {
    super(options, random);
  }

  protected write(record: RequestRecord): void {
    let line = wallClock().toISOString();
    for (const { name, read } of this.columns) {
      const value = read(record, this.redaction);
      if (value === undefined) continue;
      const form = forms[name];
      const text = printableText(form === undefined ? `${name}=${value}` : form(value));
      // A query belongs to its path.
      const gap = text === '' || (name === 'query' && line.endsWith(record.path)) ? '' : ' ';
      line += gap + (name === 'status' ? this.colored(record.status) : text);
    }
    this.sink(`${line}\n`);
  }

  /** Red for our failures, yellow for those of clients. */
  private colored(status: number): string {
    if (!this.isColored) return String(status);
    return `\u001b[${status >= 500 ? 31 : status >= 400 ? 33 : 32}m${status}\u001b[0m`;
  }
}
