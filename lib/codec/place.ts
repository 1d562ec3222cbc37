/**
 * Where an error stands in a JSON text: line, column and the path of the value. Computed only once something went
 * wrong, by walking the text again, so that reading itself carries no path.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './chars.js';
import { wellKnownKind } from './well-known.js';

/** Line and column count from 1, the column in characters; the path is `vm.disks[2].size`, `labels["a"]`, or '' for the whole value. */
export interface JsonPlace {
  readonly line: number;
  readonly column: number;
  readonly path: string;
}

/** What a JSON value was read as; undefined where no schema says what its members are (Struct, Any). */
export type JsonShape = MessageDescriptor | FieldDescriptor | undefined;

/** An open object or array. */
interface Level {
  readonly path: string;
  readonly shape: JsonShape;
  /** Index of the element under way, -1 in an object. */
  index: number;
  /** The member under way, once its key was seen. */
  member: { readonly path: string; readonly shape: JsonShape } | undefined;
  expectsKey: boolean;
}

/**
 * The places of some offsets in a text that is valid JSON up to the last of them. An offset may be that of a key, then
 * the path ends with it, or of anything in a value.
 * @param prefix path of the outermost value
 */
export function placesOf(
  json: Buffer,
  offsets: readonly number[],
  shape: JsonShape,
  prefix = '',
): Map<number, JsonPlace> {
  const walk = new PlaceWalk(json, shape, prefix);
  const places = new Map<number, JsonPlace>();
  for (const offset of [...offsets].sort((a, b) => a - b)) places.set(offset, walk.to(offset));
  return places;
}

class PlaceWalk {
  private pos: number;
  private line = 1;
  private column = 1;
  private readonly levels: Level[] = [];

  constructor(
    private readonly json: Buffer,
    private readonly shape: JsonShape,
    private readonly prefix: string,
  ) {
    this.pos = json[0] === 0xef ? 3 : 0;
  }

  to(offset: number): JsonPlace {
    while (this.pos < offset && this.pos < this.json.length) this.step(offset);
    return { line: this.line, column: this.column, path: this.pathAt(offset) };
  }

  /** The next token, or the next byte where that decides nothing. */
  private step(offset: number): void {
    const level = this.levels.at(-1);
    switch (this.json[this.pos]) {
      case QUOTE:
        this.string(offset, level);
        return;
      case OPEN_BRACE:
        this.levels.push({ ...this.current(), index: -1, member: undefined, expectsKey: true });
        break;
      case OPEN_BRACKET:
        this.levels.push({ ...this.current(), index: 0, member: undefined, expectsKey: false });
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.levels.pop();
        break;
      case COMMA:
        if (level !== undefined && level.index >= 0) level.index++;
        else if (level !== undefined) level.expectsKey = true;
        break;
      case COLON:
        if (level !== undefined) level.expectsKey = false;
        break;
      default:
    }
    this.advance();
  }

  private string(offset: number, level: Level | undefined): void {
    const end = stringEnd(this.json, this.pos);
    if (level?.expectsKey === true) level.member = this.member(level, this.pos, end);
    while (this.pos < end && this.pos < offset) this.advance();
  }

  private advance(): void {
    const char = this.json[this.pos++]!;
    if (char === LINE_FEED) {
      this.line++;
      this.column = 1;
    } else if ((char & 0xc0) !== 0x80) {
      // Only the first byte of a character counts.
      this.column++;
    }
  }

  /** Path and shape of the value that is under way. */
  private current(): { readonly path: string; readonly shape: JsonShape } {
    const level = this.levels.at(-1);
    if (level === undefined) return { path: this.prefix, shape: this.shape };
    if (level.index >= 0) return { path: `${level.path}[${level.index}]`, shape: level.shape };
    return level.member ?? { path: level.path, shape: undefined };
  }

  private pathAt(offset: number): string {
    const level = this.levels.at(-1);
    if (level?.expectsKey === true && this.json[offset] === QUOTE) {
      return this.member(level, offset, stringEnd(this.json, offset)).path;
    }
    return this.current().path;
  }

  /** The member whose key is the string from `start` to `end`, quotes included. */
  private member(level: Level, start: number, end: number): { path: string; shape: JsonShape } {
    const name = keyText(this.json.toString('utf8', start, end));
    const { path, shape } = level;
    if (shape !== undefined && 'map' in shape && shape.map !== undefined) {
      return { path: `${path}[${JSON.stringify(name)}]`, shape: shape.map.value };
    }
    const message = messageOf(shape);
    if (message === undefined && !/^\w+$/.test(name))
      return { path: `${path}[${JSON.stringify(name)}]`, shape: undefined };
    return { path: path === '' ? name : `${path}.${name}`, shape: message?.field(name) };
  }
}

/** The message whose fields the keys are; undefined where they are none: the members of a Struct, of the type in an Any. */
function messageOf(shape: JsonShape): MessageDescriptor | undefined {
  const message = shape === undefined || 'fields' in shape ? shape : shape.message;
  return message === undefined || wellKnownKind(message) !== undefined ? undefined : message;
}

/** A key as readable text, cut where it is overlong. */
function keyText(quoted: string): string {
  let text: string;
  try {
    text = JSON.parse(quoted) as string;
  } catch {
    text = quoted.slice(1, -1);
  }
  return text.length > 100 ? `${text.slice(0, 100)}…`.toWellFormed() : text;
}

/** Where the string at `start` ends, past its closing quote. */
function stringEnd(json: Buffer, start: number): number {
  let pos = start + 1;
  while (pos < json.length && json[pos] !== QUOTE) pos += json[pos] === BACKSLASH ? 2 : 1;
  return Math.min(pos + 1, json.length);
}
