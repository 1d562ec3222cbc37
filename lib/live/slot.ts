/** An open listener whose routes can be exchanged: requests take those that stand when they come, and end on them. */
import type { ErrorWriter, Exchange } from '../exchange.js';
import type { RequestCount } from '../gateway/index.js';
import type { PreparedListener } from '../proxy.js';
import { defaultListenerOptions, type ExchangeHandler, listen, type Listener } from '../server/index.js';
import type { Problem } from '../status.js';

export class Slot implements ExchangeHandler {
  private listener: Listener | undefined;
  /** Of all its routes, mounts and those before a reload included. */
  private readonly count: RequestCount = { active: 0 };

  /** @param current what it serves. */
  constructor(public current: PreparedListener) {
    this.countIn(current);
  }

  private countIn({ parts }: PreparedListener): void {
    for (const { gateway } of parts) gateway.countIn(this.count);
  }

  get writeError(): ErrorWriter {
    return this.current.handler.writeError;
  }

  handle(exchange: Exchange): void {
    this.current.handler.handle(exchange);
  }

  get url(): string {
    return this.listener!.url;
  }

  /** @throws ConfigError as `listen`. */
  async open(): Promise<void> {
    const { host, port, root } = this.current.config;
    this.listener = await listen({ ...root.options, host, port }, this);
  }

  async drain(timeoutMs = this.current.config.root.options.drainTimeoutMs): Promise<void> {
    await this.listener?.drain(timeoutMs);
  }

  isAt({ config: { host, port } }: PreparedListener): boolean {
    return this.current.config.host === host && this.current.config.port === port;
  }

  /** Serves this from now on; returns what of it needs a restart. */
  take(next: PreparedListener): Problem[] {
    const before: Readonly<Record<string, unknown>> = { ...this.current.config.root.options };
    const after: Readonly<Record<string, unknown>> = { ...next.config.root.options };
    const changed = Object.keys(defaultListenerOptions).filter((key) => before[key] !== after[key]);
    this.countIn(next);
    this.current = next;
    if (changed.length === 0) return [];
    const names = changed.map((key) =>
      key.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    );
    return [
      needsRestart(
        `${names.join(', ')} of the listener ${next.config.listen} changed, and its port has the old values`,
      ),
    ];
  }
}

export function needsRestart(what: string): Problem {
  return { code: 'needs-restart', message: `${what} until a restart`, hint: 'restart photongate to take it' };
}
