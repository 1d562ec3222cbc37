/**
 * A server in a process of its own, for `unary.ts`: told by IPC what to be, answers with its port, and with the CPU time
 * it has used when asked. Kinds: `bare` (node:http that answers by itself), `echo` (a gRPC service), `photongate`.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, startProxy } from '../../lib/index.js';
import { defaultsOf } from '../../lib/options/index.js';
import {
  JsonAccessLog,
  LineBuffer,
  Metrics,
  type Observer,
  observers,
  openLogFile,
  telemetryOptions,
} from '../../lib/telemetry/index.js';
import { parseUpstream, type UpstreamClient } from '../../lib/upstream/index.js';

export type Command =
  | { readonly start: 'bare' | 'echo' }
  | {
      readonly start: 'photongate';
      readonly upstream: string;
      readonly client: UpstreamClient;
      /** What observes its requests: the access log (into /dev/null) and metrics. Default: nothing. */
      readonly observed?: boolean;
    }
  | { readonly cpu: true };

export type Answer = { readonly port: number } | { readonly cpuMicroseconds: number };

const proto = `
syntax = "proto3";
package bench.v1;
import "google/api/annotations.proto";
service Bench {
  rpc Echo(Message) returns (Message) {
    option (google.api.http) = { get: "/v1/echo/{name}" additional_bindings { post: "/v1/echo" body: "*" } };
  }
}
message Message { string name = 1; int32 count = 2; repeated string tags = 3; Message inner = 4; double ratio = 5; bool on = 6; int64 big = 7; }
`;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Answers each request with the same JSON, its body read and left alone. */
function bare(): Promise<number> {
  const body = Buffer.from('{"name":"hello","count":3}');
  return listening(
    createHttpServer((request, response) => {
      request.resume();
      request.on('end', () => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
        response.end(body);
      });
    }),
  );
}

/** A gRPC service with as little work as possible: the request's frame goes back as it came. */
function echo(): Promise<number> {
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.concat(chunks));
    });
  });
  return listening(server);
}

function accessLogAndMetrics(): Observer | undefined {
  const file = openLogFile('/dev/null', () => undefined);
  const sink = new LineBuffer((text) => file.write(text));
  const nothing = { upstreams: () => [], listeners: () => [], certificates: () => [] };
  return observers([
    new JsonAccessLog(defaultsOf(telemetryOptions), (line) => sink.write(line)),
    new Metrics('bench', 2000, nothing),
  ]);
}

async function photongate(upstream: string, upstreamClient: UpstreamClient, isObserved: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-bench-'));
  writeFileSync(join(folder, 'bench.proto'), proto);
  const flags = {
    proto: ['bench.proto'],
    upstreams: [parseUpstream(upstream)],
    listen: ['127.0.0.1:0'],
    options: { upstreamClient },
  };
  const observer = isObserved ? accessLogAndMetrics() : undefined;
  const proxy = await startProxy(loadConfig({ flags, workingDirectory: folder }), { observerFor: () => observer });
  return Number(new URL(proxy.urls[0]!).port);
}

function start(command: Extract<Command, { start: string }>): Promise<number> {
  switch (command.start) {
    case 'bare':
      return bare();
    case 'echo':
      return echo();
    case 'photongate':
      return photongate(command.upstream, command.client, command.observed === true);
  }
}

async function answer(command: Command): Promise<Answer> {
  if ('start' in command) return { port: await start(command) };
  const { user, system } = process.cpuUsage();
  return { cpuMicroseconds: user + system };
}

process.on('message', (command: Command) => void answer(command).then((result) => process.send!(result)));
process.on('disconnect', () => process.exit());
