/**
 * What a service hands to the gRPC server (`grpc.ts`): its schema and a function for each RPC, in terms of plain objects.
 * Nothing here depends on grpc-js, so the functions can be called by a test as they are.
 */
import type { Clock } from './clock.js';
import type { Database } from './database.js';
import type { Schema } from './schema.js';

/** What goes with every call beside its messages. */
export interface Call {
  /** Aborted when the caller has gone or the server closes; the handler should then return soon. */
  readonly signal: AbortSignal;
  /** The value of a request header (lower case), undefined where it was not sent; of several the first. */
  header(name: string): string | undefined;
  /** Sends these headers at once, ahead of the first reply. Again: nothing. */
  sendHeaders(headers: Readonly<Record<string, string>>): void;
}

/** Answers one request, or throws a `ServiceError`. */
export type UnaryHandler<Request, Reply> = (request: Request, call: Call) => Reply | Promise<Reply>;

/** Answers one request with any number of replies; the stream ends well when the promise resolves. */
export type StreamHandler<Request, Reply> = (request: Request, replies: ReplyStream<Reply>) => Promise<void>;

/**
 * Answers any number of requests with one reply. Reading `requests` throws where the caller broke off: only a loop that
 * ends well has seen everything.
 */
export type UploadHandler<Request, Reply> = (requests: AsyncIterable<Request>, call: Call) => Promise<Reply>;

/** Any number both ways. */
export type BidiHandler<Request, Reply> = (
  requests: AsyncIterable<Request>,
  replies: ReplyStream<Reply>,
) => Promise<void>;

/** The way back to the caller of a streaming RPC. */
export interface ReplyStream<Reply> extends Call {
  /** Tells the caller at once that the call was accepted, where the first reply may be long in coming. Again: nothing. */
  accept(): void;
  /** Resolves when the reply is on its way, so that a slow caller holds up the handler. Does nothing once aborted. */
  write(reply: Reply): Promise<void>;
}

/** One gRPC service: its full name, and a handler named like each of its RPCs. */
export interface ServiceImplementation {
  readonly schema: Schema;
  readonly name: string;
  readonly handlers: Readonly<Record<string, Handler>>;
}

/** A handler of any kind; its RPC says which. */
export type Handler =
  | UnaryHandler<never, unknown>
  | StreamHandler<never, never>
  | UploadHandler<never, unknown>
  | BidiHandler<never, never>;

/** What every service of PhotonCloud is started with. */
export interface StartOptions {
  /** The address to listen on: `127.0.0.1`, `::`. */
  readonly host: string;
  /** The port to listen on; 0 for any that is free. */
  readonly port: number;
  /** Shared by all services of a process; stays open when the service closes. */
  readonly database: Database;
  /** A folder for files beside the database, made where it is not there; services that keep files need it. */
  readonly dataDir?: string;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Told of faults that callers see as "internal error". Default: the standard error output. */
  readonly log?: Log;
}

/** Takes note of something that went wrong inside. */
export type Log = (what: string, error: unknown) => void;

/** A service that listens. */
export interface RunningService {
  readonly port: number;
  /** Ends streams with UNAVAILABLE, lets running calls finish for a short while, then closes. */
  close(): Promise<void>;
}
