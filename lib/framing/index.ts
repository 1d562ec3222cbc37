/**
 * Streams of JSON messages as HTTP bodies: JSON array, NDJSON, server-sent events, JSON text sequences, grpc-gateway's lines. There are writers for
 * answers and an incremental reader for uploads.
 */
export { framings, type EventFields, type FramingName, type StreamFraming } from './framing.js';
export { JsonStreamReader, type JsonStreamOptions, type MessagePlace } from './json-stream.js';
