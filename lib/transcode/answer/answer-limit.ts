/** `max_response_bytes`: a message of a service that is larger does not become an answer. */
import type { MethodPlan, ResponseStream, StreamExchange, UnaryExchange } from '../../exchange.js';
import { Code, StatusError } from '../../status.js';

/** A plan with that limit. */
export function limitAnswers(plan: MethodPlan, maxBytes: number): MethodPlan {
  const { socket, rpc } = plan;
  const check = (message: Buffer): Buffer => {
    if (message.length > maxBytes) throw tooLarge(rpc.name, message.length, maxBytes);
    return message;
  };
  return {
    ...plan,
    openUnary: (head, captures) => limitedReply(plan.openUnary(head, captures), check),
    openStream: (head, captures) => limitedStream(plan.openStream(head, captures), check),
    socket: socket && {
      errorFrame: (error, head) => socket.errorFrame(error, head),
      open(head, captures) {
        const exchange = socket.open(head, captures);
        return { ...exchange, message: (payload, wantsBinary) => exchange.message(check(payload), wantsBinary) };
      },
    },
  };
}

/** @throws StatusError for a message that is too large */
type Check = (message: Buffer) => Buffer;

function limitedReply<E extends Pick<UnaryExchange, 'reply'>>(exchange: E, check: Check): E {
  return { ...exchange, reply: (message, headers, trailers) => exchange.reply(check(message), headers, trailers) };
}

function limitedStream(exchange: StreamExchange, check: Check): StreamExchange {
  if (exchange.kind === 'client') return limitedReply(exchange, check);
  return { ...exchange, response: limitedResponse(exchange.response, check) };
}

function limitedResponse(response: ResponseStream, check: Check): ResponseStream {
  return {
    headDelayMs: response.headDelayMs,
    keepAlive: response.keepAlive,
    head(headers, first) {
      // Before the head is out it gets a status of its own.
      if (first !== undefined) check(first.payload);
      return response.head(headers, first);
    },
    message(frame) {
      check(frame.payload);
      return response.message(frame);
    },
    end: (status) => response.end(status),
    fail: (error) => response.fail(error),
  };
}

function tooLarge(rpc: string, bytes: number, maxBytes: number): StatusError {
  const message = `a message of ${bytes} bytes from ${rpc} is larger than the limit of ${maxBytes} bytes (option max_response_bytes)`;
  return new StatusError(Code.INTERNAL, message);
}
