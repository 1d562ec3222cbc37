/**
 * What all plans of one gateway share: the codec, the options, and the buffers. Requests are read and answers written
 * in one synchronous go, so that thousands of routes need no buffers of their own.
 */
import { Codec } from '../codec/index.js';
import type { ErrorWriter } from '../exchange.js';
import type { Schema } from '../schema/types.js';
import { Writer } from '../wire/index.js';
import { AcceptReader } from './accept.js';
import { HeaderNames } from '../metadata/index.js';
import { Printers } from './printers.js';
import { createErrorFrameWriter, createErrorWriter, type ErrorFrameWriter } from './error-body.js';
import type { TranscodeOptions } from './options.js';

export interface TranscodeContext {
  readonly codec: Codec;
  readonly options: TranscodeOptions;
  readonly writeError: ErrorWriter;
  /** An error inside a stream: `{"error": …}` on one line, in the configured shape. */
  readonly writeErrorFrame: ErrorFrameWriter;
  readonly buffers: Buffers;
  readonly printers: Printers;
  readonly accept: AcceptReader;
  /** Which headers become metadata, and back. */
  readonly names: HeaderNames;
}

/** @param types that may stand in a google.protobuf.Any. */
export function createContext(types: Pick<Schema, 'message'>, options: TranscodeOptions): TranscodeContext {
  const codec = new Codec(types, options);
  // Details are shown without the fields that nobody set, and are indented with the error that they stand in.
  const errorCodec = new Codec(types, { ...options, alwaysPrintPrimitiveFields: false, addWhitespace: false });
  return {
    codec,
    options,
    writeError: createErrorWriter(errorCodec, options),
    writeErrorFrame: createErrorFrameWriter(errorCodec, options),
    buffers: new Buffers(),
    printers: new Printers(codec, types, options),
    accept: new AcceptReader(),
    names: new HeaderNames(options),
  };
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
