/**
 * Where the values of requests and calls are counted: the label set of each is found by its parts, without a text made of
 * them. There may only be so many label sets; what comes then is counted under `_OTHER`, for each method and status or code.
 */
import type { Rpc } from '../exchange.js';
import { OTHER } from './exposition.js';
import type { Histogram, Series } from './histogram.js';

/** How many label sets may still be made. */
class Allowance {
  constructor(private left: number) {}

  take(): boolean {
    if (this.left === 0) return false;
    this.left--;
    return true;
  }
}

/** Of one route by one method. */
interface RouteSeries {
  readonly labels: { readonly http_request_method: string; readonly http_route: string };
  readonly responseSize: Series;
  requestSize: Series | undefined;
  readonly durations: Map<number, Series>;
}

/** What is known of a request when it has ended. */
export interface EndedRequest {
  /** One of few. */
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly traceId: string | undefined;
}

export class RequestSeries {
  /** By method and route. */
  private readonly known = new Map<string, Map<string, RouteSeries>>();
  private readonly routes: Allowance;
  private readonly statuses: Allowance;

  constructor(
    maxSeries: number,
    private readonly duration: Histogram,
    private readonly requestSize: Histogram,
    private readonly responseSize: Histogram,
  ) {
    this.routes = new Allowance(maxSeries);
    this.statuses = new Allowance(maxSeries);
  }

  observe({ method, route, status, seconds, bytesIn, bytesOut, traceId }: EndedRequest): void {
    const series = this.ofRoute(method, route);
    this.ofStatus(series, status).observe(seconds, traceId);
    if (bytesIn > 0) (series.requestSize ??= this.requestSize.series(series.labels)).observe(bytesIn);
    series.responseSize.observe(bytesOut);
  }

  private ofRoute(method: string, route: string): RouteSeries {
    let byRoute = this.known.get(method);
    if (byRoute === undefined) this.known.set(method, (byRoute = new Map<string, RouteSeries>()));
    const found = byRoute.get(route);
    if (found !== undefined) return found;
    if (route !== OTHER && !this.routes.take()) return this.ofRoute(method, OTHER);
    const labels = { http_request_method: method, http_route: route };
    const responseSize = this.responseSize.series(labels);
    const made = { labels, responseSize, requestSize: undefined, durations: new Map<number, Series>() };
    byRoute.set(route, made);
    return made;
  }

  private ofStatus({ labels, durations }: RouteSeries, status: number): Series {
    const found = durations.get(status);
    if (found !== undefined) return found;
    const { http_request_method: method, http_route: route } = labels;
    if (route !== OTHER && !this.statuses.take()) return this.ofStatus(this.ofRoute(method, OTHER), status);
    const made = this.duration.series({ ...labels, http_response_status_code: String(status) });
    durations.set(status, made);
    return made;
  }
}

/** Services may end with any number. */
const LAST_CODE = 16;

/** Of one RPC at one upstream. */
interface CallTarget {
  readonly service: string;
  readonly method: string;
  readonly upstream: string;
  /** The last is that of all codes which gRPC does not define. */
  readonly byCode: (Series | undefined)[];
}

export class CallSeries {
  /** By path and upstream: there are not more than schema and configuration have. */
  private readonly known = new Map<string, Map<string, CallTarget>>();
  private readonly sets: Allowance;
  private readonly others: CallTarget = { service: OTHER, method: OTHER, upstream: OTHER, byCode: [] };

  constructor(
    maxSeries: number,
    private readonly duration: Histogram,
  ) {
    this.sets = new Allowance(maxSeries);
  }

  observe(rpc: Rpc, upstream: string, code: number, ms: number): void {
    const index = code >= 0 && code <= LAST_CODE ? code : LAST_CODE + 1;
    const target = this.target(rpc, upstream);
    (target.byCode[index] ?? this.ofCode(target, index)).observe(ms);
  }

  private target(rpc: Rpc, upstream: string): CallTarget {
    let byUpstream = this.known.get(rpc.path);
    if (byUpstream === undefined) this.known.set(rpc.path, (byUpstream = new Map<string, CallTarget>()));
    let target = byUpstream.get(upstream);
    if (target === undefined) {
      target = { service: rpc.service, method: methodName(rpc), upstream, byCode: [] };
      byUpstream.set(upstream, target);
    }
    return target;
  }

  private ofCode(target: CallTarget, index: number): Series {
    const found = target.byCode[index];
    if (found !== undefined) return found;
    if (target !== this.others && !this.sets.take()) return this.ofCode(this.others, index);
    const { service, method, upstream } = target;
    const code = index > LAST_CODE ? OTHER : String(index);
    const labels = { rpc_service: service, rpc_method: method, rpc_grpc_status_code: code, upstream };
    return (target.byCode[index] = this.duration.series(labels));
  }
}

/** `SayHello` of `/greeter.v1.Greeter/SayHello`. */
export function methodName({ service, path }: Rpc): string {
  return path.slice(service.length + 2);
}
