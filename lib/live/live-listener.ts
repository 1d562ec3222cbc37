/** An open listener whose routes can be replaced. A request uses the routes that are current when it arrives, to its end. */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorWriter, Exchange } from '../exchange.js';
import type { RequestCount } from '../gateway/index.js';
import { snakeCase } from '../options/index.js';
import type { PreparedListener } from '../proxy/index.js';
import { defaultListenerOptions, type ExchangeHandler, listen, type Listener } from '../server/index.js';
import type { Problem } from '../status.js';

/** A listener whose routes are replaced while it is open. */
export class LiveListener implements ExchangeHandler {
  private listener: Listener | undefined;
  /** What the port was opened with, and has until it is closed. */
  private readonly opened: Readonly<Record<string, unknown>>;
  /** Of all its routes, mounts and those before a reload included. */
  private readonly count: RequestCount = { active: 0 };

  /** @param current what it serves. */
  constructor(public current: PreparedListener) {
    this.opened = openedWith(current);
    this.countIn(current);
  }

  private countIn({ parts }: PreparedListener): void {
    for (const { gateway } of parts) gateway.countIn(this.count);
  }

  get writeError(): ErrorWriter {
    return this.current.handler.writeError;
  }

  get maxConcurrentRequests(): number | undefined {
    return this.current.handler.maxConcurrentRequests;
  }

  handle(exchange: Exchange): void {
    this.current.handler.handle(exchange);
  }

  get connections(): number {
    return this.listener?.connections ?? 0;
  }

  get certificateExpires(): Date | undefined {
    return this.listener?.certificateExpires;
  }

  get url(): string {
    return this.listener!.url;
  }

  /** Of a socket that was handed over. */
  get fd(): number | undefined {
    return this.current.config.fd;
  }

  /** The address that is really bound, once it is open. */
  get boundHost(): string | undefined {
    return this.listener?.address.host;
  }

  /** @throws ConfigError as `listen`. */
  async open(): Promise<void> {
    const { host, port, fd, root, certificates } = this.current.config;
    this.listener = await listen({ ...root.options, host, port, fd, certificates }, this);
  }

  async drain(): Promise<void> {
    const { drainTimeoutMs, drainDelayMs } = this.current.config.root.options;
    await this.listener?.drain(drainTimeoutMs, drainDelayMs);
  }

  closeNow(): void {
    this.listener?.closeNow();
  }

  isAt({ config: { host, port, fd } }: PreparedListener): boolean {
    const { config } = this.current;
    return config.host === host && config.port === port && config.fd === fd;
  }

  /** Serves this from now on; returns what of it needs a restart. */
  replace(next: PreparedListener): Problem[] {
    const after = openedWith(next);
    const changed = [...Object.keys(defaultListenerOptions), 'certificates'].filter(
      (key) => !isDeepStrictEqual(this.opened[key], after[key]),
    );
    this.countIn(next);
    this.current = next;
    if (changed.length === 0) return [];
    const names = changed.map((key) => snakeCase(key.replace(/Ms$/, '')));
    return [
      needsRestart(
        `${names.join(', ')} of the listener ${next.config.listen} changed, and its port has the old values`,
      ),
    ];
  }
}

/** A change that a reload cannot apply. @param what `x changed, and y holds` */
export function needsRestart(what: string): Problem {
  return { code: 'needs-restart', message: `${what} until a restart`, hint: 'restart photongate to take it' };
}

/** What a port is opened with. */
function openedWith({ config: { root, certificates } }: PreparedListener): Readonly<Record<string, unknown>> {
  return { ...root.options, certificates };
}
