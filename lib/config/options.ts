/**
 * All options of photongate in one table, joined from the tables of the rooms. An option is declared once, in its room.
 * Flags, file keys, `--help`, types, pages and presets follow from it.
 */
import { codecOptions } from '../codec/index.js';
import { fallbackOptions } from '../fallback/index.js';
import { builtinOptions } from '../builtin/index.js';
import { gatewayOptions, largeMessageOptions } from '../gateway/index.js';
import { overloadOptions } from '../overload/index.js';
import { mcpOptions } from '../mcp/index.js';
import { callOptions } from '../metadata/index.js';
import {
  type AliasesOf,
  defaultsOf,
  enumValue,
  field,
  type Fields,
  groups,
  innerName,
  isLeaf,
  type LeafKind,
  libraryName,
  option,
  type OptionInputsOf,
  type OptionsOf,
  type OptionTable,
  pickFields,
  type Plain,
  type PresetName,
  presetNames,
  presetOf,
  timeFrom,
  timeValue,
  type Unit,
} from '../options/index.js';
import { policyOptions } from '../policy/index.js';
import { protocolOptions } from '../protocol/index.js';
import { retryOptions } from '../retry/index.js';
import { idempotencyOptions } from '../idempotency/index.js';
import { rateLimitOptions } from '../routes/index.js';
import { reflectionOptions } from '../schema/index.js';
import { listenerOptions } from '../server/index.js';
import { telemetryOptions } from '../telemetry/index.js';
import { transcodeOptions } from '../transcode/index.js';
import { validateOptions } from '../validate/index.js';
import { placeOptions, upstreamOptions } from '../upstream/index.js';

const ownOptions = {
  preset: option(enumValue(...presetNames), {
    default: 'none',
    group: 'routes',
    text: 'a set of options (docs/presets.md); options that you set yourself override it',
  }),
  // Load balancers look at /readyz now and then, and send requests until they have seen it fail.
  drain_delay: option(timeFrom(0), {
    default: 0,
    listenerOnly: true,
    group: 'limits',
    text: 'how long a shutdown serves on while /readyz fails: answers close their connections, and the port stays open',
  }),
  drain_timeout: option(timeValue, {
    default: 10_000,
    listenerOnly: true,
    group: 'limits',
    text: 'how long a shutdown waits for requests in flight',
  }),
};

/** All rows, also those that only presets set. */
export const optionTable = {
  ...ownOptions,
  ...builtinOptions,
  ...gatewayOptions,
  ...largeMessageOptions,
  ...overloadOptions,
  ...mcpOptions,
  ...transcodeOptions,
  ...codecOptions,
  ...validateOptions,
  ...callOptions,
  ...protocolOptions,
  ...policyOptions,
  ...rateLimitOptions,
  ...idempotencyOptions,
  ...listenerOptions,
  ...upstreamOptions,
  ...retryOptions,
  ...fallbackOptions,
  ...reflectionOptions,
  ...telemetryOptions,
};

/** All options of a listener or mount, complete. */
export type Options = OptionsOf<typeof optionTable>;
/** The inner name of an option: `idleTimeoutMs`. */
export type OptionKey = keyof Options;

/** Options that were given, without defaults. */
export type GivenOptions = Partial<Options> & AliasesOf<typeof optionTable>;

/** All options of docs/options.md under their names in programs: `{ idleTimeout: '60s', statusMap: { 5: 410 } }`. */
export type LibraryOptions = OptionInputsOf<typeof optionTable>;

const table: OptionTable = optionTable;

/** The rows that have a public name. */
const publicRows = Object.entries(table).flatMap(([name, row]) => ('presetOnly' in row ? [] : [{ name, row }]));

/** An option that fits into a flag. */
export interface OptionSpec {
  /** In snake_case. */
  readonly name: string;
  readonly key: OptionKey;
  readonly kind: LeafKind<unknown, unknown, Unit>;
  readonly defaultValue: unknown;
  /** The default as `--help` and the pages show it. */
  readonly defaultText: string;
  readonly group: string;
  readonly text: string;
  /** Corresponding names in Envoy and grpc-gateway. */
  readonly peers: string | undefined;
  /** True for an option of the listener's sockets, which its mounts cannot set. */
  readonly listenerOnly: boolean;
  /** True for what holds for the whole process. */
  readonly processOnly: boolean;
}

/** In the order of `--help`. */
export const optionSpecs: readonly OptionSpec[] = Object.entries(groups).flatMap(([group, title]) =>
  publicRows.flatMap(({ name, row }): OptionSpec[] => {
    const { kind, text, peers, default: defaultValue, listenerOnly = false, processOnly = false } = row;
    if (row.group !== group || !isLeaf(kind)) return [];
    const defaultText = row.defaultText ?? shownDefault(kind.print(defaultValue));
    const key = innerName(name, row) as OptionKey;
    return [{ name, key, kind, defaultValue, defaultText, group: title, text, peers, listenerOnly, processOnly }];
  }),
);

function shownDefault(printed: Plain): string {
  return typeof printed === 'object' ? 'none' : String(printed);
}

/** A switch that stands for one value of an option. */
export interface OptionAlias {
  readonly name: string;
  readonly text: string;
  readonly group: string;
  /** Inner name of the switch. */
  readonly key: string;
  readonly option: OptionKey;
  readonly value: unknown;
}

/** The aliases of all options. */
export const optionAliases: readonly OptionAlias[] = publicRows.flatMap(({ name, row }) =>
  Object.entries(row.aliases ?? {}).map(([alias, { value, text }]) => ({
    ...{ name: alias, text, value, group: groups[row.group] },
    ...{ key: libraryName(alias), option: innerName(name, row) as OptionKey },
  })),
);

/** The options that are members of the map `policies`. */
export const policyFields: Fields = Object.fromEntries(
  publicRows.flatMap(({ name, row }) => (row.within === 'policies' ? [[name, row] as const] : [])),
);

/** Options with a structure, which have no flag. */
export const structuredFields: Fields = Object.fromEntries(
  publicRows.flatMap(({ name, row }) => {
    return row.within === undefined && !isLeaf(row.kind) ? [[name, field(row.kind, row.text)] as const] : [];
  }),
);

/** The options that say how requests become calls and answers what clients read. Routes may have their own. */
export const transcoderOptions: ReadonlySet<string> = new Set([
  ...Object.keys({ ...transcodeOptions, ...codecOptions }),
  ...['auto_mapping', 'on_duplicate', 'strict_slash', 'custom_verbs'],
  ...['reject_unknown_method', 'match_incoming_request_route', 'max_body_bytes'],
]);

/** All options at their defaults. */
export const defaultOptions: Options = defaultsOf(optionTable);

/** The values that each preset sets. docs/presets.md has the reasons. */
export const presets: Readonly<Record<PresetName, GivenOptions>> = {
  none: presetOf(optionTable, 'none'),
  envoy: presetOf(optionTable, 'envoy'),
  'grpc-gateway': presetOf(optionTable, 'grpc-gateway'),
  google: presetOf(optionTable, 'google'),
};

/**
 * Merges the options of several levels, the outermost first; inner levels win. An alias counts as its option, unless the same
 * level gives that too. An alias that is false removes the value that it stands for, if an outer level set that.
 */
export function mergeOptions(levels: readonly (GivenOptions | undefined)[]): GivenOptions {
  return levels.reduce<GivenOptions>((outer, inner = {}) => {
    const merged = new Map<string, unknown>(Object.entries(outer));
    const given = new Map<string, unknown>(Object.entries(inner));
    for (const { key, option, value } of optionAliases) {
      if (given.get(key) === true) merged.set(option, value);
      // The alias stays in the result, because there may be a further outer level.
      else if (given.get(key) === false && merged.get(option) === value) merged.delete(option);
      if (given.get(key) === true && given.delete(key)) merged.delete(key);
    }
    return Object.fromEntries([...merged, ...given]);
  }, {});
}

const aliasKeys = new Set(optionAliases.map(({ key }) => key));

/** Fills in all options: first from other given options that determine them, then from the preset, then from the defaults. */
export function completeOptions(levels: readonly (GivenOptions | undefined)[]): Options {
  const merged = Object.entries(mergeOptions(levels)).filter(([key]) => !aliasKeys.has(key));
  const given: Partial<Options> = Object.fromEntries(merged);
  return Object.freeze({
    ...defaultOptions,
    ...presets[given.preset ?? defaultOptions.preset],
    ...impliedOptions(given),
    ...given,
  });
}

/** The options of the process, complete. */
export type ProcessOptions = OptionsOf<typeof telemetryOptions & typeof placeOptions & typeof largeMessageOptions>;

/** The options of the process, which only the top level of a file and flags set. */
export function completeProcessOptions(levels: readonly (GivenOptions | undefined)[]): ProcessOptions {
  return pickFields(
    { ...telemetryOptions, ...placeOptions, ...largeMessageOptions },
    completeOptions(levels),
  ) as ProcessOptions;
}

/** Values that follow from other given options. Without any, the key is absent, so that the preset counts. */
function impliedOptions(given: GivenOptions): GivenOptions {
  const values = new Map<string, unknown>(Object.entries(given));
  return Object.fromEntries(
    publicRows.flatMap(({ name, row: { follows, ...row } }) => {
      const value = follows?.value(values.get(libraryName(follows.option)));
      return value === undefined ? [] : [[innerName(name, row), value] as const];
    }),
  );
}
