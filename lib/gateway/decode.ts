/**
 * Undoes the content codings of a request body while it arrives: what comes in is decoded piece by piece and handed on, so
 * that a few kilobytes that decode to gigabytes cost no memory. How much may come out is for the taker to say, who stops.
 */
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw, type Gunzip } from 'node:zlib';
import type { BodySink, ContentCoding, Exchange } from '../exchange.js';
import { Code, StatusError } from '../status.js';

type Decoder = Pick<
  Gunzip,
  'write' | 'end' | 'on' | 'once' | 'pause' | 'resume' | 'destroy' | 'bytesWritten' | 'writableNeedDrain'
>;

/** A body under way. */
export interface BodyReading {
  pause(): void;
  resume(): void;
  /** Nothing more is wanted: what still comes is dropped, and the sink is told nothing more. */
  stop(): void;
}

/**
 * Reads a request's body, decoded. The sink gets `onAbort` with a 400 where the data are not what the codings say.
 * @param codings the first was applied first
 * @param maxCodedBytes more than this of a coded body is 413: there are codings of nothing that go on for ever
 */
export function readBody(
  exchange: Exchange,
  codings: readonly ContentCoding[],
  sink: BodySink,
  maxCodedBytes = Infinity,
): BodyReading {
  if (codings.length === 0) {
    exchange.read(sink);
    return { pause: () => exchange.pause(), resume: () => exchange.resume(), stop: () => undefined };
  }
  // The last coding is undone first.
  const chain = codings.reduce<BodySink & BodyReading>(
    (next, coding) => new DecodingStage(coding, next),
    new EndStage(exchange, sink),
  );
  const entry = chain as DecodingStage;
  entry.source = exchange;
  entry.maxBytes = maxCodedBytes;
  exchange.read(entry);
  return entry;
}

/** The end of the chain: stops at the first end, and at a stop. */
class EndStage implements BodySink, BodyReading {
  private stopped = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly sink: BodySink,
  ) {}

  onData(chunk: Buffer): void {
    if (!this.stopped) this.sink.onData(chunk);
  }

  onEnd(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.sink.onEnd();
  }

  onAbort(error?: StatusError): void {
    if (this.stopped) return;
    this.stopped = true;
    // What is left of the body is to be drained.
    this.exchange.resume();
    this.sink.onAbort(error);
  }

  pause(): void {
    this.exchange.pause();
  }

  resume(): void {
    this.exchange.resume();
  }

  stop(): void {
    this.stopped = true;
    this.exchange.resume();
  }
}

/** Undoes one coding. The decoder is made when the first byte comes: no bytes are an empty body in any coding. */
class DecodingStage implements BodySink, BodyReading {
  /** Whoever feeds this stage; asked to wait while the decoder is full. */
  source: Pick<Exchange, 'pause' | 'resume'> | undefined;
  maxBytes = Infinity;
  private decoder: Decoder | undefined;
  private received = 0;
  private stopped = false;

  constructor(
    private readonly coding: ContentCoding,
    private readonly next: BodySink & BodyReading,
  ) {
    if (next instanceof DecodingStage) next.source = this;
  }

  onData(chunk: Buffer): void {
    if (this.stopped || chunk.length === 0) return;
    this.received += chunk.length;
    if (this.received > this.maxBytes) {
      this.close();
      this.next.onAbort(
        StatusError.http(413, `the body is larger than the limit of ${this.maxBytes} bytes before it is decoded`),
      );
      return;
    }
    const decoder = (this.decoder ??= this.start(chunk));
    if (!decoder.write(chunk)) this.source?.pause();
  }

  private start(chunk: Buffer): Decoder {
    const decoder = createDecoder(this.coding, chunk[0]!);
    decoder.on('data', (decoded: Buffer) => {
      if (!this.stopped) this.next.onData(decoded);
    });
    decoder.on('drain', () => this.source?.resume());
    decoder.on('error', (error) => this.fail(error.message));
    decoder.on('end', () => {
      if (this.stopped) return;
      if (decoder.bytesWritten < this.received) this.fail('there are bytes behind the end of the data');
      else this.next.onEnd();
    });
    return decoder;
  }

  private fail(why: string): void {
    if (this.stopped) return;
    this.close();
    this.next.onAbort(
      new StatusError(Code.INVALID_ARGUMENT, `the body is not what content-encoding ${this.coding} says: ${why}`),
    );
  }

  onEnd(): void {
    if (this.stopped) return;
    if (this.decoder === undefined) this.next.onEnd();
    else this.decoder.end();
  }

  onAbort(error?: StatusError): void {
    this.close();
    this.next.onAbort(error);
  }

  pause(): void {
    this.decoder?.pause();
  }

  resume(): void {
    this.decoder?.resume();
  }

  stop(): void {
    this.close();
    this.next.stop();
  }

  private close(): void {
    this.stopped = true;
    this.decoder?.destroy();
  }
}

/** `deflate` is zlib's format, but some clients have always sent it without its head (RFC 9110, section 8.4.1.2). */
function createDecoder(coding: ContentCoding, firstByte: number): Decoder {
  if (coding === 'gzip') return createGunzip();
  if (coding === 'br') return createBrotliDecompress();
  return (firstByte & 0x0f) === 8 ? createInflate() : createInflateRaw();
}
