/** The writers of errors that one gateway has: in the configured shape, or in one of the program's own. */
import { Codec } from '../../codec/index.js';
import type { ErrorWriter } from '../../exchange.js';
import type { Schema } from '../../schema/types.js';
import type { TranscodeOptions } from '../options.js';
import { type CustomErrors, customErrorWriter, customFrameWriter } from './custom-error.js';
import {
  createErrorFrameWriter,
  createErrorLineWriter,
  createErrorWriter,
  type ErrorFrameWriter,
} from './error-body.js';
import { errorPageWriter } from './error-page.js';

/** One writer for each place where an error can stand. */
export interface ErrorWriters {
  /** An error as a whole answer. */
  readonly writeError: ErrorWriter;
  /** An error inside a stream: `{"error": …}` on one line. */
  readonly writeErrorFrame: ErrorFrameWriter;
  /** An error in the place of a stream of grpc-gateway's lines. */
  readonly writeErrorLine: ErrorWriter;
}

/** @param types that details may have */
export function createErrorWriters(
  types: Pick<Schema, 'message'>,
  options: TranscodeOptions,
  custom: CustomErrors | undefined,
): ErrorWriters {
  // Details leave unset fields out unless `whole_errors` is on. They are indented together with the whole error.
  const printed = options.wholeErrors ? {} : { alwaysPrintPrimitiveFields: false, alwaysPrintAllFields: false };
  const codec = new Codec(types, { ...options, ...printed, addWhitespace: false });
  const usual = createErrorWriter(codec, options);
  const usualFrame = createErrorFrameWriter(codec, options);
  if (custom === undefined) {
    const writeError = options.errorPages && !options.ignoreAccept ? errorPageWriter(usual) : usual;
    return { writeError, writeErrorFrame: usualFrame, writeErrorLine: createErrorLineWriter(codec, options) };
  }
  const writeError = customErrorWriter(custom, usual);
  // A shape of the program's own is a whole answer, so it replaces the line too.
  return { writeError, writeErrorFrame: customFrameWriter(writeError, usualFrame), writeErrorLine: writeError };
}
