/** Whether the reader of what is written still reads. Checked at intervals, so that a write costs nothing. */
import type { Socket } from 'node:net';
import { handleOf } from './node-internals.js';

/** Something that is written to a reader. */
export interface Written {
  /** Bytes that the reader has not taken. */
  readonly unsentBytes: number;
  /** All bytes that the reader has taken. Never decreases. */
  readonly takenBytes: number;
}

/** Notices a reader that takes nothing for a time though something waits for it. */
export class Progress {
  private takenBytes = -Infinity;
  private sinceMs = 0;

  /** @param timeoutMs how long a reader may take nothing */
  constructor(
    private readonly written: Written,
    private readonly timeoutMs: number,
  ) {}

  /** True if the reader has taken nothing for `timeoutMs`, as far as earlier calls saw. */
  isStalled(nowMs: number): boolean {
    const { unsentBytes, takenBytes } = this.written;
    if (unsentBytes === 0) {
      this.takenBytes = -Infinity;
    } else if (takenBytes > this.takenBytes) {
      this.takenBytes = takenBytes;
      this.sinceMs = nowMs;
    } else {
      return nowMs - this.sinceMs >= this.timeoutMs;
    }
    return false;
  }
}

/** What the system has taken of a socket's bytes, also of one large write that is on its way for minutes. */
export class SocketWritten implements Written {
  /** @param socket the TCP socket, also if TLS or HTTP/2 write past its stream */
  constructor(private readonly socket: Socket) {}

  get unsentBytes(): number {
    return handleOf(this.socket)?.writeQueueSize ?? this.socket.writableLength;
  }

  get takenBytes(): number {
    return (handleOf(this.socket)?.bytesWritten ?? this.socket.bytesWritten) - this.unsentBytes;
  }
}
