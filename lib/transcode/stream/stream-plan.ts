/**
 * Opens the streaming calls of a binding. Each kind of stream has its own opener, chosen when the plan is compiled.
 */
import type { CallStatus, Captures, Metadata, Reply, RequestHead, StreamCall, StreamExchange } from '../../exchange.js';
import { withoutFields } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import type { TranscodeContext } from '../context.js';
import type { RequestReader } from '../request/request.js';
import type { ResponseCompiler } from '../answer/response.js';
import { compileRequestStream } from './stream-request.js';
import { compileResponseStream, type FramedResponse } from './stream-response.js';

/** What every call has, whatever the framing of its answer. */
export interface OpenCall extends Pick<StreamCall, 'metadata' | 'timeoutMs'> {
  readonly fail: FailedCallWriter;
  /** The same, as one of grpc-gateway's lines. */
  readonly failInLine: FailedCallWriter;
}

type FailedCallWriter = (status: CallStatus, headers: Metadata) => Reply;

/** Opens one call. @throws StatusError for what is wrong with the head */
export type StreamOpener = (head: RequestHead, captures: Captures, call: OpenCall) => StreamExchange;

/** @param request @param response used for a side that is a single message */
export function compileStreams(
  binding: Binding,
  context: TranscodeContext,
  request: RequestReader,
  response: ResponseCompiler,
): StreamOpener {
  const { clientStreaming, serverStreaming } = binding.method;
  if (!clientStreaming && !serverStreaming) return unaryOnly;
  if (!clientStreaming) return serverStreams(binding, context, request);
  const openRequests = compileRequestStream(binding, request, context);
  if (serverStreaming) {
    const openResponse = compileResponseStream(binding, context);
    return (head, captures, call) => {
      const { requests, answer } = openRequests(head, captures, (open) =>
        openResponse(head, open.system, open.violations),
      );
      return { ...answering(call, answer), kind: 'bidi', requests, response: answer };
    };
  }
  return (head, captures, call) => {
    const { requests, answer } = openRequests(head, captures, (open) =>
      response.open(head, open.system, open.violations),
    );
    return {
      ...plain(call),
      kind: 'client',
      requests,
      reply: (message, headers, trailers) => answer(head, message, headers, trailers),
    };
  };
}

function serverStreams(binding: Binding, context: TranscodeContext, request: RequestReader): StreamOpener {
  const { maxBodyBytes } = context.options;
  const openResponse = compileResponseStream(binding, context);
  return (head, captures, call) => {
    const open = request.open(head, captures);
    const response = openResponse(head, open.system, open.violations);
    return {
      ...answering(call, response),
      kind: 'server',
      maxBodyBytes,
      contentCodings: open.contentCodings,
      request: (body) => request.finish(open, body),
      response,
    };
  };
}

function plain({ metadata, timeoutMs, fail }: OpenCall): StreamCall {
  return { metadata, timeoutMs, fail };
}

/** The call with the error format of its framing, for failures before the first message. */
function answering(call: OpenCall, { linesErrors, bareBody }: FramedResponse): StreamCall {
  if (linesErrors) return { ...plain(call), fail: call.failInLine };
  if (bareBody === undefined) return plain(call);
  return { ...plain(call), fail: (status, headers) => withBody(call.fail(status, headers), bareBody) };
}

/** An empty error with the body of a stream without messages, as Envoy has it. */
function withBody(reply: Reply, { contentType, bytes }: NonNullable<FramedResponse['bareBody']>): Reply {
  if (reply.body?.length !== 0) return reply;
  const headers = withoutFields(reply.headers, (name) => name === 'content-length');
  headers.push('content-type', contentType, 'content-length', String(bytes.length));
  return { ...reply, headers, body: bytes };
}

function unaryOnly(): never {
  throw new Error('a unary method has no stream');
}
