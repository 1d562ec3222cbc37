/**
 * Printers of answers that one request asks for: with enums as numbers, or of selected fields alone. The ordinary ones
 * are the codec's; all of these print without white space, as that may be asked for or not.
 */
import { Codec, parseSelection, SelectionError, type JsonWriter, type Selection } from '../codec/index.js';
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { TranscodeOptions } from './options.js';

/** Selections kept, for all routes of a gateway together; clients use few, a hostile one endless ones. */
const MAX_KEPT = 500;
const MAX_KEPT_LENGTH = 1000;

/** A selection that was read, and its printers as far as they were asked for. */
export interface KeptSelection {
  readonly selection: Selection;
  readonly writers: Map<Codec, JsonWriter>;
}

export class Printers {
  /** Enums as the options say. */
  readonly plain: Codec;
  private intsCodec: Codec | undefined;
  private readonly kept = new Map<string, KeptSelection | SelectionError>();

  constructor(
    codec: Codec,
    private readonly types: Pick<Schema, 'message'>,
    private readonly options: TranscodeOptions,
  ) {
    this.plain = options.addWhitespace ? new Codec(types, { ...options, addWhitespace: false }) : codec;
  }

  /** Enums as numbers; compiled when first asked for. */
  get ints(): Codec {
    if (this.options.alwaysPrintEnumsAsInts) return this.plain;
    this.intsCodec ??= new Codec(this.types, { ...this.options, addWhitespace: false, alwaysPrintEnumsAsInts: true });
    return this.intsCodec;
  }

  /** @throws SelectionError where a path leads nowhere. */
  selection(root: MessageDescriptor | FieldDescriptor, text: string): KeptSelection {
    const key = `${root.fullName} ${text}`;
    let found = this.kept.get(key);
    if (found === undefined) {
      found = readSelection(root, text);
      if (text.length <= MAX_KEPT_LENGTH) {
        if (this.kept.size >= MAX_KEPT) this.kept.delete(this.kept.keys().next().value!);
        this.kept.set(key, found);
      }
    }
    if (found instanceof SelectionError) throw found;
    return found;
  }
}

function readSelection(root: MessageDescriptor | FieldDescriptor, text: string): KeptSelection | SelectionError {
  try {
    return { selection: parseSelection(root, text), writers: new Map() };
  } catch (error) {
    if (error instanceof SelectionError) return error;
    throw error;
  }
}
