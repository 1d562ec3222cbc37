/** A `ReflectionSession` on a `Channel`: one call, a request at a time. */
import type { Channel } from '../../exchange.js';
import { Code, StatusError } from '../../status.js';
import type { ReflectionSession } from './reflection.js';

interface Waiting {
  resolve(answer: Buffer): void;
  reject(error: StatusError): void;
}

/**
 * @param timeoutMs for all requests together.
 * @param signal cancels the call, also one that was closed and that its server does not end.
 */
export function openSession(
  channel: Channel,
  path: string,
  timeoutMs: number,
  signal?: AbortSignal,
): ReflectionSession {
  let waiting: Waiting | undefined;
  let ended: StatusError | undefined;
  const cancel = (): void => call.cancel();
  const call = channel.start(
    { path, metadata: [], timeoutMs },
    {
      onHeaders: () => undefined,
      // What nobody asked for is let go.
      onMessage: ({ payload }) => {
        const asked = waiting;
        waiting = undefined;
        asked?.resolve(payload);
      },
      onEnd: ({ code, message }) => {
        signal?.removeEventListener('abort', cancel);
        ended =
          code === Code.OK
            ? new StatusError(Code.UNAVAILABLE, 'the reflection call ended before it was answered')
            : new StatusError(code, message);
        waiting?.reject(ended);
        waiting = undefined;
      },
    },
  );
  if (signal?.aborted === true) cancel();
  else if (ended === undefined) signal?.addEventListener('abort', cancel);
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) {
          reject(ended);
          return;
        }
        waiting = { resolve, reject };
        call.send({ compressed: false, payload: request });
      }),
    close() {
      if (ended !== undefined) return;
      call.halfClose();
      // A server that is through ends the call by itself, and sees no failure.
      if (waiting !== undefined) call.cancel();
    },
  };
}
