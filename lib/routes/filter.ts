/** What a filter is: what it sees of a request, and what it may make of it. */
import { type HeaderFields, headerPairs } from '../headers.js';
import { StatusError } from '../status.js';
import type { Claims, Expiry } from '../policy/index.js';
import type { RouteFilterSettings } from './filter-options.js';
import type { RoutedRequest } from './request.js';

/** A request, and who sent it. */
export interface FilteredRequest extends RoutedRequest {
  /** By `trusted_proxies`. */
  readonly address: string;
  /** The other end of the connection. */
  readonly peer: string;
  readonly peerPort: number;
  /** The client has a certificate that is trusted. */
  readonly hasCertificate: boolean;
  /** Its subject, trusted or not. */
  readonly certificateSubject: string | undefined;
  readonly requestId: string;
  /** `HTTP/1.1`. */
  readonly protocol: string;
  /** Of the tokens that filters before found good. */
  readonly claims: Claims;
  /** The full name of the RPC that it leads to; undefined if it leads to none. */
  readonly rpc: () => string | undefined;
  /** The template of the rule that takes it, as the access log has it; undefined if it leads to no RPC. */
  readonly route: () => string | undefined;
  /** A question for the health of the proxy, which limits of rate do not count. */
  readonly isProbe: boolean;
  /** What has counted it already, so that nothing counts it twice: limits of rate. */
  readonly counted: Set<unknown>;
  /** What services are told of its way: `x-forwarded-for` and its like. */
  readonly forwarded: HeaderFields;
  /** Calls `listener` if its client goes away while filters wait. */
  readonly onGone: (listener: () => void) => void;
  /** The first bytes of its body, which its route gets all the same. */
  readonly body: (maxBytes: number) => Promise<BodyStart>;
  /** What the route of its path, or of another reading of that, says of the filter with this name. */
  readonly routeSettings: (filter: string, path: string) => RouteFilterSettings | undefined;
}

/** What becomes of a request that passes. What is left out stays as it is. */
export interface FilterEffect {
  /** It waits; `afterwards` may refuse it then. */
  readonly waitMs?: number;
  /** @throws StatusError that refuses it */
  readonly afterwards?: () => undefined;
  /** All headers of the request, changed. */
  readonly headers?: HeaderFields;
  readonly target?: { readonly query: string | undefined };
  /** What services are told by the proxy, in the place of headers of these names. */
  readonly identity?: HeaderFields;
  /** Beside those that are known. */
  readonly claims?: Claims;
  /** When its streams end. Default: when they do by themselves. */
  readonly expiry?: Expiry | undefined;
  /** What becomes of the headers of its answer. */
  readonly answer?: (fields: HeaderFields) => HeaderFields;
  /** It is refused, with an answer that is changed so. */
  readonly refusal?: StatusError;
}

/**
 * Lets a request pass, changed perhaps, at once or later.
 * @throws StatusError that refuses it
 */
export type RequestFilter = (request: FilteredRequest) => FilterEffect | undefined | Promise<FilterEffect | undefined>;

/** A filter, and what it becomes for routes that say something of it. */
export interface CompiledFilter {
  readonly filter: RequestFilter;
  /** @throws OptionError if the filter cannot do that */
  readonly forRoute: (settings: RouteFilterSettings) => RequestFilter;
}

/** What has come of a body. */
export interface BodyStart {
  /** At most as many as were asked for. */
  readonly bytes: Buffer;
  /** Nothing follows. */
  readonly isWhole: boolean;
}

/** A refusal whose answer somebody else has written. Clients of gRPC and Connect get its code and text. */
export class RefusedRequest extends StatusError {
  readonly reply: { readonly status: number; readonly headers: HeaderFields; readonly body: Buffer | undefined };

  constructor(code: number, message: string, reply: RefusedRequest['reply']) {
    const { status, headers } = reply;
    super(code, message, {
      httpStatus: status,
      refusedBy: 'ext_authz',
      headers: headerPairs(headers).filter(([name]) => name !== 'content-type'),
    });
    this.reply = reply;
  }
}
