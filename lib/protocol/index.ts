/** Native gRPC, gRPC-Web and Connect, on the port that serves REST. */
export { defaultProtocolOptions, type ProtocolOptions } from './options.js';
export { type ProtocolMatch, ProtocolTable, type ProtocolTarget } from './table.js';
