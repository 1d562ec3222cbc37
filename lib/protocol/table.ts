/**
 * The methods that native gRPC, gRPC-Web and Connect can call, by path, and the `MethodPlan` of each request. REST has the
 * same plans, so policies, limits, channels and streams work alike.
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
import { type Detected, detectProtocol, type ProtocolName } from './detect.js';
import { checkGrpc, grpcError, openGrpc } from './grpc.js';
import type { ProtocolOptions, ProtocolSettings } from './options.js';

/** A method and the channel to its server. */
export interface ProtocolTarget<C> {
  readonly method: MethodDescriptor;
  readonly channel: C;
}

/** The plan of a request. Without a channel, the plan refuses the request in the client's protocol. */
export interface ProtocolMatch<C> {
  /** `mcp`: a call of a tool, which no request of its own asks for. */
  readonly name: ProtocolName | 'mcp';
  readonly plan: MethodPlan;
  readonly channel: C | undefined;
}

/** The plan of a method → the plan that is run. */
export type PlanWrapper = (plan: MethodPlan, method: MethodDescriptor) => MethodPlan;

/** Finds the plan of a request by protocol and path. */
export class ProtocolTable<C> {
  private readonly options: ProtocolSettings;
  private readonly byPath: ReadonlyMap<string, ProtocolTarget<C>>;

  /**
   * @param targets the methods that `pass_through` allows
   * @param wrap what else the plan of a method does
   */
  constructor(
    targets: readonly ProtocolTarget<C>[],
    private readonly codec: Codec,
    options: ProtocolOptions,
    private readonly wrap: PlanWrapper = (plan) => plan,
  ) {
    this.options = {
      ...options,
      names: new HeaderNames({ grpcGatewayNames: false, identityHeaders: options.identityHeaders }),
    };
    this.byPath = new Map(targets.map((target) => [target.method.path, target]));
  }

  /** True for the path of a method that can be called. */
  reaches(path: string): boolean {
    return this.byPath.has(path);
  }

  /** Undefined if the request is REST. */
  match(head: RequestHead): ProtocolMatch<C> | undefined {
    const detected = detectProtocol(head);
    if (detected === undefined || !this.options.protocols.includes(familyOf(detected.name))) return undefined;
    const target = this.byPath.get(head.path);
    // A REST request may look like Connect: it is Connect only if the path names a method that can be called.
    if (target === undefined && detected.name.startsWith('connect')) return undefined;
    const plan = this.planOf(detected, target?.method, head);
    return {
      name: detected.name,
      plan: target === undefined ? plan : this.wrap(plan, target.method),
      channel: target?.channel,
    };
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

/** `grpc-web-text` is gRPC-Web, and `connect-get` is Connect. */
function familyOf(name: ProtocolName): ProtocolOptions['protocols'][number] {
  if (name === 'grpc') return name;
  return name.startsWith('grpc-web') ? 'grpc-web' : 'connect';
}

/** @param streaming true if frames are passed on one by one, even for a unary method */
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

/** How to reach a refused method: the end of the error message. */
const hints: Readonly<Record<ProtocolOptions['passThrough'], string>> = {
  mapped: '; methods need a google.api.http rule, or auto_mapping, or pass_through: all',
  all: ': none of the services has this method',
  off: ': gRPC, gRPC-Web and Connect are switched off (pass_through: off); call it by its REST route',
};

/** The plan for a method that does not exist or that `pass_through` does not allow. */
function refusal(detected: Detected, path: string, options: ProtocolSettings): MethodPlan {
  const [service = '', name = ''] = path.slice(1).split('/');
  const rpc: Rpc = { name: `${service}.${name}`, service, path, clientStreaming: true, serverStreaming: true };
  return streamPlan(rpc, detected, options, () => {
    throw new StatusError(Code.UNIMPLEMENTED, `${quote(path)} is not served here${hints[options.passThrough]}`);
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
