/** A curl line for a binding: method, path with sample values, sample body. */
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { givenBelow, givenOutsideBody } from './given.js';
import type { DocumentedPart, Json, PrintOptions, RouteCredential } from './options.js';
import { queryFields, queryName } from './parameters.js';
import { plainPrint } from './print.js';
import { sampleJson, sampleMessage, sampleText } from './sample.js';

/** Samples for a `**`; the first one whose path matches the binding is shown. */
const deepSamples = ['a/b', 'a', ''];

/**
 * `curl -X PUT http://host/v1/kv/my-key -d '{"value":"my-value"}'`, ready to paste into a POSIX shell.
 * @param reaches true if a path matches this binding and no more specific one. Default: every path does.
 * @param print how the proxy prints values, which samples follow. Default: as ProtoJSON does.
 */
export function curlLine(
  binding: Binding,
  baseUrl: string,
  reaches: (path: string) => boolean = () => true,
  print: PrintOptions = plainPrint,
): string {
  const { httpMethod } = binding;
  const paths = deepSamples.map((deep) => samplePath(binding, deep, print));
  const url = `${baseUrl}${paths.find(reaches) ?? paths[0]!}${sampleQuery(binding, print)}`;
  const body = sampleBody(binding, print);
  // Without -N a stream that goes to a pipe or a file waits in curl.
  const parts = [binding.method.serverStreaming ? 'curl -N' : 'curl'];
  // curl sends a GET, or a POST with -d.
  if (httpMethod === 'HEAD') parts.push('-I');
  else if (httpMethod !== '*' && httpMethod !== (body === undefined ? 'GET' : 'POST')) parts.push(`-X ${httpMethod}`);
  parts.push(shellWord(url));
  if (body !== undefined) parts.push(`-d ${shellQuote(JSON.stringify(body))}`);
  return parts.join(' ');
}

/**
 * The curl line of a binding of a part, as `photongate routes --curl`, the pages and the OpenAPI document show it: with the
 * token that the call needs.
 * @param baseUrl without the prefix of the part
 */
export function partCurlLine(
  { prefix, bindingFor, options, access }: DocumentedPart<Binding>,
  binding: Binding,
  baseUrl: string,
): string {
  const { httpMethod, method } = binding;
  const reaches =
    bindingFor && ((path: string) => bindingFor(httpMethod === '*' ? 'GET' : httpMethod, path) === binding);
  const line = curlLine(binding, `${baseUrl}${prefix}`, reaches, options);
  const [credential] = access?.credentialsFor(method.fullName) ?? [];
  return credential === undefined ? line : `${line} ${credentialOption(credential)}`;
}

function credentialOption({ kind, header }: RouteCredential): string {
  const [scheme, variable] = kind === 'token' ? ['Bearer', 'TOKEN'] : ['ApiKey', 'API_KEY'];
  return header === 'authorization' ? `-H "Authorization: ${scheme} $${variable}"` : `-H "${header}: $${variable}"`;
}

/** The template with a sample for each variable and wildcard. */
function samplePath({ template, variables }: Binding, deep: string, print: PrintOptions): string {
  const segments = template.segments.map((segment) => {
    if (segment.kind === 'literal') return segment.text;
    return segment.kind === '*' ? 'a' : deep;
  });
  template.variables.forEach(({ first, last }, index) => {
    if (first !== last || template.segments[first]!.kind !== '*') return;
    const fieldPath = variables[index]!.fieldPath;
    segments[first] = encodeURIComponent(sampleText(fieldPath[fieldPath.length - 1]!, print) ?? 'a');
  });
  return `/${segments.filter((segment) => segment !== '').join('/')}${template.verb === undefined ? '' : `:${template.verb.text}`}`;
}

/** `?prefix=my-prefix`: the required parameters; if there are none, the first usual one. */
function sampleQuery(binding: Binding, print: PrintOptions): string {
  const texts = queryFields(binding, print).filter(({ field }) => sampleText(field, print) !== undefined);
  const required = texts.filter((one) => one.required);
  const usual = texts.filter(({ path, field }) => path.length === 1 && isUsualParameter(field));
  const shown = required.length > 0 || binding.body.kind === 'field' ? required : usual.slice(0, 1);
  const pairs = shown.map(({ path, field }) => {
    return `${queryName(path, print)}=${encodeURIComponent(sampleText(field, print)!)}`;
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** False for parameters that only make sense with a value from an earlier answer. */
function isUsualParameter({ name, hasPresence, deprecated }: FieldDescriptor): boolean {
  return !hasPresence && !deprecated && !/^page_|_token$|^request_id$/.test(name);
}

function sampleBody(binding: Binding, print: PrintOptions): Json | undefined {
  const { body, method } = binding;
  const given = givenOutsideBody(binding);
  switch (body.kind) {
    case 'none':
      return undefined;
    case 'all':
      return sampleMessage(method.input, print, given);
    case 'field':
      return sampleJson(body.path[body.path.length - 1]!, print, givenBelow(given, body.path));
  }
}

/** The text, quoted unless a shell takes it literally. */
function shellWord(text: string): string {
  return /^[\w./:%@+,=-]+$/.test(text) ? text : shellQuote(text);
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
