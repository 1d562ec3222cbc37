/**
 * The body of a client stream → request messages, while it arrives. `framing` cuts JSON into messages, an HttpBody is sent
 * in pieces, and any other body is one message. Values bound by path, query and headers go into the first message.
 */
import { invalidArgument } from '../../codec/index.js';
import type { Captures, ContentCoding, RequestHead, RequestStream } from '../../exchange.js';
import { JsonStreamReader, type MessagePlace } from '../../framing/index.js';
import { header, parseMediaType, type HeaderFields, withoutFields } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { type FieldViolation, numberedError, StatusError } from '../../status.js';
import { type Frame, Pieces, type Writer } from '../../wire/index.js';
import type { TranscodeContext } from '../context.js';
import { DEFAULT_CONTENT_TYPE, endsInHttpBody, writeHttpBody } from '../http-body.js';
import { isJsonType } from '../request/body.js';
import type { OpenRequest, RequestReader } from '../request/request.js';
import { mergeContext, MessageNode } from '../request/merge.js';

/** The largest piece of an HttpBody that one message carries. */
const MAX_PIECE_BYTES = 64 * 1024;

const nothing = Buffer.alloc(0);

type Send = (message: Frame) => void;

/** Reads the head. @throws StatusError for what is wrong with it, before any call */
export type RequestStreamOpener = <A>(
  head: RequestHead,
  captures: Captures,
  openAnswer: (open: OpenRequest) => A,
) => { readonly requests: RequestStream; readonly answer: A };

/** Called when the head has been read; it may add violations. */
type OnOpen = (open: OpenRequest) => void;
type BodyOpener = (head: RequestHead, captures: Captures, onOpen: OnOpen) => RequestStream;

/** Compiles the uploads of a client-streaming binding; `request` reads their single messages. */
export function compileRequestStream(
  binding: Binding,
  request: RequestReader,
  context: TranscodeContext,
): RequestStreamOpener {
  const openBody = compileBody(binding, { request, context });
  return <A>(head: RequestHead, captures: Captures, openAnswer: (open: OpenRequest) => A) => {
    let answer: { readonly value: A } | undefined;
    const requests = openBody(head, captures, (open) => (answer ??= { value: openAnswer(open) }));
    return { requests, answer: answer!.value };
  };
}

function compileBody(binding: Binding, shared: Shared): BodyOpener {
  const { body, method } = binding;
  const { context } = shared;
  if (body.kind === 'none') return (...request) => new WholeBody(openChecked(shared, ...request), shared);
  const path = body.kind === 'field' ? body.path : [];
  if (endsInHttpBody(method.input, path)) {
    return (head, captures, onOpen) => {
      // An HttpBody may have any content type, so that header is not checked.
      const headers = withoutFields(head.headers, (name) => name === 'content-type');
      const open = openChecked(shared, { ...head, headers }, captures, onOpen);
      return new HttpBodyPieces(open, path, header(head.headers, 'content-type'), method.input, context);
    };
  }
  return (head, captures, onOpen) => {
    const type = head.hasBody ? mediaType(head.headers) : '';
    if (isLines(type)) return new JsonMessages(openJson(shared, head, captures, onOpen), shared, false);
    if (type === '' || isJsonType(type) || (type === 'text/plain' && context.options.textPlainJson))
      return new JsonMessages(openChecked(shared, head, captures, onOpen), shared, true);
    const open = openChecked(shared, head, captures, onOpen);
    // The default type of `curl -d`, whose body is usually JSON.
    if (type === 'application/x-www-form-urlencoded')
      return new FormOrJson(() => openJson(shared, head, captures, onOpen), open, shared);
    return new WholeBody(open, shared);
  };
}

/** What the readers of one binding share. */
export interface Shared {
  readonly request: RequestReader;
  readonly context: TranscodeContext;
}

function mediaType(headers: HeaderFields): string {
  return parseMediaType(header(headers, 'content-type') ?? '').type;
}

function isLines(type: string): boolean {
  return type === 'application/x-ndjson' || type === 'application/jsonl';
}

/** Opens the request as if its content type were JSON, which each single message is. */
function openJson(shared: Shared, head: RequestHead, captures: Captures, onOpen: OnOpen): OpenRequest {
  const headers = head.headers.map((text, index) =>
    index % 2 === 1 && head.headers[index - 1] === 'content-type' ? asJson(text) : text,
  );
  return openChecked(shared, { ...head, headers }, captures, onOpen);
}

/** Keeps the parameters, because a charset other than UTF-8 must be refused. */
function asJson(contentType: string): string {
  const end = contentType.indexOf(';');
  return `application/json${end < 0 ? '' : contentType.slice(end)}`;
}

/** Opens the request and writes its bound values once, so that a bad value is reported before the call. */
export function openChecked(
  { request, context }: Shared,
  head: RequestHead,
  captures: Captures,
  onOpen: OnOpen,
): OpenRequest {
  const open = request.open(head, captures);
  onOpen(open);
  write(open.node, open, context, context.buffers.message);
  return open;
}

/** Writes the message of a node that has no body. */
function write(node: MessageNode, { violations }: OpenRequest, context: TranscodeContext, out: Writer): Buffer {
  out.reset();
  node.write(out, mergeContext(violations, context));
  throwIfAny(violations);
  return out.take();
}

function throwIfAny(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw invalidArgument(violations);
}

/** The request for the second and later messages, which have no bound values. */
export function unbound(open: OpenRequest): OpenRequest {
  return { ...open, node: new MessageNode(), violations: [], mask: undefined };
}

/** JSON values, in an array or one after the other. */
class JsonMessages implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private readonly reader: JsonStreamReader;
  private send!: Send;

  constructor(
    private readonly open: OpenRequest,
    private readonly shared: Shared,
    arrays: boolean,
  ) {
    const { maxBodyBytes } = shared.context.options;
    this.contentCodings = open.contentCodings;
    this.reader = new JsonStreamReader({ maxMessageBytes: maxBodyBytes, arrays }, (json, place) =>
      this.message(json, place),
    );
  }

  push(chunk: Buffer, send: Send): void {
    this.send = send;
    this.reader.push(chunk);
  }

  finish(send: Send): void {
    this.send = send;
    this.reader.end();
    if (this.reader.isBlank) this.send(frameOf(this.shared.request.finish(this.open, nothing)));
  }

  private message(json: Buffer, place: MessagePlace): void {
    const { count } = this.reader;
    const open = count === 1 ? this.open : unbound(this.open);
    let message: Buffer;
    try {
      message = this.shared.request.finish(open, json, place);
    } catch (error) {
      throw count === 1 && !this.reader.inArray ? error : numberedError(error, count);
    }
    this.send(frameOf(message));
  }
}

function frameOf(payload: Buffer): Frame {
  return { compressed: false, payload };
}

/** A body that is one message: a form, or any body if the rule takes none. */
class WholeBody implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private readonly pieces = new Pieces();

  constructor(
    private readonly open: OpenRequest,
    private readonly shared: Shared,
  ) {
    this.contentCodings = open.contentCodings;
  }

  push(chunk: Buffer): void {
    const { maxBodyBytes } = this.shared.context.options;
    if (this.pieces.length + chunk.length > maxBodyBytes) throw StatusError.tooLarge(maxBodyBytes);
    this.pieces.push(chunk);
  }

  finish(send: Send): void {
    send(frameOf(this.shared.request.finish(this.open, this.pieces.takeAll())));
  }
}

/** A body that calls itself a form; its first byte decides whether it is JSON. */
class FormOrJson implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private decided: RequestStream | undefined;
  private start = nothing;

  constructor(
    private readonly openJson: () => OpenRequest,
    private readonly open: OpenRequest,
    private readonly shared: Shared,
  ) {
    this.contentCodings = open.contentCodings;
  }

  push(chunk: Buffer, send: Send): void {
    if (this.decided !== undefined) return this.decided.push(chunk, send);
    this.start = Buffer.concat([this.start, chunk]);
    const first = /^(?:\xef\xbb\xbf)?[ \t\r\n]*([^ \t\r\n\xef\xbb\xbf])/.exec(
      this.start.toString('latin1', 0, 4096),
    )?.[1];
    if (first === undefined && this.start.length < 4096) return;
    this.decide(first !== undefined && '{["'.includes(first)).push(this.start, send);
  }

  finish(send: Send): void {
    if (this.decided !== undefined) return this.decided.finish(send);
    const whole = this.decide(false);
    if (this.start.length > 0) whole.push(this.start, send);
    whole.finish(send);
  }

  private decide(isJson: boolean): RequestStream {
    const { open, shared } = this;
    return (this.decided = isJson ? new JsonMessages(this.openJson(), shared, true) : new WholeBody(open, shared));
  }
}

/** Raw bytes, sent on as they arrive. The first message holds the content type and the bound values. */
class HttpBodyPieces implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private isFirst = true;

  constructor(
    private readonly open: OpenRequest,
    /** Leads to the HttpBody in the message; empty if the message is one. */
    private readonly path: readonly FieldDescriptor[],
    private readonly contentType: string | undefined,
    private readonly type: MessageDescriptor,
    private readonly context: TranscodeContext,
  ) {
    this.contentCodings = open.contentCodings;
  }

  push(chunk: Buffer, send: Send): void {
    for (let start = 0; start < chunk.length; start += MAX_PIECE_BYTES) {
      send(this.piece(chunk.subarray(start, start + MAX_PIECE_BYTES)));
    }
  }

  finish(send: Send): void {
    if (this.isFirst) send(this.piece(nothing));
  }

  private piece(data: Buffer): Frame {
    const { buffers } = this.context;
    const contentType = this.isFirst ? (this.contentType ?? DEFAULT_CONTENT_TYPE) : '';
    const { node } = this.isFirst ? this.open : unbound(this.open);
    this.isFirst = false;
    buffers.body.reset();
    writeHttpBody(buffers.body, { contentType, data });
    node.descend(this.path).bodyPart = buffers.body.take();
    const message = node.holdsBodyAlone ? node.bodyPart! : write(node, this.open, this.context, buffers.message);
    throwIfAny(this.context.codec.missing(this.type, message));
    return frameOf(message);
  }
}
