/** A call that fails before it starts, for both clients. */
import type { Call, CallListener, CallStatus } from '../exchange.js';
import { reportEnd } from './diagnostics.js';

/** A call that could not start: `onEnd` follows soon, and all methods do nothing. */
export function failedCall(target: string, path: string, status: CallStatus, listener: CallListener): Call {
  queueMicrotask(() => {
    reportEnd(target, path, status);
    listener.onEnd(status);
  });
  const nothing = (): void => undefined;
  return { send: () => true, halfClose: nothing, pause: nothing, resume: nothing, cancel: nothing };
}
