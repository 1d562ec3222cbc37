/**
 * Reads received header lists between a connection and Node's HTTP/2 client, which ends the whole connection at a value of
 * more than 64 KiB and joins repeated headers; also, grpc-js hides the HTTP status. None of this can be configured. So the
 * lists are read here, by the code of the native client. Node gets a short list with an id, by which the call finds the
 * original list in `HeaderLists`. Everything else passes unchanged.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { header } from '../../headers.js';
import {
  BlockReader,
  ConnectionError,
  ErrorCode,
  FieldEncoder,
  type FieldList,
  fieldProblem,
  FRAME_HEAD_BYTES,
  FrameReader,
  type FrameSink,
  FrameType,
  FrameWriter,
  protocolError,
} from '../../http2/index.js';
import { essentialHeaders } from '../answer.js';
import { PROTOCOL_ERROR } from '../outcome.js';
import { type HeaderLists, LIST_HEADER } from './header-lists.js';

type Done = (error?: Error | null) => void;

/** Replaces header lists of the server by ids. */
export class HeaderGuard extends Duplex implements FrameSink {
  private readonly reader = new FrameReader(this);
  private readonly blocks: BlockReader;
  private readonly encoder = new FieldEncoder();
  private readonly writer = new FrameWriter();
  private hasSpoken = false;

  /**
   * @param socket connected, after the TLS handshake.
   * @param onFirstFrame the server has spoken: called once
   */
  constructor(
    private readonly socket: Socket,
    maxHeaderBytes: number,
    private readonly lists: HeaderLists,
    private readonly onFirstFrame: () => void,
  ) {
    super();
    this.blocks = new BlockReader(maxHeaderBytes, essentialHeaders);
    // Without it, Node's table does not depend on the server's.
    this.encoder.setMaxTableBytes(0);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  // ------------------------------------------------------------------------------------- from the server

  private receive(chunk: Buffer): void {
    try {
      this.reader.push(chunk);
    } catch (error) {
      this.destroy(error instanceof ConnectionError ? new Error(PROTOCOL_ERROR, { cause: error }) : (error as Error));
      return;
    }
    const parts = this.writer.take();
    if (parts.length > 0 && !this.push(parts.length === 1 ? parts[0] : Buffer.concat(parts))) this.socket.pause();
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    this.blocks.check(type, streamId);
    if (!this.hasSpoken) {
      this.hasSpoken = true;
      this.onFirstFrame();
    }
    switch (type) {
      case FrameType.HEADERS:
        return this.pass(this.blocks.headers(flags, streamId, buffer, start, end));
      case FrameType.CONTINUATION:
        return this.pass(this.blocks.continuation(flags, buffer, start, end));
      case FrameType.PUSH_PROMISE:
        throw protocolError('pushed a stream, which no service of gRPC does');
      default:
        this.writer.raw(buffer.subarray(start - FRAME_HEAD_BYTES, end));
    }
  }

  private pass(list: FieldList | undefined): void {
    if (list === undefined) return;
    const { streamId, fields, last, cut } = list;
    const isHead = fields[0] === ':status';
    if (fieldProblem(fields, isHead) !== undefined) {
      return this.writer.numbers(FrameType.RST_STREAM, 0, streamId, ErrorCode.PROTOCOL_ERROR);
    }
    const short: string[] = [];
    const isInterim = isHead && fields[1]!.startsWith('1');
    if (isHead) short.push(':status', isInterim ? fields[1]! : '200');
    if (isHead && !isInterim) {
      short.push('content-type', 'application/grpc');
      const encoding = header(fields, 'grpc-encoding');
      if (encoding !== undefined && encoding.length < 100) short.push('grpc-encoding', encoding);
    }
    if (last) short.push('grpc-status', header(fields, 'grpc-status') === '0' ? '0' : '2');
    if (!isInterim) short.push(LIST_HEADER, this.lists.add({ fields, cut }));
    this.writer.headers(streamId, this.encoder.encode(short), last);
  }

  override _read(): void {
    this.socket.resume();
  }

  // --------------------------------------------------------------------------------------- to the server

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.socket.cork();
    chunks.forEach(({ chunk }, index) => this.socket.write(chunk, index === chunks.length - 1 ? done : undefined));
    this.socket.uncork();
  }

  override _final(done: Done): void {
    this.socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.socket.destroy();
    done(error);
  }

  /** Node's HTTP/2 client calls these methods of a socket. */
  ref(): this {
    this.socket.ref();
    return this;
  }

  unref(): this {
    this.socket.unref();
    return this;
  }
}
