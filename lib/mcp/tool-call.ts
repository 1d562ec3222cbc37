/**
 * One call of a tool on its way, as an `Exchange`: to the gateway it is a request like any other, so that policies, tokens,
 * limits, routes and observers see it. What the gateway would send to a client becomes the result of the tool.
 */
import type { BodySink, Exchange, Peer, ResponseHead } from '../exchange.js';
import { type HeaderFields, withoutFields } from '../headers.js';
import { Code, codeOfHttpStatus, type StatusError } from '../status.js';
import { plainError, type ToolError } from './tool-error.js';
import { type FailureSink, toolPlan } from './tool-plan.js';
import type { Tool } from './tool.js';

/** The agent that calls, as its transport knows it. */
export interface Agent extends Pick<Exchange, 'headers' | 'httpVersion' | 'peer' | 'secure'> {
  /** Of the request, without `?`: it may hold a token. */
  readonly query: string | undefined;
  readonly requestId: string;
  /** See `Exchange.expect`. */
  expect(bytes: number, onRoom: () => void): boolean;
}

/** What a call ended with. */
export type ToolOutcome =
  /** The JSON of the result. */
  | { readonly kind: 'result'; readonly json: Buffer }
  | { readonly kind: 'error'; readonly error: ToolError }
  /** The client needs another token. */
  | { readonly kind: 'refused'; readonly error: StatusError };

/** Gets what comes of a call. */
export interface ToolListener {
  /** The nth message of a stream. False: there is no room until `ToolCall.drained` is called. */
  onMessage(json: Buffer, count: number): boolean;
  /** The last call, once; not after `cancel`. */
  onEnd(outcome: ToolOutcome): void;
}

/** Headers of the request that are about itself, and not about the call. */
const ownHeaders = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'last-event-id',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-http-method-override',
  'x-request-id',
]);

/** A call of a tool. */
export class ToolCall implements Exchange, FailureSink {
  readonly method = 'POST';
  readonly target: string;
  readonly httpVersion: Exchange['httpVersion'];
  readonly headers: HeaderFields;
  readonly hasBody = true;
  readonly peer: Peer;
  readonly secure: boolean;
  private readonly closeListeners: (() => void)[] = [];
  private readonly drainListeners: (() => void)[] = [];
  private readonly messages: Buffer[] = [];
  private bytes = 0;
  private status = 0;
  private failure: ToolOutcome | undefined;
  private isOver = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param json the arguments, a JSON object whose syntax is good */
  constructor(
    private readonly tool: Tool,
    private readonly json: Buffer,
    private readonly agent: Agent,
    private readonly listener: ToolListener,
  ) {
    const { headers, query, httpVersion, peer, secure, requestId } = agent;
    const passed = withoutFields(headers, (name) => ownHeaders.has(name) || name.startsWith('mcp-'));
    this.headers = [...passed, 'content-type', JSON_TYPE, 'x-request-id', requestId];
    const { path } = tool.method;
    this.target = query === undefined ? path : `${path}?${query}`;
    this.httpVersion = httpVersion;
    this.peer = peer;
    this.secure = secure;
  }

  /** Starts it. The listener hears of the end after this has returned. */
  start(): void {
    const { source } = this.tool;
    if (this.isStream) {
      const { mcpStreamTimeMs } = source.options;
      const reason = `it did not end in ${mcpStreamTimeMs / 1000} seconds (mcp_stream_time)`;
      this.timer = setTimeout(() => this.cut(reason), mcpStreamTimeMs);
    }
    source.run(this, toolPlan(this.tool, this), this.tool.method);
  }

  /** Nobody wants the result any more. */
  cancel(): void {
    if (this.over()) this.disconnect();
  }

  /** There is room for messages again. */
  drained(): void {
    if (!this.isOver) for (const listener of this.drainListeners) listener();
  }

  onFailure(error: ToolError): void {
    this.failure ??= { kind: 'error', error };
  }

  onRefusal(error: StatusError): void {
    this.failure ??= { kind: 'refused', error };
  }

  continue(): void {}
  // The arguments are there already.
  pause(): void {}
  resume(): void {}

  read(sink: BodySink): void {
    queueMicrotask(() => {
      if (this.isOver) return;
      sink.onData(this.json);
      if (!this.isOver) sink.onEnd();
    });
  }

  respond({ status }: ResponseHead): void {
    if (this.status === 0) this.status = status;
  }

  write(chunk: Buffer): boolean {
    if (this.isOver) return true;
    const { mcpMaxMessages, mcpMaxResultBytes } = this.tool.source.options;
    if (this.messages.length >= mcpMaxMessages) {
      this.cut(`it has more than ${mcpMaxMessages} messages (mcp_max_messages)`);
      return true;
    }
    this.bytes += chunk.length;
    if (this.bytes > mcpMaxResultBytes) {
      this.cut(`its messages have more than ${mcpMaxResultBytes} bytes (mcp_max_result_bytes)`);
      return true;
    }
    this.messages.push(chunk);
    return this.listener.onMessage(chunk, this.messages.length);
  }

  onDrain(listener: () => void): void {
    this.drainListeners.push(listener);
  }

  expect(bytes: number, onRoom: () => void): boolean {
    return this.agent.expect(bytes, onRoom);
  }

  end(chunk?: Buffer): void {
    if (this.over()) queueMicrotask(() => this.listener.onEnd(this.outcomeOf(chunk)));
  }

  abort(): void {
    this.onFailure(plainError(Code.INTERNAL, 'the answer was broken off'));
    this.end();
  }

  onClose(listener: () => void): void {
    this.closeListeners.push(listener);
  }

  private get isStream(): boolean {
    return this.tool.output === 'messages';
  }

  /** Ends a stream that is too long, with what has come of it. */
  private cut(reason: string): void {
    if (!this.over()) return;
    // Later, because the gateway may be in the middle of handing over a message.
    queueMicrotask(() => {
      this.disconnect();
      this.listener.onEnd(this.failure ?? { kind: 'result', json: this.listed(reason) });
    });
  }

  /** To the gateway, its client goes. */
  private disconnect(): void {
    for (const listener of this.closeListeners) listener();
  }

  private outcomeOf(chunk: Buffer | undefined): ToolOutcome {
    if (this.failure !== undefined) return this.failure;
    if (this.status < 200 || this.status > 299) return httpFailure(this.status, chunk);
    if (this.isStream) return { kind: 'result', json: this.listed(undefined) };
    const json = chunk ?? EMPTY;
    const { mcpMaxResultBytes } = this.tool.source.options;
    if (json.length > mcpMaxResultBytes) {
      const message = `the result has ${json.length} bytes, more than ${mcpMaxResultBytes} (mcp_max_result_bytes); ask for less of it`;
      return { kind: 'error', error: plainError(Code.RESOURCE_EXHAUSTED, message) };
    }
    return { kind: 'result', json: this.tool.output === 'value' ? Buffer.concat([VALUE, json, END]) : json };
  }

  private listed(cut: string | undefined): Buffer {
    const parts = this.messages.flatMap((message, index) => (index === 0 ? [message] : [COMMA, message]));
    const end = cut === undefined ? ']}' : `],"cut":${JSON.stringify(`The stream was cut, as ${cut}.`)}}`;
    return Buffer.concat([MESSAGES, ...parts, Buffer.from(end)]);
  }

  /** True the first time. */
  private over(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    clearTimeout(this.timer);
    return true;
  }
}

const JSON_TYPE = 'application/json';
const EMPTY = Buffer.from('{}');
const VALUE = Buffer.from('{"value":');
const END = Buffer.from('}');
const MESSAGES = Buffer.from('{"messages":[');
const COMMA = Buffer.from(',');
const MAX_SHOWN_BYTES = 1000;

/** An answer that is no plan's: a virtual host has one of its own, or has no route. */
function httpFailure(status: number, body: Buffer | undefined): ToolOutcome {
  const text = body?.toString('utf8', 0, MAX_SHOWN_BYTES) ?? '';
  const message = `the proxy answered with HTTP status ${status}${text === '' ? '' : `: ${text}`}`;
  return { kind: 'error', error: plainError(codeOfHttpStatus(status), message) };
}
