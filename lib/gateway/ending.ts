/**
 * The end of an exchange: whatever comes of it, a reply, a stream or an error, it is answered once, counted, and reported if
 * an operator is to know. What leads there is `run`.
 */
import type { CallStatus, Channel, ErrorWriter, Exchange, MethodPlan, Reply, RequestHead } from '../exchange.js';
import type { FallbackOutcome } from '../fallback/index.js';
import type { ReplyEncoder } from '../policy/index.js';
import type { ProtocolMatch } from '../protocol/index.js';
import { header } from '../headers.js';
import { codeOfHttpStatus, httpStatusOf, isBodyless, StatusError } from '../status.js';
import { isGrpc, RefusedRequest } from '../routes/index.js';
import { failureChannel, publishFault, type RequestFailure } from './diagnostics.js';
import type { Observation } from './observed.js';
import type { GatewayParts } from './parts.js';
import { quietly } from './quietly.js';
import { contextOf, requestOf } from './routing.js';
import type { StreamOutcome } from './stream.js';

const NOTHING = Buffer.alloc(0);

/** An exchange, and how its answer comes to its end. */
export abstract class Ending implements StreamOutcome, FallbackOutcome {
  /** What shapes an error; undefined: the listener does. */
  plan: MethodPlan | undefined;
  /** What the request leads to where it is not one of REST. */
  protocol: ProtocolMatch<Channel> | undefined;
  /** How the call ended, if it failed. */
  private failure: CallStatus | undefined;
  /** What was thrown. */
  private error: unknown;
  /** Writes what fails without a plan. Default: as the listener has it. */
  protected writeOwnError: ErrorWriter | undefined;
  protected settled = false;

  constructor(
    public exchange: Exchange,
    public head: RequestHead,
    readonly parts: GatewayParts,
    readonly observation: Observation | undefined,
    private readonly release: () => void,
  ) {}

  onReply(reply: Reply): void {
    if (this.settled) return;
    const { encode } = this.parts;
    if (encode === undefined) this.answer(reply);
    else this.encoded(encode, reply);
  }

  /** An encoder that fails costs the client the coding, and not the answer. */
  private encoded(encode: ReplyEncoder, reply: Reply): void {
    const goOutAsItIs = (cause: unknown): void => {
      this.report(cause);
      this.answer(reply);
    };
    try {
      const encoded = encode(this.head.headers, reply);
      if (encoded instanceof Promise) encoded.then((result) => this.answer(result), goOutAsItIs);
      else this.answer(encoded ?? reply);
    } catch (error) {
      goOutAsItIs(error);
    }
  }

  /** Never throws. What cannot be sent becomes an error without a shape, and if that cannot be sent either, a break. */
  private answer(reply: Reply): void {
    if (this.settled) return;
    if (reply.status >= 500 || this.failure !== undefined) this.publishFailure(reply.status);
    this.settle();
    if (this.send(reply) === 'refused' && this.send(lastResort(this.head)) === 'refused') this.breakOff();
  }

  /** `refused`: the client got nothing of it, and may get another answer. */
  private send(reply: Reply): 'sent' | 'refused' {
    const { exchange } = this;
    let isTaken = false;
    try {
      exchange.respond(reply);
      isTaken = true;
      exchange.end(this.head.method === 'HEAD' ? undefined : reply.body, reply.trailers);
    } catch (error) {
      this.report(error);
      if (!isTaken) return 'refused';
      this.breakOff();
    }
    return 'sent';
  }

  private breakOff(): void {
    quietly(() => this.exchange.abort(), this);
  }

  /** Never throws: an error that has no shape of its own becomes one of ours. */
  onError(thrown: unknown): void {
    if (this.settled) return;
    this.error = thrown;
    this.report(thrown);
    this.onReply(this.replyTo(thrown));
  }

  private replyTo(thrown: unknown): Reply {
    const error = StatusError.from(thrown);
    try {
      if (error instanceof RefusedRequest && this.plan === undefined) return this.refused(error);
      const write = this.writeOwnError ?? this.parts.writeError;
      const reply = this.plan?.fail(error, this.head) ?? write(error, this.head);
      return error.isOfCall ? reply : this.inOwnForm(reply);
    } catch (fault) {
      this.report(fault);
      return lastResort(this.head);
    }
  }

  /** As whoever refused it has written it. */
  private refused({ reply: { status, headers, body } }: RefusedRequest): Reply {
    const { requestId } = this.head;
    const type =
      body === undefined || header(headers, 'content-type') !== undefined ? [] : ['content-type', 'text/plain'];
    const length = isBodyless(status) ? [] : ['content-length', String(body?.length ?? 0)];
    const own = [...headers, ...type, ...length, 'x-request-id', requestId];
    return this.inOwnForm({ status, headers: own, body: isBodyless(status) ? undefined : (body ?? NOTHING) });
  }

  /**
   * An answer that is no service's, in the form of `local_replies`; gRPC has its own.
   * @param request what it answers: the call, if it was found. Default: as it came
   */
  inOwnForm(reply: Reply, request = requestOf(this.head, this.exchange)): Reply {
    const { head, exchange } = this;
    const change = this.parts.routes?.changeOwnReply;
    if (change === undefined || this.protocol !== undefined || isGrpc(head)) return reply;
    const context = contextOf(request, exchange, '');
    const pseudo = { ...context.pseudo, 'x-request-id': head.requestId };
    return { ...reply, ...change(reply, request, { ...context, pseudo }) };
  }

  onCallFailed(status: CallStatus): void {
    this.failure = status;
  }

  onStreamed(): void {
    // The head is out and says 200, whatever happened behind it.
    if (this.error !== undefined || this.failure !== undefined) this.publishFailure(200);
    this.settle();
  }

  /** Reports what an operator is to know. Faults of ours are reported by `report` already. */
  private publishFailure(answered: number): void {
    const { failure, error, head, plan } = this;
    const isFault = error !== undefined && !(error instanceof StatusError);
    if (!failureChannel.hasSubscribers || this.settled || isFault) return;
    const code = failure?.code ?? error?.code ?? codeOfHttpStatus(answered);
    const status = answered >= 500 ? answered : httpStatusOf(code);
    if (status < 500) return;
    failureChannel.publish({
      ...{ requestId: head.requestId, method: head.method, path: head.path, client: head.caller.address },
      ...{ rpc: plan?.rpc.name, status, code },
      message: failure?.message ?? error?.message ?? '',
      // The log says when an overload begins and ends.
      isReported: failure?.diagnosis !== undefined || isShedding(error),
    } satisfies RequestFailure);
  }

  /** The fallback's answer has ended. */
  onDone(cause?: unknown): void {
    if (cause !== undefined) this.report(cause);
    this.settle();
  }

  /** Tells of a fault of ours; an error that a client may read is none. */
  report(cause: unknown): void {
    this.error ??= cause;
    this.observation?.failed(cause);
    if (cause instanceof StatusError) return;
    publishFault(cause, this.head);
  }

  /** The exchange no longer counts as under way. */
  protected settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.release();
  }
}

function isShedding(error: unknown): boolean {
  return error instanceof StatusError && error.refusedBy === 'max_event_loop_delay';
}

/** An error in no configured shape, for where those who know the shape have failed. */
function lastResort({ requestId }: RequestHead): Reply {
  const body = Buffer.from('{"code":13,"message":"internal error"}');
  const headers = [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    'x-request-id',
    requestId,
  ];
  return { status: 500, headers, body };
}
