/** Requests of gRPC-Web and Connect: what a browser sends, over the same connections as those of REST. */
import { status as Code } from '@grpc/grpc-js';
import type { HttpAnswer } from './http-client.js';
import { type Answer, type Ask, chaosService } from './service.js';

/** What a client of these protocols is told: messages, and how it ended. */
export interface Told {
  readonly messages: readonly Answer[];
  /** Undefined: the answer has no end. */
  readonly end: { readonly code: number; readonly message: string } | undefined;
}

const END_OF_CONNECT = 2;
const TRAILERS_OF_WEB = 0x80;

function enveloped(flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

function* envelopes(bytes: Buffer): Generator<readonly [flags: number, payload: Buffer]> {
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) return;
    yield [bytes[at]!, bytes.subarray(at + 5, end)];
    at = end;
  }
}

const codeNamed = (name: string): number => Code[name.toUpperCase() as keyof typeof Code] ?? -1;

interface ConnectEnd {
  readonly error?: { readonly code: string; readonly message?: string };
}

export interface Dialect {
  readonly name: string;
  readonly contentType: string;
  body(rpc: string, ask: Ask): Buffer;
  read(rpc: string, answer: HttpAnswer): Told;
}

/** Streams of Connect, in JSON. */
export const connectStream: Dialect = {
  name: 'Connect',
  contentType: 'application/connect+json',
  body: (_rpc, ask) => enveloped(0, Buffer.from(JSON.stringify(ask))),
  read(_rpc, { bytes }) {
    const messages: Answer[] = [];
    for (const [flags, payload] of envelopes(bytes)) {
      const value = JSON.parse(payload.toString()) as Answer & ConnectEnd;
      if ((flags & END_OF_CONNECT) === 0) {
        messages.push(value);
        continue;
      }
      const { error } = value;
      const end =
        error === undefined ? { code: 0, message: '' } : { code: codeNamed(error.code), message: error.message ?? '' };
      return { messages, end };
    }
    return { messages, end: undefined };
  },
};

/** gRPC-Web, in protobuf. */
export const grpcWeb: Dialect = {
  name: 'gRPC-Web',
  contentType: 'application/grpc-web+proto',
  body: (rpc, ask) => enveloped(0, chaosService[rpc]!.requestSerialize(ask)),
  read(rpc, { bytes, headers }) {
    const messages: Answer[] = [];
    for (const [flags, payload] of envelopes(bytes)) {
      if ((flags & TRAILERS_OF_WEB) !== 0) return { messages, end: endOf(fieldsOf(payload.toString())) };
      messages.push(chaosService[rpc]!.responseDeserialize(payload) as Answer);
    }
    // Without a message the status may stand in the head.
    return { messages, end: headers['grpc-status'] === undefined ? undefined : endOf(headers) };
  },
};

function fieldsOf(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

function endOf(fields: Readonly<Record<string, string>>): { code: number; message: string } {
  return { code: Number(fields['grpc-status']), message: decodeURIComponent(fields['grpc-message'] ?? '') };
}
