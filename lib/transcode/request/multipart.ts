/**
 * Parses `multipart/form-data` (https://www.rfc-editor.org/rfc/rfc7578). A complete body is cut in one synchronous pass
 * without copying, and strictly: whatever is malformed is an error. `form-parts` gives the parts their meaning.
 */
import { isUtf8 } from 'node:buffer';
import { isHeaderName, parseMediaType } from '../../headers.js';
import { Code, StatusError } from '../../status.js';
import { quote } from '../../uri.js';

/** One part of a form. */
export interface FormPart {
  readonly name: string;
  /** True for a part with a file name, or of type application/octet-stream. */
  readonly isFile: boolean;
  /** As it was sent; '' if there was none. */
  readonly contentType: string;
  /** A view of the body. */
  readonly data: Buffer;
}

/** Longest head of a part, in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;

/**
 * Cuts a body into its parts, in order.
 * @throws StatusError 400 that says which part is malformed, and how.
 */
export function parseMultipart(body: Buffer, boundary: string, maxParts: number): FormPart[] {
  const parts: FormPart[] = [];
  const delimiters = new Delimiters(body, boundary);
  // Text before the first delimiter and after the last one is ignored (RFC 2046, 5.1.1).
  let delimiter = delimiters.first();
  if (delimiter === undefined) {
    throw malformed(`no line --${boundary.slice(0, 70)} starts a part; lines end in CR LF`);
  }
  while (!delimiter.isLast) {
    if (parts.length >= maxParts) {
      throw malformed(`more than ${maxParts} parts; send fewer, or raise --max-form-parts (max_form_parts)`);
    }
    const label = `part ${parts.length + 1}`;
    const head = headAt(body, delimiter.end, label);
    const next = delimiters.next(head.bodyStart);
    if (next === undefined) {
      throw malformed(
        `${label} does not end; the last line is --${boundary.slice(0, 70)}--, and the body may be cut off`,
      );
    }
    parts.push(partOf(head.text, body.subarray(head.dataStart, next.start), label));
    delimiter = next;
  }
  return parts;
}

function malformed(what: string): StatusError {
  return new StatusError(Code.INVALID_ARGUMENT, `malformed multipart/form-data: ${what}`);
}

interface Delimiter {
  readonly start: number;
  /** Where the next line starts. */
  readonly end: number;
  readonly isLast: boolean;
}

/** Finds the delimiter lines of a body. */
class Delimiters {
  private readonly pattern: Buffer;

  constructor(
    private readonly body: Buffer,
    boundary: string,
  ) {
    this.pattern = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  first(): Delimiter | undefined {
    const atStart = this.pattern.subarray(CRLF.length);
    const found = this.body.subarray(0, atStart.length).equals(atStart) ? this.lineAt(0, atStart.length) : undefined;
    return found ?? this.next(0);
  }

  /** The first one at or after `from`. A line that only starts like a delimiter is content. */
  next(from: number): Delimiter | undefined {
    for (let at = from; ; at++) {
      at = this.body.indexOf(this.pattern, at);
      if (at < 0) return undefined;
      const line = this.lineAt(at, at + this.pattern.length);
      if (line !== undefined) return line;
    }
  }

  private lineAt(start: number, end: number): Delimiter | undefined {
    const { body } = this;
    if (body[end] === DASH && body[end + 1] === DASH) return { start, end: end + 2, isLast: true };
    let pos = end;
    // Blanks may follow the boundary.
    while (pos < end + MAX_PADDING && (body[pos] === 0x20 || body[pos] === 0x09)) pos++;
    return body[pos] === CR && body[pos + 1] === LF ? { start, end: pos + 2, isLast: false } : undefined;
  }
}

/** How many blanks are accepted after a boundary. */
const MAX_PADDING = 64;

interface PartHead {
  readonly text: string;
  /** Where the next delimiter may start: it may share the empty line that ends the head. */
  readonly bodyStart: number;
  readonly dataStart: number;
}

function headAt(body: Buffer, start: number, label: string): PartHead {
  if (body[start] === CR && body[start + 1] === LF) throw malformed(`${label} has no content-disposition`);
  const window = body.subarray(start, start + MAX_HEAD_BYTES + HEAD_END.length);
  const length = window.indexOf(HEAD_END);
  if (length < 0) {
    throw malformed(
      window.length > MAX_HEAD_BYTES
        ? `the headers of ${label} are longer than ${MAX_HEAD_BYTES} bytes`
        : `the headers of ${label} have no end; an empty line stands before the content`,
    );
  }
  const bytes = window.subarray(0, length);
  if (!isUtf8(bytes)) throw malformed(`the headers of ${label} are not UTF-8`);
  const bodyStart = start + length + CRLF.length;
  return { text: bytes.toString('utf8'), bodyStart, dataStart: start + length + HEAD_END.length };
}

function partOf(head: string, data: Buffer, label: string): FormPart {
  const headers = headersOf(head, label);
  const disposition = headers.get('content-disposition');
  if (disposition === undefined) throw malformed(`${label} has no content-disposition`);
  const parameters = dispositionParameters(disposition);
  const rawName = parameters?.get('name');
  if (rawName === undefined) {
    throw malformed(`the content-disposition of ${label} is ${quote(disposition)}, expected form-data; name="FIELD"`);
  }
  // Browsers escape these three characters in names (https://html.spec.whatwg.org/#multipart-form-data).
  const name = rawName.replace(/%22|%0D|%0A/gi, (escape) => decodeURIComponent(escape));
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? '8bit';
  if (!['7bit', '8bit', 'binary'].includes(encoding)) {
    throw malformed(
      `${label} (${quote(name)}) has the content-transfer-encoding ${quote(encoding)}; send its bytes as they are`,
    );
  }
  const contentType = headers.get('content-type') ?? '';
  const isFile = parameters!.has('filename') || parseMediaType(contentType).type === 'application/octet-stream';
  return { name, isFile, contentType, data };
}

function headersOf(head: string, label: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    if (!isHeaderName(name) || /[\0\r\n]/.test(line)) {
      throw malformed(`the line ${quote(line)} in ${label} is no header; write NAME: VALUE`);
    }
    const key = name.toLowerCase();
    if (headers.has(key)) throw malformed(`${label} has the header ${key} twice`);
    headers.set(key, line.slice(colon + 1).trim());
  }
  return headers;
}

/**
 * The parameters of `form-data; name="a"; filename="b"`; undefined for any other disposition. Only `\"` and `\\` are escapes:
 * browsers do not escape backslashes in file names.
 */
function dispositionParameters(text: string): Map<string, string> | undefined {
  const type = /^form-data[ \t]*(?=;|$)/i.exec(text);
  if (type === null) return undefined;
  const parameters = new Map<string, string>();
  const pattern = /;[ \t]*([^\s;="]+)=(?:"((?:[^"\\]|\\[^])*)"|([^\s;"]*))[ \t]*/y;
  let pos = type[0].length;
  while (pos < text.length) {
    pattern.lastIndex = pos;
    const match = pattern.exec(text);
    const key = match?.[1]!.toLowerCase();
    if (match === null || parameters.has(key!)) return /^;\s*$/.test(text.slice(pos)) ? parameters : undefined;
    parameters.set(key!.replace(/^filename\*$/, 'filename'), match[2]?.replace(/\\(["\\])/g, '$1') ?? match[3]!);
    pos = pattern.lastIndex;
  }
  return parameters;
}
