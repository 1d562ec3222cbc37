/** Native gRPC, gRPC-Web and Connect, on the same port as REST. */
export type { ProtocolName } from './detect.js';
export { defaultProtocolOptions, protocolOptions, type ProtocolOptions } from './options.js';
export { type ProtocolMatch, ProtocolTable, type ProtocolTarget } from './table.js';
