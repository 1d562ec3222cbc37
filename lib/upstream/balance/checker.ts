/**
 * Checks one server at intervals, and decides by thresholds whether it is well. A server that reports changes by itself is
 * believed at once; it is asked all the same, because one that hangs reports nothing. One that is not well is asked more often,
 * so that its return is noticed soon.
 */
import type { HealthState } from './host.js';
import type { HealthCheckOptions } from './options.js';
import type { Probe, Stop, Trouble } from './probe.js';

/** Gets each change; `problem` is why the server is not well. */
export type HealthListener = (state: HealthState, problem: string | undefined) => void;

/** The checks of one server. */
export class HealthChecker {
  private state: HealthState = 'unchecked';
  private failures = 0;
  private successes = 0;
  private stopCheck: Stop | undefined;
  private stopWatch: Stop | undefined;
  private mayWatch: boolean;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  /** Starts at once. */
  constructor(
    private readonly probe: Probe,
    private readonly options: HealthCheckOptions,
    private readonly listener: HealthListener,
  ) {
    this.mayWatch = probe.watch !== undefined;
    this.check();
  }

  /** The listener hears nothing any more. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.stopCheck?.();
    this.stopWatch?.();
  }

  private check(): void {
    const { timeoutMs } = this.options;
    this.stopCheck = this.probe.check((trouble) => this.checked(trouble));
    this.after(timeoutMs, () => {
      this.stopCheck?.();
      this.checked({ text: `no answer within ${timeoutMs / 1000}s`, isAnswer: false });
    });
  }

  private checked(trouble: Trouble | undefined): void {
    if (this.isStopped || this.stopCheck === undefined) return;
    this.stopCheck = undefined;
    if (trouble === undefined) this.succeeded();
    else this.failed(trouble);
    this.after(this.pauseMs, () => this.check());
  }

  private get pauseMs(): number {
    const { intervalMs, unhealthyIntervalMs } = this.options;
    const isAwaited = this.state === 'unhealthy' && this.stopWatch === undefined;
    return isAwaited ? Math.min(intervalMs, unhealthyIntervalMs) : intervalMs;
  }

  private succeeded(): void {
    this.failures = 0;
    this.successes++;
    if (this.state === 'unchecked' || this.successes >= this.options.healthyThreshold)
      this.become('healthy', undefined);
    this.watch();
  }

  /** What the server says of itself needs no second opinion. */
  private failed({ text, isAnswer }: Trouble): void {
    this.successes = 0;
    this.failures++;
    const decides = isAnswer || this.state === 'unchecked' || this.failures >= this.options.unhealthyThreshold;
    if (decides) this.become('unhealthy', text);
  }

  private watch(): void {
    if (!this.mayWatch || this.stopWatch !== undefined) return;
    this.stopWatch = this.probe.watch?.(
      (problem) => {
        if (this.isStopped) return;
        this.failures = 0;
        this.successes = 0;
        this.become(problem === undefined ? 'healthy' : 'unhealthy', problem);
      },
      (isUnknown) => {
        // The next check that succeeds opens it again.
        this.stopWatch = undefined;
        if (isUnknown) this.mayWatch = false;
      },
    );
  }

  private become(state: HealthState, problem: string | undefined): void {
    if (this.state === state) return;
    this.state = state;
    this.listener(state, problem);
  }

  private after(ms: number, step: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(step, ms);
    this.timer.unref();
  }
}
