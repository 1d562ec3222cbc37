/** The types by which the parts of the JSON reader work together. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { JsonInput } from './json-input.js';
import type { CodecOptions } from './options.js';

/**
 * Reads the value at the input's `pos`, which is not at white space, and writes it without a tag. If it returns false, the
 * caller must remove its tag and anything written after it.
 */
export type ValueReader = (input: JsonInput) => boolean;

/** How the values of a field are read: one element of a list, one value of a map, or the whole. */
export interface ElementReader {
  /** Writes what follows the tag. */
  readonly read: ValueReader;
  readonly tag: number;
  /** The end tag of a group; else 0. */
  readonly endTag: number;
  /** True if null is a value of the type; otherwise it means that the value is absent. */
  readonly acceptsNull: boolean;
  /** The expected form of a value, for error messages. */
  readonly expected: string;
}

/** Gives readers access to the readers of other types. */
export interface ReadContext {
  readonly options: CodecOptions;
  readonly types: Pick<Schema, 'message'>;
  /** The reader of a message's content, without a length. Made on first use. */
  content(message: MessageDescriptor): ValueReader;
  element(field: FieldDescriptor): ElementReader;
}
