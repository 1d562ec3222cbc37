/** A call of a filter to a service of its own. */
import type { CallListener, Channel } from '../exchange.js';
import { Code } from '../status.js';
import type { FilteredRequest } from './filter.js';

/** The service gave no answer that counts; the message is for operators. */
export class CallFailed extends Error {}

/**
 * Calls a unary method for a request. The call ends if the client of the request goes away.
 * @param timeoutMs for the whole call
 * @throws CallFailed
 */
export function unaryCall(
  channel: Channel,
  path: string,
  message: Buffer,
  timeoutMs: number,
  { onGone }: Pick<FilteredRequest, 'onGone'>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    let messages = 0;
    const listener: CallListener = {
      onHeaders: () => undefined,
      onMessage: ({ payload }) => {
        answer = payload;
        messages++;
      },
      onEnd: ({ code, message: text, diagnosis }) => {
        if (code === Code.OK && messages === 1) resolve(answer!);
        else reject(new CallFailed(code === Code.OK ? `${path} ended with ${messages} messages` : (diagnosis ?? text)));
      },
    };
    const call = channel.start({ path, metadata: [], timeoutMs }, listener);
    call.send({ compressed: false, payload: message });
    call.halfClose();
    onGone(() => call.cancel());
  });
}
