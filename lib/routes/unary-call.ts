/** A call of a filter to a service of its own. */
import type { CallListener, Channel } from '../exchange.js';
import { Code } from '../status.js';

/** The service gave no answer that counts; the message is for operators. */
export class CallFailed extends Error {}

/**
 * Calls a unary method.
 * @param timeoutMs for the whole call
 * @throws CallFailed
 */
export function unaryCall(channel: Channel, path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    const listener: CallListener = {
      onHeaders: () => undefined,
      onMessage: ({ payload }) => {
        answer = payload;
      },
      onEnd: ({ code, message: text, diagnosis }) => {
        if (code === Code.OK && answer !== undefined) resolve(answer);
        else reject(new CallFailed(code === Code.OK ? `${path} ended without a message` : (diagnosis ?? text)));
      },
    };
    const call = channel.start({ path, metadata: [], timeoutMs }, listener);
    call.send({ compressed: false, payload: message });
    call.halfClose();
  });
}
