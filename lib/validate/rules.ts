/** Rules as objects: the options of a schema, decoded by the table of `rule-fields`. */
import { defineMessage, list, Reader, text, uint32, WireType } from '../wire/index.js';
import { type RuleField, type RuleKind, ruleMessages, type RuleMessage, type RuleType } from './rule-fields.js';
import { readInstant, readScalar, readStrings, type Value } from './values.js';

/** An expression in CEL, what its violation is called, and what is said of it. */
export interface CelRule {
  readonly id: string;
  /** '' if the expression itself gives the message. */
  readonly message: string;
  readonly expression: string;
}

/** `buf.validate.Ignore`. */
export const Ignore = { UNSPECIFIED: 0, IF_ZERO_VALUE: 1, ALWAYS: 3 } as const;

/** `buf.validate.FieldRules`. */
export interface FieldRules {
  readonly cel: readonly CelRule[];
  readonly celExpressions: readonly string[];
  readonly required: boolean;
  /** One of `Ignore`; undefined if it is not given. */
  readonly ignore: number | undefined;
  readonly typed: TypedRules | undefined;
}

/** The rules of one type of field: `buf.validate.StringRules` and so on. */
export class TypedRules {
  private readonly values: ReadonlyMap<string, readonly (Value | FieldRules)[]>;
  /** Numbers that the table does not have: predefined rules of the user, or rules of a later protovalidate. */
  readonly others: readonly number[];

  constructor(
    readonly type: RuleMessage,
    /** As written in the schema. */
    readonly encoded: Buffer,
  ) {
    const { values, others } = decodeTyped(type, encoded);
    this.values = values;
    this.others = others;
  }

  get kind(): RuleKind {
    return this.type.kind;
  }

  /** The value of a rule that is not a list; undefined if it is not given. */
  value(name: string): Value | undefined {
    return this.all(name).at(-1);
  }

  /** The values of a rule that is a list. */
  all(name: string): readonly Value[] {
    return (this.values.get(name) ?? []).filter(isValue);
  }

  /** True for a rule that is a switch, and switched on. */
  flag(name: string): boolean {
    return this.value(name) === true;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    return typeof value === 'string' ? value : undefined;
  }

  bytes(name: string): Buffer | undefined {
    const value = this.value(name);
    return Buffer.isBuffer(value) ? value : undefined;
  }

  /** A number or an instant. */
  ordered(name: string): number | bigint | undefined {
    const value = this.value(name);
    return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
  }

  /** `repeated.items`, `map.keys` and `map.values`. */
  nested(name: string): FieldRules | undefined {
    return (this.values.get(name) ?? []).flatMap((value) => (isValue(value) ? [] : [value])).at(-1);
  }

  /** The row of a rule in the table. */
  field(name: string): RuleField {
    for (const field of this.type.fields.values()) if (field.name === name) return field;
    throw new TypeError(`${this.type.typeName} has no field ${name}`);
  }
}

function isValue(value: Value | FieldRules): value is Value {
  return typeof value !== 'object' || 'length' in value;
}

const Cel = defineMessage({ id: [1, text], message: [2, text], expression: [3, text] });

const MessageOptions = defineMessage({
  celExpressions: [5, list(text)],
  cel: [3, list(Cel)],
  oneofs: [4, list(defineMessage({ fields: [1, list(text)], required: [2, uint32] }))],
});

/** `buf.validate.MessageRules`. */
export interface MessageRules {
  readonly cel: readonly CelRule[];
  readonly celExpressions: readonly string[];
  readonly oneofs: readonly { readonly fields: readonly string[]; readonly required: boolean }[];
}

/** @throws WireError */
export function decodeMessageRules(encoded: Buffer): MessageRules {
  const { cel, celExpressions, oneofs } = MessageOptions.decode(encoded);
  return { cel, celExpressions, oneofs: oneofs.map(({ fields, required }) => ({ fields, required: required !== 0 })) };
}

const OneofOptions = defineMessage({ required: [1, uint32] });

/** `buf.validate.OneofRules.required`. @throws WireError */
export function decodeOneofRequired(encoded: Buffer): boolean {
  return OneofOptions.decode(encoded).required !== 0;
}

const Predefined = defineMessage({ cel: [1, list(Cel)] });

/** The expressions of a `buf.validate.PredefinedRules`. @throws WireError */
export function decodePredefined(encoded: Buffer): readonly CelRule[] {
  return Predefined.decode(encoded).cel;
}

const FieldOptions = defineMessage({
  celExpressions: [29, list(text)],
  cel: [23, list(Cel)],
  required: [25, uint32],
});

const IGNORE_TAG = (27 << 3) | WireType.VARINT;

/** @throws WireError */
export function decodeFieldRules(encoded: Buffer): FieldRules {
  const { cel, celExpressions, required } = FieldOptions.decode(encoded);
  const reader = new Reader(encoded);
  let ignore: number | undefined;
  let type: RuleMessage | undefined;
  let typed: Buffer[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    const found = (tag & 7) === WireType.BYTES ? ruleMessages.get(tag >>> 3) : undefined;
    if (found !== undefined) {
      // A oneof: the last member counts, in one or several pieces.
      if (found !== type) typed = [];
      type = found;
      typed.push(reader.bytes());
    } else if (tag === IGNORE_TAG) ignore = reader.uint32();
    else reader.skip(tag);
  }
  return {
    cel,
    celExpressions,
    required: required !== 0,
    ignore,
    typed: type && new TypedRules(type, Buffer.concat(typed)),
  };
}

function decodeTyped(
  type: RuleMessage,
  encoded: Buffer,
): { values: Map<string, (Value | FieldRules)[]>; others: number[] } {
  const values = new Map<string, (Value | FieldRules)[]>();
  const others = new Set<number>();
  const reader = new Reader(encoded);
  while (!reader.done) {
    const tag = reader.tag();
    const field = type.fields.get(tag >>> 3);
    if (field === undefined) {
      others.add(tag >>> 3);
      reader.skip(tag);
      continue;
    }
    const found = values.get(field.name) ?? [];
    values.set(field.name, found);
    if (field.repeated && (tag & 7) === WireType.BYTES && isPackable(field.type)) {
      reader.within(() => {
        while (!reader.done) found.push(readRule(reader, field.type));
      });
    } else {
      found.push(readRule(reader, field.type));
    }
  }
  return { values, others: [...others] };
}

function isPackable(type: RuleType): boolean {
  return !['string', 'bytes', 'rules', 'duration', 'timestamp', 'field_mask'].includes(type);
}

function readRule(reader: Reader, type: RuleType): Value | FieldRules {
  switch (type) {
    case 'rules':
      return decodeFieldRules(reader.bytes());
    case 'duration':
    case 'timestamp':
      return readInstant(new Reader(reader.bytes()));
    case 'field_mask':
      return readStrings(new Reader(reader.bytes()), 1);
    default:
      return readScalar(reader, type);
  }
}
