/** What a route asks of a request. */
import { headerValues } from '../headers.js';
import type { HeaderTestSettings, MatchSettings, QueryTestSettings, TextTestSettings } from './match-options.js';
import { compilePattern } from '../pattern.js';
import { isGrpc, pseudoHeader, type RoutedRequest } from './request.js';

/** True for a request that a route takes. */
export type RequestTest = (request: RoutedRequest) => boolean;
type TextTest = (text: string) => boolean;

/** All parts of a match must hold. */
export function compileMatch({
  headers = [],
  queryParameters = [],
  grpc = false,
  ...path
}: MatchSettings): RequestTest {
  const pathTest = compilePath(path);
  const tests = [...headers.map(compileHeader), ...queryParameters.map(compileQuery), ...(grpc ? [isGrpc] : [])];
  return (request) => pathTest(request.path) && tests.every((test) => test(request));
}

function compilePath({ prefix, path, pathSeparatedPrefix, regex, ignoreCase = false }: MatchSettings): TextTest {
  if (regex !== undefined) return matching(regex);
  const fold = foldCase(ignoreCase);
  if (path !== undefined) {
    const whole = fold(path);
    return (text) => fold(text) === whole;
  }
  const start = fold(prefix ?? pathSeparatedPrefix ?? '');
  if (prefix !== undefined) return (text) => fold(text).startsWith(start);
  return (text) => fold(text).startsWith(start) && (text.length === start.length || text[start.length] === '/');
}

/** The whole text has to match. */
function matching(regex: string): TextTest {
  const pattern = compilePattern(regex);
  return (text) => pattern.matcher(text).matches();
}

function foldCase(ignoreCase: boolean): (text: string) => string {
  return ignoreCase ? (text) => text.toLowerCase() : (text) => text;
}

/** Undefined if it only matters whether there is a text. */
export function compileText(settings: TextTestSettings): TextTest | undefined {
  const { exact, prefix, suffix, contains, regex, ignoreCase = false } = settings;
  if (regex !== undefined) return matching(regex);
  const fold = foldCase(ignoreCase);
  const folded = (text: string | undefined): string | undefined => (text === undefined ? undefined : fold(text));
  const [whole, start, end, part] = [exact, prefix, suffix, contains].map(folded);
  const tests: TextTest[] = [];
  if (whole !== undefined) tests.push((text) => text === whole);
  if (start !== undefined) tests.push((text) => text.startsWith(start));
  if (end !== undefined) tests.push((text) => text.endsWith(end));
  if (part !== undefined) tests.push((text) => text.includes(part));
  return tests.length === 0 ? undefined : (text) => tests.every((test) => test(fold(text)));
}

export function compileHeader(settings: HeaderTestSettings): RequestTest {
  const { name, present = true, range, invert = false, missingIsEmpty = false } = settings;
  const byText = compileText(settings);
  const byRange: TextTest | undefined =
    range && ((text) => /^[+-]?\d+$/.test(text) && Number(text) >= range.start && Number(text) < range.end);
  const test = byText ?? byRange;
  return (request) => {
    const found = headerText(request, name);
    if (test === undefined) return ((found !== undefined || missingIsEmpty) === present) !== invert;
    // A header that is not there matches nothing, nor the opposite of it.
    if (found === undefined && !missingIsEmpty) return false;
    return test(found ?? '') !== invert;
  };
}

function headerText(request: RoutedRequest, name: string): string | undefined {
  if (name.startsWith(':')) return pseudoHeader(request, name);
  const values = headerValues(request.headers, name);
  return values.length === 0 ? undefined : values.join(',');
}

function compileQuery(settings: QueryTestSettings): RequestTest {
  const { name, present = true } = settings;
  const test = compileText(settings);
  return ({ query }) => {
    const found = query?.split('&').find((pair) => pair === name || pair.startsWith(`${name}=`));
    if (test === undefined) return (found !== undefined) === present;
    return found !== undefined && test(found.slice(name.length + 1));
  };
}
