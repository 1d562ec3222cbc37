/** The transport stdio: one message on each line, both ways. Nothing else is written. */
import type { Readable, Writable } from 'node:stream';
import type { HeaderFields } from '../headers.js';
import { randomUUID } from 'node:crypto';
import { Pieces } from '../wire/index.js';
import { errorMessage, RpcCode, RpcError } from './json-rpc.js';
import type { McpServer, Replies, RunningCall } from './server.js';
import type { Agent } from './agent-exchange.js';

/** How a client over stdio is seen by the gateway. */
export interface StdioClient {
  /** Headers of all its calls, such as a token. */
  readonly headers: HeaderFields;
  /** Largest message, in bytes; a longer line is answered with an error. */
  readonly maxMessageBytes: number;
}

const LINE_FEED = 0x0a;

/** Serves one client until its input ends or the output is gone; calls under way are cancelled then. */
export function serveStdio(server: McpServer, input: Readable, output: Writable, client: StdioClient): Promise<void> {
  const session = randomUUID();
  const calls = new Set<RunningCall>();
  const write = (message: Buffer): boolean => output.write(Buffer.concat([message, Buffer.of(LINE_FEED)]));
  const take = (line: Buffer): void => {
    if (/^\s*$/.test(line.toString('latin1', 0, 10)) && line.toString().trim() === '') return;
    const replies = new StdioReplies(session, write, (call) => calls.delete(call));
    replies.call = server.receive(line, agentOf(client), replies);
    if (replies.call !== undefined && !replies.isDone) calls.add(replies.call);
  };
  const refuse = (): void => {
    const message = `the message has more than ${client.maxMessageBytes} bytes (max_body_bytes)`;
    write(errorMessage('null', new RpcError(RpcCode.INVALID_REQUEST, message)));
  };
  const lines = new Lines(client.maxMessageBytes, take, refuse);
  output.on('drain', () => {
    for (const call of calls) call.drained();
  });
  return new Promise((resolve) => {
    const end = (): void => {
      input.off('data', onData);
      server.endSession(session);
      resolve();
    };
    const onData = (chunk: Buffer): void => lines.push(chunk);
    input.on('data', onData).once('end', end).once('close', end).once('error', end);
    output.once('close', end).once('error', end);
  });
}

/** Its calls have no address: they are made on this machine. */
function agentOf({ headers }: StdioClient): Agent {
  return {
    headers: ['host', 'localhost', ...headers],
    query: undefined,
    requestId: randomUUID(),
    httpVersion: '1.1',
    peer: { address: 'unix', port: 0 },
    secure: false,
    expect: () => true,
  };
}

/** Cuts bytes into lines, none of which is kept beyond the limit. */
class Lines {
  private readonly pieces = new Pieces();
  private isSkipping = false;

  constructor(
    private readonly maxBytes: number,
    private readonly onLine: (line: Buffer) => void,
    private readonly onTooLong: () => void,
  ) {}

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.add(chunk.subarray(start, end));
      start = end + 1;
      const line = this.pieces.takeAll();
      if (!this.isSkipping) this.onLine(line);
      this.isSkipping = false;
    }
    this.add(chunk.subarray(start));
  }

  private add(part: Buffer): void {
    if (this.isSkipping || part.length === 0) return;
    if (this.pieces.length + part.length <= this.maxBytes) return this.pieces.push(part);
    this.pieces.clear();
    this.isSkipping = true;
    this.onTooLong();
  }
}

class StdioReplies implements Replies {
  readonly headers = undefined;
  readonly takesNotes = true;
  /** What the message has started. */
  call: RunningCall | undefined;
  isDone = false;

  constructor(
    readonly session: string,
    private readonly write: (message: Buffer) => boolean,
    private readonly onDone: (call: RunningCall) => void,
  ) {}

  answer(message: Buffer | undefined): void {
    this.isDone = true;
    if (message !== undefined) this.write(message);
    if (this.call !== undefined) this.onDone(this.call);
  }

  note(message: Buffer): boolean {
    return this.write(message);
  }
}
