/** One call of a tool on its way. What the gateway would send to a client becomes the result of the tool. */
import { Code, codeOfHttpStatus, type StatusError } from '../status.js';
import { type Agent, AgentExchange } from './agent-exchange.js';
import { plainError, type ToolError } from './tool-error.js';
import { type FailureSink, toolPlan } from './tool-plan.js';
import type { Tool } from './tool.js';

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

/** A call of a tool. */
export class ToolCall extends AgentExchange implements FailureSink {
  readonly method = 'POST';
  readonly target: string;
  readonly hasBody = true;
  private readonly messages: Buffer[] = [];
  private bytes = 0;
  private failure: ToolOutcome | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param body the arguments, a JSON object whose syntax is good */
  constructor(
    private readonly tool: Tool,
    protected readonly body: Buffer,
    agent: Agent,
    private readonly listener: ToolListener,
  ) {
    super(agent, ['content-type', JSON_TYPE]);
    const { path } = tool.method;
    this.target = agent.query === undefined ? path : `${path}?${agent.query}`;
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

  onFailure(error: ToolError): void {
    this.failure ??= { kind: 'error', error };
  }

  onRefusal(error: StatusError): void {
    this.failure ??= { kind: 'refused', error };
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

  end(chunk?: Buffer): void {
    if (this.over()) queueMicrotask(() => this.listener.onEnd(this.outcomeOf(chunk)));
  }

  abort(): void {
    this.onFailure(plainError(Code.INTERNAL, 'the answer was broken off'));
    this.end();
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

  protected override over(): boolean {
    clearTimeout(this.timer);
    return super.over();
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
