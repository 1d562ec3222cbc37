/**
 * Input before it is interpreted: a tree of values, each with its place. YAML files, flags and the objects of programs
 * all become such trees, so that one reader serves all.
 */
import type { SourcePlace } from '../status.js';
import { quote } from '../uri.js';

/** A JSON value. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

/** A text, number, boolean or null. */
export interface InputScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** The original digits of a number: `1.10`. */
  readonly source?: string | undefined;
  /** Undefined if it is not from a file. */
  readonly place: SourcePlace | undefined;
}

/** A list of values. */
export interface InputList {
  readonly kind: 'list';
  readonly items: readonly InputNode[];
  readonly place: SourcePlace | undefined;
}

/** A map, whose members keep their order. */
export interface InputMap {
  readonly kind: 'map';
  readonly members: readonly InputMember[];
  readonly place: SourcePlace | undefined;
}

/** A member of a map. */
export interface InputMember {
  readonly name: string;
  /** Of the name. */
  readonly place: SourcePlace | undefined;
  readonly value: InputNode;
}

/** A value of the input, with its place. */
export type InputNode = InputScalar | InputList | InputMap;

/** The value without places. */
export function plain(node: InputNode): Plain {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries(node.members.map(({ name, value }) => [name, plain(value)]));
}

/** An object of a program is cut at this depth, as it may be circular. */
const MAX_DEPTH = 100;

/** Says where a value comes from. */
type PlaceOf = (value: object) => SourcePlace | undefined;

/**
 * The node of a program's value. Members that are undefined are left out.
 * @param placeOf where a map or list comes from; what it says nothing of has the place of what is around it
 */
export function nodeOf(value: unknown, placeOf: PlaceOf = nowhere): InputNode {
  return nodeAt(value, placeOf, undefined, 0);
}

function nowhere(): undefined {
  return undefined;
}

function nodeAt(value: unknown, placeOf: PlaceOf, outer: SourcePlace | undefined, depth: number): InputNode {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', value, place: outer };
  }
  if (typeof value !== 'object') return { kind: 'scalar', value: typeof value, place: outer };
  if (depth > MAX_DEPTH) return { kind: 'scalar', value: 'object', place: outer };
  const place = placeOf(value) ?? outer;
  const inner = (one: unknown): InputNode => nodeAt(one, placeOf, place, depth + 1);
  if (Array.isArray(value)) return { kind: 'list', items: value.map(inner), place };
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  const members = [...entries].flatMap(([name, one]) =>
    one === undefined ? [] : [{ name: String(name), place, value: inner(one) }],
  );
  return { kind: 'map', members, place };
}

/** The value in quotes, for messages. */
export function shown(value: Plain): string {
  return quote(typeof value === 'string' ? value : JSON.stringify(value));
}
