/**
 * The whole proxy in this process, in front of a real gRPC server, for requests over a real socket: what a user gets,
 * without the cost of a process for each test.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type RunningProxy, type Settings, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { type EchoService, startEchoService } from './echo-service.js';
import { schemaFromText } from './schema.js';
import { upstreamClientUnderTest } from './upstream-client.js';

export interface TestResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly text: string;
  /** The body's bytes. */
  readonly bytes: Buffer;
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

export interface TestProxy {
  readonly url: string;
  readonly port: number;
  readonly proxy: RunningProxy;
  readonly service: EchoService;
  /** `GET /v1/x`: the target goes out as it is written. */
  send(methodAndTarget: string, options?: RequestOptions): Promise<TestResponse>;
  close(): Promise<void>;
}

/**
 * Starts a service that answers each call with its own request, and a proxy in front of it.
 * @param yaml a configuration file besides, for what flags cannot say.
 */
export async function startTestProxy(
  proto: string,
  options: Settings['options'] = {},
  yaml?: string,
): Promise<TestProxy> {
  const service = await startEchoService(schemaFromText(proto));
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  const file = join(folder, 'test.proto');
  writeFileSync(file, proto);
  const flags = {
    proto: [file],
    upstreams: [parseUpstream(service.target)],
    listen: ['127.0.0.1:0'],
    options: { upstreamClient: upstreamClientUnderTest(), ...options },
  };
  if (yaml !== undefined) writeFileSync(join(folder, 'photongate.yaml'), yaml);
  const config = yaml === undefined ? undefined : 'photongate.yaml';
  const started = Promise.resolve().then(() =>
    startProxy(loadConfig({ flags, file: config, workingDirectory: folder })),
  );
  const proxy = await started.catch((error: unknown) => {
    service.close();
    throw error;
  });
  const url = proxy.urls[0]!;
  return {
    url,
    port: Number(new URL(url).port),
    proxy,
    service,
    send: (methodAndTarget, request) => send(url, methodAndTarget, request),
    async close() {
      await proxy.drain();
      service.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** One request on a connection of its own. */
export function send(url: string, methodAndTarget: string, options: RequestOptions = {}): Promise<TestResponse> {
  const space = methodAndTarget.indexOf(' ');
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: hostname,
      port,
      method: methodAndTarget.slice(0, space),
      path: methodAndTarget.slice(space + 1),
      headers: { ...(options.headers as Record<string, string>), ...lengthOf(options.body) },
      agent: false,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString('utf8');
        resolve({
          status: response.statusCode!,
          reason: response.statusMessage!,
          headers: response.headers,
          trailers: response.trailers,
          text,
          bytes,
          json: parseJson(text),
        });
      });
    });
    request.end(options.body);
  });
}

/** Node frames the body of a GET only where it is told the length. */
function lengthOf(body: string | Buffer | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
