/**
 * The time, as the services read it: they never call `Date.now` or `setTimeout` themselves, so that a test can hold a
 * clock still and move it. Wall-clock time throughout, because what is kept has to make sense after a restart.
 */

/** Tells the time and wakes at a given one. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Calls `run` once, when `now()` has reached `atMs` or soon after; what it returns takes that back. */
  schedule(atMs: number, run: () => void): () => void;
}

/** Node's timers take no more than this and fire at once if given more. */
const longestDelayMs = 2 ** 31 - 1;

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(atMs, run) {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      timer = setTimeout(fire, Math.min(Math.max(atMs - Date.now(), 0), longestDelayMs)).unref();
    };
    const fire = (): void => {
      if (Date.now() < atMs) arm();
      else run();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/** A google.protobuf.Timestamp as messages carry it. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Milliseconds since 1970 → the message; exact, before 1970 too. */
export function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

/** The message → milliseconds since 1970. */
export function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}
