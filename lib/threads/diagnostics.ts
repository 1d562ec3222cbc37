/** What is told about the threads that work on large messages, on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:threads`: large messages are worked on by the event loop until a reload. Message: `ThreadFailure`. */
export const threadsChannel = channel('photongate:threads');

/** Why no thread works on large messages. */
export interface ThreadFailure {
  /** A sentence: `the file a.proto has changed since it was loaded`. */
  readonly reason: string;
}
