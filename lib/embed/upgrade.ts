/** The adapter for the upgrades of Node's servers: WebSockets of streaming routes. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { embeddedUpgrade, ignoreUpgrade, refuseOtherUpgrades, SocketAcceptor } from '../server/index.js';
import { baseOf, type Host, isBelow } from './host.js';
import type { AttachOptions, UpgradeHandler, UpgradingServer } from './types.js';

/** Makes `gateway.upgrade` and `gateway.attach`. */
export class Upgrades {
  private readonly acceptor = new SocketAcceptor();

  constructor(private readonly host: Host) {}

  readonly handler: UpgradeHandler = (request, socket, start, next) => this.take('', request, socket, start, next);

  readonly attach = (server: UpgradingServer, { prefix }: AttachOptions = {}): void => {
    const base = baseOf(prefix);
    refuseOtherUpgrades(server);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, start: Buffer) => {
      this.take(base, request, socket, start, () => {
        // If others listen, too, it may be theirs.
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
    const { connections, options } = host;
    const tcp = socket as Socket;
    const upgrade = embeddedUpgrade(request, tcp, head, this.acceptor, connections, options.idleTimeoutMs);
    const { start, isWebSocket } = upgrade;
    const isOurs = isWebSocket && isBelow(start.target, base) && host.takesSocket(start, base.length);
    if (isOurs || next === undefined) host.serve(upgrade.open(), base, base.length);
    else next();
  }
}
