/**
 * What happens by itself when its time has come: a VM that has booted, a lease that ends. When that is stands in the
 * database, so it outlives a restart; here is the one timer. Whoever reads calls `settle` first and sees nothing that
 * should be over, even where the timer is late; whoever writes calls it afterwards, as something may have become due.
 */
import type { Clock } from './clock.js';
import type { Log } from './service.js';

const retryMs = 1000;

/** What an agenda asks of its service. */
export interface AgendaWork {
  /** For messages: `moving VMs`. */
  readonly what: string;
  /** When the next thing is due; undefined if there is none. */
  next(): number | undefined;
  /** Does some of what is due at `nowMs`, at least the first; durable on return. */
  run(nowMs: number): void;
}

/** One timer for all that is due. */
export class Agenda {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #work: AgendaWork;
  #armedMs: number | undefined;
  #cancel: () => void = () => undefined;
  #closed = false;

  /** Does at once what became due while the process was down. */
  constructor(clock: Clock, log: Log, work: AgendaWork) {
    this.#clock = clock;
    this.#log = log;
    this.#work = work;
    this.settle();
  }

  /** Does all that is due, and sets the timer to what comes next. */
  settle(): void {
    let next = this.#work.next();
    while (next !== undefined && next <= this.#clock.now()) {
      this.#work.run(this.#clock.now());
      next = this.#work.next();
    }
    this.#arm(next);
  }

  /** Stops the timer. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #arm(atMs: number | undefined): void {
    if (atMs === this.#armedMs || this.#closed) return;
    this.#cancel();
    this.#armedMs = atMs;
    if (atMs === undefined) return;
    this.#cancel = this.#clock.schedule(atMs, () => {
      this.#armedMs = undefined;
      try {
        this.settle();
      } catch (error) {
        this.#log(`${this.#work.what} failed; next try in a second`, error);
        this.#arm(this.#clock.now() + retryMs);
      }
    });
  }
}
