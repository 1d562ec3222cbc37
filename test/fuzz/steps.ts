/**
 * Counts what a piece of code does, without a clock: the sum of how often each block of `lib/` ran, as the engine's own
 * coverage tells. What native functions do in one call is one step.
 */
import { Session } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

export class StepCounter {
  private readonly session = new Session();

  /** Code that was optimised leaves blocks uncounted, so nothing is optimised from here on. */
  async start(): Promise<void> {
    for (const tier of ['--no-opt', '--no-maglev', '--no-sparkplug']) setFlagsFromString(tier);
    this.session.connect();
    await this.session.post('Profiler.enable');
    await this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Runs `work` and gives the number of blocks that ran. */
  async count(work: () => unknown): Promise<number> {
    await this.take();
    await work();
    return this.take();
  }

  stop(): void {
    this.session.disconnect();
  }

  /** What ran since the last time. */
  private async take(): Promise<number> {
    const { result } = (await this.session.post('Profiler.takePreciseCoverage')) as unknown as Coverage;
    let steps = 0;
    for (const { url, functions } of result) {
      if (!url.includes('/lib/')) continue;
      for (const { ranges } of functions) for (const { count } of ranges) steps += count;
    }
    return steps;
  }
}
