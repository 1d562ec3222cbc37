/** All channels of a proxy. The same target with the same options shares one channel and its connections. */
import type { ChannelStatus } from '../channel-status.js';
import type { Channel, HttpChannel } from '../exchange.js';
import { Holder, Shared } from '../shared.js';
import type { Problem } from '../status.js';
import { type WatchedTlsFiles, watchTlsFiles } from '../tls/index.js';
import { GrpcJsChannel } from './grpc-js/channel.js';
import { NativeChannel } from './native/channel.js';
import { defaultUpstreamOptions, type UpstreamOptions } from './options.js';
import { parseTarget, type Target } from './target.js';
import { upstreamTlsFiles, upstreamTlsNames } from './tls.js';

/** A channel and the certificates that it uses. */
interface OpenChannel {
  readonly channel: Channel;
  readonly files: WatchedTlsFiles | undefined;
}

/** Opens channels, and closes each with its last holder. */
export class ChannelPool {
  private readonly channels = new Shared<OpenChannel>(({ channel }) => channel.close());
  /** Holds channels that stay open until the pool is closed. */
  private readonly own = new Holder();

  get size(): number {
    return this.channels.size;
  }

  /**
   * The channel to a target. It connects on the first call or on `connect`.
   * @param holder keeps it open. Default: it stays open until `close`.
   * @throws ConfigError `bad-target`, and problems of `readTlsFiles` and `openXds`.
   */
  open(target: string, options: Partial<UpstreamOptions> = {}, holder = this.own): Channel {
    const complete: UpstreamOptions = { ...defaultUpstreamOptions, ...options };
    const Client = complete.upstreamClient === 'native' ? NativeChannel : GrpcJsChannel;
    return this.hold(target, complete, holder, (parsed, files) => new Client(parsed, complete, files));
  }

  /**
   * As `open`, by our own client, which takes HTTP requests of any kind too. It is the channel of `open` where that uses the
   * same client.
   */
  openHttp(target: string, options: Partial<UpstreamOptions>, holder: Holder): Channel & HttpChannel {
    const complete: UpstreamOptions = { ...defaultUpstreamOptions, ...options, upstreamClient: 'native' };
    const channel = this.hold(target, complete, holder, (parsed, files) => new NativeChannel(parsed, complete, files));
    return channel as NativeChannel;
  }

  private hold(
    target: string,
    options: UpstreamOptions,
    holder: Holder,
    open: (parsed: Target, files: WatchedTlsFiles | undefined) => Channel,
  ): Channel {
    const parsed = parseTarget(target);
    const { tls, ...others } = options;
    const key = JSON.stringify([parsed.uri, sorted(others), tls && [tls.ca, tls.cert, tls.key, tls.authority]]);
    const opened = (): OpenChannel => {
      const files = tls && watchTlsFiles(upstreamTlsFiles(tls), upstreamTlsNames);
      return { channel: open(parsed, files), files };
    };
    return this.channels.hold(key, holder, opened).channel;
  }

  /** The channels of a holder get calls from now on. */
  start(holder: Holder): void {
    for (const { channel } of this.channels.heldBy(holder)) channel.prepare?.();
  }

  /** Warnings about the certificates of the channels of a holder. */
  warningsFor(holder: Holder): Problem[] {
    return [...this.channels.heldBy(holder)].flatMap(({ files }) => files?.material.warnings ?? []);
  }

  /** What the channels have open, as far as they say. */
  get status(): ChannelStatus[] {
    return [...this.channels.values()].flatMap(({ channel }) => channel.status?.() ?? []);
  }

  /** Closes all channels; current calls go on to their end. */
  close(): void {
    this.channels.closeAll();
  }
}

function sorted(options: object): unknown[] {
  return Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
}
