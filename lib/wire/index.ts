export { Writer } from './writer.js';
export { Pieces } from './pieces.js';
export { endTagOf, makeTag, Reader, WireError, WireType } from './reader.js';
export { encodeFlagged, encodeFrame, FRAME_HEAD_BYTES, FrameError, FrameReader, type Frame } from './frame.js';
export { healthPaths, healthRequest, type ServingStatus, servingStatusIn } from './grpc-health.js';
export {
  bytes,
  type Decoded,
  defineMessage,
  int64,
  list,
  type MessageType,
  optional,
  packed,
  text,
  uint32,
} from './message.js';
