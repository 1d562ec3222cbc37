/**
 * What all plans of one gateway share: the codec, the options, and the buffers. Requests are read and answers written
 * in one synchronous go, so that thousands of routes need no buffers of their own.
 */
import type { Codec } from '../codec/index.js';
import type { ErrorWriter } from '../exchange.js';
import { Writer } from '../wire/index.js';
import type { TranscodeOptions } from './options.js';

export interface TranscodeContext {
  readonly codec: Codec;
  readonly options: TranscodeOptions;
  readonly writeError: ErrorWriter;
  readonly buffers: Buffers;
}

/** One buffer for each thing that is under way at the same time. */
export class Buffers {
  /** The request message. */
  readonly message = new Writer();
  /** The part of it that the body brings. */
  readonly body = new Writer();
  /** A value that is only compared. */
  readonly scratch = new Writer(64);
  /** The JSON answer. */
  readonly json = new Writer(4096);
}
