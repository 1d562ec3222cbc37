/** One read of a resource on its way: a GET of its route. */
import type { ResponseHead } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError, type StatusErrorOptions } from '../status.js';
import { Pieces } from '../wire/index.js';
import { type Agent, AgentExchange } from './agent-exchange.js';
import { RpcCode, RpcError } from './json-rpc.js';

/** What a read ended with. */
export type ReadOutcome =
  | { readonly kind: 'contents'; readonly mimeType: string | undefined; readonly body: Buffer }
  | { readonly kind: 'error'; readonly error: RpcError }
  /** The client needs another token. */
  | { readonly kind: 'refused'; readonly error: StatusError };

/** Bytes of an error's body that are shown. */
const MAX_SHOWN_BYTES = 1000;
const NONE = Buffer.alloc(0);

/** A read of a resource. */
export class ResourceRead extends AgentExchange {
  readonly method = 'GET';
  readonly target: string;
  readonly hasBody = false;
  protected readonly body = NONE;
  private readonly pieces = new Pieces();
  private bytes = 0;
  private mimeType: string | undefined;
  private challenge: string | undefined;

  /**
   * @param target path and query of the route
   * @param maxBytes of the answer
   * @param onEnd the last call, once; not after `cancel`
   */
  constructor(
    target: string,
    agent: Agent,
    private readonly maxBytes: number,
    private readonly onEnd: (outcome: ReadOutcome) => void,
  ) {
    super(agent, []);
    this.target = agent.query === undefined ? target : `${target}${target.includes('?') ? '&' : '?'}${agent.query}`;
  }

  override respond(head: ResponseHead): void {
    super.respond(head);
    this.mimeType = header(head.headers, 'content-type');
    this.challenge = header(head.headers, 'www-authenticate');
  }

  write(chunk: Buffer): boolean {
    if (this.isOver) return true;
    this.bytes += chunk.length;
    if (this.bytes <= this.maxBytes) this.pieces.push(chunk);
    else this.cut();
    return true;
  }

  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.write(chunk);
    if (this.over()) queueMicrotask(() => this.onEnd(this.outcome()));
  }

  abort(): void {
    const error = new RpcError(RpcCode.INTERNAL_ERROR, 'the answer was broken off');
    if (this.over()) queueMicrotask(() => this.onEnd({ kind: 'error', error }));
  }

  /** Ends what is too large. */
  private cut(): void {
    if (!this.over()) return;
    const message = `the resource has more than ${this.maxBytes} bytes (mcp_max_result_bytes); ask for less of it`;
    const error = new RpcError(RpcCode.INTERNAL_ERROR, message);
    // Later, because the gateway may be in the middle of handing it over.
    queueMicrotask(() => {
      this.disconnect();
      this.onEnd({ kind: 'error', error });
    });
  }

  private outcome(): ReadOutcome {
    const { status, mimeType } = this;
    const body = this.pieces.takeAll();
    if (status >= 200 && status <= 299) return { kind: 'contents', mimeType, body };
    const text = body.toString('utf8', 0, MAX_SHOWN_BYTES).trim();
    const message = `the route answered with HTTP status ${status}${text === '' ? '' : `: ${text}`}`;
    if (status === 401) {
      const headers: StatusErrorOptions['headers'] =
        this.challenge === undefined ? [] : [['www-authenticate', this.challenge]];
      return { kind: 'refused', error: StatusError.http(401, message, { headers }) };
    }
    // What is not there is wrong with the URI (revision 2026-07-28, "Resources").
    const code = status === 404 || status === 400 ? RpcCode.INVALID_PARAMS : RpcCode.INTERNAL_ERROR;
    return { kind: 'error', error: new RpcError(code, message, undefined, JSON.stringify({ httpStatus: status })) };
  }
}
