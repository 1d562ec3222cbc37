/**
 * Where an error stands in a JSON text: line, column and the path of the value. Computed only once something went
 * wrong, by walking the text again, so that reading itself carries no path.
 */
import type { FieldDescriptor, MapFields, MessageDescriptor } from '../schema/types.js';
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

/** An open object or array, as far as the walk has come in it. */
interface Level {
  /** Index of the element under way, -1 in an object. */
  index: number;
  /** Where the key of the member under way starts and ends, quotes included; both 0 where there was none yet. */
  keyStart: number;
  keyEnd: number;
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
        this.levels.push({ index: -1, keyStart: 0, keyEnd: 0, expectsKey: true });
        break;
      case OPEN_BRACKET:
        this.levels.push({ index: 0, keyStart: 0, keyEnd: 0, expectsKey: false });
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
    if (level?.expectsKey === true) {
      level.keyStart = this.pos;
      level.keyEnd = end;
    }
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

  /** The path of the value that is under way, or of the key at `offset`. */
  private pathAt(offset: number): string {
    const top = this.levels.at(-1);
    if (top?.expectsKey === true && this.json[offset] === QUOTE) {
      top.keyStart = offset;
      top.keyEnd = stringEnd(this.json, offset);
    }
    let path = this.prefix;
    let shape = this.shape;
    for (const { index, keyStart, keyEnd } of this.levels) {
      if (index >= 0) {
        path += `[${index}]`;
      } else if (keyEnd > 0) {
        const name = keyText(this.json.toString('utf8', keyStart, Math.min(keyEnd, keyStart + MAX_KEY_BYTES)));
        path += step(path, shape, name);
        shape = shapeOf(shape, name);
      }
    }
    return path;
  }
}

/** Longer keys are cut. */
const MAX_KEY_BYTES = 1000;

/** What a key adds to a path: `.name`, or `["any text"]` where it is a map's or no name. */
function step(path: string, shape: JsonShape, name: string): string {
  const isName = messageOf(shape) !== undefined || (!isMap(shape) && /^\w+$/.test(name));
  if (!isName) return `[${JSON.stringify(name)}]`;
  return path === '' ? name : `.${name}`;
}

/** What the member of that name was read as. */
function shapeOf(shape: JsonShape, name: string): JsonShape {
  return isMap(shape) ? shape.map.value : messageOf(shape)?.field(name);
}

function isMap(shape: JsonShape): shape is FieldDescriptor & { readonly map: MapFields } {
  return shape !== undefined && 'map' in shape && shape.map !== undefined;
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
