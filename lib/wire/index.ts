export { Writer } from './writer.js';
export { Reader, WireError, WireType } from './reader.js';
export { encodeFrame, FRAME_HEAD_BYTES, FrameReader, type Frame } from './frame.js';
