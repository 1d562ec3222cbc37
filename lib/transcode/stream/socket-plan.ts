/**
 * A streaming binding over WebSocket: each frame is one message, text frames are JSON, binary frames are protobuf. Values
 * bound by path, query and headers go into the first message. `gateway` decides when a call starts and ends.
 */
import { indentJson } from '../../codec/index.js';
import type { CallStatus, Captures, RequestHead, SocketExchange, SocketPlan } from '../../exchange.js';
import { withoutFields } from '../../headers.js';
import { deadlineOf, type DeadlineOptions } from '../../metadata/index.js';
import type { Binding } from '../../rule/index.js';
import { numberedError } from '../../status.js';
import { type AnswerFormat, compileFormats } from '../answer/answer-format.js';
import { type BodyType, jsonType } from '../request/body.js';
import { callError } from '../answer/call-error.js';
import type { TranscodeContext } from '../context.js';
import { writeEnvelope } from '../answer/envelope.js';
import { compileRequest, type OpenRequest } from '../request/request.js';
import { openChecked, type Shared, unbound } from './stream-request.js';

const protobufType: BodyType = Object.freeze({ kind: 'protobuf', contentType: '', boundary: '' });

/** Compiled when the first socket is opened, as most routes never have one. */
export function compileSocket(binding: Binding, context: TranscodeContext, deadlines: DeadlineOptions): SocketPlan {
  let open: SocketPlan['open'] | undefined;
  return {
    open: (head, captures) => (open ??= compileOpen(binding, context, deadlines))(head, captures),
    errorFrame: context.writeErrorFrame,
  };
}

function compileOpen(binding: Binding, context: TranscodeContext, deadlines: DeadlineOptions): SocketPlan['open'] {
  const { names, options } = context;
  const shared: Shared = { context, request: compileRequest(binding, context, 'frame') };
  const formats = compileFormats(binding, context);
  const takesBody = binding.body.kind !== 'none';
  return (original: RequestHead, captures: Captures): SocketExchange => {
    // A handshake has no body, so its content headers say nothing about the frames.
    const head = { ...original, headers: withoutFields(original.headers, describesBody), hasBody: false };
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
      metadata: names.metadata(head),
      timeoutMs: deadlineOf(head.headers, deadlines),
      takesBody,
      request: (data, isBinary) => requests.next(data, isBinary),
      message: (payload, wantsBinary) => answers.frame(payload, wantsBinary),
      error: (status: CallStatus) => callError(status),
    };
  };
}

function describesBody(name: string): boolean {
  return name === 'content-type' || name === 'content-encoding';
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
      throw isFirst ? error : numberedError(error, this.count);
    }
  }
}

/** Response messages → frames. */
class SocketAnswers {
  constructor(
    private readonly json: AnswerFormat,
    /** Undefined if the answer is not a message; it is then always JSON. */
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
