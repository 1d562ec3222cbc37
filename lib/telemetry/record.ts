/**
 * What is known of one request, from its head to the end of its answer. `gateway` fills it, and only if somebody observes:
 * without an observer there is no record.
 */
import { monotonicMs } from '../clock.js';
import type { Metadata, Peer, RequestHead, Rpc } from '../exchange.js';
import { header, type HeaderFields } from '../headers.js';
import type { Slotted } from '../request-table.js';
import type { Refuser } from '../status.js';
import { type SplitTarget, splitTarget } from '../uri.js';

/** How a request ended. */
export type Outcome =
  /** The answer was handed over whole. */
  | 'complete'
  /** We broke the answer off, so that no client takes it for whole. */
  | 'aborted'
  /** The client went away before the answer was complete. */
  | 'client_gone';

export type RequestProtocol = 'http' | 'grpc' | 'grpc-web' | 'connect' | 'websocket' | 'mcp';

/** The status of a request whose client went away before there was one, as nginx has it. */
export const CLIENT_GONE_STATUS = 499;

/** All times are by `monotonicMs`; 0: not reached. */
export class RequestRecord implements Slotted {
  readonly startedAt = monotonicMs();
  /** Policies and tokens let it pass. */
  admittedAt = 0;
  /** The call was started: the request was read, but for what a client streams. */
  calledAt = 0;
  /** The first that came from the service: headers, a message or a status. */
  answeredAt = 0;
  /** The call ended. */
  callEndedAt = 0;
  endedAt = 0;
  /** How long the answer waited for a client that did not read, in milliseconds. */
  blockedMs = 0;
  protocol: RequestProtocol = 'http';
  /** The template with the prefix of its mount; undefined if no route took the request. */
  route: string | undefined = undefined;
  rpc: Rpc | undefined = undefined;
  /** HTTP status of the answer; 0: none was sent, or there was no request that could have one. */
  status = 0;
  /** gRPC code of the call; undefined if none was made. */
  code: number | undefined = undefined;
  /** Of the bodies, as they are on the wire. */
  bytesIn = 0;
  bytesOut = 0;
  /** From the client to the service, and back. */
  messagesIn = 0;
  messagesOut = 0;
  /** How often the call was sent; more than once with `retries` alone. */
  attempts = 0;
  /** Target of the upstream that was called. */
  upstream: string | undefined = undefined;
  /** The cluster that a route chose, and the name of that route. */
  cluster: string | undefined = undefined;
  routeName: string | undefined = undefined;
  /** The name of the API key. */
  apiKey: string | undefined = undefined;
  /** Of the answer, as it went out. */
  responseHeaders: HeaderFields = [];
  /** What went wrong, for operators: it may name addresses. */
  error: string | undefined = undefined;
  /** Which policy or limit refused it; undefined: none did. */
  refusedBy: Refuser | undefined = undefined;
  outcome: Outcome = 'complete';
  slot = 0;
  /** 32 hex digits: of our own span, or else of the client's `traceparent`. */
  traceId: string | undefined = undefined;
  private split: SplitTarget | undefined = undefined;

  /** @param target as the client sent it, path and query */
  constructor(
    readonly head: RequestHead,
    readonly target: string,
    readonly secure: boolean,
    readonly peer: Peer = { address: 'unknown', port: 0 },
  ) {
    this.traceId = traceIdOf(header(head.headers, 'traceparent'));
  }

  /** As the client sent it; the head's is without the prefix of the mount. */
  get path(): string {
    return (this.split ??= splitTarget(this.target)).path;
  }

  get query(): string | undefined {
    return (this.split ??= splitTarget(this.target)).query;
  }

  /** True for a streaming call. */
  get isStream(): boolean {
    const { rpc } = this;
    return rpc !== undefined && (rpc.clientStreaming || rpc.serverStreaming);
  }

  get durationMs(): number {
    return (this.endedAt === 0 ? monotonicMs() : this.endedAt) - this.startedAt;
  }
}

/** Who wants to know of requests. Its methods never throw. */
export interface Observer {
  onRequest(record: RequestRecord): void;
  /** A call is about to start. Returns the metadata that it is sent with. */
  onCall(record: RequestRecord, metadata: Metadata): Metadata;
  /** The call has ended, with `record.code`. */
  onCallEnd(record: RequestRecord): void;
  /** Called once for each request. */
  onEnd(record: RequestRecord): void;
}

/** An observer that does nothing, to be extended. */
export class SilentObserver implements Observer {
  onRequest(_record: RequestRecord): void {}
  onCall(_record: RequestRecord, metadata: Metadata): Metadata {
    return metadata;
  }
  onCallEnd(_record: RequestRecord): void {}
  onEnd(_record: RequestRecord): void {}
}

/** Several observers as one; undefined if there are none. */
export function observers(list: readonly Observer[]): Observer | undefined {
  return list.length < 2 ? list[0] : new Observers(list);
}

class Observers implements Observer {
  constructor(private readonly list: readonly Observer[]) {}

  onRequest(record: RequestRecord): void {
    for (const observer of this.list) observer.onRequest(record);
  }

  onCall(record: RequestRecord, metadata: Metadata): Metadata {
    return this.list.reduce((sent, observer) => observer.onCall(record, sent), metadata);
  }

  onCallEnd(record: RequestRecord): void {
    for (const observer of this.list) observer.onCallEnd(record);
  }

  onEnd(record: RequestRecord): void {
    for (const observer of this.list) observer.onEnd(record);
  }
}

/** The trace of a `traceparent` (https://www.w3.org/TR/trace-context/). */
function traceIdOf(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined) return undefined;
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(traceparent)?.[1];
  return id === undefined || /^0*$/.test(id) ? undefined : id;
}
