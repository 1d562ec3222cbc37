/**
 * How the messages of an Envoy bootstrap are described: tables of keys, each honoured, without effect here, or refused. The
 * reader, the page of keys and the types of what was read follow from these tables.
 */

import { type InputMap, type InputMember, type InputNode, libraryName } from '../options/index.js';
import { nearestName, type Problem, type ProblemList, type SourcePlace } from '../status.js';
import { quote } from '../uri.js';

/** Where something stands: its path of keys, and its line. */
export interface At {
  /** `static_resources.listeners[0].address`. */
  readonly path: string;
  readonly place: SourcePlace | undefined;
}

/** How strictly a bootstrap is read, and who hears what is wrong with it. */
export interface EnvoyReader {
  readonly problems: ProblemList;
  /** What cannot be honoured is a warning, and left out. */
  readonly lenient: boolean;
  /** Where the maps of the translation come from. */
  readonly places: Places;
  /** Base of relative paths. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What of a bootstrap each map of its translation says in our words. */
export type Places = WeakMap<object, At>;

/** The map itself; what is found wrong with it later is reported at `at`. */
export function placed<T extends object>(map: T, at: At, { places }: Pick<EnvoyReader, 'places'>): T {
  places.set(map, at);
  return map;
}

/** A kind of values. `read` reports what will not do, and returns undefined then. */
export interface ValueKind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  read(node: InputNode, path: string, reader: EnvoyReader): T | undefined;
  /** The keys inside, for the page; none for scalars. */
  readonly inside?: readonly KeysInside[];
}

/** Keys below a key: `suffix` is what stands between, such as `[]`. */
export interface KeysInside {
  readonly suffix: string;
  readonly keys: Keys;
}

export interface HonouredKey<T> {
  readonly use: 'honoured';
  readonly kind: ValueKind<T>;
  readonly text: string;
  /** What to write if it is left out; undefined: it may be. */
  readonly required?: string;
}

/** A key that changes nothing here, whatever it says; its value is still checked. */
export interface KeyWithoutEffect {
  readonly use: 'no-effect';
  readonly kind: ValueKind<unknown>;
  readonly text: string;
}

/** A key that changes what Envoy does and has no counterpart here, yet stands in files that must start: a warning. */
export interface WarnedKey {
  readonly use: 'warned';
  readonly kind: ValueKind<unknown>;
  readonly text: string;
  /** Values that ask for nothing: no warning. */
  readonly harmless: readonly (string | number | boolean)[];
}

/** A key that cannot be honoured. */
export interface RefusedKey {
  readonly use: 'refused';
  /** What to do instead. */
  readonly text: string;
  /** Values that ask for nothing: Envoy's own defaults. */
  readonly harmless: readonly (string | number | boolean)[];
}

export type Key = HonouredKey<unknown> | KeyWithoutEffect | WarnedKey | RefusedKey;
export type Keys = Readonly<Record<string, Key>>;

export function honoured<T>(kind: ValueKind<T>, text = ''): HonouredKey<T> {
  return { use: 'honoured', kind, text };
}

/** @param write what to write if it is left out */
export function required<T>(kind: ValueKind<T>, write: string, text = ''): HonouredKey<T> {
  return { use: 'honoured', kind, text, required: write };
}

export function noEffect(kind: ValueKind<unknown>, text: string): KeyWithoutEffect {
  return { use: 'no-effect', kind, text };
}

export function warned(
  kind: ValueKind<unknown>,
  text: string,
  harmless: readonly (string | number | boolean)[] = [],
): WarnedKey {
  return { use: 'warned', kind, text, harmless };
}

export function refused(text: string, harmless: readonly (string | number | boolean)[] = []): RefusedKey {
  return { use: 'refused', text, harmless };
}

/** What was read of a message: its honoured keys, and where it stands. */
export type MessageOf<K extends Keys> = {
  readonly [N in keyof K as K[N] extends HonouredKey<unknown> ? N : never]?: K[N] extends HonouredKey<infer T>
    ? T
    : never;
} & { readonly at: At };

export type ValueOf<V extends ValueKind<unknown>> = V extends ValueKind<infer T> ? T : never;

/** Reports something that is wrong at a place, whatever the strictness. */
export function fault(reader: EnvoyReader, at: At, message: string, hint?: string): void {
  reader.problems.error(problemAt('envoy-value', at, message, hint));
}

/** As `fault`, for what is not there. After another error nothing is reported: it may be what was wrong, and left out. */
export function missing(reader: EnvoyReader, at: At, message: string, hint?: string): void {
  if (reader.problems.errors.length === 0) fault(reader, at, message, hint);
}

/** Reports something that cannot be honoured: an error, or a warning for a lenient reader. */
export function cannot(reader: EnvoyReader, at: At, message: string, hint: string): void {
  const problem = problemAt('envoy-refused', at, message, hint);
  if (reader.lenient) reader.problems.warn(problem);
  else reader.problems.error(problem);
}

/** Reports something that is done otherwise here, in files that must start all the same: a warning. */
export function differs(reader: EnvoyReader, at: At, message: string, hint: string): void {
  reader.problems.warn(problemAt('envoy-refused', at, message, hint));
}

function problemAt(code: string, { path, place }: At, message: string, hint: string | undefined): Problem {
  return {
    code,
    message: `${path === '' ? 'the bootstrap' : path}: ${message}`,
    ...(place !== undefined && { place }),
    ...(hint !== undefined && { hint }),
  };
}

/** A message with these keys, in snake_case or camelCase. */
export function message<const K extends Keys>(keys: K): ValueKind<MessageOf<K>> {
  const byName = new Map(
    Object.entries(keys).flatMap(([name, key]) => [
      [name, { name, key }] as const,
      [libraryName(name), { name, key }] as const,
    ]),
  );
  return {
    expected: 'a map',
    inside: [{ suffix: '', keys }],
    read(node, path, reader) {
      const at = { path, place: node.place };
      if (node.kind !== 'map') return wrongKind(node, at, 'a map', reader);
      const values: [string, unknown][] = [];
      const seen = new Set<string>();
      for (const member of node.members) {
        const found = byName.get(member.name);
        if (found === undefined) reportUnknown(member, path, Object.keys(keys), reader);
        else if (seen.has(found.name))
          fault(reader, memberAt(path, member), 'the key is given twice, in two spellings');
        else {
          seen.add(found.name);
          const value = readKey(found.name, found.key, member, path, reader);
          if (value !== undefined) values.push([found.name, value]);
        }
      }
      reportMissing(keys, seen, at, reader);
      return { ...Object.fromEntries(values), at } as MessageOf<K>;
    },
  };
}

function reportMissing(keys: Keys, seen: ReadonlySet<string>, at: At, reader: EnvoyReader): void {
  for (const [name, key] of Object.entries(keys)) {
    if (key.use !== 'honoured' || key.required === undefined || seen.has(name)) continue;
    fault(reader, at, `it has no ${name}`, key.required);
  }
}

function memberAt(path: string, { name, place }: Pick<InputMember, 'name' | 'place'>): At {
  return { path: path === '' ? name : `${path}.${name}`, place };
}

function readKey(name: string, key: Key, member: InputMember, path: string, reader: EnvoyReader): unknown {
  const at = memberAt(path, { ...member, name });
  const { value } = member;
  // In proto3 JSON, null is the same as nothing.
  if (value.kind === 'scalar' && value.value === null) return undefined;
  const asksForNothing =
    'harmless' in key && value.kind === 'scalar' && key.harmless.some((one) => sameScalar(one, value.value));
  if (key.use === 'refused') {
    if (!asksForNothing) cannot(reader, at, 'it cannot be honoured here', key.text);
    return undefined;
  }
  const read = key.kind.read(value, at.path, reader);
  if (key.use === 'warned' && !asksForNothing) differs(reader, at, 'it has no effect here', key.text);
  return key.use === 'honoured' ? read : undefined;
}

/** Enums are written in any case, and numbers as texts too. */
function sameScalar(a: unknown, b: unknown): boolean {
  return String(a).toLowerCase() === String(b).toLowerCase();
}

function reportUnknown(member: InputMember, path: string, known: readonly string[], reader: EnvoyReader): void {
  const near = nearestName(member.name, known);
  const hint = near === undefined ? `known keys are: ${known.join(', ')}` : `did you mean ${near}?`;
  cannot(reader, memberAt(path, member), 'this key is not known here', hint);
}

/** Reports a value of another kind; returns undefined. */
export function wrongKind(node: InputNode, at: At, expected: string, reader: EnvoyReader): undefined {
  const found = node.kind === 'scalar' ? quote(String(node.source ?? node.value)) : `a ${node.kind}`;
  fault(reader, at, `found ${found}, expected ${expected}`);
  return undefined;
}

/** Each element is read; those that will not do are left out. */
export function list<T>(kind: ValueKind<T>): ValueKind<readonly T[]> {
  return {
    expected: `a list, each element ${kind.expected}`,
    inside: (kind.inside ?? []).map(({ suffix, keys }) => ({ suffix: `[]${suffix}`, keys })),
    read(node, path, reader) {
      // As Envoy's own reader does not, a single element is no list.
      if (node.kind !== 'list') return wrongKind(node, { path, place: node.place }, 'a list', reader);
      return node.items.flatMap((item, index) => {
        const value = kind.read(item, `${path}[${index}]`, reader);
        return value === undefined ? [] : [value];
      });
    },
  };
}

/** A kind that is within itself. Its keys are listed where it begins. */
export function lazily(kind: () => ValueKind<unknown>): ValueKind<unknown> {
  return { expected: 'a map', read: (node, path, reader) => kind().read(node, path, reader) };
}

/** An entry of a map whose names its author chooses. */
export interface NamedValue<T> {
  readonly name: string;
  readonly value: T;
  readonly at: At;
}

export function mapOf<T>(kind: ValueKind<T>): ValueKind<readonly NamedValue<T>[]> {
  return {
    expected: 'a map',
    inside: (kind.inside ?? []).map(({ suffix, keys }) => ({ suffix: `."…"${suffix}`, keys })),
    read(node, path, reader) {
      if (node.kind !== 'map') return wrongKind(node, { path, place: node.place }, 'a map', reader);
      return node.members.flatMap(({ name, place, value }) => {
        const inner = `${path}.${JSON.stringify(name)}`;
        const read = kind.read(value, inner, reader);
        return read === undefined ? [] : [{ name, value: read, at: { path: inner, place } }];
      });
    },
  };
}

/** What an Any may hold, by the full name of its type. */
export type AnyTypes = Readonly<Record<string, ValueKind<unknown> | RefusedKey>>;

/** A value of one of the types; `type` is its full name. */
export type AnyOf<T extends AnyTypes> = {
  readonly [N in keyof T]: T[N] extends ValueKind<infer V>
    ? { readonly type: N; readonly value: V; readonly at: At }
    : never;
}[keyof T];

/** The names that the types had in the v2 API, which Envoy 1.40 does not read either. */
const v2Types: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager':
      'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    'envoy.config.filter.http.transcoder.v2.GrpcJsonTranscoder':
      'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder',
    'envoy.config.filter.http.router.v2.Router': 'envoy.extensions.filters.http.router.v3.Router',
    'envoy.config.filter.http.cors.v2.Cors': 'envoy.extensions.filters.http.cors.v3.Cors',
    'envoy.config.filter.http.health_check.v2.HealthCheck': 'envoy.extensions.filters.http.health_check.v3.HealthCheck',
    'envoy.config.filter.http.grpc_web.v2.GrpcWeb': 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
    'envoy.config.accesslog.v2.FileAccessLog': 'envoy.extensions.access_loggers.file.v3.FileAccessLog',
    'envoy.api.v2.auth.DownstreamTlsContext': 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    'envoy.api.v2.auth.UpstreamTlsContext': 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
  }),
);

/** A google.protobuf.Any: a map with `@type`, which decides what else is in it. */
export function any<T extends AnyTypes>(types: T): ValueKind<AnyOf<T>> {
  return {
    expected: 'a map with "@type"',
    inside: Object.entries(types).flatMap(([name, kind]) =>
      'use' in kind
        ? []
        : (kind.inside ?? []).map(({ suffix, keys }) => ({ suffix: ` (${name.split('.').at(-1)!})${suffix}`, keys })),
    ),
    read(node, path, reader) {
      const at = { path, place: node.place };
      if (node.kind !== 'map') return wrongKind(node, at, 'a map with "@type"', reader);
      const type = typeOf(node);
      if (type === undefined) {
        fault(reader, at, 'it has no "@type"', 'write "@type": type.googleapis.com/… as the first key of it');
        return undefined;
      }
      // The name comes from the file, and `constructor` is none of ours.
      const kind = Object.hasOwn(types, type.name) ? types[type.name] : undefined;
      if (kind === undefined) return reportType(type, path, types, reader);
      if ('use' in kind) {
        cannot(reader, { path, place: type.place }, `${quote(type.name)} cannot be honoured here`, kind.text);
        return undefined;
      }
      const members = node.members.filter(({ name }) => name !== '@type');
      const value = kind.read({ ...node, members }, path, reader);
      return value === undefined ? undefined : ({ type: type.name, value, at } as unknown as AnyOf<T>);
    },
  };
}

interface TypeName {
  readonly name: string;
  readonly place: SourcePlace | undefined;
}

function typeOf({ members }: InputMap): TypeName | undefined {
  const member = members.find(({ name }) => name === '@type');
  if (member?.value.kind !== 'scalar' || typeof member.value.value !== 'string') return undefined;
  const { value } = member.value;
  return { name: value.slice(value.lastIndexOf('/') + 1), place: member.value.place };
}

function reportType({ name, place }: TypeName, path: string, types: AnyTypes, reader: EnvoyReader): undefined {
  const at = { path, place };
  const v3 = v2Types.get(name);
  const isOld = /\.v2(?:alpha\d*)?\./.test(name);
  if (v3 !== undefined) {
    fault(reader, at, `${quote(name)} is of the v2 API, which is gone`, `write "@type": type.googleapis.com/${v3}`);
  } else if (isOld) {
    fault(reader, at, `${quote(name)} is of the v2 API, which is gone`, 'write the v3 name of the type');
  } else {
    const near = nearestName(name, Object.keys(types));
    const known = Object.entries(types).flatMap(([type, kind]) => ('use' in kind ? [] : [type.split('.').at(-1)!]));
    const hint = near === undefined ? `known here are: ${known.join(', ')}` : `did you mean ${near}?`;
    cannot(reader, at, `${quote(name)} is not known here`, hint);
  }
  return undefined;
}
