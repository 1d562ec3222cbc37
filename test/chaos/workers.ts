/** Workers of the proxy, which are killed one at a time. */
import { execFileSync } from 'node:child_process';
import { until } from '../support/until.js';

/** The primary waits twice as long after each death within a minute: 100 ms, 200 ms, … */
const MOST_KILLS = 4;

export class WorkerKiller {
  private kills = 0;

  /**
   * @param primary the process that starts them
   * @param log what it has logged
   */
  constructor(
    private readonly primary: number,
    private readonly log: () => string,
  ) {}

  get mayKill(): boolean {
    return this.kills < MOST_KILLS;
  }

  /**
   * Kills the one that has served longest, and so has most connections, and waits until another serves in its place. Returns
   * how long that took, in milliseconds.
   */
  async kill(): Promise<number> {
    this.kills++;
    const [oldest] = execFileSync('pgrep', ['-o', '-P', String(this.primary)], { encoding: 'utf8' }).split('\n');
    const start = performance.now();
    process.kill(Number(oldest), 'SIGKILL');
    const returned = (): number => this.log().split('serves in the place of one that ended').length - 1;
    await until(() => returned() === this.kills, 'a new worker');
    return Math.round(performance.now() - start);
  }
}
