/** What may be asked of a request: kinds that routes, filters and local replies have in common. */
import {
  booleanValue,
  checkedText,
  field,
  type GivenOf,
  type Kind,
  type KindValue,
  listOf,
  OptionError,
  record,
  requiredField,
  shown,
} from '../options/index.js';
import { fixedHeader, isHeaderName } from '../headers.js';
import { checkPattern } from '../pattern.js';

/** Not empty. */
export const text = checkedText({
  placeholder: 'TEXT',
  description: 'a text',
  code: 'config-type',
  convert: (value) => (value === '' ? undefined : value),
});

/** May be empty. */
export const anyText = { ...text, jsonSchema: { type: 'string' }, readNode: textOf } satisfies Kind<string>;

function textOf(node: Parameters<Kind<string>['readNode']>[0]): string {
  if (node.kind === 'scalar' && typeof node.value === 'string') return node.value;
  throw new OptionError('expected a text', 'config-type');
}

/** A regular expression. */
export const pattern = checkedText({
  placeholder: 'PATTERN',
  description: 'a regular expression in the syntax of RE2',
  code: 'config-type',
  convert: (value) => checkPattern(value),
});

/** Of a request; a pseudo-header too. */
export const headerName = checkedText({
  placeholder: 'NAME',
  description: 'the name of a header',
  code: 'config-type',
  convert: (name) => (isHeaderName(name.replace(/^:/, '')) ? name.toLowerCase() : undefined),
});

/** One that a route may set or remove. */
export const changedHeader = checkedText({
  placeholder: 'NAME',
  description: 'the name of a header',
  code: 'config-type',
  convert(name) {
    const lower = name.toLowerCase();
    const reason = fixedHeader(lower);
    if (reason !== undefined) throw new OptionError(`${shown(name)} cannot be changed: ${reason}`, 'config-type');
    return isHeaderName(lower) ? lower : undefined;
  },
});

/** What is asked of a text. */
export const textTests = {
  exact: field(anyText, 'the whole value'),
  prefix: field(text, 'how it begins'),
  suffix: field(text, 'how it ends'),
  contains: field(text, 'what it holds'),
  regex: field(pattern, 'what it is as a whole, as a regular expression of RE2'),
  ignore_case: field(booleanValue, 'letters are compared without case'),
  present: field(booleanValue, 'whether it is there at all'),
};

const range = record({
  fields: {
    start: requiredField(wholeNumber(), 'the least', '"range" has start and end'),
    end: requiredField(wholeNumber(), 'the least that is too large', '"range" has start and end'),
  },
  about: '"range"',
  expected: '"range" is a map such as { start: 1, end: 10 }',
});

function wholeNumber(): Kind<number> {
  return {
    unit: '',
    jsonSchema: { type: 'integer' },
    readNode(node) {
      if (node.kind === 'scalar' && typeof node.value === 'number') return node.value;
      throw new OptionError('expected a whole number', 'config-type');
    },
    print: (value) => value,
  };
}

/** What is asked of a header. */
export const headerTest = record({
  fields: {
    name: requiredField(headerName, 'its name', 'a header matcher has a name'),
    ...textTests,
    range: field(range, 'between which numbers it is'),
    invert: field(booleanValue, 'what does not match'),
    missing_is_empty: field(booleanValue, 'a header that is not there is read as an empty one'),
  },
  about: 'a header matcher',
  expected: 'a header matcher is a map such as { name: x-version, exact: "2" }',
});

const queryTest = record({
  fields: { name: requiredField(text, 'its name', 'a query matcher has a name'), ...textTests },
  about: 'a query matcher',
  expected: 'a query matcher is a map such as { name: debug, present: true }',
});

const pathTests = ['prefix', 'path', 'path_separated_prefix', 'regex'] as const;

/** What is asked of a request. */
export const match = record({
  fields: {
    prefix: field(text, 'how the path begins'),
    path: field(text, 'the whole path'),
    path_separated_prefix: field(text, 'how the path begins, up to a slash or its end'),
    regex: field(pattern, 'what the path is as a whole, as a regular expression of RE2'),
    ignore_case: field(booleanValue, 'paths are compared without case'),
    headers: field(listOf(headerTest, '"headers" is a list of matchers'), 'headers, all of which must match'),
    query_parameters: field(
      listOf(queryTest, '"query_parameters" is a list of matchers'),
      'parameters that must match',
    ),
    grpc: field(booleanValue, 'gRPC requests alone'),
  },
  about: 'a match',
  expected: 'a match is a map such as { prefix: / }',
  check(value) {
    const given = pathTests.filter((name) =>
      name === 'path_separated_prefix' ? value.pathSeparatedPrefix : value[name],
    );
    if (given.length === 1) return;
    throw new OptionError(`a match has one of ${pathTests.join(', ')}; found ${given.length}`, 'config-type');
  },
});

export type MatchSettings = KindValue<typeof match>;
export type TextTestSettings = GivenOf<typeof textTests>;
export type HeaderTestSettings = KindValue<typeof headerTest>;
export type QueryTestSettings = KindValue<typeof queryTest>;
