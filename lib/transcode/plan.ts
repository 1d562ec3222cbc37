/**
 * The REST `MethodPlan` of a binding: joins the compiled request reader, response writer and error writer. What
 * `gateway` calls for each request that the binding's route matched.
 */
import type { CallStatus, Metadata, MethodPlan, Reply, RequestHead, UnaryExchange } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import { StatusError } from '../status.js';
import type { TranscodeContext } from './context.js';
import { deadlineOf } from './deadline.js';
import { parseStatusDetails } from './details.js';
import { addResponseHeaders, metadataBytes, requestMetadata } from './headers.js';
import { compileRequest } from './request.js';
import { compileResponse } from './response.js';

/**
 * Compiles a binding.
 * @throws ConfigError where the binding cannot work with this schema.
 */
export function compilePlan(binding: Binding, context: TranscodeContext): MethodPlan {
  const { method } = binding;
  const { options, writeError } = context;
  const request = compileRequest(binding, context);
  const respond = compileResponse(binding, context);
  const deadlines = {
    defaultDeadlineMs: binding.options.deadlineMs ?? options.defaultDeadlineMs,
    maxDeadlineMs: options.maxDeadlineMs,
  };

  return {
    rpc: {
      name: method.fullName,
      service: method.service.fullName,
      path: method.path,
      clientStreaming: method.clientStreaming,
      serverStreaming: method.serverStreaming,
    },

    openUnary(head, captures) {
      const open = request.open(head, captures);
      return {
        metadata: requestMetadata(head.headers, head.requestId),
        timeoutMs: deadlineOf(head.headers, deadlines),
        maxBodyBytes: options.maxBodyBytes,
        contentCodings: open.contentCodings,
        request: (body) => request.finish(open, body),
        reply: (message, headers, trailers) => respond(head, message, headers, trailers),
        fail: (status, headers) => writeError(callError(status, headers), head),
      } satisfies UnaryExchange;
    },

    fail: (error: StatusError, head: RequestHead): Reply => writeError(error, head),
  };
}

/** A failed call as an error: its message, its details, and its metadata as response headers. */
function callError(status: CallStatus, headers: Metadata): StatusError {
  const fields: string[] = [];
  addResponseHeaders(fields, headers);
  addResponseHeaders(fields, status.trailers);
  const pairs: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2) pairs.push([fields[index]!, fields[index + 1]!]);
  const details = metadataBytes(status.trailers, 'grpc-status-details-bin');
  return new StatusError(status.code, status.message, {
    headers: pairs,
    details: details === undefined ? [] : parseStatusDetails(details),
  });
}
