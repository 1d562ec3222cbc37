/** Events of `upstream` on `node:diagnostics_channel`. Without subscribers, the cost is one boolean. */
import { channel } from 'node:diagnostics_channel';
import type { CallStatus } from '../exchange.js';

/**
 * `photongate:upstream`: a call failed in the transport, or its response was not gRPC. The message contains addresses and
 * texts of upstreams, which responses to clients never contain. Message: `UpstreamFailure`.
 */
export const upstreamChannel = channel('photongate:upstream');

/** A failed call. */
export interface UpstreamFailure {
  /** As configured: `127.0.0.1:50051`. */
  readonly target: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The gRPC code of the call. */
  readonly code: number;
  /** `cannot connect to 127.0.0.1:50051: connection refused`. */
  readonly message: string;
}

/** Publishes a failed call. */
export function reportEnd(target: string, path: string, { code, diagnosis }: CallStatus): void {
  if (diagnosis === undefined || !upstreamChannel.hasSubscribers) return;
  upstreamChannel.publish({ target, path, code, message: diagnosis } satisfies UpstreamFailure);
}

/**
 * `photongate:upstream-state`: no connection to a server can be made any more, or one can again. Reported once for each
 * change, by our own client alone. Message: `UpstreamState`.
 */
export const upstreamStateChannel = channel('photongate:upstream-state');

/** A server that went, or that came back. */
export interface UpstreamState {
  /** The target, or one address of it if calls are balanced over several. */
  readonly target: string;
  /** Why there is no connection; undefined: there is one again. */
  readonly problem: string | undefined;
}

/** Publishes that a server went or came back. */
export function reportState(target: string, problem: string | undefined): void {
  if (upstreamStateChannel.hasSubscribers) upstreamStateChannel.publish({ target, problem } satisfies UpstreamState);
}

/**
 * `photongate:upstream-health`: a server of a cluster failed its health checks or was ejected, or gets calls again. Reported
 * once for each change. Message: `UpstreamHealth`.
 */
export const upstreamHealthChannel = channel('photongate:upstream-health');

/** A server that gets no calls, or that gets them again. */
export interface UpstreamHealth {
  /** The cluster, or the target of an upstream. */
  readonly cluster: string;
  /** `10.0.0.1:50051` */
  readonly target: string;
  /** Why it gets no calls, as a sentence; undefined: it gets them again. */
  readonly problem: string | undefined;
}

/** Publishes that a server gets no calls, or that it gets them again. */
export function reportHealth(cluster: string, target: string, problem: string | undefined): void {
  if (upstreamHealthChannel.hasSubscribers) {
    upstreamHealthChannel.publish({ cluster, target, problem } satisfies UpstreamHealth);
  }
}
