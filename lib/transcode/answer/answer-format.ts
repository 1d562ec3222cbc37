/**
 * The form of an answer: JSON, protobuf or text. It is chosen from the head of the request before the service is called, so
 * that a bad parameter costs no call.
 */
import { indentJson, SelectionError, selectWire, type Codec } from '../../codec/index.js';
import type { HeaderFields } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import type { FieldViolation } from '../../status.js';
import type { Writer } from '../../wire/index.js';
import { JSON_TYPE, PROTO_TYPE, TEXT_TYPE } from './accept.js';
import type { TranscodeContext } from '../context.js';
import type { KeptSelection } from './printers.js';
import { submessage } from '../submessage.js';
import type { SystemParameters } from '../system-parameters.js';
import { pickText, printText, textFields, type PrintedRoot, type TextPick } from './text-answer.js';

/** One form of answers. */
export interface AnswerFormat {
  readonly contentType: string;
  /** Only JSON is wrapped in the envelope. */
  readonly isJson: boolean;
  /** Indent the JSON once it is complete. */
  readonly pretty: boolean;
  /** Writes the body of an answer message. */
  write(message: Buffer, out: Writer): void;
}

/** The formats of one route. */
export interface AnswerFormats {
  /** Chooses the format of one answer. If anything is added to `violations`, the result must not be used. */
  choose(headers: HeaderFields, system: SystemParameters, violations: FieldViolation[]): AnswerFormat;
  /** The format of the messages of a stream: always JSON, without white space. */
  message(system: SystemParameters, violations: FieldViolation[]): AnswerFormat;
  /** The same selection as protobuf; undefined if the answer is a field that is not a message. */
  binary(system: SystemParameters): AnswerFormat | undefined;
}

/** Compiles the formats of a route whose answer is not a google.api.HttpBody. */
export function compileFormats(binding: Binding, context: TranscodeContext): AnswerFormats {
  return new RouteFormats(binding, context);
}

class RouteFormats implements AnswerFormats {
  private readonly usual: AnswerFormat;
  private readonly indented: AnswerFormat;
  private readonly compact: AnswerFormat;
  private readonly root: PrintedRoot;
  private readonly parents: readonly FieldDescriptor[];
  private readonly output: MessageDescriptor;

  constructor(
    binding: Binding,
    private readonly context: TranscodeContext,
  ) {
    const { responseBody, method } = binding;
    const field = responseBody?.[responseBody.length - 1];
    this.output = method.output;
    this.root = field === undefined ? { message: method.output, field: undefined } : { message: undefined, field };
    this.parents = responseBody?.slice(0, -1) ?? [];
    this.usual = this.json(context.printers.plain, undefined, context.options.addWhitespace);
    this.compact = { ...this.usual, pretty: false };
    this.indented = { ...this.usual, pretty: !context.options.addWhitespace };
  }

  choose(headers: HeaderFields, system: SystemParameters, violations: FieldViolation[]): AnswerFormat {
    const preferred = this.context.accept.preferred(headers);
    const { alt, fields, enumsAsInts, prettyPrint } = system;
    if (alt === undefined && fields === undefined && preferred[0] === JSON_TYPE) {
      return prettyPrint === undefined || prettyPrint === this.usual.pretty ? this.usual : this.indented;
    }
    const kept = fields === undefined ? undefined : this.selection(fields, violations);
    const json = (): AnswerFormat => {
      const { printers, options } = this.context;
      return this.json(enumsAsInts ? printers.ints : printers.plain, kept, prettyPrint ?? options.addWhitespace);
    };
    switch (alt) {
      case 'json':
        return json();
      case 'proto':
        return this.proto(kept) ?? this.refuse('$alt', this.noProtobuf(), violations);
      case 'text': {
        // What is wrong with the fields is said already.
        if (fields !== undefined && kept === undefined) return this.usual;
        const pick = pickText(this.root, kept?.selection);
        return pick === undefined ? this.refuse('$alt', this.noText(), violations) : this.text(pick);
      }
      case 'sse':
      case 'ndjson':
        return this.refuse(
          '$alt',
          `${alt} is for methods that answer with a stream; write json, or leave it out`,
          violations,
        );
      case undefined:
        return this.accepted(preferred, kept) ?? json();
    }
  }

  message({ alt, fields, enumsAsInts }: SystemParameters, violations: FieldViolation[]): AnswerFormat {
    if (alt === 'proto' || alt === 'text') {
      violations.push({ field: '$alt', description: `${alt} is for single answers; write json, ndjson or sse` });
    }
    if (fields === undefined && !enumsAsInts) return this.compact;
    const kept = fields === undefined ? undefined : this.selection(fields, violations);
    const { printers } = this.context;
    return this.json(enumsAsInts ? printers.ints : printers.plain, kept, false);
  }

  binary({ fields }: SystemParameters): AnswerFormat | undefined {
    // Errors in `$fields` are reported by the JSON format, which is always made as well.
    return this.proto(fields === undefined ? undefined : this.selection(fields, []));
  }

  /** Chosen by `Accept` alone, so a format that is impossible here is skipped instead of refused. */
  private accepted(preferred: readonly string[], kept: KeptSelection | undefined): AnswerFormat | undefined {
    for (const type of preferred) {
      if (type === JSON_TYPE) return undefined;
      const pick = type === TEXT_TYPE ? pickText(this.root, kept?.selection) : undefined;
      const format = pick === undefined ? (type === PROTO_TYPE ? this.proto(kept) : undefined) : this.text(pick);
      if (format !== undefined) return format;
    }
    return undefined;
  }

  private selection(text: string, violations: FieldViolation[]): KeptSelection | undefined {
    try {
      return this.context.printers.selection(this.root.message ?? this.root.field, text);
    } catch (error) {
      if (!(error instanceof SelectionError)) throw error;
      violations.push({ field: '$fields', description: error.message });
      return undefined;
    }
  }

  private json(codec: Codec, kept: KeptSelection | undefined, pretty: boolean): AnswerFormat {
    const { parents } = this;
    let write: ((message: Buffer, out: Writer) => void) | undefined;
    return {
      contentType: JSON_TYPE,
      isJson: true,
      pretty,
      // Compiled on first use, so that a schema of thousands of routes starts quickly.
      write: (message, out) => {
        write ??= this.writer(codec, kept);
        write(parents.length === 0 ? message : parents.reduce(submessage, message), out);
      },
    };
  }

  private writer(codec: Codec, kept: KeptSelection | undefined): (message: Buffer, out: Writer) => void {
    const { message, field } = this.root;
    if (kept === undefined || kept.selection.whole) {
      return message === undefined ? codec.fieldWriter(field) : codec.writer(message);
    }
    const found = kept.writers.get(codec);
    if (found !== undefined) return found;
    const writer =
      message === undefined
        ? codec.selectedFieldWriter(field, kept.selection)
        : codec.selectedWriter(message, kept.selection);
    kept.writers.set(codec, writer);
    return writer;
  }

  /** Undefined if the answer is a field that is not a message. */
  private proto(kept: KeptSelection | undefined): AnswerFormat | undefined {
    const { field } = this.root;
    const message = this.root.message ?? (field!.repeated ? undefined : field!.message);
    if (message === undefined) return undefined;
    const steps = field === undefined ? this.parents : [...this.parents, field];
    return {
      contentType: PROTO_TYPE,
      isJson: false,
      pretty: false,
      write: (wire, out) => {
        const part = steps.reduce(submessage, wire);
        if (kept === undefined) out.raw(part);
        else selectWire(message, kept.selection, part, out);
      },
    };
  }

  private text(pick: TextPick): AnswerFormat {
    const { output, parents, context } = this;
    return {
      contentType: 'text/plain; charset=utf-8',
      isJson: false,
      pretty: false,
      write: (wire, out) => out.utf8(printText(pick, output, parents.reduce(submessage, wire), context.printers.plain)),
    };
  }

  private noProtobuf(): string {
    return `the answer of this route is the field "${this.root.field!.name}", which is no message; write json, or leave it out`;
  }

  private noText(): string {
    const names = textFields(this.root);
    return names.length === 0
      ? 'text is for one value, or those of a list, and the answer has none that could be picked; write json, or leave it out'
      : `text is for one value, or those of a list; pick one with fields=…: ${names.slice(0, 50).join(', ')}${names.length > 50 ? ', …' : ''}`;
  }

  private refuse(field: string, description: string, violations: FieldViolation[]): AnswerFormat {
    violations.push({ field, description });
    return this.usual;
  }
}

/** The finished JSON, indented if that was asked for. */
export function finishJson(json: Buffer, pretty: boolean): Buffer {
  return pretty ? indentJson(json) : json;
}
