/**
 * Opens the streaming calls of a binding: which side streams is decided once, and each kind has an opener of its own.
 * `plan` brings what all calls have.
 */
import type { Captures, RequestHead, StreamCall, StreamExchange } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import type { TranscodeContext } from './context.js';
import type { RequestReader } from './request.js';
import type { ResponseCompiler } from './response.js';
import { compileRequestStream } from './stream-request.js';
import { compileResponseStream } from './stream-response.js';

export type StreamOpener = (head: RequestHead, captures: Captures, call: StreamCall) => StreamExchange;

/** @param request @param response those of the binding, for the side that is one message. */
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
      return { ...call, kind: 'bidi', requests, response: answer };
    };
  }
  return (head, captures, call) => {
    const { requests, answer } = openRequests(head, captures, (open) =>
      response.open(head, open.system, open.violations),
    );
    return {
      ...call,
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
    return {
      ...call,
      kind: 'server',
      maxBodyBytes,
      contentCodings: open.contentCodings,
      request: (body) => request.finish(open, body),
      response: openResponse(head, open.system, open.violations),
    };
  };
}

function unaryOnly(): never {
  throw new Error('a unary method has no stream');
}
