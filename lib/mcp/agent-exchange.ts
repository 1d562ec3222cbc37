/**
 * A request that an agent causes, as an `Exchange`: to the gateway it is like any other, so that policies, tokens, limits,
 * routes and observers see it.
 */
import type { BodySink, Exchange, Peer, ResponseHead } from '../exchange.js';
import { type HeaderFields, withoutFields } from '../headers.js';

/** The agent that asks, as its transport knows it. */
export interface Agent extends Pick<Exchange, 'headers' | 'httpVersion' | 'peer' | 'secure' | 'counted'> {
  /** Of the request, without `?`: it may hold a token. */
  readonly query: string | undefined;
  readonly requestId: string;
  /** See `Exchange.expect`. */
  expect(bytes: number, onRoom: () => void): boolean;
}

/** Headers of the agent's request that are about itself, and not about what it asks for. */
const ownHeaders = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'if-none-match',
  'keep-alive',
  'last-event-id',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-http-method-override',
  'x-request-id',
]);

/** The side of the agent. Subclasses say what is asked, and what the answer becomes. */
export abstract class AgentExchange implements Exchange {
  abstract readonly method: string;
  abstract readonly target: string;
  abstract readonly hasBody: boolean;
  readonly httpVersion: Exchange['httpVersion'];
  readonly headers: HeaderFields;
  readonly peer: Peer;
  readonly secure: boolean;
  readonly counted: Exchange['counted'];
  /** Of the answer; 0 before it. */
  protected status = 0;
  protected isOver = false;
  private readonly closeListeners: (() => void)[] = [];
  private readonly drainListeners: (() => void)[] = [];

  /** @param own headers of the request itself */
  constructor(
    private readonly agent: Agent,
    own: HeaderFields,
  ) {
    const { headers, httpVersion, peer, secure, requestId, counted } = agent;
    const passed = withoutFields(headers, (name) => ownHeaders.has(name) || name.startsWith('mcp-'));
    this.headers = [...passed, ...own, 'x-request-id', requestId];
    this.httpVersion = httpVersion;
    this.peer = peer;
    this.secure = secure;
    this.counted = counted;
  }

  abstract write(chunk: Buffer): boolean;
  abstract end(chunk?: Buffer): void;
  abstract abort(): void;
  /** All of the body, at once. */
  protected abstract readonly body: Buffer;

  /** Nobody wants the answer any more. */
  cancel(): void {
    if (this.over()) this.disconnect();
  }

  /** There is room for messages again. */
  drained(): void {
    if (!this.isOver) for (const listener of this.drainListeners) listener();
  }

  continue(): void {}
  // The body is there already.
  pause(): void {}
  resume(): void {}

  read(sink: BodySink): void {
    queueMicrotask(() => {
      if (!this.isOver && this.hasBody) sink.onData(this.body);
      if (!this.isOver) sink.onEnd();
    });
  }

  respond({ status }: ResponseHead): void {
    if (this.status === 0) this.status = status;
  }

  onDrain(listener: () => void): void {
    this.drainListeners.push(listener);
  }

  expect(bytes: number, onRoom: () => void): boolean {
    return this.agent.expect(bytes, onRoom);
  }

  onClose(listener: () => void): void {
    this.closeListeners.push(listener);
  }

  /** To the gateway, its client goes. */
  protected disconnect(): void {
    for (const listener of this.closeListeners) listener();
  }

  /** True the first time. */
  protected over(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    return true;
  }
}
