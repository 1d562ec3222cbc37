/**
 * The interfaces between the rooms; types only. `Exchange` faces the client, `Channel` and `Call` face a gRPC server, and a
 * `MethodPlan` is what one route does with the bytes in between. Only `gateway` joins them.
 *
 *   server → Exchange ─┐                       ┌─ Channel → upstream
 *                      └── gateway: MethodPlan ─┘
 */
import type { ChannelStatus, ChannelState } from './channel-status.js';
import type { HeaderFields } from './headers.js';
import type { StatusError } from './status.js';
import type { Frame } from './wire/frame.js';

/** The other end of the connection that a request came on. */
export interface Peer {
  /** Its IP address; `unix` for a Unix socket, `unknown` if the application did not pass one. */
  readonly address: string;
  readonly port: number;
  /** Undefined on a connection without TLS. */
  readonly tls?: PeerTls;
}

/** The client that a request comes from: the peer, or the one that a trusted proxy forwards for (`trusted_proxies`). */
export interface Caller {
  /** An IP address, `unix` or `unknown`. Logs, limits and access lists use it. */
  readonly address: string;
  /** The headers that upstreams get about it: `x-forwarded-for`, `-proto` and `-host`. */
  readonly forwarded: HeaderFields;
}

/** The client certificate of a TLS connection. */
export interface PeerTls {
  /** True if the certificate was signed by the listener's `tls_client_ca`. */
  readonly authorized: boolean;
  /** The subject, trusted or not: `O=Example, CN=client`. Undefined if the client sent no certificate. */
  readonly subject: string | undefined;
  /** Why the certificate is not trusted: `it has expired`. */
  readonly problem: string | undefined;
}

/** What health checks are told of this proxy itself, besides what they find out. */
export interface OwnHealth {
  /** It is to get no more requests: an operator said so, or it drains. */
  readonly isFailing: boolean;
}

/** Status line and headers of a response. */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case. Without `content-length` the body is chunked (HTTP/1.1) or ends with the stream (HTTP/2). */
  readonly headers: HeaderFields;
  /** HTTP/1 reason phrase. Default: the standard one of the status. */
  readonly reason?: string | undefined;
}

/** Receives a request body as it arrives. Exactly one of `onEnd` and `onAbort` is called, and it is the last call. */
export interface BodySink {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The body is incomplete: the client disconnected, or the server gave up on it; then `error` is what to answer. */
  onAbort(error?: StatusError): void;
}

/**
 * One HTTP request and its response, whatever carries it: HTTP/1, HTTP/2, a server of the application, or the Fetch API.
 *
 * The response is `respond`, any number of `write`, then `end` or `abort`. `write` or `end` before `respond` throw a
 * TypeError. After `end`, `abort` or a disconnect of the client, every call on the response does nothing.
 * `test/server/exchange-contract.test.ts` runs the same tests over all implementations.
 */
export interface Exchange {
  readonly method: string;
  /** The raw request target: path and query as sent, nothing decoded. */
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly headers: HeaderFields;
  readonly peer: Peer;
  /** True if the request came over TLS. */
  readonly secure: boolean;
  /** False if the head already says that no body follows. */
  readonly hasBody: boolean;
  /** Sends `100 Continue` if the client waits for it; later calls do nothing. */
  continue(): void;
  /**
   * Starts to read the body; call it once, at any time. If the body has ended or failed before, the sink gets that all the
   * same. A body that nobody reads is drained up to a limit, or cut off.
   */
  read(sink: BodySink): void;
  /** Stops `onData` soon. While paused, the idle time-out of the body does not run. */
  pause(): void;
  resume(): void;
  /** Sends the head. The first call counts. */
  respond(head: ResponseHead): void;
  /** Sends body bytes. False: wait for `onDrain`. HEAD, 204 and 304 have no body, and the bytes are dropped. */
  write(chunk: Buffer): boolean;
  /** Adds a listener that is called whenever there is room again after `write` returned false. */
  onDrain(listener: () => void): void;
  /**
   * Announces that so many bytes of the response are on their way from the service; 0: they have arrived. False: too much
   * waits for this client already, hold them back until `onRoom` is called.
   */
  expect(bytes: number, onRoom: () => void): boolean;
  /** Completes the response. */
  end(chunk?: Buffer, trailers?: HeaderFields): void;
  /** Breaks the response off so that the client notices that it is incomplete. */
  abort(): void;
  /** Adds a listener that is called once if the client disconnects before `end` or `abort`; soon, if it has already. */
  onClose(listener: () => void): void;
  /** Defined if the request asks for a WebSocket: answer by `accept`, or refuse by `respond` like any other request. */
  readonly webSocket?: SocketUpgrade | undefined;
  /** What has counted the request that it is a part of; see `RequestHead.counted`. Default: it is one by itself. */
  readonly counted?: Set<unknown> | undefined;
}

/** A valid WebSocket handshake that waits for its answer. */
export interface SocketUpgrade {
  /** Answers 101 with these headers. A message over the limit is not buffered: `onTooLarge` is called instead. */
  accept(headers: HeaderFields, maxMessageBytes: number, sink: SocketSink): MessageSocket;
}

/** Receives what the client sends. `onGone` is the last call, at most once, and not after `close`. */
export interface SocketSink {
  onMessage(data: Buffer, isBinary: boolean): void;
  /** A message is over the limit. Nothing more can be read. */
  onTooLarge(): void;
  /** There is room again after `send` returned false. */
  onWritable(): void;
  /** The client closed the socket, broke the protocol or disconnected. */
  onGone(): void;
  /** The server is stopping. The socket is cut soon. */
  onShutdown(): void;
}

/** An open WebSocket. After `close` nothing is sent, and the sink is not called. */
export interface MessageSocket {
  /** Sends one message. False: wait for `onWritable`. */
  send(data: Buffer, isBinary: boolean): boolean;
  /** Stops `onMessage` soon; messages that were read already still arrive. */
  pause(): void;
  resume(): void;
  /** The reason is shortened to 123 bytes, what a close frame holds. */
  close(code: number, reason: string): void;
}

/** gRPC metadata in order. */
export type Metadata = readonly MetadataEntry[];
/** A name in lower case and its value: bytes if the name ends in `-bin`, printable ASCII otherwise. */
export type MetadataEntry = readonly [name: string, value: string | Buffer];

/** How a call ended. */
export interface CallStatus {
  /** gRPC code; 0 is success. */
  readonly code: number;
  readonly message: string;
  readonly trailers: Metadata;
  /** The HTTP status of a failure that is not the service's. Default: the status of the code. */
  readonly httpStatus?: number | undefined;
  /** HTTP headers for the client, from an upstream response that is not gRPC (`www-authenticate`). */
  readonly httpHeaders?: HeaderFields | undefined;
  /** The message for operators, with the address of the upstream and what it answered. Never sent to clients. */
  readonly diagnosis?: string | undefined;
  /** How it failed without a word of the service. Undefined: the service said the code, or broke the protocol. */
  readonly failure?: CallFailure | undefined;
  /** Of an HTTP response that is not gRPC: its status. */
  readonly answeredStatus?: number | undefined;
}

/** How a call ends that no service has answered. */
export type CallFailure =
  /** Nothing of it was sent. */
  | 'unconnected'
  /** The server said that it has not looked at it. */
  | 'refused'
  /** The connection broke, or the server reset the call: nobody knows what was done. */
  | 'reset'
  /** The time of an attempt was over. */
  | 'timeout'
  /** An HTTP response that is not gRPC, with `answeredStatus`. */
  | 'answer'
  /** The proxy refused it: sent again, it would be refused again. */
  | 'local';

/** Receives the answer to a call: `onHeaders` at most once, then messages, then `onEnd` once. */
export interface CallListener {
  onHeaders(headers: Metadata): void;
  /** The first bytes of a message of this size have come. Not called for a message that comes whole. */
  onMessageStart?(bytes: number): void;
  onMessage(frame: Frame): void;
  onEnd(status: CallStatus): void;
  /** There is room again after `send` returned false. */
  onDrain?(): void;
}

/** A call in flight. */
export interface Call {
  /** Sends one message. False: wait for `onDrain`. */
  send(frame: Frame): boolean;
  /** No further message is sent. */
  halfClose(): void;
  /** Stops `onMessage` soon; messages in flight may still arrive. */
  pause(): void;
  resume(): void;
  /** Cancels the call. `onEnd` is still called, with CANCELLED. */
  cancel(): void;
}

/** What starts a call. */
export interface CallRequest {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly metadata: Metadata;
  /** The deadline, from now. Undefined: none. */
  readonly timeoutMs: number | undefined;
  /**
   * True: frames pass unchanged both ways, compressed or not, and `grpc-encoding` and `grpc-accept-encoding` are ordinary
   * metadata. False (default): messages are sent uncompressed, and compressed answers are decoded.
   */
  readonly passThrough?: boolean | undefined;
  /** `:authority`. Default: that of the channel. */
  readonly authority?: string | undefined;
  /** Calls of the same key go to the same server of a cluster that balances by hash. Default: the header that it names. */
  readonly hashKey?: string | undefined;
}

/** How many calls may be sent again at once. */
export interface RetryLimit {
  /** False: there are too many already. After true, `release` is to follow. */
  take(): boolean;
  release(): void;
}

/** Which attempts of a call are followed by another one. */
export interface RetryRules {
  /** The first included. */
  readonly maxAttempts: number;
  /** Of one attempt, in milliseconds; undefined: any. */
  readonly perTryTimeoutMs: number | undefined;
  /** Of the messages that are held. */
  readonly maxBufferedBytes: number;
  /** Tokens that attempts cost and successes give back; undefined: nothing is counted. */
  readonly budget: { readonly maxTokens: number; readonly tokenRatio: number } | undefined;
  /** True if a call that ended so may be sent again. */
  mayRetry(status: CallStatus): boolean;
  /** The pause before an attempt, in milliseconds, after so many others. */
  backoffMs(retries: number): number;
}

/** What the service config of a channel says of an RPC. Undefined members: nothing. */
export interface MethodConfig {
  /** The longest time of a call. */
  readonly timeoutMs: number | undefined;
  /** The largest message to the service. */
  readonly maxRequestBytes: number | undefined;
  /** The largest message from the service. */
  readonly maxResponseBytes: number | undefined;
  readonly retries: RetryRules | undefined;
}

/** What a service config says of single RPCs. */
export interface MethodConfigs {
  /** @param rpc `package.Service.Method` */
  of(rpc: string): MethodConfig | undefined;
}

/** Calls to one gRPC server or a balanced set of them. */
export interface Channel {
  /** As configured: `127.0.0.1:50051`, `dns:///host:port`, `unix:/path`, `xds:///name`. */
  readonly target: string;
  /** Undefined: the client library does not say. */
  readonly state?: ChannelState | undefined;
  /** Starts a call. Never throws for network failures: `onEnd` reports them. */
  start(request: CallRequest, listener: CallListener): Call;
  /** True as soon as a connection is open, false if none is within the time. Never rejects. */
  connect(timeoutMs: number): Promise<boolean>;
  /** Called when it is about to get calls, for what takes long and waits for no call. Default: nothing does. */
  prepare?(): void;
  close(): void;
  /** What it has open. Default: that of the channels below it. */
  status?(): ChannelStatus;
  /** Undefined: any number of its calls may be sent again at once. */
  readonly retryLimit?: RetryLimit | undefined;
  /** Undefined: it has no service config, or one that says nothing of single RPCs. The caller honours it. */
  readonly methodConfigs?: MethodConfigs | undefined;
}

/** Receives the answer to an HTTP request: the head, data, then `onTrailers`, `onEnd` or `onFail`. */
export interface HttpListener {
  /** @param last nothing follows, and no other end comes */
  onHead(status: number, headers: HeaderFields, last: boolean): void;
  /** Part of the body. False: wait for `HttpRequest.resume` before more comes; what is in flight still comes. */
  onData(chunk: Buffer): boolean;
  /** The end, with trailers. */
  onTrailers(trailers: HeaderFields): void;
  /** The end, without. */
  onEnd(): void;
  /** The answer is not whole, or there is none. */
  onFail(status: CallStatus): void;
  /** There is room again after `HttpRequest.write` returned false. */
  onDrain(): void;
}

/** An HTTP request in flight. After `cancel` nothing is sent, and the listener is not called. */
export interface HttpRequest {
  /** Sends a part of the body. False: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  /** The body is complete. */
  end(): void;
  /** The listener has room again. */
  resume(): void;
  /** Gives up. A body that is not complete never looks complete to the server. */
  cancel(): void;
}

/** Requests of any kind to an HTTP/2 server, on the connections of its channel. */
export interface HttpChannel {
  /**
   * Starts a request, with its pseudo-headers but for `:scheme`; `:authority` may be left out. Never throws: `onFail` reports
   * what fails, soon.
   * @param hashKey as in `CallRequest`
   */
  request(fields: HeaderFields, listener: HttpListener, hashKey?: string): HttpRequest;
}

/** The method a plan calls. */
export interface Rpc {
  /** `package.Service.Method`. */
  readonly name: string;
  /** `package.Service`. */
  readonly service: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
}

/** A request as the plans see it: after method override, with its id. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Without `?`; undefined if the target has none. */
  readonly query: string | undefined;
  readonly headers: HeaderFields;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly hasBody: boolean;
  /** The client's, or a new one. */
  readonly requestId: string;
  readonly caller: Caller;
  /** Which limits of rate have counted it, or the request that it is a part of. Default: none. */
  readonly counted?: Set<unknown> | undefined;
}

/** A whole response. */
export interface Reply extends ResponseHead {
  /** Undefined: no body (204, 304). For HEAD, `gateway` sends only the head. */
  readonly body: Buffer | undefined;
  /** True if the `etag` header was computed from this body: an encoded copy needs another one. */
  readonly ownEtag?: boolean | undefined;
  /** HTTP trailers, if the client accepts them. */
  readonly trailers?: HeaderFields | undefined;
}

/** `[start, end)` offsets of the template's variables in the raw path, two numbers for each. */
export type Captures = readonly number[];

/** What a matched route does. Chosen and compiled at start, so that a request needs no look-up in the schema. */
export interface MethodPlan {
  readonly rpc: Rpc;
  /** For unary methods. Reads the head; throws a StatusError for what is wrong with it, before any body is read. */
  openUnary(head: RequestHead, captures: Captures): UnaryExchange;
  /** For streaming methods; throws as `openUnary` does. */
  openStream(head: RequestHead, captures: Captures): StreamExchange;
  /** An error as a response, in the error shape of this route. */
  fail(error: StatusError, head: RequestHead): Reply;
  /** The same method over WebSocket; undefined for unary methods. */
  readonly socket?: SocketPlan | undefined;
  /**
   * Its name in every copy of the gateway that is built from the same configuration and schema; undefined: its large messages
   * are not worked on in another thread.
   */
  readonly key?: string | undefined;
}

/** What a route does with a WebSocket. */
export interface SocketPlan {
  /** Reads the head; throws a StatusError for what is wrong with it. */
  open(head: RequestHead, captures: Captures): SocketExchange;
  /** The last frame of a call that failed, as JSON text. */
  errorFrame(error: StatusError, head: RequestHead): Buffer;
}

/** One call over WebSocket: frames in, frames out. */
export interface SocketExchange {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** False if the rule has no body: frames must be empty. */
  readonly takesBody: boolean;
  /** A frame → the next request message. An empty frame is a message without body fields. Throws a StatusError. */
  request(data: Buffer, isBinary: boolean): Buffer;
  /** A response message → a frame, binary if wanted and possible. Throws a StatusError. */
  message(payload: Buffer, wantsBinary: boolean): { readonly data: Buffer; readonly isBinary: boolean };
  /** A failed call → the error. */
  error(status: CallStatus): StatusError;
}

/** A supported `Content-Encoding` of request bodies. */
export type ContentCoding = 'gzip' | 'deflate' | 'br';

/** One unary call under way: bytes in, bytes out. */
export interface UnaryExchange {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** The limit of the decoded body; more is 413. */
  readonly maxBodyBytes: number;
  /** The codings of the body in the order they were applied. It is decoded before `request` gets it. */
  readonly contentCodings: readonly ContentCoding[];
  /** The body → the request message. Throws a StatusError if the body is invalid. */
  request(body: Buffer): Buffer;
  /** The response message and the metadata of the call → the response. */
  reply(message: Buffer, headers: Metadata, trailers: Metadata): Reply;
  /** A failed call → the response. */
  fail(status: CallStatus, headers: Metadata): Reply;
}

/** A streaming call; `kind` tells which side streams. */
export type StreamExchange = ServerStreamExchange | ClientStreamExchange | BidiExchange;

/** What every streaming call has. */
export interface StreamCall {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** See `CallRequest`. */
  readonly passThrough?: boolean | undefined;
  /** A call that failed before the response head was sent → the response. */
  fail(status: CallStatus, headers: Metadata): Reply;
}

/** One message up, many down. */
export interface ServerStreamExchange
  extends StreamCall, Pick<UnaryExchange, 'maxBodyBytes' | 'contentCodings' | 'request'> {
  readonly kind: 'server';
  readonly response: ResponseStream;
}

/** Many messages up, one down. */
export interface ClientStreamExchange extends StreamCall, Pick<UnaryExchange, 'reply'> {
  readonly kind: 'client';
  readonly requests: RequestStream;
}

/** Many messages both ways, in any order. */
export interface BidiExchange extends StreamCall {
  readonly kind: 'bidi';
  readonly requests: RequestStream;
  readonly response: ResponseStream;
}

/** Splits a request body into messages. Buffers at most one incomplete message. Both methods throw a StatusError. */
export interface RequestStream {
  /** The codings of the body in the order they were applied. It is decoded before `push` gets it. */
  readonly contentCodings: readonly ContentCoding[];
  /** Takes the next bytes and passes completed messages to `send`. */
  push(chunk: Buffer, send: (message: Frame) => void): void;
  /** The body is complete. May pass one last message to `send`. */
  finish(send: (message: Frame) => void): void;
}

/** Writes a streamed response: `head` once, `message` any number of times, then `end` or `fail`. */
export interface ResponseStream {
  /** How many milliseconds the head waits for the first message; 0: it is sent with the headers of the call. */
  readonly headDelayMs: number;
  /** Bytes that are sent at intervals so that nobody closes an idle stream. */
  readonly keepAlive: { readonly everyMs: number; readonly chunk: Buffer } | undefined;
  /** The response head and the first body bytes. `first` is undefined if no message came in time. */
  head(headers: Metadata, first: Frame | undefined): StreamHead;
  /** A message as body bytes; undefined if nothing is sent for it. Throws a StatusError. */
  message(frame: Frame): Buffer | undefined;
  /** The call ended, with success or an error. */
  end(status: CallStatus): StreamEnd;
  /** The proxy itself failed. */
  fail(error: StatusError): StreamEnd;
}

/** The head of a streamed response. */
export interface StreamHead extends ResponseHead {
  /** The first body bytes. */
  readonly chunk: Buffer | undefined;
}

/** The end of a streamed response. */
export interface StreamEnd {
  readonly chunk?: Buffer | undefined;
  readonly trailers?: HeaderFields | undefined;
  /** True: break the response off after `chunk`, because nothing else would show the client that it is incomplete. */
  readonly isBroken: boolean;
}

/** Writes an error that no route answers: 404, 405, a refused origin, an unreadable request. */
export type ErrorWriter = (
  error: StatusError,
  head: Pick<RequestHead, 'method' | 'requestId' | 'httpVersion'>,
) => Reply;
