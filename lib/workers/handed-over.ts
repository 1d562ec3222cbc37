/**
 * Connections on their way from the primary to a worker. `node:cluster` keeps its copy of one until the worker says that it has
 * it, and forgets it if the worker dies before: its client would wait without end. Nothing of this is documented by Node; where
 * messages have another form, nothing happens here.
 */
import type { Worker } from 'node:cluster';

/** What the primary sends with a connection; `seq` comes back as `ack`. */
interface NewConnection {
  readonly act?: unknown;
  readonly seq?: unknown;
}

interface Handle {
  close(): void;
}

/** Closes what a worker had not taken when it ended, so that clients see that their requests are lost. */
export function closeUntakenConnections(worker: Worker): void {
  const { process } = worker;
  const untaken = new Map<unknown, Handle>();
  const send = process.send.bind(process) as (...given: unknown[]) => boolean;
  process.send = (...given: unknown[]): boolean => {
    const [message, handle] = given as [NewConnection | null, Partial<Handle> | undefined];
    if (message?.act === 'newconn' && typeof handle?.close === 'function') untaken.set(message.seq, handle as Handle);
    return send(...given);
  };
  // Whether it has taken the connection or not, the primary closes it or gives it to another worker.
  process.on('internalMessage', ({ ack }: { readonly ack?: unknown }) => void untaken.delete(ack));
  process.once('exit', () => {
    for (const handle of untaken.values()) handle.close();
    untaken.clear();
  });
}
