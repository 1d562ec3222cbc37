/**
 * Parses selections of fields: `name,spec.cpus,labels.team` → a tree of fields and keys. A path leads through messages, through
 * every element of a list, and through maps and Structs by key.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { nearestName } from '../status.js';
import { quote } from '../uri.js';
import { integerKindOf } from './integers.js';
import { wellKnownKind } from './well-known.js';
import { cached } from './cached.js';

/** What is selected of one value, or of each element of a list. */
export interface Selection {
  /** Everything; the other members are then ignored. */
  readonly whole: boolean;
  /** Of a message. */
  readonly fields: ReadonlyMap<FieldDescriptor, Selection>;
  /** Of a map or Struct, by the text of the key. */
  readonly keys: ReadonlyMap<string, Selection>;
}

/** A path that cannot be followed; the message is for the client. */
export class SelectionError extends Error {}

/** No message is printed deeper than this, so longer paths select nothing. */
const MAX_STEPS = 100;

interface Node extends Selection {
  whole: boolean;
  readonly fields: Map<FieldDescriptor, Node>;
  readonly keys: Map<string, Node>;
}

function emptyNode(): Node {
  return { whole: false, fields: new Map(), keys: new Map() };
}

/**
 * Parses a list of paths. Names may have either spelling; keys are `map.key` or `map[key]`; `*` selects everything.
 * @param root the message that the paths start in, or the field whose value is printed alone.
 * @throws SelectionError
 */
export function parseSelection(root: MessageDescriptor | FieldDescriptor, text: string): Selection {
  const selection = emptyNode();
  if (text === '*') selection.whole = true;
  else for (const path of splitPaths(text)) new PathReader(path).read(selection, root);
  return selection;
}

/** Cuts at commas, but not inside brackets. */
function splitPaths(text: string): string[] {
  const paths: string[] = [];
  let start = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '[') depth++;
    else if (char === ']') depth = Math.max(0, depth - 1);
    else if (char === ',' && depth === 0) {
      paths.push(text.slice(start, index));
      start = index + 1;
    }
  }
  paths.push(text.slice(start));
  return paths;
}

/** What the rest of a path is relative to. */
type Place = MessageDescriptor | FieldDescriptor;

function isField(place: Place): place is FieldDescriptor {
  return 'jsonName' in place;
}

/** Follows one path, adding to the tree. */
class PathReader {
  private rest: string;

  constructor(private readonly path: string) {
    this.rest = path.trim();
  }

  read(root: Node, from: Place): void {
    if (this.rest === '')
      throw new SelectionError('expected field paths with commas between them, such as name,spec.cpus');
    let node = root;
    let place: Place = from;
    // If the root is a field, continue as if its name had been read.
    if (isField(place)) this.rest = `.${this.rest}`;
    for (let steps = 0; this.rest !== ''; steps++) {
      if (steps > MAX_STEPS) throw new SelectionError(`a path has more than ${MAX_STEPS} steps`);
      [node, place] = isField(place) ? this.behindField(node, place) : this.inMessage(node, place);
    }
    node.whole = true;
  }

  private behindField(node: Node, field: FieldDescriptor): [Node, Place] {
    if (field.map !== undefined) return this.key(node, field.map.value, field);
    const { message } = field;
    if (message === undefined) throw this.noFields(field.name, field.enum?.fullName ?? field.type);
    if (this.isFree(message)) return this.key(node, message, field);
    if (!this.rest.startsWith('.')) {
      throw new SelectionError(
        `${quote(this.path)}: expected "." behind ${quote(field.name)}${field.repeated ? ', which takes every element' : ''}`,
      );
    }
    this.rest = this.rest.slice(1);
    return this.inMessage(node, message);
  }

  private inMessage(node: Node, message: MessageDescriptor): [Node, Place] {
    if (this.isFree(message)) {
      if (!/^[.[]/.test(this.rest)) this.rest = `.${this.rest}`;
      return this.key(node, message, undefined);
    }
    const kind = wellKnownKind(message);
    if (kind !== undefined) throw this.noFields(message.name, message.fullName);
    const { name, field } = this.fieldAt(message);
    if (field === undefined) throw this.unknown(name, message);
    this.rest = this.rest.slice(name.length);
    return [cached(node.fields, field, emptyNode), field];
  }

  private fieldAt(message: MessageDescriptor): { name: string; field: FieldDescriptor | undefined } {
    const whole = message.field(this.rest);
    if (whole !== undefined) return { name: this.rest, field: whole };
    const extension = /^\[[^\]]*\]/.exec(this.rest)?.[0];
    if (extension !== undefined) {
      return { name: extension, field: message.extensions.find(({ jsonName }) => jsonName === extension) };
    }
    const name = /^[^.[]*/.exec(this.rest)![0];
    return { name, field: message.field(name) };
  }

  /** True for Struct, Value and ListValue, whose content no schema describes. */
  private isFree(message: MessageDescriptor): boolean {
    const kind = wellKnownKind(message);
    return kind === 'Struct' || kind === 'Value' || kind === 'ListValue';
  }

  /** Reads `.key` or `[key]`. If nothing can follow the key, it is the whole rest. */
  private key(node: Node, value: Place, map: FieldDescriptor | undefined): [Node, Place] {
    const isLast = isField(value) && value.type !== 'message';
    const pattern = isLast ? /^(?:\[([^]*)\]|\.([^]*))$/ : /^(?:\[([^\]]*)\](?=[.[]|$)|\.([^.[]*))/;
    const found = pattern.exec(this.rest);
    if (found === null) {
      const name = map?.name ?? 'it';
      throw new SelectionError(
        `${quote(this.path)}: expected a key behind ${quote(name)}: ${name}.KEY or ${name}[KEY]`,
      );
    }
    this.rest = this.rest.slice(found[0].length);
    const text = found[1] ?? found[2] ?? '';
    return [cached(node.keys, map?.map === undefined ? text : this.keyText(text, map.map.key), emptyNode), value];
  }

  /** The key as it is printed, without quotes. */
  private keyText(text: string, key: FieldDescriptor): string {
    if (key.type === 'string') return text;
    if (key.type === 'bool' ? text === 'true' || text === 'false' : /^-?\d{1,20}$/.test(text)) {
      return integerKindOf(key.type as never) === undefined ? text : String(BigInt(text));
    }
    throw new SelectionError(
      `${quote(this.path)}: the key ${quote(text)} is no ${key.type === 'bool' ? 'true or false' : 'integer'}`,
    );
  }

  private noFields(name: string, type: string): SelectionError {
    return new SelectionError(
      `${quote(this.path)}: ${quote(name)} (${type}) has no fields to choose from; name it whole`,
    );
  }

  private unknown(name: string, message: MessageDescriptor): SelectionError {
    const near = nearestName(
      name,
      message.fields.flatMap((field) => [field.name, field.jsonName]),
    );
    const names = message.fields.map((field) => field.name);
    const known =
      names.length === 0 ? 'no fields' : `${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
    return new SelectionError(
      `${message.fullName} has no field ${quote(name)}${near === undefined ? `; it has ${known}` : `, did you mean "${near}"?`}`,
    );
  }
}
