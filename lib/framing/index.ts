/**
 * How a stream of JSON messages looks as one HTTP body: JSON array, NDJSON, server-sent events, grpc-gateway's lines.
 * Writers for answers, an incremental reader for uploads. No schema, no sockets.
 */
export { framings, type EventFields, type FramingName, type StreamFraming } from './framing.js';
export { JsonStreamReader, type JsonStreamOptions } from './json-stream.js';
