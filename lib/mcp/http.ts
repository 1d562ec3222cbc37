/**
 * The transport Streamable HTTP: one message in each POST, and its answer as JSON, or as server-sent events if something
 * precedes it. There is no stream of the server's own, so that GET is refused.
 */
import type { Exchange, Reply, RequestHead } from '../exchange.js';
import { header, headerTokens, type HeaderFields } from '../headers.js';
import { httpStatusOf, StatusError } from '../status.js';
import { quote, splitTarget } from '../uri.js';
import { errorMessage, RpcCode, RpcError } from './json-rpc.js';
import { challengeWith } from './protected-resource.js';
import type { McpServer, Replies, RunningCall } from './server.js';

/** What becomes of a request: the answer in one piece, or that it was streamed. */
export interface EndpointOutcome {
  onReply(reply: Reply): void;
  onStreamed(): void;
}

/** The methods that the endpoint answers. */
export const ENDPOINT_METHODS: readonly string[] = ['DELETE', 'OPTIONS', 'POST'];

const JSON_TYPE = 'application/json';
const EVENTS_TYPE = 'text/event-stream';

/** An endpoint of MCP. */
export class McpEndpoint {
  private made: McpServer | undefined;

  /**
   * @param path without the prefix of the mount
   * @param isGuarded whether every tool needs a token, so that the endpoint as a whole does
   */
  constructor(
    readonly path: string,
    private readonly make: () => McpServer,
    private readonly settings: { readonly sseKeepAliveMs: number },
    readonly isGuarded: () => boolean,
    /** The URL of the metadata that lead to tokens; undefined if no token is asked for. */
    private readonly metadataUrl: (head: RequestHead, base: string) => string | undefined,
  ) {}

  /** Made by the first request: schemas of many tools take time. */
  get server(): McpServer {
    return (this.made ??= this.make());
  }

  /**
   * What needs no body to be answered.
   * @throws StatusError 405, 406 or 415
   */
  answerHead(head: RequestHead): Reply | undefined {
    const { method, headers, requestId } = head;
    if (method === 'DELETE') {
      const session = header(headers, 'mcp-session-id');
      if (session !== undefined) this.server.endSession(session);
      return { status: 204, headers: ['x-request-id', requestId], body: undefined };
    }
    const allow = ENDPOINT_METHODS.join(', ');
    if (method === 'OPTIONS')
      return { status: 204, headers: ['allow', allow, 'x-request-id', requestId], body: undefined };
    if (method !== 'POST') {
      throw StatusError.http(405, `${method} is not allowed here; send each message of MCP as a POST`, {
        headers: [['allow', allow]],
      });
    }
    const type = header(headers, 'content-type') ?? '';
    if (!/^application\/json\s*(?:;|$)/i.test(type)) {
      throw StatusError.http(415, `the content-type is ${quote(type)}, expected ${JSON_TYPE}`);
    }
    const coding = header(headers, 'content-encoding') ?? 'identity';
    if (coding.toLowerCase() !== 'identity') {
      throw StatusError.http(415, `the content-encoding is ${quote(coding)}, and messages of MCP are not encoded`);
    }
    const { json, events } = accepted(headers);
    if (json || events) return undefined;
    throw StatusError.http(406, `accept has neither ${JSON_TYPE} nor ${EVENTS_TYPE}; send both`);
  }

  /** Answers one message. Returns the call that it starts. */
  handle(
    exchange: Exchange,
    head: RequestHead,
    base: string,
    body: Buffer,
    outcome: EndpointOutcome,
  ): RunningCall | undefined {
    const { requestId, counted } = head;
    // As it came: its calls pass all filters again, which have taken their tokens away and added their headers.
    const { headers, httpVersion, peer, secure } = exchange;
    const { query } = splitTarget(exchange.target);
    const expect = (bytes: number, onRoom: () => void): boolean => exchange.expect(bytes, onRoom);
    const agent = { headers, query, requestId, httpVersion, peer, secure, expect, counted };
    const refuse = (error: StatusError, message: Buffer): Reply => this.errorReply(error, message, head, base);
    const replies = new HttpReplies(exchange, head, this.settings.sseKeepAliveMs, refuse, outcome);
    const call = this.server.receive(body, agent, replies);
    if (call === undefined) return undefined;
    exchange.onDrain(() => call.drained());
    return {
      drained: () => call.drained(),
      cancel() {
        replies.stop();
        call.cancel();
      },
    };
  }

  /** An error of the proxy, as JSON-RPC. */
  fail(error: StatusError, head: RequestHead, base: string): Reply {
    const message = errorMessage('null', new RpcError(RpcCode.INVALID_REQUEST, error.message));
    return this.errorReply(error, message, head, base);
  }

  private errorReply(error: StatusError, body: Buffer, head: RequestHead, base: string): Reply {
    const headers = [...jsonHeaders(body, head)];
    for (const [name, value] of error.headers) {
      headers.push(name, name === 'www-authenticate' ? challengeWith(value, this.metadataUrl(head, base)) : value);
    }
    return { status: error.httpStatus ?? httpStatusOf(error.code), headers, body };
  }
}

class HttpReplies implements Replies {
  readonly headers: HeaderFields;
  readonly session: string | undefined;
  readonly takesNotes: boolean;
  private readonly takesJson: boolean;
  private isStream = false;
  private keepAlive: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly head: RequestHead,
    private readonly keepAliveMs: number,
    private readonly refusal: (error: StatusError, message: Buffer) => Reply,
    private readonly outcome: EndpointOutcome,
  ) {
    this.headers = head.headers;
    this.session = header(head.headers, 'mcp-session-id');
    const { json, events } = accepted(head.headers);
    this.takesNotes = events;
    this.takesJson = json;
  }

  answer(message: Buffer | undefined, httpStatus: number, session?: string): void {
    if (this.isOver) return;
    const named = session === undefined ? [] : ['mcp-session-id', session];
    if (this.isStream) return this.endStream(message);
    if (message !== undefined && !this.takesJson && httpStatus === 200) {
      this.openStream(named);
      return this.endStream(message);
    }
    this.stop();
    const headers =
      message === undefined
        ? ['content-length', '0', 'x-request-id', this.head.requestId]
        : [...jsonHeaders(message, this.head), ...named];
    this.outcome.onReply({ status: httpStatus, headers, body: message ?? NOTHING });
  }

  readonly refuse = (error: StatusError, message: Buffer): void => {
    if (this.isOver) return;
    if (this.isStream) return this.endStream(message);
    this.stop();
    this.outcome.onReply(this.refusal(error, message));
  };

  note(message: Buffer): boolean {
    if (this.isOver) return true;
    if (!this.isStream) this.openStream([]);
    return this.exchange.write(event(message));
  }

  /** Nothing more is sent. */
  stop(): void {
    this.isOver = true;
    clearInterval(this.keepAlive);
  }

  private openStream(more: readonly string[]): void {
    this.isStream = true;
    const headers = ['content-type', EVENTS_TYPE, 'cache-control', 'no-cache', 'x-accel-buffering', 'no'];
    this.exchange.respond({ status: 200, headers: [...headers, ...more, 'x-request-id', this.head.requestId] });
    this.keepAlive = setInterval(() => this.exchange.write(COMMENT), this.keepAliveMs);
  }

  private endStream(message: Buffer | undefined): void {
    this.stop();
    this.exchange.end(message && event(message));
    this.outcome.onStreamed();
  }
}

const NOTHING = Buffer.alloc(0);
const COMMENT = Buffer.from(':\n\n');

function event(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from('event: message\ndata: '), message, Buffer.from('\n\n')]);
}

function jsonHeaders(body: Buffer, { requestId }: RequestHead): readonly string[] {
  const length = String(body.length);
  return ['content-type', JSON_TYPE, 'content-length', length, 'cache-control', 'no-store', 'x-request-id', requestId];
}

/** What a client reads. Without the header, JSON. */
function accepted(headers: HeaderFields): { readonly json: boolean; readonly events: boolean } {
  if (header(headers, 'accept') === undefined) return { json: true, events: false };
  const types = headerTokens(headers, 'accept').map((token) => token.split(';')[0]!.trim());
  const has = (...names: readonly string[]): boolean => types.some((type) => names.includes(type));
  return { json: has(JSON_TYPE, 'application/*', '*/*'), events: has(EVENTS_TYPE) };
}
