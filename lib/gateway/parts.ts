/** What a gateway is made of, and what each of its requests reads. */
import type { Cors } from '../cors/index.js';
import type { ErrorWriter } from '../exchange.js';
import type { Idempotency } from '../idempotency/index.js';
import type { CallerRules, HeaderNames } from '../metadata/index.js';
import type { Shedder } from '../overload/index.js';
import type { Policy, ReplyEncoder } from '../policy/index.js';
import type { PathMatcher } from '../router/index.js';
import type { RateLimits, RequestFilter } from '../routes/index.js';
import type { StatusError } from '../status.js';
import { type Observer } from '../telemetry/index.js';
import { type Access } from './access.js';
import type { HeaderRules } from './header-rules.js';
import type { LargeMessages } from './large-messages.js';
import { type Route, type RouteTables } from './decide.js';
import type { GatewayOptions } from './options.js';
import type { RouteHints } from './route-hints.js';
import { type TargetNormalizer } from './path-normalization.js';
import type { Retries } from './retries.js';
import { type Routes } from './routing.js';

/** Which requests are refused while the process is overloaded, and with which error. */
export interface Shedding {
  readonly shedder: Pick<Shedder, 'refuses'>;
  readonly error: StatusError;
}

/** What each request of a gateway reads. */
export interface GatewayParts extends RouteTables {
  /** Of the streaming rules, all of which answer to GET; undefined where there are none. */
  readonly sockets: PathMatcher<Route> | undefined;
  /** The largest message of a WebSocket, and of an agent. */
  readonly maxBodyBytes: number;
  readonly policies: readonly Policy[];
  /** Where a client finds the list of routes; undefined where it is off. */
  readonly indexPath: string | undefined;
  /** What a request may have meant that no route takes; undefined: routes are not told. */
  readonly hints?: RouteHints | undefined;
  readonly writeError: ErrorWriter;
  readonly maxConcurrentRequests: number;
  /** Refuses requests while the process is overloaded; undefined: it never does. */
  readonly shedding?: Shedding | undefined;
  /** What is refused because too many requests are under way. */
  readonly tooMany: StatusError;
  /** Encodes answers; undefined: none is. */
  readonly encode: ReplyEncoder | undefined;
  /** Of all requests whose virtual host and route say nothing else. */
  readonly cors?: Cors | undefined;
  /** Why no request is served now; our own pages are. */
  readonly refusal?: StatusError | undefined;
  /** Which RPC needs which token; undefined: none does. */
  readonly access?: Access | undefined;
  /** Who calls, by the proxies that are trusted. */
  readonly callers: CallerRules;
  /** Knows what clients may not say of themselves. */
  readonly names: HeaderNames;
  /** Path of the mount; '' for the root. */
  readonly prefix: string;
  /** Undefined: requests are not observed. */
  readonly observer?: Observer | undefined;
  /** Which cluster answers; undefined: the channels of the routes do. */
  readonly routes?: Routes | undefined;
  /** What happens to requests before they are routed, in order. */
  readonly filters: readonly RequestFilter[];
  /** How many requests clients may send; undefined: any number. */
  readonly limits?: RateLimits | undefined;
  /** Which calls are made once for their key; undefined: none. */
  readonly idempotency?: Idempotency | undefined;
  /** Which calls are sent again; undefined: none. */
  readonly retries?: Retries | undefined;
  /** Who works on large messages; undefined: nobody but the event loop. */
  readonly largeMessages?: LargeMessages | undefined;
  /** Which headers of calls change; undefined: none do. */
  readonly headerRules?: HeaderRules | undefined;
  /** Full names of all RPCs that are served, whether or not native gRPC reaches them. */
  readonly rpcs: ReadonlySet<string>;
  readonly options: RequestOptions;
  /** Brings targets into one form; undefined: they stay as they are. */
  readonly normalize?: TargetNormalizer | undefined;
}

/** The options that are looked at for each request. */
export type RequestOptions = Pick<
  GatewayOptions,
  | 'maxRequestBytes'
  | 'serverName'
  | 'strictTransportSecurity'
  | 'rejectUnknownMethod'
  | 'matchIncomingRequestRoute'
  | 'originalPathHeaders'
>;
