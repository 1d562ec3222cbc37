/** The adapter for the upgrades of Node's servers: WebSockets of streaming routes. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { embeddedUpgrade, ignoreUpgrade, refuseOtherUpgrades, SocketAcceptor } from '../server/index.js';
import { baseOf, type Host, isBelow } from './host.js';
import type { AttachOptions, UpgradeHandler, UpgradingServer } from './types.js';

export class Upgrades {
  private readonly acceptor = new SocketAcceptor();

  constructor(private readonly host: Host) {}

  readonly handler: UpgradeHandler = (request, socket, start, next) => this.take('', request, socket, start, next);

  readonly attach = (server: UpgradingServer, { prefix }: AttachOptions = {}): void => {
    const base = baseOf(prefix);
    refuseOtherUpgrades(server);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, start: Buffer) => {
      this.take(base, request, socket, start, () => {
        // Where others listen, too, it may be theirs.
        if (server.listenerCount('upgrade') === 1) ignoreUpgrade(server, request, socket, start);
      });
    });
  };

  private take(
    base: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    next: (() => void) | undefined,
  ): void {
    const { host } = this;
    const upgrade = embeddedUpgrade(request, socket, head, this.acceptor, host.idleTimeoutMs);
    const { start, isWebSocket } = upgrade;
    const isOurs = isWebSocket && isBelow(start.target, base) && host.takesSocket(start, base.length);
    if (isOurs || next === undefined) host.serve(upgrade.open(), base.length);
    else next();
  }
}
