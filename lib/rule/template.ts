/**
 * Path templates of `google.api.http` rules: text → one object for router, documentation and reverse paths. Used at the start
 * only. This module knows the grammar, not the messages: `field-path` resolves variables to fields, and `router` decides
 * which template matches a request.
 *
 *   template  = "/" [ segments [ ":" verb ] ]
 *   segments  = segment { "/" segment }
 *   segment   = "*" | "**" | literal | "{" field path [ "=" segments ] "}"
 *
 * Two extensions of http.proto: the template may be `/` alone, and literals, `*` and variables may follow the one `**`.
 */
import { hexValue, normalizeSegment, quote } from '../uri.js';

/** One segment of a template with variables expanded: `{name=shelves/*}` is a literal and a `*`. */
export type Segment = LiteralSegment | { readonly kind: '*' } | { readonly kind: '**' };

/** A segment that is compared with the path. */
export interface LiteralSegment {
  readonly kind: 'literal';
  /** As written. */
  readonly text: string;
  /** In the form that is compared: see `normalizeSegment`. */
  readonly normal: string;
}

const STAR: Segment = { kind: '*' };
const DEEP: Segment = { kind: '**' };

/** A variable and its segments. */
export interface TemplateVariable {
  /** As written: `shelf.name`. */
  readonly fieldPath: string;
  /** Index of its first segment in the template. */
  readonly first: number;
  /** Index of its last segment, inclusive. */
  readonly last: number;
  /** True for more than one segment or a `**`: `%2F` in the value then stays encoded. */
  readonly multi: boolean;
  /** Offset of its `{` in the template's text. */
  readonly offset: number;
}

/** A text is no valid path template. */
export class TemplateError extends Error {
  /** Offset of the first invalid character, from 0. */
  readonly offset: number;
  /** What to write instead. */
  readonly hint: string;

  constructor(message: string, offset: number, hint: string) {
    super(message);
    this.name = 'TemplateError';
    this.offset = offset;
    this.hint = hint;
  }
}

/** Longest template. Requests cannot need a longer one, because URLs are limited too. */
export const maxTemplateLength = 4096;

/** A parsed template; `parseTemplate` creates it. */
export class PathTemplate {
  constructor(
    /** The text that was parsed. */
    readonly source: string,
    readonly segments: readonly Segment[],
    /** In the order of the text, which is also that of a match's captures. */
    readonly variables: readonly TemplateVariable[],
    /** The text after the final `:`; undefined if there is none. */
    readonly verb: LiteralSegment | undefined,
  ) {}

  /** Index of the `**`, or -1. */
  get deepIndex(): number {
    return this.segments.findIndex((segment) => segment.kind === '**');
  }

  /**
   * The template without variable names, which determines the matched paths: `/v1/{name=shelves/*}:x` → `/v1/shelves/*:x`.
   * Templates with equal shapes match the same paths.
   */
  get shape(): string {
    const path = this.segments.map((segment) => (segment.kind === 'literal' ? segment.normal : segment.kind));
    return `/${path.join('/')}${this.verb === undefined ? '' : `:${this.verb.normal}`}`;
  }

  /** The template in its shortest form: `{id=*}` becomes `{id}`, literals stay as written. */
  toString(): string {
    const pieces: string[] = [];
    let index = 0;
    for (const variable of this.variables) {
      pieces.push(...this.textOf(index, variable.first - 1), this.variableText(variable));
      index = variable.last + 1;
    }
    pieces.push(...this.textOf(index, this.segments.length - 1));
    return `/${pieces.join('/')}${this.verb === undefined ? '' : `:${this.verb.text}`}`;
  }

  private textOf(first: number, last: number): string[] {
    return this.segments
      .slice(first, last + 1)
      .map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind));
  }

  private variableText({ fieldPath, first, last }: TemplateVariable): string {
    const inner = this.textOf(first, last).join('/');
    return inner === '*' ? `{${fieldPath}}` : `{${fieldPath}=${inner}}`;
  }
}

/**
 * Parses a path template.
 * @throws TemplateError with the offset, what was found there, and what to write instead.
 */
export function parseTemplate(text: string): PathTemplate {
  return new TemplateParser(text).parse();
}

class TemplateParser {
  private readonly segments: Segment[] = [];
  private readonly variables: TemplateVariable[] = [];
  private readonly names = new Set<string>();
  private offset = 0;

  constructor(private readonly text: string) {}

  parse(): PathTemplate {
    this.checkFrame();
    const verbAt = this.findVerb();
    const end = verbAt < 0 ? this.text.length : verbAt;
    this.offset = 1;
    if (end > 1) this.readSegments(end);
    else if (verbAt >= 0)
      this.fail(
        `verb ${quote(this.text.slice(verbAt))} follows no segment`,
        verbAt,
        'put a segment before the verb: /v1/jobs:cancel',
      );
    const verb = verbAt < 0 ? undefined : this.readVerb(verbAt);
    // Copies have no spare capacity, and there are thousands of templates.
    return new PathTemplate(this.text, this.segments.slice(), this.variables.slice(), verb);
  }

  private checkFrame(): void {
    const { text } = this;
    if (text === '') this.fail('the template is empty', 0, 'a template starts with a slash: /v1/shelves/{shelf}');
    if (text.length > maxTemplateLength) {
      this.fail(
        `the template has ${text.length} characters, at most ${maxTemplateLength} are allowed`,
        maxTemplateLength,
        'shorten it',
      );
    }
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
      this.fail(
        `${quote(text)} is a URL, expected a path`,
        0,
        'leave scheme and host out: the path starts with a slash',
      );
    }
    if (!text.startsWith('/')) {
      this.fail(`${quote(text)} does not start with a slash`, 0, `write ${quote(`/${text}`)}`);
    }
  }

  /** Offset of the `:` of the verb: the last one outside braces that no slash follows. */
  private findVerb(): number {
    const { text } = this;
    const tail = Math.max(text.lastIndexOf('/'), text.lastIndexOf('}'));
    return text.indexOf(':', tail) < 0 ? -1 : text.lastIndexOf(':');
  }

  private readVerb(colon: number): LiteralSegment {
    const verb = this.text.slice(colon + 1);
    if (verb === '')
      this.fail('the verb after the colon is empty', colon, 'write a verb, as in :cancel, or drop the colon');
    return this.literal(verb, colon + 1, 'verb');
  }

  /** Reads segments up to `end`; those of a variable up to its closing brace. */
  private readSegments(end: number, variable?: string): void {
    for (;;) {
      this.readSegment(end, variable);
      if (this.offset >= end || this.text[this.offset] === '}') return;
      if (this.text[this.offset] !== '/') this.failPartialVariable(this.offset);
      this.offset++;
    }
  }

  private readSegment(end: number, variable: string | undefined): void {
    const start = this.offset;
    if (this.text[start] === '{') {
      if (variable !== undefined) {
        this.fail(
          `a variable stands inside the variable ${quote(variable)}`,
          start,
          'bind the parts one by one: /a/{x}/b/{y}, or the whole as {name=a/*/b/*}',
        );
      }
      this.readVariable(end);
      return;
    }
    this.offset = this.next('/{}', start, end);
    if (this.offset < end && this.text[this.offset] === '{') this.failPartialVariable(start);
    if (this.offset < end && this.text[this.offset] === '}' && variable === undefined) {
      this.fail('a closing brace without an opening one', this.offset, 'remove it, or open the variable: {name}');
    }
    this.addSegment(this.text.slice(start, this.offset), start, end, variable);
  }

  private addSegment(text: string, start: number, end: number, variable: string | undefined): void {
    if (text === '') this.failEmptySegment(start, end, variable);
    if (variable !== undefined && text.includes(':') && this.text[this.offset] === '}') {
      const hint = `write the verb after the closing brace: {${variable}=…}${text.slice(text.indexOf(':'))}`;
      this.fail(`a verb stands inside the variable ${quote(variable)}`, start + text.indexOf(':'), hint);
    }
    if (text === '**') {
      if (this.segments.some((segment) => segment.kind === '**')) {
        this.fail('** stands twice', start, 'a template holds one ** at most; use * for a single segment');
      }
      this.segments.push(DEEP);
    } else if (text === '*') {
      this.segments.push(STAR);
    } else {
      this.segments.push(this.literal(text, start, 'segment'));
    }
  }

  private readVariable(end: number): void {
    const start = this.offset;
    const pathEnd = this.next('={}/', start + 1, end);
    const fieldPath = this.text.slice(start + 1, pathEnd);
    const first = this.segments.length;
    this.offset = pathEnd;
    this.checkClosed(start, pathEnd, end);
    this.checkFieldPath(fieldPath, start + 1);
    if (this.text[pathEnd] === '=') {
      this.offset++;
      this.readSegments(end, fieldPath);
      this.checkClosed(start, this.offset, end);
    } else {
      this.segments.push(STAR);
    }
    this.offset++;
    this.addVariable(fieldPath, first, start);
    if (this.offset < end && this.text[this.offset] !== '/') this.failPartialVariable(start);
  }

  private addVariable(fieldPath: string, first: number, offset: number): void {
    if (this.names.has(fieldPath)) {
      this.fail(`the variable ${quote(fieldPath)} stands twice`, offset, 'bind each field once');
    }
    this.names.add(fieldPath);
    const last = this.segments.length - 1;
    const multi = last > first || this.segments[first]!.kind === '**';
    this.variables.push({ fieldPath, first, last, multi, offset });
  }

  /** Fails if a slash, another brace or the end comes before the closing brace of a variable. */
  private checkClosed(start: number, at: number, end: number): void {
    const found = at < end ? this.text[at] : undefined;
    if (found === '}' || found === '=') return;
    if (found === '{') {
      this.fail('a variable stands inside the name of another', at, 'close the first with } before it');
    }
    this.fail('the variable is not closed', start, `add the closing brace: ${this.text.slice(start, at)}}`);
  }

  private checkFieldPath(fieldPath: string, offset: number): void {
    if (fieldPath === '') this.fail('the variable has no name', offset, 'name a field of the request: {shelf}');
    let at = offset;
    for (const name of fieldPath.split('.')) {
      if (!/^[A-Za-z_]\w*$/.test(name)) {
        const found = name === '' ? 'an empty name' : quote(name);
        const hint =
          'write field names joined by dots: letters, digits and _, no digit first, as in {shelf.display_name}';
        this.fail(`${found} in the field path ${quote(fieldPath)} is not a field name`, at, hint);
      }
      at += name.length + 1;
    }
  }

  private literal(text: string, offset: number, what: 'segment' | 'verb'): LiteralSegment {
    for (const rule of literalProblems) {
      const at = text.search(rule.bad);
      if (at >= 0) this.fail(`${rule.says} in the ${what} ${quote(text)}`, offset + at, rule.hint);
    }
    for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
      if (hexValue(text.charCodeAt(at + 1)) < 0 || hexValue(text.charCodeAt(at + 2)) < 0) {
        this.fail(
          `${quote(text.slice(at, at + 3))} in the ${what} ${quote(text)} is not a percent-escape`,
          offset + at,
          'write two hex digits after %, or %25 for a literal %',
        );
      }
    }
    return { kind: 'literal', text, normal: normalizeSegment(text) };
  }

  private failEmptySegment(start: number, end: number, variable: string | undefined): never {
    if (variable !== undefined && this.text[start - 1] === '=') {
      this.fail(
        `the variable ${quote(variable)} has no segment after =`,
        start,
        `write {${variable}}, or segments as in {${variable}=shelves/*}`,
      );
    }
    if (start >= this.text.length) {
      this.fail('the template ends in a slash', start - 1, 'drop it: a request may end in one nevertheless');
    }
    if (start >= end) this.fail('the verb follows a slash', start, 'put it right behind a segment: /v1/jobs:cancel');
    this.fail('a segment is empty', start, 'write something between the slashes, or drop one of them');
  }

  private failPartialVariable(offset: number): never {
    this.fail(
      'a variable is not a whole segment',
      offset,
      'put slashes round it: /{x}/ rather than /a{x}/; the service can split the value',
    );
  }

  /** Offset of the first of these characters at or after `from`, at most `end`. */
  private next(stops: string, from: number, end: number): number {
    let at = from;
    while (at < end && !stops.includes(this.text[at]!)) at++;
    return at;
  }

  private fail(message: string, offset: number, hint: string): never {
    throw new TemplateError(message, offset, hint);
  }
}

/** Characters that a request path cannot contain unescaped, or that only look like a pattern. */
const literalProblems: readonly { readonly bad: RegExp; readonly says: string; readonly hint: string }[] = [
  {
    bad: /[?#]/,
    says: 'a query or fragment',
    hint: 'leave it out: fields that the path does not bind are query parameters anyway',
  },
  {
    bad: /[\s\x00-\x1f\x7f]/,
    says: 'white space or a control character',
    hint: 'remove it, or percent-encode it: %20',
  },
  { bad: /\*/, says: 'a * that is not a whole segment', hint: '* and ** stand for whole segments: /a/*' },
  { bad: /[{}]/, says: 'a brace', hint: 'a variable is a whole segment: /{name}' },
];
