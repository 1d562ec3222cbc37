/** The wall clock set to another time, as people and time servers do it. */

const RealDate = Date;

/** Sets it forward by so many milliseconds, or back where they are negative; returns what sets it right again. */
export function setWallClock(byMs: number): () => void {
  const now = (): number => RealDate.now() + byMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: [number]) => ((args as unknown[]).length === 0 ? new target(now()) : new target(...args)),
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
  });
  return () => {
    globalThis.Date = RealDate;
  };
}
