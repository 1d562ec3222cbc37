/**
 * The methods of MCP, whatever carries the messages. It keeps no state but the calls under way, so that any process may answer
 * any request.
 */
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { HeaderFields } from '../headers.js';
import { packageVersion } from '../installation.js';
import { Code, type StatusError } from '../status.js';
import {
  errorMessage,
  idOf,
  type Members,
  notificationMessage,
  objectIn,
  readMessage,
  readObject,
  resultMessage,
  RpcCode,
  RpcError,
  type RpcMessage,
  textIn,
  tokenIn,
} from './json-rpc.js';
import type { McpOptions } from './options.js';
import { agreedRevision, isStateless, REVISIONS } from './revision.js';
import type { Agent } from './agent-exchange.js';
import { ResourceRead, type ReadOutcome } from './resource-read.js';
import { ResourceSet } from './resource-set.js';
import { ToolCall, type ToolOutcome } from './tool-call.js';
import { plainError, type ToolError } from './tool-error.js';
import { CALL_TOOL, FIND_TOOLS, ToolSet } from './tool-set.js';
import type { ToolSource } from './tool.js';

/** How a transport takes the answers to one message. */
export interface Replies {
  /** Of the HTTP request; undefined over stdio, which has none. */
  readonly headers: HeaderFields | undefined;
  /** Tells the calls of one client from those of others, so that it can cancel them; undefined: it cannot. */
  readonly session: string | undefined;
  /** True if notifications may come before the answer. */
  readonly takesNotes: boolean;
  /** The answer, or that there is none. @param session a new one, for the client to name in its requests */
  answer(message: Buffer | undefined, httpStatus: number, session?: string): void;
  /** Answers that the client needs another token; undefined: the transport knows no tokens. */
  readonly refuse?: (error: StatusError, message: Buffer) => void;
  /** False: there is no room until `ToolCall.drained` is called. */
  note(message: Buffer): boolean;
}

/** A call under way. */
export type RunningCall = Pick<ToolCall, 'cancel' | 'drained'>;

type RpcRequest = Extract<RpcMessage, { kind: 'request' }>;

/** A request and what its handler needs. */
interface Asked {
  readonly message: RpcRequest;
  readonly isStateless: boolean;
  readonly agent: Agent;
  readonly replies: Replies;
}

/** Room for `params`, `arguments` and what stands around messages in them. */
const ENVELOPE_DEPTH = 6;
/** How long clients may keep a list of a stateless revision. */
const LIST_TTL_MS = 60_000;
const EMPTY = Buffer.from('{}');
const OPEN_BRACE = 0x7b;

/** Serves the tools of one endpoint. */
export class McpServer {
  /** By session and id, for those that can be cancelled. */
  private readonly running = new Map<string, Pick<RunningCall, 'cancel'>>();
  private readonly maxDepth: number;
  private readonly info: string;
  private readonly instructions: string;

  /** @param maxJsonDepth how deep a message may be nested */
  constructor(
    readonly tools: ToolSet,
    private readonly resources: ResourceSet,
    private readonly options: Pick<McpOptions, 'mcpMaxResultBytes'> & { readonly maxJsonDepth: number },
    title: string,
  ) {
    this.maxDepth = options.maxJsonDepth + ENVELOPE_DEPTH;
    this.info = JSON.stringify({ name: 'photongate', title, version: packageVersion() });
    const search = tools.isSearched ? ` Find the right one with ${FIND_TOOLS}.` : '';
    this.instructions = JSON.stringify(
      `Each tool calls an RPC of ${title}.${search} A failed call says which arguments are wrong; times are RFC 3339, and 64-bit integers are strings.`,
    );
  }

  /** Takes one message. Returns the call that it starts, for its client may go. */
  receive(text: Buffer, agent: Agent, replies: Replies): RunningCall | undefined {
    let message: RpcMessage | undefined;
    try {
      message = readMessage(text, this.maxDepth);
      if (message.kind === 'request') return this.request({ message, agent, replies });
      if (message.kind === 'notification') this.notice(message, replies);
      replies.answer(undefined, 202);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const id = message?.kind === 'request' ? message.id : message === undefined ? idOf(text, this.maxDepth) : 'null';
      // A notification has no answer, and only HTTP has a status to tell it by.
      const isMute = message?.kind === 'notification' && replies.headers === undefined;
      replies.answer(isMute ? undefined : errorMessage(id, error), error.httpStatus ?? 400);
    }
    return undefined;
  }

  /** Cancels the calls of a client that has ended its session. */
  endSession(session: string): void {
    for (const [key, call] of this.running) {
      if (!key.startsWith(`${session} `)) continue;
      this.running.delete(key);
      call.cancel();
    }
  }

  private request(asked: Omit<Asked, 'isStateless'>): RunningCall | undefined {
    const { message, replies } = asked;
    const stateless = isStateless(message, replies.headers, this.maxDepth);
    try {
      return this.handle({ ...asked, isStateless: stateless });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const isUnknown = error.code === RpcCode.METHOD_NOT_FOUND && stateless;
      replies.answer(errorMessage(message.id, error), error.httpStatus ?? (isUnknown ? 404 : 200));
      return undefined;
    }
  }

  private handle(asked: Asked): RunningCall | undefined {
    const { message, replies } = asked;
    const { method, params } = message;
    const era = asked.isStateless ? 'stateless' : 'handshake';
    switch (`${era} ${method}`) {
      case 'handshake initialize': {
        const revision = agreedRevision(textIn(params, 'protocolVersion'));
        const members = `"protocolVersion":"${revision}",${this.capabilities},"serverInfo":${this.info}`;
        replies.answer(this.result(asked, members), 200, randomUUID());
        return undefined;
      }
      case 'handshake ping':
        replies.answer(this.result(asked, ''), 200);
        return undefined;
      case 'stateless server/discover': {
        const members = `"supportedVersions":${JSON.stringify(REVISIONS)},${this.capabilities},${cacheable}`;
        replies.answer(this.result(asked, members), 200);
        return undefined;
      }
      case 'handshake tools/list':
      case 'stateless tools/list':
        return this.list(asked, this.tools.page(textIn(params, 'cursor')));
      case 'handshake tools/call':
      case 'stateless tools/call':
        return this.call(asked, textIn(params, 'name'), params.get('arguments') ?? EMPTY);
      default:
        if (this.resources.isOffered && method.startsWith('resources/')) return this.handleResource(asked);
        throw unknownMethod(method);
    }
  }

  private handleResource(asked: Asked): RunningCall | undefined {
    const { method, params } = asked.message;
    switch (method) {
      case 'resources/list':
        return this.list(asked, this.resources.page(textIn(params, 'cursor')));
      case 'resources/templates/list':
        return this.list(asked, this.resources.templates(textIn(params, 'cursor')));
      case 'resources/read':
        return this.read(asked, textIn(params, 'uri'));
      default:
        throw unknownMethod(method);
    }
  }

  private list(asked: Asked, page: string): undefined {
    asked.replies.answer(this.result(asked, asked.isStateless ? `${page},${cacheable}` : page), 200);
  }

  private get capabilities(): string {
    const resources = this.resources.isOffered ? ',"resources":{}' : '';
    return `"capabilities":{"tools":{}${resources}},"instructions":${this.instructions}`;
  }

  private read(asked: Asked, uri: string | undefined): RunningCall {
    if (uri === undefined)
      throw new RpcError(RpcCode.INVALID_PARAMS, 'params has no uri: that of the resource to read');
    const { source, target } = this.resources.find(uri);
    const { message, agent, replies } = asked;
    const forget = this.remember(replies.session, message.id, () => {
      read.cancel();
      replies.answer(undefined, 202);
    });
    const read = new ResourceRead(target, agent, this.options.mcpMaxResultBytes, (outcome) => {
      forget();
      this.finishRead(asked, uri, outcome);
    });
    source.serve(read);
    return {
      drained: () => read.drained(),
      cancel() {
        forget();
        read.cancel();
      },
    };
  }

  private finishRead(asked: Asked, uri: string, outcome: ReadOutcome): void {
    const { replies, message } = asked;
    if (outcome.kind === 'refused') return this.refuse(asked, outcome.error);
    if (outcome.kind === 'error') return replies.answer(errorMessage(message.id, outcome.error), 200);
    const { mimeType, body } = outcome;
    const content = {
      uri,
      mimeType,
      ...(isText(mimeType, body) ? { text: body.toString('utf8') } : { blob: body.toString('base64') }),
    };
    const members = `"contents":[${JSON.stringify(content)}]`;
    // What a service tells may differ for the next client, and change at any time.
    replies.answer(
      this.result(asked, asked.isStateless ? `${members},"ttlMs":0,"cacheScope":"private"` : members),
      200,
    );
  }

  private call(asked: Asked, name: string | undefined, json: Buffer): RunningCall | undefined {
    if (name === undefined) throw new RpcError(RpcCode.INVALID_PARAMS, 'params has no name: that of the tool to call');
    if (json[0] !== OPEN_BRACE) {
      throw new RpcError(RpcCode.INVALID_PARAMS, `the arguments of ${name.slice(0, 100)} are not an object`);
    }
    if (this.tools.isSearched && name === FIND_TOOLS) return this.find(asked, json);
    if (this.tools.isSearched && name === CALL_TOOL) return this.callFound(asked, json);
    const tool = this.tools.get(name);
    const { message, agent, replies } = asked;
    const meta = objectIn(message.params, '_meta', this.maxDepth);
    const progressToken = replies.takesNotes ? tokenIn(meta, 'progressToken') : undefined;
    const forget = this.remember(replies.session, message.id, () => {
      call.cancel();
      replies.answer(undefined, 202);
    });
    const call = new ToolCall(tool, json, agent, {
      onMessage: (text, count) =>
        progressToken === undefined || replies.note(progressMessage(progressToken, count, text)),
      onEnd: (outcome) => {
        forget();
        this.finish(asked, outcome);
      },
    });
    call.start();
    return {
      drained: () => call.drained(),
      cancel() {
        forget();
        call.cancel();
      },
    };
  }

  /** Keeps what cancels a request of a session; returns how to forget it. */
  private remember(session: string | undefined, id: string, cancel: () => void): () => void {
    if (session === undefined) return () => undefined;
    const key = `${session} ${id}`;
    const entry = { cancel };
    this.running.set(key, entry);
    return () => {
      // A client may use an id twice.
      if (this.running.get(key) === entry) this.running.delete(key);
    };
  }

  private finish(asked: Asked, outcome: ToolOutcome): void {
    const { replies } = asked;
    if (outcome.kind === 'result') {
      replies.answer(this.toolResult(asked, outcome.json), 200);
    } else if (outcome.kind === 'error') {
      replies.answer(this.toolFailure(asked, outcome.error), 200);
    } else if (replies.refuse === undefined) {
      replies.answer(this.toolFailure(asked, plainError(Code.UNAUTHENTICATED, outcome.error.message)), 200);
    } else this.refuse(asked, outcome.error);
  }

  private refuse({ message, replies }: Asked, error: StatusError): void {
    const text = errorMessage(message.id, new RpcError(RpcCode.INVALID_REQUEST, error.message));
    if (replies.refuse === undefined) replies.answer(text, 200);
    else replies.refuse(error, text);
  }

  private find(asked: Asked, json: Buffer): undefined {
    const answer = this.attempt(asked, () => {
      const query = textIn(readObject(json, this.maxDepth), 'query');
      if (query === undefined) throw new RpcError(RpcCode.INVALID_PARAMS, 'query is missing, expected words');
      return this.toolResult(asked, Buffer.from(JSON.stringify(this.tools.find(query))));
    });
    asked.replies.answer(answer, 200);
    return undefined;
  }

  private callFound(asked: Asked, json: Buffer): RunningCall | undefined {
    let name: string | undefined;
    let inner: Buffer = EMPTY;
    const failure = this.attempt(asked, () => {
      const members: Members = readObject(json, this.maxDepth);
      name = textIn(members, 'name');
      inner = members.get('arguments') ?? EMPTY;
      if (name === undefined) throw new RpcError(RpcCode.INVALID_PARAMS, `name is missing, expected that of a tool`);
      if (name === FIND_TOOLS || name === CALL_TOOL) {
        throw new RpcError(RpcCode.INVALID_PARAMS, `${name} is called by itself, and not with ${CALL_TOOL}`);
      }
      if (inner[0] !== OPEN_BRACE) throw new RpcError(RpcCode.INVALID_PARAMS, 'arguments is not an object');
      this.tools.get(name);
      return undefined;
    });
    if (failure === undefined) return this.call(asked, name, inner);
    asked.replies.answer(failure, 200);
    return undefined;
  }

  /** What a model has written wrong, it is told as the failure of a tool: it cannot see errors of JSON-RPC. */
  private attempt<T>(asked: Asked, step: () => T): T | Buffer {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return this.toolFailure(asked, plainError(Code.INVALID_ARGUMENT, error.message));
    }
  }

  private notice({ method, params }: { method: string; params: Members }, { session }: Replies): void {
    if (!method.startsWith('notifications/')) {
      throw new RpcError(RpcCode.INVALID_REQUEST, `${JSON.stringify(method.slice(0, 100))} has no id; send one`);
    }
    if (method !== 'notifications/cancelled' || session === undefined) return;
    const key = `${session} ${tokenIn(params, 'requestId') ?? ''}`;
    const call = this.running.get(key);
    this.running.delete(key);
    call?.cancel();
  }

  private toolResult(asked: Asked, json: Buffer): Buffer {
    const text = JSON.stringify(json.toString('utf8'));
    return this.result(asked, `"content":[{"type":"text","text":${text}}],"structuredContent":`, json);
  }

  private toolFailure(asked: Asked, { text, status }: ToolError): Buffer {
    const members = `"content":[{"type":"text","text":${JSON.stringify(text)}}],"isError":true`;
    return this.resultWithMeta(asked, [`"photongate/status":${status}`], members);
  }

  private result(asked: Asked, ...members: readonly (string | Buffer)[]): Buffer {
    return this.resultWithMeta(asked, [], ...members);
  }

  /** @param members of the result, in pieces of JSON */
  private resultWithMeta(
    { message, isStateless }: Asked,
    own: readonly string[],
    ...members: readonly (string | Buffer)[]
  ): Buffer {
    const meta = isStateless ? [...own, `"io.modelcontextprotocol/serverInfo":${this.info}`] : own;
    const head = isStateless ? '"resultType":"complete"' : '';
    const tail = meta.length === 0 ? '' : `"_meta":{${meta.join(',')}}`;
    const isEmpty = members.every((part) => part.length === 0);
    const parts = [head, isEmpty ? '' : members, tail].filter((part) => part.length > 0);
    const joined = parts.flatMap((part, index) => [...(index === 0 ? [] : [',']), ...[part].flat()]);
    return resultMessage(message.id, '{', ...joined, '}');
  }
}

function unknownMethod(method: string): RpcError {
  return new RpcError(RpcCode.METHOD_NOT_FOUND, `Method not found: ${JSON.stringify(method.slice(0, 100))}`);
}

function isText(mimeType: string | undefined, body: Buffer): boolean {
  return mimeType !== undefined && /^(?:text\/|application\/(?:[\w.-]+\+)?json\b)/.test(mimeType) && isUtf8(body);
}

const cacheable = `"ttlMs":${LIST_TTL_MS},"cacheScope":"public"`;

function progressMessage(token: string, count: number, text: Buffer): Buffer {
  const message = JSON.stringify(text.toString('utf8'));
  return notificationMessage(
    'notifications/progress',
    `{"progressToken":${token},"progress":${count},"message":${message}}`,
  );
}

/** The server of these RPCs. @param title of the API */
export function mcpServer(
  sources: readonly ToolSource[],
  options: McpOptions & { readonly maxJsonDepth: number },
  title: string,
): McpServer {
  return new McpServer(new ToolSet(sources, options), new ResourceSet(sources, options), options, title);
}
