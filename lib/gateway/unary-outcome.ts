/** What becomes of a unary call: what `unary` reports to. */
import type { CallStatus, Reply } from '../exchange.js';
import type { FaultOwner } from './quietly.js';

/** Gets the answer, or why there is none. One of the two is called, once; neither when the client is gone. Never throws. */
export interface UnaryOutcome extends FaultOwner {
  /** The call ended with an error; its answer comes next. */
  onCallFailed(status: CallStatus): void;
  onReply(reply: Reply): void;
  onError(error: unknown): void;
}
