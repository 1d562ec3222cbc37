/**
 * The seams of the proxy, types alone. `Exchange` faces the client, `Channel` and `Call` face a gRPC server, and a
 * `MethodPlan` says what one route does with the bytes in between. `gateway` is the only place where they meet.
 *
 *   server → Exchange ─┐                       ┌─ Channel → upstream
 *                      └── gateway: MethodPlan ─┘
 */
import type { HeaderFields } from './headers.js';
import type { StatusError } from './status.js';
import type { Frame } from './wire/frame.js';

// ---------------------------------------------------------------------------------------------- towards the client

/** Who sent a request, as the socket tells. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** Present where the connection is one of TLS. */
  readonly tls?: PeerTls;
}

/** What TLS tells of the other end. */
export interface PeerTls {
  /** True where it gave a certificate that comes from the listener's `tls_client_ca`. */
  readonly authorized: boolean;
  /** Of the certificate that it gave, trusted or not: `O=Example, CN=client`; undefined where it gave none. */
  readonly subject: string | undefined;
  /** Why that certificate is not trusted, to complete a sentence: `it has expired`. */
  readonly problem: string | undefined;
}

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case. Without `content-length` the body is chunked (HTTP/1.1) or ends with the stream (HTTP/2). */
  readonly headers: HeaderFields;
  /** HTTP/1 reason phrase; the standard one where left out. */
  readonly reason?: string | undefined;
}

/** Takes a request body as it arrives. Exactly one of `onEnd` and `onAbort` comes last. */
export interface BodySink {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The body will never be whole: the client went away, or a time-out of ours struck (then with the error to answer). */
  onAbort(error?: StatusError): void;
}

/** One HTTP request and its answer, whatever carries it (HTTP/1, HTTP/2, a test's memory, an embedding framework). */
export interface Exchange {
  readonly method: string;
  /** The raw request target: path and query as sent, nothing decoded. */
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly headers: HeaderFields;
  readonly peer: Peer;
  /** True where the request came over TLS. */
  readonly secure: boolean;
  /** False where the head already says that no body follows. */
  readonly hasBody: boolean;
  /** Sends `100 Continue` if the client waits for it; later calls do nothing. */
  continue(): void;
  /** Starts reading the body. Called at most once; what is never read is drained or cut off by the implementation. */
  read(sink: BodySink): void;
  pause(): void;
  resume(): void;
  /** Sends the head; called once. */
  respond(head: ResponseHead): void;
  /** Sends body bytes; false asks to wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  onDrain(listener: () => void): void;
  /** Completes the answer. */
  end(chunk?: Buffer, trailers?: HeaderFields): void;
  /** Breaks the answer off so that no client takes it for whole. */
  abort(): void;
  /** The client went away before `end`; called at most once, at once where it is gone already. */
  onClose(listener: () => void): void;
  /** Present where the request asks for a WebSocket: it is answered by `accept`, or refused by `respond` like any other. */
  readonly webSocket?: SocketUpgrade | undefined;
}

/** A request to speak WebSocket, whose handshake was found good. */
export interface SocketUpgrade {
  /** Answers 101 with these headers. A message larger than the limit is never held. */
  accept(headers: HeaderFields, maxMessageBytes: number, sink: SocketSink): MessageSocket;
}

/** Takes what the client sends. `onGone` comes last, at most once, and not after `close`. */
export interface SocketSink {
  onMessage(data: Buffer, isBinary: boolean): void;
  /** A message is over the limit; nothing more can be read. */
  onTooLarge(): void;
  /** After `send` answered false: there is room again. */
  onWritable(): void;
  /** The client closed, broke the protocol or vanished. */
  onGone(): void;
  /** The server stops; the socket is cut soon. */
  onShutdown(): void;
}

/** An open WebSocket. After `close` nothing is sent or told. */
export interface MessageSocket {
  /** Sends one message; false asks to wait for `onDrain`. */
  send(data: Buffer, isBinary: boolean): boolean;
  /** Stops `onMessage` soon; what was read already may still arrive. */
  pause(): void;
  resume(): void;
  /** The reason is cut to what a close frame holds. */
  close(code: number, reason: string): void;
}

// --------------------------------------------------------------------------------------------- towards a gRPC server

/** gRPC metadata in order: `-bin` values as bytes, all others as printable ASCII. Names in lower case. */
export type Metadata = readonly MetadataEntry[];
export type MetadataEntry = readonly [name: string, value: string | Buffer];

/** How a call ended. */
export interface CallStatus {
  /** gRPC code; 0 is success. */
  readonly code: number;
  readonly message: string;
  readonly trailers: Metadata;
  /** Of a failure that is not the service's: the HTTP status, where it is not that of the code. */
  readonly httpStatus?: number | undefined;
}

/** Receives what a call brings, in this order: headers (once, or never on an early end), messages, end (once, last). */
export interface CallListener {
  onHeaders(headers: Metadata): void;
  onMessage(frame: Frame): void;
  onEnd(status: CallStatus): void;
  /** After `send` answered false: there is room again. */
  onDrain?(): void;
}

/** A call in flight. */
export interface Call {
  /** Sends one message; false asks to wait for `onDrain`. */
  send(frame: Frame): boolean;
  /** No message follows. */
  halfClose(): void;
  /** Stops `onMessage` soon; what is in flight may still arrive. */
  pause(): void;
  resume(): void;
  /** Gives the call up; `onEnd` still comes, with CANCELLED. */
  cancel(): void;
}

export interface CallRequest {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly metadata: Metadata;
  /** From now; undefined: no deadline. */
  readonly timeoutMs: number | undefined;
  /**
   * True: frames go both ways as they are, compressed or not, and `grpc-encoding` and `grpc-accept-encoding` are metadata
   * like any other. False, the default: messages are sent plain, and what the service compressed is decoded.
   */
  readonly passThrough?: boolean | undefined;
}

/** Calls to one gRPC server or a balanced set of them. */
export interface Channel {
  /** As configured: `127.0.0.1:50051`, `dns:///host:port`, `unix:/path`. */
  readonly target: string;
  /** Starts a call. Never throws for what the network does: that comes by `onEnd`. */
  start(request: CallRequest, listener: CallListener): Call;
  /** True as soon as a connection stands, false where none does within the time; never rejects. */
  connect(timeoutMs: number): Promise<boolean>;
  close(): void;
}

// ------------------------------------------------------------------------------------------------ what a route does

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
  /** Without `?`; undefined where the target had none. */
  readonly query: string | undefined;
  readonly headers: HeaderFields;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly hasBody: boolean;
  /** Kept from the client or made. */
  readonly requestId: string;
}

/** A whole answer. */
export interface Reply extends ResponseHead {
  /** Undefined: no body at all (204, 304). To HEAD, `gateway` sends the head alone. */
  readonly body: Buffer | undefined;
  /** True where the `etag` among the headers was made from the body as it is: an encoded copy needs another one. */
  readonly ownEtag?: boolean | undefined;
  /** HTTP trailers, where the client takes them. */
  readonly trailers?: HeaderFields | undefined;
}

/** `[start, end)` offsets of the template's variables in the raw path, two numbers for each. */
export type Captures = readonly number[];

/** What a matched route does. Chosen and compiled at start, so that a request needs no look-up in the schema. */
export interface MethodPlan {
  readonly rpc: Rpc;
  /** For methods without a stream. Everything that the head decides: throws a StatusError before any body is read. */
  openUnary(head: RequestHead, captures: Captures): UnaryExchange;
  /** For all other methods; throws as `openUnary` does. */
  openStream(head: RequestHead, captures: Captures): StreamExchange;
  /** The body of an error, in the shape that this route answers with. */
  fail(error: StatusError, head: RequestHead): Reply;
  /** The same method over WebSocket; undefined where it has no stream. */
  readonly socket?: SocketPlan | undefined;
}

/** What a route does with a WebSocket. */
export interface SocketPlan {
  /** Reads the head, and throws a StatusError on what is wrong with it. */
  open(head: RequestHead, captures: Captures): SocketExchange;
  /** The last frame of a call that failed, as JSON text. */
  errorFrame(error: StatusError, head: RequestHead): Buffer;
}

/** One call over WebSocket: frames in, frames out. */
export interface SocketExchange {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** False where the rule takes no body: no frame can carry anything. */
  readonly takesBody: boolean;
  /** A frame → the next request message; an empty one is the message without a body. Throws a StatusError. */
  request(data: Buffer, isBinary: boolean): Buffer;
  /** An answer message as a frame of the kind that is wanted, or of the one that it has. Throws a StatusError. */
  message(payload: Buffer, wantsBinary: boolean): { readonly data: Buffer; readonly isBinary: boolean };
  /** A failed call → the error. */
  error(status: CallStatus): StatusError;
}

/** A content coding that request bodies are decoded from. */
export type ContentCoding = 'gzip' | 'deflate' | 'br';

/** One unary call under way: bytes in, bytes out. */
export interface UnaryExchange {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** The most body bytes that `request` takes, once decoded; more is 413. */
  readonly maxBodyBytes: number;
  /** How the body is coded, the first coding applied first; it is decoded before `request` gets it. */
  readonly contentCodings: readonly ContentCoding[];
  /** The body → the request message. Throws a StatusError on what the client did wrong. */
  request(body: Buffer): Buffer;
  /** The answer message and the call's metadata → the answer. */
  reply(message: Buffer, headers: Metadata, trailers: Metadata): Reply;
  /** A failed call → the answer. */
  fail(status: CallStatus, headers: Metadata): Reply;
}

/** One call with a stream on either side, or on both; `kind` tells which of its members stand. */
export type StreamExchange = ServerStreamExchange | ClientStreamExchange | BidiExchange;

/** What every streaming call has. */
export interface StreamCall {
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  /** See `CallRequest`. */
  readonly passThrough?: boolean | undefined;
  /** A call that failed before the head of the answer was sent → the answer. */
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

/** A body on its way up. Holds at most the start of one message; both methods throw a StatusError on what is wrong. */
export interface RequestStream {
  /** How the body is coded, the first coding applied first; it is decoded before `push` gets it. */
  readonly contentCodings: readonly ContentCoding[];
  /** The next bytes; the messages that they complete go to `send`. */
  push(chunk: Buffer, send: (message: Frame) => void): void;
  /** The body was whole; there may be one more message. */
  finish(send: (message: Frame) => void): void;
}

/** An answer on its way down: what is written, and how it ends. Called in the order of its members, `message` often. */
export interface ResponseStream {
  /** How long the head waits for the first message, in milliseconds; 0: it goes out with the headers of the call. */
  readonly headDelayMs: number;
  /** Bytes that are sent again and again, so that an idle stream is not cut. */
  readonly keepAlive: { readonly everyMs: number; readonly chunk: Buffer } | undefined;
  /** The head of the answer, and the first bytes of its body; `first` is undefined where no message came in time. */
  head(headers: Metadata, first: Frame | undefined): StreamHead;
  /** A message as body bytes; undefined where there is nothing to send for it. Throws a StatusError. */
  message(frame: Frame): Buffer | undefined;
  /** The call ended, well or not. */
  end(status: CallStatus): StreamEnd;
  /** Something on this side went wrong. */
  fail(error: StatusError): StreamEnd;
}

export interface StreamHead extends ResponseHead {
  readonly chunk: Buffer | undefined;
}

/** The last bytes of a streamed answer. */
export interface StreamEnd {
  readonly chunk?: Buffer | undefined;
  readonly trailers?: HeaderFields | undefined;
  /** True where the answer must be broken off behind `chunk`, as nothing in it tells a reader that it is not whole. */
  readonly isBroken: boolean;
}

/** Writes an error that no route answers: 404, 405, a refused origin, an unreadable request. */
export type ErrorWriter = (
  error: StatusError,
  head: Pick<RequestHead, 'method' | 'requestId' | 'httpVersion'>,
) => Reply;
