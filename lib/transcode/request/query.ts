/**
 * Query strings, and forms, which are written the same way → bound values. Values are not read here: `merge` does that when
 * it writes the message.
 */
import { MAX_VIOLATIONS, type TextReader, wellKnownKind } from '../../codec/index.js';
import type { FieldDescriptor } from '../../schema/types.js';
import { Code, type FieldViolation, StatusError } from '../../status.js';
import { UnescapeError, unescapeQuery } from '../../uri.js';
import type { TranscodeOptions } from '../options.js';
import type { SystemParameterReader } from '../system-parameters.js';
import { GivenFields, shortName, type TakenField } from './given-fields.js';
import type { MessageNode } from './merge.js';
import { NameError, noTextForm } from './parameter-name.js';
import type { ParameterResolver } from './parameter-resolver.js';

/** Binds the pairs of a query or form. */
export class QueryBinder {
  constructor(
    private readonly names: ParameterResolver,
    private readonly options: Pick<TranscodeOptions, 'commaLists' | 'literalPlus' | 'maxFormParts' | 'requestBinding'>,
  ) {}

  /**
   * Adds the values of `query` to `node`; errors in names go to `violations`.
   * @param taken oneof members that other parts of the request set
   * @param system collects the system parameters; undefined if the route has none
   */
  bind(
    query: string,
    node: MessageNode,
    violations: FieldViolation[],
    taken: readonly TakenField[] = [],
    system?: SystemParameterReader,
  ): void {
    const given = new GivenFields(node, taken);
    let count = 0;
    for (let start = 0; start < query.length;) {
      const mark = query.indexOf('&', start);
      const end = mark < 0 ? query.length : mark;
      if (end > start) {
        if (++count > this.options.maxFormParts) throw this.tooMany();
        if (violations.length >= MAX_VIOLATIONS) return;
        this.bindPair(query.slice(start, end), given, violations, system);
      }
      start = end + 1;
    }
    given.finish(violations);
  }

  private tooMany(): StatusError {
    const { maxFormParts } = this.options;
    return new StatusError(
      Code.INVALID_ARGUMENT,
      `more than ${maxFormParts} ${this.names.noun}s; send fewer, or raise --max-form-parts (max_form_parts)`,
    );
  }

  private bindPair(
    pair: string,
    given: GivenFields,
    violations: FieldViolation[],
    system: SystemParameterReader | undefined,
  ): void {
    const mark = pair.indexOf('=');
    const { literalPlus, requestBinding } = this.options;
    // Envoy drops what has no value or no name.
    if (requestBinding === 'envoy' && mark <= 0) return;
    try {
      const name = unescapeQuery(mark < 0 ? pair : pair.slice(0, mark), literalPlus);
      this.bindValue(name, mark < 0 ? undefined : pair.slice(mark + 1), given, system);
    } catch (error) {
      if (!(error instanceof NameError) && !(error instanceof UnescapeError)) throw error;
      violations.push({ field: labelOf(pair, mark), description: error.message });
    }
  }

  private bindValue(
    name: string,
    rawValue: string | undefined,
    given: GivenFields,
    system: SystemParameterReader | undefined,
  ): void {
    const { commaLists, literalPlus } = this.options;
    if (this.names.isIgnored(name)) return;
    if (system?.knows(name) === true) {
      system.add(name, rawValue === undefined ? undefined : unescapeQuery(rawValue, literalPlus));
      return;
    }
    const target = this.names.resolve(name);
    if (target === undefined) return;
    const { field, read, steps, index } = target;
    if (read === undefined) {
      const holder = steps.at(-1)?.field;
      throw new NameError(noTextForm(holder?.map === undefined ? field : holder));
    }
    const isList = commaLists && field.repeated && index === undefined && !holdsCommas(field);
    const value = {
      field,
      read: isList ? commaReader(read) : read,
      text: rawValue === undefined ? '' : unescapeQuery(rawValue, literalPlus),
      label: shortName(name),
      source: this.names.noun,
    };
    if (this.options.requestBinding === 'strict') given.add(target, name, value);
    else given.replace(target, value);
  }
}

/** True for types whose text form contains commas: JSON and field masks. */
function holdsCommas({ message }: FieldDescriptor): boolean {
  const kind = message === undefined ? undefined : wellKnownKind(message);
  return kind === 'Struct' || kind === 'Value' || kind === 'ListValue' || kind === 'FieldMask';
}

/** Reads a comma-separated list. */
function commaReader(read: TextReader): TextReader {
  return (text, out) => {
    for (let start = 0; start <= text.length;) {
      const mark = text.indexOf(',', start);
      const end = mark < 0 ? text.length : mark;
      read(text.slice(start, end), out);
      start = end + 1;
    }
  };
}

/** The name of a parameter in a violation: decoded if possible; the whole pair if the name is empty. */
function labelOf(pair: string, mark: number): string {
  if (mark === 0) return shortName(pair);
  const raw = mark < 0 ? pair : pair.slice(0, mark);
  try {
    return shortName(unescapeQuery(raw, false));
  } catch {
    return shortName(raw);
  }
}
