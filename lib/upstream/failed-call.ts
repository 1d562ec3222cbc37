/** A call that ends before it begins, the same for both clients. */
import type { Call, CallListener, CallStatus } from '../exchange.js';

/** A call that could not even start: `onEnd` comes soon, everything else does nothing. */
export function failedCall(status: CallStatus, listener: CallListener): Call {
  queueMicrotask(() => listener.onEnd(status));
  const nothing = (): void => undefined;
  return { send: () => true, halfClose: nothing, pause: nothing, resume: nothing, cancel: nothing };
}
