import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a condition holds; throws after a minute, saying what for. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'a condition'): Promise<void> {
  const giveUpAt = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`waited in vain for ${what}`);
    await sleep(2);
  }
}
