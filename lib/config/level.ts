/**
 * A level of a configuration: the top of the file, a listener, or a mount. Each has its own members and may hold
 * options. This is their common reader, printer and JSON Schema.
 */
import {
  booleanValue,
  field,
  type Fields,
  fieldsSchema,
  flagName,
  type GivenOf,
  type InputMap,
  type InputMember,
  isFalse,
  type Kind,
  nodeOf,
  pickFields,
  type Plain,
  printFields,
  readFields,
  Reader,
  record,
  snakeCase,
} from '../options/index.js';
import { nearestName, type ProblemList } from '../status.js';
import { quote } from '../uri.js';
import {
  defaultOptions,
  type GivenOptions,
  optionAliases,
  optionSpecs,
  policyFields,
  structuredFields,
  transcoderOptions,
} from './options.js';

/** A level: its own members, and the options that it gives. */
export type LevelOf<M extends Fields> = GivenOf<M> & { readonly options?: GivenOptions };

/** The options that fit into flags, and their aliases. */
export const flagFields: Fields = Object.fromEntries([
  ...optionSpecs.map(({ name, kind, text, defaultText }) => {
    return [name, field(kind, `${text}. Default: ${defaultText}. Flag: --${flagName(name)}`)] as const;
  }),
  ...optionAliases.map(({ name, text }) => {
    return [name, field(booleanValue, `${text}. Flag: --${flagName(name)}`)] as const;
  }),
]);

const policies = record({
  fields: policyFields,
  about: '"policies"',
  expected: '"policies" is a map such as { cors: { origins: ["https://console.example.com"] } }',
});

const tlsSpecs = optionSpecs.filter(({ name }) => name.startsWith('tls_'));

const tlsRecord = record({
  fields: Object.fromEntries(tlsSpecs.map(({ name, kind, text }) => [name.slice('tls_'.length), field(kind, text)])),
  about: '"tls"',
  prefix: 'tls.',
  expected: '"tls" is false or a map such as { cert: FILE, key: FILE }',
});

/** `tls: { cert: FILE }` is `tls_cert: FILE`; `tls: false` removes the values of an outer level. */
const tlsKind: Kind<object> = {
  unit: '',
  jsonSchema: { anyOf: [{ const: false }, tlsRecord.jsonSchema] },
  readNode(node, reader) {
    if (isFalse(node)) return Object.fromEntries(tlsSpecs.map(({ key }) => [key, defaultOptions[key]]));
    const given = Object.entries(tlsRecord.readNode(node, reader));
    return Object.fromEntries(
      given.map(([name, value]) => [name.replace(/^./, (first) => `tls${first.toUpperCase()}`), value]),
    );
  },
  print: () => null,
};

const mapFields = {
  policies: field(policies, ''),
  tls: field(tlsKind, 'the options tls_… in one map, without that prefix'),
  ...structuredFields,
};

const listenerOnly = new Set(['tls', ...optionSpecs.flatMap((spec) => (spec.listenerOnly ? [spec.name] : []))]);
const processOnly = new Set(optionSpecs.flatMap((spec) => (spec.processOnly ? [spec.name] : [])));

/** Which level of a file it is. */
export type Scope = 'process' | 'listener' | 'mount' | 'transcoder';

/** Why an option cannot stand at a level; undefined if it can. */
function misplaced(name: string, scope: Scope): string | undefined {
  if (scope !== 'process' && processOnly.has(name)) {
    return `"${name}" is the same for the whole process; write it at the top of the file`;
  }
  if (scope === 'transcoder' && !transcoderOptions.has(name)) {
    return `"${name}" is no matter of a transcoder; write it on the listener`;
  }
  if (scope !== 'mount' || !listenerOnly.has(name)) return undefined;
  return `"${name}" is the same for a whole listener; write it on the listener`;
}

/** The options that a level may hold. */
function optionFields(scope: Scope): Fields {
  const all = Object.entries({ ...flagFields, ...mapFields });
  return Object.fromEntries(all.filter(([name]) => misplaced(name, scope) === undefined));
}

/** Reads a level; `members` are its own. */
export function readLevel<M extends Fields>(members: M, map: InputMap, reader: Reader, scope: Scope): LevelOf<M> {
  const others: InputMember[] = [];
  const own = readFields(members, map, reader, (member) => others.push(member));
  const fields = { ...flagFields, ...mapFields };
  const {
    policies: inMap,
    tls,
    ...flat
  } = readFields(fields, { ...map, members: others }, reader, ({ place }, name) => {
    const known = [...Object.keys(members), ...Object.keys(optionFields(scope))];
    const snake = snakeCase(name).replace(/-/g, '_');
    const near = known.includes(snake) ? snake : nearestName(snake, known);
    const hint = near === undefined ? `keys are: ${known.join(', ')}` : `did you mean ${near}?`;
    reader.error(place, 'unknown-key', `there is no key ${quote(name)} here`, hint);
  });
  for (const { name, place } of others) {
    const problem = misplaced(name, scope);
    if (problem !== undefined) reader.error(place, 'config-conflict', problem);
  }
  return { ...own, options: { ...flat, ...inMap, ...tls } };
}

/** A level as a file has it. */
export function printLevel<M extends Fields>(members: M, level: LevelOf<M>, scope: Scope): Record<string, Plain> {
  const { options = {} } = level;
  const fields = Object.entries(flagFields).filter(([name]) => misplaced(name, scope) === undefined);
  return {
    ...printFields(members, pickFields(members, level)),
    ...(scope !== 'transcoder' && {
      policies: printFields(policyFields, options),
      ...printFields(structuredFields, options),
    }),
    ...printFields(Object.fromEntries(fields), options),
  };
}

/** The options of the process, as the top of a file has them. */
export function printProcessOptions(options: GivenOptions): Record<string, Plain> {
  const fields = Object.entries(flagFields).filter(([name]) => processOnly.has(name));
  return printFields(Object.fromEntries(fields), options);
}

/** JSON Schema of a level. */
export function levelSchema(members: Fields, scope: Scope): object {
  return fieldsSchema({ ...members, ...optionFields(scope) });
}

/** Settings for options that are read one by one. */
export interface OptionsSource {
  /** Base of relative paths. */
  readonly folder: string | undefined;
  /** The option's name in messages: `--idle-timeout`. Default: its name. */
  readonly title?: (name: string) => string;
}

/** Reads options by their names in a file, with values of flags: texts, booleans or lists of these. */
export function readOptions(
  given: Readonly<Record<string, unknown>>,
  problems: ProblemList,
  { folder, title }: OptionsSource,
): GivenOptions {
  const reader = new Reader(problems, { folder, ...(title !== undefined && { title }) });
  const members = Object.entries(given).map(([name, value]) => ({ name, place: undefined, value: nodeOf(value) }));
  return readFields(flagFields, { kind: 'map', members, place: undefined }, reader, () => undefined);
}
