/** The types by which the parts of the JSON printer work together. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import type { CodecOptions } from './options.js';
import type { Selection } from './selection.js';
import type { WireInput } from './wire-input.js';

/** What a value printer printed: the type's default, another value, or nothing (`out` may then hold a rest). */
export const Printed = { DEFAULT: 0, VALUE: 1, NOTHING: 2 } as const;
/** One of the values of `Printed`. */
export type Printed = (typeof Printed)[keyof typeof Printed];

/** Reads the value after the tag and prints it. */
export type ValuePrinter = (input: WireInput, out: Writer) => Printed;

/** Prints the message from the input's `pos` to its `end`. */
export type ContentPrinter = (input: WireInput, out: Writer) => void;

/** Gives printers access to the printers of other types. */
export interface WriteContext {
  readonly options: CodecOptions;
  readonly types: Pick<Schema, 'message'>;
  /** The printer of a message's content. Made on first use. */
  content(message: MessageDescriptor): ContentPrinter;
  /** The printer of one value of a field. */
  value(field: FieldDescriptor): ValuePrinter;
  /** The printer of the selected parts of one value of a field. */
  selectedValue(field: FieldDescriptor, selection: Selection): ValuePrinter;
}
