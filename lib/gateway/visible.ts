/**
 * What callers may not see (google.api.visibility) neither reaches a service nor leaves one: a `MethodPlan` around that of the
 * route, which sees request and response messages in wire form. All protocols are alike then. JSON and documents follow from
 * the schema, in which what is hidden is not; the wire form would carry it nevertheless.
 */
import { invalidAnswer, type VisibleMessage, type VisibleTypes, VisibleWire } from '../codec/index.js';
import type {
  CallStatus,
  Metadata,
  MethodPlan,
  RequestStream,
  ResponseStream,
  StreamExchange,
  UnaryExchange,
} from '../exchange.js';
import { metadataBytes, parseStatusDetails, statusBytes } from '../metadata/index.js';
import type { MethodDescriptor } from '../schema/index.js';
import { Code, numberedError, StatusError } from '../status.js';
import { type Frame, WireError } from '../wire/index.js';
import { contentOf } from './frame-content.js';

/** What is done with hidden fields in requests, and how large a message may be. */
export interface VisibleOptions {
  /** True: they are dropped. False: the request is refused. */
  readonly ignoreUnknownFields: boolean;
  readonly maxBodyBytes: number;
}

const DETAILS = 'grpc-status-details-bin';

/** The visible parts of all calls of a gateway. */
export class VisibleCalls {
  private readonly wire: VisibleWire;

  constructor(
    types: VisibleTypes,
    private readonly options: VisibleOptions,
  ) {
    this.wire = new VisibleWire(types);
  }

  /** A plan that lets through what callers may see. */
  around(plan: MethodPlan, { input, output }: MethodDescriptor): MethodPlan {
    const { socket } = plan;
    const visibleInput = this.wire.of(input);
    const visibleOutput = this.wire.of(output);
    const request = this.requestFilter(visibleInput, input.fullName);
    const answer = answerFilter(visibleOutput, output.fullName);
    const status = (found: CallStatus): CallStatus => this.visibleStatus(found);
    const readsMessages = visibleInput !== undefined || visibleOutput !== undefined;
    const filters = { request, answer, status, readsMessages, maxBytes: this.options.maxBodyBytes };
    return {
      ...plan,
      openUnary: (head, captures) => visibleUnary(plan.openUnary(head, captures), filters),
      openStream: (head, captures) => visibleStream(plan.openStream(head, captures), filters),
      socket: socket && {
        errorFrame: (error, head) => socket.errorFrame(error, head),
        open(head, captures) {
          const exchange = socket.open(head, captures);
          const numbered = numberedFilter(request);
          return {
            ...exchange,
            request: (data, isBinary) => numbered(exchange.request(data, isBinary)),
            message: (payload, wantsBinary) => exchange.message(answer(payload), wantsBinary),
            error: (found) => exchange.error(status(found)),
          };
        },
      },
    };
  }

  private requestFilter(visible: VisibleMessage | undefined, typeName: string): Filter {
    if (visible === undefined) return unchanged;
    return (message) => {
      try {
        if (this.options.ignoreUnknownFields) return visible.strip(message);
        const refusal = visible.refusal(message);
        if (refusal !== undefined) throw refusal;
        return message;
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const text = `the message is no ${typeName} in protobuf's wire format: ${error.message}`;
        throw new StatusError(Code.INVALID_ARGUMENT, text, { cause: error });
      }
    };
  }

  /** The status without details of hidden types. Details that cannot be read are left out. */
  private visibleStatus(status: CallStatus): CallStatus {
    const bytes = metadataBytes(status.trailers, DETAILS);
    if (bytes === undefined) return status;
    const rest = status.trailers.filter(([name]) => name !== DETAILS);
    const details = parseStatusDetails(bytes).flatMap(({ typeUrl, value }) => {
      const visible = this.visibleDetail(typeUrl, value);
      return visible === undefined ? [] : [{ typeUrl, value: visible }];
    });
    if (details.length === 0) return { ...status, trailers: rest };
    return { ...status, trailers: [...rest, [DETAILS, statusBytes(status.code, status.message, details)]] };
  }

  private visibleDetail(typeUrl: string, value: Uint8Array): Buffer | undefined {
    try {
      return this.wire.anyValue(typeUrl, Buffer.from(value));
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }
}

/** A message → the message that passes. */
type Filter = (message: Buffer) => Buffer;

const unchanged: Filter = (message) => message;

function answerFilter(visible: VisibleMessage | undefined, typeName: string): Filter {
  if (visible === undefined) return unchanged;
  return (message) => {
    try {
      return visible.strip(message);
    } catch (error) {
      throw error instanceof WireError ? invalidAnswer(typeName, error) : error;
    }
  };
}

/** Says which message of a stream is wrong, from the second on. */
function numberedFilter(filter: Filter): Filter {
  let count = 0;
  return (message) => {
    count++;
    try {
      return filter(message);
    } catch (error) {
      throw count === 1 ? error : numberedError(error, count);
    }
  };
}

interface Filters {
  readonly request: Filter;
  readonly answer: Filter;
  readonly status: (status: CallStatus) => CallStatus;
  /** False: something may be hidden in the details of errors alone. */
  readonly readsMessages: boolean;
  readonly maxBytes: number;
}

function visibleUnary(exchange: UnaryExchange, { request, answer, status }: Filters): UnaryExchange {
  return {
    ...exchange,
    request: (body) => request(exchange.request(body)),
    reply: (message, headers, trailers) => exchange.reply(answer(message), headers, trailers),
    fail: (found, headers) => exchange.fail(status(found), headers),
  };
}

function visibleStream(exchange: StreamExchange, filters: Filters): StreamExchange {
  const { request, answer, status, readsMessages } = filters;
  const shared = {
    fail: (found: CallStatus, headers: Metadata) => exchange.fail(status(found), headers),
    // Messages that are read are decoded: those of the client here, those of the service by the channel.
    passThrough: exchange.passThrough === true && !readsMessages,
  };
  switch (exchange.kind) {
    case 'server':
      return {
        ...exchange,
        ...shared,
        request: (body) => request(exchange.request(body)),
        response: visibleResponse(exchange.response, filters),
      };
    case 'client':
      return {
        ...exchange,
        ...shared,
        requests: visibleRequests(exchange, filters),
        reply: (message, headers, trailers) => exchange.reply(answer(message), headers, trailers),
      };
    case 'bidi':
      return {
        ...exchange,
        ...shared,
        requests: visibleRequests(exchange, filters),
        response: visibleResponse(exchange.response, filters),
      };
  }
}

function visibleResponse(response: ResponseStream, { answer, status, readsMessages }: Filters): ResponseStream {
  const visible = (frame: Frame): Frame =>
    readsMessages ? { compressed: false, payload: answer(frame.payload) } : frame;
  return {
    headDelayMs: response.headDelayMs,
    keepAlive: response.keepAlive,
    head: (headers, first) => response.head(headers, first && visible(first)),
    message: (frame) => response.message(visible(frame)),
    end: (found) => response.end(status(found)),
    fail: (error) => response.fail(error),
  };
}

function visibleRequests(
  { requests, metadata }: Pick<Extract<StreamExchange, { requests: RequestStream }>, 'requests' | 'metadata'>,
  { request, readsMessages, maxBytes }: Filters,
): RequestStream {
  if (!readsMessages) return requests;
  const filter = numberedFilter(request);
  const filtering =
    (send: (message: Frame) => void) =>
    (frame: Frame): void =>
      send({ compressed: false, payload: filter(contentOf(frame, metadata, maxBytes)) });
  return {
    contentCodings: requests.contentCodings,
    push: (chunk, send) => requests.push(chunk, filtering(send)),
    finish: (send) => requests.finish(filtering(send)),
  };
}
