/**
 * One HTTP/2 connection of a server of ours or of the application, and its streams. Decides when a stream is served, and
 * notices clients that read nothing.
 */
import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';
import type { ConnectionCare } from './http1-connection.js';
import type { Http2Connection, Http2Exchange } from './http2-exchange.js';
import { Intake } from './intake.js';
import { peerOf } from './peer.js';
import { Progress, SocketWritten } from './progress.js';
import type { Watched } from './pulse.js';

/** An HTTP/2 connection, whoever owns its server. */
export class ClientSession implements Http2Connection, Watched {
  readonly peer: Peer;
  readonly intake: Intake<Http2Exchange>;
  private readonly progress: Progress;

  /**
   * @param socket as Node's session shows it
   * @param tcp the socket below the session, and below TLS if it is known
   * @param cut closes the connection at once
   */
  constructor(
    socket: Pick<Socket, 'destroyed' | 'remoteAddress' | 'remotePort'>,
    private readonly care: ConnectionCare,
    tcp: Socket,
    private readonly cut: () => void,
  ) {
    const { maxConnectionRequests, writeTimeoutMs } = care.options;
    this.peer = peerOf(socket);
    this.intake = new Intake(care.capacity, maxConnectionRequests);
    this.progress = new Progress(new SocketWritten(tcp), writeTimeoutMs);
    care.pulse.add(this);
  }

  /** A client may stop reading one stream (its window stays shut), or the whole connection. */
  checkTimeouts(nowMs: number): void {
    if (this.progress.isStalled(nowMs)) return this.cut();
    for (const exchange of this.intake.all()) if (exchange.isStalled(nowMs)) exchange.cut();
  }

  /** The connection is closed. Its streams notice by themselves. */
  closed(): void {
    this.care.pulse.delete(this);
  }
}
