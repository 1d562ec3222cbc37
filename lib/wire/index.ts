export { Writer } from './writer.js';
export { Reader, WireError, WireType } from './reader.js';
export { encodeFrame, FRAME_HEAD_BYTES, FrameError, FrameReader, type Frame } from './frame.js';
