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
  ServerStreamExchange,
  StreamCall,
  StreamExchange,
} from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { checkAnnouncedLength, collectBody } from './body.js';
import { Download, type StreamOutcome } from './download.js';
import { Upload, type UploadOwner } from './upload.js';

export type { StreamOutcome } from './download.js';

/** A streaming call under way. */
export interface StreamRun {
  /** @throws StatusError 413 where the head announces too large a message. */
  start(): void;
  /** Nobody waits for the answer any more. */
  clientGone(): void;
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

function downloadOf(parts: StreamParts<ServerStreamExchange | BidiExchange>): Download {
  const { exchange, method, stream, outcome } = parts;
  return new Download(exchange, method === 'HEAD', stream.response, (...end) => stream.fail(...end), outcome);
}

/** The body is one message, collected as for a unary call. */
class ServerStreamRun implements StreamRun, CallListener {
  private readonly download: Download;

  constructor(private readonly parts: StreamParts<ServerStreamExchange>) {
    this.download = downloadOf(parts);
  }

  start(): void {
    const { exchange, stream } = this.parts;
    const { maxBodyBytes, contentCodings } = stream;
    checkAnnouncedLength(exchange, maxBodyBytes, contentCodings);
    collectBody(exchange, maxBodyBytes, contentCodings, {
      onBody: (body) => this.send(body),
      onFailure: (error) => {
        if (error === undefined) this.download.clientGone();
        else this.download.fail(error);
      },
    });
  }

  private send(body: Buffer): void {
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

  onHeaders(headers: Metadata): void {
    this.download.onHeaders(headers);
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

  onMessage({ payload }: Frame): void {
    if (this.message === undefined) this.message = payload;
    else this.fail(new StatusError(Code.INTERNAL, 'the service sent more than one message for one answer'));
  }

  onDrain(): void {
    this.upload.onDrain();
  }

  onEnd(status: CallStatus): void {
    if (this.isDone) return;
    const { stream, outcome } = this.parts;
    try {
      if (status.code === Code.OK && this.message === undefined) {
        throw new StatusError(Code.INTERNAL, 'the service ended the call without a message');
      }
      const reply =
        status.code === Code.OK
          ? stream.reply(this.message!, this.headers, status.trailers)
          : stream.fail(status, this.headers);
      this.isDone = true;
      this.upload.stop();
      outcome.onReply(reply);
    } catch (error) {
      this.fail(error);
    }
  }

  clientGone(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.upload.stop();
    this.call?.cancel();
  }

  private fail(error: unknown): void {
    if (this.isDone) return;
    this.isDone = true;
    this.upload.stop();
    this.call?.cancel();
    this.parts.outcome.onError(error);
  }
}

/** Both halves at once. The call starts before the first message, as the service may speak first. */
class BidiRun implements StreamRun, CallListener, UploadOwner {
  private readonly upload: Upload;
  private readonly download: Download;

  constructor(private readonly parts: StreamParts<BidiExchange>) {
    this.upload = new Upload(parts.exchange, parts.stream.requests, this);
    this.download = downloadOf(parts);
  }

  start(): void {
    this.download.attach(this.upload.open());
    this.upload.start();
  }

  startCall(): Call {
    return startCall(this.parts, this);
  }

  onUploadFailure(error: unknown): void {
    if (error === undefined) this.download.clientGone();
    else this.download.fail(error);
  }

  onHeaders(headers: Metadata): void {
    this.download.onHeaders(headers);
  }

  onMessage(frame: Frame): void {
    this.download.onMessage(frame);
  }

  onDrain(): void {
    this.upload.onDrain();
  }

  onEnd(status: CallStatus): void {
    this.upload.stop();
    this.download.onEnd(status);
  }

  clientGone(): void {
    this.upload.stop();
    this.download.clientGone();
  }
}
