/**
 * Query strings, forms (which are written the same way) and the parts of multipart forms → bound values. A name is resolved
 * once for each spelling and kept; names with an index or a map key are resolved each time. Values are not read here:
 * `weave` does that when it writes.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_VIOLATIONS, type Codec, type TextReader, wellKnownKind } from '../codec/index.js';
import { parseMediaType } from '../headers.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { nearestName, type FieldViolation } from '../status.js';
import { quote, UnescapeError, unescapeQuery } from '../uri.js';
import { Writer } from '../wire/index.js';
import { fileReader } from './file-part.js';
import { isHttpBody } from './http-body.js';
import type { FormPart } from './multipart.js';
import type { SystemParameterReader } from './system-parameters.js';
import type { TranscodeOptions } from './options.js';
import type { MessageNode } from './weave.js';

/** A field path that the query may not touch, with the reason. */
export interface Reserved {
  readonly path: readonly FieldDescriptor[];
  /** `the path /v1/{name}` / `the body`: completes "is already given by …". */
  readonly by: string;
}

/** A member of a oneof that the path or a header sets, so that the query may set no other. */
export interface TakenOneof {
  readonly group: string;
  readonly member: string;
  /** `the path`, `the header x-id`. */
  readonly by: string;
}

/** The oneofs of which a field path sets a member. */
export function takenOneofs(path: readonly FieldDescriptor[], by: string): TakenOneof[] {
  const taken: TakenOneof[] = [];
  let key = '';
  for (const field of path) {
    if (field.oneof !== undefined) taken.push({ group: oneofGroup(key, field.oneof.name), member: field.name, by });
    key += `/${field.number}`;
  }
  return taken;
}

/** Tells apart the oneofs of all messages that a request is made of. */
function oneofGroup(parentKey: string, oneof: string): string {
  return `${parentKey}/${oneof}`;
}

/** What the pairs are called in messages. */
export type PairNoun = 'query parameter' | 'form field';

/** One step from a message to a field of it, to an element of a list, or to an entry of a map. */
interface Step {
  readonly field: FieldDescriptor;
  readonly element: string;
  readonly keyEntry: Buffer | undefined;
}

/** Where a parameter's value goes. */
interface Target {
  /** The messages on the way, outermost first. */
  readonly steps: readonly Step[];
  readonly field: FieldDescriptor;
  /** Undefined for a google.api.HttpBody, which only a file can give whole. */
  readonly read: TextReader | undefined;
  /** The same for all spellings of one field. */
  readonly key: string;
  /** The keys of the fields on the way. */
  readonly parentKeys: readonly string[];
  /** `parent key/oneof` → member, for each step that is a member of a oneof. */
  readonly oneofs: readonly (readonly [group: string, member: string])[];
}

/** Names resolved and kept; recursive types have endless names, so there is a limit. */
const MAX_KEPT_NAMES = 1000;

/** Why a name leads nowhere, in words for the client. */
class NameError extends Error {}

export class QueryBinder {
  private readonly targets = new Map<string, Target>();

  /** @param root message that the names are relative to; undefined: every name is unknown (`body: "*"`). */
  constructor(
    private readonly noun: PairNoun,
    private readonly root: MessageDescriptor | undefined,
    private readonly reserved: readonly Reserved[],
    private readonly codec: Codec,
    private readonly options: TranscodeOptions,
  ) {}

  /**
   * Adds what `query` holds to `node`; what is wrong with names goes to `violations`.
   * @param taken what other parts of the request set of oneofs
   * @param system takes the system parameters; undefined: there are none
   */
  bind(
    query: string,
    node: MessageNode,
    violations: FieldViolation[],
    taken: readonly TakenOneof[] = [],
    system?: SystemParameterReader,
  ): void {
    const seen = new SeenFields(taken);
    for (const pair of query.split('&')) {
      if (pair === '') continue;
      if (violations.length >= MAX_VIOLATIONS) return;
      const mark = pair.indexOf('=');
      try {
        this.bindPair(
          unescapeQuery(mark < 0 ? pair : pair.slice(0, mark), this.options.literalPlus),
          mark < 0 ? undefined : pair.slice(mark + 1),
          node,
          seen,
          system,
        );
      } catch (error) {
        if (!(error instanceof NameError) && !(error instanceof UnescapeError)) throw error;
        violations.push({ field: labelOf(pair, mark), description: error.message });
      }
    }
    seen.checkIndices(violations);
  }

  /** The same for the parts of a multipart form, whose values are taken verbatim. */
  bindParts(parts: readonly FormPart[], node: MessageNode, violations: FieldViolation[]): void {
    const seen = new SeenFields([]);
    const wholes = new WholeMessages();
    for (const part of parts) {
      if (violations.length >= MAX_VIOLATIONS) return;
      try {
        this.bindPart(part, node, seen, wholes);
      } catch (error) {
        if (!(error instanceof NameError)) throw error;
        violations.push({ field: shortName(part.name), description: error.message });
      }
    }
    seen.checkIndices(violations);
    wholes.check(violations);
  }

  private bindPart(part: FormPart, node: MessageNode, seen: SeenFields, wholes: WholeMessages): void {
    const { name } = part;
    if (this.isIgnored(name)) return;
    const target = this.resolve(name);
    if (target === undefined) return;
    const { field } = target;
    const isWhole = isHttpBody(field.message);
    const read = part.isFile || isWhole ? fileReader(field, part) : target.read;
    if (read === undefined) {
      throw new NameError(
        `found a file, expected ${this.codec.describeText(field)}; send it as a plain value (curl: -F '${field.name}=<FILE')`,
      );
    }
    const text = part.isFile || isWhole ? '' : partText(part);
    seen.add(target, name);
    wholes.add(target, name, isWhole);
    nodeOf(target, node).add({ field, read, text, label: shortName(name), source: this.noun });
  }

  private bindPair(
    name: string,
    rawValue: string | undefined,
    node: MessageNode,
    seen: SeenFields,
    system: SystemParameterReader | undefined,
  ): void {
    if (this.isIgnored(name)) return;
    if (system?.knows(name) === true) {
      system.add(name, rawValue === undefined ? undefined : unescapeQuery(rawValue, this.options.literalPlus));
      return;
    }
    const target = this.resolve(name);
    if (target === undefined) return;
    const { field, read, steps } = target;
    if (read === undefined) {
      const holder = steps.at(-1)?.field;
      throw new NameError(noTextForm(holder?.map === undefined ? field : holder));
    }
    const text = rawValue === undefined ? '' : unescapeQuery(rawValue, this.options.literalPlus);
    seen.add(target, name);
    const at = nodeOf(target, node);
    const texts = this.options.commaLists && field.repeated && !holdsCommas(field) ? text.split(',') : [text];
    for (const one of texts) at.add({ field, read, text: one, label: shortName(name), source: this.noun });
  }

  private isIgnored(name: string): boolean {
    return this.options.ignoreQuery.some((entry) =>
      entry.endsWith('*')
        ? name.startsWith(entry.slice(0, -1))
        : entry === name || (entry.endsWith('_') && name.startsWith(entry)),
    );
  }

  /** Undefined: an unknown name that the options say to skip. */
  private resolve(name: string): Target | undefined {
    const kept = this.targets.get(name);
    if (kept !== undefined) return kept;
    if (this.root === undefined) {
      if (this.options.ignoreUnknownQuery) return undefined;
      throw new NameError(`unknown ${this.noun}: this route takes everything from the body, write it there`);
    }
    const found = new NameResolver(name, this.noun, this.root, this.codec, this.options.maxJsonDepth).resolve();
    if (found instanceof UnknownName) {
      if (this.options.ignoreUnknownQuery) return undefined;
      throw new NameError(found.message);
    }
    this.checkReserved(found);
    const isPlain = found.steps.every((step) => step.element === '');
    if (isPlain && this.targets.size < MAX_KEPT_NAMES) this.targets.set(name, found);
    return found;
  }

  /** The path and the body always win: a parameter must not reach a field of theirs, its parent or its child. */
  private checkReserved(target: Target): void {
    const path = [...target.steps.map((step) => step.field), target.field];
    for (const { path: taken, by } of this.reserved) {
      const shared = Math.min(path.length, taken.length);
      if (taken.slice(0, shared).every((field, index) => field === path[index])) {
        throw new NameError(
          `"${taken.map((field) => field.name).join('.')}" is given by ${by}; leave it out of the query`,
        );
      }
    }
  }
}

function nodeOf(target: Target, root: MessageNode): MessageNode {
  let at = root;
  for (const { field, element, keyEntry } of target.steps) at = at.child(field, element, keyEntry);
  return at;
}

/** True for types whose own text form has commas in it: JSON and field masks. */
function holdsCommas({ message }: FieldDescriptor): boolean {
  const kind = message === undefined ? undefined : wellKnownKind(message);
  return kind === 'Struct' || kind === 'Value' || kind === 'ListValue' || kind === 'FieldMask';
}

/** The value of a part that is no file. */
function partText({ contentType, data }: FormPart): string {
  const charset = parseMediaType(contentType).parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'utf8')
    throw new NameError(`charset ${quote(charset)} is not read here; send UTF-8`);
  if (!isUtf8(data)) throw new NameError('the value is not UTF-8; encode it as UTF-8, or send it as a file');
  return data.toString('utf8');
}

/** What a violation calls a parameter: its name as decoded, or the whole pair where it has none. */
function labelOf(pair: string, mark: number): string {
  if (mark === 0) return shortName(pair);
  const raw = mark < 0 ? pair : pair.slice(0, mark);
  try {
    return shortName(unescapeQuery(raw, false));
  } catch {
    return shortName(raw);
  }
}

/** A name for messages; the name of a form field may be as long as a body. */
function shortName(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100).toWellFormed()}…`;
}

/** What one query has set so far. */
class SeenFields {
  private readonly keys = new Map<string, string>();
  /** By oneof, the member that is set and what sets it. */
  private readonly oneofs = new Map<string, { readonly member: string; readonly given: string }>();
  private readonly indices = new Map<string, { name: string; found: Set<number> }>();

  constructor(taken: readonly TakenOneof[]) {
    for (const { group, member, by } of taken) {
      this.oneofs.set(group, { member, given: `${by} gives ${quote(member)}` });
    }
  }

  add(target: Target, name: string): void {
    const first = this.keys.get(target.key);
    if (first !== undefined && !target.field.repeated) {
      throw new NameError(
        first === name ? 'given more than once, expected one value' : `given more than once (also as ${quote(first)})`,
      );
    }
    this.keys.set(target.key, name);
    for (const [group, member] of target.oneofs) this.addOneof(group, member, name);
    this.addIndices(target, name);
  }

  private addOneof(group: string, member: string, name: string): void {
    const other = this.oneofs.get(group);
    if (other === undefined) {
      this.oneofs.set(group, { member, given: `${quote(name)} is given too` });
    } else if (other.member !== member) {
      const oneof = group.slice(group.lastIndexOf('/') + 1);
      throw new NameError(`${other.given}, and both are members of the oneof "${oneof}"; give one of them`);
    }
  }

  private addIndices(target: Target, name: string): void {
    let path = '';
    for (const { field, element } of target.steps) {
      path += `/${field.number}`;
      if (element !== '' && field.repeated) {
        const list = this.indices.get(path) ?? { name: shortName(name.slice(0, name.indexOf('['))), found: new Set() };
        list.found.add(Number(element));
        this.indices.set(path, list);
      }
      path += `[${element}]`;
    }
  }

  /** Elements may come in any order, but none may be missing. */
  checkIndices(violations: FieldViolation[]): void {
    for (const { name, found } of this.indices.values()) {
      if (violations.length >= MAX_VIOLATIONS) return;
      for (let index = 0; index < found.size; index++) {
        if (found.has(index)) continue;
        const description = `element ${index} is missing; indices run from 0 without gaps`;
        violations.push({ field: name, description });
        break;
      }
    }
  }
}

/** Messages that a form gives as a file, of which no field may be given then. */
class WholeMessages {
  /** Messages of which fields are set, and by what. */
  private readonly parents = new Map<string, string>();
  private readonly wholes = new Map<string, string>();

  add({ key, parentKeys }: Target, name: string, isWhole: boolean): void {
    for (const parent of parentKeys) this.parents.set(parent, name);
    if (isWhole) this.wholes.set(key, name);
  }

  check(violations: FieldViolation[]): void {
    for (const [key, whole] of this.wholes) {
      const name = this.parents.get(key);
      if (name === undefined) continue;
      if (violations.length >= MAX_VIOLATIONS) return;
      const description = `${quote(whole)} is given as a whole too; give one of them`;
      violations.push({ field: shortName(name), description });
    }
  }
}

/** The end of a resolution that found no field. */
class UnknownName {
  constructor(readonly message: string) {}
}

/** Follows one parameter name through the message types. */
class NameResolver {
  private readonly steps: Step[] = [];
  private readonly oneofs: (readonly [string, string])[] = [];
  private readonly parentKeys: string[] = [];
  private key = '';

  constructor(
    private readonly name: string,
    private readonly noun: PairNoun,
    private readonly root: MessageDescriptor,
    private readonly codec: Codec,
    private readonly maxDepth: number,
  ) {}

  resolve(): Target | UnknownName {
    let message = this.root;
    let rest = this.name;
    for (;;) {
      const whole = message.field(rest);
      const end = whole === undefined ? rest.search(/[.[]/) : -1;
      const part = end < 0 ? rest : rest.slice(0, end);
      const field = whole ?? message.field(part);
      if (field === undefined) return this.unknown(part, message);
      this.enter(field);
      if (end < 0) return this.leaf(field);
      rest = rest.slice(end);
      this.parentKeys.push(this.key);
      const next = field.map === undefined ? this.step(field, rest) : this.mapStep(field, rest);
      if ('read' in next) return next;
      message = next.message;
      rest = next.rest;
      if (this.steps.length >= this.maxDepth) throw new NameError(`nested more than ${this.maxDepth} deep`);
    }
  }

  private enter(field: FieldDescriptor): void {
    if (field.oneof !== undefined) this.oneofs.push([oneofGroup(this.key, field.oneof.name), field.name]);
    this.key += `/${field.number}`;
  }

  private leaf(field: FieldDescriptor): Target {
    const read = this.codec.textReader(field);
    const isWhole = read === undefined && field.map === undefined && isHttpBody(field.message);
    if (!isWhole && read === undefined) throw new NameError(noTextForm(field));
    return this.target(field, read);
  }

  private target(field: FieldDescriptor, read: TextReader | undefined): Target {
    const { steps, key, parentKeys, oneofs } = this;
    return { steps, field, read, key, parentKeys, oneofs };
  }

  /** Behind a field that is no map: `.name` into a message, `[0].name` into a list of messages. */
  private step(field: FieldDescriptor, rest: string): { message: MessageDescriptor; rest: string } {
    // A type with a text form (Timestamp, wrappers …) is written whole.
    const { message } = field;
    if (message === undefined || this.codec.textReader(field) !== undefined) {
      throw new NameError(
        field.repeated && rest.startsWith('[')
          ? `an index is for lists of messages; give "${field.name}" once for each element`
          : `"${field.name}" has no fields, it is ${this.codec.describeText(field)}; write ${field.name}=…`,
      );
    }
    if (!field.repeated) {
      if (!rest.startsWith('.')) {
        throw new NameError(`"${field.name}" is neither a list nor a map; write ${field.name}.…`);
      }
      this.steps.push({ field, element: '', keyEntry: undefined });
      return { message, rest: rest.slice(1) };
    }
    const index = /^\[(0|[1-9]\d{0,6})\]\./.exec(rest);
    if (index === null) {
      const files = isHttpBody(message) ? `, or give "${field.name}" once for each file` : '';
      throw new NameError(
        `"${field.name}" is a list of messages; write ${field.name}[0].…, ${field.name}[1].…${files}`,
      );
    }
    this.key += `[${index[1]!}]`;
    this.steps.push({ field, element: index[1]!, keyEntry: undefined });
    return { message, rest: rest.slice(index[0].length) };
  }

  /** Behind a map: `[key]` or `.key` for scalar values, `[key].name` for messages, `[key]` for a message that a file gives. */
  private mapStep(field: FieldDescriptor, rest: string): Target | { message: MessageDescriptor; rest: string } {
    const { key, value } = field.map!;
    const read = this.codec.textReader(value);
    const isWhole = isHttpBody(value.message) && rest.endsWith(']');
    const pattern = read === undefined && !isWhole ? /^\[([^]*?)\]\./ : /^(?:\[([^]*)\]|\.([^]*))$/;
    const found = pattern.exec(rest);
    if (found === null) throw new NameError(mapUsage(field));
    const text = found[1] ?? found[2] ?? '';
    // Of a value nothing means true; a key has to be said.
    if (text === '' && key.type === 'bool') throw new NameError('the key "": found "", expected true or false');
    const entry = new Writer(16);
    try {
      this.codec.textReader(key)!(text, entry);
    } catch (error) {
      throw new NameError(`the key ${quote(text)}: ${(error as Error).message}`, { cause: error });
    }
    const keyEntry = entry.take();
    // Spellings of one key (`1`, `01` …) are one key: compare what goes on the wire.
    const element = `=${keyEntry.toString('latin1')}`;
    this.key += `[${element}]`;
    this.steps.push({ field, element, keyEntry });
    if (read !== undefined || isWhole) return this.target(value, read);
    this.parentKeys.push(this.key);
    this.steps.push({ field: value, element: '', keyEntry: undefined });
    return { message: value.message!, rest: rest.slice(found[0].length) };
  }

  private unknown(part: string, message: MessageDescriptor): UnknownName {
    const near = nearestName(
      part,
      message.fields.flatMap((field) => [field.name, field.jsonName]),
    );
    const where = message === this.root ? '' : ` in ${message.fullName}`;
    const hint = near === undefined ? '' : `, did you mean "${near}"?`;
    return new UnknownName(
      part === this.name
        ? `unknown ${this.noun}${hint}`
        : `unknown ${this.noun}: no field ${quote(part)}${where}${hint}`,
    );
  }
}

function mapUsage({ name, map }: FieldDescriptor): string {
  const { message } = map!.value;
  const kind = message === undefined ? undefined : wellKnownKind(message);
  const isText = message === undefined || (kind !== undefined && kind !== 'Any');
  const usage = isText ? `${name}[KEY]=… or ${name}.KEY=…` : `${name}[KEY].FIELD=…`;
  const file = isHttpBody(message) ? `, or give ${name}[KEY] as a file` : '';
  return `"${name}" is a map; write ${usage}${file}`;
}

function noTextForm(field: FieldDescriptor): string {
  if (field.map !== undefined) return mapUsage(field);
  const inner = field.message?.fields[0];
  const example = field.repeated ? `${field.name}[0]` : field.name;
  return `"${field.name}" is a message and has no text form; name a field of it${
    inner === undefined ? '' : `, such as ${example}.${inner.name}=…`
  }`;
}
