/** A named set of endpoints, as `clusters` has it: one channel for all of them. */
import type {
  Call,
  CallListener,
  CallRequest,
  Channel,
  ChannelState,
  HttpChannel,
  HttpListener,
  HttpRequest,
} from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import { Code } from '../status.js';
import { Balancer, type BalancingPolicy, type Picked, type Weighted } from './balancer.js';
import { failedCall } from './failed-call.js';
import type { UpstreamOptions, UpstreamTls } from './options.js';

/** What an endpoint speaks: gRPC needs HTTP/2. */
export type ClusterProtocol = 'http2' | 'http1';

/** A cluster of the configuration. */
export interface ClusterSpec {
  readonly name: string;
  readonly endpoints: readonly Weighted<string>[];
  readonly protocol: ClusterProtocol;
  readonly policy: BalancingPolicy;
  readonly tls: UpstreamTls | undefined;
  readonly options: Partial<UpstreamOptions>;
}

/** How long an endpoint is given to connect while others answer, in milliseconds. */
const PROBE_MS = 20_000;

const fitnessOf: Readonly<Record<ChannelState, number>> = { down: 0, idle: 1, ready: 2 };

/**
 * Picks among channels as gRPC's round_robin does: only those that are connected get calls if there are any, and the others
 * are connected meanwhile. An endpoint whose connection failed gets nothing until it is back.
 */
class EndpointPicker<C extends Channel> {
  private readonly balancer: Balancer<C>;
  private readonly probed = new Set<C>();

  constructor(
    private readonly channels: readonly Weighted<C>[],
    policy: BalancingPolicy,
  ) {
    this.balancer = new Balancer(channels, policy, ({ state }) => fitnessOf[state ?? 'ready']);
  }

  pick(): Picked<C> {
    const picked = this.balancer.pick();
    for (const { value } of this.channels) if (value !== picked.value && value.state === 'idle') this.probe(value);
    return picked;
  }

  private probe(channel: C): void {
    if (this.probed.has(channel)) return;
    this.probed.add(channel);
    void channel.connect(PROBE_MS).then(() => this.probed.delete(channel));
  }
}

/** Each call goes to one of the channels. */
export class ClusterChannel implements Channel {
  private readonly picker: EndpointPicker<Channel>;

  constructor(
    readonly target: string,
    private readonly channels: readonly Weighted<Channel>[],
    policy: BalancingPolicy,
  ) {
    this.picker = new EndpointPicker(channels, policy);
  }

  start(request: CallRequest, listener: CallListener): Call {
    const picked = this.picker.pick();
    return picked.value.start(request, {
      onHeaders: (headers) => listener.onHeaders(headers),
      onMessageStart: (bytes) => listener.onMessageStart?.(bytes),
      onMessage: (frame) => listener.onMessage(frame),
      onDrain: () => listener.onDrain?.(),
      onEnd(status) {
        picked.release();
        listener.onEnd(status);
      },
    });
  }

  /** True as soon as one of them is there. */
  async connect(timeoutMs: number): Promise<boolean> {
    const attempts = this.channels.map(async ({ value }) => {
      if (!(await value.connect(timeoutMs))) throw new Error('not there');
    });
    return await Promise.any(attempts).then(
      () => true,
      () => false,
    );
  }

  /** Its channels belong to the pool. */
  close(): void {}
}

/** Each request goes to one of the channels. */
export class ClusterHttpChannel implements HttpChannel {
  private readonly picker: EndpointPicker<Channel & HttpChannel>;

  constructor(channels: readonly Weighted<Channel & HttpChannel>[], policy: BalancingPolicy) {
    this.picker = new EndpointPicker(channels, policy);
  }

  request(fields: HeaderFields, listener: HttpListener): HttpRequest {
    const picked = this.picker.pick();
    let isOver = false;
    const over = (): void => {
      if (!isOver) picked.release();
      isOver = true;
    };
    const request = picked.value.request(fields, {
      onHead(status, headers, last) {
        if (last) over();
        listener.onHead(status, headers, last);
      },
      onData: (chunk) => listener.onData(chunk),
      onTrailers(trailers) {
        over();
        listener.onTrailers(trailers);
      },
      onEnd() {
        over();
        listener.onEnd();
      },
      onFail(status) {
        over();
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
