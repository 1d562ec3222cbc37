/**
 * Fields of an answer that are sent as headers (`response_headers` of `(photongate.http)`, docs/semantics.md).
 */
import type { Codec } from '../../codec/index.js';
import { header, isHeaderValue } from '../../headers.js';
import type { Binding, FieldPath } from '../../rule/index.js';
import type { Writer } from '../../wire/index.js';
import { submessage } from '../submessage.js';

/** Adds the headers that fields of an answer set. Fields that are empty or not valid in a header are left out. */
export type FieldHeaders = (message: Buffer, headers: string[]) => void;

/** Undefined if the method has no such headers. */
export function compileFieldHeaders(binding: Binding, codec: Codec, scratch: Writer): FieldHeaders | undefined {
  const { responseHeaders } = binding.options;
  if (responseHeaders.length === 0) return undefined;
  const sources = responseHeaders.map(({ name, path }) => ({ name, textOf: compileFieldText(path, codec, scratch) }));
  return (message, headers) => {
    for (const { name, textOf } of sources) {
      const text = textOf(message);
      // A header that the service set itself stays.
      if (text !== '' && isHeaderValue(text) && header(headers, name) === undefined) headers.push(name, text);
    }
  };
}

/** Reads the text of one scalar field of a message; '' if the field is not a scalar. */
export function compileFieldText(path: FieldPath, codec: Codec, scratch: Writer): (message: Buffer) => string {
  const parents = path.slice(0, -1);
  const write = codec.fieldWriter(path[path.length - 1]!);
  return (message) => {
    scratch.reset();
    write(parents.reduce(submessage, message), scratch);
    return scalarText(scratch);
  };
}

/** The JSON of a scalar without its quotes; '' for null, objects and arrays. */
export function scalarText(out: Writer): string {
  const json = out.peek().toString('utf8');
  if (json.startsWith('"')) return JSON.parse(json) as string;
  return json.startsWith('{') || json.startsWith('[') || json === 'null' ? '' : json;
}
