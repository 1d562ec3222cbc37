/**
 * One of the servers behind the proxy, in a process of its own: `server.ts PORT JOURNAL`. It writes each request that it gets to
 * its journal before it answers, so that what it has seen is known even if it is killed. SIGTERM ends it in order.
 */
import { Server, ServerCredentials, type ServerDuplexStream, type ServerReadableStream } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Ask, chaosService } from './service.js';

const [port = '0', journalFile = ''] = process.argv.slice(2);
const journal = openSync(journalFile, 'a');

/** How long it works on a request at most, in milliseconds. */
const MAX_WORK_MS = 30;

/** `seen`: a request has begun; `whole`: a request of several messages has come to its end. */
function note(what: 'seen' | 'whole', id: string): void {
  writeSync(journal, `${what} ${id}\n`);
}

const work = (): Promise<void> => sleep(Math.random() * MAX_WORK_MS);

async function unary({ request }: ServerUnaryCall<Ask, Answer>, done: sendUnaryData<Answer>): Promise<void> {
  const { id, payload } = request;
  note('seen', id);
  await work();
  done(null, { id, seq: 1, digest: createHash('sha256').update(payload).digest('hex') });
}

async function watch(call: ServerWritableStream<Ask, Answer>): Promise<void> {
  const { id, count, payload } = call.request;
  note('seen', id);
  const digest = createHash('sha256').update(payload).digest('hex');
  for (let seq = 1; seq <= count; seq++) {
    await work();
    if (call.cancelled) return;
    call.write({ id, seq, digest });
  }
  call.end();
}

/** Reads a request of several messages, and notes it. */
class Reader {
  id = '';
  seq = 0;
  private readonly hash = createHash('sha256');

  add({ id, payload }: Ask): Answer {
    if (this.seq === 0) note('seen', id);
    if (this.seq > 0 && id !== this.id) note('seen', `${this.id} with a message of ${id}`);
    this.id = id;
    this.hash.update(payload);
    return { id, seq: ++this.seq, digest: this.hash.copy().digest('hex') };
  }

  /** Node ends what it reads also if the stream is reset; grpc-js tells the difference a moment later. */
  async end(call: { readonly cancelled: boolean }): Promise<void> {
    await nextTurn();
    if (this.seq > 0 && !call.cancelled) note('whole', this.id);
  }
}

function upload(call: ServerReadableStream<Ask, Answer>, done: sendUnaryData<Answer>): void {
  const reader = new Reader();
  let answer: Answer | undefined;
  call.on('data', (ask: Ask) => (answer = reader.add(ask)));
  const end = async (): Promise<void> => {
    await reader.end(call);
    await work();
    done(null, answer);
  };
  call.on('end', () => void end());
}

function talk(call: ServerDuplexStream<Ask, Answer>): void {
  const reader = new Reader();
  call.on('data', (ask: Ask) => call.write(reader.add(ask)));
  call.on('end', () => void reader.end(call).then(() => call.end()));
}

const server = new Server();
const unaryHandler = (call: ServerUnaryCall<Ask, Answer>, done: sendUnaryData<Answer>): void => void unary(call, done);
server.addService(chaosService, {
  ...{ Get: unaryHandler, Put: unaryHandler, Do: unaryHandler },
  Watch: (call: ServerWritableStream<Ask, Answer>) => void watch(call),
  ...{ Upload: upload, Talk: talk },
});
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
  if (error !== null) throw error;
  console.log(bound);
});
process.on('SIGTERM', () => server.tryShutdown(() => process.exit()));
// Not to outlive a run that was killed itself.
process.stdin.resume().on('end', () => process.exit());
