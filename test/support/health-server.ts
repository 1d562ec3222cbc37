/** A gRPC server with grpc.health.v1 and a page `/healthz`, whose health and calls a test steers. */
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code } from '../../lib/status.js';
import { encodeFrame } from '../../lib/wire/index.js';

const SERVING = 1;
const NOT_SERVING = 2;

/** Every call is answered with an empty message. */
export class HealthServer {
  /** The code that calls end with. */
  code = 0;
  calls = 0;
  checks = 0;
  /** Which RPCs of grpc.health.v1 it has. */
  has: readonly ('Check' | 'Watch')[] = ['Check', 'Watch'];
  /** Calls wait until it is false. */
  private held: (() => void)[] | undefined;
  /** It takes checks, and does not answer. */
  isSilent = false;
  readonly sessions = new Set<ServerHttp2Session>();
  private readonly watches = new Set<ServerHttp2Stream>();
  private status = SERVING;
  private server: Http2Server | undefined;
  private port = 0;

  async start(): Promise<this> {
    const server = createServer();
    server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined).on('close', () => this.sessions.delete(session));
    });
    server.on('stream', (stream, headers) => this.answer(stream, String(headers[':path'])));
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get openWatches(): number {
    return this.watches.size;
  }

  set isHolding(isHolding: boolean) {
    const waiting = this.held ?? [];
    this.held = isHolding ? waiting : undefined;
    if (!isHolding) for (const answer of waiting) answer();
  }

  set isWell(isWell: boolean) {
    this.status = isWell ? SERVING : NOT_SERVING;
    for (const watch of this.watches) watch.write(this.statusFrame());
  }

  /** As a process that is killed. */
  stop(): void {
    this.server?.close();
    for (const session of this.sessions) session.destroy();
  }

  private statusFrame(): Buffer {
    return encodeFrame(Buffer.from([8, this.status]));
  }

  private answer(stream: ServerHttp2Stream, path: string): void {
    stream.on('error', () => undefined);
    stream.resume();
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    const end = (code: number): void => stream.respond({ ...head, 'grpc-status': String(code) }, { endStream: true });
    if (path === '/healthz') {
      this.checks++;
      return stream.respond({ ':status': this.status === SERVING ? 200 : 503 }, { endStream: true });
    }
    const rpc = /^\/grpc\.health\.v1\.Health\/(Check|Watch)$/.exec(path)?.[1];
    if (rpc === undefined) {
      this.calls++;
      const answer = (): void => {
        if (this.code !== 0) return end(this.code);
        stream.respond(head, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(encodeFrame(Buffer.alloc(0)));
      };
      return this.held === undefined ? answer() : void this.held.push(answer);
    }
    if (rpc === 'Check') this.checks++;
    if (this.isSilent) return;
    if (!this.has.some((name) => name === rpc)) return end(Code.UNIMPLEMENTED);
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.write(this.statusFrame());
    if (rpc === 'Check') return void stream.end();
    this.watches.add(stream);
    stream.on('close', () => this.watches.delete(stream));
  }
}
