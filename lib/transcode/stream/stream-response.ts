/**
 * Response messages → one streamed body of JSON. `$alt`, `Accept` or the options choose the framing before the call. It
 * also decides what an error looks like.
 */
import { indentJson, type Codec } from '../../codec/index.js';
import type { CallStatus, Metadata, RequestHead, ResponseStream, StreamEnd, StreamHead } from '../../exchange.js';
import { type EventFields, type FramingName, framings, type StreamFraming } from '../../framing/index.js';
import { header, type HeaderFields } from '../../headers.js';
import { encodeGrpcMessage, takesTrailers } from '../../metadata/index.js';
import type { Binding } from '../../rule/index.js';
import { Code, type FieldViolation, isBodyless, type StatusError } from '../../status.js';
import type { Frame, Writer } from '../../wire/index.js';
import { JSON_TYPE, preferredType } from '../answer/accept.js';
import { compileHead, type HeadWriter } from '../answer/answer-head.js';
import { compileFieldText } from '../answer/field-headers.js';
import { type AnswerFormat, compileFormats } from '../answer/answer-format.js';
import { callError } from '../answer/call-error.js';
import type { TranscodeContext } from '../context.js';
import { writeEnvelope } from '../answer/envelope.js';
import { endsInHttpBody } from '../http-body.js';
import { HttpBodyResponse } from './http-body-response.js';
import { refuseFields, type SystemParameters } from '../system-parameters.js';

/** Picks the framing of one request, by `$alt` before `Accept`, and starts its answer. */
export type ResponseStreamOpener = (
  head: RequestHead,
  system: SystemParameters,
  violations: FieldViolation[],
) => FramedResponse;

/** A streamed answer. */
export interface FramedResponse extends ResponseStream {
  /** Errors before the first message are lines of grpc-gateway's format too. */
  readonly linesErrors: boolean;
  /** The body of a call that fails before its first message, if that has no body of its own. */
  readonly bareBody: { readonly contentType: string; readonly bytes: Buffer } | undefined;
}

/** Compiles the answers of a server-streaming binding. */
export function compileResponseStream(binding: Binding, context: TranscodeContext): ResponseStreamOpener {
  const { codec, options } = context;
  const { method, responseBody: path = [] } = binding;
  const writeHead = compileHead(binding, context);
  if (endsInHttpBody(method.output, path)) {
    const plan = { context, writeHead, path, rpc: method.fullName };
    return (head, system, violations) => {
      refuseFields(system, violations);
      return new HttpBodyResponse(head, plan, options.streamFormat === 'grpc-gateway');
    };
  }
  const { sseRetryMs } = options;
  const plan: StreamPlan = {
    context,
    writeHead,
    eventFields: compileEventFields(binding, codec, context.buffers.scratch),
    retry: sseRetryMs === undefined ? undefined : Buffer.from(`retry: ${Math.ceil(sseRetryMs)}\n\n`),
  };
  const choose = framingChooser(options.streamFormat, options.ignoreAccept);
  const formats = compileFormats(binding, context);
  return (head, system, violations) => {
    const format = formats.message(system, violations);
    const pretty = system.prettyPrint ?? options.addWhitespace;
    return new JsonResponse(head, choose(head.headers, framingOf(system, options.streamFormat)), format, pretty, plan);
  };
}

/** The framing that `$alt` names; undefined leaves it to `Accept` and the options. */
function framingOf({ alt }: SystemParameters, format: FramingName): FramingName | undefined {
  if (alt === 'json') return format === 'grpc-gateway' ? format : 'array';
  return alt === 'sse' || alt === 'ndjson' ? alt : undefined;
}

interface StreamPlan {
  readonly context: TranscodeContext;
  readonly writeHead: HeadWriter;
  readonly eventFields: ((message: Buffer) => EventFields) | undefined;
  /** The start of server-sent events; undefined: there is none. */
  readonly retry: Buffer | undefined;
}

/** A framing, and the media type that the client asked for. */
interface Choice {
  readonly framing: StreamFraming;
  readonly contentType: string;
}

type FramingChooser = (headers: HeaderFields, asked: FramingName | undefined) => Choice;

/** Chooses by media type. `application/json` means grpc-gateway's lines if that is the default, else an array. */
function framingChooser(format: FramingName, ignoresAccept: boolean): FramingChooser {
  if (ignoresAccept) {
    const contentType = format === 'ndjson' ? JSON_TYPE : framings[format].contentType;
    return () => ({ framing: framings[format], contentType });
  }
  const json: FramingName = format === 'grpc-gateway' ? 'grpc-gateway' : 'array';
  const byType = new Map<string, FramingName>([
    ['application/json', json],
    ['application/x-ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['text/event-stream', 'sse'],
    ['application/json-seq', 'json-seq'],
  ]);
  const own = framings[format].contentType;
  const offers = [own, ...[...byType.keys()].filter((type) => type !== own)];
  return (headers, asked) => {
    const contentType = asked === undefined ? (preferredType(headers, offers) ?? own) : framings[asked].contentType;
    return { framing: framings[asked ?? byType.get(contentType)!], contentType };
  };
}

/** The framings whose messages are in the envelope, if there is one. */
const wrapped: ReadonlySet<FramingName> = new Set<FramingName>(['ndjson', 'sse', 'json-seq']);

class JsonResponse implements FramedResponse {
  readonly linesErrors: boolean;
  readonly bareBody: FramedResponse['bareBody'];
  readonly headDelayMs: number;
  readonly keepAlive: ResponseStream['keepAlive'];
  private isFirst = true;
  private silent = false;
  private readonly framing: StreamFraming;
  private readonly isWrapped: boolean;

  constructor(
    private readonly request: RequestHead,
    private readonly choice: Choice,
    private readonly format: AnswerFormat,
    private readonly pretty: boolean,
    private readonly plan: StreamPlan,
  ) {
    const { streamHeadDelayMs, sseKeepAliveMs, envelope } = plan.context.options;
    this.framing = choice.framing;
    this.linesErrors = choice.framing.name === 'grpc-gateway';
    const { framing, contentType } = choice;
    this.bareBody =
      plan.context.options.streamErrors === 'trailers'
        ? { contentType, bytes: Buffer.concat([framing.head, framing.tail]) }
        : undefined;
    this.headDelayMs = streamHeadDelayMs;
    this.keepAlive = this.framing.name === 'sse' ? { everyMs: sseKeepAliveMs, chunk: KEEP_ALIVE } : undefined;
    this.isWrapped = envelope === 'photon' && wrapped.has(this.framing.name);
  }

  head(metadata: Metadata, first: Frame | undefined): StreamHead {
    const { status, headers } = this.plan.writeHead(this.request, metadata, first?.payload);
    this.silent = isBodyless(status);
    if (this.silent) return { status, headers, chunk: undefined };
    headers.push('content-type', this.choice.contentType);
    // Otherwise a cache or a buffering proxy may hold events back.
    if (this.framing.name === 'sse' && header(headers, 'cache-control') === undefined)
      headers.push('cache-control', 'no-cache');
    const { retry } = this.plan;
    return { status, headers, chunk: retry !== undefined && this.framing.name === 'sse' ? retry : this.framing.head };
  }

  message({ payload }: Frame): Buffer | undefined {
    if (this.silent) return undefined;
    const { plan, isFirst } = this;
    const out = plan.context.buffers.json;
    out.reset();
    if (this.isWrapped) writeEnvelope(out, this.request.requestId, () => this.format.write(payload, out));
    else this.format.write(payload, out);
    const fields = this.framing.name === 'sse' ? plan.eventFields?.(payload) : undefined;
    const json = this.pretty && this.framing.takesLineBreaks ? indentJson(out.peek()) : out.peek();
    this.isFirst = false;
    return this.framing.frame(json, isFirst, fields);
  }

  end(status: CallStatus): StreamEnd {
    if (status.code !== Code.OK) {
      const error = callError(status);
      const isMarked = this.plan.context.options.streamErrors === 'marked';
      return isMarked ? this.failed(error, status.trailers) : this.failedInTrailers(error, status.trailers);
    }
    const trailers = this.plan.context.names.streamTrailers(this.request, status.trailers);
    return { chunk: this.silent ? undefined : this.framing.tail, trailers, isBroken: false };
  }

  fail(error: StatusError): StreamEnd {
    return this.failed(error, []);
  }

  private failedInTrailers(error: StatusError, metadata: Metadata): StreamEnd {
    const { request, plan } = this;
    const chunk = this.silent ? undefined : this.framing.tail;
    // Over HTTP/2 they need no room of their own and no announcement.
    if (request.httpVersion !== '2' && !takesTrailers(request.headers)) return { chunk, isBroken: false };
    const trailers = ['grpc-status', String(error.code)];
    if (error.message !== '') trailers.push('grpc-message', encodeGrpcMessage(error.message));
    trailers.push(...(plan.context.names.streamTrailers(request, metadata) ?? []));
    return { chunk, trailers, isBroken: false };
  }

  private failed(error: StatusError, trailers: Metadata): StreamEnd {
    if (this.silent) return { isBroken: true };
    const { framing, isFirst } = this;
    const chunk = framing.error(this.plan.context.writeErrorFrame(error, this.request), isFirst);
    if (framing.marksErrors)
      return { chunk, trailers: this.plan.context.names.streamTrailers(this.request, trailers), isBroken: false };
    const closes = this.plan.context.options.closeErrorArray;
    return { chunk: closes ? Buffer.concat([chunk, framing.tail]) : chunk, isBroken: !closes };
  }
}

/** A comment, which readers of server-sent events skip. */
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/** Reads the event's id and name from the fields that the method option `sse` names. */
function compileEventFields(
  binding: Binding,
  codec: Codec,
  scratch: Writer,
): ((message: Buffer) => EventFields) | undefined {
  const { sse } = binding.options;
  if (sse === undefined) return undefined;
  const id = sse.id && compileFieldText(sse.id, codec, scratch);
  const event = sse.event && compileFieldText(sse.event, codec, scratch);
  return (message) => ({ id: id?.(message), event: event?.(message) });
}
