/** A curl line for a binding: method, path with sample values, sample body. */
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { sampleJson, sampleMessage, sampleText } from './sample.js';

/** What a `**` may stand for: the first that leads to the binding itself is shown. */
const deepSamples = ['a/b', 'a', ''];

/**
 * `curl -X PUT http://host/v1/kv/my-key -d '{"value":"my-value"}'`, ready to paste into a POSIX shell.
 * @param reaches whether a path leads to this binding, and not to a more specific one. Default: every path does.
 */
export function curlLine(binding: Binding, baseUrl: string, reaches: (path: string) => boolean = () => true): string {
  const { httpMethod } = binding;
  const paths = deepSamples.map((deep) => samplePath(binding, deep));
  const url = `${baseUrl}${paths.find(reaches) ?? paths[0]!}${sampleQuery(binding)}`;
  const body = sampleBody(binding);
  const parts = ['curl'];
  // curl's own choice is GET, and POST with -d.
  if (httpMethod === 'HEAD') parts.push('-I');
  else if (httpMethod !== '*' && httpMethod !== (body === undefined ? 'GET' : 'POST')) parts.push(`-X ${httpMethod}`);
  parts.push(shellWord(url));
  if (body !== undefined) parts.push(`-d ${shellQuote(JSON.stringify(body))}`);
  return parts.join(' ');
}

/** The template with a sample for each variable and wildcard. */
function samplePath({ template, variables }: Binding, deep: string): string {
  const segments = template.segments.map((segment) => {
    if (segment.kind === 'literal') return segment.text;
    return segment.kind === '*' ? 'a' : deep;
  });
  template.variables.forEach(({ first, last }, index) => {
    if (first !== last || template.segments[first]!.kind !== '*') return;
    const fieldPath = variables[index]!.fieldPath;
    segments[first] = encodeURIComponent(sampleText(fieldPath[fieldPath.length - 1]!) ?? 'a');
  });
  return `/${segments.filter((segment) => segment !== '').join('/')}${template.verb === undefined ? '' : `:${template.verb.text}`}`;
}

/** `?prefix=my-prefix`: the required parameters; where there are none, the first that a caller might give. */
function sampleQuery({ body, method, variables, options }: Binding): string {
  if (body.kind === 'all') return '';
  const taken = [
    ...variables.map(({ fieldPath }) => fieldPath[0]!),
    ...options.headers.map(({ path }) => path[0]!),
    ...(body.kind === 'field' ? [body.path[0]!] : []),
  ];
  const free = method.input.fields.filter((field) => !taken.includes(field) && sampleText(field) !== undefined);
  const required = free.filter(({ behaviors }) => behaviors.includes('REQUIRED'));
  const shown = required.length > 0 || body.kind === 'field' ? required : free.filter(isUsualParameter).slice(0, 1);
  const pairs = shown.map((field) => `${field.name}=${encodeURIComponent(sampleText(field)!)}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Not one that only makes sense with a value from an earlier answer. */
function isUsualParameter({ name, behaviors, hasPresence, deprecated }: FieldDescriptor): boolean {
  return !behaviors.includes('OUTPUT_ONLY') && !hasPresence && !deprecated && !/^page_|_token$|^request_id$/.test(name);
}

function sampleBody({ body, method, variables }: Binding): unknown {
  if (body.kind === 'none') return undefined;
  const inPath = variables.map(({ fieldPath }) => fieldPath[fieldPath.length - 1]!);
  if (body.kind === 'all') return sampleMessage(method.input, inPath);
  const field = body.path[body.path.length - 1]!;
  const isPlainMessage = field.message !== undefined && !field.repeated && sampleText(field) === undefined;
  return isPlainMessage ? sampleMessage(field.message, inPath) : sampleJson(field, inPath);
}

/** As it is where a shell takes it literally, else in single quotes. */
function shellWord(text: string): string {
  return /^[\w./:%@+,=-]+$/.test(text) ? text : shellQuote(text);
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
