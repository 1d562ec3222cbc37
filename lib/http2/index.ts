export { Connection, defaultConnectionOptions, type ConnectionListener, type ConnectionOptions } from './connection.js';
export { ConnectionError, ErrorCode, errorCodeName } from './error.js';
export { entrySize } from './static-table.js';
export { type Stream, type StreamFailure, type StreamListener } from './stream.js';
