/**
 * Printers for what single requests ask for: enums as numbers, selected fields. None of them adds white space: the caller
 * indents if the request asks for that.
 */
import { Codec, parseSelection, SelectionError, type JsonWriter, type Selection } from '../../codec/index.js';
import type { FieldDescriptor, MessageDescriptor, Schema } from '../../schema/types.js';
import type { TranscodeOptions } from '../options.js';

/** How many selections all routes of a gateway cache: clients use few, but an attacker can send endless ones. */
const MAX_KEPT = 500;
const MAX_KEPT_LENGTH = 1000;

/** A parsed selection, and the printers that were compiled for it so far. */
export interface KeptSelection {
  readonly selection: Selection;
  readonly writers: Map<Codec, JsonWriter>;
}

/** The printers of one gateway. */
export class Printers {
  /** Prints enums as the options say. */
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

  /** Prints enums as numbers; made when first needed. */
  get ints(): Codec {
    if (this.options.alwaysPrintEnumsAsInts) return this.plain;
    this.intsCodec ??= new Codec(this.types, { ...this.options, addWhitespace: false, alwaysPrintEnumsAsInts: true });
    return this.intsCodec;
  }

  /** @throws SelectionError if a path names no field. */
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
