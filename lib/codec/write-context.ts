/** What the pieces of the JSON printer hand to each other; types alone. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import type { CodecOptions } from './options.js';
import type { Selection } from './selection.js';
import type { WireInput } from './wire-input.js';

/** What a value printer printed: the type's default, another value, or nothing at all (then `out` may hold a rest). */
export const Printed = { DEFAULT: 0, VALUE: 1, NOTHING: 2 } as const;
export type Printed = (typeof Printed)[keyof typeof Printed];

/** Reads the value that the input is at (its tag is read) and prints it. */
export type ValuePrinter = (input: WireInput, out: Writer) => Printed;

/** Prints the message that stands from the input's `pos` to its `end`. */
export type ContentPrinter = (input: WireInput, out: Writer) => void;

export interface WriteContext {
  readonly options: CodecOptions;
  readonly types: Pick<Schema, 'message'>;
  /** The printer of a message's content. Made when first asked for. */
  content(message: MessageDescriptor): ContentPrinter;
  /** The printer of one value of a field. */
  value(field: FieldDescriptor): ValuePrinter;
  /** The printer of the selected parts of one value of a field. */
  selectedValue(field: FieldDescriptor, selection: Selection): ValuePrinter;
}
