/**
 * Requests are checked by the rules of `buf.validate` before they are sent: a `MethodPlan` around that of the route, which sees
 * each finished request message. Path, query and body are one message then, and all protocols are alike.
 */
import { invalidArgument, MAX_VIOLATIONS } from '../codec/index.js';
import type { Metadata, MethodPlan, RequestStream, StreamExchange } from '../exchange.js';
import type { MessageDescriptor, MethodDescriptor, Schema } from '../schema/index.js';
import { contentOf } from './frame-content.js';
import { Code, type FieldViolation, messageOf, numberedError, type StatusDetail, StatusError } from '../status.js';
import {
  type MessageCheck,
  type ValidateOptions,
  pathText,
  RuleFault,
  Validator,
  type Violation,
  VIOLATIONS_TYPE_URL,
  violationsBytes,
  type Way,
} from '../validate/index.js';
import { type Frame, WireError } from '../wire/index.js';

/** Names of fields, and the limit of what a compressed message may hold. */
export interface RequestRuleOptions extends ValidateOptions {
  readonly preserveProtoFieldNames: boolean;
  readonly maxBodyBytes: number;
}

/** The rules of all requests of a gateway. */
export class RequestRules {
  private readonly validator: Validator;
  private readonly checks = new Map<MessageDescriptor, MessageCheck | undefined>();

  constructor(
    schema: Schema,
    private readonly options: RequestRuleOptions,
  ) {
    this.validator = new Validator(schema, MAX_VIOLATIONS, {
      rules: options.validate !== 'off',
      required: options.validateRequired,
      formats: options.validateFormats,
    });
  }

  /**
   * Compiles the rules of the requests of a method.
   * @throws ConfigError with those that cannot be applied
   */
  compile({ input }: MethodDescriptor): void {
    if (this.checks.has(input)) return;
    // What is wrong with a type is told once, however many methods take it.
    this.checks.set(input, undefined);
    this.checks.set(input, this.validator.checkOf(input));
  }

  /**
   * A plan that refuses what breaks the rules; the same plan if there are none.
   * @param withDetails also send the violations as protovalidate's own message
   */
  around(plan: MethodPlan, { input }: MethodDescriptor, withDetails: boolean): MethodPlan {
    const check = this.checks.get(input);
    if (check === undefined) return plan;
    const names = { input, nameOf: (field: Way['field']) => this.nameOf(field), withDetails };
    return checkedPlan(plan, (message) => refuse(check, message, names), this.options.maxBodyBytes);
  }

  private nameOf(field: Way['field']): string {
    return 'jsonName' in field && !this.options.preserveProtoFieldNames ? field.jsonName : field.name;
  }
}

interface Names {
  readonly input: MessageDescriptor;
  readonly nameOf: (field: Way['field']) => string;
  readonly withDetails: boolean;
}

/** @throws StatusError INVALID_ARGUMENT that names each field and rule */
function refuse(check: MessageCheck, message: Buffer, { input, nameOf, withDetails }: Names): void {
  const found = violationsOf(check, message, input, nameOf);
  if (found.length === 0) return;
  const violations = found.map(({ way, message, id, forKey }): FieldViolation => ({
    field: pathText(way, nameOf),
    description: forKey ? `the key ${message}` : message,
    reason: id,
  }));
  const details: StatusDetail[] = withDetails ? [{ typeUrl: VIOLATIONS_TYPE_URL, value: violationsBytes(found) }] : [];
  const { code, message: text } = invalidArgument(violations);
  throw new StatusError(code, text, { violations, details });
}

function violationsOf(
  check: MessageCheck,
  message: Buffer,
  { fullName }: MessageDescriptor,
  nameOf: Names['nameOf'],
): readonly Violation[] {
  try {
    return check(message);
  } catch (error) {
    if (error instanceof WireError) {
      const text = `the message is no ${fullName} in protobuf's wire format: ${error.message}`;
      throw new StatusError(Code.INVALID_ARGUMENT, text, { cause: error });
    }
    if (!(error instanceof RuleFault)) throw error;
    // The value is what the rule's author did not think of, so it is refused like one that breaks the rule.
    const description = `the rule cannot be applied to this value: ${messageOf(error)}`;
    const violations = [{ field: pathText(error.way, nameOf), description, reason: error.id }];
    throw new StatusError(Code.INVALID_ARGUMENT, invalidArgument(violations).message, { violations, cause: error });
  }
}

/** Throws for a message that is to be refused. */
type Refuse = (message: Buffer) => void;

function checkedPlan(plan: MethodPlan, refuse: Refuse, maxBytes: number): MethodPlan {
  const { socket } = plan;
  return {
    ...plan,
    openUnary(head, captures) {
      const unary = plan.openUnary(head, captures);
      return { ...unary, request: (body) => passed(unary.request(body), refuse) };
    },
    openStream: (head, captures) => checkedStream(plan.openStream(head, captures), refuse, maxBytes),
    socket: socket && {
      errorFrame: (error, head) => socket.errorFrame(error, head),
      open(head, captures) {
        const exchange = socket.open(head, captures);
        const numbered = new Numbered(refuse);
        return {
          ...exchange,
          request: (data, isBinary) => passed(exchange.request(data, isBinary), (message) => numbered.refuse(message)),
        };
      },
    },
  };
}

function passed(message: Buffer, refuse: Refuse): Buffer {
  refuse(message);
  return message;
}

function checkedStream(exchange: StreamExchange, refuse: Refuse, maxBytes: number): StreamExchange {
  if (exchange.kind === 'server') return { ...exchange, request: (body) => passed(exchange.request(body), refuse) };
  return { ...exchange, requests: new CheckedRequests(exchange.requests, exchange.metadata, refuse, maxBytes) };
}

/** Says which message of a stream is wrong, from the second on. */
class Numbered {
  private count = 0;

  constructor(private readonly check: Refuse) {}

  refuse(message: Buffer): void {
    this.count++;
    try {
      this.check(message);
    } catch (error) {
      throw this.count === 1 ? error : numberedError(error, this.count);
    }
  }
}

/** The messages of a stream, of which none passes that breaks the rules. */
class CheckedRequests implements RequestStream {
  private readonly numbered: Numbered;

  constructor(
    private readonly requests: RequestStream,
    private readonly metadata: Metadata,
    refuse: Refuse,
    private readonly maxBytes: number,
  ) {
    this.numbered = new Numbered(refuse);
  }

  get contentCodings(): RequestStream['contentCodings'] {
    return this.requests.contentCodings;
  }

  push(chunk: Buffer, send: (message: Frame) => void): void {
    this.requests.push(chunk, this.checking(send));
  }

  finish(send: (message: Frame) => void): void {
    this.requests.finish(this.checking(send));
  }

  private checking(send: (message: Frame) => void): (message: Frame) => void {
    return (frame) => {
      // A frame of native gRPC passes as it came; what is checked is its content.
      this.numbered.refuse(contentOf(frame, this.metadata, this.maxBytes));
      send(frame);
    };
  }
}
