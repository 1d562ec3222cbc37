/**
 * One watch: reads the history from a revision on, then goes on as changes come. The history on the disk is its only
 * queue, so a slow reader costs no memory, and what is replayed and what is live cannot be told apart or get out of
 * order. A reader slower than the history is long fails with OUT_OF_RANGE, and never misses an event without a word.
 */
import type { ReplyStream } from '../lib/service.js';
import type { Change, KeyValueStore, StoredEvent } from './store.js';

/** Sends the changes of keys that start with `prefix` until the stream is aborted. */
export async function watch(
  store: KeyValueStore,
  prefix: string,
  startRevision: bigint | undefined,
  replies: ReplyStream<StoredEvent>,
): Promise<void> {
  const prefixBytes = Buffer.from(prefix);
  let next = startRevision ?? store.revision + 1n;
  let resume: (() => void) | undefined; // set while there is nothing to send
  const wake = (): void => {
    const waiting = resume;
    resume = undefined;
    waiting?.();
  };
  const stopListening = store.onChange((changes) => {
    if (resume === undefined) return; // busy with earlier changes; it will come to these
    if (changes.some((change) => concerns(change, next, prefixBytes))) return wake();
    // A watch that only waits must not fall behind the history because of keys that it does not watch.
    const after = changes.at(-1)!.revision + 1n;
    if (after > next) next = after;
  });
  replies.signal.addEventListener('abort', wake);
  try {
    while (!replies.signal.aborted) {
      const batch = store.events(prefix, next);
      replies.accept();
      next = batch.next;
      for (const event of batch.events) await replies.write(event);
      // Nothing is awaited between a reading that found nothing and this, so no change can slip through.
      if (batch.events.length === 0) await new Promise<void>((resolve) => (resume = resolve));
    }
  } finally {
    replies.signal.removeEventListener('abort', wake);
    stopListening();
  }
}

function concerns(change: Change, from: bigint, prefix: Buffer): boolean {
  return change.revision >= from && change.key.subarray(0, prefix.length).equals(prefix);
}
