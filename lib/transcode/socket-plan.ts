/**
 * A streaming binding over WebSocket: each frame is one message, JSON where it is text and protobuf where it is binary, both
 * ways. What path, query and headers bind goes into the first message alone. When calls start and end is for `gateway`.
 */
import { indentJson } from '../codec/index.js';
import type { CallStatus, Captures, RequestHead, SocketExchange, SocketPlan } from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import { deadlineOf, type DeadlineOptions } from '../metadata/index.js';
import type { Binding } from '../rule/index.js';
import { type AnswerFormat, compileFormats } from './answer-format.js';
import { type BodyType, jsonType } from './body.js';
import { callError } from './call-error.js';
import type { TranscodeContext } from './context.js';
import { writeEnvelope } from './envelope.js';
import { compileRequest, type OpenRequest } from './request.js';
import { numbered, openChecked, type Shared, unbound } from './stream-request.js';

const protobufType: BodyType = Object.freeze({ kind: 'protobuf', contentType: '', boundary: '' });

/** Compiled when the first socket is opened: most routes never see one. */
export function compileSocket(binding: Binding, context: TranscodeContext, deadlines: DeadlineOptions): SocketPlan {
  let open: SocketPlan['open'] | undefined;
  return {
    open: (head, captures) => (open ??= compileOpen(binding, context, deadlines))(head, captures),
    errorFrame: context.writeErrorFrame,
  };
}

function compileOpen(binding: Binding, context: TranscodeContext, deadlines: DeadlineOptions): SocketPlan['open'] {
  const { names, options } = context;
  const shared: Shared = { context, request: compileRequest(binding, context, false) };
  const formats = compileFormats(binding, context);
  const takesBody = binding.body.kind !== 'none';
  return (original: RequestHead, captures: Captures): SocketExchange => {
    // What they say of a body is not said of frames.
    const head = { ...original, headers: withoutContent(original.headers), hasBody: false };
    let json: AnswerFormat | undefined;
    const opened = openChecked(shared, head, captures, ({ system, violations }) => {
      json = formats.message(system, violations);
    });
    const answers = new SocketAnswers(
      json!,
      formats.binary(opened.system),
      opened.system.prettyPrint ?? options.addWhitespace,
      head.requestId,
      context,
    );
    const requests = new SocketRequests(opened, shared);
    return {
      metadata: names.metadata(head.headers, head.requestId),
      timeoutMs: deadlineOf(head.headers, deadlines),
      takesBody,
      request: (data, isBinary) => requests.next(data, isBinary),
      message: (payload, wantsBinary) => answers.frame(payload, wantsBinary),
      error: (status: CallStatus) => callError(status),
    };
  };
}

/** Frames → request messages. */
class SocketRequests {
  private count = 0;

  constructor(
    private readonly opened: OpenRequest,
    private readonly shared: Shared,
  ) {}

  next(data: Buffer, isBinary: boolean): Buffer {
    this.count++;
    const isFirst = this.count === 1;
    const open = isFirst ? this.opened : unbound(this.opened);
    try {
      return this.shared.request.finish({ ...open, bodyType: isBinary ? protobufType : jsonType }, data);
    } catch (error) {
      throw isFirst ? error : numbered(error, this.count);
    }
  }
}

/** Answer messages → frames. */
class SocketAnswers {
  constructor(
    private readonly json: AnswerFormat,
    /** Undefined where the answer is no message: then it is JSON whatever is wanted. */
    private readonly binary: AnswerFormat | undefined,
    private readonly pretty: boolean,
    private readonly requestId: string,
    private readonly context: TranscodeContext,
  ) {}

  frame(payload: Buffer, wantsBinary: boolean): { data: Buffer; isBinary: boolean } {
    const { buffers, options } = this.context;
    const out = buffers.json;
    out.reset();
    if (wantsBinary && this.binary !== undefined) {
      this.binary.write(payload, out);
      return { data: out.take(), isBinary: true };
    }
    if (options.envelope === 'photon') writeEnvelope(out, this.requestId, () => this.json.write(payload, out));
    else this.json.write(payload, out);
    return { data: this.pretty ? Buffer.from(indentJson(out.peek())) : out.take(), isBinary: false };
  }
}

function withoutContent(headers: HeaderFields): HeaderFields {
  return headers.filter((_, index) => {
    const name = headers[index & ~1];
    return name !== 'content-type' && name !== 'content-encoding';
  });
}
