/** The characters that JSON is made of, and the few things about JSON text that need no scanner. */

/** ASCII codes by name. */
export const TAB = 0x09,
  LINE_FEED = 0x0a,
  CARRIAGE_RETURN = 0x0d,
  SPACE = 0x20,
  QUOTE = 0x22,
  PLUS = 0x2b,
  COMMA = 0x2c,
  MINUS = 0x2d,
  DOT = 0x2e,
  ZERO = 0x30,
  NINE = 0x39,
  COLON = 0x3a,
  EQUALS = 0x3d,
  OPEN_BRACKET = 0x5b,
  BACKSLASH = 0x5c,
  CLOSE_BRACKET = 0x5d,
  UNDERSCORE = 0x5f,
  LOWER_E = 0x65,
  LOWER_F = 0x66,
  LOWER_N = 0x6e,
  LOWER_S = 0x73,
  LOWER_T = 0x74,
  LOWER_U = 0x75,
  UPPER_E = 0x45,
  UPPER_T = 0x54,
  UPPER_Z = 0x5a,
  OPEN_BRACE = 0x7b,
  CLOSE_BRACE = 0x7d;

/** True for `0` to `9`. */
export function isDigit(char: number | undefined): boolean {
  return char !== undefined && char >= ZERO && char <= NINE;
}

/** 3 if a text starts with a UTF-8 byte order mark, which is ignored (RFC 8259, section 8.1); else 0. */
export function bomLength(text: Buffer): number {
  return text.length >= 3 && text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? 3 : 0;
}

/** The offset after the closing quote of the string at `start`. */
export function stringEnd(json: Buffer, start: number): number {
  let pos = start + 1;
  while (pos < json.length && json[pos] !== QUOTE) pos += json[pos] === BACKSLASH ? 2 : 1;
  return Math.min(pos + 1, json.length);
}
