/**
 * One unary request end to end, as ratios: the CPU time that photongate takes for it with its own HTTP/2 client, to that of
 * a bare node:http server that answers by itself, and to that of photongate on grpc-js; and the time with access log and
 * metrics to the time without. All run in turn, several rounds, and the medians count: these figures stand on noisy machines.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { once as briefly } from './once.js';
import type { Answer, Command } from './process.js';

const CONNECTIONS = 32;
const ROUNDS = briefly ? 1 : 5;
const REQUESTS = briefly ? 64 : 4000;

export interface UnaryFigure {
  readonly name: string;
  /** CPU of photongate to CPU of bare node:http. */
  readonly ratio: number;
  /** CPU of photongate to its CPU on grpc-js. */
  readonly ratioToGrpcJs: number;
  /** CPU of photongate with access log and metrics to its CPU without. */
  readonly ratioObserved: number;
  readonly microseconds: number;
  readonly grpcJsMicroseconds: number;
  readonly bareMicroseconds: number;
}

class ServerProcess {
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(fileURLToPath(new URL('process.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] });
  }

  async ask(command: Command): Promise<Answer> {
    this.child.send(command);
    const [answer] = (await once(this.child, 'message')) as [Answer];
    return answer;
  }

  async start(command: Command): Promise<number> {
    return ((await this.ask(command)) as { port: number }).port;
  }

  async cpu(): Promise<number> {
    return ((await this.ask({ cpu: true })) as { cpuMicroseconds: number }).cpuMicroseconds;
  }

  stop(): void {
    this.child.disconnect();
  }
}

/** Sends requests over keep-alive connections, one at a time on each; all answers must be 200 with a content-length. */
async function load(port: number, request: Buffer, count: number): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      await once(socket, 'connect');
      await new Promise<void>((resolve, reject) => {
        let text = '';
        const next = (): void => {
          if (left-- > 0) socket.write(request);
          else {
            socket.destroy();
            resolve();
          }
        };
        socket.on('error', reject);
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
          const end = text.indexOf('\r\n\r\n');
          const length = /content-length: (\d+)/i.exec(text);
          if (end < 0 || length === null || text.length < end + 4 + Number(length[1])) return;
          if (!text.startsWith('HTTP/1.1 200 ')) return reject(new Error(text));
          text = '';
          next();
        });
        next();
      });
    }),
  );
}

async function microseconds(server: ServerProcess, port: number, request: Buffer): Promise<number> {
  const before = await server.cpu();
  await load(port, request, REQUESTS);
  return ((await server.cpu()) - before) / REQUESTS;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

function requests(): Record<string, Buffer> {
  const inner = { name: 'inner', count: 7, tags: ['a', 'b', 'c'], on: true };
  const body = JSON.stringify({
    name: 'hello',
    count: 3,
    tags: ['one', 'two', 'three'],
    inner,
    ratio: 0.25,
    big: '123456789012',
  });
  const json = `content-type: application/json\r\ncontent-length: ${body.length}`;
  return {
    'GET, 1 path variable, 1 query parameter': Buffer.from(
      'GET /v1/echo/hello?count=3 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n',
    ),
    [`POST, ${body.length} bytes of JSON both ways`]: Buffer.from(
      `POST /v1/echo HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n${json}\r\n\r\n${body}`,
    ),
  };
}

/** Measures each kind of request; takes about ten seconds. */
export async function benchUnary(): Promise<UnaryFigure[]> {
  const [bare, echo, proxy, grpcJs, observed] = [0, 1, 2, 3, 4].map(() => new ServerProcess()) as [
    ServerProcess,
    ServerProcess,
    ServerProcess,
    ServerProcess,
    ServerProcess,
  ];
  try {
    const barePort = await bare.start({ start: 'bare' });
    const upstream = `127.0.0.1:${await echo.start({ start: 'echo' })}`;
    const proxyPort = await proxy.start({ start: 'photongate', upstream, client: 'native' });
    const grpcJsPort = await grpcJs.start({ start: 'photongate', upstream, client: 'grpc-js' });
    const observedPort = await observed.start({ start: 'photongate', upstream, client: 'native', observed: true });
    const figures: UnaryFigure[] = [];
    for (const [name, request] of Object.entries(requests())) {
      await load(barePort, request, REQUESTS);
      await load(proxyPort, request, REQUESTS);
      await load(grpcJsPort, request, REQUESTS);
      await load(observedPort, request, REQUESTS);
      const rounds: { own: number; grpcJs: number; bare: number; observed: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push({
          bare: await microseconds(bare, barePort, request),
          own: await microseconds(proxy, proxyPort, request),
          observed: await microseconds(observed, observedPort, request),
          grpcJs: await microseconds(grpcJs, grpcJsPort, request),
        });
      }
      figures.push({
        name,
        ratio: median(rounds.map((round) => round.own / round.bare)),
        ratioToGrpcJs: median(rounds.map((round) => round.own / round.grpcJs)),
        ratioObserved: median(rounds.map((round) => round.observed / round.own)),
        microseconds: median(rounds.map((round) => round.own)),
        grpcJsMicroseconds: median(rounds.map((round) => round.grpcJs)),
        bareMicroseconds: median(rounds.map((round) => round.bare)),
      });
    }
    return figures;
  } finally {
    for (const server of [bare, echo, proxy, grpcJs, observed]) server.stop();
  }
}
