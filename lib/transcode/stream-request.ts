/**
 * The body of a client stream → request messages, while it arrives. JSON is cut by `framing`, an HttpBody into pieces;
 * anything else is one message. What path, query and headers bind goes into the first message alone.
 */
import { summarize } from '../codec/index.js';
import type { Captures, ContentCoding, RequestHead, RequestStream } from '../exchange.js';
import { JsonStreamReader } from '../framing/index.js';
import { header, parseMediaType, type HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import type { Frame, Writer } from '../wire/index.js';
import type { TranscodeContext } from './context.js';
import { DEFAULT_CONTENT_TYPE, isHttpBody, writeHttpBody } from './http-body.js';
import type { OpenRequest, RequestReader } from './request.js';
import { MessageNode, type WeaveContext } from './weave.js';

/** The largest piece of an HttpBody that one message carries. */
const MAX_PIECE_BYTES = 64 * 1024;

const nothing = Buffer.alloc(0);

type Send = (message: Frame) => void;

/** Reads what the head decides, and throws what is wrong with it before any call. */
export type RequestStreamOpener = <A>(
  head: RequestHead,
  captures: Captures,
  openAnswer: (open: OpenRequest) => A,
) => { readonly requests: RequestStream; readonly answer: A };

/** Told of the request when its head was read: what it adds to the violations counts. */
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
  if (isHttpBody(path.length === 0 ? method.input : bodyMessage(path))) {
    return (head, captures, onOpen) => {
      // An HttpBody is anything, so its content type is not looked at; how it is coded is.
      const headers = head.headers.filter((_, index) => head.headers[index & ~1] !== 'content-type');
      const open = openChecked(shared, { ...head, headers }, captures, onOpen);
      return new HttpBodyPieces(open, path, header(head.headers, 'content-type'), context);
    };
  }
  return (head, captures, onOpen) => {
    const type = head.hasBody ? mediaType(head.headers) : '';
    if (isLines(type)) return new JsonMessages(openJson(shared, head, captures, onOpen), shared, false);
    if (isJson(type)) return new JsonMessages(openChecked(shared, head, captures, onOpen), shared, true);
    const open = openChecked(shared, head, captures, onOpen);
    // curl's default for -d, which is mostly JSON.
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

function bodyMessage(path: readonly FieldDescriptor[]): FieldDescriptor['message'] {
  const field = path[path.length - 1]!;
  return field.repeated ? undefined : field.message;
}

function mediaType(headers: HeaderFields): string {
  return parseMediaType(header(headers, 'content-type') ?? '').type;
}

function isLines(type: string): boolean {
  return type === 'application/x-ndjson' || type === 'application/jsonl';
}

function isJson(type: string): boolean {
  return type === '' || type === 'application/json' || type.endsWith('+json');
}

/** The same request with a body of JSON: lines and curl's forms are nothing else, message by message. */
function openJson(shared: Shared, head: RequestHead, captures: Captures, onOpen: OnOpen): OpenRequest {
  const headers = head.headers.map((text, index) =>
    index % 2 === 1 && head.headers[index - 1] === 'content-type' ? asJson(text) : text,
  );
  return openChecked(shared, { ...head, headers }, captures, onOpen);
}

/** Keeps the parameters: a charset counts all the same. */
function asJson(contentType: string): string {
  const end = contentType.indexOf(';');
  return `application/json${end < 0 ? '' : contentType.slice(end)}`;
}

/** Opens the request, and tries whether its values can be written: what is wrong with them shall not cost a call. */
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

/** The message of a node alone, without a body. */
function write(node: MessageNode, { violations }: OpenRequest, context: TranscodeContext, out: Writer): Buffer {
  const weave: WeaveContext = {
    violations,
    scratch: context.buffers.scratch,
    overwritePathFields: context.options.overwritePathFields,
  };
  out.reset();
  node.write(out, weave);
  if (violations.length > 0) throw new StatusError(Code.INVALID_ARGUMENT, summarize(violations), { violations });
  return out.take();
}

/** The later messages of a stream: nothing is bound into them. */
export function unbound(open: OpenRequest): OpenRequest {
  return { ...open, node: new MessageNode(), violations: [], mask: undefined };
}

/** JSON values, in an array or one behind the other. */
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
    this.reader = new JsonStreamReader({ maxMessageBytes: maxBodyBytes, arrays }, (json) => this.message(json));
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

  private message(json: Buffer): void {
    const { count } = this.reader;
    const open = count === 1 ? this.open : unbound(this.open);
    let message: Buffer;
    try {
      message = this.shared.request.finish(open, json);
    } catch (error) {
      throw count === 1 && !this.reader.inArray ? error : numbered(error, count);
    }
    this.send(frameOf(message));
  }
}

/** Places are those of the message alone, so it is named. */
export function numbered(error: unknown, count: number): unknown {
  if (!(error instanceof StatusError)) return error;
  const { code, httpStatus, violations, details, headers, cause } = error;
  return new StatusError(code, `message ${count}: ${error.message}`, {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    violations,
    details,
    headers,
    cause,
  });
}

function frameOf(payload: Buffer): Frame {
  return { compressed: false, payload };
}

/** A body that is one message whatever it holds: a form, or where the rule takes none. */
class WholeBody implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private readonly chunks: Buffer[] = [];
  private length = 0;

  constructor(
    private readonly open: OpenRequest,
    private readonly shared: Shared,
  ) {
    this.contentCodings = open.contentCodings;
  }

  push(chunk: Buffer): void {
    const { maxBodyBytes } = this.shared.context.options;
    this.length += chunk.length;
    if (this.length > maxBodyBytes) {
      throw StatusError.http(
        413,
        `the body is larger than the limit of ${maxBodyBytes} bytes; send less, or raise --max-body-bytes (max_body_bytes)`,
      );
    }
    this.chunks.push(chunk);
  }

  finish(send: Send): void {
    send(frameOf(this.shared.request.finish(this.open, Buffer.concat(this.chunks, this.length))));
  }
}

/** A form by its type: its first byte tells whether it is one. */
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

/** Raw bytes, sent on in pieces as they come; the first message has the content type and what the request binds. */
class HttpBodyPieces implements RequestStream {
  readonly contentCodings: readonly ContentCoding[];
  private isFirst = true;

  constructor(
    private readonly open: OpenRequest,
    /** Of the HttpBody in the message; empty where it is the message. */
    private readonly path: readonly FieldDescriptor[],
    private readonly contentType: string | undefined,
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
    let holder = node;
    for (const field of this.path) holder = holder.child(field);
    holder.base = buffers.body.take();
    return frameOf(node.holdsBodyAlone ? node.base! : write(node, this.open, this.context, buffers.message));
  }
}
