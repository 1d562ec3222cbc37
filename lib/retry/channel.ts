/** A channel whose calls are sent again by a policy, whichever client is below it. */
import type { Channel } from '../exchange.js';
import { type RetryContext, RetryingCall } from './call.js';

/** The channel with retries. Its deadlines are those of all attempts together. */
export function retryingChannel(channel: Channel, context: RetryContext): Channel {
  return {
    target: channel.target,
    start(request, listener) {
      const call = new RetryingCall(channel, request, listener, context);
      call.start();
      return call;
    },
    connect: (timeoutMs) => channel.connect(timeoutMs),
    close: () => channel.close(),
  };
}
