/**
 * The rules of a schema, by message: read from the encoded files, which hold the options of `.proto` text and of descriptor
 * sets alike. A file is read when one of its messages is asked for.
 */
import { joinName } from '../schema/scopes.js';
import type { FileDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import { bytes, type Decoded, defineMessage, list, Reader, text, uint32, WireType } from '../wire/index.js';
import {
  type CelRule,
  decodeFieldRules,
  decodeMessageRules,
  decodeOneofRequired,
  decodePredefined,
  type FieldRules,
  type MessageRules,
} from './rules.js';

/** What the options of a message and of its fields say. */
export interface MessageAnnotations {
  readonly message: MessageRules | undefined;
  /** By number. */
  readonly fields: ReadonlyMap<number, FieldRules>;
  /** Names of the oneofs of which a member must be set. */
  readonly requiredOneofs: ReadonlySet<string>;
}

/** A rule that is defined in a schema: a field or extension of a `buf.validate.*Rules` message. */
export interface PredefinedRule {
  /** The extension's full name in brackets, or the field's name. */
  readonly name: string;
  readonly isExtension: boolean;
  /** google.protobuf.FieldDescriptorProto.Type */
  readonly type: number;
  readonly cel: readonly CelRule[];
}

/** Numbers of the extensions of google.protobuf.*Options. */
const RULES = 1159;
const PREDEFINED = 1160;

const FieldProto = defineMessage({
  name: [1, text],
  extendee: [2, text],
  number: [3, uint32],
  type: [5, uint32],
  options: [8, bytes],
});
const MessageProto = defineMessage({
  name: [1, text],
  fields: [2, list(FieldProto)],
  nested: [3, list(bytes)],
  extensions: [6, list(FieldProto)],
  options: [7, bytes],
  oneofs: [8, list(defineMessage({ name: [1, text], options: [2, bytes] }))],
});
const FileProto = defineMessage({ messages: [4, list(bytes)], extensions: [7, list(FieldProto)] });

/** Of a message without rules. */
export const noAnnotations: MessageAnnotations = { message: undefined, fields: new Map(), requiredOneofs: new Set() };

/** The rules of one schema. */
export class Annotations {
  private readonly files = new Map<FileDescriptor, ReadonlyMap<string, MessageAnnotations>>();
  private defined: ReadonlyMap<string, PredefinedRule> | undefined;

  constructor(private readonly schema: Schema) {}

  /** @throws WireError if the options are not what `buf.validate` says */
  of({ fullName }: MessageDescriptor): MessageAnnotations {
    const file = this.schema.fileOf(fullName);
    if (file === undefined) return noAnnotations;
    let messages = this.files.get(file);
    if (messages === undefined) this.files.set(file, (messages = readFile(file)));
    return messages.get(fullName) ?? noAnnotations;
  }

  /** What a number of a rules message means; undefined if the schema does not say. @throws WireError */
  predefined(typeName: string, number: number): PredefinedRule | undefined {
    this.defined ??= new Map(this.schema.files.flatMap(definedRules));
    return this.defined.get(`${typeName} ${number}`);
  }
}

function readFile(file: FileDescriptor): Map<string, MessageAnnotations> {
  const found = new Map<string, MessageAnnotations>();
  for (const message of FileProto.decode(file.encoded).messages) readMessage(message, file.package, found);
  return found;
}

function readMessage(encoded: Buffer, scope: string, found: Map<string, MessageAnnotations>): void {
  const { name, fields, nested, options, oneofs } = MessageProto.decode(encoded);
  const fullName = joinName(scope, name);
  for (const inner of nested) readMessage(inner, fullName, found);
  const rules = optionBytes(options, RULES);
  const annotated = fields.flatMap(({ number, options }): [number, FieldRules][] => {
    const rules = optionBytes(options, RULES);
    return rules === undefined ? [] : [[number, decodeFieldRules(rules)]];
  });
  const required = oneofs.filter(({ options }) => {
    const rules = optionBytes(options, RULES);
    return rules !== undefined && decodeOneofRequired(rules);
  });
  if (rules === undefined && annotated.length === 0 && required.length === 0) return;
  found.set(fullName, {
    message: rules && decodeMessageRules(rules),
    fields: new Map(annotated),
    requiredOneofs: new Set(required.map(({ name }) => name)),
  });
}

/** A message-typed option, its pieces joined. */
function optionBytes(options: Buffer, number: number): Buffer | undefined {
  const reader = new Reader(options);
  let found: Buffer | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === number && (tag & 7) === WireType.BYTES) {
      const piece = reader.bytes();
      found = found === undefined ? piece : Buffer.concat([found, piece]);
    } else reader.skip(tag);
  }
  return found;
}

function definedRules(file: FileDescriptor): [string, PredefinedRule][] {
  const { messages, extensions } = FileProto.decode(file.encoded);
  return [
    ...extensions.flatMap((field) => extensionRule(field, file.package)),
    ...messages.flatMap((message) => rulesInside(message, file.package)),
  ];
}

function rulesInside(encoded: Buffer, scope: string): [string, PredefinedRule][] {
  const { name, fields, extensions, nested } = MessageProto.decode(encoded);
  const fullName = joinName(scope, name);
  const own = RULES_MESSAGE.test(fullName) ? fields : [];
  return [
    ...own.map((field): [string, PredefinedRule] => [
      `${fullName} ${field.number}`,
      { ...definitionOf(field), name: field.name, isExtension: false },
    ]),
    ...extensions.flatMap((field) => extensionRule(field, fullName)),
    ...nested.flatMap((inner) => rulesInside(inner, fullName)),
  ];
}

const RULES_MESSAGE = /^buf\.validate\.\w+Rules$/;

function extensionRule(field: Decoded<typeof FieldProto>, scope: string): [string, PredefinedRule][] {
  const type = field.extendee.replace(/^\./, '');
  if (!RULES_MESSAGE.test(type)) return [];
  const name = `[${joinName(scope, field.name)}]`;
  return [[`${type} ${field.number}`, { ...definitionOf(field), name, isExtension: true }]];
}

function definitionOf({ type, options }: Decoded<typeof FieldProto>): Pick<PredefinedRule, 'type' | 'cel'> {
  const predefined = optionBytes(options, PREDEFINED);
  return { type, cel: predefined === undefined ? [] : decodePredefined(predefined) };
}
