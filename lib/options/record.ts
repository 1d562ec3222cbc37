/** Combinators that make kinds of maps, lists and alternatives from other kinds. */
import { nearestName } from '../status.js';
import { quote } from '../uri.js';
import { type Expected, type Fields, type GivenOf, innerName, type InputsOf, type Kind, type Unit } from './kind.js';
import { snakeCase } from './names.js';
import type { InputMap, InputMember, InputNode, Plain } from './node.js';
import { OptionError, type Reader } from './reader.js';

/** The file spelling of a member's name. Programs write camelCase, and may add the unit: `maxAgeMs`. */
export function fileName({ name }: InputMember, { isProgram }: Reader): string {
  return isProgram ? snakeCase(name).replace(/_ms$/, '') : name;
}

/** Where a mistake in a member is reported: at its value, unless that is a map or list, which may begin lines below. */
function problemPlace({ place, value }: InputMember): InputMember['place'] {
  return value.kind === 'scalar' || value.place?.line === place?.line ? value.place : place;
}

/** The message for a name that does not exist. */
export function unknownName(name: string, about: string, known: readonly string[], other?: string): string {
  const near = other ?? nearestName(name, known);
  const guess = near === undefined ? '' : `; did you mean ${near}?`;
  return `there is no key ${quote(name)} here; ${about} has: ${known.join(', ')}${guess}`;
}

/**
 * Reads the members of a map that are fields. Values that are not accepted are reported and left out.
 * @param onOther gets the other members.
 * @param prefix goes before the names of members in messages.
 * @throws OptionError if a required field is missing.
 */
export function readFields<M extends Fields>(
  fields: M,
  map: InputMap,
  reader: Reader,
  onOther: (member: InputMember, name: string) => void,
  prefix = '',
): GivenOf<M> {
  const known = new Map(Object.entries(fields));
  const given = map.members.flatMap((member) => {
    const name = fileName(member, reader);
    const field = known.get(name);
    if (field === undefined) {
      onOther(member, name);
      return [];
    }
    const values = reader.attempt(prefix + name, problemPlace(member), () => field.kind.readNode(member.value, reader));
    return values.map((value) => [innerName(name, field), value] as const);
  });
  for (const [name, { required }] of known) {
    if (required === undefined || map.members.some((member) => fileName(member, reader) === name)) continue;
    throw new OptionError(expectedText(required, reader), 'config-type');
  }
  return Object.fromEntries(given) as GivenOf<M>;
}

/** Those of the values whose names are in `fields`. */
export function pickFields<M extends Fields>(fields: M, values: GivenOf<M>): GivenOf<M> {
  const names = new Set(Object.entries(fields).map(([name, field]) => innerName(name, field)));
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name))) as GivenOf<M>;
}

/** The given fields, as a file has them. */
export function printFields(fields: Fields, values: object): Record<string, Plain> {
  const byName = new Map<string, unknown>(Object.entries(values));
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const key = innerName(name, field);
      return byName.has(key) ? [[name, field.kind.print(byName.get(key))] as const] : [];
    }),
  );
}

/** JSON Schema of a map with these fields and no others. */
export function fieldsSchema(fields: Fields): object {
  const entries = Object.entries(fields);
  const required = entries.flatMap(([name, { required }]) => (required === undefined ? [] : [name]));
  return {
    type: 'object',
    properties: Object.fromEntries(
      entries.map(([name, { kind, text }]) => [
        name,
        { ...kind.jsonSchema, ...(text !== '' && { description: text }) },
      ]),
    ),
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  };
}

/** Describes a record. */
export interface RecordDescription<M extends Fields> {
  readonly fields: M;
  /** Begins a message that lists names: `"cors"`. */
  readonly about: string;
  /** The message if the value is no map: `"cors" is a map such as { … }`. */
  readonly expected: Expected;
  /** Precedes the names of members in messages: `tls.`. Default: nothing. */
  readonly prefix?: string;
  /** Names that other products use for a field, for "did you mean". */
  readonly otherNames?: Readonly<Record<string, string>>;
  /** Reports members that contradict each other. */
  check?(value: GivenOf<M>, map: InputMap, reader: Reader): void;
}

/** A map of fields. Defaults are not filled in, because an outer level may give the value. */
export function record<M extends Fields>(description: RecordDescription<M>): Kind<GivenOf<M>, InputsOf<M>> {
  const { fields, about, expected, prefix, otherNames = {} } = description;
  return {
    unit: '',
    jsonSchema: fieldsSchema(fields),
    readNode(node, reader) {
      const map = asMap(node, expected, reader);
      const onOther = ({ place }: InputMember, name: string): void => {
        const known = Object.keys(fields);
        const other = known.find((candidate) => candidate === otherNames[name]);
        reader.attempt(name, place, () => {
          reader.error(place, 'unknown-key', unknownName(name, about, known, other));
        });
      };
      const value = readFields(fields, map, reader, onOther, prefix);
      description.check?.(value, map, reader);
      return value;
    },
    print: (value) => printFields(fields, value),
  };
}

/**
 * The node as a map.
 * @throws OptionError if it is none.
 */
export function asMap(node: InputNode, expected: Expected, reader: Reader): InputMap {
  if (node.kind === 'map') return node;
  throw new OptionError(expectedText(expected, reader), 'config-type');
}

function expectedText(expected: Expected, { name }: Reader): string {
  return typeof expected === 'string' ? expected : expected(name);
}

/** A member of a map whose names the author chooses. */
export interface MapEntry<T> extends Pick<InputMember, 'name' | 'place'> {
  readonly value: T;
}

/** A map whose names the author chooses. */
export function mapOf<T, I, U extends Unit>(
  kind: Kind<T, I, U>,
  expected: Expected,
): Kind<readonly MapEntry<T>[], Readonly<Record<string, I>>> {
  return {
    unit: '',
    jsonSchema: { type: 'object', additionalProperties: kind.jsonSchema },
    readNode: (node, reader) =>
      asMap(node, expected, reader).members.flatMap((member) => {
        const { name, place, value } = member;
        return reader.attempt(name, problemPlace(member), () => ({ name, place, value: kind.readNode(value, reader) }));
      }),
    print: (entries) => Object.fromEntries(entries.map(({ name, value }) => [name, kind.print(value)])),
  };
}

/** A list. Elements that are not accepted are reported and left out. */
export function listOf<T, I>(kind: Kind<T, I>, expected: string): Kind<readonly T[], readonly I[]> {
  return {
    unit: '',
    jsonSchema: { type: 'array', items: kind.jsonSchema },
    readNode(node, reader) {
      if (node.kind !== 'list') throw new OptionError(expected, 'config-type');
      return readItems(node.items, kind, reader);
    },
    print: (values) => values.map((value) => kind.print(value)),
  };
}

/** One value or a list of them. Elements that are not accepted are reported and left out. */
export function oneOrMany<T, I>(kind: Kind<T, I>): Kind<readonly T[], I | readonly I[]> {
  return {
    unit: '',
    jsonSchema: { anyOf: [kind.jsonSchema, { type: 'array', items: kind.jsonSchema }] },
    readNode: (node, reader) => readItems(node.kind === 'list' ? node.items : [node], kind, reader),
    print: (values) => values.map((value) => kind.print(value)),
  };
}

function readItems<T, I>(items: readonly InputNode[], kind: Kind<T, I>, reader: Reader): T[] {
  return items.flatMap((item, index) => reader.attempt(String(index), item.place, () => kind.readNode(item, reader)));
}

/** A value, or `false`, which reads as undefined and removes the value of an outer level. */
export function orFalse<T, I>(kind: Kind<T, I>): Kind<T | undefined, I | false | undefined> {
  return {
    unit: '',
    jsonSchema: { anyOf: [{ const: false }, kind.jsonSchema] },
    readNode: (node, reader) => (isFalse(node) ? undefined : kind.readNode(node, reader)),
    print: (value) => (value === undefined ? false : kind.print(value)),
  };
}

/** True for the boolean `false`. */
export function isFalse(node: InputNode): boolean {
  return node.kind === 'scalar' && node.value === false;
}

/** A kind whose values are converted after reading and before printing. */
export function converted<T, I, V>(
  kind: Kind<T, I>,
  forms: { read(value: T, node: InputNode, reader: Reader): V; print(value: V): T },
): Kind<V, I> {
  return {
    unit: '',
    jsonSchema: kind.jsonSchema,
    readNode: (node, reader) => forms.read(kind.readNode(node, reader), node, reader),
    print: (value) => kind.print(forms.print(value)),
  };
}

/** Two notations of one thing, which are distinguished by their shape. It is printed in the first. */
export function oneOf<T, I, J>(
  first: Kind<T, I>,
  second: Pick<Kind<T, J>, 'jsonSchema' | 'readNode'>,
  isSecond: (node: InputNode) => boolean,
): Kind<T, I | J> {
  return {
    unit: '',
    jsonSchema: { anyOf: [first.jsonSchema, second.jsonSchema] },
    readNode: (node, reader) => (isSecond(node) ? second : first).readNode(node, reader),
    print: (value) => first.print(value),
  };
}
