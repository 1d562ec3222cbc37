/** All JSON readers of one codec, made on first use. */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import { makeTag, WireType } from '../wire/index.js';
import { expectedOf } from './describe.js';
import type { CodecOptions } from './options.js';
import { delimited } from './read-collections.js';
import type { ElementReader, ReadContext, ValueReader } from './read-context.js';
import { fieldValueReader, MessageReader } from './read-message.js';
import { tagOf } from './tags.js';
import { scalarReader } from './read-scalars.js';
import { wellKnownReader } from './read-well-known.js';
import { nullIsValue } from './well-known.js';
import { cached } from './cached.js';

/** Makes and keeps the readers of one codec. */
export class JsonReaders implements ReadContext {
  private readonly contents = new Map<MessageDescriptor, ValueReader>();
  private readonly messages = new Map<MessageDescriptor, MessageReader>();

  constructor(
    readonly types: Pick<Schema, 'message'>,
    readonly options: CodecOptions,
  ) {}

  content(message: MessageDescriptor): ValueReader {
    return cached(
      this.contents,
      message,
      () => wellKnownReader(message, this, (type) => this.messageReader(type)) ?? this.messageReader(message).content,
    );
  }

  element(field: FieldDescriptor): ElementReader {
    return {
      read: this.valueReader(field),
      tag: tagOf(field),
      endTag: field.delimited ? makeTag(field.number, WireType.END_GROUP) : 0,
      acceptsNull: nullIsValue(field),
      expected: expectedOf(field),
    };
  }

  /** Reads a whole field, with its tags. */
  field(field: FieldDescriptor): { readonly read: ValueReader; readonly acceptsNull: boolean } {
    return { read: fieldValueReader(field, this), acceptsNull: !field.repeated && nullIsValue(field) };
  }

  private valueReader(field: FieldDescriptor): ValueReader {
    if (field.type !== 'message') return scalarReader(field, this.options);
    const content = this.content(field.message!);
    return field.delimited ? content : delimited(content);
  }

  private messageReader(message: MessageDescriptor): MessageReader {
    return cached(this.messages, message, () => new MessageReader(message, this));
  }
}
