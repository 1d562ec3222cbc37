/** Request headers and cookies that set fields (`headers` of `(photongate.http)`, docs/semantics.md). */
import type { Codec, TextReader } from '../../codec/index.js';
import { headerValues, type HeaderFields } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor } from '../../schema/types.js';
import { ConfigError, type FieldViolation } from '../../status.js';
import { quote } from '../../uri.js';
import type { HeaderNames } from '../../metadata/index.js';
import { takenField, type TakenField } from './given-fields.js';
import type { MessageNode } from './merge.js';

interface BoundHeader {
  readonly source: 'header' | 'cookie';
  readonly name: string;
  readonly parents: readonly FieldDescriptor[];
  readonly field: FieldDescriptor;
  readonly read: TextReader;
  readonly taken: readonly TakenField[];
}

/** Binds the headers and cookies of a rule. */
export class HeaderBinder {
  private readonly bound: readonly BoundHeader[];

  /** @throws ConfigError for a header that is never taken from clients. */
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
      const taken = takenField(path, `the ${source} ${name}`);
      return read === undefined ? [] : [{ source, name, parents: path.slice(0, -1), field, read, taken }];
    });
  }

  /** Adds the values to `node` and returns the oneof members that they set. Only a repeated field takes several lines. */
  bind(headers: HeaderFields, node: MessageNode, violations: FieldViolation[]): readonly TakenField[] {
    if (this.bound.length === 0) return [];
    const taken: TakenField[] = [];
    for (const { source, name, parents, field, read, taken: own } of this.bound) {
      const texts = source === 'header' ? headerValues(headers, name) : cookies(headers, name, field.repeated);
      if (texts.length === 0) continue;
      taken.push(...own);
      const label = `${source} ${name}`;
      if (texts.length > 1 && !field.repeated) {
        violations.push({ field: label, description: 'given more than once, expected one value' });
        continue;
      }
      const parent = node.descend(parents);
      for (const text of texts) parent.add({ field, read, text, label, source: `the ${label}` });
    }
    return taken;
  }
}

/**
 * The values of a cookie without quotes. Of several cookies of one name, browsers send the most specific first
 * (https://www.rfc-editor.org/rfc/rfc6265#section-5.4), so a field that takes one value takes that.
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
