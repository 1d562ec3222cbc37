/**
 * Method options that tie headers to fields: a request header or cookie that sets one, a field of the answer that is
 * sent as one (`(photongate.http)`, docs/semantics.md).
 */
import type { Codec, TextReader } from '../codec/index.js';
import { header, headerValues, isHeaderValue, type HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import { submessage } from './submessage.js';
import type { MessageNode } from './weave.js';

interface BoundHeader {
  readonly source: 'header' | 'cookie';
  readonly name: string;
  readonly parents: readonly FieldDescriptor[];
  readonly field: FieldDescriptor;
  readonly read: TextReader;
}

/** Adds the values of a request's bound headers and cookies. */
export class HeaderBinder {
  private readonly bound: readonly BoundHeader[];

  constructor(binding: Binding, codec: Codec) {
    this.bound = binding.options.headers.flatMap(({ source, name, path }) => {
      const field = path[path.length - 1]!;
      const read = codec.textReader(field);
      return read === undefined ? [] : [{ source, name, parents: path.slice(0, -1), field, read }];
    });
  }

  bind(headers: HeaderFields, node: MessageNode): void {
    for (const { source, name, parents, field, read } of this.bound) {
      const text = source === 'header' ? header(headers, name) : cookie(headers, name);
      if (text === undefined) continue;
      let at = node;
      for (const parent of parents) at = at.child(parent);
      at.add({ field, read, text, bare: false, label: `${source} ${name}` });
    }
  }
}

/** The value of a cookie, its quotes undone. */
function cookie(headers: HeaderFields, name: string): string | undefined {
  for (const line of headerValues(headers, 'cookie')) {
    for (const pair of line.split(';')) {
      const mark = pair.indexOf('=');
      if (mark < 0 || pair.slice(0, mark).trim() !== name) continue;
      return pair
        .slice(mark + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
  }
  return undefined;
}

/** Adds headers that an answer's fields give; a field that is empty or cannot be a header adds none. */
export type FieldHeaders = (message: Buffer, headers: string[]) => void;

/** Undefined where the method has no such headers. */
export function compileFieldHeaders(binding: Binding, codec: Codec, scratch: Writer): FieldHeaders | undefined {
  const { responseHeaders } = binding.options;
  if (responseHeaders.length === 0) return undefined;
  const sources = responseHeaders.map(({ name, path }) => ({
    name,
    parents: path.slice(0, -1),
    write: codec.fieldWriter(path[path.length - 1]!),
  }));
  return (message, headers) => {
    for (const { name, parents, write } of sources) {
      scratch.reset();
      write(parents.reduce(submessage, message), scratch);
      const text = plainText(scratch.peek().toString('utf8'));
      if (text !== '' && isHeaderValue(text)) headers.push(name, text);
    }
  };
}

/** A scalar's JSON without its quotes; what is no scalar gives ''. */
function plainText(json: string): string {
  if (json.startsWith('"')) return JSON.parse(json) as string;
  return json.startsWith('{') || json.startsWith('[') || json === 'null' ? '' : json;
}
