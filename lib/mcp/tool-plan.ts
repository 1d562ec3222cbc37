/** The `MethodPlan` of one call of a tool: JSON arguments → request messages, response messages → JSON. */
import type {
  CallStatus,
  MethodPlan,
  Reply,
  RequestHead,
  RequestStream,
  ResponseStream,
  StreamExchange,
  UnaryExchange,
} from '../exchange.js';
import { deadlineOf, HeaderNames } from '../metadata/index.js';
import { Code, httpStatusOf, StatusError } from '../status.js';
import { type Frame, Pieces } from '../wire/index.js';
import { ToolMessages } from './arguments.js';
import { RpcError } from './json-rpc.js';
import { errorOf, errorOfCall, type ToolError } from './tool-error.js';
import type { Tool } from './tool.js';

/** Hears why a call fails, before the end of the exchange. */
export interface FailureSink {
  onFailure(error: ToolError): void;
  /** A token is missing or not valid: the client is to get another one. */
  onRefusal(error: StatusError): void;
}

const JSON_TYPE = 'application/json';

/** The plan of one call. */
export function toolPlan(tool: Tool, sink: FailureSink): MethodPlan {
  const { method, source } = tool;
  const { codec, options } = source;
  const settings = { codec, debugInfo: options.debugInfo };
  const names = new HeaderNames({ grpcGatewayNames: false, identityHeaders: options.identityHeaders });
  const messages = new ToolMessages(tool);

  const fail = (status: CallStatus): Reply => {
    const error = errorOfCall(status, settings);
    sink.onFailure(error);
    return jsonReply(status.httpStatus ?? httpStatusOf(status.code), Buffer.from(error.status));
  };
  const failOwn = (error: StatusError): Reply => {
    const shown = errorOf(error, settings);
    if (error.httpStatus === 401) sink.onRefusal(error);
    else sink.onFailure(shown);
    return jsonReply(error.httpStatus ?? httpStatusOf(error.code), Buffer.from(shown.status));
  };
  const common = (head: RequestHead): Pick<UnaryExchange, 'metadata' | 'timeoutMs'> => ({
    metadata: names.metadata(head),
    timeoutMs: deadlineOf(head.headers, options),
  });
  const reply = (message: Buffer): Reply => jsonReply(200, messages.write(message));
  const message = {
    maxBodyBytes: options.maxBodyBytes,
    contentCodings: [],
    request: (json: Buffer) => asArguments(() => messages.readOne(json)),
  };
  const response: ResponseStream = {
    headDelayMs: 0,
    keepAlive: undefined,
    head: () => ({ status: 200, headers: ['content-type', JSON_TYPE], chunk: undefined }),
    message: ({ payload }) => messages.write(payload),
    end(status) {
      if (status.code !== Code.OK) sink.onFailure(errorOfCall(status, settings));
      return { isBroken: false };
    },
    fail(error) {
      sink.onFailure(errorOf(error, settings));
      return { isBroken: false };
    },
  };
  const openStream = (head: RequestHead): StreamExchange => {
    const rest = { ...common(head), fail };
    if (!method.clientStreaming) return { ...rest, ...message, kind: 'server', response };
    const requests = new ArgumentStream(messages);
    return method.serverStreaming
      ? { ...rest, kind: 'bidi', requests, response }
      : { ...rest, kind: 'client', requests, reply };
  };
  const { fullName, path, clientStreaming, serverStreaming } = method;
  return {
    rpc: { name: fullName, service: method.service.fullName, path, clientStreaming, serverStreaming },
    openUnary: (head) => ({ ...common(head), ...message, fail, reply }),
    openStream,
    fail: failOwn,
  };
}

/** The list of messages, which are sent when it is complete. */
class ArgumentStream implements RequestStream {
  readonly contentCodings = [];
  private readonly pieces = new Pieces();

  constructor(private readonly messages: ToolMessages) {}

  push(chunk: Buffer): void {
    this.pieces.push(chunk);
  }

  finish(send: (message: Frame) => void): void {
    const payloads = asArguments(() => this.messages.readMany(this.pieces.takeAll()));
    for (const payload of payloads) send({ compressed: false, payload });
  }
}

/** What is wrong with the members of arguments is wrong with the call. */
function asArguments<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new StatusError(Code.INVALID_ARGUMENT, error.message, { cause: error });
  }
}

function jsonReply(status: number, body: Buffer): Reply {
  return { status, headers: ['content-type', JSON_TYPE, 'content-length', String(body.length)], body };
}
