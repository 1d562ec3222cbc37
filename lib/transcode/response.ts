/**
 * Answer message → HTTP answer: status, headers, JSON body, envelope.
 */
import { indentJson, type Codec } from '../codec/index.js';
import type { Metadata, Reply, RequestHead } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import type { Writer } from '../wire/index.js';
import { compileFieldHeaders } from './bound-headers.js';
import { writeEnvelope } from './envelope.js';
import { addResponseHeaders, metadataText, takesTrailers } from './headers.js';
import type { TranscodeContext } from './context.js';
import { submessage } from './submessage.js';

export type ResponseWriter = (head: RequestHead, message: Buffer, headers: Metadata, trailers: Metadata) => Reply;

/** Compiles the answers of one binding. */
export function compileResponse(binding: Binding, { codec, options, buffers }: TranscodeContext): ResponseWriter {
  const out = buffers.json;
  const write = bodyWriter(binding, codec);
  const successStatus = binding.options.successStatus ?? 200;
  const enveloped = options.envelope === 'photon';
  const addFieldHeaders = compileFieldHeaders(binding, codec, buffers.scratch);

  return (head, message, metadata, trailers) => {
    const status = httpCodeOf(metadata) ?? successStatus;
    const headers = ['x-request-id', head.requestId];
    addResponseHeaders(headers, metadata);
    addFieldHeaders?.(message, headers);
    const sentTrailers = splitTrailers(head, trailers, headers);
    if (status === 204 || status === 304) return { status, headers, body: undefined };
    out.reset();
    if (enveloped) writeEnvelope(out, head.requestId, () => write(message, out));
    else write(message, out);
    // The codec indents what it prints itself; the envelope goes round that.
    const body = enveloped && options.addWhitespace ? indentJson(out.take()) : out.take();
    headers.push('content-type', 'application/json');
    if (sentTrailers.length === 0) headers.push('content-length', String(body.length));
    return { status, headers, body: head.method === 'HEAD' ? undefined : body, trailers: sentTrailers };
  };
}

/** The JSON of the message, or of the part that `response_body` names. */
function bodyWriter(binding: Binding, codec: Codec): (message: Buffer, out: Writer) => void {
  const path = binding.responseBody;
  if (path === undefined) return lazily(() => codec.writer(binding.method.output));
  const parents = path.slice(0, -1);
  const write = lazily(() => codec.fieldWriter(path[path.length - 1]!));
  return (message, out) => {
    write(parents.reduce(submessage, message), out);
  };
}

/** Compiles on first use: a schema of thousands of routes starts in no time. */
function lazily<A extends unknown[]>(compile: () => (...args: A) => void): (...args: A) => void {
  let compiled: ((...args: A) => void) | undefined;
  return (...args) => {
    compiled ??= compile();
    compiled(...args);
  };
}

/** The service's own choice of a success status: `x-http-code` in its headers, where it makes sense. */
function httpCodeOf(metadata: Metadata): number | undefined {
  const text = metadataText(metadata, 'x-http-code');
  if (text === undefined || !/^[23]\d\d$/.test(text)) return undefined;
  const status = Number(text);
  if (status === 206 && metadataText(metadata, 'content-range') === undefined) return undefined;
  return status;
}

/** Trailers go out as such where the client takes them; else they join the headers. */
function splitTrailers(head: RequestHead, trailers: Metadata, headers: string[]): string[] {
  if (trailers.length === 0) return [];
  const sent: string[] = [];
  const canTrail = head.httpVersion !== '1.0' && takesTrailers(head.headers);
  addResponseHeaders(canTrail ? sent : headers, trailers);
  return sent;
}
