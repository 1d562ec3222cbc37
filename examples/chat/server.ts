/**
 * A chat over gRPC, on grpc-js. Nothing here knows of HTTP: `photongate.yaml` makes it one for curl and browsers.
 *
 *     node --import tsx examples/chat/server.ts
 *     photongate --config examples/chat/photongate.yaml
 */
import { EventEmitter } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import protobuf from 'protobufjs';

interface TalkRequest {
  readonly room: string;
  readonly name: string;
  readonly text: string;
}

interface Line {
  readonly name?: string;
  readonly text: string;
}

/** Tells each room's lines by the room's name. */
const rooms = new EventEmitter().setMaxListeners(0);

/** Writes a room's lines to a call; returns how to stop. */
function listen(room: string, call: { write(line: Line): boolean }): () => void {
  const write = (line: Line): void => void call.write(line);
  rooms.on(`room ${room}`, write);
  return () => rooms.off(`room ${room}`, write);
}

function say(room: string, line: Line): void {
  rooms.emit(`room ${room}`, line);
}

const handlers = {
  Talk(call: ServerDuplexStream<TalkRequest, Line>): void {
    let member: { room: string; name: string; leave: () => void } | undefined;
    const leave = (): void => {
      if (member === undefined) return;
      const { room, name } = member;
      member.leave();
      member = undefined;
      say(room, { text: `${name} has left` });
    };
    call.on('data', ({ room, name, text }: TalkRequest) => {
      if (member === undefined) {
        member = { room, name, leave: listen(room, call) };
        say(room, { text: `${name} is here` });
      }
      if (text === '/kick')
        return void call.emit('error', { code: status.ABORTED, details: `${member.name} was kicked` });
      if (text !== '') say(member.room, { name: member.name, text });
    });
    call.on('end', () => {
      leave();
      call.end();
    });
    call.on('cancelled', leave);
    call.on('error', leave);
  },

  Listen(call: ServerWritableStream<{ room: string }, Line>): void {
    const { room } = call.request;
    if (!/^[a-z]+$/.test(room)) {
      call.emit('error', {
        code: status.INVALID_ARGUMENT,
        details: `"${room}" is no room: lower-case letters name one`,
      });
      return;
    }
    call.on('cancelled', listen(room, call));
  },

  Say(call: ServerReadableStream<TalkRequest, { count: number }>, answer: sendUnaryData<{ count: number }>): void {
    let count = 0;
    let member = { room: '', name: '' };
    call.on('data', (request: TalkRequest) => {
      if (count === 0) member = request;
      count++;
      say(member.room, { name: member.name, text: request.text });
    });
    call.on('end', () => answer(null, { count }));
    call.on('error', () => undefined);
  },
};

/** The RPCs of a `.proto` file as grpc-js takes them. */
function definitionOf(file: URL, service: string) {
  const root = new protobuf.Root();
  const annotations = new URL('../../annotations/', import.meta.url);
  root.resolvePath = (_origin, path) => fileURLToPath(path.startsWith('google/') ? new URL(path, annotations) : file);
  const { methodsArray } = root.loadSync(fileURLToPath(file)).lookupService(service).resolveAll() as protobuf.Service;
  const codec = (type: protobuf.Type) => ({
    serialize: (message: object) => Buffer.from(type.encode(message).finish()),
    deserialize: (bytes: Buffer) => type.toObject(type.decode(bytes), { defaults: true }),
  });
  return Object.fromEntries(
    methodsArray.map((method) => {
      const request = codec(method.resolvedRequestType!);
      const response = codec(method.resolvedResponseType!);
      const definition = {
        path: `/${service}/${method.name}`,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        requestSerialize: request.serialize,
        requestDeserialize: request.deserialize,
        responseSerialize: response.serialize,
        responseDeserialize: response.deserialize,
      };
      return [method.name, definition];
    }),
  );
}

/** Starts the chat; resolves with its port. */
export async function startChat(port: number): Promise<{ readonly port: number; close(): void }> {
  const server = new Server();
  server.addService(definitionOf(new URL('chat.proto', import.meta.url), 'chat.v1.Chat'), handlers);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  return { port: bound, close: () => server.forceShutdown() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { port } = await startChat(50051);
  process.stdout.write(`chat on 127.0.0.1:${port}\n`);
}
