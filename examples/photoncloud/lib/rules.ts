/**
 * Rules that the fields of many requests share, in the form that `requireFields` takes: the field, whether its rule
 * holds, and what to say if not.
 */
import { quoted } from './errors.js';
import { isId } from './ids.js';

/** One rule of one field. */
export type Rule = readonly [field: string, holds: boolean, description: string];

const longestName = 128;
const longestDescription = 1024;

/** A name that people give or that another service made: of a resource, an organisation, a project. */
export function nameRule(field: string, value: string): Rule {
  if (value === '') return [field, false, 'is missing or empty'];
  const holds = /^[^\p{Cc}]+$/u.test(value) && Array.from(value).length <= longestName;
  return [field, holds, `expected 1 to ${longestName} characters, none of them a control character`];
}

/** Text of one line: 1 to `longest` characters, none of them a control character. */
export function lineRule(field: string, text: string, longest = 128): Rule {
  const found = text === '' ? 'is missing or empty, ' : '';
  return [
    field,
    isLine(text, longest) && text !== '',
    `${found}expected 1 to ${longest} characters, none of them a control character`,
  ];
}

/** The same for a field that may be empty. */
export function optionalLineRule(field: string, text: string, longest = 128): Rule {
  return [field, isLine(text, longest), `expected at most ${longest} characters, none of them a control character`];
}

/** Text of any lines; only its length counts, and that it holds no NUL. */
export function textRule(field: string, text: string, longest = 4096): Rule {
  const fits = text.length <= longest && !text.includes('\0');
  return [field, fits, `expected at most ${longest} characters, none of them NUL`];
}

/** An id of another resource or service, as it may stand in a path. */
export function idRule(field: string, text: string, longest = 128): Rule {
  const found = text === '' ? 'is empty' : `is ${quoted(text)}`;
  const fits = text.length <= longest && /^[A-Za-z0-9][A-Za-z0-9._~-]*$/.test(text);
  return [
    field,
    fits,
    `${found}, expected 1 to ${longest} of letters, digits and . _ ~ - (the first a letter or digit)`,
  ];
}

function isLine(text: string, longest: number): boolean {
  return text.length <= 2 * longest && Array.from(text).length <= longest && !/\p{Cc}/u.test(text);
}

/** A name as host names are made of: what Kubernetes takes for a pod or a namespace. */
export function labelRule(field: string, value: string): Rule {
  if (value === '') return [field, false, 'is missing or empty'];
  const holds = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(value);
  const expected = 'expected 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit';
  return [field, holds, `is ${quoted(value)}, ${expected}`];
}

/** Free text, which may be empty. */
export function descriptionRule(value: string, field = 'description', longest = longestDescription): Rule {
  return [field, value.length <= longest, `has ${value.length} characters, expected at most ${longest}`];
}

/** The name of an image that machines or containers are made of. */
export function imageRule(image: string): Rule {
  if (image === '') return ['image', false, 'is missing or empty, expected one such as nginx:1.27'];
  return ['image', /^[!-~]{1,512}$/.test(image), 'expected 1 to 512 visible ASCII characters, such as nginx:1.27'];
}

/** The value of an enum: any but the one that stands for "not given". `names` are those that make sense. */
export function enumRule(field: string, value: unknown, names: readonly string[]): Rule {
  const given = typeof value === 'string' && !value.endsWith('_UNSPECIFIED');
  const found = given || typeof value === 'number' ? `is ${String(value)}` : 'is missing';
  return [field, given && names.includes(value), `${found}, expected ${oneOf(names)}`];
}

/** A whole number from `least` to `most`. */
export function rangeRule(field: string, value: number | bigint, least: number, most: number): Rule {
  return [field, value >= least && value <= most, `is ${value}, expected ${least} to ${most}`];
}

/** The id of another resource, in a body; whether there is one is another matter. */
export function referenceRule(field: string, id: string): Rule {
  if (id === '') return [field, false, 'is missing or empty'];
  return [field, !id.includes('\0'), `is ${quoted(id)}, which is no id`];
}

/** A filter of a list by name; an empty one filters nothing. */
export function nameFilterRule(field: string, value: string): Rule {
  return value === '' ? [field, true, ''] : nameRule(field, value);
}

/** A filter by the id of something; no resource can match one that is no id at all, so it is a mistake. */
export function idFilterRule(field: string, value: string): Rule {
  return [field, value === '' || isId(value), `is ${quoted(value)}, which is no id`];
}

/** A filter by an enum; the value for "not given" filters nothing. */
export function enumFilterRule(field: string, value: unknown, names: readonly string[]): Rule {
  return value === `${field.toUpperCase()}_UNSPECIFIED` ? [field, true, ''] : enumRule(field, value, names);
}

/** Labels of a resource, or a selector of them: at most 64, keys of 1 to 253 characters, values of at most 63. */
export function labelsRule(field: string, labels: Readonly<Record<string, string>>): Rule {
  const entries = Object.entries(labels);
  if (entries.length > 64) return [field, false, `has ${entries.length} entries, expected at most 64`];
  const bad = entries.find(([key, value]) => key === '' || key.length > 253 || value.length > 63);
  if (bad === undefined) return [field, true, ''];
  return [field, false, `has ${quoted(bad[0])}, expected a key of 1 to 253 characters with a value of at most 63`];
}

/** Whether labels have all that a selector asks for. */
export function matches(labels: Readonly<Record<string, string>>, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** `A, B or C` */
export function oneOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
