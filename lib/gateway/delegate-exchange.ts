/** An `Exchange` that passes everything on. A subclass overrides what it changes or observes. */
import type { BodySink, Exchange, Peer, ResponseHead, SocketUpgrade } from '../exchange.js';
import type { HeaderFields } from '../headers.js';

/** The base of exchanges that stand before another one. */
export class DelegateExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: Exchange['httpVersion'];
  readonly headers: HeaderFields;
  readonly hasBody: boolean;

  constructor(
    private readonly inner: Exchange,
    readonly webSocket: SocketUpgrade | undefined = inner.webSocket,
  ) {
    const { method, target, httpVersion, headers, hasBody } = inner;
    this.method = method;
    this.target = target;
    this.httpVersion = httpVersion;
    this.headers = headers;
    this.hasBody = hasBody;
  }

  respond(head: ResponseHead): void {
    this.inner.respond(head);
  }
  get peer(): Peer {
    return this.inner.peer;
  }
  get secure(): boolean {
    return this.inner.secure;
  }
  get counted(): Exchange['counted'] {
    return this.inner.counted;
  }
  continue(): void {
    this.inner.continue();
  }
  read(sink: BodySink): void {
    this.inner.read(sink);
  }
  pause(): void {
    this.inner.pause();
  }
  resume(): void {
    this.inner.resume();
  }
  write(chunk: Buffer): boolean {
    return this.inner.write(chunk);
  }
  onDrain(listener: () => void): void {
    this.inner.onDrain(listener);
  }
  expect(bytes: number, onRoom: () => void): boolean {
    return this.inner.expect(bytes, onRoom);
  }
  end(chunk?: Buffer, trailers?: HeaderFields): void {
    this.inner.end(chunk, trailers);
  }
  abort(): void {
    this.inner.abort();
  }
  onClose(listener: () => void): void {
    this.inner.onClose(listener);
  }
}
