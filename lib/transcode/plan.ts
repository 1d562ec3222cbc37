/**
 * The REST `MethodPlan` of a binding, which `gateway` runs for each request that the route matches: joins the compiled
 * readers of requests and writers of answers and errors.
 */
import type { CallStatus, ErrorWriter, Metadata, MethodPlan, Reply, RequestHead, UnaryExchange } from '../exchange.js';
import { headerPairs, withoutFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { StatusError } from '../status.js';
import { type Condition, preconditionStatus } from './request/conditions.js';
import { HeaderBinder } from './request/bound-headers.js';
import { limitAnswers } from './answer/answer-limit.js';
import { callError } from './answer/call-error.js';
import type { TranscodeContext } from './context.js';
import { deadlineOf } from '../metadata/index.js';
import { PathBinder } from './request/path.js';
import { compileResume } from './request/resume.js';
import { compileRequest } from './request/request.js';
import { compileResponse } from './answer/response.js';
import { compileSocket } from './stream/socket-plan.js';
import { compileStreams } from './stream/stream-plan.js';

/**
 * Makes the checks of `compilePlan` without compiling: at a start, compiling thousands of plans would take too long.
 * @returns true
 * @throws ConfigError if the binding cannot work with this schema.
 */
export function checkPlan(binding: Binding, { codec, options, names }: TranscodeContext): true {
  // Only these can refuse a binding that `rule` accepts: a type without text form, a header that clients may not set, and a
  // field for Last-Event-ID that the path sets.
  void new PathBinder(binding, codec, options.urlUnescape);
  void new HeaderBinder(binding, codec, names);
  compileResume(binding, codec);
  return true;
}

/**
 * Compiles a binding that passed `checkPlan`.
 * @throws ConfigError if the binding cannot work with this schema.
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

  const plan: MethodPlan = {
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
        metadata: names.metadata(head),
        timeoutMs: deadlineOf(head.headers, deadlines),
        maxBodyBytes: options.maxBodyBytes,
        contentCodings: open.contentCodings,
        request: (body) => request.finish(open, body),
        reply: (message, headers, trailers) => answer(head, message, headers, trailers),
        fail: (status, headers) => failedCall(status, headers, head, context, open.condition),
      } satisfies UnaryExchange;
    },

    openStream(head, captures) {
      const failAs = (write: ErrorWriter) => (status: CallStatus, headers: Metadata) =>
        failedCall(status, headers, head, { names, writeError: write });
      const call = {
        metadata: names.metadata(head),
        timeoutMs: deadlineOf(head.headers, deadlines),
        fail: failAs(writeError),
        failInLine: failAs(context.writeErrorLine),
      };
      return openStream(head, captures, call);
    },

    fail: (error: StatusError, head: RequestHead): Reply => writeError(error, head),

    socket: method.clientStreaming || method.serverStreaming ? compileSocket(binding, context, deadlines) : undefined,
  };
  const { maxResponseBytes } = options;
  return maxResponseBytes === undefined ? plan : limitAnswers(plan, maxResponseBytes);
}

/** The answer to a failed call: message and details in the body, metadata in headers, trailers in trailers or headers. */
function failedCall(
  status: CallStatus,
  metadata: Metadata,
  head: RequestHead,
  { names, writeError }: Pick<TranscodeContext, 'names' | 'writeError'>,
  condition?: Condition,
): Reply {
  const fields: string[] = [];
  names.addHeaders(fields, metadata);
  const trailers = names.splitTrailers(head, status.trailers, fields);
  const httpStatus = preconditionStatus(condition, status.code) ?? status.httpStatus;
  const reply = writeError(callError({ ...status, httpStatus }, headerPairs(fields)), head);
  // On HTTP/1.1 trailers need a chunked body.
  return trailers.length === 0
    ? reply
    : { ...reply, headers: withoutFields(reply.headers, (name) => name === 'content-length'), trailers };
}
