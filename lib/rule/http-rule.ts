/**
 * `google.api.HttpRule` messages → checked rules. `binding` resolves them against the request message. The source is an
 * option tree, so that annotations and service configs pass the same checks.
 */
import { METHODS } from 'node:http';
import { isHeaderName } from '../headers.js';
import type { OptionMessage } from '../schema/types.js';
import type { SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import { OptionReader, type Located, type RpcProblems } from './option-reader.js';
import { parseTemplate, TemplateError, type PathTemplate } from './template.js';

/** One rule: a pattern, and the fields that are sent in bodies. */
export interface HttpRule {
  /** In the spelling of request methods; `*` is every method except OPTIONS. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  /** Place of the pattern. */
  readonly place: SourcePlace;
  /** `*` or a field path; undefined if the rule has no body. */
  readonly body: Located<string> | undefined;
  /** A field path; undefined for the whole response. */
  readonly responseBody: Located<string> | undefined;
  /** 0 for the rule itself, n for its nth additional binding. */
  readonly index: number;
}

const standardPatterns = ['get', 'put', 'post', 'delete', 'patch'] as const;
const patterns = [...standardPatterns, 'custom'] as const;
/** The members of google.api.HttpRule. */
export const ruleMembers = ['selector', ...patterns, 'body', 'response_body', 'additional_bindings'];

/** The rule of an option and its additional bindings. Problems are reported, and invalid rules are left out. */
export function readHttpRules(option: OptionMessage, problems: RpcProblems): HttpRule[] {
  const reader = new OptionReader(option, 'google.api.HttpRule', ruleMembers, problems);
  const additional = reader.messages('additional_bindings').map((inner, index) => {
    const innerReader = new OptionReader(inner, 'google.api.HttpRule', ruleMembers, problems);
    for (const nested of innerReader.messages('additional_bindings')) reportNested(nested, problems);
    return readRule(innerReader, index + 1, problems);
  });
  return [readRule(reader, 0, problems), ...additional].filter((rule) => rule !== undefined);
}

function reportNested(nested: OptionMessage, problems: RpcProblems): void {
  problems.error({
    code: 'http-rule-nested',
    message: 'additional_bindings stands inside additional_bindings, expected one level',
    place: nested.place,
    hint: 'put all additional bindings side by side into the outer rule',
  });
}

function readRule(reader: OptionReader, index: number, problems: RpcProblems): HttpRule | undefined {
  checkSelector(reader, problems);
  const body = unlessEmpty(reader.text('body'));
  const responseBody = unlessEmpty(reader.text('response_body'));
  const pattern = readPattern(reader, problems);
  if (pattern === undefined) return undefined;
  const template = readTemplate(pattern.path, problems);
  if (template === undefined) return undefined;
  return { httpMethod: pattern.httpMethod, template, place: pattern.path.place, body, responseBody, index };
}

/** In proto3 an empty string is the same as no string. */
function unlessEmpty(text: Located<string> | undefined): Located<string> | undefined {
  return text?.value === '' ? undefined : text;
}

/** Selectors belong to service configs. In an annotation, one may only name the annotated RPC. */
function checkSelector(reader: OptionReader, problems: RpcProblems): void {
  const selector = reader.text('selector');
  const { rpc } = problems;
  if (selector === undefined || selector.value === '' || selector.value === rpc) return;
  problems.warn({
    code: 'http-rule-selector',
    message: `the selector ${quote(selector.value)} has no effect here${rpc === undefined ? '' : `: the rule belongs to ${rpc}`}`,
    place: selector.place,
    hint: 'drop it, or move the rule into a service config',
  });
}

interface Pattern {
  readonly httpMethod: string;
  readonly path: Located<string>;
}

function readPattern(reader: OptionReader, problems: RpcProblems): Pattern | undefined {
  const found: Pattern[] = [];
  for (const name of standardPatterns) {
    const path = reader.text(name);
    if (path !== undefined) found.push({ httpMethod: name.toUpperCase(), path });
  }
  const custom = reader.message('custom');
  if (custom !== undefined) found.push(...readCustom(custom, problems));
  if (found.length > 1) reportSecondPattern(found[1]!, found[0]!, problems);
  else if (found.length === 0 && !reader.hasAny(patterns)) reportNoPattern(reader.place, problems);
  return found[0];
}

function reportSecondPattern(second: Pattern, first: Pattern, problems: RpcProblems): void {
  problems.error({
    code: 'http-rule-two-patterns',
    message: `a rule has two patterns, ${patternText(first)} and ${patternText(second)}, expected one`,
    place: second.path.place,
    hint: 'put the second into additional_bindings: additional_bindings { … }',
  });
}

function patternText({ httpMethod, path }: Pattern): string {
  return `${httpMethod} ${quote(path.value)}`;
}

function reportNoPattern(place: SourcePlace, problems: RpcProblems): void {
  problems.error({
    code: 'http-rule-no-pattern',
    message: `a rule has no pattern, expected one of ${patterns.join(', ')}`,
    place,
    hint: 'write for example get: "/v1/shelves/{shelf}"',
  });
}

/** Empty if the pattern is invalid. */
function readCustom({ value, place }: Located<OptionMessage>, problems: RpcProblems): Pattern[] {
  const reader = new OptionReader(value, 'google.api.CustomHttpPattern', ['kind', 'path'], problems);
  const kind = reader.text('kind');
  const path = reader.text('path');
  for (const [name, member] of [['kind', kind] as const, ['path', path] as const]) {
    if (member !== undefined || reader.hasAny([name])) continue;
    problems.error({
      code: 'http-rule-custom',
      message: `a custom pattern has no ${name}, expected kind and path`,
      place,
      hint: 'write custom { kind: "HEAD" path: "/v1/shelves" }',
    });
  }
  if (kind === undefined || path === undefined || !checkKind(kind, problems)) return [];
  return [{ httpMethod: kind.value, path }];
}

function checkKind(kind: Located<string>, problems: RpcProblems): boolean {
  const { value, place } = kind;
  if (value === '*') return true;
  if (value === 'CONNECT' || !isHeaderName(value)) {
    problems.error({
      code: 'http-rule-custom',
      message: `the kind ${quote(value)} is not a method that a rule can take`,
      place,
      hint: 'write the name of an HTTP method other than CONNECT, or "*" for every method',
    });
    return false;
  }
  if (!METHODS.includes(value)) warnOfKind(value, place, problems);
  return true;
}

function warnOfKind(kind: string, place: SourcePlace, problems: RpcProblems): void {
  const upper = kind.toUpperCase();
  problems.warn({
    code: 'http-rule-kind',
    message: `the method ${quote(kind)} can be sent over HTTP/2 only: Node's HTTP/1.1 parser does not know it`,
    place,
    ...(METHODS.includes(upper) && { hint: `methods are case-sensitive: did you mean ${upper}?` }),
  });
}

function readTemplate({ value, place }: Located<string>, problems: RpcProblems): PathTemplate | undefined {
  try {
    return parseTemplate(value);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { message, offset, hint } = error;
    problems.error({ code: 'template-syntax', message, place, template: value, templateOffset: offset, hint });
    return undefined;
  }
}
