/**
 * What all plans of one gateway share. Requests are read and answers written synchronously, so all routes can use the same
 * buffers.
 */
import { Codec } from '../codec/index.js';
import type { Schema } from '../schema/types.js';
import { Writer } from '../wire/index.js';
import { AcceptReader } from './answer/accept.js';
import { HeaderNames } from '../metadata/index.js';
import { Printers } from './answer/printers.js';
import type { CustomErrors } from './answer/custom-error.js';
import { createErrorWriters, type ErrorWriters } from './answer/error-writers.js';
import type { TranscodeOptions } from './options.js';

/** What `compilePlan` needs besides the binding. */
export interface TranscodeContext extends ErrorWriters {
  readonly codec: Codec;
  readonly options: TranscodeOptions;
  readonly buffers: Buffers;
  readonly printers: Printers;
  readonly accept: AcceptReader;
  /** Which headers become metadata, and back. */
  readonly names: HeaderNames;
}

/**
 * The context of one gateway.
 * @param types that may stand in a google.protobuf.Any
 * @param errors a program's own shape of errors, in the place of `error_format`
 */
export function createContext(
  types: Pick<Schema, 'message'>,
  options: TranscodeOptions,
  errors?: CustomErrors,
): TranscodeContext {
  const codec = new Codec(types, options);
  return {
    ...createErrorWriters(types, options, errors),
    codec,
    options,
    buffers: new Buffers(),
    printers: new Printers(codec, types, options),
    accept: new AcceptReader(options.ignoreAccept),
    names: new HeaderNames(options),
  };
}

/** One buffer for each thing that is written while another one is still in use. */
export class Buffers {
  /** The request message. */
  readonly message = new Writer();
  /** The fields of the request message that come from the body. */
  readonly body = new Writer();
  /** A value that is only compared or turned into text. */
  readonly scratch = new Writer(64);
  /** The JSON answer. */
  readonly json = new Writer(4096);
}
