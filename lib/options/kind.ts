/**
 * Kinds of values: how a value is read, printed and described. A `Kind` may have structure; a `LeafKind` fits into one
 * flag. The types follow from these descriptions: `ValuesOf` for the proxy, `InputsOf` for programs.
 */
import { type Camel, camelCase } from './names.js';
import { type InputNode, type Plain, plain, shown } from './node.js';
import { OptionError, type Reader } from './reader.js';

/** Suffix of a quantity's inner name: times are in milliseconds. */
export type Unit = '' | 'Ms';

/** A kind of values: T inside, I as a program may write it. */
export interface Kind<T, I = T, U extends Unit = ''> {
  readonly unit: U;
  /** The JSON Schema of the value in a file. */
  readonly jsonSchema: object;
  /** Carries the type `I`; never set. */
  readonly input?: I;
  /** @throws OptionError if the value as a whole is not accepted; mistakes inside it are reported to the reader. */
  readNode(node: InputNode, reader: Reader): T;
  /** The value as `readNode` accepts it from a file. */
  print(value: T): Plain;
}

/** What a kind reads. */
export type KindValue<K> = K extends Kind<infer T, infer _I> ? T : never;

/** A kind of values that fit into one flag. */
export interface LeafKind<T, I = T, U extends Unit = ''> extends Kind<T, I, U> {
  /** Placeholder in `--help`: `SIZE`, `a|b`. Undefined for switches. */
  readonly placeholder: string | undefined;
  /** Completes "expected …". */
  readonly description: string;
  /** True if a flag may be given several times. */
  readonly repeatable: boolean;
  /** True if `none` is accepted; its value is undefined. */
  readonly isOptional: boolean;
  /** All accepted values, if they are few. */
  readonly words: readonly string[] | undefined;
  /** @throws OptionError */
  read(raw: Plain): T;
}

/** True if values of the kind fit into one flag. */
export function isLeaf(kind: Kind<unknown, unknown, Unit>): kind is LeafKind<unknown, unknown, Unit> {
  return 'placeholder' in kind;
}

/** Describes a leaf. */
export interface LeafDescription<T, U extends Unit> {
  readonly placeholder?: string;
  readonly description: string;
  readonly repeatable?: boolean;
  readonly words?: readonly string[];
  readonly jsonSchema: object;
  readonly unit: U;
  /** Default `bad-option`, whose messages begin with the option's name. */
  readonly code?: 'bad-option' | 'config-type';
  /** Undefined if the value is not accepted. May throw an OptionError with a more exact message. */
  convert(raw: Plain): T | undefined;
  print(value: T): Plain;
}

/** Makes a kind from the description of its values. */
export function leaf<T, I = T, U extends Unit = ''>(from: LeafDescription<T, U>): LeafKind<T, I, U> {
  const { placeholder, description, repeatable = false, words, jsonSchema, unit, code = 'bad-option' } = from;
  const read = (raw: Plain): T => {
    const value = from.convert(raw);
    if (value === undefined) throw new OptionError(`found ${shown(raw)}, expected ${description}`, code);
    return value;
  };
  return {
    ...{ placeholder, description, repeatable, isOptional: false, words, jsonSchema, unit, read },
    readNode: (node) => read(plain(node)),
    print: (value) => from.print(value),
  };
}

/** The message for a value that is not accepted. May depend on the name of the member. */
export type Expected = string | ((name: string) => string);

/** A member of a record. */
export interface Field<T, I = T, U extends Unit = ''> {
  readonly kind: Kind<T, I, U>;
  readonly text: string;
  /** The value if it is left out. */
  readonly default?: T;
  /** The message if it is left out. Undefined: it may be left out. */
  readonly required?: Expected;
}

/** An optional member without a default. */
export function field<T, I, U extends Unit>(kind: Kind<T, I, U>, text: string): Field<T, I, U> {
  return { kind, text };
}

/** A member whose absence is an error. */
export function requiredField<T, I, U extends Unit>(
  kind: Kind<T, I, U>,
  text: string,
  required: Expected,
): Field<T, I, U> & { readonly required: Expected } {
  return { kind, text, required };
}

/** A field that has a default. */
export function fieldOr<T, I, U extends Unit>(
  kind: Kind<T, I, U>,
  value: NoInfer<T>,
  text: string,
): Field<T, I, U> & { readonly default: T } {
  return { kind, text, default: value };
}

/** The members of a record, by their names in a file. */
export type Fields = Readonly<Record<string, Field<unknown, unknown, Unit>>>;

type ValueOf<F extends Field<unknown, unknown, Unit>> = ReturnType<F['kind']['readNode']>;
type InnerName<K, F extends Field<unknown, unknown, Unit>> = K extends string
  ? `${Camel<K>}${F['kind']['unit']}`
  : never;
type InputOf<F extends Field<unknown, unknown, Unit>> = F['kind'] extends Kind<unknown, infer I, Unit> ? I : never;
type Required<M extends Fields> = { [K in keyof M]: M[K] extends { required: Expected } ? K : never }[keyof M];
type Flat<T> = { [K in keyof T]: T[K] };

/** The name of a field in the proxy's own objects: `idleTimeoutMs`. */
export function innerName(name: string, { kind }: Field<unknown, unknown, Unit>): string {
  return camelCase(name) + kind.unit;
}

/** All values, complete. */
export type ValuesOf<M extends Fields> = { readonly [K in keyof M as InnerName<K, M[K]>]: ValueOf<M[K]> };

/** The values that were given; the others are undefined. */
export type GivenOf<M extends Fields> = Flat<
  { readonly [K in Required<M> as InnerName<K, M[K]>]: ValueOf<M[K]> } & {
    readonly [K in Exclude<keyof M, Required<M>> as InnerName<K, M[K]>]?: ValueOf<M[K]>;
  }
>;

/** The values as a program may write them. */
export type InputsOf<M extends Fields> = Flat<
  { readonly [K in Required<M> & string as Camel<K>]: InputOf<M[K]> } & {
    readonly [K in Exclude<keyof M, Required<M>> & string as Camel<K>]?: InputOf<M[K]> | undefined;
  }
>;
