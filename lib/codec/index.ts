/**
 * ProtoJSON: the JSON mapping of protobuf (https://protobuf.dev/programming-guides/json/), straight between JSON bytes and
 * wire bytes, and the text form of single values. For `transcode` and, the scanner alone, for `framing`.
 */
export { Codec, type JsonWriter } from './codec.js';
export { checkWire } from './check-wire.js';
export { indentJson } from './indent.js';
export { defaultCodecOptions, type CodecOptions } from './options.js';
export { JsonScanner, JsonSyntaxError } from './scanner.js';
export { parseSelection, SelectionError, type Selection } from './selection.js';
export { selectWire } from './select-wire.js';
export type { TextReader } from './text.js';
export { ValueError } from './value-error.js';
export { MAX_VIOLATIONS, summarize } from './violations.js';
export { wellKnownKind, wrappedField } from './well-known.js';
