/** An authorizer (grpc-js) that does what a test tells it, and keeps what it was asked. */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  CHECK_PATH,
  type CheckAnswer,
  CheckRequest,
  CheckResponse,
  type HeaderOption,
} from '../../lib/routes/authz-messages.js';

/** What it was asked of one request. */
export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly protocol: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly rawBody: Buffer;
  readonly size: number;
  readonly source: string | undefined;
  readonly extensions: Readonly<Record<string, string>>;
}

export interface Authorizer {
  readonly target: string;
  readonly asked: AskedRequest[];
  /** An answer; bytes that are none; a gRPC code; or nothing, for ever. */
  answer: (asked: AskedRequest) => Partial<CheckAnswer> | Buffer | number | undefined;
  close(): void;
}

const same = (bytes: Buffer): Buffer => bytes;

export async function startAuthorizer(): Promise<Authorizer> {
  const server = new Server();
  const authorizer: Authorizer = { target: '', asked: [], answer: () => ({}), close: () => server.forceShutdown() };
  const method = {
    path: CHECK_PATH,
    ...{ requestStream: false, responseStream: false },
    ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
  };
  server.addService(
    { Check: method },
    {
      Check(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
        const asked = askedOf(call.request);
        authorizer.asked.push(asked);
        const answer = authorizer.answer(asked);
        if (typeof answer === 'number') callback({ code: answer, details: 'no' });
        else if (answer !== undefined) callback(null, Buffer.isBuffer(answer) ? answer : CheckResponse.encode(answer));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  return Object.assign(authorizer, { target: `127.0.0.1:${port}` });
}

function askedOf(bytes: Buffer): AskedRequest {
  const { attributes } = CheckRequest.decode(bytes);
  const http = attributes?.request?.http;
  if (attributes === undefined || http === undefined) throw new Error('it was asked nothing');
  const { headers, id: _id, ...rest } = http;
  const mapOf = (list: readonly { readonly key: string; readonly value: string }[]): Record<string, string> =>
    Object.fromEntries(list.map(({ key, value }) => [key, value]));
  return {
    ...rest,
    headers: mapOf(headers),
    source: attributes.source?.address?.socketAddress?.address,
    extensions: mapOf(attributes.contextExtensions),
  };
}

/** A header that an answer sets. */
export function headerOption(key: string, value: string, append?: boolean): HeaderOption {
  return {
    header: { key, value, rawValue: Buffer.alloc(0) },
    append: append === undefined ? undefined : { value: append ? 1 : 0 },
    appendAction: 0,
  };
}

const nothing = {
  headers: [],
  headersToRemove: [],
  responseHeadersToAdd: [],
  queryParametersToSet: [],
  queryParametersToRemove: [],
};

/** Lets a request pass, changed. */
export function allow(changes: Partial<NonNullable<CheckAnswer['okResponse']>> = {}): Partial<CheckAnswer> {
  return { status: { code: 0 }, okResponse: { ...nothing, ...changes } };
}

/** Denies a request. */
export function deny(code: number, body = '', headers: HeaderOption[] = []): Partial<CheckAnswer> {
  return { status: { code: 7 }, deniedResponse: { status: { code }, headers, body } };
}
