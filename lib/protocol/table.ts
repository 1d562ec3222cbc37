/**
 * The methods that native gRPC, gRPC-Web and Connect reach, by path, and the `MethodPlan` of each request: the same seam
 * as REST's, so that policies, limits, channels and streams are the same.
 */
import type { Codec } from '../codec/index.js';
import type { MethodPlan, Reply, RequestHead, Rpc } from '../exchange.js';
import { HeaderNames } from '../metadata/index.js';
import type { MethodDescriptor } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';
import {
  connectStreamError,
  connectUnaryError,
  formatOf,
  openConnectGet,
  openConnectStream,
  openUnaryConnect,
} from './connect.js';
import { type Detected, detectProtocol } from './detect.js';
import { checkGrpc, grpcError, openGrpc } from './grpc.js';
import type { ProtocolOptions, ProtocolSettings } from './options.js';

/** A method and where it is served. */
export interface ProtocolTarget<C> {
  readonly method: MethodDescriptor;
  readonly channel: C;
}

/** What a request leads to. Without a channel the plan refuses it in the client's own protocol. */
export interface ProtocolMatch<C> {
  readonly plan: MethodPlan;
  readonly channel: C | undefined;
}

export class ProtocolTable<C> {
  private readonly options: ProtocolSettings;
  private readonly byPath: ReadonlyMap<string, ProtocolTarget<C>>;

  /** @param targets what may be reached: decided by `pass_through` */
  constructor(
    targets: readonly ProtocolTarget<C>[],
    private readonly codec: Codec,
    options: ProtocolOptions,
  ) {
    this.options = {
      ...options,
      names: new HeaderNames({ grpcGatewayNames: false, identityHeaders: options.identityHeaders }),
    };
    this.byPath = new Map(targets.map((target) => [target.method.path, target]));
  }

  /** True for the path of a method that can be reached. */
  reaches(path: string): boolean {
    return this.byPath.has(path);
  }

  /** Undefined where the request is one of REST. */
  match(head: RequestHead): ProtocolMatch<C> | undefined {
    const detected = detectProtocol(head);
    if (detected === undefined) return undefined;
    const target = this.byPath.get(head.path);
    // A route of REST may look like it: Connect is what is sent to a method that it reaches.
    if (target === undefined && detected.name.startsWith('connect')) return undefined;
    return { plan: this.planOf(detected, target?.method, head), channel: target?.channel };
  }

  private planOf(detected: Detected, method: MethodDescriptor | undefined, { path }: RequestHead): MethodPlan {
    const { codec, options } = this;
    if (method === undefined) return refusal(detected, path, options);
    const { name, subtype } = detected;
    switch (name) {
      case 'grpc':
      case 'grpc-web':
      case 'grpc-web-text':
        return streamPlan(rpcOf(method, true), detected, options, (head) => {
          checkGrpc(detected, head);
          return openGrpc(name, head, options);
        });
      case 'connect-stream':
        return streamPlan(rpcOf(method, true), detected, options, (head) => {
          checkKind(method, true);
          return openConnectStream(formatOf(subtype, method, codec), head, options);
        });
      case 'connect':
        return unaryPlan(rpcOf(method, false), options, (head) => {
          checkKind(method, false);
          return openUnaryConnect(formatOf(subtype, method, codec), head, options);
        });
      case 'connect-get':
        return unaryPlan(rpcOf(method, false), options, (head) => {
          checkKind(method, false);
          checkSideEffects(method);
          const formatFor = (encoding: string): ReturnType<typeof formatOf> => formatOf(encoding, method, codec);
          return openConnectGet(new URLSearchParams(head.query), formatFor, head, options);
        });
    }
  }
}

/** As streams even where the method has none: frames go through one by one. */
function rpcOf(method: MethodDescriptor, streaming: boolean): Rpc {
  return {
    name: method.fullName,
    service: method.service.fullName,
    path: method.path,
    clientStreaming: streaming,
    serverStreaming: streaming,
  };
}

function streamPlan(
  rpc: Rpc,
  detected: Detected,
  options: ProtocolSettings,
  openStream: MethodPlan['openStream'],
): MethodPlan {
  return {
    rpc,
    openUnary: () => {
      throw new TypeError('a stream is not opened as a unary call');
    },
    openStream,
    fail: (error, head) => failOf(detected, error, head, options),
  };
}

function unaryPlan(rpc: Rpc, options: ProtocolSettings, openUnary: MethodPlan['openUnary']): MethodPlan {
  return {
    rpc,
    openUnary,
    openStream: () => {
      throw new TypeError('a unary call is not opened as a stream');
    },
    fail: (error, head) => connectUnaryError(error, head, options),
  };
}

function failOf({ name, subtype }: Detected, error: StatusError, head: RequestHead, options: ProtocolSettings): Reply {
  if (name === 'connect-stream') return connectStreamError(subtype, error, head, options);
  if (name === 'connect' || name === 'connect-get') return connectUnaryError(error, head, options);
  return grpcError(name, error, head, options);
}

/** What the message of a refusal goes on with. */
const cures: Readonly<Record<ProtocolOptions['passThrough'], string>> = {
  mapped: '; methods need a google.api.http rule, or auto_mapping, or pass_through: all',
  all: ': none of the services has this method',
  off: ': gRPC, gRPC-Web and Connect are switched off (pass_through: off); call it by its REST route',
};

/** A call of a method that is not there, or that may not be reached. */
function refusal(detected: Detected, path: string, options: ProtocolSettings): MethodPlan {
  const [service = '', name = ''] = path.slice(1).split('/');
  const rpc: Rpc = { name: `${service}.${name}`, service, path, clientStreaming: true, serverStreaming: true };
  return streamPlan(rpc, detected, options, () => {
    throw new StatusError(Code.UNIMPLEMENTED, `${quote(path)} is not served here${cures[options.passThrough]}`);
  });
}

function checkKind({ fullName, clientStreaming, serverStreaming }: MethodDescriptor, asStream: boolean): void {
  if ((clientStreaming || serverStreaming) === asStream) return;
  throw new StatusError(
    Code.UNIMPLEMENTED,
    asStream
      ? `${fullName} has no stream; send content-type application/json or application/proto`
      : `${fullName} is a stream; send content-type application/connect+json or application/connect+proto`,
  );
}

function checkSideEffects({ fullName, hasNoSideEffects }: MethodDescriptor): void {
  if (hasNoSideEffects) return;
  throw new StatusError(
    Code.UNIMPLEMENTED,
    `${fullName} is not marked idempotency_level = NO_SIDE_EFFECTS, so it cannot be called by GET; send a POST`,
  );
}
