/** What the pieces of the JSON reader hand to each other; types alone. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { JsonInput } from './json-input.js';
import type { CodecOptions } from './options.js';

/**
 * Reads the value that the input is at (white space is skipped already) and writes it, without a tag. False where
 * nothing was written that counts: the caller takes back its tag.
 */
export type ValueReader = (input: JsonInput) => boolean;

/** How the values of a field are read: one element of a list, one value of a map, or the whole. */
export interface ElementReader {
  /** Writes the value as it stands behind its tag. */
  readonly read: ValueReader;
  readonly tag: number;
  /** For groups, what stands behind the value; else 0. */
  readonly endTag: number;
  /** True where JSON's null is a value of the type, not an absent one. */
  readonly acceptsNull: boolean;
  /** What a value must look like; for messages. */
  readonly expected: string;
}

export interface ReadContext {
  readonly options: CodecOptions;
  readonly types: Pick<Schema, 'message'>;
  /** The reader of a message's content: no length in front. Made when first asked for. */
  content(message: MessageDescriptor): ValueReader;
  element(field: FieldDescriptor): ElementReader;
}
