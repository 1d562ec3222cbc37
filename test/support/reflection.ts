/**
 * A gRPC server that tells its schema, written by hand on grpc-js: what it answers is what a test says. Methods answer
 * with the bytes of their request.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { Reader, Writer } from '../../lib/wire/index.js';

/** What the server says. */
export interface Told {
  readonly files: readonly FileDescriptorProto[];
  /** Default: all services of the files. */
  readonly services?: readonly string[];
  /** Names that it does not give, though it has them. */
  readonly hidden?: readonly string[];
  /** Takes over the answer to one request: bytes of a ServerReflectionResponse, or nothing at all. */
  readonly answer?: (kind: number, text: string) => Buffer | undefined | 'silence';
}

export interface ReflectionServer {
  readonly target: string;
  readonly port: number;
  /** How often it was asked for its services. */
  looks: number;
  /** What it was asked, in order: `file_by_filename a.proto`. */
  readonly asked: string[];
  told: Told;
  /** What methods wait for before they answer. */
  hold: Promise<void> | undefined;
  calls: number;
  readonly close: () => void;
}

export interface ReflectionServerOptions {
  readonly versions?: readonly ('v1' | 'v1alpha')[];
  readonly port?: number;
}

/** The files of a binary FileDescriptorSet. */
export function filesOfSet(set: Uint8Array): FileDescriptorProto[] {
  return fromBinary(FileDescriptorSetSchema, set).file;
}

/** A proto3 file whose service `NAME` has a method for each path, all on one message. */
export function fileOf(
  name: string,
  service: string,
  routes: Readonly<Record<string, string>>,
  dependency = ['google/api/annotations.proto'],
): FileDescriptorProto {
  const at = service.lastIndexOf('.');
  const inPackage = service.slice(0, at);
  const file = create(FileDescriptorProtoSchema, {
    name,
    package: inPackage,
    syntax: 'proto3',
    dependency,
    messageType: [{ name: 'M', field: [{ name: 'name', number: 1, label: 1, type: 9, jsonName: 'name' }] }],
    service: [
      {
        name: service.slice(at + 1),
        method: Object.entries(routes).map(([method, path]) => ({
          name: method,
          inputType: `.${inPackage}.M`,
          outputType: `.${inPackage}.M`,
          options: fromBinary(MethodOptionsSchema, httpRule(path)),
        })),
      },
    ],
  });
  return file;
}

/** `option (google.api.http) = { get: path }`. */
function httpRule(path: string): Uint8Array {
  const rule = new Writer();
  rule.uint32(2 * 8 + 2);
  rule.string(path);
  const out = new Writer();
  out.uint32(72295728 * 8 + 2);
  out.bytes(rule.take());
  return out.take();
}

const kinds: Readonly<Record<number, string>> = {
  3: 'file_by_filename',
  4: 'file_containing_symbol',
  7: 'list_services',
};

const same = (bytes: Buffer): Buffer => bytes;
const serialization = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

export async function startReflectionServer(
  told: Told,
  { versions = ['v1'], port = 0 }: ReflectionServerOptions = {},
): Promise<ReflectionServer> {
  const server = new Server();
  const running: ReflectionServer = {
    target: '',
    port: 0,
    looks: 0,
    asked: [],
    told,
    hold: undefined,
    calls: 0,
    close: () => server.forceShutdown(),
  };
  for (const version of versions) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const definition = { path, requestStream: true, responseStream: true, ...serialization };
    server.addService(
      { ServerReflectionInfo: definition },
      {
        ServerReflectionInfo: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (request: Buffer) => {
            const answer = answerTo(request, running);
            if (answer !== undefined) call.write(answer);
          });
          call.on('end', () => call.end());
          call.on('error', () => undefined);
        },
      },
    );
  }
  for (const file of told.files) {
    for (const { name, method } of file.service.filter((service) => service.method.length > 0)) {
      const path = (rpc: string): string => `/${file.package}.${name}/${rpc}`;
      server.addService(
        Object.fromEntries(
          method.map((rpc) => [
            rpc.name,
            { path: path(rpc.name), requestStream: false, responseStream: false, ...serialization },
          ]),
        ),
        Object.fromEntries(
          method.map((rpc) => [
            rpc.name,
            (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) => {
              running.calls++;
              void (running.hold ?? Promise.resolve()).then(() => callback(null, call.request));
            },
          ]),
        ),
      );
    }
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, number) =>
      error === null ? resolve(number) : reject(error),
    );
  });
  return Object.assign(running, { target: `127.0.0.1:${bound}`, port: bound });
}

function answerTo(request: Buffer, server: ReflectionServer): Buffer | undefined {
  const reader = new Reader(request);
  const kind = reader.tag() >> 3;
  const text = reader.bytes().toString('utf8');
  server.asked.push(`${kinds[kind]} ${text}`);
  if (kind === 7) server.looks++;
  const { told } = server;
  const special = told.answer?.(kind, text);
  if (special === 'silence') return undefined;
  if (special !== undefined) return special;
  const names = told.files.flatMap((file) => file.service.map(({ name }) => `${file.package}.${name}`));
  const services = told.services ?? ['grpc.reflection.v1.ServerReflection', ...names];
  if (kind === 7)
    return response(
      6,
      services.map((name) => response(1, [Buffer.from(name)])),
    );
  const found = told.files.find((file) =>
    kind === 3 ? file.name === text : file.service.some(({ name }) => `${file.package}.${name}` === text),
  );
  if (found === undefined || told.hidden?.includes(found.name) === true) return errorAnswer(5, `no ${text}`);
  return response(4, [Buffer.from(toBinary(FileDescriptorProtoSchema, found))]);
}

/** A response whose member `number` is a message with this list as its field 1; with 1, the list alone. */
export function response(number: number, list: readonly Buffer[]): Buffer {
  const inner = new Writer();
  for (const element of list) {
    inner.uint32(10);
    inner.bytes(element);
  }
  if (number === 1) return inner.take();
  const out = new Writer();
  out.uint32(number * 8 + 2);
  out.bytes(inner.take());
  return out.take();
}

export function errorAnswer(code: number, message: string): Buffer {
  const inner = new Writer();
  inner.uint32(8);
  inner.uint32(code);
  inner.uint32(18);
  inner.string(message);
  const out = new Writer();
  out.uint32(7 * 8 + 2);
  out.bytes(inner.take());
  return out.take();
}
