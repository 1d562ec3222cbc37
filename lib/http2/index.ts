export { BlockReader, type FieldList } from './block-reader.js';
export { Connection, defaultConnectionOptions, type ConnectionListener, type ConnectionOptions } from './connection.js';
export { ConnectionError, ErrorCode, errorCodeName, protocolError } from './error.js';
export { FRAME_HEAD_BYTES, FrameReader, type FrameSink, FrameType } from './frame.js';
export { FrameWriter } from './frame-writer.js';
export { FieldEncoder } from './hpack-encoder.js';
export { entrySize } from './static-table.js';
export { fieldProblem, type Stream, type StreamFailure, type StreamListener } from './stream.js';
