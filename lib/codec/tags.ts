/** Wire tags of fields: number and wire type in one. */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { wireTypeOf } from '../schema/wire-type.js';
import { makeTag, WireType } from '../wire/index.js';

/** The tag of one value of a field; for a list that is not packed, of one element. */
export function tagOf(field: FieldDescriptor): number {
  return makeTag(field.number, wireTypeOf(field));
}

/** The tag of a length-delimited field. */
export function bytesTag(number: number): number {
  return makeTag(number, WireType.BYTES);
}

/** The tag of a field that is written as a varint. */
export function varintTag(number: number): number {
  return makeTag(number, WireType.VARINT);
}

/** A field or extension of a message by its number. */
export function fieldByNumber(message: MessageDescriptor, number: number): FieldDescriptor | undefined {
  return message.fieldByNumber(number) ?? message.extensions.find((extension) => extension.number === number);
}

/** True for a field that is neither a list nor a map. */
export function isSingular(field: FieldDescriptor): boolean {
  return !field.repeated && field.map === undefined;
}
