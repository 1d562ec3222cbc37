/**
 * The seams of a request that is observed: an `Exchange` and a `Channel` that count and time what passes through them. They
 * change nothing else, and exist only if there is an observer.
 */
import { monotonicMs } from '../clock.js';
import type {
  BodySink,
  Call,
  CallListener,
  CallRequest,
  CallStatus,
  Channel,
  Exchange,
  MessageSocket,
  Metadata,
  ResponseHead,
  Rpc,
  SocketSink,
  SocketUpgrade,
} from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import { Code, messageOf, StatusError } from '../status.js';
import { DelegateExchange } from './delegate-exchange.js';
import type { ProtocolName } from '../protocol/index.js';
import {
  CLIENT_GONE_STATUS,
  type Observer,
  type Outcome,
  type RequestProtocol,
  type RequestRecord,
} from '../telemetry/index.js';
import type { Frame } from '../wire/index.js';

/** The parts of one observed request that know of each other. */
export class Observation {
  private isOver = false;

  constructor(
    readonly record: RequestRecord,
    private readonly observer: Observer,
  ) {
    observer.onRequest(record);
  }

  /** The request is one of another protocol than REST. */
  speaks(protocol: ProtocolName | 'websocket' | 'mcp'): void {
    // Of `grpc-web-text` or `connect-get` it does not matter how they are written.
    this.record.protocol = protocol.replace(/-(text|get|stream)$/, '') as RequestProtocol;
  }

  /** A route was found. */
  goesTo(route: string, rpc?: Rpc): void {
    this.record.route = route;
    this.record.rpc = rpc;
  }

  /** The caller has an API key of this name. */
  hasKey(name: string): void {
    this.record.apiKey = name;
  }

  /** Virtual hosts have decided. */
  isRouted(cluster: string | undefined, routeName: string | undefined): void {
    this.record.cluster = cluster;
    this.record.routeName = routeName;
  }

  /** The call is sent once more. */
  isRetried(): void {
    this.record.attempts++;
  }

  isAdmitted(): void {
    this.record.admittedAt = monotonicMs();
  }

  failed(cause: unknown): void {
    this.record.error ??= messageOf(cause);
    if (cause instanceof StatusError) this.record.refusedBy ??= cause.refusedBy;
  }

  /** The request has ended; later calls do nothing. */
  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    const { record } = this;
    record.endedAt = monotonicMs();
    record.outcome = outcome;
    if (record.status === 0) record.status = CLIENT_GONE_STATUS;
    this.observer.onEnd(record);
  }

  observe(channel: Channel): Channel {
    return {
      target: channel.target,
      start: (request, listener) => this.startCall(channel, request, listener),
      connect: (timeoutMs) => channel.connect(timeoutMs),
      close: () => channel.close(),
    };
  }

  private startCall(channel: Channel, request: CallRequest, listener: CallListener): Call {
    const { record, observer } = this;
    record.upstream = channel.target;
    record.calledAt = monotonicMs();
    record.attempts = 1;
    const metadata = observer.onCall(record, request.metadata);
    const observed = new ObservedListener(listener, record, observer);
    return new ObservedCall(channel.start({ ...request, metadata }, observed), record);
  }
}

class ObservedCall implements Call {
  constructor(
    private readonly inner: Call,
    private readonly record: RequestRecord,
  ) {}

  send(frame: Frame): boolean {
    this.record.messagesIn++;
    return this.inner.send(frame);
  }
  halfClose(): void {
    this.inner.halfClose();
  }
  pause(): void {
    this.inner.pause();
  }
  resume(): void {
    this.inner.resume();
  }
  cancel(): void {
    this.inner.cancel();
  }
}

class ObservedListener implements CallListener {
  constructor(
    private readonly inner: CallListener,
    private readonly record: RequestRecord,
    private readonly observer: Observer,
  ) {}

  onHeaders(headers: Metadata): void {
    this.answered();
    this.inner.onHeaders(headers);
  }
  onMessageStart(bytes: number): void {
    this.inner.onMessageStart?.(bytes);
  }
  onMessage(frame: Frame): void {
    this.answered();
    this.record.messagesOut++;
    this.inner.onMessage(frame);
  }
  onEnd(status: CallStatus): void {
    this.answered();
    const { record } = this;
    record.callEndedAt = monotonicMs();
    record.code = status.code;
    if (status.code !== Code.OK) record.error ??= status.diagnosis ?? status.message;
    this.observer.onCallEnd(record);
    this.inner.onEnd(status);
  }
  onDrain(): void {
    this.inner.onDrain?.();
  }

  private answered(): void {
    if (this.record.answeredAt === 0) this.record.answeredAt = monotonicMs();
  }
}

/** An exchange that counts and times what passes through it. */
export class ObservedExchange extends DelegateExchange {
  private readonly record: RequestRecord;
  /** Since when the client does not read. */
  private blockedAt = 0;

  constructor(
    inner: Exchange,
    private readonly observation: Observation,
  ) {
    super(inner, inner.webSocket && new ObservedUpgrade(inner.webSocket, observation));
    this.record = observation.record;
  }

  override read(sink: BodySink): void {
    super.read(new ObservedBody(sink, this.record));
  }
  override respond(head: ResponseHead): void {
    super.respond(head);
    this.record.status = head.status;
    this.record.responseHeaders = head.headers;
  }
  override write(chunk: Buffer): boolean {
    this.record.bytesOut += chunk.length;
    const hasRoom = super.write(chunk);
    if (!hasRoom && this.blockedAt === 0) this.blockedAt = monotonicMs();
    return hasRoom;
  }
  override onDrain(listener: () => void): void {
    super.onDrain(() => {
      this.unblocked();
      listener();
    });
  }
  override end(chunk?: Buffer, trailers?: HeaderFields): void {
    super.end(chunk, trailers);
    if (chunk !== undefined) this.record.bytesOut += chunk.length;
    this.over('complete');
  }
  override abort(): void {
    super.abort();
    this.over('aborted');
  }
  override onClose(listener: () => void): void {
    super.onClose(() => {
      // First the call is cancelled, so that it counts among what happened.
      listener();
      this.over('client_gone');
    });
  }

  private over(outcome: Outcome): void {
    this.unblocked();
    this.observation.end(outcome);
  }

  private unblocked(): void {
    if (this.blockedAt === 0) return;
    this.record.blockedMs += monotonicMs() - this.blockedAt;
    this.blockedAt = 0;
  }
}

class ObservedBody implements BodySink {
  constructor(
    private readonly inner: BodySink,
    private readonly record: RequestRecord,
  ) {}

  onData(chunk: Buffer): void {
    this.record.bytesIn += chunk.length;
    this.inner.onData(chunk);
  }
  onEnd(): void {
    this.inner.onEnd();
  }
  onAbort(error?: StatusError): void {
    this.inner.onAbort(error);
  }
}

/** A WebSocket: its frames are the bytes of the bodies, and it has ended when one side has closed it. */
class ObservedUpgrade implements SocketUpgrade {
  constructor(
    private readonly inner: SocketUpgrade,
    private readonly observation: Observation,
  ) {}

  accept(headers: HeaderFields, maxMessageBytes: number, sink: SocketSink): MessageSocket {
    const { observation } = this;
    const { record } = observation;
    record.status = 101;
    const socket = this.inner.accept(headers, maxMessageBytes, {
      onMessage(data, isBinary) {
        record.bytesIn += data.length;
        sink.onMessage(data, isBinary);
      },
      onTooLarge: () => sink.onTooLarge(),
      onWritable: () => sink.onWritable(),
      onGone() {
        sink.onGone();
        observation.end('client_gone');
      },
      onShutdown: () => sink.onShutdown(),
    });
    return {
      send(data, isBinary) {
        record.bytesOut += data.length;
        return socket.send(data, isBinary);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close(code, reason) {
        socket.close(code, reason);
        observation.end('complete');
      },
    };
  }
}
