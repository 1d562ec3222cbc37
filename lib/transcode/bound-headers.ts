/**
 * Method options that tie headers to fields: a request header or cookie that sets one, a field of the answer that is
 * sent as one (`(photongate.http)`, docs/semantics.md).
 */
import type { Codec, TextReader } from '../codec/index.js';
import { header, headerValues, isHeaderValue, type HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { ConfigError, type FieldViolation } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import type { HeaderNames } from '../metadata/index.js';
import { type TakenOneof, takenOneofs } from './query.js';
import { submessage } from './submessage.js';
import type { MessageNode } from './weave.js';

interface BoundHeader {
  readonly source: 'header' | 'cookie';
  readonly name: string;
  readonly parents: readonly FieldDescriptor[];
  readonly field: FieldDescriptor;
  readonly read: TextReader;
  readonly oneofs: readonly TakenOneof[];
}

/** Adds the values of a request's bound headers and cookies. */
export class HeaderBinder {
  private readonly bound: readonly BoundHeader[];

  /** @throws ConfigError where a header is one that is never taken from clients. */
  constructor(binding: Binding, codec: Codec, names: Pick<HeaderNames, 'isDerived'>) {
    this.bound = binding.options.headers.flatMap(({ source, name, path, place }) => {
      if (source === 'header' && names.isDerived(name)) {
        throw new ConfigError({
          code: 'option-value',
          message: `headers: ${quote(name)} is never taken from clients, so it sets nothing`,
          place,
          rpc: binding.method.fullName,
          hint: 'name another header, or take it out of identity_headers',
        });
      }
      const field = path[path.length - 1]!;
      const read = codec.textReader(field);
      const oneofs = takenOneofs(path, `the ${source} ${name}`);
      return read === undefined ? [] : [{ source, name, parents: path.slice(0, -1), field, read, oneofs }];
    });
  }

  /** Returns the oneofs that they set. A repeated field takes every line of its header, any other field one. */
  bind(headers: HeaderFields, node: MessageNode, violations: FieldViolation[]): readonly TakenOneof[] {
    if (this.bound.length === 0) return [];
    const taken: TakenOneof[] = [];
    for (const { source, name, parents, field, read, oneofs } of this.bound) {
      const texts = source === 'header' ? headerValues(headers, name) : cookies(headers, name, field.repeated);
      if (texts.length === 0) continue;
      taken.push(...oneofs);
      const label = `${source} ${name}`;
      if (texts.length > 1 && !field.repeated) {
        violations.push({ field: label, description: 'given more than once, expected one value' });
        continue;
      }
      let at = node;
      for (const parent of parents) at = at.child(parent);
      for (const text of texts) at.add({ field, read, text, label, source: `the ${label}` });
    }
    return taken;
  }
}

/**
 * The values of a cookie, their quotes undone. Where one is wanted it is the first: a browser may send several of one
 * name, the most particular first (https://www.rfc-editor.org/rfc/rfc6265#section-5.4).
 */
function cookies(headers: HeaderFields, name: string, all: boolean): string[] {
  const values: string[] = [];
  for (const pair of headerValues(headers, 'cookie').flatMap((line) => line.split(';'))) {
    const mark = pair.indexOf('=');
    if (mark < 0 || pair.slice(0, mark).trim() !== name) continue;
    const text = pair.slice(mark + 1).trim();
    values.push(text.replace(/^"(.*)"$/, '$1'));
    if (!all) break;
  }
  return values;
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
      // What the service set itself stays.
      if (text !== '' && isHeaderValue(text) && header(headers, name) === undefined) headers.push(name, text);
    }
  };
}

/** A scalar's JSON without its quotes; what is no scalar gives ''. */
export function plainText(json: string): string {
  if (json.startsWith('"')) return JSON.parse(json) as string;
  return json.startsWith('{') || json.startsWith('[') || json === 'null' ? '' : json;
}
