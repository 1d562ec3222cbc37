/** Requests of all kinds, each with an id of its own, and what their answers mean. */
import { Client, credentials, Metadata, type ServiceError, status as Code, type StatusObject } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Random } from '../support/random.js';
import { type HttpAnswer, type HttpClient, http1Client, http2Client } from './http-client.js';
import { connectStream, type Dialect, grpcWeb } from './enveloped.js';
import type { Ledger, Outcome, Request } from './ledger.js';
import { type Answer, type Ask, chaosService } from './service.js';

/** Messages of errors that promise that no server has looked at the request. */
const refusal =
  /cannot connect to|no connection to|closed before the call started|refused the call|no server of|is overloaded/;

/** HTTP statuses and gRPC codes of a server that fails; all others would be a mistake. */
const failingStatuses = new Set([500, 503, 504]);
const failingCodes = new Set<number>([Code.UNKNOWN, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNAVAILABLE]);

const wrong = (why: string): Outcome => ({ kind: 'wrong', why: why.slice(0, 400) });
const failed = (why: string): Outcome => ({ kind: refusal.test(why) ? 'refused' : 'unknown', why: why.slice(0, 200) });
const ok: Outcome = { kind: 'ok' };
/** Whoever sends it knows no more than that its connection is gone. */
const brokenProxy: Outcome = { kind: 'unknown', why: 'the connection to the proxy broke' };

const digestOf = (...payloads: readonly string[]): string => {
  const hash = createHash('sha256');
  for (const payload of payloads) hash.update(payload);
  return hash.digest('hex');
};

/** One kind of request: what is sent depends on the generator alone. */
export interface Kind {
  readonly name: string;
  readonly isIdempotent: boolean;
  readonly isUpload: boolean;
  send(load: Load, id: string): Promise<Outcome>;
}

export interface LoadOptions {
  readonly ports: readonly number[];
  readonly random: Random;
  readonly ledger: Ledger;
  /** How often an RPC that may be repeated is sent at most. */
  readonly attempts: number;
  readonly users: number;
  /** Workers of the proxy are killed: connections to it may break. */
  readonly breaks: boolean;
}

/** Clients of all kinds, and users who send one request after the other by them. */
export class Load {
  readonly random: Random;
  readonly https: readonly HttpClient[];
  readonly grpc: Client;
  private readonly port: number;
  private isOver = false;
  private last = 0;
  private users: Promise<void>[] = [];

  constructor(
    private readonly options: LoadOptions,
    private readonly prefix: string,
  ) {
    const [port = 0] = options.ports;
    this.port = port;
    this.random = options.random;
    this.https = [http1Client(port), http2Client(port), http2Client(port)];
    const channel = { 'grpc.enable_retries': 0, 'grpc.max_receive_message_length': -1 };
    this.grpc = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), channel);
  }

  start(): void {
    this.users = Array.from({ length: this.options.users }, () => this.user());
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.users);
    this.close();
  }

  /** Closes the connections. */
  close(): void {
    for (const client of this.https) client.close();
    this.grpc.close();
  }

  get breaks(): boolean {
    return this.options.breaks;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Of most requests: the time that they have. */
  deadlineMs(): number | undefined {
    return this.random.one(5) ? undefined : 1500;
  }

  private async user(): Promise<void> {
    while (!this.isOver) {
      await this.once(this.random.pick(kinds));
      await sleep(this.random.below(60));
    }
  }

  once(kind: Kind): Promise<Outcome> {
    const { ledger, attempts } = this.options;
    const id = `${this.prefix}-${++this.last}`;
    const { name: what, isUpload, isIdempotent } = kind;
    const request: Request = { id, what, isUpload, mostSeen: isIdempotent ? attempts : 1 };
    return ledger.run(request, () => kind.send(this, id));
  }
}

// ------------------------------------------------------------------------------------------- REST

function payloadOf(random: Random, isLong: boolean): string {
  return `${random.next()} `.repeat(isLong ? 20_000 + random.below(100_000) : 1 + random.below(20));
}

function headersOf(load: Load, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const deadlineMs = load.deadlineMs();
  const deadline = deadlineMs === undefined ? {} : { 'x-request-timeout': `${deadlineMs}ms` };
  return { 'content-type': 'application/json', ...deadline, ...more };
}

function cutInto(text: string, bytes: number): Buffer[] {
  const all = Buffer.from(text);
  return Array.from({ length: Math.ceil(all.length / bytes) }, (_, index) =>
    all.subarray(index * bytes, (index + 1) * bytes),
  );
}

/** The error in an answer that is not 200; undefined: there is none. */
function errorIn(load: Load, { status, text, isWhole, error }: HttpAnswer): Outcome | undefined {
  if (!isWhole && load.breaks) return brokenProxy;
  if (!isWhole) return wrong(`the answer broke off: ${status} ${error} ${text}`);
  if (status === 200) return undefined;
  if (!failingStatuses.has(status)) return wrong(`${status} ${text}`);
  return failed((JSON.parse(text) as { message: string }).message);
}

function answerIs(answer: Partial<Answer>, expected: Answer): Outcome {
  const { id, seq, digest } = answer;
  const isRight = id === expected.id && seq === expected.seq && digest === expected.digest;
  return isRight ? ok : wrong(`answered ${JSON.stringify(answer)} instead of ${JSON.stringify(expected)}`);
}

function unary(name: string, method: string, path: string, isIdempotent: boolean, isLong = false): Kind {
  return {
    name,
    isIdempotent,
    isUpload: false,
    async send(load, id) {
      const { random } = load;
      const payload = payloadOf(random, isLong);
      const isGet = method === 'GET';
      const answer = await random.pick(load.https).send({
        method,
        path: isGet ? `${path}/${id}?payload=${encodeURIComponent(payload)}` : path,
        headers: headersOf(load),
        pieces: isGet ? [] : cutInto(JSON.stringify({ id, payload }), 64 * 1024),
        pauseMs: isLong ? random.below(10) : 0,
        leaves: false,
      });
      const expected = { id, seq: 1, digest: digestOf(payload) };
      return errorIn(load, answer) ?? answerIs(JSON.parse(answer.text) as Answer, expected);
    },
  };
}

interface StreamError {
  readonly error?: { readonly message: string };
}

/** Formats of server streams, and how their messages are read; an error is a message of its own. */
const formats: Readonly<Record<string, (text: string) => (Answer & StreamError)[]>> = {
  'application/x-ndjson': (text) => text.split('\n').filter(Boolean).map(parseJson),
  'text/event-stream': (text) =>
    text
      .split('\n\n')
      .filter((event) => event.includes('data: '))
      .map((event) => parseJson(event.slice(event.indexOf('data: ') + 6))),
  'application/json': (text) => JSON.parse(text) as (Answer & StreamError)[],
};

function parseJson(text: string): Answer & StreamError {
  return JSON.parse(text) as Answer & StreamError;
}

const watch: Kind = {
  name: 'server stream',
  isIdempotent: false,
  isUpload: false,
  async send(load, id) {
    const { random } = load;
    const payload = payloadOf(random, false);
    const count = random.below(12);
    const format = random.pick(Object.keys(formats));
    const answer = await random.pick(load.https).send({
      method: 'POST',
      path: '/v1/watch',
      headers: headersOf(load, { accept: format }),
      pieces: [Buffer.from(JSON.stringify({ id, count, payload }))],
      pauseMs: 0,
      leaves: false,
    });
    const { status, text, isWhole, error } = answer;
    if (status !== 200) return errorIn(load, answer) ?? ok;
    if (!isWhole) return failed(`the stream broke off ${error === '' ? '' : 'with an error'}`);
    const messages = formats[format]!(text);
    const failure = messages.at(-1)?.error;
    if (failure !== undefined) return failed(failure.message);
    if (messages.length !== count) return wrong(`a whole stream of ${messages.length}, not ${count}: ${text}`);
    const digest = digestOf(payload);
    const all = messages.map((message, index) => answerIs(message, { id, seq: index + 1, digest }));
    return all.find(({ kind }) => kind !== 'ok') ?? ok;
  },
};

const upload: Kind = {
  name: 'client stream',
  isIdempotent: false,
  isUpload: true,
  async send(load, id) {
    const { random } = load;
    const payloads = Array.from({ length: 2 + random.below(10) }, () => payloadOf(random, random.one(8)));
    const leaves = random.one(6);
    // Node's HTTP/2 client ends a stream before it resets it.
    const client = leaves ? load.https[0]! : random.pick(load.https);
    const answer = await client.send({
      method: 'POST',
      path: '/v1/upload',
      headers: headersOf(load, { 'content-type': 'application/x-ndjson' }),
      pieces: payloads.map((payload) => Buffer.from(`${JSON.stringify({ id, payload })}\n`)),
      pauseMs: random.below(15),
      leaves,
    });
    if (leaves && answer.status === 0) return { kind: 'left', why: 'in the middle of an upload' };
    const expected = { id, seq: payloads.length, digest: digestOf(...payloads) };
    return errorIn(load, answer) ?? answerIs(JSON.parse(answer.text) as Answer, expected);
  },
};

/** There was no close frame. */
const ABNORMAL_CLOSURE = 1006;

const webSocket: Kind = {
  name: 'WebSocket',
  isIdempotent: false,
  isUpload: true,
  send(load, id) {
    const { random } = load;
    const payloads = Array.from({ length: 1 + random.below(8) }, () => payloadOf(random, false));
    const socket = new WebSocket(`${load.url}/v1/talk`);
    const answers: (Answer & StreamError)[] = [];
    return new Promise((resolve) => {
      socket.on('error', (error) => resolve(load.breaks ? brokenProxy : wrong(error.message)));
      socket.on('message', (data: Buffer) => answers.push(parseJson(data.toString())));
      socket.on('open', () => {
        for (const payload of payloads) socket.send(JSON.stringify({ id, payload }));
        socket.send('');
      });
      socket.on('close', (code) => {
        const failure = answers.at(-1)?.error;
        if (failure !== undefined && code >= 4000) return resolve(failed(failure.message));
        if (code === ABNORMAL_CLOSURE && load.breaks) return resolve(brokenProxy);
        if (code !== 1000) return resolve(wrong(`closed with ${code} after ${JSON.stringify(answers)}`));
        if (answers.length !== payloads.length) return resolve(wrong(`an end after ${answers.length} answers`));
        const all = answers.map((answer, index) =>
          answerIs(answer, { id, seq: index + 1, digest: digestOf(...payloads.slice(0, index + 1)) }),
        );
        resolve(all.find(({ kind }) => kind !== 'ok') ?? ok);
      });
    });
  },
};

// --------------------------------------------------------------------------- gRPC-Web, Connect

/** Unary calls of Connect are like those of REST. */
const connectUnary = (rpc: 'Get' | 'Do'): Kind => ({
  name: `Connect ${rpc}`,
  isIdempotent: rpc === 'Get',
  isUpload: false,
  async send(load, id) {
    const { random } = load;
    const payload = payloadOf(random, false);
    const answer = await random.pick(load.https).send({
      method: 'POST',
      path: chaosService[rpc]!.path,
      headers: headersOf(load, { 'connect-protocol-version': '1' }),
      pieces: [Buffer.from(JSON.stringify({ id, payload }))],
      pauseMs: 0,
      leaves: false,
    });
    const expected = { id, seq: 1, digest: digestOf(payload) };
    return errorIn(load, answer) ?? answerIs(JSON.parse(answer.text) as Answer, expected);
  },
});

function enveloped(rpc: 'Get' | 'Do' | 'Watch', dialect: Dialect): Kind {
  return {
    name: `${dialect.name} ${rpc}`,
    isIdempotent: rpc === 'Get',
    isUpload: false,
    async send(load, id) {
      const { random } = load;
      const payload = payloadOf(random, false);
      const count = rpc === 'Watch' ? random.below(12) : 1;
      const answer = await random.pick(load.https).send({
        method: 'POST',
        path: chaosService[rpc]!.path,
        headers: headersOf(load, { 'content-type': dialect.contentType }),
        pieces: [dialect.body(rpc, { id, count, payload })],
        pauseMs: 0,
        leaves: false,
      });
      const { status, text, isWhole, error } = answer;
      if (!isWhole) return load.breaks ? brokenProxy : wrong(`the answer broke off: ${status} ${error}`);
      if (status !== 200) return wrong(`${status} ${text}`);
      const { messages, end } = dialect.read(rpc, answer);
      if (end === undefined) return wrong(`a whole answer of ${messages.length} messages without an end`);
      if (end.code !== 0) return failedWith({ code: end.code, details: end.message });
      if (messages.length !== count) return wrong(`a whole answer of ${messages.length} messages, not ${count}`);
      const digest = digestOf(payload);
      const all = messages.map((message, index) => answerIs(message, { id, seq: index + 1, digest }));
      return all.find(({ kind }) => kind !== 'ok') ?? ok;
    },
  };
}

// ------------------------------------------------------------------------------------------- gRPC

function callOptions(load: Load): { deadline?: number } {
  const deadlineMs = load.deadlineMs();
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}

function failedWith({ code, details }: Pick<ServiceError | StatusObject, 'code' | 'details'>): Outcome {
  return failingCodes.has(code) ? failed(details) : wrong(`code ${code}: ${details}`);
}

function grpcUnary(rpc: 'Get' | 'Do'): Kind {
  return {
    name: `gRPC ${rpc}`,
    isIdempotent: rpc === 'Get',
    isUpload: false,
    send(load, id) {
      const payload = payloadOf(load.random, load.random.one(8));
      const { path, requestSerialize, responseDeserialize } = chaosService[rpc]!;
      const ask = { id, count: 0, payload };
      return new Promise((resolve) => {
        load.grpc.makeUnaryRequest<Ask, Answer>(
          path,
          requestSerialize,
          responseDeserialize as (bytes: Buffer) => Answer,
          ask,
          new Metadata(),
          callOptions(load),
          (error, answer) => {
            if (error !== null) return resolve(failedWith(error));
            resolve(answerIs(answer ?? {}, { id, seq: 1, digest: digestOf(payload) }));
          },
        );
      });
    },
  };
}

const grpcTalk: Kind = {
  name: 'gRPC bidi',
  isIdempotent: false,
  isUpload: true,
  send(load, id) {
    const { random } = load;
    const payloads = Array.from({ length: 1 + random.below(8) }, () => payloadOf(random, false));
    const { path, requestSerialize, responseDeserialize } = chaosService['Talk']!;
    const call = load.grpc.makeBidiStreamRequest<Ask, Answer>(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Answer,
      callOptions(load),
    );
    const answers: Answer[] = [];
    void (async () => {
      for (const payload of payloads) {
        call.write({ id, count: 0, payload });
        await sleep(random.below(10));
      }
      call.end();
    })();
    return new Promise((resolve) => {
      call.on('data', (answer: Answer) => answers.push(answer));
      call.on('error', () => undefined);
      call.on('status', (status) => {
        if (status.code !== Code.OK) return resolve(failedWith(status));
        if (answers.length !== payloads.length) return resolve(wrong(`OK after ${answers.length} answers`));
        const all = answers.map((answer, index) =>
          answerIs(answer, { id, seq: index + 1, digest: digestOf(...payloads.slice(0, index + 1)) }),
        );
        resolve(all.find(({ kind }) => kind !== 'ok') ?? ok);
      });
    });
  },
};

/** What servers must not do twice, in a small request: by it the return of a server is noticed. */
export const probe: Kind = unary('POST', 'POST', '/v1/do', false);

export const kinds: readonly Kind[] = [
  probe,
  unary('GET', 'GET', '/v1/get', true),
  unary('PUT', 'PUT', '/v1/put', true),
  unary('long POST', 'POST', '/v1/do', false, true),
  watch,
  watch,
  upload,
  webSocket,
  grpcUnary('Get'),
  grpcUnary('Do'),
  grpcTalk,
  connectUnary('Get'),
  connectUnary('Do'),
  enveloped('Watch', connectStream),
  enveloped('Do', grpcWeb),
  enveloped('Get', grpcWeb),
  enveloped('Watch', grpcWeb),
];
