/**
 * Leaves servers out for a time whose calls fail one after the other. That costs nothing but a count at the end of each call,
 * and finds what no check finds: a server that answers its checks and nothing else.
 */
import { monotonicMs } from '../../clock.js';
import { Code, codeByName, codeName } from '../../status.js';
import { reportHealth } from '../diagnostics.js';
import type { Host } from './host.js';
import type { OutlierOptions } from './options.js';

/** What is counted of a server. */
interface Record {
  failures: number;
  gatewayFailures: number;
  /** How often its time was extended. */
  ejections: number;
  /** When its last ejection ended. */
  backAt: number;
  timer: NodeJS.Timeout | undefined;
}

/** The servers of one cluster. */
export class OutlierDetector<T> {
  private readonly records = new Map<Host<T>, Record>();
  private readonly codes: ReadonlySet<number>;

  /** @param hosts all servers now, of which only a share may be out */
  constructor(
    private readonly cluster: string,
    private readonly options: OutlierOptions,
    private readonly hosts: () => readonly Host<T>[],
  ) {
    this.codes = new Set(options.codes.map((name) => codeByName(name) ?? Code.UNKNOWN));
  }

  /** A call has ended with this code. */
  count(host: Host<T>, code: number): void {
    if (code === Code.CANCELLED) return;
    const record = this.recordOf(host);
    const isGateway = code === Code.UNAVAILABLE || code === Code.DEADLINE_EXCEEDED;
    record.failures = this.codes.has(code) ? record.failures + 1 : 0;
    record.gatewayFailures = isGateway ? record.gatewayFailures + 1 : 0;
    // Calls that were under way when it was left out say nothing new.
    if (host.ejectedFor !== undefined) return;
    const { consecutiveFailures: most, consecutiveGatewayFailures: mostOfGateway } = this.options;
    const found = Math.max(reached(record.failures, most), reached(record.gatewayFailures, mostOfGateway));
    if (found > 0 && this.mayEject())
      this.eject(host, record, `${found} calls in a row failed, the last with ${codeName(code)}`);
  }

  /** A server is gone. */
  forget(host: Host<T>): void {
    clearTimeout(this.records.get(host)?.timer);
    this.records.delete(host);
  }

  close(): void {
    for (const host of [...this.records.keys()]) this.forget(host);
  }

  private recordOf(host: Host<T>): Record {
    let record = this.records.get(host);
    if (record === undefined) {
      record = { failures: 0, gatewayFailures: 0, ejections: 0, backAt: 0, timer: undefined };
      this.records.set(host, record);
    }
    return record;
  }

  private mayEject(): boolean {
    const hosts = this.hosts();
    const out = hosts.filter(({ ejectedFor }) => ejectedFor !== undefined).length;
    return ((out + 1) * 100) / hosts.length <= this.options.maxEjectionPercent;
  }

  private eject(host: Host<T>, record: Record, problem: string): void {
    const { baseEjectionTimeMs, maxEjectionTimeMs } = this.options;
    // What went well since counts for it: one ejection is forgotten in each such time.
    const forgotten = record.ejections === 0 ? 0 : Math.floor((monotonicMs() - record.backAt) / baseEjectionTimeMs);
    record.ejections = Math.max(0, record.ejections - forgotten) + 1;
    const timeMs = Math.min(record.ejections * baseEjectionTimeMs, maxEjectionTimeMs);
    host.ejectedFor = problem;
    reportHealth(this.cluster, host.name, `it is left out for ${timeMs / 1000}s: ${problem}`);
    record.timer = setTimeout(() => {
      host.ejectedFor = undefined;
      record.failures = 0;
      record.gatewayFailures = 0;
      record.backAt = monotonicMs();
      reportHealth(this.cluster, host.name, undefined);
    }, timeMs);
    record.timer.unref();
  }
}

/** The count, if it has come to its limit. */
function reached(count: number, limit: number): number {
  return limit > 0 && count >= limit ? count : 0;
}
