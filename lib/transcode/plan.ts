/**
 * The REST `MethodPlan` of a binding: joins the compiled request reader, response writer and error writer. What
 * `gateway` calls for each request that the binding's route matched.
 */
import type { CallStatus, Metadata, MethodPlan, Reply, RequestHead, UnaryExchange } from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { StatusError } from '../status.js';
import { HeaderBinder } from './bound-headers.js';
import { callError } from './call-error.js';
import type { TranscodeContext } from './context.js';
import { deadlineOf } from '../metadata/index.js';
import { PathBinder } from './path.js';
import { compileRequest } from './request.js';
import { compileResponse } from './response.js';
import { compileSocket } from './socket-plan.js';
import { compileStreams } from './stream-plan.js';

/**
 * What `compilePlan` would refuse, for start-up, where compiling thousands of plans takes too long.
 * @returns true
 * @throws ConfigError where the binding cannot work with this schema.
 */
export function checkPlan(binding: Binding, { codec, options, names }: TranscodeContext): true {
  // These alone refuse what `rule` takes: types that the codec does not read from text, headers that clients may not set.
  void new PathBinder(binding, codec, options.urlUnescape);
  void new HeaderBinder(binding, codec, names);
  return true;
}

/**
 * Compiles a binding that `checkPlan` took.
 * @throws ConfigError where the binding cannot work with this schema.
 */
export function compilePlan(binding: Binding, context: TranscodeContext): MethodPlan {
  const { method } = binding;
  const { options, writeError, names } = context;
  const request = compileRequest(binding, context);
  const response = compileResponse(binding, context);
  const openStream = compileStreams(binding, context, request, response);
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
      const answer = response.open(head, open.system, open.violations);
      return {
        metadata: names.metadata(head.headers, head.requestId),
        timeoutMs: deadlineOf(head.headers, deadlines),
        maxBodyBytes: options.maxBodyBytes,
        contentCodings: open.contentCodings,
        request: (body) => request.finish(open, body),
        reply: (message, headers, trailers) => answer(head, message, headers, trailers),
        fail: (status, headers) => failedCall(status, headers, head, context),
      } satisfies UnaryExchange;
    },

    openStream(head, captures) {
      const call = {
        metadata: names.metadata(head.headers, head.requestId),
        timeoutMs: deadlineOf(head.headers, deadlines),
        fail: (status: CallStatus, headers: Metadata) => failedCall(status, headers, head, context),
      };
      return openStream(head, captures, call);
    },

    fail: (error: StatusError, head: RequestHead): Reply => writeError(error, head),

    socket: method.clientStreaming || method.serverStreaming ? compileSocket(binding, context, deadlines) : undefined,
  };
}

/** A failed call as an answer: its message, its details, its metadata as headers, its trailers where they belong. */
function failedCall(
  status: CallStatus,
  metadata: Metadata,
  head: RequestHead,
  { names, writeError }: Pick<TranscodeContext, 'names' | 'writeError'>,
): Reply {
  const fields: string[] = [];
  names.addHeaders(fields, metadata);
  const trailers = names.splitTrailers(head, status.trailers, fields);
  const pairs: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2) pairs.push([fields[index]!, fields[index + 1]!]);
  const reply = writeError(callError(status, pairs), head);
  return trailers.length === 0 ? reply : { ...reply, headers: without(reply.headers, 'content-length'), trailers };
}

/** On HTTP/1.1 trailers need a chunked body. */
function without(fields: HeaderFields, name: string): HeaderFields {
  return fields.filter((_, index) => fields[index - (index % 2)] !== name);
}
