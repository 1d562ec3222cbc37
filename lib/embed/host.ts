/** What all adapters share: the gateway, the exchanges under way, and the end of it all. */
import type { RequestStart, EmbeddedExchange } from '../server/index.js';
import { dispatch } from '../server/index.js';
import type { Gateway } from '../gateway/index.js';
import { StatusError } from '../status.js';

export class Host {
  private readonly open = new Set<EmbeddedExchange>();
  private closed: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly gateway: Gateway,
    private readonly options: { readonly idleTimeoutMs: number; readonly drainTimeoutMs: number },
    private readonly release: () => void,
  ) {}

  get idleTimeoutMs(): number {
    return this.options.idleTimeoutMs;
  }

  /** True where the gateway has an answer besides 404 and 405. */
  takes(start: RequestStart, prefixLength = 0): boolean {
    return this.gateway.takes(start, prefixLength);
  }

  /** True where a streaming route takes a WebSocket. */
  takesSocket(start: RequestStart, prefixLength: number): boolean {
    return this.gateway.takesSocket(start, prefixLength);
  }

  /** Answers a request. */
  serve(embedded: EmbeddedExchange, prefixLength = 0): void {
    this.open.add(embedded);
    embedded.onSettled(() => {
      this.open.delete(embedded);
      if (this.open.size === 0) this.onEmpty?.();
    });
    const { gateway } = this;
    const handler = {
      handle: (exchange: EmbeddedExchange['exchange']) => gateway.handle(exchange, prefixLength),
      writeError: gateway.writeError,
    };
    dispatch(embedded.exchange, handler, this.closed === undefined ? embedded.problem : isClosed());
  }

  close(): Promise<void> {
    return (this.closed ??= this.drain().then(this.release));
  }

  private drain(): Promise<void> {
    if (this.open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const embedded of this.open) embedded.cut();
      }, this.options.drainTimeoutMs);
      this.onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The prefix that an adapter cuts off, without its last slash. */
export function baseOf(prefix = ''): string {
  return prefix.replace(/\/+$/, '');
}

/** True where a target is below a prefix, or is it. */
export function isBelow(target: string, base: string): boolean {
  return base === '' || (target.startsWith(base) && /^(?:[/?]|$)/.test(target.slice(base.length)));
}

function isClosed(): StatusError {
  return StatusError.http(503, 'the gateway is closed; the application is about to stop');
}
