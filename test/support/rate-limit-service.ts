/** A rate limit service (grpc-js) that does what a test tells it, and keeps what it was asked. */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  type RateLimitAnswer,
  RateLimitRequest,
  RateLimitResponse,
  SHOULD_RATE_LIMIT_PATH,
} from '../../lib/routes/ratelimit/messages.js';

export interface RateLimitService {
  readonly target: string;
  /** Of each request its domain, and its descriptors as `key=value,…`. */
  readonly asked: string[][];
  /** An answer; bytes that are none; a gRPC code; or nothing, for ever. */
  answer: () => Partial<RateLimitAnswer> | Buffer | number | undefined;
  close(): void;
}

const same = (bytes: Buffer): Buffer => bytes;

export async function startRateLimitService(): Promise<RateLimitService> {
  const server = new Server();
  const service: RateLimitService = {
    target: '',
    asked: [],
    answer: () => ({ overallCode: 1 }),
    close: () => server.forceShutdown(),
  };
  const method = {
    path: SHOULD_RATE_LIMIT_PATH,
    ...{ requestStream: false, responseStream: false },
    ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
  };
  server.addService(
    { ShouldRateLimit: method },
    {
      ShouldRateLimit(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
        const { domain, descriptors } = RateLimitRequest.decode(call.request);
        const texts = descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`).join());
        service.asked.push([domain, ...texts]);
        const answer = service.answer();
        if (typeof answer === 'number') callback({ code: answer, details: 'no' });
        else if (answer !== undefined)
          callback(null, Buffer.isBuffer(answer) ? answer : RateLimitResponse.encode(answer));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  return Object.assign(service, { target: `127.0.0.1:${port}` });
}
