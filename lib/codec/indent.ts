/** Indents JSON text. */
import { Writer } from '../wire/index.js';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
  stringEnd,
} from './chars.js';

/**
 * Puts each member and element on its own line, indented by two spaces per level, like `JSON.stringify(x, null, 2)`.
 * White space of the input is dropped.
 */
export function indentJson(json: Buffer): Buffer {
  const out = new Writer(json.length * 2);
  let depth = 0;
  let pos = 0;
  while (pos < json.length) {
    const char = json[pos]!;
    switch (char) {
      case QUOTE: {
        const end = stringEnd(json, pos);
        out.rawRange(json, pos, end);
        pos = end;
        continue;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET: {
        out.byte(char);
        const next = skipSpace(json, pos + 1);
        if (json[next] === CLOSE_BRACE || json[next] === CLOSE_BRACKET) {
          out.byte(json[next]);
          pos = next;
        } else {
          newLine(out, ++depth);
        }
        break;
      }
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        newLine(out, depth > 0 ? --depth : 0);
        out.byte(char);
        break;
      case COMMA:
        out.byte(char);
        newLine(out, depth);
        break;
      case COLON:
        out.byte(char);
        out.byte(SPACE);
        break;
      default:
        if (char > SPACE) out.byte(char);
    }
    pos++;
  }
  return out.take();
}

function newLine(out: Writer, depth: number): void {
  out.reserve(1 + depth * 2);
  out.buf[out.pos++] = LINE_FEED;
  out.buf.fill(SPACE, out.pos, out.pos + depth * 2);
  out.pos += depth * 2;
}

function skipSpace(json: Buffer, start: number): number {
  let pos = start;
  while (pos < json.length && json[pos]! <= SPACE) pos++;
  return pos;
}
