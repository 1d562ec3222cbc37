/**
 * Tables of options. A room declares its options in one table. A row holds everything that the reader, `--help`, the
 * pages, the presets and the types need, and nothing of it stands elsewhere.
 */
import { type Field, innerName, type InputsOf, type Kind, type Unit, type ValuesOf } from './kind.js';
import type { Camel } from './names.js';

/** The groups of `--help` and docs/options.md, in their order. */
export const groups = {
  routes: 'Routes',
  requests: 'Paths, queries and bodies',
  answers: 'Answers and errors',
  access: 'Who may call',
  tls: 'TLS',
  services: 'Services',
  limits: 'Limits and times',
  mcp: 'Agents (MCP)',
  telemetry: 'Logs, metrics and traces',
} as const;

/** Names of the presets. */
export const presetNames = ['none', 'envoy', 'grpc-gateway', 'google'] as const;

/** A set of options that makes photongate answer as another gateway does, or as Google's clients expect. */
export type PresetName = (typeof presetNames)[number];

/** The value of an option in presets, and the reason for it. */
interface PresetPart<T> {
  readonly presets?: Readonly<Partial<Record<PresetName, T>>>;
  /** Completes a sentence of docs/presets.md. */
  readonly why?: string;
}

/** Everything about an option except its kind. */
export interface OptionDescription<T> extends PresetPart<T> {
  readonly default: T;
  readonly group: keyof typeof groups;
  readonly text: string;
  /** How the default is shown, if not as its kind prints it. */
  readonly defaultText?: string;
  /** Corresponding names in Envoy and grpc-gateway, for docs/options.md. */
  readonly peers?: string;
  /** True for an option of the listener's sockets, which its mounts cannot set. */
  readonly listenerOnly?: true;
  /** An option of the process, which only the top level of a file sets. */
  readonly processOnly?: true;
  /** Another option that determines this one, unless this one is given. `value` returns undefined if it does not. */
  readonly follows?: { readonly option: string; value(other: unknown): T | undefined };
  /** Switches that stand for one value of this option. */
  readonly aliases?: Readonly<Record<string, { readonly value: T; readonly text: string }>>;
  /** The option is a member of this map in a file, and has no flag. */
  readonly within?: 'policies';
}

/** A row of a table: an option with a name. */
export interface OptionRow<T, I = T, U extends Unit = '', A extends string = string>
  extends Field<T, I, U>, OptionDescription<T> {
  readonly default: T;
  /** Carries the type of its aliases; never set. */
  readonly alias?: A;
}

/** A row that only presets set. It has no public name. */
export interface PresetRow<T, I = T, U extends Unit = ''> extends Field<T, I, U>, PresetPart<T> {
  readonly default: T;
  readonly presetOnly: true;
}

/** A row of a table of options. */
export function option<T, I, U extends Unit, const D extends OptionDescription<NoInfer<T>>>(
  kind: Kind<T, I, U>,
  description: D,
): OptionRow<T, I, U, D extends { aliases: infer A } ? keyof A & string : never> {
  return { ...description, kind };
}

/** A row that only presets set. */
export function presetOption<T, I, U extends Unit>(
  kind: Kind<T, I, U>,
  description: Required<PresetPart<NoInfer<T>>> & { readonly default: NoInfer<T>; readonly text: string },
): PresetRow<T, I, U> {
  return { ...description, kind, presetOnly: true };
}

type Row = OptionRow<unknown, unknown, Unit> | PresetRow<unknown, unknown, Unit>;
/** Rows by their names in snake_case. */
export type OptionTable = Readonly<Record<string, Row>>;

/** All options of a table under their inner names, complete. */
export type OptionsOf<M extends OptionTable> = ValuesOf<M>;

type AliasName<M extends OptionTable> = {
  [K in keyof M]: M[K] extends OptionRow<unknown, unknown, Unit, infer A> ? A : never;
}[keyof M];

/** The aliases of a table, as programs write them. */
export type AliasesOf<M extends OptionTable> = { readonly [K in AliasName<M> as Camel<K>]?: boolean | undefined };

/** The options of a table as programs write them, without those that only presets set. */
export type OptionInputsOf<M extends OptionTable> = AliasesOf<M> &
  InputsOf<{ [K in keyof M as M[K] extends { presetOnly: true } ? never : K]: M[K] }>;

/** The defaults of a table. */
export function defaultsOf<
  M extends Readonly<Record<string, Field<unknown, unknown, Unit> & { readonly default: unknown }>>,
>(table: M): ValuesOf<M> {
  const entries = Object.entries(table).map(([name, row]) => [innerName(name, row), row.default] as const);
  const values = Object.fromEntries(entries) as ValuesOf<M>;
  Object.freeze(values);
  return values;
}

/** The values that a preset sets. */
export function presetOf<M extends OptionTable>(table: M, preset: PresetName): Partial<ValuesOf<M>> {
  const entries = Object.entries(table).flatMap(([name, row]) =>
    row.presets !== undefined && preset in row.presets ? [[innerName(name, row), row.presets[preset]] as const] : [],
  );
  return Object.freeze(Object.fromEntries(entries) as Partial<ValuesOf<M>>);
}
