/** All channels of a proxy, by target and options: the same pair is the same channel, with one set of connections. */
import type { Channel } from '../exchange.js';
import type { Problem } from '../status.js';
import { watchTlsFiles } from '../tls/index.js';
import { GrpcJsChannel } from './grpc-js/channel.js';
import { NativeChannel } from './native/channel.js';
import { defaultUpstreamOptions, type UpstreamOptions } from './options.js';
import { parseTarget } from './target.js';
import { type UpstreamTls, upstreamTlsFiles, upstreamTlsNames } from './tls.js';

export class ChannelPool {
  /** What is odd about the certificates of the channels that were opened. */
  readonly warnings: Problem[] = [];
  private readonly channels = new Map<string, Channel>();

  /**
   * The channel to a target; nothing is connected before the first call or `connect`.
   * @throws ConfigError `bad-target`, and what `readTlsFiles` throws.
   */
  open(target: string, options: Partial<UpstreamOptions> = {}): Channel {
    const parsed = parseTarget(target);
    const complete: UpstreamOptions = { ...defaultUpstreamOptions, ...options };
    const { tls, ...others } = complete;
    const key = JSON.stringify([parsed.uri, sorted(others), tls && sortedTls(tls)]);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      const files = tls && watchTlsFiles(upstreamTlsFiles(tls), upstreamTlsNames);
      this.warnings.push(...(files?.material.warnings ?? []));
      const Client = complete.client === 'native' ? NativeChannel : GrpcJsChannel;
      channel = new Client(parsed, complete, files);
      this.channels.set(key, channel);
    }
    return channel;
  }

  /** Closes all channels but these; calls in flight go on to their end. */
  keepOnly(used: ReadonlySet<Channel>): void {
    for (const [key, channel] of this.channels) {
      if (used.has(channel)) continue;
      this.channels.delete(key);
      channel.close();
    }
  }

  /** Closes all channels; calls in flight go on to their end. */
  close(): void {
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
  }
}

function sorted(options: object): unknown[] {
  return Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Equal for equal settings. */
function sortedTls({ ca, cert, key, authority }: UpstreamTls): unknown[] {
  return [ca, cert, key, authority];
}
