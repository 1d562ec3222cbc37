/**
 * Messages that may come a thousand times in a second, such as those of a service that is down: the same words are written
 * once in a while, with the number of those that were left out.
 */
import { monotonicMs } from '../clock.js';

const PAUSE_MS = 10_000;

/** Words that are remembered; the oldest give way. */
const MAX_REMEMBERED = 100;

/** @param leftOut messages of the same words since they were written last */
export type WriteRepeated = (leftOut: number) => void;

interface Entry {
  writtenAt: number;
  leftOut: number;
  write: WriteRepeated;
}

export class Repeats {
  private readonly seen = new Map<string, Entry>();

  constructor(private readonly now: () => number = monotonicMs) {}

  /** Calls `write` at once, or leaves the message out. @param words what makes messages the same */
  add(words: string, write: WriteRepeated): void {
    const before = this.seen.get(words);
    const now = this.now();
    if (before !== undefined && now - before.writtenAt < PAUSE_MS) {
      before.leftOut++;
      before.write = write;
      return;
    }
    this.seen.delete(words);
    this.seen.set(words, { writtenAt: now, leftOut: 0, write });
    for (const [oldest, entry] of this.seen) {
      if (this.seen.size <= MAX_REMEMBERED) break;
      this.seen.delete(oldest);
      writeRest(entry);
    }
    write(before?.leftOut ?? 0);
  }

  /** Writes the last one of each kind that was left out: no other may follow. */
  flush(): void {
    for (const entry of this.seen.values()) writeRest(entry);
  }
}

function writeRest(entry: Entry): void {
  const { leftOut, write } = entry;
  entry.leftOut = 0;
  // The one that is written now is none that is left out.
  if (leftOut > 0) write(leftOut - 1);
}
