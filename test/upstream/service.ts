/** gRPC services for the tests of this folder: one of grpc-js with byte messages, and a bare HTTP/2 server that may misbehave. */
import { Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { once } from 'node:events';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { Call, CallListener, CallStatus, Channel, Metadata as Entries } from '../../lib/exchange.js';
import type { Holder } from '../../lib/shared.js';
import { ChannelPool, type UpstreamClient, type UpstreamOptions } from '../../lib/upstream/index.js';
import { upstreamClients } from '../support/upstream-client.js';

export type BytesCall = ServerDuplexStream<Buffer, Buffer>;

/** A grpc-js server whose method `/t.T/NAME` is `handlers[NAME]`, all of them bidi over bytes. */
export async function grpcService(
  handlers: Record<string, (call: BytesCall) => void>,
  address = '127.0.0.1:0',
  credentials = ServerCredentials.createInsecure(),
): Promise<{ target: string; server: Server }> {
  const same = (bytes: Buffer): Buffer => bytes;
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  const methods = Object.keys(handlers).map((name) => [
    name,
    {
      path: `/t.T/${name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]);
  server.addService(Object.fromEntries(methods) as never, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { target: address.startsWith('unix:') ? address : `127.0.0.1:${port}`, server };
}

/** A cleartext HTTP/2 server that does with each stream whatever a test wants. */
export async function rawService(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  port = 0,
): Promise<{ target: string; server: Http2Server }> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  server.on('sessionError', () => undefined);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { target: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** A pool whose channels are all of one client. */
export class ClientPool extends ChannelPool {
  constructor(private readonly client: UpstreamClient) {
    super();
  }

  override open(target: string, options: Partial<UpstreamOptions> = {}, holder?: Holder): Channel {
    return super.open(target, { upstreamClient: this.client, ...options }, holder);
  }
}

/** Runs a test once for each client. */
export function testClients(name: string, run: (t: Test, client: UpstreamClient) => Promise<void>): void {
  for (const client of upstreamClients) void t.test(`${client}: ${name}`, (t) => run(t, client));
}

/** What a call brought. */
export interface Outcome extends CallStatus {
  readonly headers: Entries | undefined;
  readonly messages: readonly Buffer[];
}

export interface CallSpec {
  readonly method: string;
  readonly metadata?: Entries;
  readonly timeoutMs?: number;
  readonly passThrough?: boolean;
  /** Messages to send before the half-close. */
  readonly send?: readonly Buffer[];
  readonly listener?: Partial<CallListener>;
  readonly onStart?: (call: Call) => void;
}

/** Makes one call and collects all that it brings; fails where the order of the events is wrong. */
export function callOnce(channel: Channel, spec: CallSpec): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const messages: Buffer[] = [];
    let headers: Entries | undefined;
    let ended = false;
    const expectOpen = (event: string): void => {
      if (ended) reject(new Error(`${event} after onEnd`));
    };
    const call = channel.start(
      {
        path: `/t.T/${spec.method}`,
        metadata: spec.metadata ?? [],
        timeoutMs: spec.timeoutMs,
        passThrough: spec.passThrough,
      },
      {
        onHeaders(entries) {
          expectOpen('onHeaders');
          if (headers !== undefined || messages.length > 0) reject(new Error('onHeaders too late or twice'));
          headers = entries;
          spec.listener?.onHeaders?.(entries);
        },
        onMessageStart(bytes) {
          expectOpen('onMessageStart');
          spec.listener?.onMessageStart?.(bytes);
        },
        onMessage(frame) {
          expectOpen('onMessage');
          messages.push(frame.payload);
          spec.listener?.onMessage?.(frame);
        },
        onDrain() {
          spec.listener?.onDrain?.();
        },
        onEnd(status) {
          expectOpen('onEnd');
          ended = true;
          // One turn later, so that an event after the end is seen.
          setTimeout(() => resolve({ ...status, headers, messages }), 5);
        },
      },
    );
    for (const payload of spec.send ?? []) call.send({ compressed: false, payload });
    if (spec.send !== undefined) call.halfClose();
    spec.onStart?.(call);
  });
}

/** grpc-js metadata from pairs. */
export function grpcMetadata(...pairs: readonly (readonly [string, string | Buffer])[]): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of pairs) metadata.add(name, value);
  return metadata;
}
