/**
 * Answer messages → one streamed body of JSON, in the framing that `Accept` or the options pick. The framing is chosen
 * before the call; what a later failure looks like follows from it.
 */
import { indentJson, type Codec } from '../codec/index.js';
import type { CallStatus, Metadata, RequestHead, ResponseStream, StreamEnd, StreamHead } from '../exchange.js';
import { type EventFields, type FramingName, framings, type StreamFraming } from '../framing/index.js';
import { header, type HeaderFields } from '../headers.js';
import type { Binding, FieldPath } from '../rule/index.js';
import { Code, type FieldViolation, type StatusError } from '../status.js';
import type { Frame, Writer } from '../wire/index.js';
import { preferredType } from './accept.js';
import { compileFieldHeaders, plainText } from './bound-headers.js';
import { type AnswerFormat, compileFormats } from './answer-format.js';
import { callError } from './call-error.js';
import type { TranscodeContext } from './context.js';
import { writeEnvelope } from './envelope.js';
import { isHttpBody } from './http-body.js';
import { HttpBodyResponse } from './http-body-response.js';
import { headOf, isBodyless, type StreamShared } from './stream-head.js';
import { submessage } from './submessage.js';
import type { SystemParameters } from './system-parameters.js';

/** Picks the framing of one request, by `$alt` before `Accept`, and starts its answer. */
export type ResponseStreamOpener = (
  head: RequestHead,
  system: SystemParameters,
  violations: FieldViolation[],
) => ResponseStream;

/** Compiles the answers of a server-streaming binding. */
export function compileResponseStream(binding: Binding, context: TranscodeContext): ResponseStreamOpener {
  const { codec, options } = context;
  const path = binding.responseBody ?? [];
  const last = path[path.length - 1];
  const shared = {
    context,
    rpc: binding.method.fullName,
    status: binding.options.successStatus ?? 200,
    addFieldHeaders: compileFieldHeaders(binding, codec, context.buffers.scratch),
  };
  if (isHttpBody(last === undefined ? binding.method.output : last.repeated ? undefined : last.message)) {
    return (head, { fields }, violations) => {
      if (fields !== undefined) violations.push(noFields);
      return new HttpBodyResponse(head, path, shared);
    };
  }
  const plan: StreamPlan = {
    ...shared,
    eventFields: compileEventFields(binding, codec, context.buffers.scratch),
  };
  const choose = framingChooser(options.streamFormat);
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

interface StreamPlan extends StreamShared {
  readonly eventFields: ((message: Buffer) => EventFields) | undefined;
}

/** A framing under the name that the client gave it. */
interface Choice {
  readonly framing: StreamFraming;
  readonly contentType: string;
}

type FramingChooser = (headers: HeaderFields, asked: FramingName | undefined) => Choice;

/** The types by which a client may ask; `application/json` is grpc-gateway's too, where that is the default. */
function framingChooser(format: FramingName): FramingChooser {
  const json: FramingName = format === 'grpc-gateway' ? 'grpc-gateway' : 'array';
  const byType = new Map<string, FramingName>([
    ['application/json', json],
    ['application/x-ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['text/event-stream', 'sse'],
  ]);
  const own = framings[format].contentType;
  const offers = [own, ...[...byType.keys()].filter((type) => type !== own)];
  return (headers, asked) => {
    const contentType = asked === undefined ? (preferredType(headers, offers) ?? own) : framings[asked].contentType;
    return { framing: framings[asked ?? byType.get(contentType)!], contentType };
  };
}

class JsonResponse implements ResponseStream {
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
    this.headDelayMs = streamHeadDelayMs;
    this.keepAlive = this.framing.name === 'sse' ? { everyMs: sseKeepAliveMs, chunk: KEEP_ALIVE } : undefined;
    this.isWrapped = envelope === 'photon' && (this.framing.name === 'ndjson' || this.framing.name === 'sse');
  }

  head(metadata: Metadata, first: Frame | undefined): StreamHead {
    const { status, headers } = headOf(this.plan, this.request, metadata, first);
    this.silent = isBodyless(status);
    if (this.silent) return { status, headers, chunk: undefined };
    headers.push('content-type', this.choice.contentType);
    // Else a cache, or a proxy with a buffer, may hold back what shall be seen at once.
    if (this.framing.name === 'sse' && header(headers, 'cache-control') === undefined)
      headers.push('cache-control', 'no-cache');
    return { status, headers, chunk: this.framing.head };
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
    if (status.code !== Code.OK) return this.failed(callError(status), status.trailers);
    const trailers = this.plan.context.names.streamTrailers(this.request, status.trailers);
    return { chunk: this.silent ? undefined : this.framing.tail, trailers, isBroken: false };
  }

  fail(error: StatusError): StreamEnd {
    return this.failed(error, []);
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

const noFields: FieldViolation = {
  field: '$fields',
  description: 'the answer of this route is raw bytes, which have no fields',
};

/** A comment, which readers of server-sent events skip. */
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/** What the method option `sse` takes from a message. */
function compileEventFields(
  binding: Binding,
  codec: Codec,
  scratch: Writer,
): ((message: Buffer) => EventFields) | undefined {
  const { sse } = binding.options;
  if (sse === undefined) return undefined;
  const id = textOf(sse.id, codec, scratch);
  const event = textOf(sse.event, codec, scratch);
  return (message) => ({ id: id?.(message), event: event?.(message) });
}

function textOf(path: FieldPath | undefined, codec: Codec, scratch: Writer): ((message: Buffer) => string) | undefined {
  if (path === undefined) return undefined;
  const parents = path.slice(0, -1);
  const write = codec.fieldWriter(path[path.length - 1]!);
  return (message) => {
    scratch.reset();
    write(parents.reduce(submessage, message), scratch);
    return plainText(scratch.peek().toString('utf8'));
  };
}
