/**
 * Large messages are read and written in another thread, so that no other request waits for them. This is what a unary call
 * knows of it; the room `threads` does it.
 */
import type { Captures, Metadata, Reply, RequestHead, UnaryExchange } from '../exchange.js';
import { integerValue, option, sizeValue } from '../options/index.js';

const MEBIBYTE = 1024 ** 2;

/** The options of large messages. */
export const largeMessageOptions = {
  large_message_bytes: option(sizeValue(1024, 2 ** 31 - 1), {
    default: 4 * MEBIBYTE,
    processOnly: true,
    group: 'limits',
    text: 'larger bodies and answers of unary calls are transcoded in a thread of their own, so that no other request waits for them',
  }),
  large_message_threads: option(integerValue(0, 64), {
    default: 1,
    processOnly: true,
    group: 'limits',
    text: 'how many threads transcode large messages; each starts when it is needed, loads the schema again, and ends after a minute without work. 0: the event loop does it',
  }),
};

/** Who works on large messages. */
export interface LargeMessages {
  /** Bodies and messages of more bytes are large. */
  readonly aboveBytes: number;
  /**
   * The parts of a body → the request message. The memory of the parts is given away.
   * Rejects with what `UnaryExchange.request` throws, or with `NotElsewhere`; then the parts are as they were.
   */
  request(call: LargeCall, body: readonly Buffer[]): Promise<Buffer>;
  /** As `UnaryExchange.reply`. Rejects with what that throws, or with `NotElsewhere`. */
  reply(call: LargeCall, message: Buffer, headers: Metadata, trailers: Metadata): Promise<Reply>;
}

/** The work is to be done here. */
export class NotElsewhere extends Error {
  override readonly name = 'NotElsewhere';
}

/** A unary call whose messages may be large. */
export class LargeCall {
  /** False once nobody waits for the result. */
  isWanted = true;

  /** @param plan the key of its plan */
  constructor(
    private readonly messages: LargeMessages,
    readonly plan: string,
    readonly head: RequestHead,
    readonly captures: Captures,
  ) {}

  get aboveBytes(): number {
    return this.messages.aboveBytes;
  }

  /** @param here does the work if nobody else can */
  async request(body: readonly Buffer[], here: Pick<UnaryExchange, 'request'>): Promise<Buffer> {
    try {
      return await this.messages.request(this, body);
    } catch (error) {
      if (!(error instanceof NotElsewhere)) throw error;
      return here.request(Buffer.concat(body));
    }
  }

  /** @param here does the work if nobody else can */
  async reply(
    message: Buffer,
    headers: Metadata,
    trailers: Metadata,
    here: Pick<UnaryExchange, 'reply'>,
  ): Promise<Reply> {
    try {
      return await this.messages.reply(this, message, headers, trailers);
    } catch (error) {
      if (!(error instanceof NotElsewhere)) throw error;
      return here.reply(message, headers, trailers);
    }
  }
}
