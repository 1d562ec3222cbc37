/** What all adapters share: the gateway, the exchanges under way, and how they end. */
import {
  dispatch,
  EmbeddedConnections,
  type EmbeddedExchange,
  type EmbeddedOptions,
  type RequestStart,
  type ServedExchange,
} from '../server/index.js';
import type { Gateway } from '../gateway/index.js';
import { StatusError } from '../status.js';
import { splitTarget } from '../uri.js';

/** An embedded gateway, whatever adapter the requests come by. */
export class Host {
  readonly connections: EmbeddedConnections;
  private readonly open = new Set<ServedExchange>();
  private closed: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly gateway: Gateway,
    readonly options: EmbeddedOptions & { readonly drainTimeoutMs: number },
    private readonly release: () => void,
    /** Whether the application asked for the page at a path. At its root the others are its own. */
    private readonly isAsked: (path: string) => boolean,
  ) {
    this.connections = new EmbeddedConnections(options);
  }

  /**
   * True if the gateway has another answer than 404 and 405. At the root of an application it has only the pages that were
   * asked for.
   * @param base the path that the gateway is mounted at
   */
  takes(start: RequestStart, base = '', prefixLength = 0): boolean {
    return this.gateway.takes(start, prefixLength, base === '' ? this.isAsked : undefined);
  }

  /** True if a streaming route takes a WebSocket. */
  takesSocket(start: RequestStart, prefixLength: number): boolean {
    return this.gateway.takesSocket(start, prefixLength);
  }

  /**
   * Answers a request.
   * @param base the path that the gateway is mounted at; its own pages show it
   * @param prefixLength how many characters of it are still in the request's path
   */
  serve({ exchange, enter, problem }: EmbeddedExchange, base = '', prefixLength = 0): void {
    this.open.add(exchange);
    exchange.onSettled(() => {
      this.open.delete(exchange);
      if (this.open.size === 0) this.onEmpty?.();
    });
    const { gateway } = this;
    const { writeError } = gateway;
    const handle = (): void => gateway.handle(exchange, prefixLength, urlText(base));
    enter(() => dispatch(exchange, { handle, writeError }, this.closed === undefined ? problem : isClosed()));
  }

  /** Answers 503 from now on, and waits for the exchanges under way. Never rejects. */
  close(): Promise<void> {
    return (this.closed ??= this.drain().then(this.release));
  }

  private drain(): Promise<void> {
    if (this.open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const exchange of this.open) exchange.cut();
      }, this.options.drainTimeoutMs);
      this.onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A prefix without slashes at its end. */
export function baseOf(prefix = ''): string {
  return prefix.replace(/\/+$/, '');
}

/** The prefix that Express or Connect have removed from a target; they keep the original in `originalUrl`. '' if none. */
export function cutOff(target: string, originalUrl: unknown): string {
  if (typeof originalUrl !== 'string') return '';
  const [whole, rest] = [splitTarget(originalUrl).path, splitTarget(target).path];
  if (whole.endsWith(rest)) return whole.slice(0, whole.length - rest.length);
  // `/api` is `/` to what is mounted there.
  return rest === '/' ? whole : '';
}

/** A client may have chosen the path: characters that could end a URL in a page or a shell are escaped. */
function urlText(base: string): string {
  return base
    .replace(/^\/+/, '/')
    .replace(/[^\w./:%@+,=-]/gu, (char) => Buffer.from(char).toString('hex').replace(/../g, '%$&'));
}

/** True if a target is the prefix or below it. */
export function isBelow(target: string, base: string): boolean {
  return base === '' || (target.startsWith(base) && /^(?:[/?]|$)/.test(target.slice(base.length)));
}

function isClosed(): StatusError {
  return StatusError.http(503, 'the gateway is closed; the application is about to stop');
}
