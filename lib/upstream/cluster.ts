/** A named set of endpoints, as `clusters` has it: one channel for all of them. */
import type {
  Call,
  CallListener,
  CallRequest,
  CallStatus,
  Channel,
  HttpChannel,
  HttpListener,
  HttpRequest,
  MethodConfigs,
  RetryLimit,
} from '../exchange.js';
import { header, type HeaderFields } from '../headers.js';
import { Code } from '../status.js';
import type { ClusterBalancing } from './balance/balancing.js';
import type { Endpoint, Hosts } from './balance/hosts.js';
import { keyOf } from './balance/ring.js';
import { failedCall } from './failed-call.js';
import type { UpstreamOptions, UpstreamTls } from './options.js';
import { failures } from './outcome.js';

/** What an endpoint speaks: gRPC needs HTTP/2. */
export type ClusterProtocol = 'http2' | 'http1';

/** A cluster of the configuration. */
export interface ClusterSpec extends ClusterBalancing {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly protocol: ClusterProtocol;
  readonly tls: UpstreamTls | undefined;
  readonly options: Partial<UpstreamOptions>;
  /** Where the proxy runs; endpoints of the same zone come first. Default: all zones are alike. */
  readonly zone?: string | undefined;
}

/** How long an attempt to connect may take for which `connect` waits, in milliseconds. */
const CONNECT_MS = 20_000;

/** Connects in the background. */
export function connectIn(channel: Channel): () => Promise<unknown> {
  return () => channel.connect(CONNECT_MS);
}

/** Each call goes to one of the servers. */
export class ClusterChannel implements Channel, HttpChannel {
  constructor(
    readonly target: string,
    private readonly hosts: Hosts<Channel & HttpChannel>,
    /** In lower case. */
    private readonly hashHeader: string | undefined,
    readonly methodConfigs: MethodConfigs | undefined,
  ) {}

  get retryLimit(): RetryLimit | undefined {
    return this.hosts.retryLimit;
  }

  start(request: CallRequest, listener: CallListener): Call {
    const full = this.hosts.refusal();
    if (full !== undefined)
      return failedCall(this.target, request.path, failures.overloaded(this.target, full), listener);
    const picked = this.hosts.pick(this.keyOfCall(request));
    if (picked === undefined) return failedCall(this.target, request.path, this.nobody(), listener);
    return picked.value.start(request, {
      onHeaders: (headers) => listener.onHeaders(headers),
      onMessageStart: (bytes) => listener.onMessageStart?.(bytes),
      onMessage: (frame) => listener.onMessage(frame),
      onDrain: () => listener.onDrain?.(),
      onEnd(status) {
        picked.release(status.code);
        listener.onEnd(status);
      },
    });
  }

  request(fields: HeaderFields, listener: HttpListener, hashKey?: string): HttpRequest {
    const { hashHeader } = this;
    const full = this.hosts.refusal();
    if (full !== undefined) return failedRequest(failures.overloaded(this.target, full), listener);
    const text = hashKey ?? (hashHeader === undefined ? undefined : header(fields, hashHeader));
    const picked = this.hosts.pick(text === undefined ? undefined : keyOf(text));
    if (picked === undefined) return failedRequest(this.nobody(), listener);
    let isOver = false;
    const over = (code?: number): void => {
      if (!isOver) picked.release(code);
      isOver = true;
    };
    let code: number = Code.OK;
    const request = picked.value.request(fields, {
      onHead(status, headers, last) {
        code = codeOfAnswer(status, headers);
        if (last) over(code);
        listener.onHead(status, headers, last);
      },
      onData: (chunk) => listener.onData(chunk),
      onTrailers(trailers) {
        over(code === Code.OK ? codeOfAnswer(200, trailers) : code);
        listener.onTrailers(trailers);
      },
      onEnd() {
        over(code);
        listener.onEnd();
      },
      onFail(status) {
        over(status.code);
        listener.onFail(status);
      },
      onDrain: () => listener.onDrain(),
    });
    return {
      write: (chunk) => request.write(chunk),
      end: () => request.end(),
      resume: () => request.resume(),
      cancel() {
        over();
        request.cancel();
      },
    };
  }

  /** True as soon as one of them is there. */
  async connect(timeoutMs: number): Promise<boolean> {
    const attempts = this.hosts.values.map(async (channel) => {
      if (!(await channel.connect(timeoutMs))) throw new Error('not there');
    });
    return await Promise.any(attempts).then(
      () => true,
      () => false,
    );
  }

  /** Its servers belong to the pool. */
  close(): void {}

  private keyOfCall({ metadata, hashKey }: CallRequest): bigint | undefined {
    if (hashKey !== undefined) return keyOf(hashKey);
    const { hashHeader } = this;
    if (hashHeader === undefined) return undefined;
    const value = metadata.find(([name]) => name === hashHeader)?.[1];
    return value === undefined ? undefined : keyOf(value.toString());
  }

  private nobody(): CallStatus {
    return failures.noHealthyServer(this.target, this.hosts.status());
  }
}

/** The gRPC code of an answer that passes as it is: its own, or that of its HTTP status if that is an error of a server. */
function codeOfAnswer(status: number, fields: HeaderFields): number {
  const own = header(fields, 'grpc-status');
  if (own !== undefined) return Number(own);
  if (status < 500) return Code.OK;
  if (status === 502 || status === 503) return Code.UNAVAILABLE;
  return status === 504 ? Code.DEADLINE_EXCEEDED : Code.INTERNAL;
}

function failedRequest(status: CallStatus, listener: HttpListener): HttpRequest {
  let isOver = false;
  queueMicrotask(() => {
    if (!isOver) listener.onFail(status);
  });
  return { write: () => true, end() {}, resume() {}, cancel: () => void (isOver = true) };
}

/** Of a cluster that speaks HTTP/1: every call fails. */
export function withoutHttp2(name: string): Channel {
  const message = `the cluster ${name} speaks HTTP/1, and gRPC needs HTTP/2`;
  return {
    target: name,
    start: ({ path }, listener) => failedCall(name, path, { code: Code.UNAVAILABLE, message, trailers: [] }, listener),
    connect: () => Promise.resolve(false),
    close() {},
  };
}
