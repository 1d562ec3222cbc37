/**
 * Line, column and path of errors in a JSON text. They are computed after an error by walking the text again, so that reading
 * does not have to track them.
 */
import type { FieldDescriptor, MapFields, MessageDescriptor } from '../schema/types.js';
import {
  bomLength,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  stringEnd,
} from './chars.js';
import { wellKnownKind } from './well-known.js';

/** Line and column count from 1, the column in characters; the path is `vm.disks[2].size`, `labels["a"]`, or '' for the whole value. */
export interface JsonPlace {
  readonly line: number;
  readonly column: number;
  readonly path: string;
}

/** Where a JSON text starts in the text that contains it; line and column count from 1. */
export interface TextOrigin {
  readonly line: number;
  readonly column: number;
}

/** The type that a JSON value was read as; undefined if no schema describes its members (Struct, Any). */
export type JsonShape = MessageDescriptor | FieldDescriptor | undefined;

/** An open object or array, and the position in it. */
interface Level {
  /** Index of the current element; -1 in an object. */
  index: number;
  /** Where the key of the member under way starts and ends, quotes included; both 0 where there was none yet. */
  keyStart: number;
  keyEnd: number;
  expectsKey: boolean;
}

/**
 * The places of some offsets. The text must be valid JSON up to the last of them. The path of a key's offset ends with the
 * key.
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
    this.pos = bomLength(json);
  }

  to(offset: number): JsonPlace {
    while (this.pos < offset && this.pos < this.json.length) this.step(offset);
    return { line: this.line, column: this.column, path: this.pathAt(offset) };
  }

  /** Passes the next token, or a byte that does not matter. */
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

  /** The path of the current value, or of the key at `offset`. */
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

/** What a key adds to a path: `.name`, or `["any text"]` for keys of maps and keys that are not names. */
function step(path: string, shape: JsonShape, name: string): string {
  const isName = messageOf(shape) !== undefined || (!isMap(shape) && /^\w+$/.test(name));
  if (!isName) return `[${JSON.stringify(name)}]`;
  return path === '' ? name : `.${name}`;
}

/** The type that the member was read as. */
function shapeOf(shape: JsonShape, name: string): JsonShape {
  return isMap(shape) ? shape.map.value : messageOf(shape)?.field(name);
}

function isMap(shape: JsonShape): shape is FieldDescriptor & { readonly map: MapFields } {
  return shape !== undefined && 'map' in shape && shape.map !== undefined;
}

/** The message whose fields the keys name; undefined for members of a Struct or an Any. */
function messageOf(shape: JsonShape): MessageDescriptor | undefined {
  const message = shape === undefined || 'fields' in shape ? shape : shape.message;
  return message === undefined || wellKnownKind(message) !== undefined ? undefined : message;
}

/** A key as readable text, cut if it is too long. */
function keyText(quoted: string): string {
  let text: string;
  try {
    text = JSON.parse(quoted) as string;
  } catch {
    text = quoted.slice(1, -1);
  }
  return text.length > 100 ? `${text.slice(0, 100)}…`.toWellFormed() : text;
}
