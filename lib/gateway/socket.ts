/**
 * A streaming call over WebSocket: frames → call → frames, with back-pressure both ways. An empty text frame half-closes;
 * an error is a last frame, and the close code says how the call ended. A client that closes before cancels it.
 */
import type {
  Call,
  CallListener,
  CallStatus,
  Captures,
  Channel,
  MessageSocket,
  RequestHead,
  Rpc,
  SocketExchange,
  SocketPlan,
  SocketSink,
  SocketUpgrade,
} from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { StreamOutcome } from './download.js';
import { quietly } from './quietly.js';

export interface SocketParts {
  readonly upgrade: SocketUpgrade;
  readonly rpc: Rpc;
  readonly plan: SocketPlan;
  readonly channel: Channel;
  readonly head: RequestHead;
  readonly captures: Captures;
  readonly maxMessageBytes: number;
  readonly outcome: Pick<StreamOutcome, 'onCallFailed' | 'onStreamed' | 'report'>;
}

const nothing = Buffer.alloc(0);

/** Close codes from here on are for applications. */
const FIRST_OWN_CLOSE_CODE = 4000;
const NORMAL_CLOSE_CODE = 1000;

/** One call over a WebSocket. */
export class SocketRun implements SocketSink {
  private socket!: MessageSocket;
  private stream: SocketExchange | undefined;
  private call: Call | undefined;
  private isDone = false;
  private isHalfClosed = false;
  private hasSent = false;
  /** The kind of the last frame with a message in it; answers have the same. */
  private isBinary = false;
  private isSocketPaused = false;
  private isCallPaused = false;
  /** The one answer of a client stream, which counts only if the call ends well. */
  private answer: Buffer | undefined;

  constructor(private readonly parts: SocketParts) {}

  /** Shakes hands first: pages see nothing of an HTTP answer, but frames and close codes they do. */
  start(): void {
    const { upgrade, plan, rpc, head, captures, maxMessageBytes } = this.parts;
    this.socket = upgrade.accept(['x-request-id', head.requestId], maxMessageBytes, this);
    if (this.isDone) return;
    this.guard(() => {
      const { clientStreaming } = rpc;
      this.stream = plan.open(head, captures);
      if (clientStreaming) this.open();
      else if (!this.stream.takesBody) this.send(nothing, false);
    });
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    if (this.isDone) return;
    this.guard(() => {
      if (data.length === 0 && !isBinary) return this.halfClose();
      this.isBinary = isBinary;
      if (!this.isHalfClosed) return this.send(data, isBinary);
      // A call that started by itself has its message already.
      if (!this.stream!.takesBody && !this.parts.rpc.clientStreaming && isEmptyObject(data)) return;
      throw new StatusError(Code.INVALID_ARGUMENT, this.unexpected());
    });
  }

  onTooLarge(): void {
    this.fail(StatusError.tooLarge(this.parts.maxMessageBytes, 'a message'));
  }

  onWritable(): void {
    if (!this.isCallPaused || this.isDone) return;
    this.isCallPaused = false;
    this.guard(() => this.call?.resume());
  }

  onGone(): void {
    if (this.isDone) return;
    this.stop();
    this.parts.outcome.onStreamed();
  }

  /** Nothing more is wanted of the service. */
  private stop(): void {
    this.isDone = true;
    const { call } = this;
    if (call !== undefined) quietly(() => call.cancel(), this.parts.outcome);
  }

  onShutdown(): void {
    this.fail(new StatusError(Code.UNAVAILABLE, 'the proxy is shutting down; connect again'));
  }

  /** The client's half ends; a stream that was empty is one message, as an empty body is. */
  private halfClose(): void {
    if (this.isHalfClosed) return;
    if (!this.hasSent) this.send(nothing, false);
    if (this.isHalfClosed) return;
    this.isHalfClosed = true;
    this.open().halfClose();
  }

  private send(data: Buffer, isBinary: boolean): void {
    const payload = this.stream!.request(data, isBinary);
    this.hasSent = true;
    const call = this.open();
    const hasRoom = call.send({ compressed: false, payload });
    if (!this.parts.rpc.clientStreaming) {
      this.isHalfClosed = true;
      call.halfClose();
    } else if (!hasRoom && !this.isSocketPaused) {
      this.isSocketPaused = true;
      this.socket.pause();
    }
  }

  /** The call, started now at the latest. */
  private open(): Call {
    if (this.call !== undefined) return this.call;
    const { channel, rpc } = this.parts;
    const { metadata, timeoutMs } = this.stream!;
    return (this.call = channel.start({ path: rpc.path, metadata, timeoutMs }, this.listener));
  }

  private readonly listener: CallListener = {
    // The head of the answer is out already, and frames have none.
    onHeaders: () => undefined,
    onMessage: ({ payload }) => this.answered(payload),
    onEnd: (status) => this.ended(status),
    onDrain: () => {
      if (!this.isSocketPaused || this.isDone) return;
      this.isSocketPaused = false;
      this.guard(() => this.socket.resume());
    },
  };

  private answered(payload: Buffer): void {
    if (this.isDone) return;
    this.guard(() => {
      if (this.parts.rpc.serverStreaming) return this.write(payload);
      if (this.answer !== undefined) {
        throw new StatusError(Code.INTERNAL, 'the service sent more than one message for one answer');
      }
      this.answer = payload;
    });
  }

  private write(payload: Buffer): void {
    const { data, isBinary } = this.stream!.message(payload, this.isBinary);
    if (this.socket.send(data, isBinary) || this.isCallPaused) return;
    this.isCallPaused = true;
    this.call?.pause();
  }

  private ended(status: CallStatus): void {
    // There is nothing to cancel any more.
    this.call = undefined;
    if (this.isDone) return;
    this.guard(() => {
      if (status.code !== Code.OK) {
        this.parts.outcome.onCallFailed(status);
        throw this.stream!.error(status);
      }
      if (!this.parts.rpc.serverStreaming) {
        if (this.answer === undefined) {
          throw new StatusError(Code.INTERNAL, 'the service ended the call without a message');
        }
        this.write(this.answer);
      }
      this.close(NORMAL_CLOSE_CODE, '');
    });
  }

  /** Ends the call with an error. Never throws. */
  fail(thrown: unknown): void {
    if (this.isDone) return;
    this.stop();
    const { plan, head, outcome } = this.parts;
    const error = StatusError.from(thrown);
    outcome.report(thrown);
    // Who cannot be told why is told at least that it has ended.
    quietly(() => this.socket.send(plan.errorFrame(error, head), false), outcome);
    this.close(closeCodeOf(error.code), error.message);
  }

  /** Never throws. */
  private close(code: number, reason: string): void {
    this.isDone = true;
    const { outcome } = this.parts;
    quietly(() => this.socket.close(code, reason), outcome);
    outcome.onStreamed();
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  private unexpected(): string {
    const { clientStreaming, name } = this.parts.rpc;
    return clientStreaming
      ? 'a message came after the empty frame, which ends the stream; send it before'
      : `${name} takes one message, and has it already; open another WebSocket for another call`;
  }
}

/** Services may end with any number; close codes have four digits. */
function closeCodeOf(code: number): number {
  return FIRST_OWN_CLOSE_CODE + (code > 0 && code < 1000 ? code : Code.UNKNOWN);
}

/** What a rule without a body takes for none. */
function isEmptyObject(data: Buffer): boolean {
  return data.length < 100 && /^\s*(?:\{\s*\}\s*)?$/.test(data.toString('latin1'));
}
