/**
 * Calls with a stream on either side: one run for each kind, put together from the two halves, `Upload` and `Download`.
 * Callbacks all the way, as each step may come from the client's socket or from the service's.
 */
import type {
  BidiExchange,
  Call,
  CallListener,
  CallStatus,
  Channel,
  ClientStreamExchange,
  Exchange,
  Metadata,
  Reply,
  ServerStreamExchange,
  StreamCall,
  StreamExchange,
} from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { checkAnnouncedLength, collectBody } from './body.js';
import { Download, type StreamOutcome } from './download.js';
import { quietly } from './quietly.js';
import { Upload, type UploadOwner } from './upload.js';

export type { StreamOutcome } from './download.js';

/** A streaming call under way. */
export interface StreamRun {
  /** @throws StatusError 413 where the head announces too large a message. */
  start(): void;
  /** Nobody waits for the answer any more. */
  clientGone(): void;
  /** Ends it with an error, in the form of its protocol. Never throws. */
  fail(error: unknown): void;
}

/** What all runs are made from. */
export interface StreamParts<S extends StreamCall = StreamExchange> {
  readonly exchange: Exchange;
  /** As policies left it. */
  readonly method: string;
  readonly stream: S;
  readonly channel: Channel;
  readonly path: string;
  readonly outcome: StreamOutcome;
}

/** The run of a streaming call, by its kind. */
export function streamRun(parts: StreamParts): StreamRun {
  const { stream } = parts;
  switch (stream.kind) {
    case 'server':
      return new ServerStreamRun({ ...parts, stream });
    case 'client':
      return new ClientStreamRun({ ...parts, stream });
    case 'bidi':
      return new BidiRun({ ...parts, stream });
  }
}

function startCall({ channel, path, stream }: StreamParts<StreamCall>, listener: CallListener): Call {
  const { metadata, timeoutMs, passThrough } = stream;
  return channel.start({ path, metadata, timeoutMs, passThrough }, listener);
}

/** What the service sends goes to the download. */
abstract class DownloadRun<S extends ServerStreamExchange | BidiExchange> implements StreamRun, CallListener {
  protected readonly download: Download;

  constructor(protected readonly parts: StreamParts<S>) {
    const { exchange, method, stream, outcome } = parts;
    const fail: S['fail'] = (...end) => stream.fail(...end);
    this.download = new Download(exchange, method === 'HEAD', stream.response, fail, outcome);
  }

  abstract start(): void;

  onHeaders(headers: Metadata): void {
    this.download.onHeaders(headers);
  }

  onMessageStart(bytes: number): void {
    this.download.onMessageStart(bytes);
  }

  onMessage(frame: Frame): void {
    this.download.onMessage(frame);
  }

  onEnd(status: CallStatus): void {
    this.download.onEnd(status);
  }

  clientGone(): void {
    this.download.clientGone();
  }

  fail(error: unknown): void {
    this.download.fail(error);
  }

  /** @param error undefined: the client is gone */
  onUploadFailure(error: unknown): void {
    if (error === undefined) this.download.clientGone();
    else this.download.fail(error);
  }
}

/** The body is one message, collected as for a unary call. */
class ServerStreamRun extends DownloadRun<ServerStreamExchange> {
  start(): void {
    const { exchange, stream } = this.parts;
    const { maxBodyBytes, contentCodings } = stream;
    checkAnnouncedLength(exchange, maxBodyBytes, contentCodings);
    collectBody(exchange, maxBodyBytes, contentCodings, {
      onBody: (body) => this.send(body),
      onFailure: (error) => this.onUploadFailure(error),
    });
  }

  private send(body: Buffer): void {
    // The stream may have ended while the body came.
    if (this.download.isOver) return;
    try {
      const payload = this.parts.stream.request(body);
      const call = startCall(this.parts, this);
      this.download.attach(call);
      call.send({ compressed: false, payload });
      call.halfClose();
    } catch (error) {
      this.download.fail(error);
    }
  }
}

/** The answer is one message, as that of a unary call; it may come before the body's end. */
class ClientStreamRun implements StreamRun, CallListener, UploadOwner {
  private readonly upload: Upload;
  private call: Call | undefined;
  private headers: Metadata = [];
  private message: Buffer | undefined;
  private isDone = false;

  constructor(private readonly parts: StreamParts<ClientStreamExchange>) {
    this.upload = new Upload(parts.exchange, parts.stream.requests, this);
  }

  start(): void {
    this.upload.start();
  }

  startCall(): Call {
    return (this.call = startCall(this.parts, this));
  }

  onUploadFailure(error: unknown): void {
    if (error === undefined) this.clientGone();
    else this.fail(error);
  }

  onHeaders(headers: Metadata): void {
    this.headers = headers;
  }

  onMessageStart(bytes: number): void {
    const { exchange } = this.parts;
    if (!exchange.expect(bytes, () => quietly(() => this.call?.resume(), this))) this.call?.pause();
  }

  onMessage({ payload }: Frame): void {
    if (this.message === undefined) this.message = payload;
    else this.fail(new StatusError(Code.INTERNAL, 'the service sent more than one message for one answer'));
  }

  onDrain(): void {
    this.upload.onDrain();
  }

  onEnd(status: CallStatus): void {
    // There is nothing to cancel any more.
    this.call = undefined;
    if (this.isDone) return;
    let reply: Reply;
    try {
      reply = this.replyTo(status);
    } catch (error) {
      return this.fail(error);
    }
    this.isDone = true;
    this.upload.stop();
    this.parts.outcome.onReply(reply);
  }

  private replyTo(status: CallStatus): Reply {
    const { stream } = this.parts;
    if (status.code !== Code.OK) {
      this.parts.outcome.onCallFailed(status);
      return stream.fail(status, this.headers);
    }
    if (this.message === undefined) {
      throw new StatusError(Code.INTERNAL, 'the service ended the call without a message');
    }
    return stream.reply(this.message, this.headers, status.trailers);
  }

  clientGone(): void {
    if (!this.isDone) this.stop();
  }

  report(cause: unknown): void {
    this.parts.outcome.report(cause);
  }

  fail(error: unknown): void {
    if (this.isDone) return;
    this.stop();
    this.parts.outcome.onError(error);
  }

  /** Nothing more is wanted of either side. */
  private stop(): void {
    this.isDone = true;
    this.upload.stop();
    const { call } = this;
    if (call !== undefined) quietly(() => call.cancel(), this);
  }
}

/** Both halves at once. The call starts before the first message, as the service may speak first. */
class BidiRun extends DownloadRun<BidiExchange> implements UploadOwner {
  private readonly upload: Upload;

  constructor(parts: StreamParts<BidiExchange>) {
    super(parts);
    this.upload = new Upload(parts.exchange, parts.stream.requests, this);
  }

  start(): void {
    try {
      this.download.attach(this.upload.open());
    } catch (error) {
      this.upload.stop();
      return this.download.fail(error);
    }
    this.upload.start();
  }

  report(cause: unknown): void {
    this.parts.outcome.report(cause);
  }

  startCall(): Call {
    return startCall(this.parts, this);
  }

  onDrain(): void {
    this.upload.onDrain();
  }

  override onEnd(status: CallStatus): void {
    this.upload.stop();
    super.onEnd(status);
  }

  override clientGone(): void {
    this.upload.stop();
    super.clientGone();
  }

  override fail(error: unknown): void {
    this.upload.stop();
    super.fail(error);
  }
}
