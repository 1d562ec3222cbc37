/** The options of native gRPC, gRPC-Web and Connect. */
import type { CallOptions, HeaderNames } from '../metadata/index.js';
import { choicesValue, defaultsOf, enumValue, option, type OptionsOf } from '../options/index.js';

export const protocolNames = ['grpc', 'grpc-web', 'connect'] as const;

/** The options of this room. */
export const protocolOptions = {
  protocols: option(choicesValue(...protocolNames), {
    default: protocolNames,
    defaultText: 'grpc, grpc-web, connect',
    group: 'access',
    text: 'protocols that are served besides REST',
    peers: 'Envoy filter `grpc_web`',
  }),
  // A refused native call gets grpc-status 12.
  pass_through: option(enumValue('mapped', 'all', 'off'), {
    default: 'mapped',
    group: 'access',
    text: 'methods that gRPC, gRPC-Web and Connect can call: those with a rule, all, or none',
  }),
};

/** All options that protocols read. */
export type ProtocolOptions = OptionsOf<typeof protocolOptions> & CallOptions;

/** The options, and the rules for header names that follow from them. */
export interface ProtocolSettings extends ProtocolOptions {
  readonly names: HeaderNames;
}

/** The defaults of this room's options. */
export const defaultProtocolOptions = defaultsOf(protocolOptions);
