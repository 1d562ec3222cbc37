/**
 * String literals of `.proto` files and text format. Escapes denote bytes, and the bytes are UTF-8, so `"\xe2\x82\xac"`,
 * `"\342\202\254"`, `"\u20ac"` and `"€"` are the same string.
 */

/** A literal is malformed at an offset. */
export class StringSyntaxError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/**
 * The value of a literal, given with its quotes. Bytes that are not UTF-8 become lone surrogates (`\xff` → U+DCFF), so that
 * nothing is lost and `isWellFormed()` detects them.
 * @throws StringSyntaxError if an escape does not exist.
 */
export function readString(literal: string): string {
  const body = literal.slice(1, -1);
  if (!body.includes('\\')) return body;
  const bytes: Buffer[] = [];
  let plain = 0;
  let at = body.indexOf('\\');
  while (at >= 0) {
    if (at > plain) bytes.push(Buffer.from(body.slice(plain, at)));
    const escape = readEscape(body, at);
    bytes.push(escape.bytes);
    plain = escape.end;
    at = body.indexOf('\\', plain);
  }
  bytes.push(Buffer.from(body.slice(plain)));
  return decodeUtf8(Buffer.concat(bytes));
}

const SIMPLE: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 92],
  ["'", 39],
  ['"', 34],
  ['?', 63],
]);

function readEscape(body: string, at: number): { bytes: Buffer; end: number } {
  const char = body[at + 1] ?? '';
  const simple = SIMPLE.get(char);
  if (simple !== undefined) return { bytes: Buffer.of(simple), end: at + 2 };
  const numeric = NUMERIC.find(({ pattern }) => {
    pattern.lastIndex = at + 1;
    return pattern.test(body);
  });
  if (numeric === undefined) {
    throw new StringSyntaxError(`"\\${char}" is not an escape of a .proto string`, at + 1);
  }
  const end = numeric.pattern.lastIndex;
  const value = Number.parseInt(body.slice(at + 1 + numeric.skip, end), numeric.radix);
  return numeric.unicode ? readCodePoint(body, value, at, end) : { bytes: Buffer.of(value & 0xff), end };
}

interface NumericEscape {
  readonly pattern: RegExp;
  readonly skip: number;
  readonly radix: number;
  readonly unicode: boolean;
}

const NUMERIC: readonly NumericEscape[] = [
  { pattern: /[0-7]{1,3}/y, skip: 0, radix: 8, unicode: false },
  { pattern: /[xX][0-9a-fA-F]{1,2}/y, skip: 1, radix: 16, unicode: false },
  { pattern: /u[0-9a-fA-F]{4}/y, skip: 1, radix: 16, unicode: true },
  { pattern: /U[0-9a-fA-F]{8}/y, skip: 1, radix: 16, unicode: true },
];

const LOW_SURROGATE = /\\u([dD][c-fC-F][0-9a-fA-F]{2})/y;

/** A `\u` pair of surrogates is one character. A lone surrogate, or a code point above U+10FFFF, is an error. */
function readCodePoint(body: string, value: number, at: number, end: number): { bytes: Buffer; end: number } {
  let code = value;
  let last = end;
  if (code >= 0xd800 && code <= 0xdbff) {
    LOW_SURROGATE.lastIndex = end;
    const low = LOW_SURROGATE.exec(body);
    if (low !== null) {
      code = 0x10000 + ((code - 0xd800) << 10) + (Number.parseInt(low[1]!, 16) - 0xdc00);
      last = LOW_SURROGATE.lastIndex;
    }
  }
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new StringSyntaxError(`"${body.slice(at, end)}" is not a Unicode character`, at + 1);
  }
  return { bytes: Buffer.from(String.fromCodePoint(code)), end: last };
}

/** Decodes UTF-8. Each byte of an invalid sequence becomes a lone surrogate, U+DC80 to U+DCFF. */
export function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const length = validSequence(bytes, at);
    if (length === 0) out += String.fromCharCode(0xdc00 + bytes[at]!);
    else out += bytes.toString('utf8', at, at + length);
    at += length === 0 ? 1 : length;
  }
  return out;
}

/** Length of the UTF-8 sequence at an offset; 0 if it is invalid. */
function validSequence(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const text = bytes.toString('utf8', at, at + length);
  return Buffer.byteLength(text) === length &&
    (text !== '\ufffd' || (first === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd))
    ? length
    : 0;
}

/** The inverse of `decodeUtf8`. */
export function encodeUtf8(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const pieces = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece, index) => (index % 2 === 0 ? Buffer.from(piece) : Buffer.of(piece.charCodeAt(0) - 0xdc00))),
  );
}
