/**
 * One unary call with an `Idempotency-Key`: it is made by the first request alone, goes on to its end if the client leaves, and its
 * answer is kept if it is final. What is final:
 *
 * - a success, and a code by which the service refuses the request itself: sent again, it would be refused again;
 * - not what the service never saw, nor UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED and UNAUTHENTICATED, by which it says that it did
 *   nothing: the key is free again;
 * - of everything else nobody knows what was done (a broken connection, a deadline, INTERNAL): `unknown_outcome` decides.
 */
import type { CallStatus, PeerTls, Reply } from '../exchange.js';
import type { Idempotency, KeyedRequest, Reservation } from '../idempotency/index.js';
import type { Claims } from '../policy/index.js';
import { Code } from '../status.js';
import type { UnaryOutcome } from './unary-outcome.js';

/** What is known of a call that failed. */
type Verdict = 'final' | 'nothing-done' | 'unknown';

const nothingDone: ReadonlySet<number> = new Set([
  Code.UNAVAILABLE,
  Code.RESOURCE_EXHAUSTED,
  Code.ABORTED,
  Code.UNAUTHENTICATED,
]);

const unknown: ReadonlySet<number> = new Set([
  Code.CANCELLED,
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.DATA_LOSS,
]);

/** HTTP statuses by which something in front of the service says that it did nothing. */
const nothingDoneStatuses: ReadonlySet<number> = new Set([401, 429, 503]);

/** What a failed call says of what was done. */
export function verdictOf({ code, failure, answeredStatus }: CallStatus): Verdict {
  switch (failure) {
    case undefined:
      return nothingDone.has(code) ? 'nothing-done' : unknown.has(code) ? 'unknown' : 'final';
    case 'unconnected':
    case 'refused':
    case 'local':
      return 'nothing-done';
    case 'answer':
      return nothingDoneStatuses.has(answeredStatus ?? 0) ? 'nothing-done' : 'unknown';
    case 'reset':
    case 'timeout':
      return 'unknown';
  }
}

/** What a keyed call needs besides the request message. */
export interface KeyedCallParts {
  readonly idempotency: Idempotency;
  readonly request: Omit<KeyedRequest, 'message'>;
  /** Gets what the client is to get. */
  readonly outcome: UnaryOutcome;
  /** An error as the answer that is kept. */
  readonly replyTo: (error: unknown) => Reply;
}

/** One call, and the outcome that it reports to. */
export class KeyedCall implements UnaryOutcome {
  private reservation: Reservation | undefined;
  private failure: CallStatus | undefined;

  constructor(private readonly parts: KeyedCallParts) {}

  /** How long the call may go on without its client. */
  get runningTimeoutMs(): number {
    return this.parts.idempotency.settings.runningTimeoutMs;
  }

  /** The answer of the first request with this key; undefined: this is the first. @throws StatusError */
  async reserve(message: Buffer): Promise<Reply | undefined> {
    const { idempotency, request } = this.parts;
    const found = await idempotency.reserve({ ...request, message });
    if (found === undefined || 'status' in found) return found;
    this.reservation = found;
    return undefined;
  }

  /** The call is not made: the client has left before. */
  giveUp(): void {
    this.settle((reservation) => reservation.free());
  }

  onCallFailed(status: CallStatus): void {
    this.failure = status;
    this.parts.outcome.onCallFailed(status);
  }

  onReply(reply: Reply): void {
    const verdict = this.failure === undefined ? 'final' : verdictOf(this.failure);
    this.keep(reply, verdict, () => this.parts.outcome.onReply(reply));
  }

  /** The call was made, and its answer cannot be told. */
  onError(error: unknown): void {
    const tell = (): void => this.parts.outcome.onError(error);
    if (this.reservation === undefined) tell();
    else this.keep(this.parts.replyTo(error), 'unknown', tell);
  }

  report(cause: unknown): void {
    this.parts.outcome.report(cause);
  }

  private keep(reply: Reply, verdict: Verdict, then: () => void): void {
    const keeps = this.parts.idempotency.settings.unknownOutcome === 'keep';
    const isKept = verdict === 'final' || (verdict === 'unknown' && keeps);
    this.settle((reservation) => (isKept ? reservation.answered(reply) : reservation.free()), then);
  }

  /** A store that fails now costs the next request its answer, and not this one. */
  private settle(end: (reservation: Reservation) => Promise<void>, then: () => void = () => undefined): void {
    const { reservation } = this;
    if (reservation === undefined) return then();
    this.reservation = undefined;
    // The client gets its answer after it is kept, so that it can come again at once.
    void end(reservation)
      .catch((error: unknown) => this.report(error))
      .then(then);
  }
}

/** Who calls, as far as the proxy has checked it; empty if it has not. */
export function callerIdentity(
  claims: Claims,
  keyName: string | undefined,
  tls: PeerTls | undefined,
): readonly string[] {
  const { iss, sub } = claims;
  const parts: string[] = [];
  if (typeof sub === 'string') parts.push('token', typeof iss === 'string' ? iss : '', sub);
  if (keyName !== undefined) parts.push('key', keyName);
  if (tls?.authorized === true && tls.subject !== undefined) parts.push('certificate', tls.subject);
  return parts;
}
