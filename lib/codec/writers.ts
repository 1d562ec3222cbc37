/** All JSON printers of one codec, made on first use. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import { makeTag, WireError, WireType, Writer } from '../wire/index.js';
import { indentJson } from './indent.js';
import type { CodecOptions } from './options.js';
import { outOfOrder, UnprintableError, WireInput } from './wire-input.js';
import type { Selection } from './selection.js';
import { wellKnownKind } from './well-known.js';
import type { ContentPrinter, ValuePrinter, WriteContext } from './write-context.js';
import { MessagePrinter, messageValuePrinter } from './write-message.js';
import { scalarPrinter } from './write-scalars.js';
import { AnyPrinter, valuePrinter, wellKnownPrinter } from './write-well-known.js';
import { cached } from './cached.js';

/** Makes and keeps the printers of one codec. */
export class JsonWriters implements WriteContext {
  private readonly contents = new Map<MessageDescriptor, ContentPrinter>();
  private readonly messages = new Map<MessageDescriptor, MessagePrinter>();
  private readonly any = new AnyPrinter(this, (message) => this.messagePrinter(message));

  constructor(
    readonly types: Pick<Schema, 'message'>,
    readonly options: CodecOptions,
  ) {}

  content(message: MessageDescriptor): ContentPrinter {
    return cached(
      this.contents,
      message,
      () =>
        wellKnownPrinter(message, this, (type) => this.messagePrinter(type)) ?? this.messagePrinter(message).content,
    );
  }

  value(field: FieldDescriptor): ValuePrinter {
    return field.type === 'message'
      ? messageValuePrinter(field, this.content(field.message!))
      : scalarPrinter(field, this.options);
  }

  selectedValue(field: FieldDescriptor, selection: Selection): ValuePrinter {
    return messageValuePrinter(field, this.selectedContent(field.message!, selection));
  }

  /** The printer of the selected parts of a message. Not cached. */
  private selectedContent(message: MessageDescriptor, selection: Selection): ContentPrinter {
    if (selection.whole) return this.content(message);
    const kind = wellKnownKind(message);
    // The selection of a Struct, Value or ListValue applies to its keys, at any depth of lists.
    if (kind === 'Value') return valuePrinter(message, { value: (field) => this.selectedValue(field, selection) });
    if (kind === 'Struct' || kind === 'ListValue') {
      return this.selectedOnly(message.fieldByNumber(1)!, selection);
    }
    return new MessagePrinter(message, this, selection).content;
  }

  private selectedOnly(field: FieldDescriptor, selection: Selection): ContentPrinter {
    const fields = new Map([[field, selection]]);
    return new MessagePrinter(field.parent, this, { whole: false, fields, keys: new Map() }).only(field.number);
  }

  /** Prints the selected parts of a message. */
  selectedMessage(message: MessageDescriptor, selection: Selection): (wire: Buffer, out: Writer) => void {
    const content = this.selectedContent(message, selection);
    return (wire, out) => this.print(content, wire, out, message.fullName);
  }

  /** Prints the selected parts of one field of a message. */
  selectedField(field: FieldDescriptor, selection: Selection): (wire: Buffer, out: Writer) => void {
    const content = this.selectedOnly(field, selection);
    return (wire, out) => this.print(content, wire, out, field.parent.fullName);
  }

  /** Prints a whole message. */
  message(message: MessageDescriptor): (wire: Buffer, out: Writer) => void {
    const content = this.content(message);
    return (wire, out) => this.print(content, wire, out, message.fullName);
  }

  /** Prints one field of a message. */
  field(field: FieldDescriptor): (wire: Buffer, out: Writer) => void {
    const content = this.messagePrinter(field.parent).only(field.number);
    return (wire, out) => this.print(content, wire, out, field.parent.fullName);
  }

  writeAny(typeUrl: string, value: Buffer, out: Writer): void {
    const wire = new Writer(value.length + typeUrl.length * 3 + 16);
    wire.byte(makeTag(1, WireType.BYTES));
    wire.string(typeUrl.toWellFormed());
    wire.byte(makeTag(2, WireType.BYTES));
    wire.bytes(value);
    this.print(this.any.content, wire.peek(), out, 'google.protobuf.Any');
  }

  private messagePrinter(message: MessageDescriptor): MessagePrinter {
    return cached(this.messages, message, () => new MessagePrinter(message, this));
  }

  /** Prints in the fast pass or, if needed, the careful one. On failure `out` is unchanged. */
  private print(content: ContentPrinter, wire: Buffer, out: Writer, typeName: string): void {
    const start = out.pos;
    // Few answers are larger than this, so storage seldom grows.
    out.reserve(wire.length * 1.5);
    try {
      printAnyOrder(content, wire, out);
    } catch (error) {
      out.pos = start;
      throw asStatus(error, typeName);
    }
    if (this.options.addWhitespace) indentFrom(out, start);
  }
}

function printAnyOrder(content: ContentPrinter, wire: Buffer, out: Writer): void {
  const start = out.pos;
  try {
    content(new WireInput(wire, false), out);
  } catch (error) {
    // A later occurrence may replace a value without JSON form; only the careful pass knows.
    if (error !== outOfOrder && !(error instanceof UnprintableError)) throw error;
    out.pos = start;
    content(new WireInput(wire, true), out);
  }
}

function asStatus(error: unknown, typeName: string): unknown {
  if (error instanceof WireError) return invalidAnswer(typeName, error);
  if (!(error instanceof UnprintableError)) return error;
  const text = `the service's ${typeName} has no JSON form: ${error.message}`;
  return new StatusError(Code.INTERNAL, text, { cause: error });
}

/** The service sent bytes that are not a message of the type. */
export function invalidAnswer(typeName: string, cause: WireError): StatusError {
  const text = `the service's answer is no valid ${typeName}: ${cause.message}`;
  return new StatusError(Code.INTERNAL, text, { cause });
}

function indentFrom(out: Writer, start: number): void {
  const indented = indentJson(out.buf.subarray(start, out.pos));
  out.pos = start;
  out.raw(indented);
}
