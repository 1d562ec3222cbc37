/**
 * Finds missing proto2 `required` fields (editions: LEGACY_REQUIRED) at every depth of a complete message in wire form. A
 * message that occurs in pieces counts as one, and a oneof member that a later one replaces does not count. The bytes are
 * read once; types that cannot contain required fields are skipped.
 */
import type { FieldDescriptor, MessageDescriptor, Schema } from '../schema/types.js';
import type { FieldViolation } from '../status.js';
import { endTagOf, Reader, WireError, WireType } from '../wire/index.js';
import type { CodecOptions } from './options.js';
import { mapKeyText } from './select-wire.js';
import { fieldByNumber, tagOf } from './tags.js';
import { MAX_VIOLATIONS } from './violations.js';
import { typeNameOf, wellKnownKind } from './well-known.js';
import { cached } from './cached.js';

/** Only an Any that a client sent as protobuf can hold deeper messages; those are left to the service. */
const MAX_DEPTH = 600;

const none: readonly FieldViolation[] = Object.freeze([]);

/** The required fields of all types of one schema. */
export class RequiredFields {
  private readonly needed = new Map<MessageDescriptor, boolean>();
  private readonly required = new Map<MessageDescriptor, readonly FieldDescriptor[]>();

  constructor(
    readonly types: Pick<Schema, 'message'>,
    private readonly options: CodecOptions,
  ) {}

  /** The missing fields of a well-formed message. */
  missing(message: MessageDescriptor, wire: Buffer): readonly FieldViolation[] {
    if (!this.isNeeded(message)) return none;
    const violations: FieldViolation[] = [];
    new RequiredWalk(wire, this, violations).root(message, undefined, 1);
    return violations;
  }

  /** True if a message of the type can contain a required field, also inside an Any. */
  isNeeded(message: MessageDescriptor): boolean {
    return cached(this.needed, message, () =>
      reaches(message, (type) => wellKnownKind(type) === 'Any' || this.requiredOf(type).length > 0),
    );
  }

  requiredOf(message: MessageDescriptor): readonly FieldDescriptor[] {
    return cached(this.required, message, () => message.fields.filter(({ required }) => required));
  }

  nameOf(field: FieldDescriptor): string {
    return this.options.preserveProtoFieldNames && !field.isExtension ? field.name : field.jsonName;
  }
}

function reaches(root: MessageDescriptor, isWanted: (type: MessageDescriptor) => boolean): boolean {
  const seen = new Set([root]);
  for (const type of seen) {
    if (isWanted(type)) return true;
    for (const field of [...type.fields, ...type.extensions]) {
      const inner = field.map === undefined ? field.message : field.map.value.message;
      if (inner !== undefined) seen.add(inner);
    }
  }
  return false;
}

/** The path to a value, last step first. It becomes text only if something is missing. */
interface Way {
  readonly outer: Way | undefined;
  readonly step: string | (() => string);
}

function pathOf(way: Way | undefined, name: string): string {
  let path = name;
  for (let at = way; at !== undefined; at = at.outer) {
    const step = typeof at.step === 'string' ? at.step : at.step();
    path = path.startsWith('[') ? step + path : `${step}.${path}`;
  }
  return path;
}

/** The state of one message while it is read. */
class Found {
  readonly given = new Set<FieldDescriptor>();
  /** Its singular messages, which may continue later; elements and entries are checked when they end. */
  readonly inside = new Map<FieldDescriptor, Found>();
  readonly counts = new Map<FieldDescriptor, number>();
  /** Of an Any. */
  typeUrl = '';
  value: Buffer | undefined;

  constructor(
    readonly type: MessageDescriptor,
    readonly way: Way | undefined,
  ) {}
}

class RequiredWalk extends Reader {
  constructor(
    wire: Buffer,
    private readonly fields: RequiredFields,
    private readonly violations: FieldViolation[],
  ) {
    super(wire);
  }

  root(type: MessageDescriptor, way: Way | undefined, depth: number): void {
    const found = new Found(type, way);
    this.read(found, 0, depth);
    this.checkMessage(found, depth);
  }

  /** Reads a message up to `end`, or up to the end tag of its group. */
  private read(found: Found, endTag: number, depth: number): void {
    const { type } = found;
    while (this.pos < this.end) {
      const tag = this.tag();
      if (tag === endTag) return;
      const field = fieldByNumber(type, tag >>> 3);
      if (field === undefined) this.skip(tag);
      else this.field(found, field, tag, depth);
    }
  }

  private field(found: Found, field: FieldDescriptor, tag: number, depth: number): void {
    if (field.required) found.given.add(field);
    if (field.oneof !== undefined) dropRivals(found, field);
    const { fields } = this;
    if (wellKnownKind(found.type) === 'Any' && (tag & 7) === WireType.BYTES) {
      const value = this.bytes();
      if (field.number === 1) found.typeUrl = value.toString('utf8');
      else found.value = value;
    } else if (field.map !== undefined && (tag & 7) === WireType.BYTES) {
      this.entry(found, field, depth);
    } else if (field.message === undefined || !fields.isNeeded(field.message) || tag !== tagOf(field)) {
      this.skip(tag);
    } else if (field.repeated) {
      const index = found.counts.get(field) ?? 0;
      found.counts.set(field, index + 1);
      const element = new Found(field.message, { outer: found.way, step: `${fields.nameOf(field)}[${index}]` });
      this.enter(element, field, tag, depth + 1);
      this.checkMessage(element, depth + 1);
    } else {
      const way = { outer: found.way, step: fields.nameOf(field) };
      const { message } = field;
      this.enter(
        cached(found.inside, field, () => new Found(message, way)),
        field,
        tag,
        depth + 1,
      );
    }
  }

  private enter(found: Found, field: FieldDescriptor, tag: number, depth: number): void {
    if (depth > MAX_DEPTH) this.skip(tag);
    else if (field.delimited) this.read(found, endTagOf(tag), depth);
    else this.within(() => this.read(found, 0, depth));
  }

  private entry(found: Found, map: FieldDescriptor, depth: number): void {
    const { key, value } = map.map!;
    const { fields } = this;
    this.within(() => {
      if (value.message === undefined || !fields.isNeeded(value.message)) return;
      const entry = this.buf.subarray(this.pos, this.end);
      const step = (): string => `[${JSON.stringify(mapKeyText(entry, key))}]`;
      const element = new Found(value.message, { outer: { outer: found.way, step: fields.nameOf(map) }, step });
      while (this.pos < this.end) {
        const tag = this.tag();
        if (tag === tagOf(value)) this.enter(element, value, tag, depth + 1);
        else this.skip(tag);
      }
      this.checkMessage(element, depth + 1);
    });
  }

  /** Reports the missing fields of a message that has been read completely. */
  private checkMessage(found: Found, depth: number): void {
    const { fields, violations } = this;
    for (const field of fields.requiredOf(found.type)) {
      if (found.given.has(field) || violations.length >= MAX_VIOLATIONS) continue;
      violations.push({
        field: pathOf(found.way, fields.nameOf(field)),
        description: `required by ${found.type.fullName}, and not given`,
      });
    }
    for (const inner of found.inside.values()) this.checkMessage(inner, depth + 1);
    if (found.value !== undefined || found.typeUrl !== '') this.any(found, depth + 1);
  }

  /** Checks the content of an Any if its type is known and its bytes can be read. */
  private any({ typeUrl, value, way }: Found, depth: number): void {
    const { fields, violations } = this;
    const typeName = typeNameOf(typeUrl);
    const type = typeName === undefined ? undefined : fields.types.message(typeName);
    if (type === undefined || depth > MAX_DEPTH || !fields.isNeeded(type)) return;
    const inner = wellKnownKind(type) === undefined ? way : { outer: way, step: 'value' };
    const found: FieldViolation[] = [];
    try {
      new RequiredWalk(value ?? Buffer.alloc(0), fields, found).root(type, inner, depth);
    } catch (error) {
      if (error instanceof WireError) return;
      throw error;
    }
    violations.push(...found.slice(0, MAX_VIOLATIONS - violations.length));
  }
}

/** A member of a oneof clears the others. */
function dropRivals(found: Found, field: FieldDescriptor): void {
  for (const other of found.inside.keys()) {
    if (other !== field && other.oneof === field.oneof) found.inside.delete(other);
  }
}
