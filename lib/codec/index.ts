/**
 * ProtoJSON (https://protobuf.dev/programming-guides/json/), converted directly between JSON bytes and wire bytes, and the
 * text form of single values.
 */
export { Codec, type JsonWriter } from './codec.js';
export { bomLength } from './chars.js';
export { checkWire } from './check-wire.js';
export { keyText } from './key-set.js';
export { indentJson } from './indent.js';
export { codecOptions, defaultCodecOptions, type CodecOptions } from './options.js';
export type { TextOrigin } from './place.js';
export { JsonScanner, JsonSyntaxError } from './scanner.js';
export { parseSelection, SelectionError, type Selection } from './selection.js';
export { selectWire } from './select-wire.js';
export type { TextReader } from './text.js';
export { type VisibleMessage, type VisibleTypes, VisibleWire } from './visible-wire.js';
export { ValueError } from './value-error.js';
export { shortestFloat } from './floats.js';
export { invalidArgument, MAX_VIOLATIONS } from './violations.js';
export { invalidAnswer } from './writers.js';
export { isHttpBody, NULL_VALUE_ENUM, wellKnownKind, wrappedField } from './well-known.js';
